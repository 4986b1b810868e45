r"""The Wasserstein game (Arjovsky et al. 2017, WGAN; Gulrajani et al. 2017, WGAN-GP).

The discriminator is a critic f, a potential without a reference, which may not be steep:

    critic      L = E f(g(X)) − E f(Y) + λ E (|∇f(Z)| − 1)²       Z = u Y + (1 − u) g(X), u ~ U(0, 1)
    generator   L = −E f(g(X))

WGAN has no λ; it keeps each weight of the critic within ±c instead, after each of its updates, which is
part of the update (``learn.updates.RMSprop``). E f(Y) − E f(g(X)) estimates the distance that is made smaller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..checks import InputError
from ..gradient import slopes
from ..types import Images
from .game import Judged, Made


@dataclass(frozen=True)
class Wasserstein:
    """The game of WGAN; of WGAN-GP with a ``gradient_penalty`` λ (None: none, so weights need to be clipped).

    Raises ``InputError`` for a λ that is not above 0.
    """

    gradient_penalty: float | None = None

    def __post_init__(self) -> None:
        if self.gradient_penalty is not None and not 0 < self.gradient_penalty < math.inf:
            raise InputError(f"gradient_penalty is {self.gradient_penalty}; it needs to be above 0, or none")

    def discriminator_loss(
        self, discriminator: nn.Module, observed: Images, made: Made, rng: torch.Generator
    ) -> Judged:
        """Minus the estimated distance, plus λ times the penalty where there is one.

        Raises ``InputError`` where a penalty is asked for and there are not as many images made as observed.
        """
        of_observed, of_made = discriminator(observed).mean(), discriminator(made.images).mean()
        loss, more = of_made - of_observed, {}
        if self.gradient_penalty is not None:
            penalty = gradient_penalty(discriminator, between(observed, made.images, rng))
            loss, more = loss + self.gradient_penalty * penalty, {"gradient_penalty": penalty.detach()}
        return Judged(loss, of_observed.detach(), of_made.detach(), more)

    def generator_loss(self, discriminator: nn.Module, made: Made) -> Tensor:
        """Minus the mean of the critic on made images."""
        return -discriminator(made.images).mean()


def between(observed: Images, made: Images, rng: torch.Generator) -> Images:
    """A point on the segment from each made image to its observed one, uniformly drawn, ``[B, C, *space]``.

    Raises ``InputError`` where there are not as many of both.
    """
    if len(observed) != len(made):
        raise InputError(
            f"{len(observed)} observed and {len(made)} made images cannot be paired; give as many of both: the "
            "batch_size of the plan"
        )
    share = torch.rand((len(observed), *[1] * (observed.ndim - 1)), generator=rng, device=rng.device)
    return share * observed + (1 - share) * made


def gradient_penalty(critic: nn.Module, images: Images) -> Tensor:
    """E (|∇f| − 1)² at ``images``: 0-dim, and it can be differentiated by the critic's parameters."""
    positions = images.detach().requires_grad_(True)
    return (torch.linalg.vector_norm(slopes(critic(positions), positions).flatten(1), dim=1) - 1).square().mean()
