r"""Flow matching along straight lines (Lipman et al. 2023; Liu et al. 2023, "rectified flow"): what is used today.

    line         Y_t = (1 − t) Y_0 + t Y_1,   Y_0 ~ N(0, I), Y_1 observed, t ~ U(0, 1)
    learning     v ← argmin E |v(Y_t, t) − (Y_1 − Y_0)|²,   so that   v(y, t) = E[Y_1 − Y_0 | Y_t = y]
    sampling     dY/dt = v(Y, t) from noise at t = 0 to an image at t = 1, by Euler's or Heun's rule

Neither of the papers has it. It is here so that their models are set beside a present one of like cost.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from ..checks import InputError, check_counts
from ..gradient import frozen_copy
from ..learn.chunks import images_per_chunk, in_chunks
from ..learn.saving import load, nested
from ..learn.updates import Update, average_towards, check_ema_decay, descend, set_rate
from ..types import Batch, Images

Solver = Literal["euler", "heun"]


@dataclass(frozen=True)
class Plan:
    """What a velocity field learns with.

    ``iterations`` T; ``batch_size`` observed images an iteration; ``update`` moves the field; ``steps`` of
    ``solver`` from noise to an image ("euler": one evaluation of the field a step; "heun": two); ``ema_decay`` of
    the averaged field that samples are drawn from (None: the live one).

    Raises ``InputError`` for values that cannot work.
    """

    iterations: int
    batch_size: int
    update: Update
    steps: int
    solver: Solver = "heun"
    ema_decay: float | None = None

    def __post_init__(self) -> None:
        check_counts(self, ("batch_size", "steps"), ("iterations",))
        check_ema_decay(self.ema_decay)
        if self.solver not in ("euler", "heun"):
            raise InputError(f"solver is {self.solver!r}; it needs to be 'euler' or 'heun'")


@dataclass
class State:
    """What the next iteration needs. ``average`` is the field that samples are drawn from."""

    iteration: int
    velocity: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer


class Record(NamedTuple):
    """What a person may want to look at."""

    regression: Tensor
    """mean squared error of the field, per value of an image, before the update."""
    lr: float
    observed: Images
    predicted: Images
    """where the field would carry Y_t by t = 1 in one step; blurred where Y_t says little."""


def regression(velocity: Any, observed: Images, rng: torch.Generator) -> tuple[Tensor, Images]:
    """The loss at one random point on the line to each image, per value, and the images predicted from there."""
    noise = torch.randn(observed.shape, generator=rng, device=rng.device, dtype=observed.dtype)
    times = torch.rand(len(observed), generator=rng, device=rng.device, dtype=observed.dtype)
    t = times.view(-1, *[1] * (observed.ndim - 1))
    between = (1 - t) * noise + t * observed
    guess = velocity(between, times)
    return (guess - (observed - noise)).square().mean(), between + (1 - t) * guess.detach()


@torch.no_grad()
def transport(velocity: Any, start: Images, steps: int, solver: Solver) -> Images:
    """Carry images from t = 0 to t = 1 along ``velocity``, in ``steps`` equal steps.

    Euler's rule is of first order, Heun's (the mean of the velocities at both ends of an Euler step) of second.
    """
    images, size = start, 1 / steps
    for k in range(steps):
        now = velocity(images, images.new_full((len(images),), k * size))
        ahead = images + size * now
        if solver == "heun":
            then = velocity(ahead, images.new_full((len(images),), (k + 1) * size))
            ahead = images + size / 2 * (now + then)
        images = ahead
    return images


@dataclass(frozen=True)
class FlowMatching:
    """Flow matching as a learner.

    ``velocity`` is the network whose copy will learn: images and times ``[B]`` -> images; ``shape`` of one image,
    ``(C, *space)``.
    """

    plan: Plan
    velocity: nn.Module
    shape: tuple[int, ...]

    def init(self, rng: torch.Generator) -> State:
        """A copy of the network, and an optimiser with empty moments."""
        velocity = copy.deepcopy(self.velocity).train()
        average = frozen_copy(velocity)
        return State(0, velocity, average, self.plan.update.init(velocity))

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> tuple[State, Record]:
        """One step down the gradient of the regression on a batch."""
        plan, t = self.plan, state.iteration
        lr = set_rate(state.optimiser, plan.update.rate(t, plan.iterations))
        loss, predicted = regression(state.velocity, batch.images, rng)
        descend(state.optimiser, loss)
        average_towards(state.average, state.velocity, plan.ema_decay, t + 1)
        state.iteration = t + 1
        return state, Record(loss.detach(), lr, batch.images, predicted)

    def pictures(self, state: State, record: Record) -> dict[str, Images]:
        """What was observed in this iteration, and what was predicted of it from points on the way."""
        return {"observed": record.observed, "predicted": record.predicted}

    def sample(self, state: State, n: int, rng: torch.Generator) -> dict[str, Images]:
        """``n`` images: noise, carried to t = 1 along the averaged field."""
        noise = torch.randn((n, *self.shape), generator=rng, device=rng.device)
        carry = lambda part: transport(state.average, part, self.plan.steps, self.plan.solver)  # noqa: E731
        return {"flow": in_chunks(carry, noise, images_per_chunk(self.shape, rng.device))}

    def finish(self, state: State, rng: torch.Generator) -> State:
        """Nothing to do after learning."""
        return state

    state_dict = staticmethod(nested)
    load_state_dict = staticmethod(load)
