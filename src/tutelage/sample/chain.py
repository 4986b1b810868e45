"""A chain: a kernel run on an energy."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from ..checks import InputError
from ..gradient import Fixed, prepared
from ..types import Energy, Preparable, RandomEnergy

StateT = TypeVar("StateT")


class Kernel(Protocol[StateT]):
    """A frozen value whose fields are its hyper-parameters; energy and chance are arguments of ``step``."""

    def init(self, position: Tensor) -> StateT: ...

    def step(self, state: StateT, energy: Any, rng: torch.Generator) -> tuple[StateT, Any]: ...


def run(
    kernel: Kernel, energy: Energy | Preparable | RandomEnergy, position: Tensor, steps: int, rng: torch.Generator
) -> tuple[Tensor, Any]:
    """``steps`` steps of ``kernel`` on ``energy`` from ``position`` (``[B, ...]``).

    The energy is prepared once, or drawn afresh before each step where it is random. ``position`` is
    not changed. Returns the last position, and the info of the last step (None where ``steps`` is 0).
    No value leaves the device inside the chain.

    Raises ``InputError`` where ``steps`` is negative.
    """
    if steps < 0:
        raise InputError(f"a chain needs 0 or more steps, not {steps}")
    state, info = kernel.init(position), None
    random = isinstance(energy, RandomEnergy)
    fixed = None if random else Fixed(prepared(energy))
    for _ in range(steps):
        state, info = kernel.step(state, energy.draw(rng) if random else fixed, rng)
    return state.position, info
