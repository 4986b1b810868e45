"""A set of images, kept as it was stored: unsigned bytes ``[N, C, H, W]``, or of videos, ``[N, C, T, H, W]``.

Floats exist only one batch at a time, in the range the networks use:

    x = 2 · byte / 255 − 1,   so 0 → −1 and 255 → 1,

or, in a set that is stretched, with the range of each image (over its channels together) made the whole range:

    x = 2 · (byte − min) / (max − min) − 1,   so min → −1 and max → 1.

The bytes stay in a memory-mapped file wherever they came from one, so opening a set costs neither time nor memory.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..checks import InputError

_ROWS = 1024  # images looked at together


def to_uint8(images: Tensor) -> Tensor:
    """Floats in [−1, 1] (clipped) as bytes, rounded; uint8 passes unchanged. NaN becomes 0.

    Raises:
        InputError: ``images`` are neither floats nor uint8.
    """
    if images.dtype == torch.uint8:
        return images
    if not images.is_floating_point():
        raise InputError(
            f"images of {images.dtype} are given, floats in [-1, 1] or uint8 are needed; convert them first"
        )
    levels = (images.detach().float().clamp(-1, 1) + 1) * 127.5
    return torch.nan_to_num(levels, nan=0.0).round().to(torch.uint8)


def from_uint8(pixels: Tensor) -> Tensor:
    """Bytes as float32 in [−1, 1]: new memory, on the same device."""
    # 255 / 127.5 is exact, so the brightest byte becomes exactly 1
    return pixels.to(torch.float32).div_(127.5).sub_(1.0)


def stretch_uint8(pixels: Tensor) -> Tensor:
    """Bytes ``[B, ...]`` as float32 in which the range of each of the B is [−1, 1]: new memory, on the same device.

    None of them may be of one value; it would have no range.
    """
    values = pixels.to(torch.float32)
    others = tuple(range(1, values.ndim))
    darkest = values.amin(others, keepdim=True)
    spread = values.amax(others, keepdim=True) - darkest
    # the brightest byte becomes exactly 1: a number divided by itself
    return values.sub_(darkest).div_(spread).mul_(2.0).sub_(1.0)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images as bytes, and where they came from.

    Args:
        pixels: uint8 ``[N, C, *space]`` with C = 1 or 3 and N ≥ 1; a read-only memory map where it came from a file.
            The array is not copied; the set holds a read-only view of it.
        name: what the set is called in reports, for example ``mnist train``.
        source: the file or folder it was made from, for people to read.
        sha256: hexadecimal digest of the bytes it was made from.
        stretch: whether batches stretch each image to the whole range (see `stretched`).
        fps: of videos, frames per second, where their source says so.

    Raises:
        InputError: ``pixels`` is not uint8 ``[N, 1 or 3, H, W]`` or ``[N, 1 or 3, T, H, W]``, or is empty.
    """

    pixels: np.ndarray = field(repr=False)
    name: str
    source: str
    sha256: str
    stretch: bool = False
    fps: float | None = None

    def __post_init__(self) -> None:
        given = self.pixels
        if given.dtype != np.uint8 or given.ndim not in (4, 5) or given.shape[1] not in (1, 3):
            raise InputError(
                f"the images of {self.name!r} are {given.dtype} {list(given.shape)}, but a set holds uint8 "
                "[N, C, H, W] (videos: [N, C, T, H, W]) with C = 1 or 3; convert with tutelage.data.from_array"
            )
        if given.size == 0:
            raise InputError(f"{self.name!r} holds no images (shape {list(given.shape)}); give at least one")
        view = given.view()
        view.flags.writeable = False
        object.__setattr__(self, "pixels", view)

    def __len__(self) -> int:
        return self.pixels.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """``(C, *space)`` of one image."""
        return self.pixels.shape[1:]

    def batch(self, indices: Tensor | np.ndarray | slice, device: torch.device | str = "cpu") -> Tensor:
        """The images at ``indices`` as float32 ``[B, C, *space]`` in [−1, 1], on ``device``.

        Bytes, not floats, travel to the device. The result is new memory: writing into it leaves the set as it was.
        """
        if isinstance(indices, Tensor):
            indices = indices.cpu().numpy()
        chosen = np.array(self.pixels[indices], order="C")
        if self.stretch:
            return stretch_uint8(torch.from_numpy(chosen).to(device))
        return from_uint8(torch.from_numpy(chosen).to(device))

    def subset(self, start: int, stop: int, name: str) -> ImageSet:
        """Images ``start`` … ``stop − 1`` as a set of its own: a view, no copy.

        Source and digest stay those of the whole.

        Raises:
            InputError: unless 0 ≤ start < stop ≤ N.
        """
        if not 0 <= start < stop <= len(self):
            raise InputError(
                f"images {start} to {stop} were asked of {self.name!r}, which has {len(self)}; "
                f"give 0 <= start < stop <= {len(self)}"
            )
        return replace(self, pixels=self.pixels[start:stop], name=name)


@dataclass(frozen=True)
class Splits:
    """What one learns from, chooses by, and reports on. The last two may be missing."""

    train: ImageSet
    validation: ImageSet | None = None
    test: ImageSet | None = None

    def __post_init__(self) -> None:
        for other in (self.validation, self.test):
            if other is not None and other.shape != self.train.shape:
                raise InputError(
                    f"images of {self.train.name!r} have shape {list(self.train.shape)} but those of {other.name!r} "
                    f"{list(other.shape)}; the splits of one data set must agree, so give files of one size"
                )


def holding_out(splits: Splits, count: int) -> Splits:
    """The last ``count`` training images as test images: views, with digests of their own.

    Raises:
        InputError: some are held out already, or there are no more than these.
    """
    whole = splits.train
    if splits.validation is not None or splits.test is not None:
        raise InputError(f"{whole.source} holds images out already; leave out data.held_out (--held-out)")
    if count >= len(whole):
        raise InputError(f"{count} of {len(whole)} images were to be held out of {whole.source}; hold out fewer")
    bounds = {whole.name: (0, len(whole) - count), f"{whole.name} held out": (len(whole) - count, len(whole))}
    train, test = (
        replace(whole.subset(*part, name), sha256=hashlib.sha256(f"{whole.sha256} {part}".encode()).hexdigest())
        for name, part in bounds.items()
    )
    return Splits(train, None, test)


def stretched(images: ImageSet) -> ImageSet:
    """The same bytes, whose batches stretch each image to [−1, 1]. Every image is looked at once.

    Raises:
        InputError: an image is of one colour, so that it has no range to stretch.
    """
    for start in range(0, len(images), _ROWS):
        part = images.pixels[start : start + _ROWS]
        sides = tuple(range(1, part.ndim))
        flat = part.min(sides) == part.max(sides)
        if flat.any():
            raise InputError(
                f"image {start + int(flat.argmax())} of {images.name!r} is of one colour, but per-image scaling needs "
                "a darkest and a brightest value; remove it, or choose --set data.scaling=global"
            )
    return replace(images, stretch=True)


def file_digest(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read as a stream."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
