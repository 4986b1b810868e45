r"""Nearest neighbours among many images, to see whether a model has learned its data by heart.

The distance of two images is the root of their mean squared difference, √(|x − y|² / D), in the units of a pixel.
Candidates are found by |x|² + |y|² − 2⟨x, y⟩ in float64, and the distances that are returned are computed again from
the differences themselves, so that an exact copy is at distance 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import InputError
from ..types import Images


class Neighbours(NamedTuple):
    """The k nearest of each of n images, nearest first."""

    indices: Tensor
    """``[n, k]``, counted through all chunks."""
    distances: Tensor
    """``[n, k]``, float64, root of the mean squared difference."""


def nearest(images: Images, chunks: Iterable[Tensor], k: int = 1, exclude: Tensor | None = None) -> Neighbours:
    """The ``k`` nearest to each of ``images`` among the images of all ``chunks``.

    Args:
        images: ``[n, ...]``, float.
        chunks: the set that is searched, ``[m, ...]`` at a time, floats in the same units, each on any device. Only one
            chunk is held at a time.
        k: how many.
        exclude: ``[n]`` or ``[n, e]``, for each image indices that are not to be found, −1 for none: the image itself,
            where it is in the set.

    Raises:
        InputError: no images, images of another shape in a chunk, numbers that are not finite, or fewer than ``k``
            images to be found.
    """
    x = images.flatten(1).double()
    if k < 1 or x.numel() == 0 or not torch.isfinite(x).all():
        raise InputError(
            f"the {k} nearest of images {list(images.shape)} were asked for; it needs k of 1 or more, and images that "
            "are finite"
        )
    excluded = torch.full((len(x), 1), -1) if exclude is None else exclude.view(len(x), -1)
    excluded = excluded.to(x.device)[:, :, None]
    indices = torch.empty((len(x), 0), dtype=torch.int64, device=x.device)
    distances = torch.empty((len(x), 0), dtype=torch.float64, device=x.device)
    start = 0
    for chunk in chunks:
        if chunk.shape[1:] != images.shape[1:]:
            raise InputError(
                f"images {list(chunk.shape[1:])} are in the set that is searched for images {list(images.shape[1:])}; "
                "neighbours need one shape: resize one of them"
            )
        y = chunk.flatten(1).to(x.device).double()
        squared = torch.addmm(y.square().sum(1), x, y.T, alpha=-2)  # |x|² orders nothing
        here = torch.arange(start, start + len(y), device=x.device)
        squared.masked_fill_((here == excluded).any(1), torch.inf)
        best = squared.topk(min(k, len(y)), dim=1, largest=False).indices
        exact = torch.stack([(x - y[column]).square().mean(1).sqrt() for column in best.T], 1)
        exact.masked_fill_((here[best][:, None] == excluded).any(1), torch.inf)
        indices, distances = torch.cat([indices, here[best]], 1), torch.cat([distances, exact], 1)
        order = distances.argsort(dim=1, stable=True)[:, :k]
        indices, distances = indices.gather(1, order), distances.gather(1, order)
        start += len(y)
    if distances.shape[1] < k or not torch.isfinite(distances).all():
        raise InputError(
            f"{k} neighbours of each image were asked for among {start} images that are finite; ask for fewer, or give "
            "more"
        )
    return Neighbours(indices, distances)
