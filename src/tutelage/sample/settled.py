"""When inference has come to rest: the misfit of the latents has stopped falling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import InputError


@dataclass(frozen=True)
class Settled:
    """Stop a chain whose mean misfit over ``window`` steps is no lower than over the ``window`` steps before.

    The misfit is ``info.aux.misfit`` (of a ``Posterior``: the squared distance from what was observed). It is looked at
    every ``window`` steps, each chain by itself, so that no chain stops before its step 2 · ``window``, which it then
    does not make. A chain that has reached its equilibrium falls by chance as often as not: it stops soon after, but
    not at once. A misfit that is not a number stops nothing. The state is the number of steps since the last look, the
    sum of the misfit over them, and the mean before.

    Raises ``InputError`` where ``window`` is below 1.
    """

    window: int = 50

    def __post_init__(self) -> None:
        if self.window < 1:
            raise InputError(f"Settled needs a window of 1 step or more, not {self.window}")

    def init(self) -> tuple[int, float, float]:
        """Nothing seen yet."""
        return 0, 0.0, math.inf

    def observe(self, state: tuple[int, Any, Any], info: Any) -> tuple[tuple[int, Any, Any], Tensor]:
        """One more step. Raises ``InputError`` where the energy tells no misfit."""
        misfit = getattr(info.aux, "misfit", None)
        if misfit is None:
            raise InputError(
                f"{self} reads how far images are from what was observed, and the energy told nothing of it (its aux "
                f"is {type(info.aux).__name__}): give a Posterior, or stop by EnoughSteps"
            )
        steps, total, before = state
        steps, total = steps + 1, misfit + torch.as_tensor(total, dtype=misfit.dtype, device=misfit.device)
        if steps < self.window:
            return (steps, total, before), torch.zeros_like(misfit, dtype=torch.bool)
        now = total / self.window
        before = torch.as_tensor(before, dtype=misfit.dtype, device=misfit.device)
        return (0, 0.0, now), now >= before
