r"""The kernels of latents that a multi-kernel Gaussian process dynamical model weighs (`tutelage.baselines.mkgpdm`).

None has a variance of its own: its weight takes that place.
"""

from __future__ import annotations

import torch
from torch import Tensor

KERNELS = ("linear", "squared exponential", "polynomial", "rational quadratic", "arcsine", "Matérn 3/2")
"""The kernels of the dynamics, in the order of their weights."""

SHAPES = 7
"""How many numbers s they have between them."""


def kernels(a: Tensor, b: Tensor, log_shapes: Tensor) -> Tensor:
    """`KERNELS` between latents ``[n, Q]`` and ``[m, Q]``: ``[6, n, m]``.

    With shapes s_1 … s_7 and r = |a − b|: a·b; exp(−s_1 r²/2); (s_2 a·b + s_3)²; (1 + s_5 r²/(2 s_4))^(−s_4);
    2/π arcsin of (s_6 a·b + 1) / √((s_6 a·a + 2) (s_6 b·b + 2)); and (1 + √3 s_7 r) exp(−√3 s_7 r).
    """
    s = log_shapes.exp()
    product, squared = a @ b.T, squared_distances(a, b)
    length = 3**0.5 * s[6] * (squared + 1e-12).sqrt()  # the root has no derivative at 0
    norms = (s[5] * a.square().sum(1) + 2)[:, None] * (s[5] * b.square().sum(1) + 2)
    return torch.stack(
        [
            product,
            (-s[0] / 2 * squared).exp(),
            (s[1] * product + s[2]).square(),
            (1 + s[4] * squared / (2 * s[3])).pow(-s[3]),
            2 / torch.pi * ((s[5] * product + 1) / norms.sqrt()).asin(),
            (1 + length) * (-length).exp(),
        ]
    )


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """``[n, m]`` between latents ``[n, Q]`` and ``[m, Q]``, from their differences."""
    return (a[:, None] - b).square().sum(2)
