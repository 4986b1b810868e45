"""The bundled sample: 1797 real handwritten digits, 8 × 8 pixels with 17 grey levels, free to redistribute.

Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0
(``digits/LICENSE.txt``). They lie in the package as one PNG mosaic, 45 in a row, grey level g stored as 15 g, and a
text file with their labels, so nothing of the original is lost.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from importlib.resources import files

import numpy as np
from PIL import Image

from ..checks import InputError
from .images import ImageSet, Splits

TRAIN, VALIDATION, TEST = 1500, 147, 150

_COUNT, _SIDE, _COLUMNS, _STEP, _WHITE = 1797, 8, 45, 15, 16
_FILL = 24 / 28  # part of the shorter side that the digit's 8 x 8 box takes up


def digits(size: tuple[int, int] = (28, 28)) -> Splits:
    """The bundled digits, white on black, as ``[1, *size]``: 1500 to train, 147 to validate, 150 to test.

    The 8 × 8 box is enlarged by Pillow's bicubic filter to 24 of 28 pixels of the shorter side and centred, which
    leaves a margin of paper; what the filter overshoots is clipped, so paper is exactly 0. The file is ordered by
    writer: the three sets are cut from one fixed permutation of it, the same on every machine, so that writers mix.

    Raises:
        InputError: a size below 1.
    """
    if len(size) != 2 or min(size) < 1:
        raise InputError(f"the size {size} was asked of the bundled digits; give a height and a width of at least 1")
    pixels, sha256 = _enlarged(tuple(size))
    whole = ImageSet(pixels, "digits", "bundled digits (UCI Optical Recognition of Handwritten Digits)", sha256)
    return Splits(
        train=whole.subset(0, TRAIN, "digits train"),
        validation=whole.subset(TRAIN, TRAIN + VALIDATION, "digits validation"),
        test=whole.subset(TRAIN + VALIDATION, _COUNT, "digits test"),
    )


def digit_labels() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The digits' classes 0 … 9 as uint8 ``[1500]``, ``[147]`` and ``[150]``, in the order of `digits`."""
    text = files("tutelage.data").joinpath("digits", "labels.txt").read_text(encoding="ascii")
    values = np.array([int(character) for character in text if character.isdecimal()], np.uint8)[_order()]
    return values[:TRAIN], values[TRAIN : TRAIN + VALIDATION], values[TRAIN + VALIDATION :]


def original_digits() -> np.ndarray:
    """The digits as published: uint8 ``[1797, 8, 8]``, grey levels 0 … 16, in the order of the file."""
    with files("tutelage.data").joinpath("digits", "digits.png").open("rb") as file, Image.open(file) as picture:
        mosaic = np.asarray(picture)
    rows = mosaic.shape[0] // _SIDE
    tiles = mosaic.reshape(rows, _SIDE, _COLUMNS, _SIDE).swapaxes(1, 2).reshape(-1, _SIDE, _SIDE)
    return tiles[:_COUNT] // _STEP


@lru_cache(maxsize=2)
def _enlarged(size: tuple[int, int]) -> tuple[np.ndarray, str]:
    """All digits ``[1797, 1, *size]`` in the order of the splits, and the digest of the originals."""
    height, width = size
    originals = original_digits()
    scale = _FILL * min(size) / _SIDE  # pixels of the result per pixel of the original
    # the part of the plane that the result shows, in pixels of the original, inside a border of paper
    shown_width, shown_height = width / scale, height / scale
    border = math.ceil((max(shown_width, shown_height) - _SIDE) / 2) + 2
    middle = border + _SIDE / 2
    window = (
        middle - shown_width / 2,
        middle - shown_height / 2,
        middle + shown_width / 2,
        middle + shown_height / 2,
    )
    pixels = np.empty((_COUNT, 1, height, width), np.uint8)
    for position, index in enumerate(_order()):
        framed = Image.fromarray(np.pad(originals[index], border).astype(np.float32))
        large = np.asarray(framed.resize((width, height), Image.Resampling.BICUBIC, box=window))
        pixels[position, 0] = np.clip(np.rint(large * (255 / _WHITE)), 0, 255)
    return pixels, hashlib.sha256(originals.tobytes()).hexdigest()


def _order() -> list[int]:
    """A permutation that depends on no random generator, so no version of any library can change it."""
    return sorted(range(_COUNT), key=lambda index: hashlib.sha256(f"digits/{index}".encode()).digest())
