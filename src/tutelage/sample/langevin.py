r"""Langevin dynamics in the papers' form (CoopNets eqs. 7 and 15), with an optional Metropolis step.

    Y' = Y − (δ²/2) ∂E/∂Y + δ U,   U ~ N(0, I)

Drift δ²/2 and noise δ: other libraries write step ε and noise √(2ε); theirs is ε = δ²/2. The chain is
discrete, so on ``Gaussian(s)`` its stationary variance is ``s² / (1 − δ²/(4 s²))``, not ``s²``, and it
diverges for δ ≥ 2s. The Metropolis correction removes that bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..checks import InputError
from ..gradient import prepared
from ..types import Energy, Evaluation, Preparable, Scores

_LARGEST = 1e19


class LangevinState(NamedTuple):
    """Where the chains are, ``[B, ...]``. Nothing derived from an energy is kept."""

    position: Tensor


class LangevinInfo(NamedTuple):
    """What one step saw, at the position it started from."""

    energy: Scores
    """``[B]`` at the position before the step."""
    acceptance: Scores | None
    """``[B]`` probability of acceptance, with the Metropolis correction; None without it."""
    aux: Any
    """What the energy's prepared form tells of itself."""


@dataclass(frozen=True)
class Langevin:
    """The kernel ``Y ← Y − (δ²/2) ∂E/∂Y + δ √temperature · U`` (CoopNets eqs. 7, 15).

    ``step_size`` is δ, in the units of the position. ``temperature`` 0 switches the noise off (the
    zero-temperature limit of CoopNets §2.1); 1 samples ``exp(−E)``. ``metropolis`` accepts or rejects
    each step, each chain by itself, so that ``exp(−E/temperature)`` is left invariant exactly, as far as energies are
    exact: in float32 one of 10⁷ (a picture of 64x64 under a narrow reference) is known to about 1.

    Raises ``InputError`` where ``step_size`` is not positive or its square is no float32, ``temperature`` is negative,
    or ``metropolis`` is asked for at temperature 0.
    """

    step_size: float
    temperature: float = 1.0
    metropolis: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step_size) and self.step_size > 0):
            raise InputError(f"Langevin needs a step_size above 0, not {self.step_size}")
        if self.step_size > _LARGEST:
            raise InputError(
                f"Langevin needs a step_size of {_LARGEST:.0e} or less, not {self.step_size}: δ²/2 is to be a float32"
            )
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise InputError(f"Langevin needs a temperature of 0 or more, not {self.temperature}")
        if self.metropolis and self.temperature == 0:
            raise InputError(
                "a Metropolis correction has no meaning at temperature 0: "
                "give a temperature above 0, or metropolis=False"
            )

    def init(self, position: Tensor) -> LangevinState:
        """Chains at ``position``, ``[B, ...]``, float32 or float64."""
        return LangevinState(position.detach())

    def step(
        self, state: LangevinState, energy: Energy | Preparable, rng: torch.Generator
    ) -> tuple[LangevinState, LangevinInfo]:
        """One step of every chain. No value leaves the device."""
        evaluate = prepared(energy)
        here = evaluate(state.position)
        there = self._move(state.position, here, rng)
        if not self.metropolis:
            return LangevinState(there), LangevinInfo(here.value, None, here.aux)
        log_ratio = self._log_acceptance(state.position, here, there, evaluate(there))
        uniform = torch.rand(len(there), generator=rng, device=rng.device, dtype=log_ratio.dtype)
        accept = (uniform.log() < log_ratio).view(-1, *[1] * (there.ndim - 1))
        position = torch.where(accept, there, state.position)
        return LangevinState(position), LangevinInfo(here.value, log_ratio.clamp(max=0).exp(), here.aux)

    def _move(self, position: Tensor, here: Evaluation, rng: torch.Generator) -> Tensor:
        moved = torch.add(position, here.gradient, alpha=-(self.step_size**2) / 2)
        if self.temperature == 0:
            return moved
        noise = torch.randn(position.shape, generator=rng, device=rng.device, dtype=position.dtype)
        return moved.add_(noise, alpha=self.step_size * math.sqrt(self.temperature))

    def _log_acceptance(self, x: Tensor, at_x: Evaluation, y: Tensor, at_y: Evaluation) -> Scores:
        """``log [π(y) q(x|y)] − log [π(x) q(y|x)]`` with ``π = exp(−E/T)``; NaN counts as a refusal."""

        def log_proposal(to: Tensor, origin: Tensor, gradient: Tensor) -> Scores:
            offset = to - origin + (self.step_size**2 / 2) * gradient
            return -offset.flatten(1).square().sum(1) / (2 * self.step_size**2 * self.temperature)

        log_ratio = (at_x.value - at_y.value) / self.temperature
        log_ratio = log_ratio + log_proposal(x, y, at_y.gradient) - log_proposal(y, x, at_x.gradient)
        return torch.nan_to_num(log_ratio, nan=-math.inf, posinf=math.inf, neginf=-math.inf)
