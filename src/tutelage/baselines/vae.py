r"""VAE: a generator that learns with an encoder in the place of inference (Kingma and Welling 2014; CoopNets [30]).

    encoder      q(X | Y) = N(μ(Y), diag v(Y))
    decoder      p(Y | X) = N(g(X; α), σ² I)            the generator of CoopNets eq. (11), X ~ N(0, I)
    bound        ELBO(Y) = E_q ln p(Y | X) − KL(q(X | Y) ‖ N(0, I))  ≤  ln p(Y)

Encoder and decoder climb the bound together, its expectation by one draw X = μ + √v ε for each image. Where
Algorithm G runs a chain for the latents of each image, here one network infers those of all.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..checks import check_counts, check_positive
from ..gradient import frozen_copy
from ..learn.algorithm_d import rms
from ..learn.calibration import calibrate
from ..learn.chunks import generate
from ..learn.saving import load, nested
from ..learn.updates import Update, average_towards, check_average, descend, set_rate
from ..types import Batch, Images, Latents, Scores


@dataclass(frozen=True)
class Plan:
    """What a VAE learns with.

    ``iterations`` T; ``batch_size`` observed images an iteration; ``noise_std`` σ of the decoder; ``update`` moves
    both networks; ``ema_decay`` of the averaged generator that samples are drawn from (None: the live one);
    ``calibration_draws`` from the prior fix its batch-norm statistics after learning.

    Raises ``InputError`` for values that cannot work.
    """

    iterations: int
    batch_size: int
    noise_std: float
    update: Update
    ema_decay: float | None = None
    calibration_draws: int = 10_000

    def __post_init__(self) -> None:
        check_counts(self, ("batch_size",), ("iterations",))
        check_positive(self, ("noise_std",))
        check_average(self)


@dataclass
class State:
    """What the next iteration needs. ``average`` is the generator that samples are drawn from."""

    iteration: int
    encoder: nn.Module
    generator: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer


class Record(NamedTuple):
    """What a person may want to look at."""

    bound: Tensor
    """mean ELBO in nats, before the update."""
    reconstruction: Tensor
    """mean |Y − g(X)|² / (2 σ²)."""
    prior_divergence: Tensor
    """mean KL(q(X | Y) ‖ N(0, I)), in nats."""
    residual: Tensor
    """rms of Y − g(X), in image units."""
    lr: float
    latents: Latents
    observed: Images


class Bound(NamedTuple):
    """The evidence bound of each image, and what it is made of; X is the draw it was taken at."""

    value: Scores
    reconstruction: Scores
    prior_divergence: Scores
    residual: Images
    latents: Latents


def prior_divergence(mean: Latents, log_variance: Tensor) -> Scores:
    """KL(N(μ, diag v) ‖ N(0, I)) = ½ Σ (μ² + v − 1 − ln v), ``[B]``."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2


def evidence_bound(encoder: Any, generator: Any, observed: Images, noise_std: float, rng: torch.Generator) -> Bound:
    """ELBO of each image by one draw of its latents: unbiased, and differentiable in both networks.

    ``encoder``: images -> (μ, ln v), each ``[B, d]``; ``generator``: ``[B, d]`` -> images.
    """
    mean, log_variance = encoder(observed)
    noise = torch.randn(mean.shape, generator=rng, device=rng.device, dtype=mean.dtype)
    latents = mean + (log_variance / 2).exp() * noise
    residual = observed - generator(latents)
    flat = residual.flatten(1)
    reconstruction = flat.square().sum(1) / (2 * noise_std**2)
    constant = flat.shape[1] * math.log(2 * math.pi * noise_std**2) / 2
    divergence = prior_divergence(mean, log_variance)
    return Bound(-reconstruction - constant - divergence, reconstruction, divergence, residual, latents)


@dataclass(frozen=True)
class Vae:
    """A VAE as a learner: copies of ``encoder`` and ``generator`` learn (see `evidence_bound`).

    ``latent_shape`` is that of one image's latents, ``(d,)``.
    """

    plan: Plan
    encoder: nn.Module
    generator: nn.Module
    latent_shape: tuple[int, ...]

    def init(self, rng: torch.Generator) -> State:
        """Copies of the networks, and one optimiser with empty moments for both."""
        encoder, generator = copy.deepcopy(self.encoder).train(), copy.deepcopy(self.generator).train()
        average = frozen_copy(generator)
        both = nn.ModuleDict({"encoder": encoder, "generator": generator})
        return State(0, encoder, generator, average, self.plan.update.init(both))

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> tuple[State, Record]:
        """One step up the gradient of the mean bound of a batch."""
        plan, t = self.plan, state.iteration
        lr = set_rate(state.optimiser, plan.update.rate(t, plan.iterations))
        bound = evidence_bound(state.encoder, state.generator, batch.images, plan.noise_std, rng)
        descend(state.optimiser, -bound.value.mean())
        average_towards(state.average, state.generator, plan.ema_decay, t + 1)
        value, reconstruction, divergence, residual, latents = (part.detach() for part in bound)
        record = Record(
            value.mean(), reconstruction.mean(), divergence.mean(), rms(residual), lr, latents, batch.images
        )
        state.iteration = t + 1
        return state, record

    def pictures(self, state: State, record: Record) -> dict[str, Images]:
        """What was observed in this iteration, and what the averaged generator makes of its latents."""
        return {"observed": record.observed, "reconstructed": generate(state.average, record.latents)}

    def sample(self, state: State, n: int, rng: torch.Generator) -> dict[str, Images]:
        """``n`` images g(X), X from the prior, by the averaged generator: the decoder's mean, without its noise."""
        latents = torch.randn((n, *self.latent_shape), generator=rng, device=rng.device)
        return {"generator": generate(state.average, latents)}

    def finish(self, state: State, rng: torch.Generator) -> State:
        """Calibrate the averaged generator's batch-norm statistics; the learning state is untouched."""
        calibrate(state.average, self.plan.calibration_draws, self.latent_shape, rng, least=self.plan.batch_size)
        return state

    state_dict = staticmethod(nested)
    load_state_dict = staticmethod(load)
