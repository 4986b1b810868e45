"""Walks between latents (CoopNets §4.3, Fig. 10).

The two ends of each row are drawn from the prior, the latents between them are interpolated, each image
is generated and then revised by a few steps of Langevin dynamics.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..checks import InputError
from ..learn.algorithm_g import sample_in_chunks
from ..types import Images, Latents


def linear(start: Latents, end: Latents, frames: int) -> Latents:
    """``frames`` latents from ``start`` to ``end`` (each ``[B, ...]``), both included: ``[B, frames, ...]``.

    Raises ``InputError`` for fewer than 2 frames.
    """
    if frames < 2:
        raise InputError(f"an interpolation needs 2 frames or more, not {frames}")
    weights = torch.linspace(0, 1, frames, device=start.device, dtype=start.dtype)
    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), weights.view(1, -1, *[1] * (start.ndim - 1)))


def interpolate(
    generator: torch.nn.Module,
    latent_shape: tuple[int, ...],
    rows: int,
    frames: int,
    rng: torch.Generator,
    revise: Callable[[Images], Images] | None = None,
) -> Images:
    """``rows`` walks of ``frames`` images between draws from the prior, row by row: ``[rows·frames, C, *space]``.

    ``revise`` is applied to all the images, Langevin revision for instance.
    """
    ends = torch.randn((2, rows, *latent_shape), generator=rng, device=rng.device)
    latents = linear(ends[0], ends[1], frames).flatten(0, 1)
    images = sample_in_chunks(generator, latents)
    return images if revise is None else revise(images)
