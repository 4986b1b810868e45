r"""FFT-LDS: a linear dynamical system of Fourier coefficients (Abraham, Camps and Sznaier 2005; CoopNets Table 6).

Each frame becomes its two-dimensional Fourier transform, of which half a plane tells all. Coefficients that are larger
than a threshold in any frame are kept; the union over frames is largest magnitudes over time, so a fraction to keep is
the same as a threshold. Their real and imaginary parts, stacked, are the columns of an LDS (`tutelage.baselines.lds`);
what it synthesises goes back to its places, the others are 0 at all times, and the inverse transform gives frames.

Coefficients that stand for two, themselves and their conjugates in the other half, count √2. So the columns have the
lengths of the frames, and with everything kept this is LDS itself. What is not kept is lost to the mean as well: the
pictures are less sharp than those of LDS.

Fitting is one closed-form act, in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import InputError
from ..metrics.temporal import check_clip
from . import lds


@dataclass(frozen=True)
class Plan:
    """How FFT-LDS is fitted.

    ``kept`` is the fraction of coefficients that stay (in the paper .15 to .3), over all channels; ``system`` the plan
    of the LDS of them. The paper keeps singular values from 1/10 of the largest on; a public demonstration has 30
    states for 250 frames. Here their number is fixed, 20 by default, whatever their values are.

    Raises ``InputError`` for a fraction that is none.
    """

    kept: float = 0.3
    system: lds.Plan = field(default=lds.Plan())

    def __post_init__(self) -> None:
        if not 0 < self.kept <= 1:
            raise InputError(f"kept is {self.kept}; give the fraction of coefficients that stay, above 0 and at most 1")


class Model(NamedTuple):
    """A `tutelage.baselines.dynamics.DynamicTexture`."""

    system: lds.System
    mask: Tensor
    """``[C, H, W // 2 + 1]``, bool, True where a coefficient is kept."""
    width: int
    """W, which half a plane does not tell."""

    def synthesise(self, frames: int, rng: torch.Generator, noise: bool = True) -> Tensor:
        """A clip ``[C, frames, H, W]``, as `tutelage.baselines.dynamics.DynamicTexture` says."""
        columns = self.system.simulate(frames, rng, noise)
        parts = columns.T.reshape(frames, -1, 2) / _weights(self.mask, self.width)[:, None]
        planes = torch.zeros((frames, *self.mask.shape), dtype=torch.complex128, device=columns.device)
        planes[:, self.mask] = torch.complex(parts[..., 0], parts[..., 1])
        size = self.mask.shape[1], self.width
        return torch.fft.irfft2(planes, s=size, norm="ortho").transpose(0, 1).float()


def fit(clip: Tensor, plan: Plan) -> Model:
    """The system of the coefficients of a clip ``[C, τ, H, W]``, float in any units.

    Raises ``InputError`` for what is no such clip, does not move, or has fewer states than the plan.
    """
    check_clip(clip, "FFT-LDS", least=3)
    planes = torch.fft.rfft2(clip.detach().double().transpose(0, 1), norm="ortho")
    peaks = planes.abs().amax(0)
    threshold = peaks.flatten().topk(math.ceil(plan.kept * peaks.numel())).values[-1]
    mask = peaks >= threshold * (1 - 1e-9)  # conjugates are equal but for rounding: keep both
    parts = torch.view_as_real(planes[:, mask]) * _weights(mask, clip.shape[3])[:, None]
    return Model(lds.fit_columns(parts.flatten(1).T, plan.system), mask, clip.shape[3])


def _weights(mask: Tensor, width: int) -> Tensor:
    """``[kept]``: √2 where a coefficient's conjugate is in the other half, 1 where it is in this one."""
    weights = torch.full(mask.shape, math.sqrt(2), dtype=torch.float64, device=mask.device)
    weights[..., 0] = 1
    if width % 2 == 0:
        weights[..., -1] = 1
    return weights[mask]
