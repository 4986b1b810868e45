r"""Linear dynamics of a sequence of states, which LDS, FFT-LDS and HOSVD share (Doretto et al. 2003, §3.2).

    x_{t+1} = A x_t + B v_t,   v_t ~ N(0, I)

are fitted to states X = [x_1 … x_τ], n × τ, in closed form:

    A = X_{2:τ} X_{1:τ−1}^†                                     least squares
    V̂ = X_{2:τ} − A X_{1:τ−1} = U S Wᵀ,   B = U_{1:m} S_{1:m} / √(τ−1)

so that B Bᵀ is the covariance of what A leaves over, in m directions. (A public demonstration of LDS leaves the √(τ−1)
out, and its noise is that much too large.) A decomposition may give its vectors either sign, which the noise of a seed
would show: `signed` chooses one.

Nothing but the data's shortness keeps the eigenvalues λ of A inside the unit circle, and outside it a long synthesis
explodes; so those beyond a radius are moved straight towards 0 until they lie on it. With A = P Λ P⁻¹ that is done to
each λ alone; where P is close to singular, A as a whole is made smaller.

A synthesis starts with the first or the last state of the clip as its first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from ..checks import InputError

Start = Literal["first", "last"]

_ILL_CONDITIONED = 1e8  # of P, beyond which P Λ P⁻¹ is no longer A to 8 digits


class DynamicTexture(Protocol):
    """A model of one clip: what every ``fit`` of the baselines of dynamic textures returns."""

    def synthesise(self, frames: int, rng: torch.Generator, noise: bool = True) -> Tensor:
        """A clip ``[C, frames, H, W]``, float32, in the units of the fitted one and not clipped to its range.

        Without ``noise`` nothing is drawn, and it is the one clip that the model's means lead to.

        Raises ``InputError`` for fewer frames than 1.
        """
        ...


@dataclass(frozen=True)
class Dynamics:
    """How dynamics are fitted to states.

    ``noises`` is m, at most the number of states (None: as many); no eigenvalue of A is larger than ``radius``; a
    synthesis starts from the ``start`` state of the clip. From the last it goes on where the clip ends; from the first
    it may repeat the clip, which PSNR and structural similarity reward.

    Raises ``InputError`` for values that cannot work.
    """

    noises: int | None = None
    radius: float = 0.999
    start: Start = "last"

    def __post_init__(self) -> None:
        if self.noises is not None and self.noises < 0:
            raise InputError(f"noises is {self.noises}; give the number of directions noise has, 0 or more")
        if not 0 < self.radius <= 1:
            raise InputError(
                f"radius is {self.radius}; the eigenvalues' largest modulus needs to be above 0 and at most 1"
            )
        check_start(self.start)


class Linear(NamedTuple):
    """x_{t+1} = A x_t + B v_t from ``start``. All in float64."""

    transition: Tensor
    """``[n, n]``, A."""
    drive: Tensor
    """``[n, m]``, B."""
    start: Tensor
    """``[n]``, x_1."""

    def simulate(self, frames: int, rng: torch.Generator, noise: bool = True) -> Tensor:
        """States ``[n, frames]``, the start first. Raises ``InputError`` as `DynamicTexture.synthesise` does."""
        check_frames(frames)
        driven = torch.zeros((frames - 1, len(self.start)), dtype=torch.float64, device=self.start.device)
        if noise:
            shape = frames - 1, self.drive.shape[1]
            drawn = torch.randn(shape, generator=rng, dtype=torch.float64, device=rng.device)
            driven = drawn.to(self.drive.device) @ self.drive.T
        states = [self.start]
        for push in driven:
            states.append(self.transition @ states[-1] + push)
        return torch.stack(states, 1)


def fit(states: Tensor, plan: Dynamics) -> Linear:
    """The dynamics of states ``[n, τ]``, float64, τ ≥ 2."""
    before, after = states[:, :-1], states[:, 1:]
    transition = after @ torch.linalg.pinv(before, rtol=1e-10)
    u, s, _ = torch.linalg.svd(after - transition @ before, full_matrices=False)
    drive = (signed(u) * s)[:, : plan.noises] / before.shape[1] ** 0.5
    return Linear(stable(transition, plan.radius), drive, states[:, 0 if plan.start == "first" else -1])


def signed(vectors: Tensor) -> Tensor:
    """Columns ``[P, n]``, each with the sign that makes its entry of largest magnitude positive."""
    if vectors.numel() == 0:
        return vectors
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return torch.where(largest < 0, -vectors, vectors)


def stable(transition: Tensor, radius: float) -> Tensor:
    """``transition`` ``[n, n]`` with eigenvalues beyond ``radius`` moved to it, as the module says."""
    values, vectors = torch.linalg.eig(transition)
    if not (values.abs() > radius).any():
        return transition
    if torch.linalg.cond(vectors) > _ILL_CONDITIONED:
        return transition * (radius / values.abs().max())
    moved = values * (radius / values.abs()).clamp(max=1)
    return torch.linalg.solve(vectors, vectors * moved, left=False).real


def check_states(states: int, frames: int, pixels: int) -> None:
    """Refuse more states than a clip of so many frames and pixels has. Raises ``InputError``."""
    most = min(frames - 1, pixels)
    if states > most:
        raise InputError(
            f"{states} states were asked for of {frames} frames of {pixels} numbers each; without their mean these "
            f"have at most {most}: ask for no more"
        )


def check_frames(frames: int) -> None:
    """Refuse a synthesis of no frames. Raises ``InputError``."""
    if frames < 1:
        raise InputError(f"a synthesis of {frames} frames was asked for; ask for 1 or more")


def check_start(start: str) -> None:
    """Refuse what names no state of a clip. Raises ``InputError``."""
    if start not in ("first", "last"):
        raise InputError(f"a synthesis is to start from the {start!r} state of the clip; give 'first' or 'last'")
