r"""How likely a trained descriptor finds an image (CoopNets eqs. 2, 3 and 4).

    ln p(Y; θ) = f(Y; θ) + ln p_0(Y) − ln Z(θ)
    ln p_0(Y)  = −E_0(Y) + constant,      E_0(Y) = |Y|² / (2 s²), or 0 under the uniform measure

Z(θ), an integral over all images, is not known: numbers of one model compare images of one size, not models. The sum
f − E_0 is minus the energy of eq. (4). Beside a narrow reference f may be less than a rounding in float32, so the parts
are told apart, and added in float64.

Learning fits f where the data and the revised images are; of images unlike both nothing is known.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from ..checks import InputError
from ..gradient import frozen_copy
from ..learn.chunks import images_per_chunk, in_chunks
from ..types import Energy, Images, Potential, Scores


class PotentialTerms(NamedTuple):
    """The parts of ``ln p(Y; θ)``, up to its constant: ``[B]``, float64, larger = likelier."""

    potential: Scores
    """``f(Y; θ)``."""
    reference: Scores
    """``−E_0(Y)``: ln p_0, up to a constant."""
    total: Scores
    """Their sum."""


@torch.no_grad()
def terms(potential: Potential, reference: Energy, images: Images, chunk: int | None = None) -> PotentialTerms:
    """The parts of ``ln p(Y; θ)`` of each image and their sum.

    f is computed in the type of the images, by a frozen copy in evaluation mode where it is a network, so that no
    image counts differently among others; E_0 is computed in float64.

    Args:
        potential: f, images ``[B, C, *space]`` -> ``[B]``.
        reference: E_0, the energy of p_0, with the same shapes: `tutelage.energy.Gaussian` or ``Uniform``.
        images: ``[B, C, *space]``, floats in [-1, 1]; it computes where they are.
        chunk: images that are looked at together (None: as many as suit their size).

    Raises:
        InputError: what are no images, a chunk below 1, a potential that gives no number for each image, or images that
            the potential does not take.
    """
    _check(images, chunk)
    chunk = chunk or images_per_chunk(tuple(images.shape[1:]), images.device)
    frozen = frozen_copy(potential) if isinstance(potential, nn.Module) else potential
    up = in_chunks(partial(_asked, frozen), images, chunk).double()
    down = in_chunks(lambda part: _asked(reference, part.double()), images, chunk)
    return PotentialTerms(up, 0.0 - down, up - down)  # not -down: -0.0 where the measure is uniform


def _asked(function: Potential | Energy, images: Images) -> Scores:
    """``function(images)``. Raises ``InputError`` where that is not one number for each image."""
    scores = function(images)
    if scores.shape != images.shape[:1]:
        raise InputError(
            f"{type(function).__name__} gave numbers of shape {list(scores.shape)} for {len(images)} images; it needs "
            f"to give one for each, [{len(images)}]: sum over what an image has, and flatten"
        )
    return scores


def _check(images: Images, chunk: int | None) -> None:
    if images.ndim < 3 or len(images) == 0 or not images.is_floating_point():
        raise InputError(
            f"images are {images.dtype} {list(images.shape)}; floats [B, C, *space] in [-1, 1] are needed, B of 1 or "
            "more: tutelage.data.from_uint8 makes floats of bytes"
        )
    if chunk is not None and chunk < 1:
        raise InputError(f"chunk is {chunk}; it needs to be 1 or more images that are looked at together")
