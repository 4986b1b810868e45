r"""Texture Nets: a generator that learns to make one texture (Ulyanov et al. 2016, arXiv:1603.03417; IGM Figs 2 and 6).

    g ← argmin E_z L(g(z))       L the Gram loss of Gatys et al., `tutelage.baselines.gram.GramEnergy`

where Gatys et al. descend L on the pixels of each image, the generator learns to do it for all noise at once, and makes
an image in one pass. The paper's is `tutelage.nets.Pyramid`. Nothing in L asks that images differ from each other; only
the noise does. What a batch observes, one picture or pieces of it, is the example of that iteration.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from ..checks import check_counts
from ..gradient import frozen_copy
from ..learn.calibration import calibrate
from ..learn.chunks import generate
from ..learn.saving import load, nested
from ..learn.updates import Update, average_towards, check_average, descend, set_rate
from ..types import Batch, Images
from .gram import GramEnergy
from .texture_maps import RandomFilters, VggMaps

SavedMaps: TypeAlias = VggMaps | RandomFilters


@dataclass(frozen=True)
class Plan:
    """What a texture net learns with.

    ``iterations`` T; ``batch_size`` observed pictures an iteration, whose mean Gram matrices are the target; ``made``
    images an iteration; ``maps`` of the loss; ``update`` moves the generator; ``ema_decay`` of the averaged generator
    that samples are drawn from (None: the live one); ``calibration_draws`` from the prior fix its batch-norm statistics
    after learning.

    Raises ``InputError`` for values that cannot work.
    """

    iterations: int
    batch_size: int
    made: int
    maps: SavedMaps
    update: Update
    ema_decay: float | None = None
    calibration_draws: int = 1_000

    def __post_init__(self) -> None:
        check_counts(self, ("batch_size", "made"), ("iterations",))
        check_average(self)


@dataclass
class State:
    """What the next iteration needs. ``average`` is the generator that samples are drawn from."""

    iteration: int
    generator: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer


class Record(NamedTuple):
    """What a person may want to look at."""

    gram_loss: Tensor
    """mean L over the images made, before the update."""
    lr: float
    made: Images
    """The images made, with the statistics of their batch."""


@dataclass(frozen=True)
class TextureNet:
    """A texture net as a learner.

    ``generator``: latents ``[B, *latent_shape]`` -> images ``[B, C, H, W]``. A copy of it learns.
    """

    plan: Plan
    generator: nn.Module
    latent_shape: tuple[int, ...]

    def init(self, rng: torch.Generator) -> State:
        """A copy of the generator, and an optimiser with empty moments."""
        generator = copy.deepcopy(self.generator).train()
        average = frozen_copy(generator)
        return State(0, generator, average, self.plan.update.init(generator))

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> tuple[State, Record]:
        """One step down the mean Gram loss of newly made images. Raises ``InputError`` as the plan's ``maps`` do."""
        plan, t = self.plan, state.iteration
        lr = set_rate(state.optimiser, plan.update.rate(t, plan.iterations))
        energy = GramEnergy(batch.images, plan.maps)
        made = state.generator(self._latents(plan.made, rng))
        loss = energy(made).mean()
        descend(state.optimiser, loss)
        average_towards(state.average, state.generator, plan.ema_decay, t + 1)
        state.iteration = t + 1
        return state, Record(loss.detach(), lr, made.detach())

    def _latents(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randn((n, *self.latent_shape), generator=rng, device=rng.device)

    def pictures(self, state: State, record: Record) -> dict[str, Images]:
        """What the generator made in this iteration."""
        return {"made": record.made}

    def sample(self, state: State, n: int, rng: torch.Generator) -> dict[str, Images]:
        """``n`` images g(z), z from the prior, by the averaged generator."""
        return {"generator": generate(state.average, self._latents(n, rng))}

    def finish(self, state: State, rng: torch.Generator) -> State:
        """Calibrate the averaged generator's batch-norm statistics; the learning state is untouched."""
        calibrate(state.average, self.plan.calibration_draws, self.latent_shape, rng, least=self.plan.made)
        return state

    state_dict = staticmethod(nested)
    load_state_dict = staticmethod(load)
