r"""Reference distributions ``p0``, as energies (CoopNets eq. 3).

A model of this library tilts a simple reference by a network, ``p(Y) ∝ exp f(Y) · p0(Y)``. The
reference keeps the images where the network has not yet been taught anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from ..checks import InputError
from ..types import Evaluation, Images, Prepared, Scores


@dataclass(frozen=True)
class Gaussian:
    r"""White noise, ``E(Y) = |Y|² / (2 s²)`` (CoopNets eq. 3, up to its constant).

    ``std`` is ``s``, in the units of the images ([-1, 1] data: .016 is two grey levels).

    Raises ``InputError`` where ``std`` is not a positive number.
    """

    std: float
    points_down: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.std) and self.std > 0):
            raise InputError(f"a Gaussian reference needs a standard deviation above 0, not {self.std}")

    def __call__(self, images: Images) -> Scores:
        return images.flatten(1).square().sum(1) / (2 * self.std**2)

    def prepare(self) -> Prepared:
        """Value and gradient in closed form, ``∂E/∂Y = Y / s²``."""
        return lambda x: Evaluation(self(x), x / self.std**2)

    def sample(self, shape: Sequence[int], rng: torch.Generator) -> Images:
        """Draws from N(0, s²)."""
        return self.std * torch.randn(tuple(shape), generator=rng, device=rng.device)


@dataclass(frozen=True)
class Uniform:
    """The uniform measure: ``E(Y) = 0`` (CoopNets, below eq. 4). Draws are uniform on [-1, 1]."""

    points_down: ClassVar[bool] = True

    def __call__(self, images: Images) -> Scores:
        return images.new_zeros(len(images))

    def prepare(self) -> Prepared:
        """Value and gradient, both zero."""
        return lambda x: Evaluation(self(x), torch.zeros_like(x))

    def sample(self, shape: Sequence[int], rng: torch.Generator) -> Images:
        """Draws from the uniform distribution on [-1, 1]."""
        return 2 * torch.rand(tuple(shape), generator=rng, device=rng.device) - 1
