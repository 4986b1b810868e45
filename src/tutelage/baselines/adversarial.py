r"""Adversarial learning: a discriminator and a generator that learn against each other (Goodfellow et al. 2014).

In every iteration the discriminator takes one step down its loss, on the batch and on as many images newly
made. In every ``generator_every``-th one the generator follows, with ``generator_updates`` steps down its own
loss, each on new images. So an iteration needs one batch, whatever the game, and the iteration alone says
whose turn it is:

    DCGAN, EBGAN, InfoGAN     generator_every 1                     both move in every iteration
    WGAN, WGAN-GP             generator_every 5                     n_critic
    as IGM ran DCGAN          generator_every 1, generator_updates 2

What is played is the plan's ``objective``, a value with both losses: `nonsaturating.NonSaturating` (DCGAN),
`wasserstein.Wasserstein` (WGAN, WGAN-GP), `energy_based.EnergyBased` (EBGAN), `information.Information` (InfoGAN).
Latents are N(0, I) in all of them, as for our models; DCGAN's and InfoGAN's papers draw them from U(−1, 1).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from ..checks import InputError, check_counts
from ..gradient import frozen_copy
from ..learn.calibration import calibrate
from ..learn.chunks import generate
from ..learn.saving import load, nested
from ..learn.updates import Update, average_towards, check_average, descend, set_rate
from ..types import Batch, Images
from .energy_based import EnergyBased
from .game import Made
from .information import Information
from .nonsaturating import NonSaturating
from .wasserstein import Wasserstein

Objective: TypeAlias = NonSaturating | Wasserstein | EnergyBased | Information


@dataclass(frozen=True)
class Plan:
    """What decides an adversarial run.

    ``iterations`` updates of the discriminator, each on ``batch_size`` observed images and as many made;
    ``objective`` both losses; ``discriminator_update`` and ``generator_update`` move the networks, the generator in
    every ``generator_every``-th iteration, with ``generator_updates`` passes then; ``ema_decay`` of the averaged
    generator that samples are drawn from (None: the live one), which follows it whenever it has moved;
    ``calibration_draws`` that fix its batch-norm statistics.

    Raises ``InputError`` for values that cannot work: among them a Wasserstein objective without a penalty whose
    ``discriminator_update`` clips nothing.
    """

    iterations: int
    batch_size: int
    objective: Objective
    discriminator_update: Update
    generator_update: Update
    generator_every: int = 1
    generator_updates: int = 1
    ema_decay: float | None = None
    calibration_draws: int = 10_000

    def __post_init__(self) -> None:
        check_counts(self, ("batch_size", "generator_every", "generator_updates"), ("iterations",))
        check_average(self)
        if isinstance(self.objective, Information) and self.batch_size < 2:
            raise InputError(
                "batch_size is 1; the network that reads InfoGAN's codes needs the statistics of 2 or more"
            )
        steep = isinstance(self.objective, Wasserstein) and self.objective.gradient_penalty is None
        if steep and getattr(self.discriminator_update, "clip", None) is None:
            raise InputError(
                "a Wasserstein objective is given with neither a gradient_penalty nor a discriminator_update that "
                "clips; its critic needs one, or it may become as steep as it likes: set objective.gradient_penalty "
                "(WGAN-GP: 10), or an RMSprop with clip (WGAN: .01)"
            )

    def moves_generator(self, iteration: int) -> bool:
        """Whether the generator moves in ``iteration``, counted from 0: in the last of every ``generator_every``."""
        return (iteration + 1) % self.generator_every == 0


@dataclass
class State:
    """What the next iteration needs. ``average`` is the generator that samples are drawn from."""

    iteration: int
    discriminator: nn.Module
    generator: nn.Module
    average: nn.Module
    discriminator_optimiser: torch.optim.Optimizer
    generator_optimiser: torch.optim.Optimizer


class Record(NamedTuple):
    """What a person may want to look at: numbers (0-dim tensors, still on the device) and images."""

    discriminator_loss: Tensor
    """What the discriminator descends, before its update."""
    of_observed: Tensor
    """The mean output of the discriminator on the observed images: logits, critic values, or EBGAN's energies."""
    of_made: Tensor
    """The same on the images made for its update."""
    discriminator_lr: float
    more: Mapping[str, Tensor | float]
    """``generator_loss`` (before its first update) and ``generator_lr`` where the generator moved, and what the
    objective has of its own: ``gradient_penalty``; ``information`` and ``number_error``."""
    made: Images
    """The images made for the discriminator's update, with the statistics of their batch."""


@dataclass(frozen=True)
class Adversarial:
    """An adversarial game as a learner.

    ``discriminator``: images ``[B, C, *space]`` -> ``[B]``, with what the plan's objective needs besides;
    ``generator``: latents ``[B, *latent_shape]`` -> images. Copies of both learn, batch norm of either with the
    statistics of its batch.
    """

    plan: Plan
    discriminator: nn.Module
    generator: nn.Module
    latent_shape: tuple[int, ...]

    def init(self, rng: torch.Generator) -> State:
        """Copies of the networks, and optimisers with empty moments."""
        discriminator = copy.deepcopy(self.discriminator).train()
        generator = copy.deepcopy(self.generator).train()
        average = frozen_copy(generator)
        return State(
            0,
            discriminator,
            generator,
            average,
            self.plan.discriminator_update.init(discriminator),
            self.plan.generator_update.init(generator),
        )

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> tuple[State, Record]:
        """One update of the discriminator, and the generator's where it is its turn."""
        plan, t = self.plan, state.iteration
        discriminator_lr = set_rate(state.discriminator_optimiser, plan.discriminator_update.rate(t, plan.iterations))
        with torch.no_grad():
            made = self._make(state, len(batch.images), rng)
        judged = plan.objective.discriminator_loss(state.discriminator, batch.images, made, rng)
        descend(state.discriminator_optimiser, judged.loss)
        more: dict[str, Tensor | float] = dict(judged.more)

        if plan.moves_generator(t):
            more["generator_lr"] = set_rate(state.generator_optimiser, plan.generator_update.rate(t, plan.iterations))
            losses = [self._move_generator(state, len(batch.images), rng) for _ in range(plan.generator_updates)]
            more["generator_loss"] = losses[0]
            average_towards(state.average, state.generator, plan.ema_decay, t // plan.generator_every + 1)

        record = Record(judged.loss.detach(), judged.of_observed, judged.of_made, discriminator_lr, more, made.images)
        state.iteration = t + 1
        return state, record

    def _make(self, state: State, count: int, rng: torch.Generator) -> Made:
        latents = torch.randn((count, *self.latent_shape), generator=rng, device=rng.device)
        return Made(latents, state.generator(latents))

    def _move_generator(self, state: State, count: int, rng: torch.Generator) -> Tensor:
        """One step down the generator's loss on new images. Returns the loss before it."""
        loss = self.plan.objective.generator_loss(state.discriminator, self._make(state, count, rng))
        descend(state.generator_optimiser, loss)
        return loss.detach()

    def pictures(self, state: State, record: Record) -> dict[str, Images]:
        """What the discriminator was shown in this iteration."""
        return {"made": record.made}

    def sample(self, state: State, n: int, rng: torch.Generator) -> dict[str, Images]:
        """``n`` images g(X), X from the prior, by the averaged generator."""
        latents = torch.randn((n, *self.latent_shape), generator=rng, device=rng.device)
        return {"generator": generate(state.average, latents)}

    def finish(self, state: State, rng: torch.Generator) -> State:
        """Calibrate the averaged generator's batch-norm statistics; the learning state is untouched."""
        calibrate(state.average, self.plan.calibration_draws, self.latent_shape, rng, least=self.plan.batch_size)
        return state

    state_dict = staticmethod(nested)
    load_state_dict = staticmethod(load)
