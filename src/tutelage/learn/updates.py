"""How parameters move: optimisers as values, learning-rate schedules, averages of weights."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import InputError


@dataclass(frozen=True)
class Adam:
    """Adam, with the learning rate γ_t of iteration t.

    ``lr`` at the start; with ``lr_final`` it falls to that along half a cosine over the plan's
    iterations, and without it stays. ``beta1`` is .5 in the authors' code.

    Raises ``InputError`` for rates that are not positive.
    """

    lr: float
    lr_final: float | None = None
    beta1: float = 0.5
    beta2: float = 0.999

    def __post_init__(self) -> None:
        for name in ("lr", "lr_final"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} is {value}; a learning rate needs to be above 0")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it needs to be at least 0 and below 1")

    def init(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Adam:
        """An optimiser with empty moments, over the parameters that learn."""
        learning = [parameter for parameter in parameters if parameter.requires_grad]
        return torch.optim.Adam(learning, lr=self.lr, betas=(self.beta1, self.beta2), fused=True)

    def rate(self, iteration: int, iterations: int) -> float:
        """γ_t: ``lr`` at iteration 0, ``lr_final`` (where given) from ``iterations`` on."""
        if self.lr_final is None:
            return self.lr
        progress = min(iteration / max(iterations, 1), 1.0)
        return self.lr_final + (self.lr - self.lr_final) * (1 + math.cos(math.pi * progress)) / 2


def load_optimiser(optimiser: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Restore an optimiser's state, each moment in the memory layout of its parameter.

    A file keeps no layout, and a fused update takes both as flat memory: without this, the moments of a
    channels-last weight would be applied to the wrong elements.
    """
    optimiser.load_state_dict(saved)
    for parameter, moments in optimiser.state.items():
        for name, moment in moments.items():
            if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter, dtype=moment.dtype).copy_(moment).detach()


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> float:
    """Give every parameter group the learning rate ``rate``, and return it."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    return rate


@torch.no_grad()
def average_towards(average: nn.Module, live: nn.Module, decay: float) -> None:
    """Exponential moving average: ``average ← decay · average + (1 − decay) · live``.

    Buffers (running statistics) are copied. A decay of 0 copies everything.
    """
    for mine, theirs in zip(average.parameters(), live.parameters(), strict=True):
        mine.lerp_(theirs, 1 - decay)
    for mine, theirs in zip(average.buffers(), live.buffers(), strict=True):
        mine.copy_(theirs)
