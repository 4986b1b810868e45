r"""Images larger than those learned from (IGM §3.4): one model of patches, any number of patches.

    p_T(I) ∝ Π_t Π_{i,j} g_t(x(i, j)) · p_0(I)          IGM eq. (15)

The cascade is run on noise of the size wanted, with as many patches for each area as in learning: many more lower
quality and diversity (§4.1). A pixel near the border lies in fewer patches, so a margin is made too and cut off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch

from ..checks import InputError, by
from ..learn.igm import Igm, State, check_learned, initial_noise
from ..types import Images


class Progress(NamedTuple):
    """Where synthesis has come to, after a round."""

    round: int
    steps: int
    """Of the kernel, in this round."""
    crossed: float
    """The fraction of images that the rule stopped; the others had used up their steps."""
    images: Images
    """``[n, C, height, width]`` in [-1, 1]."""


def patches_for(learner: Igm, size: tuple[int, int]) -> int | None:
    """Patches of an image of ``size`` (without margin), as many for each area as in learning."""
    if learner.plan.patches_per_image is None:
        return None
    area = math.prod(_framed(learner, size)) / math.prod(learner.shape[1:])
    return max(1, round(learner.plan.patches_per_image * area))


def synthesise(learner: Igm, state: State, size: tuple[int, int], n: int, rng: torch.Generator) -> Iterator[Progress]:
    """``n`` new images of ``size`` (height, width) from the rounds learned, one `Progress` after each.

    Raises ``InputError`` where nothing was learned yet, ``size`` is smaller than a patch, or the model is one of whole
    images and ``size`` another than theirs.
    """
    check_learned(state)
    if learner.plan.patches is None and tuple(size) != tuple(learner.shape[1:]):
        raise InputError(
            f"images of {by(size)} were asked of a model of whole images of {by(learner.shape[1:])}; ask for that "
            "size, or train a model of patches (igm/texture)"
        )
    if any(whole < part for whole, part in zip(size, learner.patch, strict=True)):
        raise InputError(
            f"a size of {by(size)} is smaller than the patches of {by(learner.patch)} that this model knows; ask for "
            "at least that"
        )
    return _rounds(learner, state, size, n, rng)


def _rounds(learner: Igm, state: State, size: tuple[int, int], n: int, rng: torch.Generator) -> Iterator[Progress]:
    space = _framed(learner, size)
    noise = initial_noise((n, learner.shape[0], *space), learner.plan.reference_std, rng)
    (top, left), (height, width) = margin(learner), size
    for number, made in learner.rounds(state, noise, rng, patches_for(learner, size)):
        inner = made.images[:, :, top : top + height, left : left + width]
        yield Progress(number, made.steps, float(made.crossed.double().mean()), inner)


def margin(learner: Igm) -> tuple[int, int]:
    """Rows and columns that are made on each side besides the image, and cut off: half a patch."""
    if learner.plan.patches is None:
        return 0, 0
    return learner.patch[0] // 2, learner.patch[1] // 2


def _framed(learner: Igm, size: tuple[int, int]) -> tuple[int, int]:
    top, left = margin(learner)
    return size[0] + 2 * top, size[1] + 2 * left
