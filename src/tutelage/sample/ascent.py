r"""Adam on the pixels: how IGM synthesises (IGM §3.2.2, §4.1).

    g = ∂E/∂x,   m ← β1 m + (1 − β1) g,   v ← β2 v + (1 − β2) g²
    x ← x − lr · m / (1 − β1ᵗ) / (√(v / (1 − β2ᵗ)) + ε)

Descending the energy is climbing the potential: on a flat reference tilted by a classifier's logit this
increases ⟨w, φ(x)⟩ of eq. (11). There is no noise, so the chain seeks a mode and samples nothing; a stop
rule ends it while the images still differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..checks import InputError
from ..gradient import prepared
from ..types import Energy, Preparable, Scores


class AscentState(NamedTuple):
    """Where the chains are, and Adam's memory of the gradients so far."""

    position: Tensor
    """``[B, ...]``."""
    first: Tensor
    """``[B, ...]``, running mean of the gradients (m)."""
    second: Tensor
    """``[B, ...]``, running mean of their squares (v)."""
    steps: int
    """How many steps both have seen (t)."""


class AscentInfo(NamedTuple):
    """What one step saw, at the position it started from."""

    energy: Scores
    """``[B]`` at the position before the step."""
    aux: Any
    """What the energy's prepared form tells of itself."""


@dataclass(frozen=True)
class Ascent:
    """Adam on the pixels, descending the energy, that is climbing the potential (IGM §4.1).

    The same update as ``torch.optim.Adam`` on the pixels as its parameters. ``lr`` is the learning rate, in
    the units of the position (.1 in the paper, .01 in its authors' code), ``beta1`` and ``beta2`` in
    [0, 1) are how much of its two means is kept at each step, ``eps`` keeps the quotient finite.

    ``average_overlaps`` divides the whole gradient, pixel by pixel, by how many patches of the newest
    classifier cover the pixel: "the average loss of all patches that overlap a given pixel" (IGM §3.4).
    That is a preconditioner and no gradient of any energy, so only this kernel has it. A pixel that no patch
    covers gets no gradient from the patches; Adam's momentum moves it still, as it does every parameter
    whose gradient is zero.

    The moments remember the energies of earlier steps. Call ``init`` again where that is not wanted, for
    instance when the next classifier takes over.

    Raises ``InputError`` where ``lr`` or ``eps`` is not positive or a beta is outside [0, 1).
    """

    lr: float
    beta1: float = 0.5
    beta2: float = 0.999
    eps: float = 1e-8
    average_overlaps: bool = False

    def __post_init__(self) -> None:
        for name in ("lr", "eps"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"Ascent needs {name} above 0, not {getattr(self, name)}")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"Ascent needs {name} from 0 to below 1, not {getattr(self, name)}")

    def init(self, position: Tensor) -> AscentState:
        """Chains at ``position``, ``[B, ...]``, float32 or float64, with moments of zero."""
        position = position.detach()
        return AscentState(position, torch.zeros_like(position), torch.zeros_like(position), 0)

    def step(
        self, state: AscentState, energy: Energy | Preparable, rng: torch.Generator
    ) -> tuple[AscentState, AscentInfo]:
        """One step of every chain. ``state`` stays as it was, ``rng`` is not used, no value leaves the device.

        Raises ``InputError`` where ``average_overlaps`` is set and the energy does not tell its coverage.
        """
        value, gradient, aux = prepared(energy)(state.position)
        if self.average_overlaps:
            gradient = gradient / self._coverage(aux).clamp(min=1).to(gradient.dtype)
        t = state.steps + 1
        first = torch.lerp(state.first, gradient, 1 - self.beta1)
        second = (self.beta2 * state.second).addcmul_(gradient, gradient, value=1 - self.beta2)
        spread = second.sqrt().div_(math.sqrt(1 - self.beta2**t)).add_(self.eps)
        position = torch.addcdiv(state.position, first, spread, value=-self.lr / (1 - self.beta1**t))
        return AscentState(position, first, second, t), AscentInfo(value, aux)

    def _coverage(self, aux: Any) -> Tensor:
        """``[B, 1, *space]``: how many patches of the newest classifier cover each pixel."""
        scored = getattr(aux, "scored", ())
        if not scored or scored[-1].coverage is None:
            raise InputError(
                "average_overlaps needs an energy that tells how many patches cover each pixel, and this one's "
                f"aux ({type(aux).__name__}) does not: let the newest potential be one of patches, or set "
                "average_overlaps=False"
            )
        return scored[-1].coverage
