"""Images from a NumPy array or a ``.npy`` file.

Bytes are taken as they are. Floats are rounded to the nearest of 256 grey levels between the two ends of
``value_range``, which the caller names; it is never guessed from the values.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from ..checks import InputError, first_line
from .cache import Kept, Key, cached_with_notes
from .images import ImageSet, file_digest

Layout = Literal["auto", "NHWC", "NCHW"]

_ROWS = 256  # images looked at together: a float copy of the whole set never exists


def from_array(
    array: np.ndarray | torch.Tensor,
    name: str = "array",
    *,
    value_range: tuple[float, float] = (-1.0, 1.0),
    layout: Layout = "auto",
) -> ImageSet:
    """An array, or a tensor, of images as an `ImageSet`.

    Args:
        array: ``[N, H, W]`` (grey), ``[N, H, W, C]`` or ``[N, C, H, W]`` with C = 1 or 3; uint8, or floats. A uint8
            array is not copied, so it must not be written to afterwards.
        name: what the set is called in reports.
        value_range: for floats only, the values that mean black and white, (−1, 1) unless given; pass (0, 1) for images
            in [0, 1]. A value x is stored as round(255 · (x − low) / (high − low)).
        layout: where the channels are in an array of four dimensions, needed only when both readings are possible.

    Raises:
        InputError: another type or shape, an ambiguous layout, no images, NaN or infinity, or a value outside
            ``value_range``.

    Warns:
        UserWarning: nothing is darker than the middle of a range that starts below 0, as happens when images in [0, 1]
            are read with the default range.
    """
    pixels_given = array.detach().cpu().numpy() if isinstance(array, torch.Tensor) else array
    planes = _channels_first(pixels_given, name, layout)
    digest = hashlib.sha256(f"{planes.dtype} {planes.shape}".encode())
    for part in _parts(planes):
        digest.update(np.ascontiguousarray(part).data)
    if planes.dtype != np.uint8:
        pixels = np.empty(planes.shape, np.uint8)
        _tell(name, _quantise(planes, pixels, name, value_range))
        planes = pixels
    return ImageSet(planes, name, "a NumPy array", digest.hexdigest())


def from_npy(
    path: Path | str,
    *,
    value_range: tuple[float, float] = (-1.0, 1.0),
    layout: Layout = "auto",
    cache: Path | str | None = None,
) -> ImageSet:
    """The array in a ``.npy`` file, as for `from_array`, memory-mapped.

    Bytes are mapped from the file itself, floats from their rounded copy in the cache.

    Raises:
        InputError: as `from_array`, or the file is no readable ``.npy`` file, or it holds Python objects.

    Warns:
        UserWarning: as `from_array`, whether the copy is made now or was before.
    """
    path = Path(path)
    name = path.name
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"PK"
        array = None if zipped else np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # on damaged bytes NumPy raises almost anything
        raise InputError(
            f"{path} cannot be read as a NumPy array ({first_line(error)}); save one with numpy.save, of numbers only"
        ) from error
    if array is None:
        raise InputError(f"{path} is an archive of several arrays; save the images alone with numpy.save as .npy")
    planes = _channels_first(array, name, layout)
    sha256 = file_digest(path)
    if planes.dtype == np.uint8:
        return ImageSet(planes, name, str(path), sha256)
    key = Key(
        name=path.stem,
        source=str(path),
        sha256=sha256,
        size=path.stat().st_size,
        transforms=(f"layout {layout}", f"{value_range[0]} .. {value_range[1]} rounded to 0 .. 255"),
        shape=planes.shape,
    )

    def fill(pixels: np.ndarray) -> Kept:
        return Kept(len(pixels), _quantise(planes, pixels, name, value_range))

    pixels, notes = cached_with_notes(key, fill, cache)
    _tell(name, notes)
    return ImageSet(pixels, name, str(path), sha256)


def _channels_first(array: np.ndarray, name: str, layout: Layout) -> np.ndarray:
    """A view ``[N, C, H, W]`` of an array in any accepted form."""
    given = f"{name!r} is {array.dtype} {list(array.shape)}"
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise InputError(f"{given}; images are needed as uint8, or as floats, so {_bytes_of(array.dtype)}")
    if array.ndim not in (3, 4):
        raise InputError(f"{given}; images are needed as [N, H, W], [N, H, W, C] or [N, C, H, W], so reshape them")
    if array.size == 0:
        raise InputError(f"{given}, which holds no images; give at least one")
    if array.ndim == 3:
        return array[:, None]
    first, last = array.shape[1] in (1, 3), array.shape[3] in (1, 3)
    if layout == "auto":
        if first and last:
            raise InputError(
                f"{given}, which can be read as [N, C, H, W] and as [N, H, W, C]; pass layout='NCHW' or 'NHWC'"
            )
        layout = "NCHW" if first else "NHWC"
    if not (first if layout == "NCHW" else last):
        raise InputError(f"{given}; 1 or 3 channels are needed, second or last (layout {layout}), so reshape it")
    return array if layout == "NCHW" else array.transpose(0, 3, 1, 2)


def _bytes_of(kind: np.dtype) -> str:
    """How an array of another kind becomes bytes; ``astype`` alone would make it black, or wrap round."""
    if kind == np.bool_:
        return "convert it with 255 * array.astype('uint8')"
    if kind.kind not in "iu":
        return "convert it first"
    deep = " (divide by 257 where 65535 is white)" if kind == np.uint16 else ""
    return f"bring its values to 0 to 255{deep} and convert it with .astype('uint8')"


def _quantise(planes: np.ndarray, pixels: np.ndarray, name: str, value_range: tuple[float, float]) -> tuple[str, ...]:
    """Write ``planes`` as bytes into ``pixels``, having looked at every value; what there is to say of them."""
    low, high = value_range
    if not low < high:
        raise InputError(f"the value range is {value_range}; give the value of black, then a larger one for white")
    _refuse_non_finite(planes, name)
    smallest = min(float(part.min()) for part in _parts(planes))
    largest = max(float(part.max()) for part in _parts(planes))
    slack = 1e-6 * (high - low)
    if smallest < low - slack or largest > high + slack:
        raise InputError(
            f"{name!r} has values from {smallest:.6g} to {largest:.6g}, but its value range is {low:g} to {high:g}; "
            "pass value_range=(black, white), which `tutelage train` takes as --set data.value_range=[BLACK,WHITE], or "
            "rescale the array"
        )
    for source, target in zip(_parts(planes), _parts(pixels), strict=True):
        scaled = (source.astype(np.float64) - low) * (255 / (high - low))
        target[...] = np.clip(np.rint(scaled), 0, 255)
    if not low < 0 <= smallest:
        return ()
    return (
        f"has no value below 0 in the value range {low:g} to {high:g}; if its images lie in [0, 1], pass "
        "value_range=(0, 1), which `tutelage train` takes as --set data.value_range=[0,1]",
    )


def _tell(name: str, notes: tuple[str, ...]) -> None:
    for note in notes:
        warnings.warn(f"{name!r} {note}", stacklevel=3)


def _refuse_non_finite(planes: np.ndarray, name: str) -> None:
    count, where = 0, None
    for number, part in enumerate(_parts(planes)):
        bad = ~np.isfinite(part)
        if where is None and bad.any():
            image, channel, row, column = (int(i) for i in np.argwhere(bad)[0])
            where = f"image {number * _ROWS + image}, channel {channel}, row {row}, column {column}"
        count += int(bad.sum())
    if count:
        raise InputError(
            f"{name!r} has {count} values that are NaN or infinite, the first in {where}; images must be finite, "
            "so repair or remove them"
        )


def _parts(array: np.ndarray) -> Iterator[np.ndarray]:
    return (array[start : start + _ROWS] for start in range(0, len(array), _ROWS))
