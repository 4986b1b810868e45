r"""Higher-order singular value decomposition of a clip (Costantini, Sbaiz and Süsstrunk 2008; CoopNets Table 6).

LDS makes a column of each frame. Here a clip stays a tensor Y, and rows, columns, frames and colours each have a basis
of their own: the left singular vectors of the four unfoldings, as many as wanted.

    S = (Y − m) ×₁ Uᵀ ×₂ Vᵀ ×₃ Fᵀ ×₄ Wᵀ          Y ≈ S ×₁ U ×₂ V ×₃ F ×₄ W + m

The rows of F, one for each frame, are states with linear dynamics (`tutelage.baselines.dynamics`), and new rows give
new frames. m is the mean frame; the paper removes it, a public demonstration does not. The bases are truncated and not
improved any further by alternating least squares. With all rows, columns and colours and no noise, this is LDS.

Fitting is one closed-form act, in float64.
"""

from __future__ import annotations

import dataclasses
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
    """How many vectors each basis has, and how the dynamics are found.

    ``rows``, ``columns`` and ``colours`` are at most those of the clip: more count as all. ``states`` is the size of
    the basis of frames. Where ``dynamics.noises`` is None it is ⅔ of the states, rounded. A public demonstration has
    100, 100, 3 and 100 for 250 frames of 120 × 160.

    Raises ``InputError`` for sizes below 1.
    """

    rows: int = 100
    columns: int = 100
    colours: int = 3
    states: int = 20
    dynamics: Dynamics = field(default=Dynamics())

    def __post_init__(self) -> None:
        sizes = self.rows, self.columns, self.colours, self.states
        if min(sizes) < 1:
            raise InputError(
                f"bases of {sizes[0]} rows, {sizes[1]} columns, {sizes[2]} colours and {sizes[3]} states were asked "
                "for; each needs 1 or more"
            )


class Decomposition(NamedTuple):
    """A core and four orthonormal bases, whose axes are those of a clip: colours, frames, rows, columns."""

    core: Tensor
    """``[c, n, r, s]``."""
    bases: tuple[Tensor, Tensor, Tensor, Tensor]
    """``[C, c]``, ``[τ, n]``, ``[H, r]``, ``[W, s]``."""

    def rebuilt(self, frames: Tensor | None = None) -> Tensor:
        """The clip ``[C, F, H, W]``, with ``frames`` ``[F, n]`` in place of the basis of frames where given."""
        colours, own, rows, columns = self.bases
        frames = own if frames is None else frames
        return torch.einsum("abcd,ia,tb,yc,xd->ityx", self.core, colours, frames, rows, columns)


class Model(NamedTuple):
    """A `tutelage.baselines.dynamics.DynamicTexture`."""

    decomposition: Decomposition
    mean: Tensor
    """``[C, 1, H, W]``."""
    dynamics: Linear

    def synthesise(self, frames: int, rng: torch.Generator, noise: bool = True) -> Tensor:
        """A clip ``[C, frames, H, W]``, as `tutelage.baselines.dynamics.DynamicTexture` says."""
        states = self.dynamics.simulate(frames, rng, noise)
        return (self.decomposition.rebuilt(states.T) + self.mean).float()


def fit(clip: Tensor, plan: Plan) -> Model:
    """The decomposition of a clip ``[C, τ, H, W]``, float in any units, and the dynamics of its frames.

    Raises ``InputError`` for what is no such clip, does not move, or has fewer states than the plan.
    """
    check_clip(clip, "HOSVD", least=3)
    check_states(plan.states, clip.shape[1], clip[:, 0].numel())
    y = clip.detach().double()
    mean = y.mean(1, keepdim=True)
    decomposition = decompose(y - mean, (plan.colours, plan.states, plan.rows, plan.columns))
    noises = plan.dynamics.noises
    settings = dataclasses.replace(plan.dynamics, noises=round(2 * plan.states / 3) if noises is None else noises)
    return Model(decomposition, mean, fit_dynamics(decomposition.bases[1].T, settings))


def decompose(clip: Tensor, ranks: tuple[int, int, int, int]) -> Decomposition:
    """The truncated decomposition of a tensor ``[C, τ, H, W]``; ``ranks`` are those of its axes, in their order."""
    unfoldings = [clip.movedim(axis, 0).flatten(1) for axis in range(4)]
    colours, frames, rows, columns = (_left(of)[:, :rank] for of, rank in zip(unfoldings, ranks, strict=True))
    core = torch.einsum("ityx,ia,tb,yc,xd->abcd", clip, colours, frames, rows, columns)
    return Decomposition(core, (colours, frames, rows, columns))


def _left(matrix: Tensor) -> Tensor:
    """All left singular vectors, the largest first."""
    return signed(torch.linalg.svd(matrix, full_matrices=False).U)
