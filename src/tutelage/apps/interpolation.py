"""Walks between latents (CoopNets §4.3, Fig. 10).

The two ends of each row are drawn from the prior, the latents between them are interpolated, each image
is generated and then revised by a few steps of Langevin dynamics.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..checks import InputError
from ..learn.chunks import generate
from ..types import Images, Latents


def linear(start: Latents, end: Latents, frames: int) -> Latents:
    """``frames`` latents from ``start`` to ``end`` (each ``[B, ...]``), both included: ``[B, frames, ...]``.

    Raises ``InputError`` for fewer than 2 frames.
    """
    if frames < 2:
        raise InputError(f"an interpolation needs 2 frames or more, not {frames}")
    weights = torch.linspace(0, 1, frames, device=start.device, dtype=start.dtype)
    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), weights.view(1, -1, *[1] * (start.ndim - 1)))


def spherical(start: Latents, end: Latents, frames: int) -> Latents:
    """As ``linear``, but along the arc between the two ends, in even angles (Shoemake 1985, eq. for slerp).

    In many dimensions a straight line between two draws from N(0, I) passes nearer to 0 than draws ever lie; the
    arc does not: length goes evenly from one end's to the other's. Ends that point the same or opposite ways are
    joined by a straight line.

    Raises ``InputError`` for fewer than 2 frames.
    """
    straight = linear(start, end, frames)
    a, b = start.flatten(1), end.flatten(1)
    lengths = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    a, b = a / lengths[0], b / lengths[1]
    angle = (a * b).sum(1, keepdim=True).clamp(-1, 1).acos().unsqueeze(1)
    t = torch.linspace(0, 1, frames, device=start.device, dtype=start.dtype).view(1, -1, 1)
    arc = (torch.sin((1 - t) * angle) * a.unsqueeze(1) + torch.sin(t * angle) * b.unsqueeze(1)) / torch.sin(angle)
    arc = (arc * torch.lerp(lengths[0].unsqueeze(1), lengths[1].unsqueeze(1), t)).view_as(straight)
    arc[:, 0], arc[:, -1] = start, end  # exactly
    aligned = (torch.sin(angle).abs() < 1e-6).view(-1, *[1] * (straight.ndim - 1))
    return torch.where(aligned, straight, arc)


def interpolate(
    generator: torch.nn.Module,
    latent_shape: tuple[int, ...],
    rows: int,
    frames: int,
    rng: torch.Generator,
    revise: Callable[[Images], Images] | None = None,
    path: Callable[[Latents, Latents, int], Latents] = linear,
) -> Images:
    """``rows`` walks of ``frames`` images between draws from the prior, row by row: ``[rows·frames, C, *space]``.

    ``revise`` is applied to all the images, Langevin revision for instance; ``path`` is ``linear`` (as the paper
    does) or ``spherical``. Raises ``InputError`` for fewer than 2 frames.
    """
    ends = torch.randn((2, rows, *latent_shape), generator=rng, device=rng.device)
    return between(generator, ends[0], ends[1], frames, revise, path)


def between(
    generator: torch.nn.Module,
    start: Latents,
    end: Latents,
    frames: int,
    revise: Callable[[Images], Images] | None = None,
    path: Callable[[Latents, Latents, int], Latents] = linear,
) -> Images:
    """The walks of `interpolate` between given latents, ``[rows, ...]`` each. Raises as it does."""
    images = generate(generator, path(start, end, frames).flatten(0, 1))
    return images if revise is None else revise(images)
