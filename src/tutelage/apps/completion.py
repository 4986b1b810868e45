r"""Pattern completion: hidden pixels from the latents that explain the observed ones (CoopNets §4.6, Table 5).

    X from step G1 with |Y − g(X)|² summed over the observed pixels only; completed = g(X)

What is shown is often the observed pixels with g(X) in the hole. A descriptor may revise the hole after that, which the
paper does not do: Langevin steps of eq. (7) on the hidden pixels, given the observed ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..checks import DivergenceError
from ..energy import Held
from ..sample import Langevin, run
from ..types import Energy, Images, Latents, Scores
from .inference import Plan, infer
from .masks import check_mask


class Completion(NamedTuple):
    """Occluded images, completed so far."""

    steps: int
    made: Tensor
    """``[B]`` int: how many steps the chain had made when it stopped, or until now."""
    latents: Latents
    """``[B, d, ...]``."""
    generated: Images
    """``[B, C, *space]``: g(X) everywhere, "the completed image" of the paper; the mean of several where it is kept."""
    completed: Images
    """The observed pixels as they were given, and what was generated in the hole."""
    residual: Scores
    """``[B]``: rms over the observed pixels of Y less what was generated, in image units."""


def complete(
    generator: nn.Module,
    occluded: Images,
    mask: Tensor,
    latent_shape: tuple[int, ...],
    plan: Plan,
    rng: torch.Generator,
    every: int = 50,
) -> Iterator[Completion]:
    """``occluded`` images (``[B, C, *space]`` in [-1, 1]) completed by a generator, one `Completion` ``every`` steps.

    ``mask`` is ``[B, 1, *space]``, or ``[1, 1, *space]`` for all: 1 = observed, 0 = hidden. Hidden pixels are not
    looked at and may be NaN. The last one yielded is the result; chains do not know of each other.

    Raises ``InputError`` for a mask that does not fit, or that hides all of an image or nothing, and as
    `tutelage.apps.inference.infer` does.
    """
    check_mask(mask, tuple(occluded.shape))
    found = infer(generator, occluded, mask, latent_shape, plan, rng, every)
    return (
        Completion(i.steps, i.made, i.latents, i.images, pasted(occluded, i.images, mask), i.residual) for i in found
    )


def pasted(observed: Images, made: Images, mask: Tensor) -> Images:
    """``observed`` where ``mask`` is 1, ``made`` where it is 0."""
    return torch.where(mask != 0, observed, made)


def revise_hole(
    energy: Energy, completed: Images, mask: Tensor, kernel: Langevin, steps: int, rng: torch.Generator
) -> Images:
    """``steps`` steps of ``kernel`` on the hidden pixels of ``completed``; the observed ones stay as they are, exactly.

    ``energy`` is that of whole images, a descriptor's tilt for instance: the chain is that of p(hidden | observed).

    Raises ``DivergenceError`` where it leaves the finite numbers.
    """
    conditional = Held(energy, completed, mask != 0)
    revised = conditional.restored(run(kernel, conditional, completed, steps, rng)[0])
    if not revised.isfinite().all():
        raise DivergenceError(
            f"the revision of the hole left the finite numbers within {steps} steps of size {kernel.step_size:g}; make "
            "fewer or smaller steps"
        )
    return revised
