r"""A deep directed generative model, taught by an energy (Kim and Bengio 2016, arXiv:1606.03439; CoopNets [29]).

    energy       E(Y) = YᵀY / σ² − f(Y),   f(Y) = bᵀY + Σ_i ln(1 + exp(w_iᵀ φ(Y) + b_i))     a product of experts
    energy step  down the gradient of  mean E(Y) − mean E(g(X))
    generator    down the gradient of  mean E(g(X)) − H(g),   H(g) ≈ Σ_l Σ_i ½ ln(2πe γ_{l,i}²)

There are no chains: the generator's images stand for draws from the energy, and an entropy keeps them from
gathering where it is lowest. The entropy is a surrogate, from the scales γ of the generator's batch norms, one
for each channel; a batch norm further down undoes a scale, so that most of it can grow at no cost.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..checks import InputError, check_counts, check_positive
from ..energy import Gaussian, Tilt
from ..gradient import frozen_copy
from ..learn.algorithm_d import check_gradient_penalty, density_shifting
from ..learn.calibration import calibrate
from ..learn.chunks import generate
from ..learn.coopnets import State
from ..learn.saving import load, nested
from ..learn.updates import Update, average_towards, check_average, descend, set_rate
from ..types import Batch, Energy, Images


@dataclass(frozen=True)
class Plan:
    """What a deep directed model learns with.

    ``iterations`` T; ``batch_size`` observed images an iteration, and as many generated ones; ``energy_std`` σ of
    YᵀY / σ²; ``entropy_weight`` of H (1: as printed); ``gradient_penalty`` γ, which holds f back (0: as printed; see
    `tutelage.learn.algorithm_d.Plan`); ``descriptor_update`` moves the energy's parameters,
    ``generator_update`` the generator's; ``ema_decay`` of the averaged generator that samples are drawn from (None:
    the live one); ``calibration_draws`` from the prior fix its batch-norm statistics after learning.

    Raises ``InputError`` for values that cannot work.
    """

    iterations: int
    batch_size: int
    energy_std: float
    descriptor_update: Update
    generator_update: Update
    entropy_weight: float = 1.0
    gradient_penalty: float = 0.0
    ema_decay: float | None = None
    calibration_draws: int = 10_000

    def __post_init__(self) -> None:
        check_counts(self, ("batch_size",), ("iterations",))
        check_average(self)
        check_positive(self, ("energy_std",))
        check_gradient_penalty(self.gradient_penalty)
        if not (math.isfinite(self.entropy_weight) and self.entropy_weight >= 0):
            raise InputError(f"entropy_weight is {self.entropy_weight}; it needs to be 0 or more")


class Record(NamedTuple):
    """What a person may want to look at."""

    value: Tensor
    """mean E(g(X)) − mean E(Y), before the update."""
    potential: Tensor
    """mean |f| over the observed images."""
    generated_energy: Tensor
    """mean E(g(X)), after the energy's update and before the generator's."""
    entropy: Tensor
    """H(g), in nats, before the update."""
    descriptor_lr: float
    generator_lr: float
    initial: Images


def experts_energy(energy_std: float, potential: Any) -> Tilt:
    """E(Y) = YᵀY / σ² − f(Y). There is no ½: the reference is N(0, σ²/2)."""
    return Tilt(Gaussian(energy_std / math.sqrt(2)), potential)


def entropy_of_scales(generator: nn.Module) -> Tensor:
    """H(g) ≈ Σ ½ ln(2πe γ²) over the scales of the generator's batch norms.

    Raises ``InputError`` where it has none.
    """
    scales = [scale for name, scale in generator.named_parameters() if name.startswith("scales.")]
    if not scales:
        raise InputError(
            "the generator has no batch-norm scales, of which its entropy is a sum; set generator.batch_norm_scale=true"
        )
    return sum(
        (0.5 * torch.log(2 * math.pi * math.e * scale.square()).sum() for scale in scales), scales[0].new_zeros(())
    )


def teaching(
    energy: Energy, generator: nn.Module, optimiser: torch.optim.Optimizer, drafts: Images, entropy_weight: float
) -> tuple[Tensor, Tensor]:
    """One step of the generator down mean E(g(X)) − weight · H(g). Returns both terms before the step.

    ``drafts`` are g(X), still differentiable. Only the generator's gradients are computed.
    """
    generated, entropy = energy(drafts).mean(), entropy_of_scales(generator)
    descend(optimiser, generated - entropy_weight * entropy)
    return generated.detach(), entropy.detach()


@dataclass(frozen=True)
class DeepDirected:
    """The model as a learner.

    ``descriptor`` is the potential f, images ``[B, C, *space]`` -> ``[B]``; ``generator``: latents ``[B,
    *latent_shape]`` -> images, with scales in its batch norms. Copies of both learn.
    """

    plan: Plan
    descriptor: nn.Module
    generator: nn.Module
    latent_shape: tuple[int, ...]

    def init(self, rng: torch.Generator) -> State:
        """Copies of the networks, and optimisers with empty moments."""
        descriptor, generator = copy.deepcopy(self.descriptor).train(), copy.deepcopy(self.generator).train()
        entropy_of_scales(generator)
        average = frozen_copy(generator)
        plan = self.plan
        updates = plan.descriptor_update.init(descriptor), plan.generator_update.init(generator)
        return State(0, descriptor, generator, average, *updates)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> tuple[State, Record]:
        """One update of the energy, then one of the generator, on the same drafts."""
        plan, t = self.plan, state.iteration
        descriptor_lr = set_rate(state.descriptor_optimiser, plan.descriptor_update.rate(t, plan.iterations))
        generator_lr = set_rate(state.generator_optimiser, plan.generator_update.rate(t, plan.iterations))
        energy = experts_energy(plan.energy_std, state.descriptor)
        latents = torch.randn((len(batch.images), *self.latent_shape), generator=rng, device=rng.device)
        drafts = state.generator(latents)
        initial = drafts.detach()
        value, potential = density_shifting(
            energy, state.descriptor_optimiser, batch.images, initial, plan.gradient_penalty
        )
        generated, entropy = teaching(energy, state.generator, state.generator_optimiser, drafts, plan.entropy_weight)
        average_towards(state.average, state.generator, plan.ema_decay, t + 1)
        state.iteration = t + 1
        return state, Record(value, potential, generated, entropy, descriptor_lr, generator_lr, initial)

    def pictures(self, state: State, record: Record) -> dict[str, Images]:
        """What the generator drafted in this iteration."""
        return {"initial": record.initial}

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
