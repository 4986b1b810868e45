"""What a person gives to a trained run: pictures, and masks that hide a part of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..apps.masks import squares
from ..checks import InputError, by
from ..data import DataSpec, Fit, ImageSet, from_array, from_npy, read_picture, stretched
from ..data.files import why
from ..data.folder import picture_files
from ..data.picture import Refused, brought, opened
from ..rng import stream

_WHITE = 128
_ROUNDING = 1e-6
"""Of weights in float32, so that 0 is told from what is not."""


class Given(NamedTuple):
    """Pictures as a set, what each was called, and its height and width before it was brought to those of the set."""

    names: list[str]
    images: ImageSet
    sizes: list[tuple[int, int]]


def read_images(paths: Sequence[Path], spec: DataSpec, convert: bool = False, most: int | None = None) -> Given:
    """The pictures at ``paths``, of the size and channels of ``spec``, scaled as it says; the first ``most`` of them.

    A path is a picture, a folder of pictures (in the order of their relative paths), or a ``.npy`` as `tutelage sample`
    writes it. ``convert`` brings pictures of another size, colours or depth to those of ``spec``, as learning does:
    where the data have a ``centre``, it is cut out first. What has the size of ``spec`` is taken to be cut already.

    Names are those of files, numbered where two are alike. Raises ``InputError`` where there is nothing, or something
    that cannot be used.
    """
    names: list[str] = []
    parts: list[np.ndarray] = []
    sizes: list[tuple[int, int]] = []
    for path in paths:
        _check_path(path)
        if path.suffix == ".npy":
            parts.append(_array(path, spec)[:most])
            names += [f"{path.name}[{i}]" for i in range(len(parts[-1]))]
            sizes += [spec.size] * len(parts[-1])
            continue
        files = [path / name for name in picture_files(path).stats] if path.is_dir() else [path]
        for file in files[:most]:
            pixels, size = _picture(file, spec, convert)
            parts.append(pixels[None])
            sizes.append(size)
        names += [str(file.relative_to(path)) if path.is_dir() else file.name for file in files[:most]]
    if len(set(names)) < len(names):  # of several paths
        names = [f"{i} {name}" for i, name in enumerate(names)]
    pixels = np.concatenate(parts)[:most]
    images = from_array(pixels, ", ".join(path.name for path in paths), layout="NCHW")
    return Given(names[:most], stretched(images) if spec.scaling == "per-image" else images, sizes[:most])


def without_hidden(given: Given, mask: Tensor) -> Given:
    """The same pictures with a colour that is seen in them wherever ``mask`` (``[1, 1, height, width]``) hides: what is
    in the hole of a damaged picture has no say in how it is scaled.

    Raises ``InputError`` where pictures are scaled by their ranges and what is seen of one is of one colour.
    """
    seen = mask[0, 0].bool().numpy()
    pixels = given.images.pixels
    first = pixels[..., seen][..., :1, None]
    images = replace(given.images, pixels=np.where(seen, pixels, first))
    return given._replace(images=stretched(images) if images.stretch else images)


def read_mask(text: str, given: Given, seed: int, centre: int | None = None) -> Tensor:
    """The masks of the images ``given``, 1 = observed and 0 = hidden: ``[n or 1, 1, height, width]``.

    ``text`` is ``square:SIZE``, a square of that many pixels at a random place in each image, or the path of a picture
    whose white pixels (of 128 and more) are the hole of all images. It has the size of the images, or that which every
    picture had before: then it is brought to the images' as they were (``centre`` is that of their data), and whatever
    a white pixel has a weight in, also a negative one, is hole.

    Raises ``InputError`` where it is neither, of another size, or hides everything or nothing.
    """
    space = given.images.shape[1], given.images.shape[2]
    kind, colon, size = text.partition(":")
    if kind == "square" and colon:
        if not size.isdecimal():
            raise InputError(f"--mask {text!r} has no size in pixels; write for example square:30")
        return squares(len(given.images), space, int(size), stream(seed, "mask"))
    if not Path(text).is_file():
        raise InputError(
            f"--mask {text!r} is no square:SIZE and no picture; write for example square:30, or name a picture whose "
            "white pixels are the hole"
        )
    pixels = read_picture(text, 1, convert=True)[0]
    if pixels.shape != space:
        _check_mask(text, pixels.shape, given, space)
        pixels = 255 * _reached(pixels >= _WHITE, space, centre)
    seen = torch.from_numpy(pixels < _WHITE)
    if seen.all() or not seen.any():
        raise InputError(
            f"the mask {text} hides {'nothing' if seen.all() else 'everything'}; its white pixels are the hole, and "
            "there need to be some of both: give another"
        )
    return seen.float()[None, None]


def _check_mask(text: str, shape: tuple[int, ...], given: Given, space: tuple[int, int]) -> None:
    """Refuse a mask that would be cut and scaled otherwise than a picture that it lies on."""
    own, *others = sizes = set(given.sizes)
    if sizes != {shape}:
        several = ", since the pictures are of several"
        or_own = several if others else "" if own == space else f", or of the pictures' {by(own)}"
        raise InputError(
            f"the mask {text} is {by(shape)} (height x width) and the images are {by(space)}; give a mask of that "
            f"size{or_own}"
        )


def _reached(hole: np.ndarray, space: tuple[int, int], centre: int | None) -> np.ndarray:
    """Which pixels of ``space`` a hole ``[height, width]`` has a weight in once it is brought there as pictures are.

    The bicubic filter reaches two pixels far, and its weights beyond the first are negative. In float32, since bytes
    would round small ones to none.
    """
    weights = brought(Image.fromarray(hole.astype(np.float32)), Fit(space, 1, enlarge=True, centre=centre))[0]
    return np.abs(weights) > _ROUNDING


def _check_path(path: Path) -> None:
    if not path.exists():
        raise InputError(f"{path} does not exist; give a picture, a folder of pictures, or a .npy")
    if path.suffix.lower() == ".zip" and path.is_file():
        raise InputError(
            f"{path} is a zip, and pictures are needed as files of their own; unpack it and give the folder"
        )


def _array(path: Path, spec: DataSpec) -> np.ndarray:
    pixels = from_npy(path, value_range=spec.value_range).pixels
    _check_shape(str(path), pixels.shape[1:], spec, "resize them")
    return pixels


def _picture(path: Path, spec: DataSpec, convert: bool) -> tuple[np.ndarray, tuple[int, int]]:
    """One picture file as uint8 ``[C, H, W]``, and the height and width that it had."""
    if convert:
        try:
            fit = replace(spec.fit(), convert=True, enlarge=True)
            picture = opened(path.read_bytes(), fit)
            size = picture.height, picture.width
            return brought(picture, replace(fit, centre=None) if size == spec.size else fit), size
        except OSError as error:
            raise InputError(f"{path} cannot be read ({why(error)}); name a picture file") from error
        except Refused as error:
            raise error.error(str(path)) from error
    pixels = read_picture(path, spec.channels)
    cut = "" if spec.centre is None else f", which cuts out the centre of {by((spec.centre,) * 2)} as learning did"
    _check_shape(str(path), pixels.shape, spec, f"resize it, or pass --convert{cut}")
    return pixels, spec.size


def _check_shape(name: str, shape: tuple[int, ...], spec: DataSpec, remedy: str) -> None:
    if shape != (spec.channels, *spec.size):
        raise InputError(
            f"{name} is {by(shape)} (channels x height x width) and this run knows images of "
            f"{by((spec.channels, *spec.size))}; {remedy}"
        )
