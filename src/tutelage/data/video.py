"""A video becomes a `Clip`, whatever it is kept in, and nothing about it is changed without being asked for.

- an animated GIF, WebP or PNG, or a TIFF of several pages, by Pillow;
- a mosaic: one picture that holds frames of one size in rows. Without a word when its name ends in ``_TxHxW``, as in
  ``fire_64x128x128.webp``, and its size is that of T frames of H x W in whole rows;
- a folder of frames, one picture each, in the order of the numbers in their names: 2 before 10;
- anything else (mp4, avi, mov, mkv, webm …) by PyAV, the extra ``video``.

What a file is, is told by its bytes and not by its name. Frames are treated like pictures (`picture`): transparency
and more than 8 bits are refused, or converted with ``convert``. Grey is taken, since a clip always has three channels.
Frames that follow each other unevenly are refused (`timing`). Pixels are taken to be square.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from ..checks import InputError, first_line
from .clip import Clip, Scaling, fitted, scaled
from .files import why
from .folder import picture_files
from .gathering import gathered
from .picture import Refused, decoded, decoding, frame_count, is_known
from .timing import steady_rate
from .video_codec import decode
from .video_writing import GIF_FASTEST, check_writable, contact_sheet, write

__all__ = ["GIF_FASTEST", "Clip", "Scaling", "check_writable", "contact_sheet", "fitted", "read", "scaled", "write"]

_CLOCK = {"GIF": Fraction(1, 100)}
"""Seconds per tick of a format's clock; others count in milliseconds."""
_MILLISECOND = Fraction(1, 1000)


def read(
    path: Path | str,
    *,
    mosaic: tuple[int, int] | None = None,
    convert: bool = False,
    first: int | None = None,
) -> Clip:
    """The frames of a video, and how fast they follow each other.

    Args:
        path: a file, or a folder of frames.
        mosaic: rows and columns of a mosaic whose name does not say them; only for a picture that does not move.
        convert: lay transparent frames on white and keep the high byte of deep ones, instead of refusing them.
        first: read only so many frames; nothing is said about those after them. None: all.

    Raises:
        InputError: there is nothing there, it is empty, damaged, no video, a picture that does not move, too large to
            be held whole, or of frames that differ in size, follow each other unevenly or do not fit; or PyAV is needed
            and missing.
    """
    path = Path(path)
    if first is not None and first < 1:
        raise InputError(f"the first {first} frames of {path} were asked for; give a number of at least 1, or none")
    try:
        frames, fps = _read(path, mosaic, convert, first)
    except Refused as error:
        raise error.error(str(path)) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({why(error)}); name a video") from error
    return Clip(frames, fps)


def _read(
    path: Path, mosaic: tuple[int, int] | None, convert: bool, first: int | None
) -> tuple[np.ndarray, float | None]:
    if path.is_dir():
        _refuse_mosaic(mosaic, "is a folder")
        return _of_folder(path, convert, first), None
    if path.stat().st_size == 0:
        raise Refused("is empty (0 bytes)", "give another file")
    if not is_known(path):
        _refuse_mosaic(mosaic, "is no picture")
        return decode(path, convert, first)
    with decoding(path.read_bytes()) as file:
        if frame_count(file) > 1:
            _refuse_mosaic(mosaic, "is animated")
            return _of_animation(file, convert, first)
        grid = mosaic or _grid_in_name(path, file)
        return _of_mosaic(np.asarray(decoded(file, 3, convert, grey_as_colour=True)), grid, first), None


def _of_animation(file: Image.Image, convert: bool, first: int | None) -> tuple[np.ndarray, float | None]:
    tick = _CLOCK.get(file.format or "", _MILLISECOND)
    times = [0.0]

    def frames() -> Iterator[tuple[str, np.ndarray]]:
        # an animated PNG may begin with a picture for programs that show only one
        start = int(bool(file.info.get("default_image")))
        for number in range(frame_count(file) - start):
            try:
                file.seek(start + number)
                pixels = np.asarray(decoded(file, 3, convert, grey_as_colour=True))
            except Refused:
                raise
            except Exception as error:  # on damaged bytes Pillow's decoders raise almost anything
                raise Refused(
                    f"is damaged at frame {number}, counted from 0 ({first_line(error)})", "repair it"
                ) from error
            times.append(times[-1] + float(Fraction(file.info.get("duration", 0)) * _MILLISECOND / tick))
            yield f"frame {number}", pixels

    clip = gathered(frames(), first)
    return clip, steady_rate(times, tick)


def _of_folder(folder: Path, convert: bool, first: int | None) -> np.ndarray:
    files = picture_files(folder)
    deeper = next((name for name in files.stats if "/" in name), None)
    if deeper is not None:
        raise Refused(f"has pictures in folders of its own ({deeper})", "name one folder of frames")

    def frames() -> Iterator[tuple[str, np.ndarray]]:
        for name in sorted(files.stats, key=_by_numbers):
            try:
                with decoding(files.read(name)) as file:
                    if frame_count(file) > 1:
                        raise Refused(
                            "is animated, but a folder holds one frame a file", "name the file, not the folder"
                        )
                    frame = np.asarray(decoded(file, 3, convert, grey_as_colour=True))
            except Refused as error:
                raise error.error(str(folder / name)) from error
            yield name, frame

    return gathered(frames(), first)


def _by_numbers(name: str) -> tuple[list[str | int], str]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)], name


def _of_mosaic(pixels: np.ndarray, grid: tuple[int, int], first: int | None) -> np.ndarray:
    """The pieces of ``[H, W, 3]``, row by row."""
    rows, columns = grid
    height, width, _ = pixels.shape
    if min(grid) < 1 or height % rows or width % columns:
        raise Refused(
            f"is {height} x {width} (height x width), which {rows} x {columns} frames do not fill",
            "give the numbers of rows and columns that do",
        )
    frames = pixels.reshape(rows, height // rows, columns, width // columns, 3).swapaxes(1, 2)
    frames = frames.reshape(-1, height // rows, width // columns, 3)
    return gathered(((f"frame {number}", frame) for number, frame in enumerate(frames)), first)


def _grid_in_name(path: Path, file: Image.Image) -> tuple[int, int]:
    """Rows and columns of a mosaic whose name says how many frames of which size it holds."""
    named = re.search(r"_(\d+)x(\d+)x(\d+)$", path.stem)
    size = f"is one picture of {file.height} x {file.width} (height x width)"
    named_so = "name it after its frames, their height and their width: NAME_64x128x128.png"
    remedies = "give a video", named_so, "from Python, say mosaic=(rows, columns)"
    if not named:
        raise Refused(f"{size}, but a clip has several frames", *remedies)
    count, height, width = (int(number) for number in named.groups())
    rows, columns = file.height // max(height, 1), file.width // max(width, 1)
    if (rows * height, columns * width, rows * columns) != (file.height, file.width, count):
        raise Refused(f"{size}, but its name says {count} frames of {height} x {width}", *remedies)
    return rows, columns


def _refuse_mosaic(mosaic: tuple[int, int] | None, state: str) -> None:
    if mosaic is not None:
        raise Refused(f"{state}, but a mosaic {mosaic} was asked for, which is one picture", "leave mosaic out")
