"""One picture as a set: whole, or cut into many pieces at random places.

The places are drawn from a seed of their own, so the same picture gives the same crops in every run:

    row ~ U{0, …, H − h},   column ~ U{0, …, W − w}.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..checks import InputError
from ..rng import stream
from .cache import Kept, Key, cached_with_notes
from .files import why
from .images import ImageSet
from .picture import Fit, Refused, covering, fitted, opened, planes

_SEED = 0


def single_image(
    path: Path | str,
    fit: Fit,
    *,
    crops: int = 0,
    shorter: int | None = None,
    cache: Path | str | None = None,
) -> ImageSet:
    """One picture file as ``[1, channels, *size]``, or ``crops`` pieces of it as ``[crops, channels, *size]``.

    Args:
        path: a picture in any format of `tutelage.data.picture.FORMATS`, whatever the file is called.
        fit: what the picture is brought to. Whole, it is resized and cut like one of a folder; crops are cut from it
            in its own size, or in the size to which ``shorter`` or ``enlarge`` brings it.
        crops: how many pieces, or 0 for the whole picture.
        shorter: length of the picture's shorter side when it is cut; a texture's element should fit into a piece
            several times. None: the picture keeps its size, as does one that is smaller already.
        cache: see `tutelage.data.cache.cache_folder`.

    Raises:
        InputError: the file is missing, the picture is refused (see `picture`), all of it is of one colour,
            ``crops`` is negative, or ``fit`` asks for a centre, which only many pictures have cut out.
    """
    path = Path(path)
    if fit.centre is not None:
        raise InputError(
            f"a centre of {fit.centre} pixels was asked of one picture, {path}; give one that is cut already, and no "
            "centre"
        )
    if crops < 0:
        raise InputError(f"{crops} crops were asked for; give 0 for the whole picture, or the number of crops")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({why(error)}); name a picture file") from error
    sha256 = hashlib.sha256(content).hexdigest()
    key = Key(
        name="crops" if crops else "image",
        source=str(path),
        sha256=sha256,
        size=len(content),
        transforms=(
            *fit.words(),
            *((f"{crops} crops instead, seed {_SEED}",) if crops else ()),
            *((f"shorter side {shorter}",) if crops and shorter else ()),
        ),
        shape=(max(crops, 1), fit.channels, *fit.size),
    )

    def fill(pixels: np.ndarray) -> Kept:
        try:
            picture = opened(content, fit)
            if all(low == high for low, high in _ranges(planes(picture))):
                raise Refused("is of one colour, but a picture with something to learn is needed", "give another")
            if crops:
                _cut(planes(covering(_shrunk(picture, shorter), fit)), pixels)
            else:
                pixels[0] = fitted(content, fit)
            return Kept(len(pixels), _said_of_small(picture, fit))
        except Refused as error:
            raise error.alone(str(path)) from error

    pixels, notes = cached_with_notes(key, fill, cache)
    for note in notes:
        warnings.warn(f"{path} {note}", stacklevel=2)
    return ImageSet(pixels, path.name, str(path), sha256)


def read_picture(path: Path | str, channels: int, shorter: int | None = None, convert: bool = False) -> np.ndarray:
    """One picture file as uint8 ``[channels, H, W]`` in its own size, or with its shorter side brought to ``shorter``.

    Pictures that are smaller already keep their size. ``convert`` as in `tutelage.data.picture.Fit`.

    Raises:
        InputError: the file is missing, or the picture is refused (see `picture`).
    """
    path = Path(path)
    try:
        return planes(_shrunk(opened(path.read_bytes(), Fit((1, 1), channels, convert)), shorter)).copy()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({why(error)}); name a picture file") from error
    except Refused as error:
        raise error.alone(str(path)) from error


def _said_of_small(picture: Image.Image, fit: Fit) -> tuple[str, ...]:
    """What to say where a picture is enlarged by more than a quarter of its size: there is little to learn in it."""
    height, width = fit.size
    if not fit.enlarge or 5 * min(picture.height / height, picture.width / width) >= 4:
        return ()
    return (
        f"is {picture.height} x {picture.width} (height x width) and is enlarged to {height} x {width}; a larger "
        "picture has finer things to learn",
    )


def _shrunk(picture: Image.Image, shorter: int | None) -> Image.Image:
    """The picture with a shorter side of ``shorter`` pixels, where it is longer now."""
    if shorter is None or min(picture.size) <= shorter:
        return picture
    factor = shorter / min(picture.size)
    width, height = (max(shorter, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def _ranges(whole: np.ndarray) -> list[tuple[int, int]]:
    return [(int(channel.min()), int(channel.max())) for channel in whole]


def _cut(whole: np.ndarray, pixels: np.ndarray) -> None:
    """Fill ``pixels`` ``[crops, C, h, w]`` from the picture ``[C, H, W]``."""
    crops, _, height, width = pixels.shape
    rng = stream(_SEED, "crops")
    last_row, last_column = whole.shape[1] - height, whole.shape[2] - width
    rows = torch.randint(0, last_row + 1, (crops,), generator=rng).tolist()
    columns = torch.randint(0, last_column + 1, (crops,), generator=rng).tolist()
    for target, row, column in zip(pixels, rows, columns, strict=True):
        target[...] = whole[:, row : row + height, column : column + width]
