r"""Velocity fields: ``v(Y, t)`` from an image and a time in [0, 1] to an image, by a small U-Net.

A residual block at every resolution on the way down (halved by strided convolutions) and on the way up (nearest
neighbour, then a convolution), each seeing the maps of the same resolution on the way down. Every block is told
the time. Group norm keeps the images of a batch apart, so that training and sampling need no two modes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import InputError
from ..types import Images
from .blocks import Precision, check_layers, check_shape, check_sizes, compute_dtype, computing_in, same_conv
from .descriptor import Conv

_KERNEL = 3
_FASTEST = 1000.0  # of the sines that tell the time: periods from 2π down to 2π/1000


@dataclass(frozen=True)
class VelocitySpec:
    """What a velocity field is made of.

    ``shape`` is (channels, height, width) of the images; ``channels`` of the maps at each resolution, the image's
    first, every further one half as high and wide (rounded up); ``embedding`` the number of features that tell the
    time; ``groups`` of channels that group norm treats together.

    Raises ``InputError`` for a shape of other than three numbers, counts below 1, an odd ``embedding`` and channels
    that the groups do not divide.
    """

    shape: tuple[int, int, int]
    channels: tuple[int, ...]
    embedding: int = 64
    groups: int = 8

    def __post_init__(self) -> None:
        check_sizes("the shape of a velocity field's images", self.shape)
        convs = [Conv(channels, _KERNEL, 1) for channels in self.channels]
        counts = {"image size": min(self.shape), "embedding": self.embedding, "groups": self.groups}
        check_layers("velocity field", convs, counts)
        if self.embedding % 2:
            raise InputError(f"embedding is {self.embedding}; it needs to be even: a sine and a cosine for each period")
        if any(channels % self.groups for channels in self.channels):
            raise InputError(
                f"channels {self.channels} of a velocity field are not all multiples of groups={self.groups}; "
                "change one of them"
            )


class Velocity(nn.Module):
    """``v: [B, C, H, W], [B] -> [B, C, H, W]`` for the given Spec, weights drawn from ``rng``; 0 before learning.

    ``precision`` is that of the layers' arithmetic; weights and images are float32 in either case.
    """

    def __init__(self, spec: VelocitySpec, rng: torch.Generator, precision: Precision = "float32") -> None:
        super().__init__()
        self.spec = spec
        self.dtype_of_convs = compute_dtype(precision)
        widths, told = spec.channels, 4 * spec.embedding
        self.clock = nn.ModuleList([_Linear(spec.embedding, told, rng), _Linear(told, told, rng)])
        self.first = _Convolution(spec.shape[0], widths[0], rng)
        self.down = nn.ModuleList([_Block(width, width, told, spec.groups, rng) for width in widths])
        self.halve = nn.ModuleList([_Convolution(a, b, rng, stride=2) for a, b in pairwise(widths)])
        self.widen = nn.ModuleList([_Convolution(b, a, rng) for a, b in pairwise(widths)])
        self.up = nn.ModuleList([_Block(2 * width, width, told, spec.groups, rng) for width in widths[:-1]])
        self.norm = nn.GroupNorm(spec.groups, widths[0], device=rng.device)
        self.last = _Convolution(widths[0], spec.shape[0], rng, gain=0.0)

    def forward(self, images: Images, times: Tensor) -> Images:
        """The velocity of each image at its time. Raises ``InputError`` for images of another shape."""
        check_shape("velocity field", self.spec.shape, images)
        with computing_in(self.dtype_of_convs, images.device):
            told = waves(times, self.spec.embedding)
            for layer in self.clock:
                told = F.silu(layer(told))
            x, passed = self.first(images.contiguous(memory_format=torch.channels_last)), []
            for i, block in enumerate(self.down):
                x = self.halve[i - 1](x) if i else x
                x = block(x, told)
                passed.append(x)
            for i in reversed(range(len(self.up))):
                x = self.widen[i](F.interpolate(x, size=passed[i].shape[2:], mode="nearest"))
                x = self.up[i](torch.cat([x, passed[i]], 1), told)
            return self.last(F.silu(self.norm(x))).to(images.dtype)


def waves(times: Tensor, count: int) -> Tensor:
    """``[B] -> [B, count]``: sines and cosines of the time, their frequencies from 1 to 1000 in even ratios."""
    half = torch.arange(count // 2, device=times.device, dtype=times.dtype)
    angles = times[:, None] * torch.exp(math.log(_FASTEST) * half / max(count // 2 - 1, 1))
    return torch.cat([angles.sin(), angles.cos()], 1)


class _Block(nn.Module):
    """Two convolutions around which the image has a way of its own; the time is added between them."""

    def __init__(self, below: int, channels: int, told: int, groups: int, rng: torch.Generator) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.GroupNorm(groups, width, device=rng.device) for width in (below, channels)])
        self.convs = nn.ModuleList([_Convolution(below, channels, rng), _Convolution(channels, channels, rng)])
        self.time = _Linear(told, channels, rng)
        self.around = _Convolution(below, channels, rng, kernel=1) if below != channels else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        h = self.convs[0](F.silu(self.norms[0](x)))
        h = h + self.time(told)[:, :, None, None]
        return self.around(x) + self.convs[1](F.silu(self.norms[1](h)))


class _Convolution(nn.Module):
    """A convolution with "same" padding; weights from N(0, gain² / taps), biases from 0."""

    def __init__(
        self, below: int, channels: int, rng: torch.Generator, kernel: int = _KERNEL, stride: int = 1, gain: float = 1.0
    ) -> None:
        super().__init__()
        weight = torch.randn(channels, below, kernel, kernel, generator=rng, device=rng.device)
        weight = gain / math.sqrt(below * kernel**2) * weight
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last))
        self.bias = nn.Parameter(torch.zeros(channels, device=rng.device))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return same_conv(x, self.weight, self.bias, self.stride)


class _Linear(nn.Module):
    """A fully connected layer; weights from N(0, 1 / inputs), biases from 0."""

    def __init__(self, below: int, outputs: int, rng: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, below, generator=rng, device=rng.device) / math.sqrt(below))
        self.bias = nn.Parameter(torch.zeros(outputs, device=rng.device))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)
