r"""Patch-sliced Wasserstein distance, for textures.

A texture is what its small patches are distributed like, whatever their places. So random p × p patches, of all
channels, are drawn from both sets of images as vectors in D = C p² dimensions, and their distributions are compared
along random directions θ of unit length. On a line the best transport pairs the sorted values:

    SW₂²(a, b) = E_θ (1/n) Σ_i ( ⟨θ, a⟩_(i) − ⟨θ, b⟩_(i) )²

The exponent is 2 and no root is taken. Directions are a random orthonormal basis of all D dimensions, so that two
sets that differ by a shift v alone have a distance of exactly |v|² / D: the mean squared shift of a pixel. Images are
in [−1, 1], and the unit is that of their squares.

This is done on an image pyramid (averages of 1, 2 × 2, 4 × 4 pixels), for patches that see 1, 2 and 4 times as far;
each scale is reported, and the mean of the scales.

The idea is Karras et al. (2018), who compare 7 × 7 patches of a Laplacian pyramid with their mean and contrast removed,
by the mean absolute difference; and Elnekave and Weiss (2022), who show it suits textures. Ours differs: patches of a
plain pyramid as they are, so colour and contrast count, and squared differences. Its numbers cannot be compared with
theirs.

The n patches of a set are stratified: all places, image by image and row by row, are cut into n equal stretches, and
one place is drawn in each. Both sets share these draws, and the distance is symmetric; of equal sets it is 0.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..checks import InputError
from ..types import Images
from .inputs import check_range

SCALES: tuple[int, ...] = (1, 2, 4)
"""How many pixels a side are averaged into one."""


class SlicedDistance(NamedTuple):
    """The mean over scales, and each scale."""

    value: float
    scales: tuple[float, ...]


def patch_sliced_wasserstein(
    a: Images,
    b: Images,
    rng: torch.Generator,
    *,
    patch: int = 7,
    patches: int = 16_384,
    scales: tuple[int, ...] = SCALES,
) -> SlicedDistance:
    """``SW₂²`` between the patches of two sets of images, at each scale.

    Args:
        a: ``[N, C, H, W]``, float, in [−1, 1].
        b: ``[M, C, H', W']``, likewise, of as many channels; numbers and sizes of images may differ.
        rng: decides places and directions. Numbers that are compared need it in the same state.
        patch: p, height and width of a patch.
        patches: n, patches drawn of each set at each scale.
        scales: averaging windows, 1 for the images as they are.

    Raises:
        InputError: no such images, other channels, values outside the range or not finite, images that hold no patch
            at some scale, or counts below 1.
    """
    _check(a, b, patch, patches, scales)
    found = []
    for scale in scales:
        coarse_a, coarse_b = (functional.avg_pool2d(images.float(), scale) for images in (a, b))
        within = torch.rand(patches, generator=rng, dtype=torch.float64, device=rng.device)
        lines = directions(a.shape[1] * patch**2, rng)
        on_a, on_b = (
            (draw_patches(images, patch, within) @ lines.to(images.device)).sort(0).values
            for images in (coarse_a, coarse_b)
        )
        found.append((on_a.double() - on_b.double()).square().mean().item())
    return SlicedDistance(sum(found) / len(found), tuple(found))


def directions(dimension: int, rng: torch.Generator) -> Tensor:
    """``[D, D]``: in its columns a random orthonormal basis, on the device of ``rng``."""
    return torch.linalg.qr(torch.randn((dimension, dimension), generator=rng, device=rng.device)).Q


def draw_patches(images: Images, patch: int, within: Tensor) -> Tensor:
    """``[n, p² · C]``: one patch from each of n equal stretches of all places in ``[N, C, H, W]``, channels innermost.

    ``within`` ``[n]``, float64 in [0, 1), says where in its stretch.
    """
    count, _, height, width = images.shape
    rows, columns = height - patch + 1, width - patch + 1
    total = count * rows * columns
    stretch = torch.arange(len(within), dtype=torch.float64, device=within.device)
    place = ((stretch + within) * (total / len(within))).long().clamp_(max=total - 1).to(images.device)
    image, row, column = place // (rows * columns), place // columns % rows, place % columns
    offset = torch.arange(patch, device=images.device)
    down, along = (row[:, None] + offset)[:, :, None], (column[:, None] + offset)[:, None, :]
    return images[image[:, None, None], :, down, along].flatten(1)


def _check(a: Images, b: Images, patch: int, patches: int, scales: tuple[int, ...]) -> None:
    if min(patch, patches, *scales) < 1 or not scales:
        raise InputError(
            f"patch={patch}, patches={patches} and scales={list(scales)} were given; all need to be 1 or more"
        )
    for images in (a, b):
        if images.ndim != 4 or len(images) == 0 or not images.is_floating_point() or images.shape[1] != a.shape[1]:
            raise InputError(
                f"{images.dtype} {list(images.shape)} was given beside {list(a.shape)}; patches are compared between "
                "floats [B, C, H, W] of as many channels: convert one of them"
            )
        check_range(images, "the patch-sliced distance")
        side = min(images.shape[-2:]) // max(scales)
        if side < patch:
            raise InputError(
                f"images of {images.shape[-2]} x {images.shape[-1]} are {side} pixels wide or high at scale "
                f"1/{max(scales)} and hold no patch of {patch} x {patch}; give larger images, a smaller patch, or "
                "fewer scales"
            )
