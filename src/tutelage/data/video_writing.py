"""Frames become a file that moves, or one picture of a few of them.

A GIF has 256 colours, chosen for all frames together, so that what stands still does not flicker; a clip of no more
colours keeps them. A WebP is lossless, and so larger. Both show every frame, also one that equals the frame before it,
for round((i + 1) · c / fps) − round(i · c / fps) ticks of their clocks (c = 100 and 1000 a second), and begin again at
the end. An mp4 is smaller and less exact (`video_codec`).
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import GifImagePlugin, Image

from ..atomic import atomic_write
from ..checks import InputError
from .clip import check_frames, check_rate
from .picture import Refused
from .video_codec import codec, encode

_GIF_CLOCK, _WEBP_CLOCK = 100, 1000  # ticks a second
GIF_FASTEST = 50  # viewers show anything faster at 10 frames per second
_GAP, _GREY = 2, 128  # between the frames of a contact sheet


def write(path: Path | str, frames: np.ndarray, fps: float = 25.0) -> None:
    """Write frames uint8 ``[T, H, W, 3]`` as .mp4, .gif or .webp, whole or not at all; missing folders are made.

    An mp4 has even sides: of an odd one the last row or column is repeated.

    Raises:
        InputError: another ending, no such frames, a rate that is not positive or too fast for the format, the disk is
            full or read-only, or PyAV is needed (.mp4) and missing.
    """
    path = Path(path)
    check_frames(frames)
    check_writable(path, fps)
    match path.suffix.lower():
        case ".mp4":
            content = encode(frames, fps)
        case ".gif":
            content = _gif(frames, _ticks(len(frames), _GIF_CLOCK, fps))
        case _:
            content = _webp(frames, _ticks(len(frames), _WEBP_CLOCK, fps))
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content)


def check_writable(path: Path, fps: float) -> None:
    """Raises ``InputError`` as `write` does of anything but the frames, before there are any; nothing is written."""
    check_rate(fps)
    match path.suffix.lower():
        case ".mp4":
            try:
                codec()
            except Refused as error:
                raise error.error(str(path)) from error
        case ".gif":
            _refuse_faster(fps, GIF_FASTEST, "GIF")
        case ".webp":
            _refuse_faster(fps, _WEBP_CLOCK, "WebP")
        case _:
            raise InputError(f"{path} ends in {path.suffix!r}; give a name that ends in .mp4, .gif or .webp")


def contact_sheet(frames: np.ndarray, columns: int) -> Image.Image:
    """``columns`` evenly spaced frames of uint8 ``[T, H, W, 3]`` side by side, the first and the last among them.

    A clip that has no more frames than that is shown whole.

    Raises:
        InputError: no such frames, or fewer than 2 columns.
    """
    check_frames(frames)
    if columns < 2:
        raise InputError(f"{columns} columns were asked for; the first and the last frame need at least 2")
    chosen = np.linspace(0, len(frames) - 1, min(columns, len(frames))).round().astype(int)
    gap = np.full((frames.shape[1], _GAP, 3), _GREY, np.uint8)
    strips = [strip for number in chosen for strip in (gap, frames[number])]
    return Image.fromarray(np.concatenate(strips[1:], axis=1))


def _refuse_faster(fps: float, most: int, kind: str) -> None:
    if fps > most:
        raise InputError(f"a {kind} shows at most {most} frames per second, but {fps:g} were asked for; write an .mp4")


def _ticks(count: int, clock: int, fps: float) -> list[int]:
    """For how many ticks each frame is shown, so that no rounding adds up."""
    return np.diff((np.arange(count + 1) * clock / fps).round()).astype(int).tolist()


def _gif(frames: np.ndarray, ticks: list[int]) -> bytes:
    count, height, width, _ = frames.shape
    # all frames as one tall picture have one palette; without dithering, which would flicker
    tall = Image.fromarray(frames.reshape(count * height, width, 3)).quantize(256)
    pictures = [tall.crop((0, top, width, top + height)) for top in range(0, count * height, height)]
    header, _ = GifImagePlugin.getheader(pictures[0], info={"loop": 0})
    # frame by frame, since Image.save leaves out a frame that equals the one before it
    shown = [GifImagePlugin.getdata(picture, duration=10 * n) for picture, n in zip(pictures, ticks, strict=True)]
    return b"".join([*header, *(part for parts in shown for part in parts), b";"])


def _webp(frames: np.ndarray, ticks: list[int]) -> bytes:
    """The container of https://developers.google.com/speed/webp/docs/riff_container around one still WebP a frame.

    Image.save would leave out a frame that equals the one before it.
    """
    _, height, width, _ = frames.shape
    size = _number(width - 1, 3) + _number(height - 1, 3)
    parts = [_chunk(b"VP8X", bytes([0b10, 0, 0, 0]) + size), _chunk(b"ANIM", bytes(4) + _number(0, 2))]
    for pixels, shown in zip(frames, ticks, strict=True):
        still = io.BytesIO()
        Image.fromarray(pixels).save(still, "WEBP", lossless=True)
        place, no_blending = bytes(6), bytes([0b10])
        parts.append(_chunk(b"ANMF", place + size + _number(shown, 3) + no_blending + still.getvalue()[12:]))
    return _chunk(b"RIFF", b"WEBP" + b"".join(parts))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + _number(len(content), 4) + content  # of even length, so that no filling is due


def _number(value: int, length: int) -> bytes:
    return value.to_bytes(length, "little")
