r"""Energies made of energies and potentials.

    p(Y) ∝ exp[f_1(Y) + … + f_k(Y)] · p0(Y)        CoopNets eq. (2), IGM eq. (12)
    E(Y) = E_0(Y) − f_1(Y) − … − f_k(Y)             CoopNets eq. (4)

This package is the only place where the sign flips: potentials point up, energies point down.

Where a part is drawn afresh before each step of a chain, so is the whole: ``RandomTilt`` draws its parts
and answers with a ``Tilt``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from ..checks import InputError
from ..gradient import prepared
from ..types import Energy, Evaluation, Images, Potential, Prepared, RandomEnergy, Scored, Scores


class TiltTerms(NamedTuple):
    """What a tilt tells of a position: its two forces, which healthy learning keeps near balance, and its logits."""

    potential: Images
    """``Σ ∂f_k/∂Y``, pulling toward the data."""
    reference: Images
    """``∂E_0/∂Y``, pulling toward the reference."""
    scored: tuple[Scored, ...]
    """What each potential tells, in their order: the newest classifier of a cascade is the last. A potential that
    tells nothing of its own is its own logit."""


class Tilt:
    """A reference tilted by potentials: ``E(Y) = reference(Y) − Σ f(Y)`` (CoopNets eq. 4).

    ``Tilt(r, f, g)`` and ``Tilt(Tilt(r, f), g)`` are the same energy, and their prepared forms tell the same:
    ``aux = TiltTerms``, the gradient's two parts and the logits.

    Raises ``InputError`` where a part is random: that is a ``RandomTilt``; and where a potential is an energy of this
    package, whose sign is the other: the first argument is an energy's place, or ``lambda y: -energy(y)``.
    """

    points_down: ClassVar[bool] = True

    def __init__(self, reference: Energy, *potentials: Potential) -> None:
        refuse_random("Tilt", reference, *potentials)
        _refuse_energies("Tilt", potentials)
        self.reference = reference
        self.potentials = potentials

    def __repr__(self) -> str:
        return _written("Tilt", self.reference, self.potentials)

    def __call__(self, images: Images) -> Scores:
        energy = self.reference(images)
        for potential in self.potentials:
            energy = energy - potential(images)
        return energy

    def terms(self, images: Images) -> tuple[Scores, Scores]:
        """``reference(Y)`` and ``Σ f(Y)`` apart: beside a narrow reference's energy, f may be less than a rounding."""
        potentials = [potential(images) for potential in self.potentials]
        return self.reference(images), torch.stack(potentials).sum(0)

    def prepare(self) -> Prepared:
        """A snapshot that asks each part for its own fast gradient."""
        reference = prepared(self.reference)
        potentials = [prepared(potential) for potential in self.potentials]

        def evaluate(images: Images) -> Evaluation:
            value, down, told = reference(images)
            up = torch.zeros_like(images)
            tells: list[Scored] = list(getattr(told, "scored", ()))
            if isinstance(told, TiltTerms):  # a tilt, tilted once more
                up, down = told.potential, told.reference
            for potential in potentials:
                score, gradient, aux = potential(images)
                value = value - score
                up = up + gradient
                tells.append(scored(score, aux))
            return Evaluation(value, down - up, TiltTerms(up, down, tuple(tells)))

        return evaluate


class RandomTilt:
    """A tilt with parts that are drawn afresh before each step (IGM §3.4): a `RandomEnergy`.

    ``reference`` and ``potentials`` are those of ``Tilt``, or have a ``draw`` that answers with one. Those that are not
    random are prepared once, for all draws: after a network's weights have changed, make a new random tilt.

    Raises ``InputError`` as ``Tilt`` does for energies among the potentials.
    """

    points_down: ClassVar[bool] = True

    def __init__(self, reference: Energy | RandomEnergy, *potentials: Potential | RandomEnergy) -> None:
        _refuse_energies("RandomTilt", potentials)
        self.reference = reference
        self.potentials = potentials
        self._parts = [once_unless_random(part) for part in (reference, *potentials)]

    def __repr__(self) -> str:
        return _written("RandomTilt", self.reference, self.potentials)

    def draw(self, position: Images, rng: torch.Generator, /) -> Tilt:
        """One draw of every random part, in order, for chains at ``position``."""
        return Tilt(*(drawn(part, position, rng) for part in self._parts))


@dataclass(frozen=True, eq=False)
class PreparedOnce:
    """``function``, an energy or a potential, with one snapshot that all who ask for it share.

    For what is prepared again before each step of a chain. The snapshot is made when first asked for.
    """

    function: Energy | Potential

    def __call__(self, position: Tensor) -> Scores:
        return self.function(position)

    def prepare(self) -> Prepared:
        """The same snapshot every time."""
        return self._snapshot

    @cached_property
    def _snapshot(self) -> Prepared:
        return prepared(self.function)


def once_unless_random(part: Energy | Potential | RandomEnergy) -> PreparedOnce | RandomEnergy:
    """A part of a random energy, ready to be drawn many times."""
    return part if isinstance(part, RandomEnergy) else PreparedOnce(part)


def drawn(part: PreparedOnce | RandomEnergy, position: Tensor, rng: torch.Generator) -> Energy:
    """The part as it is for the next step of chains at ``position``."""
    return part.draw(position, rng) if isinstance(part, RandomEnergy) else part


def scored(value: Scores, aux: Any) -> Scored:
    """What a prepared potential tells of its logits: its own ``aux``, or its value where it tells nothing."""
    return aux if isinstance(aux, Scored) else Scored(value[:, None])


def refuse_random(name: str, *parts: Any) -> None:
    """Raises ``InputError`` where a part of the energy called ``name`` is random."""
    for part in parts:
        if isinstance(part, RandomEnergy):
            raise InputError(
                f"{type(part).__name__} is drawn afresh before each step and {name} stays as it is; give the same "
                f"parts to Random{name}, or a part that is not random"
            )


def _refuse_energies(name: str, potentials: tuple[Any, ...]) -> None:
    for part in potentials:
        if getattr(part, "points_down", False):
            raise InputError(
                f"{type(part).__name__} is an energy, smaller where images are likelier, and {name} was given it as a "
                f"potential, larger there; let it stand first, {name}(energy, ...), or give lambda y: -energy(y)"
            )


def _written(name: str, reference: Any, potentials: tuple[Any, ...]) -> str:
    return f"{name}({', '.join([repr(reference), *(type(part).__name__ for part in potentials)])})"
