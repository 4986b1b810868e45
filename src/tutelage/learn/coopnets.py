r"""CoopNets: a descriptor and a generator learn from each other (CoopNets §3, Algorithm 3).

    G0  initial generation   X̂ ~ N(0, I), Ŷ = g(X̂; α) (+ ε)                     S1, the draft
    D1  Langevin revision    l_p steps of eq. (7) from Ŷ                          S2, the revision Ỹ
    G1  Langevin inference   l_q steps of eq. (15) from X̂ given Ỹ (0: X = X̂)
    D2  density shifting     θ up the gradient of V, from Ỹ towards the observed Y
    G2  reconstruction       α up the gradient of eq. (16), with Ỹ in place of Y  S3 = g(X; α⁺)

Algorithms D and G, interwoven: the generator jump-starts the descriptor's chains, and learns from what
they do to its drafts. That is MCMC teaching.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..checks import check_counts
from ..energy import Tilt
from ..gradient import frozen_copy
from ..types import Batch, Images, Latents
from .algorithm_d import (
    Loss,
    acceptance,
    check_descriptor,
    check_gradient_penalty,
    check_loss,
    check_step_size,
    density_shifting,
    drift_ratio,
    langevin_revision,
    learned_kernel,
    reference_energy,
    revision_kernel,
    rms,
)
from .algorithm_g import check_generator_plan, langevin_inference, reconstruction
from .calibration import calibrate
from .chunks import generate, images_per_chunk, in_chunks
from .saving import load, nested
from .updates import Update, average_towards, set_rate


@dataclass(frozen=True)
class Plan:
    """The "Input" box of Algorithm 3.

    ``iterations`` T; ``batch_size`` observed images an iteration; ``chains`` ñ. For the descriptor:
    ``revision_steps`` l_p of size ``step_size`` δ, ``reference_std`` s of p0 (None: uniform),
    ``noise_until`` (the Langevin noise is off from that iteration on; None: never; 0: always),
    ``metropolis``, ``gradient_penalty`` γ (see `tutelage.learn.algorithm_d.Plan`; 0: none), the ``loss`` of D2 (see
    `tutelage.learn.algorithm_d.density_shifting`; "logistic" needs a uniform p0). For the generator:
    ``inference_steps`` l_q of size ``latent_step_size``, ``noise_std`` σ of ε, ``add_noise`` (whether ε is added to
    the drafts of G0), ``reconstruction_updates`` passes of G2 an iteration, ``ema_decay`` of the averaged generator
    that samples are drawn from (None: the live one), ``calibration_draws`` that fix its batch-norm statistics.

    Raises ``InputError`` for values that cannot work, δ ≥ 2s among them.
    """

    iterations: int
    batch_size: int
    chains: int
    revision_steps: int
    step_size: float
    reference_std: float | None
    noise_std: float
    descriptor_update: Update
    generator_update: Update
    inference_steps: int = 0
    latent_step_size: float = 0.1
    reconstruction_updates: int = 1
    noise_until: int | None = None
    metropolis: bool = False
    add_noise: bool = False
    ema_decay: float | None = None
    calibration_draws: int = 10_000
    gradient_penalty: float = 0.0
    loss: Loss = "likelihood"

    def __post_init__(self) -> None:
        check_counts(
            self,
            at_least_one=("batch_size", "chains", "reconstruction_updates"),
            at_least_zero=("iterations", "revision_steps", "inference_steps"),
        )
        check_step_size(self.step_size, self.reference_std)
        check_gradient_penalty(self.gradient_penalty)
        check_loss(self.loss, self.reference_std)
        check_generator_plan(self)


@dataclass
class State:
    """What the next iteration needs. ``average`` is the generator that samples are drawn from."""

    iteration: int
    descriptor: nn.Module
    generator: nn.Module
    average: nn.Module
    descriptor_optimiser: torch.optim.Optimizer
    generator_optimiser: torch.optim.Optimizer


class Record(NamedTuple):
    """What a person may want to look at: numbers (0-dim tensors, still on the device) and images."""

    value: Tensor
    """V of eq. (9), before the update."""
    reconstruction: Tensor
    """mean |Ỹ − g(X)|² / (2 σ²), before the first update of G2."""
    drift_ratio: Tensor
    """rms of ∂f/∂Y over rms of ∂E_0/∂Y at the last Langevin step; near 1 when in balance."""
    movement: Tensor
    """rms of Ỹ − Ŷ, in image units."""
    latent_movement: Tensor
    """rms of X − X̂; 0 where l_q is 0."""
    potential: Tensor
    """mean |f| over the observed images."""
    acceptance: Tensor
    """mean probability of acceptance in the last Langevin step (1 without the Metropolis correction)."""
    descriptor_lr: float
    generator_lr: float
    latents: Latents
    initial: Images
    revised: Images


def initial_generation(
    generator: nn.Module, chains: int, latent_shape: tuple[int, ...], noise_std: float, rng: torch.Generator
) -> tuple[Latents, Images]:
    """Step G0: X̂ ~ N(0, I) and Ŷ = g(X̂) + ε, ε ~ N(0, ``noise_std``²); a ``noise_std`` of 0 adds nothing.

    Returns X̂, ``[chains, *latent_shape]``, and Ŷ, ``[chains, C, *space]``.
    """
    latents = torch.randn((chains, *latent_shape), generator=rng, device=rng.device)
    with torch.no_grad():
        images = generator(latents)
    if noise_std:
        images = images + noise_std * torch.randn(images.shape, generator=rng, device=rng.device)
    return latents, images


@dataclass(frozen=True)
class CoopNets:
    """Algorithm 3 as a learner.

    ``descriptor``: images ``[B, C, *space]`` -> ``[B]``; ``generator``: latents ``[B, *latent_shape]`` ->
    images. Copies of both learn.
    """

    plan: Plan
    descriptor: nn.Module
    generator: nn.Module
    latent_shape: tuple[int, ...]

    def init(self, rng: torch.Generator) -> State:
        """Copies of the networks, and optimisers with empty moments. Raises as `check_descriptor` does."""
        check_descriptor(self.descriptor)
        descriptor = copy.deepcopy(self.descriptor)
        generator = copy.deepcopy(self.generator).train()
        average = frozen_copy(generator)
        return State(
            0,
            descriptor,
            generator,
            average,
            self.plan.descriptor_update.init(descriptor),
            self.plan.generator_update.init(generator),
        )

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> tuple[State, Record]:
        """One pass of G0, D1, G1, D2, G2."""
        plan, t = self.plan, state.iteration
        energy = Tilt(reference_energy(plan.reference_std), state.descriptor)
        descriptor_lr = set_rate(state.descriptor_optimiser, plan.descriptor_update.rate(t, plan.iterations))
        generator_lr = set_rate(state.generator_optimiser, plan.generator_update.rate(t, plan.iterations))

        drawn, initial = initial_generation(
            state.generator, plan.chains, self.latent_shape, plan.noise_std if plan.add_noise else 0.0, rng
        )
        revised, info = langevin_revision(energy, initial, revision_kernel(plan, t), plan.revision_steps, rng)
        latents = langevin_inference(
            state.generator, revised, drawn, plan.noise_std, plan.latent_step_size, plan.inference_steps, rng
        )
        value, potential = density_shifting(
            energy, state.descriptor_optimiser, batch.images, revised, plan.gradient_penalty, plan.loss
        )
        losses = [
            reconstruction(state.generator, state.generator_optimiser, latents, revised, plan.noise_std)[0]
            for _ in range(plan.reconstruction_updates)
        ]
        average_towards(state.average, state.generator, plan.ema_decay, t + 1)

        record = Record(
            value,
            losses[0],
            drift_ratio(info, value),
            rms(revised - initial),
            rms(latents - drawn),
            potential,
            acceptance(info, value),
            descriptor_lr,
            generator_lr,
            latents,
            initial,
            revised,
        )
        state.iteration = t + 1
        return state, record

    def pictures(self, state: State, record: Record) -> dict[str, Images]:
        """S1, S2 and S3 of this iteration (CoopNets §3.1)."""
        with torch.no_grad():
            reconstructed = copy.deepcopy(state.generator)(record.latents)
        return {"initial": record.initial, "revised": record.revised, "reconstructed": reconstructed}

    def sample(self, state: State, n: int, rng: torch.Generator) -> dict[str, Images]:
        """``n`` images from the averaged generator, and the same revised by ``revision_steps`` steps."""
        latents = torch.randn((n, *self.latent_shape), generator=rng, device=rng.device)
        drafts = generate(state.average, latents)
        return {"generator": drafts, "descriptor": self.revise(state, drafts, self.plan.revision_steps, rng)}

    def revise(self, state: State, images: Images, steps: int, rng: torch.Generator) -> Images:
        """``steps`` steps of Langevin revision of given images by the descriptor learned."""
        energy = Tilt(reference_energy(self.plan.reference_std), state.descriptor)
        kernel = learned_kernel(self.plan, state.iteration)
        chunk = images_per_chunk(tuple(images.shape[1:]), images.device)
        return in_chunks(lambda part: langevin_revision(energy, part, kernel, steps, rng)[0], images, chunk)

    def finish(self, state: State, rng: torch.Generator) -> State:
        """Calibrate the averaged generator's batch-norm statistics; the learning state is untouched."""
        calibrate(state.average, self.plan.calibration_draws, self.latent_shape, rng, least=self.plan.chains)
        return state

    state_dict = staticmethod(nested)
    load_state_dict = staticmethod(load)
