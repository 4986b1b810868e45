r"""How likely a trained cascade finds an image (IGM eqs. 2, 11 and 12; eq. 14 where it is single).

    ln p_T(x) = Σ_t ln g_t(x) + ln p_0(x) + constant,      ln g_t(x) = the logit of C^t
    ln p_0(x) = −|x|² / (2 s²) + constant

By eqs. (2) and (11) each classifier estimates by how much the data are likelier than the model so far, and the sum
estimates how much likelier than noise. The constants are not known: numbers of one model compare images, not models.
All of it is ``-Tilt(Gaussian(s), logit_1, …, logit_T)``, added up by hand: one classifier is in memory at a time.

Eq. (6) takes pseudo-negatives for samples of p_t. Where synthesis starts from the last round's and stops as soon as the
classifier is undecided (§3.2.2), they are not, and classifiers see those of all rounds: the sum then is a ranking
of images, not a calibrated density. Nothing is said of images unlike both the data and all pseudo-negatives either.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..checks import InputError, by
from ..energy import AllPatches, Gaussian
from ..learn.chunks import images_per_chunk, in_chunks
from ..learn.igm import Igm, Plan, State, check_learned
from ..types import Images, Potential, Scores


class DensityTerms(NamedTuple):
    """The parts of ``ln p_T(x)``, each up to a constant: ``[B]``, float64, larger = likelier."""

    ratio: Scores
    """``Σ_t logit_t``: likelier than noise, as the classifiers say."""
    reference: Scores
    """``ln p_0``."""
    total: Scores
    """Their sum."""


@torch.no_grad()
def log_ratio(
    learner: Igm, state: State, images: Images, stride: int | None = None, chunk: int | None = None
) -> Scores:
    """``Σ_t logit_t`` of each image over the rounds learned, or of the last alone in IGM-single: ``[B]``, float64.

    A model of patches sums each logit over patches on a grid, ``stride`` pixels apart (None: half a patch), where eq.
    (15) has all places. With fewer places the sum is smaller by about as much: images of one size are compared as
    before, but the ratio and the reference of `terms` are on different scales. It is the logit that is summed,
    whatever objective synthesis climbs. One classifier is in memory at a time.

    Args:
        learner: the algorithm that learned, with the store that holds its rounds.
        state: how many rounds are done.
        images: ``[B, C, *space]``; it computes where they are.
        stride: for a model of patches, from 1 to the shorter side of a patch.
        chunk: images (each with all its patches) that are looked at together (None: as many as suit their size).

    Raises:
        InputError: no round is done, a round is missing, images that the model does not take, or a stride for a model
            of whole images.
    """
    _check(learner, state, images, stride, chunk)
    chunk = chunk or images_per_chunk(tuple(images.shape[1:]), images.device)
    total = torch.zeros(len(images), dtype=torch.float64, device=images.device)
    for number in learner.numbers(state):
        potential: Potential = learner.load(number, images.device)
        if learner.plan.patches is not None:
            height, width = learner.patch
            half = max(1, min(height, width) // 2)
            potential = AllPatches(potential, (height, width), half if stride is None else stride)
        total += in_chunks(potential, images, chunk).double()
    return total


def log_reference(plan: Plan, images: Images) -> Scores:
    """``ln p_0`` of each image under N(0, s²), s = ``plan.reference_std``, up to its constant: ``[B]``, float64."""
    return -Gaussian(plan.reference_std)(images.detach().double())


def terms(
    learner: Igm, state: State, images: Images, stride: int | None = None, chunk: int | None = None
) -> DensityTerms:
    """The parts of ``ln p_T(x)`` of each image and their sum. Arguments and errors are those of `log_ratio`."""
    ratio = log_ratio(learner, state, images, stride, chunk)
    reference = log_reference(learner.plan, images)
    return DensityTerms(ratio, reference, ratio + reference)


def _check(learner: Igm, state: State, images: Images, stride: int | None, chunk: int | None) -> None:
    check_learned(state)
    channels, space, whole = learner.shape[0], tuple(learner.shape[1:]), learner.plan.patches is None
    fits = images.ndim == 1 + len(learner.shape) and images.shape[1] == channels and images.is_floating_point()
    if not fits or (whole and tuple(images.shape[2:]) != space):
        needed = f"of {by(space)}" if whole else f"of at least {by(learner.patch)}"
        raise InputError(
            f"images are {images.dtype} {list(images.shape)}; this model takes floats [B, {channels}, *space] in "
            f"[-1, 1], {needed}: resize or convert them"
        )
    if stride is not None and whole:
        raise InputError(
            f"a stride of {stride} was given for a model of whole images, which has no patches; leave it out"
        )
    if chunk is not None and chunk < 1:
        raise InputError(f"chunk is {chunk}; it needs to be 1 or more images that are looked at together")
