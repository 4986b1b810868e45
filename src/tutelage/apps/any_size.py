r"""Images larger than those learned from (IGM §3.4): one model of patches, any number of patches.

    p_T(I) ∝ Π_t Π_{i,j} g_t(x(i, j)) p_0⁻(x(i, j))          IGM eq. (15)

read here as one p_0(I): a p_0 per patch and round would count a pixel as often as patches cover it.

The cascade is run on noise of the size wanted, with as many patches for each place as in learning: many more lower
quality and diversity (§4.1). `Igm.from_noise` makes a margin too and cuts it off.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..checks import InputError, by
from ..learn.igm import Igm, State, check_learned
from ..learn.synthesis import Synthesis


def synthesise(
    learner: Igm, state: State, size: tuple[int, int], n: int, rng: torch.Generator
) -> Iterator[Iterator[tuple[int, Synthesis]]]:
    """``n`` new images of ``size`` (height, width) from the rounds learned, batch by batch, as `Igm.from_noise` does.

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
    return learner.from_noise(state, size, n, rng)
