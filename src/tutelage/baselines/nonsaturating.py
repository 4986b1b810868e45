r"""The first adversarial game, in the form that DCGAN plays it (Goodfellow et al. 2014; Radford et al. 2016).

The discriminator's output f is the logit of "observed". With σ the logistic function,

    discriminator   L = −E log σ(f(Y)) − E log (1 − σ(f(g(X))))        2 log 2 where it cannot tell
    generator       L = −E log σ(f(g(X)))                              "non-saturating"; log 2 there
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..learn.algorithm_d import logistic_loss
from ..types import Images
from .game import Judged, Made


@dataclass(frozen=True)
class NonSaturating:
    """The game of DCGAN. Observed and made images go through the discriminator apart, each with its own statistics."""

    def discriminator_loss(
        self, discriminator: nn.Module, observed: Images, made: Made, rng: torch.Generator
    ) -> Judged:
        """Both cross-entropies; nothing is drawn from ``rng``."""
        return judged(discriminator(observed), discriminator(made.images))

    def generator_loss(self, discriminator: nn.Module, made: Made) -> Tensor:
        """The cross-entropy of made images to "observed"."""
        return F.softplus(-discriminator(made.images)).mean()


def judged(of_observed: Tensor, of_made: Tensor) -> Judged:
    """The discriminator's loss from the logits ``[B]`` of observed and of made images."""
    return Judged(logistic_loss(of_observed, of_made), of_observed.detach().mean(), of_made.detach().mean())
