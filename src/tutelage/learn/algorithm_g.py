r"""Algorithm G: maximum likelihood for a generator, by Langevin inference (CoopNets §2.2, Algorithm 2).

G1  Langevin inference   l_q steps of eq. (15) on the latents of each image, from where they were
G2  reconstruction       α ← α + γ_t L'_q(α),   L'_q = −∂/∂α mean |Y − g(X; α)|² / (2 σ²)   eq. (16)
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..checks import InputError, check_counts, check_positive
from ..energy import Posterior
from ..gradient import frozen_copy
from ..sample import Langevin, run
from ..types import Batch, Images, Latents
from .algorithm_d import rms
from .calibration import calibrate
from .chunks import generate
from .saving import load, nested
from .updates import Update, average_towards, check_average, descend, set_rate


@dataclass(frozen=True)
class Plan:
    """The "Input" box of Algorithm 2.

    ``iterations`` T; ``batch_size`` observed images an iteration; ``inference_steps`` l_q of size
    ``latent_step_size``; ``noise_std`` σ of ε; ``reconstruction_updates`` passes of G2 an iteration;
    ``update`` moves α; ``ema_decay`` of the averaged generator that samples are drawn from (None: the
    live one); ``calibration_draws`` from the prior fix its batch-norm statistics after learning.

    Raises ``InputError`` for values that cannot work.
    """

    iterations: int
    batch_size: int
    inference_steps: int
    latent_step_size: float
    noise_std: float
    update: Update
    reconstruction_updates: int = 1
    ema_decay: float | None = None
    calibration_draws: int = 10_000

    def __post_init__(self) -> None:
        check_counts(self, ("batch_size", "reconstruction_updates"), ("iterations", "inference_steps"))
        check_generator_plan(self)


def check_generator_plan(plan: Any) -> None:
    """Refuse what no generator can learn with. Raises ``InputError``."""
    check_positive(plan, ("noise_std", "latent_step_size"))
    Langevin(plan.latent_step_size)  # which refuses what is too large
    check_average(plan)


@dataclass
class State:
    """What the next iteration needs. ``latents`` are those of every observed image, ``[n, d, ...]``."""

    iteration: int
    generator: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    latents: Latents


class Record(NamedTuple):
    """What a person may want to look at."""

    reconstruction: Tensor
    """mean |Y − g(X)|² / (2 σ²), before the update."""
    residual: Tensor
    """rms of Y − g(X), in image units."""
    latent_movement: Tensor
    """rms of what G1 did to the latents."""
    generator_lr: float
    latents: Latents
    observed: Images


def langevin_inference(
    generator: Any,
    observed: Images,
    latents: Latents,
    noise_std: float,
    step_size: float,
    steps: int,
    rng: torch.Generator,
) -> Latents:
    """Step G1: ``steps`` steps of eq. (15) on the posterior of ``latents`` ``[B, d, ...]`` given ``observed``
    ``[B, C, *space]``.

    The generator is used in evaluation mode, so that the chains of a batch do not influence each other. With
    ``steps`` 0 the latents come back unchanged.

    Raises ``InputError`` for a σ, δ or number of steps that cannot be and, with 1 step or more, images of another shape
    than it makes.
    """
    return run(Langevin(step_size), Posterior(generator, observed, noise_std), latents, steps, rng)[0]


def reconstruction(
    generator: nn.Module, optimiser: torch.optim.Optimizer, latents: Latents, target: Images, noise_std: float
) -> tuple[Tensor, Tensor]:
    """Step G2: one step up the gradient of eq. (16). Returns the loss before the step and the rms residual.

    ``latents`` are ``[B, d, ...]``, and ``target`` is the image of each, ``[B, C, *space]``.

    Raises ``InputError`` where the generator makes images of another shape than ``target``.
    """
    made = generator(latents)
    if made.shape != target.shape:
        raise InputError(
            f"the generator makes images of shape {list(made.shape)} and is to learn from {list(target.shape)}; build "
            "it for the shape of the data"
        )
    residual = target - made
    loss = residual.flatten(1).square().sum(1).mean() / (2 * noise_std**2)
    descend(optimiser, loss)
    return loss.detach(), rms(residual.detach())


@dataclass(frozen=True)
class AlgorithmG:
    """Algorithm 2 as a learner.

    ``generator`` is the network whose copy will learn: latents ``[B, *latent_shape]`` -> images;
    ``observations`` the number of images in the data set, each of which has latents of its own.
    """

    plan: Plan
    generator: nn.Module
    latent_shape: tuple[int, ...]
    observations: int

    def init(self, rng: torch.Generator) -> State:
        """A copy of the network, empty moments, and latents drawn from the prior."""
        generator = copy.deepcopy(self.generator).train()
        average = frozen_copy(generator)
        latents = torch.randn((self.observations, *self.latent_shape), generator=rng, device=rng.device)
        return State(0, generator, average, self.plan.update.init(generator), latents)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> tuple[State, Record]:
        """One pass of G1 and G2 over a batch.

        Raises ``InputError`` for indices beyond ``observations``, and as `reconstruction` does.
        """
        plan, t = self.plan, state.iteration
        last = {image: row for row, image in enumerate(batch.indices.tolist())}  # a small set comes twice in a batch
        if max(last) >= self.observations:
            raise InputError(
                f"the batch holds image {max(last)}, and this learner was made for {self.observations} observations; "
                "give it the number of images in the data"
            )
        before = state.latents[batch.indices]
        latents = langevin_inference(
            state.generator, batch.images, before, plan.noise_std, plan.latent_step_size, plan.inference_steps, rng
        )
        state.latents[list(last)] = latents[list(last.values())]
        lr = set_rate(state.optimiser, plan.update.rate(t, plan.iterations))
        results = [
            reconstruction(state.generator, state.optimiser, latents, batch.images, plan.noise_std)
            for _ in range(plan.reconstruction_updates)
        ]
        average_towards(state.average, state.generator, plan.ema_decay, t + 1)
        loss, residual = results[0]
        record = Record(loss, residual, rms(latents - before), lr, latents, batch.images)
        return State(t + 1, state.generator, state.average, state.optimiser, state.latents), record

    def pictures(self, state: State, record: Record) -> dict[str, Images]:
        """The images of this iteration worth looking at, by name."""
        return {"observed": record.observed, "reconstructed": generate(state.average, record.latents)}

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
