r"""Potentials of large images, made of a potential of patches (IGM §3.4, eq. 15).

    p_T(I) ∝ Π_t Π_ij g_t(x(i, j)) p_0⁻(x(i, j))        x(i, j): the patch of I at (i, j)

read here as one p_0(I): a p_0 per patch and round would count a pixel as often as patches cover it. So

    ln p_T(I) = Σ_t Σ_ij ln g_t(x(i, j)) + ln p_0(I) + constant

A network that has learned patches of one size gives every larger image a potential: the sum over its
patches, at places that are given (``Patches``), drawn afresh before each step (``RandomPatches``), or
all of them (``AllPatches``). The potential of a patch is the logit ``ln g_t`` of eq. (11), or the
``LogProbability`` made of it.

A network whose layers look beyond a patch (padding, batch statistics) sees each patch as an image of its
own. Pixels near the border lie in fewer patches than others: pad a picture on each side, and cut the padding
off the result (§4.1). Half a patch leaves the edge in half as many as the middle, each way; a patch less a
pixel treats all alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import InputError, by
from ..gradient import prepared
from ..types import Evaluation, Images, Potential, Prepared, Scored, Scores
from .compose import PreparedOnce, scored

Place: TypeAlias = tuple[int, int, int]
"""Which image of the batch, and the row and column of the patch's first pixel."""


class Index(NamedTuple):
    """Where the pixels of N patches of ``(h, w)`` lie, as advanced indexing takes it, on the device of the images."""

    image: Tensor
    """``[N, 1, 1]``."""
    rows: Tensor
    """``[N, h, 1]``."""
    columns: Tensor
    """``[N, 1, w]``."""


Places: TypeAlias = Sequence[Place] | Index
"""Slices are faster on a CPU; elsewhere each would be a launch of its own."""

CHUNK = 512
"""Patches evaluated together, unless another number is given."""


@dataclass(frozen=True, eq=False)
class Patches:
    """``f(I) = Σ_k potential(patch k of I)`` over patches at fixed places (IGM eq. 15).

    ``potential`` maps patches ``[N, C, h, w]`` to ``[N]``; ``size`` is ``(h, w)``. ``corners`` ``[B, K, 2]``,
    whole numbers on the CPU: the row and column of the first pixel of each of the K patches of an image.
    With ``mean``, the mean over an image's patches takes the place of the sum (for style transfer, §4.2). At most
    ``chunk`` patches are evaluated together, which bounds the memory and changes nothing else.

    The images are ``[B, C, H, W]``. Prepared, it answers with ``aux = Scored``: the logits ``[B, K]`` of the
    patches (those that the potential tells of, else its values) and how many patches cover each pixel,
    ``[B, 1, H, W]``. Sampling should use the prepared form: to differentiate a call with respect to the images is
    right, but slow where there are many patches.

    Raises ``InputError`` for sizes, corners and chunks that cannot be, and on images that the patches do not fit.
    """

    potential: Potential
    size: tuple[int, int]
    corners: Tensor
    mean: bool = False
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        _check_size(self.size, self.chunk)
        corners = self.corners
        if corners.ndim != 3 or corners.shape[1] == 0 or corners.shape[2] != 2 or not _whole(corners):
            raise InputError(
                f"the corners are {corners.dtype} {list(corners.shape)}; they need to be whole numbers [B, K, 2], K at "
                "least 1: the row and column where each of an image's K patches begins"
            )

    def __call__(self, images: Images) -> Scores:
        places = self._places(images)
        return self._total(
            torch.cat([self.potential(gather(images, some, self.size)) for some in _chunks(places, self.chunk)])
        )

    def prepare(self) -> Prepared:
        """A snapshot that asks the potential for its own fast gradient, chunk by chunk."""
        inner = prepared(self.potential)

        def evaluate(images: Images) -> Evaluation:
            images, places = images.detach(), self._places(images)
            channels, one = images.shape[1], images.new_ones(1, 1, 1, 1)
            sums = images.new_zeros(len(images), channels + 1, *images.shape[2:])  # of gradients, and of patches
            values, logits = [], []
            for some in _chunks(places, self.chunk):
                value, up, aux = inner(gather(images, some, self.size))
                scatter(sums, torch.cat([up, one.expand(len(up), 1, *self.size)], 1), some, self.size)
                values.append(value)
                logits.append(scored(value, aux).logits[:, 0])
            gradient, coverage = sums.split([channels, 1], 1)
            if self.mean:
                gradient = gradient / self.corners.shape[1]
            by_image = torch.cat(logits).view(self.corners.shape[:2])
            return Evaluation(self._total(torch.cat(values)), gradient, Scored(by_image, coverage))

        return evaluate

    def _total(self, values: Tensor) -> Scores:
        by_image = values.view(self.corners.shape[:2])
        return by_image.mean(1) if self.mean else by_image.sum(1)

    def _places(self, images: Images) -> Places:
        """Every patch of every image, image by image. Raises ``InputError`` where they do not fit."""
        rows, columns = _rows_and_columns(images, self.size)
        if len(images) != len(self.corners):
            raise InputError(
                f"{len(images)} images were given for the corners of {len(self.corners)}; give corners [B, K, 2] for "
                "the images of one batch"
            )
        least, most = self.corners.amin((0, 1)).tolist(), self.corners.amax((0, 1)).tolist()
        if min(least) < 0 or most[0] >= rows or most[1] >= columns:
            raise InputError(
                f"the corners lie in {least} to {most}; patches of {by(self.size)} in images of "
                f"{by(images.shape[2:])} need corners from [0, 0] to {[rows - 1, columns - 1]}"
            )
        image = torch.arange(len(images)).repeat_interleave(self.corners.shape[1])
        row, column = self.corners.flatten(0, 1).unbind(1)
        return places_in(images, image, row, column, self.size)


@dataclass(frozen=True, eq=False)
class RandomPatches:
    """``per_image`` patches of every image, at places drawn afresh before each step (IGM §3.4, last paragraph).

    A `RandomEnergy` in form, though it is a potential: ``RandomTilt`` takes it. Places are uniform over all that lie
    inside the image, with replacement; the sum over them is not scaled up to that over all. The paper draws
    patches over the images and their places together (1000 of 100 images, §4.1); here every image gets the same
    number, so that no chain depends on the others of its batch.

    ``potential``, ``size``, ``mean`` and ``chunk`` are those of ``Patches``. The potential is prepared once, for all
    draws: after its weights have changed, make new random patches.

    Raises ``InputError`` for sizes and counts that cannot be, and on images smaller than a patch.
    """

    potential: Potential
    size: tuple[int, int]
    per_image: int
    mean: bool = False
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        _check_size(self.size, self.chunk)
        if self.per_image < 1:
            raise InputError(f"per_image is {self.per_image}; an image needs 1 patch or more")

    @cached_property
    def _once(self) -> PreparedOnce:
        return PreparedOnce(self.potential)

    def draw(self, position: Images, rng: torch.Generator, /) -> Patches:
        """Fresh places in images like ``position`` ``[B, C, H, W]``."""
        rows, columns = _rows_and_columns(position, self.size)
        shape = (len(position), self.per_image)
        place = torch.randint(rows * columns, shape, generator=rng, device=rng.device).cpu()
        corners = torch.stack([place // columns, place % columns], 2)
        return Patches(self._once, self.size, corners, self.mean, self.chunk)


@dataclass(frozen=True, eq=False)
class AllPatches:
    """The patches of an image on a grid that covers it: all of them with ``stride`` 1 (IGM eq. 15).

    ``stride`` is the step between neighbours, down and along; the last row and column of places always belong to
    the grid, so that every pixel is covered. ``potential``, ``size``, ``mean`` and ``chunk`` are those of ``Patches``,
    and so is what the prepared form tells. Images may have any size that a patch fits.

    Raises ``InputError`` for sizes and strides that cannot be, and on images smaller than a patch.
    """

    potential: Potential
    size: tuple[int, int]
    stride: int = 1
    mean: bool = False
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        _check_size(self.size, self.chunk)
        if not 1 <= self.stride <= min(self.size):
            raise InputError(
                f"stride is {self.stride}; patches of {by(self.size)} need a stride from 1 to {min(self.size)} to "
                "leave no pixel out"
            )

    def __call__(self, images: Images) -> Scores:
        return self._over(self.potential, images)(images)

    def prepare(self) -> Prepared:
        """A snapshot for images of any size."""
        inner = PreparedOnce(self.potential)
        inner.prepare()  # now, and not at the first image
        return lambda images: self._over(inner, images).prepare()(images)

    def _over(self, potential: Potential, images: Images) -> Patches:
        rows, columns = (
            torch.tensor([*range(0, places - 1, self.stride), places - 1])
            for places in _rows_and_columns(images, self.size)
        )
        corners = torch.cartesian_prod(rows, columns).expand(len(images), -1, -1)
        return Patches(potential, self.size, corners, self.mean, self.chunk)


@dataclass(frozen=True)
class LogProbability:
    """``ln q(y = +1 | x) = ln σ(logit(x))``: minus the cross-entropy of ``x`` to the label of the data.

    The authors' code climbs this, where the paper climbs the logit itself (IGM eq. 11). Its gradient fades where
    the classifier is convinced, ``σ(−logit) · ∂logit/∂x``. ``logit`` maps images to ``[B]``; the prepared form tells
    of the logits, ``aux = Scored``.
    """

    logit: Potential

    def __call__(self, images: Images) -> Scores:
        return F.logsigmoid(self.logit(images))

    def prepare(self) -> Prepared:
        """A snapshot that asks the logit for its own fast gradient."""
        inner = prepared(self.logit)

        def evaluate(images: Images) -> Evaluation:
            logit, up, _ = inner(images)
            doubt = torch.sigmoid(-logit).view(-1, *[1] * (up.ndim - 1))
            return Evaluation(F.logsigmoid(logit), doubt * up, Scored(logit[:, None]))

        return evaluate


def places_in(images: Images, image: Tensor, row: Tensor, column: Tensor, size: Sequence[int]) -> Places:
    """What `gather` and `scatter` take for ``images`` and patches of ``size``, as suits the device of the images.

    ``image``, ``row`` and ``column`` ``[N]``, whole numbers: which image, and the patch's first pixel.
    """
    where = images.device
    if where.type == "cpu":
        return list(zip(image.tolist(), row.tolist(), column.tolist(), strict=True))
    return index_of(image.to(where), row.to(where), column.to(where), size)


def index_of(image: Tensor, row: Tensor, column: Tensor, size: Sequence[int]) -> Index:
    """The index of patches of ``size`` (h, w), from ``row`` and ``column`` on, of images ``image``: all ``[N]``."""
    down, along = (torch.arange(length, device=row.device) for length in size)
    return Index(image[:, None, None], row[:, None, None] + down[:, None], column[:, None, None] + along)


def gather(images: Images, places: Places, size: Sequence[int]) -> Images:
    """The patches ``[N, C, h, w]`` of ``size`` (h, w) of ``images`` at ``places``."""
    if isinstance(places, Index):
        return images.movedim(1, -1)[places].movedim(-1, 1)
    height, width = size
    return torch.stack([images[i, :, y : y + height, x : x + width] for i, y, x in places])


def scatter(images: Images, patches: Images, places: Places, size: Sequence[int]) -> None:
    """Add ``patches`` ``[N, C, h, w]`` to ``images``, in place: the transpose of ``gather``."""
    if isinstance(places, Index):
        added = patches.movedim(1, -1).to(images.dtype)
        images.movedim(1, -1).index_put_(places, added, accumulate=True)  # sorts first, so it is deterministic
        return
    height, width = size
    for (i, y, x), patch in zip(places, patches, strict=True):
        images[i, :, y : y + height, x : x + width].add_(patch)


def _chunks(places: Places, most: int) -> Iterator[Places]:
    if isinstance(places, Index):
        return map(Index, *(part.split(most) for part in places))
    return (places[start : start + most] for start in range(0, len(places), most))


def _rows_and_columns(images: Images, size: tuple[int, int]) -> tuple[int, int]:
    """How many rows and columns of places a patch has in ``images``. Raises ``InputError`` where it has none."""
    if images.ndim != 4:
        raise InputError(f"the images are {list(images.shape)}; patches are cut from images of shape [B, C, H, W]")
    rows, columns = (whole - part + 1 for whole, part in zip(images.shape[2:], size, strict=True))
    if rows < 1 or columns < 1:
        raise InputError(
            f"the images are {by(images.shape[2:])}, smaller than a patch of {by(size)}; give images at least as "
            "large as a patch, or a network of smaller patches"
        )
    return rows, columns


def _check_size(size: tuple[int, int], chunk: int) -> None:
    if len(size) != 2 or min(size) < 1:
        raise InputError(f"the size of a patch is {tuple(size)}; it needs to be (height, width), both 1 or more")
    if chunk < 1:
        raise InputError(f"chunk is {chunk}; it needs to be 1 or more patches evaluated together")


def _whole(x: Tensor) -> bool:
    return x.dtype in (torch.int16, torch.int32, torch.int64)
