r"""Linear dynamical systems: dynamic textures (Doretto, Chiuso, Wu and Soatto 2003; CoopNets Table 6).

A clip of τ frames is a matrix Y with a column for each. Its mean column m removed, the singular value decomposition
gives states, and these have linear dynamics:

    Y − m = U S Vᵀ,   C = U_{1:n},   X = S_{1:n} V_{1:n}ᵀ,   x_{t+1} = A x_t + B v_t,   y_t = C x_t + m

`tutelage.baselines.dynamics` says what A and B are. Fitting is one closed-form act, in float64: there is no iteration
and no learner. With 0 states it is the mean frame, which every table of dynamic textures needs as its null: a model
that stands still there has a higher PSNR than one that moves and is not aligned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import InputError
from ..metrics.temporal import check_clip
from .dynamics import Dynamics, Linear, check_states, signed
from .dynamics import fit as fit_dynamics


@dataclass(frozen=True)
class Plan:
    """How a linear dynamical system is fitted.

    ``states`` is n; ``dynamics`` how A and B are found. A public demonstration of LDS has 50 states and 20 noises for
    250 frames; the default is for the 64 frames of CoopNets §4.7, where 50 × 50 numbers would have 63 × 50 to be fitted
    to. For the 32 frames of ``video/quick`` it is much: 20 of at most 31 states. What A leaves over then has rank 11,
    and B Bᵀ divides it by 31: the noise is too small, by √(31 / 11) where degrees of freedom are counted.

    Raises ``InputError`` for fewer states than 0.
    """

    states: int = 20
    dynamics: Dynamics = field(default=Dynamics(noises=20))

    def __post_init__(self) -> None:
        if self.states < 0:
            raise InputError(f"states is {self.states}; give 0 (the mean frame) or more")


class System(NamedTuple):
    """y_t = C x_t + m, for columns y of any kind. All in float64."""

    basis: Tensor
    """``[P, n]``, C, orthonormal."""
    mean: Tensor
    """``[P, 1]``, m."""
    dynamics: Linear

    def simulate(self, frames: int, rng: torch.Generator, noise: bool = True) -> Tensor:
        """Columns ``[P, frames]``, with noise or without. Raises ``InputError`` for fewer frames than 1."""
        return self.basis @ self.dynamics.simulate(frames, rng, noise) + self.mean


class Model(NamedTuple):
    """A `tutelage.baselines.dynamics.DynamicTexture`."""

    system: System
    size: tuple[int, int, int]
    """Channels, height and width."""

    def synthesise(self, frames: int, rng: torch.Generator, noise: bool = True) -> Tensor:
        """A clip ``[C, frames, H, W]``, as `tutelage.baselines.dynamics.DynamicTexture` says."""
        columns = self.system.simulate(frames, rng, noise)
        return columns.T.reshape(frames, *self.size).transpose(0, 1).float()


def fit(clip: Tensor, plan: Plan) -> Model:
    """The system of a clip ``[C, τ, H, W]``, float in any units.

    Raises ``InputError`` for what is no such clip, does not move, or has fewer states than the plan.
    """
    check_clip(clip, "a linear dynamical system", least=3)
    channels, frames, height, width = clip.shape
    columns = clip.detach().double().transpose(0, 1).reshape(frames, -1).T
    return Model(fit_columns(columns, plan), (channels, height, width))


def fit_columns(columns: Tensor, plan: Plan) -> System:
    """The system of columns ``[P, τ]``, float64. Raises ``InputError`` where they have fewer states than the plan."""
    check_states(plan.states, columns.shape[1], columns.shape[0])
    mean = columns.mean(1, keepdim=True)
    basis = signed(torch.linalg.svd(columns - mean, full_matrices=False).U[:, : plan.states])
    return System(basis, mean, fit_dynamics(basis.T @ (columns - mean), plan.dynamics))
