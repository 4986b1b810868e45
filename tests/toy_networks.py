"""Networks so small that their answers are known in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LinearPotential(nn.Module):
    """``f(Y) = w · φ(Y)`` with features ``φ(Y) = (Y, Y²)`` of every pixel."""

    def __init__(self, pixels: int, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2 * pixels, dtype=dtype))

    @staticmethod
    def features(images: Tensor) -> Tensor:
        flat = images.flatten(1)
        return torch.cat([flat, flat.square()], 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.features(images) @ self.weight


class LinearGenerator(nn.Module):
    """``g(X) = X Wᵀ + b`` as images ``[B, 1, 1, D]``."""

    def __init__(self, matrix: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix.clone())
        self.bias = nn.Parameter(torch.zeros(len(matrix), dtype=matrix.dtype) if bias is None else bias.clone())

    def forward(self, latents: Tensor) -> Tensor:
        return (latents @ self.matrix.T + self.bias).view(len(latents), 1, 1, -1)
