"""Any kernel, kept inside a range (the authors of IGM clip images to [-1, 1] after each step)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import InputError
from ..types import Energy, Preparable
from .chain import Kernel
from .langevin import Langevin


@dataclass(frozen=True)
class Clipped:
    """``kernel``, with every number of the position clipped to [``low``, ``high``] after each step.

    The rest of the kernel's state goes on as if nothing had been clipped. ``init`` clips nothing.

    Raises ``InputError`` unless ``low`` is below ``high``, and for Langevin with ``metropolis=True``: a clipped
    proposal is not the one its acceptance was computed for.
    """

    kernel: Kernel
    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InputError(f"Clipped needs low below high, not low={self.low} and high={self.high}")
        if isinstance(self.kernel, Langevin) and self.kernel.metropolis:
            raise InputError(
                "a Metropolis correction cannot be clipped: the acceptance was computed for the proposal "
                "before clipping; give Langevin with metropolis=False, or do not clip"
            )

    def init(self, position: Tensor) -> Any:
        """Chains at ``position``, ``[B, ...]``: the state of the kernel inside."""
        return self.kernel.init(position)

    def step(self, state: Any, energy: Energy | Preparable, rng: torch.Generator) -> tuple[Any, Any]:
        """One step of the kernel inside, then clip. Its info is passed on."""
        state, info = self.kernel.step(state, energy, rng)
        return state._replace(position=state.position.clamp(self.low, self.high)), info
