r"""The multi-scale generator of Texture Nets (Ulyanov et al. 2016, §4.1): from noise of all scales to an image.

    x_0 = block(z_0),   x_k = block(concat(norm(up(x_{k−1})), norm(block(z_k)))),   image = 1x1 convolution of x_{K−1}

z_0 is the coarsest noise, and each further scale is twice as high and wide. A block is three convolutions, 3x3, 3x3 and
1x1, each followed by batch norm and leaky ReLU; ``up`` repeats each pixel twice each way. Images are joined at their
borders, as on a torus, so that there is no border: noise that is rolled makes an image that is rolled, and noise of
another size an image of another size.

The noise of all scales lies in one tensor of the coarsest scale's size: 4^k values of a position are the 2^k x 2^k
pixels that scale k has there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import InputError
from ..types import Images, Latents
from .blocks import Precision, activation, check_layers, check_sizes, check_statistics, compute_dtype, computing_in


@dataclass(frozen=True)
class PyramidSpec:
    """What a multi-scale generator is made of.

    ``shape`` is (channels, height, width) of the images; ``scales`` K; ``channels`` of the maps of one scale (a merged
    map has those of all scales so far); ``noise`` values at each position of each scale; ``slope`` of the leaky ReLU.

    Raises ``InputError`` for a shape of other than three numbers, counts below 1, and a size that cannot be halved
    K − 1 times.
    """

    shape: tuple[int, int, int]
    scales: int = 5
    channels: int = 8
    noise: int = 3
    slope: float = 0.01

    def __post_init__(self) -> None:
        check_sizes("the shape of a multi-scale generator's images", self.shape)
        counts = {"scales": self.scales, "channels": self.channels, "noise": self.noise, "image size": min(self.shape)}
        check_layers("multi-scale generator", [self], counts, self.slope)
        if any(side % self.period for side in self.shape[1:]):
            raise InputError(
                f"a multi-scale generator of {self.scales} scales makes sides that are multiples of {self.period}, not "
                f"{self.shape[1]}x{self.shape[2]}; change the size or the number of scales"
            )

    @property
    def period(self) -> int:
        """Pixels of the image to one of the coarsest noise: 2^(K − 1)."""
        return 2 ** (self.scales - 1)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """The shape of one image's noise: all scales in (d, height, width) of the coarsest."""
        return sum(self.of_scales), self.shape[1] // self.period, self.shape[2] // self.period

    @property
    def of_scales(self) -> list[int]:
        """How many values of a position belong to each scale, the coarsest first."""
        return [self.noise * 4**k for k in range(self.scales)]


class Pyramid(nn.Module):
    """``g: [B, *spec.latent_shape] -> [B, C, H, W]`` for the given Spec, weights drawn from ``rng``.

    The noise may have any height and width, in multiples of which the image's are. Its values are not bounded. In
    training mode batch norm uses the statistics of the batch, in evaluation mode running averages. ``precision`` is
    that of the layers' arithmetic; weights and images are float32 in either case.
    """

    def __init__(self, spec: PyramidSpec, rng: torch.Generator, precision: Precision = "float32") -> None:
        super().__init__()
        self.spec = spec
        self.dtype_of_convs = compute_dtype(precision)
        one, widths = spec.channels, [spec.channels * (k + 1) for k in range(spec.scales)]
        self.branches = nn.ModuleList([_Block(spec.noise, one, spec.slope, rng) for _ in widths])
        self.merges = nn.ModuleList([_Block(width, width, spec.slope, rng) for width in widths[1:]])
        self.norms = nn.ModuleList([_norm(width, rng) for width in widths[1:]])
        self.last = _Convolution(widths[-1], spec.shape[0], 1, rng, bias=True)

    def forward(self, latents: Latents) -> Images:
        """The image of each noise. Raises ``InputError`` for noise of another number of channels."""
        wanted = self.spec.latent_shape
        if latents.ndim != 4 or latents.shape[1] != wanted[0]:
            raise InputError(
                f"this generator takes noise of shape [B, {', '.join(map(str, wanted))}] (any height and width), not "
                f"{list(latents.shape)}; draw it from N(0, 1) in that shape"
            )
        with computing_in(self.dtype_of_convs, latents.device):
            noises = [F.pixel_shuffle(z, 2**k) for k, z in enumerate(latents.split(self.spec.of_scales, 1))]
            first, *finer = (branch(z) for branch, z in zip(self.branches, noises, strict=True))
            x = first
            for branch, norm, merge in zip(finer, self.norms, self.merges, strict=True):
                # each channel has statistics of its own, so norming both before they are joined is norming the whole
                x = merge(norm(torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), branch], 1)))
            return self.last(x).to(latents.dtype)


class _Block(nn.Module):
    """Convolutions of 3x3, 3x3 and 1x1, each with batch norm and leaky ReLU."""

    def __init__(self, below: int, channels: int, slope: float, rng: torch.Generator) -> None:
        super().__init__()
        kernels = ((below, 3), (channels, 3), (channels, 1))
        self.convs = nn.ModuleList([_Convolution(width, channels, kernel, rng) for width, kernel in kernels])
        self.norms = nn.ModuleList([_norm(channels, rng) for _ in kernels])
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = conv(x)
            if self.training:
                check_statistics(x)
            x = activation(norm(x), self.slope)
        return x


def _norm(channels: int, rng: torch.Generator) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, device=rng.device)


class _Convolution(nn.Module):
    """A convolution on a torus; weights from N(0, 1 / taps)."""

    def __init__(self, below: int, channels: int, kernel: int, rng: torch.Generator, bias: bool = False) -> None:
        super().__init__()
        weight = torch.randn(channels, below, kernel, kernel, generator=rng, device=rng.device)
        self.weight = nn.Parameter(weight / math.sqrt(below * kernel**2))
        self.bias = nn.Parameter(torch.zeros(channels, device=rng.device)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        around = self.weight.shape[-1] // 2
        return F.conv2d(F.pad(x, [around] * 4, mode="circular") if around else x, self.weight, self.bias)
