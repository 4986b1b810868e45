r"""What latents explain an image: the posterior of a generator (CoopNets eqs. 11, 12, 15).

    X ~ N(0, I),   Y = g(X) + ε,   ε ~ N(0, σ² I)
    −log q(X | Y) = |Y − g(X)|² / (2 σ²) + |X|² / 2 + constant

With a mask only the observed pixels count (CoopNets §4.6): a mask of ones is the plain posterior, a
mask of zeros is the prior.
"""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ..checks import InputError
from ..gradient import ByAutograd, frozen_copy
from ..types import Evaluation, Images, Latents, Prepared, Scores


class PosteriorTerms(NamedTuple):
    """What a posterior tells of latents, besides their energy."""

    misfit: Scores
    """``|mask · (observed − generator(X))|²``: how far the images are from what was observed."""


class Posterior:
    """``E(X) = |mask · (observed − generator(X))|² / (2 noise_std²) + |X|² / 2``, one number per image.

    ``generator`` maps latents ``[B, d, ...]`` to images ``[B, C, *space]`` and must treat the rows of
    a batch independently (batch norm in inference mode). ``observed`` is ``[B, C, *space]``;
    ``mask`` broadcasts against it, 1 = observed, 0 = hidden. Where the generator offers
    ``snapshot()`` (frozen weights, ready for inference), the prepared form uses it; of any other module it
    uses a frozen copy in evaluation mode. Its ``aux`` are `PosteriorTerms`.

    Raises ``InputError`` where ``noise_std`` is not a positive number.
    """

    points_down: ClassVar[bool] = True

    def __init__(self, generator, observed: Images, noise_std: float, mask: Tensor | None = None) -> None:
        if not (math.isfinite(noise_std) and noise_std > 0):
            raise InputError(f"a generator's noise needs a standard deviation above 0, not {noise_std}")
        self.generator = generator
        self.observed = observed
        self.noise_std = noise_std
        self.mask = mask

    def __call__(self, latents: Latents) -> Scores:
        made = self.generator(latents)
        if made.shape[1:] != self.observed.shape[1:]:
            raise InputError(
                f"the generator makes images of {list(made.shape[1:])} and the observed ones are "
                f"{list(self.observed.shape[1:])}; give images of the shape that it makes"
            )
        residual = self.observed - made
        if self.mask is not None:
            residual = torch.where(self.mask == 0, 0.0, residual * self.mask)  # hidden pixels may be NaN
        likelihood = residual.flatten(1).square().sum(1) / (2 * self.noise_std**2)
        return likelihood + _prior(latents)

    def prepare(self) -> Prepared:
        """A snapshot with the generator's weights as they are now, differentiated automatically."""
        generator = self.generator
        if hasattr(generator, "snapshot"):
            generator = generator.snapshot()
        elif isinstance(generator, nn.Module):
            generator = frozen_copy(generator)
        frozen = ByAutograd(Posterior(generator, self.observed, self.noise_std, self.mask))

        def evaluate(latents: Latents) -> Evaluation:
            value, gradient, _ = frozen(latents)
            misfit = 2 * self.noise_std**2 * (value - _prior(latents))
            return Evaluation(value, gradient, PosteriorTerms(misfit))

        return evaluate


def _prior(latents: Latents) -> Scores:
    return latents.flatten(1).square().sum(1) / 2
