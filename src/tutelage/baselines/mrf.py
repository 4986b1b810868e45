r"""Filling a hole by a Markov random field of neighbouring pixels (CoopNets §4.6, Table 5: MRF-ℓ1 and MRF-ℓ2).

    p(I) ∝ exp(−β E(I)),   E(I) = Σ_{p ~ q} |I_p − I_q|^ρ,   ρ = 1 or 2

over pairs of 4-neighbours of which one or both are hidden. The paper does not say how a hole was filled in. The
minimum of E for ρ = 2 is `Interpolation(4)`, which stands in the same table with a better number, so the paper's
was probably a sampler; both are here.

The minimum for ρ = 1 is a linear programme. Its dual is solved, whose variables are one flow y on each pair:

    min_x |D x − b|_1  =  max_y −b · y   subject to  Dᵀ y = 0,  |y| ≤ 1

and x are the multipliers of the constraints. It has many minima; which is found is up to the solver (HiGHS).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import InputError
from .holes import as_array, check_hole, filled, of_the_hole, scipy_modules, solved
from .inpainting import differences, springs

Power = Literal[1, 2]

_NEIGHBOURS = [(-1, 0), (0, -1), (0, 1), (1, 0)]


@dataclass(frozen=True)
class ExactMrf:
    """The minimum of E for ρ = ``power``, a `tutelage.baselines.holes.Fill`. Raises ``InputError`` for another ρ."""

    power: Power

    def __post_init__(self) -> None:
        _check_power(self.power)

    def __call__(self, image: Tensor, hole: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """The image with the hole filled in; nothing is drawn.

        Raises ``InputError`` for an image or a hole that does not fit, or without SciPy.
        """
        check_hole(image, hole)
        hidden = as_array(hole)
        if self.power == 2:  # each pixel is the mean of its neighbours
            return filled(image, hole, solved(*of_the_hole(differences(hidden, _NEIGHBOURS), image, hole)).T)
        matrix, right = of_the_hole(springs(hidden), image, hole)
        return filled(image, hole, np.stack([_least_absolute(matrix, b) for b in right.T]))


def _least_absolute(matrix, right: np.ndarray) -> np.ndarray:
    """An x of the smallest ``|matrix x − right|_1``, by the dual programme."""
    none = np.zeros(matrix.shape[1])
    found = scipy_modules().optimize.linprog(right, A_eq=matrix.T.tocsc(), b_eq=none, bounds=(-1, 1), method="highs-ds")
    if not found.success:
        raise InputError(f"the linear programme of the ℓ1 field was not solved ({found.message}); take another method")
    return found.eqlin.marginals


@dataclass(frozen=True)
class GibbsMrf:
    """A draw from p(I) by Gibbs sampling on grey levels, a `tutelage.baselines.holes.Fill`.

    The range [``low``, ``high``] has ``levels`` levels, evenly spaced; known pixels count as their nearest.
    Differences, and so ``beta``, are in levels: p(I_p = k | rest) ∝ exp(−β Σ_q |k − I_q|^ρ). ``sweeps`` over the hole
    begin with the minimum of E for ρ = 2: from noise, as many sweeps reach only that many pixels into it, at best. A
    sweep draws all pixels of one colour of a checkerboard, which do not know of each other, and then those of the
    other. With ``first_beta`` the field is annealed: β goes from there to ``beta`` in equal ratios, one for each sweep.

    32 levels and β = .2 are those of a course's code for the same task; the paper gives none.

    Raises ``InputError`` for values that cannot work.
    """

    power: Power
    levels: int = 32
    beta: float = 0.2
    sweeps: int = 100
    first_beta: float | None = None
    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        _check_power(self.power)
        if self.levels < 2 or self.sweeps < 1:
            raise InputError(
                f"a field of {self.levels} levels and {self.sweeps} sweeps was asked for; it needs 2 levels and 1 "
                "sweep or more"
            )
        if not self.low < self.high:
            raise InputError(f"the range of grey levels is {self.low} to {self.high}; give black, then a larger white")
        for name, beta in (("beta", self.beta), ("first_beta", self.first_beta)):
            if beta is not None and not (math.isfinite(beta) and beta > 0):
                raise InputError(f"{name} of a Markov random field is {beta}; it needs to be above 0")

    def __call__(self, image: Tensor, hole: Tensor, rng: torch.Generator) -> Tensor:
        """The image with the hole drawn.

        Raises ``InputError`` for an image or a hole that does not fit, or without SciPy.
        """
        check_hole(image, hole)
        unit = (self.high - self.low) / (self.levels - 1)
        field = ((ExactMrf(2)(image, hole) - self.low) / unit).round().clamp(0, self.levels - 1)
        for beta in self._betas():
            for colour in _checkerboard(hole):
                field = self._drawn(field, colour, beta, rng)
        return filled(image, hole, self.low + unit * field[:, hole])

    def _betas(self) -> list[float]:
        first = self.beta if self.first_beta is None else self.first_beta
        ratio = (self.beta / first) ** (1 / max(1, self.sweeps - 1))
        return [self.beta * ratio ** (sweep + 1 - self.sweeps) for sweep in range(self.sweeps)]

    def _drawn(self, field: Tensor, where: Tensor, beta: float, rng: torch.Generator) -> Tensor:
        """The field with the pixels ``where``, no two of them neighbours, drawn given the others."""
        levels = torch.arange(self.levels, device=field.device, dtype=field.dtype)
        padded = F.pad(field, (1, 1, 1, 1), value=torch.nan)  # beyond the border there is nothing to differ from
        energy = field.new_zeros((len(field), int(where.sum()), self.levels))
        for row, column in _NEIGHBOURS:
            beside = padded[:, 1 + row :, 1 + column :][:, : field.shape[1], : field.shape[2]][:, where]
            energy += (levels - beside[..., None]).abs().pow(self.power).nan_to_num(nan=0.0)
        chances = torch.softmax(-beta * energy, -1).flatten(0, 1)
        field = field.clone()
        if len(chances):
            drawn = torch.multinomial(chances, 1, generator=rng)
            field[:, where] = drawn.view(len(field), -1).to(field.dtype)
        return field


def _checkerboard(hole: Tensor) -> tuple[Tensor, Tensor]:
    """The hole's pixels of each colour of a checkerboard."""
    rows, columns = (torch.arange(length, device=hole.device) for length in hole.shape)
    white = (rows[:, None] + columns) % 2 == 0
    return hole & white, hole & ~white


def _check_power(power: int) -> None:
    if power not in (1, 2):
        raise InputError(f"the power of a Markov random field is {power!r}; give 1 or 2")
