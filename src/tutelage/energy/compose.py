r"""Energies made of energies and potentials.

    p(Y) ∝ exp[f_1(Y) + … + f_k(Y)] · p0(Y)        CoopNets eq. (2), IGM eq. (12)
    E(Y) = E_0(Y) − f_1(Y) − … − f_k(Y)             CoopNets eq. (4)

This package is the only place where the sign flips: potentials point up, energies point down.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..gradient import prepared
from ..types import Energy, Evaluation, Images, Potential, Prepared, Scores


class TiltTerms(NamedTuple):
    """The two forces at a position; healthy learning keeps them near balance."""

    potential: Images
    """``Σ ∂f_k/∂Y``, pulling toward the data."""
    reference: Images
    """``∂E_0/∂Y``, pulling toward the reference."""


class Tilt:
    """A reference tilted by potentials: ``E(Y) = reference(Y) − Σ f(Y)`` (CoopNets eq. 4).

    ``Tilt(r, f, g)`` and ``Tilt(Tilt(r, f), g)`` are the same energy.

    Its prepared form answers with ``aux = TiltTerms``, the gradient's two parts.
    """

    def __init__(self, reference: Energy, *potentials: Potential) -> None:
        self.reference = reference
        self.potentials = potentials

    def __repr__(self) -> str:
        parts = ", ".join(type(part).__name__ for part in self.potentials)
        return f"Tilt({self.reference!r}{', ' if parts else ''}{parts})"

    def __call__(self, images: Images) -> Scores:
        energy = self.reference(images)
        for potential in self.potentials:
            energy = energy - potential(images)
        return energy

    def prepare(self) -> Prepared:
        """A snapshot that asks each part for its own fast gradient."""
        reference = prepared(self.reference)
        potentials = [prepared(potential) for potential in self.potentials]

        def evaluate(images: Images) -> Evaluation:
            value, down, _ = reference(images)
            up = torch.zeros_like(images)
            for potential in potentials:
                score, gradient, _ = potential(images)
                value = value - score
                up = up + gradient
            return Evaluation(value, down - up, TiltTerms(up, down))

        return evaluate
