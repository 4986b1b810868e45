r"""Algorithm D: maximum likelihood for a descriptor, by Langevin sampling (CoopNets §2.1, Algorithm 1).

    D1  Langevin revision    l_p steps of eq. (7) from the chains' present images
    D2  density shifting     θ ← θ + γ_t L'_p(θ),   L'_p ≈ ∂/∂θ [mean E(Ỹ) − mean E(Y)]    eq. (8)

The bracket is the value function V of eq. (9): D1 lowers it over the images, D2 raises it over the
parameters. Where the chains start decides the flavour: from noise or zeros at every iteration (short
runs), from the data (contrastive divergence), or from wherever they were (persistent chains).
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from ..checks import InputError, check_counts
from ..energy import Gaussian, Tilt, Uniform
from ..gradient import slopes
from ..sample import Langevin, LangevinInfo, run
from ..types import Batch, Images
from .chunks import images_per_chunk, in_chunks
from .saving import load, nested
from .updates import Update, descend, set_rate

Start = Literal["noise", "zeros", "data", "given"]
Loss = Literal["likelihood", "logistic"]


@dataclass(frozen=True)
class Plan:
    """The "Input" box of Algorithm 1.

    ``iterations`` T; ``batch_size`` observed images an iteration; ``chains`` ñ; ``revision_steps`` l_p of
    size ``step_size`` δ; ``reference_std`` s of p0 (None: the uniform measure); ``start`` of the chains:
    draws from the reference, zeros, the observed batch, or images given to the learner; with
    ``persistent`` the chains go on from where they were, and ``start`` is only their first place. ``pool``: how many
    persistent chains there are, of which ``chains`` move in an iteration, each in its turn (None: all of them). It is
    the replay buffer of Y. Du and I. Mordatch, "Implicit generation and modeling with energy-based models", 2019, but
    for what that draws at random and restarts from noise.
    ``noise_until``: the Langevin noise is switched off from that iteration on (None: never; 0: always
    off). ``metropolis`` corrects each step. ``update`` moves θ. ``gradient_penalty`` γ holds back how steep f gets
    where observed and revised images are (0: the paper's; L. Mescheder, A. Geiger and S. Nowozin, "Which training
    methods for GANs do actually converge?", ICML 2018, R1 and R2).

    Raises ``InputError`` for values that cannot work, δ ≥ 2s among them.
    """

    iterations: int
    batch_size: int
    chains: int
    revision_steps: int
    step_size: float
    reference_std: float | None
    update: Update
    start: Start = "noise"
    persistent: bool = False
    noise_until: int | None = None
    metropolis: bool = False
    gradient_penalty: float = 0.0
    pool: int | None = None

    def __post_init__(self) -> None:
        check_counts(self, at_least_one=("batch_size", "chains"), at_least_zero=("iterations", "revision_steps"))
        check_step_size(self.step_size, self.reference_std)
        check_gradient_penalty(self.gradient_penalty)
        if self.start not in ("noise", "zeros", "data", "given"):
            raise InputError(f"start is {self.start!r}; it needs to be 'noise', 'zeros', 'data' or 'given'")
        if self.start == "data" and self.chains != self.batch_size:
            raise InputError(
                f"chains that start from the data need chains = batch_size, not {self.chains} and {self.batch_size}"
            )
        if self.pool is not None:
            check_counts(self, at_least_one=("pool",), at_least_zero=())
            if not self.persistent:
                raise InputError(
                    f"pool is {self.pool}, but chains that start anew in every iteration are not kept; leave it out, "
                    "or make the chains persistent"
                )
            if self.pool < self.chains:
                raise InputError(
                    f"pool is {self.pool}, which is fewer than the {self.chains} chains that move in an iteration; "
                    "make it larger, or chains smaller"
                )

    @property
    def kept(self) -> int:
        """How many chains the state holds."""
        return self.chains if self.pool is None else self.pool


def check_step_size(step_size: float, reference_std: float | None) -> None:
    """Refuse δ ≥ 2s, with which Langevin dynamics diverges on the reference alone. Raises ``InputError``."""
    if not (math.isfinite(step_size) and step_size > 0):
        raise InputError(f"step_size is {step_size}; it needs to be above 0")
    Langevin(step_size)  # which refuses what is too large
    if reference_std is None:
        return
    if not (math.isfinite(reference_std) and reference_std > 0):
        raise InputError(f"reference_std is {reference_std}; it needs to be above 0, or none for a uniform reference")
    if step_size >= 2 * reference_std:
        raise InputError(
            f"step_size {step_size} with reference_std {reference_std}: Langevin dynamics diverges on the reference "
            f"itself unless step_size < 2 * reference_std = {2 * reference_std}; make the step smaller"
        )


def check_gradient_penalty(gradient_penalty: float) -> None:
    """Raises ``InputError`` for a γ that is below 0 or no number."""
    if not (math.isfinite(gradient_penalty) and gradient_penalty >= 0):
        raise InputError(f"gradient_penalty is {gradient_penalty}; it needs to be 0 (none) or more")


def check_loss(loss: str, reference_std: float | None = None) -> None:
    """Raises ``InputError`` for another word, and for logistic regression on a Gaussian reference: it leaves f flat
    where revised images are like the observed ones, and there the reference would pull them to zero."""
    if loss not in ("likelihood", "logistic"):
        raise InputError(f"loss is {loss!r}; it needs to be 'likelihood' or 'logistic'")
    if loss == "logistic" and reference_std is not None:
        raise InputError(
            f"loss is 'logistic' with reference_std {reference_std}: f comes to be flat where revised images are like "
            "the observed ones, and there a Gaussian reference would pull them to zero; let reference_std be none"
        )


@dataclass
class State:
    """What the next iteration needs. ``chains`` are the latest revised images, those that wait longest first:
    ``[ñ, C, *space]``, or as many as the pool has."""

    iteration: int
    descriptor: nn.Module
    optimiser: torch.optim.Optimizer
    chains: Images


class Record(NamedTuple):
    """What a person may want to look at: numbers (0-dim tensors, still on the device) and images."""

    value: Tensor
    """V of eq. (9), before the update."""
    drift_ratio: Tensor
    """rms of ∂f/∂Y over rms of ∂E_0/∂Y at the last Langevin step; near 1 when in balance."""
    movement: Tensor
    """rms of Ỹ minus where the chains started, in image units."""
    potential: Tensor
    """mean |f| over the observed images."""
    acceptance: Tensor
    """mean probability of acceptance in the last step (1 without the Metropolis correction)."""
    descriptor_lr: float
    revised: Images


def reference_energy(reference_std: float | None) -> Gaussian | Uniform:
    """p0: Gaussian of eq. (3), or the uniform measure where ``reference_std`` is None."""
    return Uniform() if reference_std is None else Gaussian(reference_std)


def revision_kernel(plan: Any, iteration: int) -> Langevin:
    """Eq. (7) with the plan's δ; without noise from ``noise_until`` on."""
    noisy = plan.noise_until is None or iteration < plan.noise_until
    return Langevin(plan.step_size, temperature=1.0 if noisy else 0.0, metropolis=plan.metropolis and noisy)


def learned_kernel(plan: Any, iterations: int) -> Langevin:
    """`revision_kernel` of the last of so many iterations: what came of them is sampled as it was learned."""
    return revision_kernel(plan, max(iterations - 1, 0))


def check_descriptor(descriptor: nn.Module) -> None:
    """Refuse a network whose f of an image hangs on the others of its batch, or on chance. Raises ``InputError``."""
    for name, layer in descriptor.named_modules():
        if layer.training and isinstance(layer, _BatchNorm | _DropoutNd):
            raise InputError(
                f"the descriptor has a layer {type(layer).__name__} ({name}), with which f of an image depends on the "
                "others of its batch, or on chance, and is no potential; leave it out, or put it in evaluation mode"
            )


def langevin_revision(
    energy: Tilt, images: Images, kernel: Langevin, steps: int, rng: torch.Generator
) -> tuple[Images, LangevinInfo | None]:
    """Step D1: ``steps`` steps of eq. (7) from ``images`` ``[ñ, C, *space]``.

    Returns Ỹ, of the same shape, and the last step's info (None for 0 steps). Raises ``InputError`` for fewer than 0.
    """
    return run(kernel, energy, images, steps, rng)


def density_shifting(
    energy: Tilt,
    optimiser: torch.optim.Optimizer,
    observed: Images,
    revised: Images,
    gradient_penalty: float = 0.0,
    loss: Loss = "likelihood",
) -> tuple[Tensor, Tensor]:
    """Step D2: one step up the gradient of V, eqs. (8) and (9). Returns V before the step and mean |f(Y)|.

    ``observed`` are ``[n, C, *space]`` and ``revised`` ``[ñ, C, *space]``; n and ñ may differ.

    With the ``loss`` "logistic" it is a step of IGM's classifiers instead (IGM §3.2.1), down `logistic_loss` with f as
    the logit: eq. (8) with each image weighed by the probability that f takes it for the other kind.

    With a ``gradient_penalty`` γ either loss has γ/2 (E|∂f/∂Y(Y)|² + E|∂f/∂Y(Ỹ)|²) more, over observed and revised
    images: f becomes no steeper than pays.

    Raises ``InputError`` where observed and revised images are of different shapes, and for another loss.
    """
    check_loss(loss)
    if observed.shape[1:] != revised.shape[1:]:
        raise InputError(
            f"the observed images are {list(observed.shape[1:])} each and the revised ones {list(revised.shape[1:])}; "
            "a generator, or given chains, need to be of the shape of the data"
        )
    if gradient_penalty:
        observed, revised = (images.detach().requires_grad_() for images in (observed, revised))
    (reference, potential), (of_revised, revised_potential) = energy.terms(observed), energy.terms(revised)
    value = potential.mean() - revised_potential.mean() + (of_revised.mean() - reference.mean())
    cost = -value if loss == "likelihood" else logistic_loss(potential, revised_potential)
    if gradient_penalty:
        both = ((potential, observed), (revised_potential, revised))
        cost = cost + gradient_penalty / 2 * sum(_squares(slopes(values, images)).mean() for values, images in both)
    descend(optimiser, cost)
    return value.detach(), potential.detach().abs().mean()


def logistic_loss(of_observed: Tensor, of_made: Tensor) -> Tensor:
    """E ln(1 + exp(−f(Y))) + E ln(1 + exp(f(Ỹ))), of logits ``[n]`` and ``[ñ]`` of "observed": 0-dim, in nats."""
    return F.softplus(-of_observed).mean() + F.softplus(of_made).mean()


def _squares(x: Tensor) -> Tensor:
    """|x|² of each image."""
    return x.square().flatten(1).sum(1)


def drift_ratio(info: LangevinInfo | None, like: Tensor) -> Tensor:
    """rms(∂f/∂Y) / rms(∂E_0/∂Y) at the last step; NaN where no step ran or the reference is uniform."""
    if info is None:
        return like.new_full((), math.nan)
    up, down = rms(info.aux.potential), rms(info.aux.reference)
    return torch.where(down > 0, up / down, math.nan)


def acceptance(info: LangevinInfo | None, like: Tensor) -> Tensor:
    """Mean probability of acceptance in the last step; 1 where no step ran, or none was corrected."""
    return like.new_ones(()) if info is None or info.acceptance is None else info.acceptance.mean()


def rms(x: Tensor) -> Tensor:
    """Root mean square over everything."""
    return x.square().mean().sqrt()


@dataclass(frozen=True)
class AlgorithmD:
    """Algorithm 1 as a learner.

    ``descriptor`` is the network whose copy will learn: images ``[B, C, *space]`` -> ``[B]``; ``shape`` of
    one image, ``(C, *space)``; ``given`` the images to start from where the plan says so, ``[ñ, C, *space]``, or as
    many as the pool has.
    """

    plan: Plan
    descriptor: nn.Module
    shape: tuple[int, ...]
    given: Images | None = None

    def init(self, rng: torch.Generator) -> State:
        """A copy of the network, an optimiser with empty moments, and the chains' first place.

        Raises ``InputError`` as `check_descriptor` does, and where images to start from are missing.
        """
        check_descriptor(self.descriptor)
        descriptor = copy.deepcopy(self.descriptor)
        chains = self._start(torch.zeros((self.plan.kept, *self.shape), device=rng.device), rng)
        return State(0, descriptor, self.plan.update.init(descriptor), chains)

    def _start(self, observed: Images, rng: torch.Generator) -> Images:
        match self.plan.start:
            case "noise":
                return reference_energy(self.plan.reference_std).sample((self.plan.kept, *self.shape), rng)
            case "zeros":
                return torch.zeros((self.plan.kept, *self.shape), device=rng.device)
            case "data":
                return observed
            case _:
                if self.given is None or tuple(self.given.shape) != (self.plan.kept, *self.shape):
                    got = None if self.given is None else list(self.given.shape)
                    raise InputError(
                        f"start='given' needs the images to start from, of shape "
                        f"{[self.plan.kept, *self.shape]}, not {got}: give them as AlgorithmD(given=...)"
                    )
                return self.given.to(rng.device)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> tuple[State, Record]:
        """One pass of D1 and D2."""
        plan, t = self.plan, state.iteration
        energy = Tilt(reference_energy(plan.reference_std), state.descriptor)
        first_from_data = plan.start == "data" and t * plan.chains < plan.kept
        goes_on = plan.persistent and not first_from_data
        start = state.chains[: plan.chains] if goes_on else self._start(batch.images, rng)

        revised, info = langevin_revision(energy, start, revision_kernel(plan, t), plan.revision_steps, rng)
        lr = set_rate(state.optimiser, plan.update.rate(t, plan.iterations))
        value, potential = density_shifting(energy, state.optimiser, batch.images, revised, plan.gradient_penalty)

        record = Record(
            value, drift_ratio(info, value), rms(revised - start), potential, acceptance(info, value), lr, revised
        )
        waiting = state.chains[plan.chains :]  # of a pool; else none
        return State(t + 1, state.descriptor, state.optimiser, torch.cat([waiting, revised])), record

    def pictures(self, state: State, record: Record) -> dict[str, Images]:
        """The images of this iteration worth looking at, by name."""
        return {"revised": record.revised}

    def sample(self, state: State, n: int, rng: torch.Generator) -> dict[str, Images]:
        """``n`` images: chains of ``revision_steps`` from the plan's start.

        Persistent chains, and those that start from given images, go on from where they were, and are
        taken after every ``revision_steps`` steps until there are ``n``: draws along the same chains are not
        independent of each other. Where chains start from the data in every iteration (contrastive divergence), samples
        start from the reference: few steps from a training image there is little but that image.
        """
        plan = self.plan
        energy = Tilt(reference_energy(plan.reference_std), state.descriptor)
        kernel = learned_kernel(plan, state.iteration)
        revise = lambda part: langevin_revision(energy, part, kernel, plan.revision_steps, rng)[0]  # noqa: E731
        size = images_per_chunk(self.shape, rng.device)
        if plan.persistent or plan.start == "given":
            draws, chains = [], state.chains[-self._begun(state) :]  # the others wait for their first place
            for missing in range(n, 0, -len(chains)):
                chains = in_chunks(revise, chains[:missing], size)
                draws.append(chains)
            return {"descriptor": torch.cat(draws)}
        if plan.start == "zeros":
            start = torch.zeros((n, *self.shape), device=rng.device)
        else:
            start = reference_energy(plan.reference_std).sample((n, *self.shape), rng)
        return {"descriptor": in_chunks(revise, start, size)}

    def _begun(self, state: State) -> int:
        """How many chains have a place: with a pool that starts from the data, those of the batches so far."""
        plan = self.plan
        return min(max(state.iteration, 1) * plan.chains, plan.kept) if plan.start == "data" else plan.kept

    def finish(self, state: State, rng: torch.Generator) -> State:
        """Nothing to do after learning."""
        return state

    state_dict = staticmethod(nested)
    load_state_dict = staticmethod(load)
