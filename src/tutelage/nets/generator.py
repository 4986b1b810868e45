r"""Generators: top-down networks ``Y = g(X; α)`` from latents to images (CoopNets §2.2, §4).

A fully connected layer to a small map, then transposed convolutions, each but the last followed by
batch norm; tanh at the bottom.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..checks import InputError
from ..types import Images, Latents
from .blocks import Precision, activation, check_layers, compute_dtype, same_conv_transpose


@dataclass(frozen=True)
class Deconv:
    """One transposed convolution: output channels, kernel size, and the height and width it makes."""

    channels: int
    kernel: int
    size: tuple[int, int]


@dataclass(frozen=True)
class GeneratorSpec:
    """What a generator is made of.

    ``latent_dim`` is d of X; ``base`` the (channels, height, width) of the first map; ``deconvs`` from
    the latents down, the last making the image; ``slope`` of the leaky ReLU (0: ReLU); ``batch_norm``
    after every layer but the last (a shift but no scale, eps 1e-3); weights start from
    N(0, ``init_std``²), biases from 0.
    """

    latent_dim: int
    base: tuple[int, int, int]
    deconvs: tuple[Deconv, ...]
    slope: float
    batch_norm: bool
    init_std: float

    def __post_init__(self) -> None:
        check_layers("generator", self.deconvs, {"latent_dim": self.latent_dim, "base": min(self.base)})
        below = self.base[1:]
        for deconv in self.deconvs:
            strides = [-(-size // n) for size, n in zip(deconv.size, below, strict=True)]
            fits = all(-(-size // strides[0]) == n for size, n in zip(deconv.size, below, strict=True))
            if strides[0] != strides[1] or not fits:
                raise InputError(
                    f"no transposed convolution makes {list(deconv.size)} pixels from {list(below)}: both sides need "
                    "the same whole stride s, with size / s, rounded up, the size before"
                )
            below = deconv.size

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the images made."""
        last = self.deconvs[-1]
        return last.channels, *last.size


class Generator(nn.Module):
    """``g: [B, d] -> [B, C, H, W]`` in (-1, 1) for the given Spec, its weights drawn from ``rng``.

    In training mode batch norm uses the statistics of the batch and keeps running averages; in
    evaluation mode it uses the averages, so that the images of a batch do not influence each other.
    ``precision`` is that of the layers' arithmetic; weights and images are float32 in either case.
    """

    def __init__(self, spec: GeneratorSpec, rng: torch.Generator, precision: Precision = "float32") -> None:
        super().__init__()
        self.spec = spec
        self.dtype_of_convs = compute_dtype(precision)
        channels, height, width = spec.base
        first = torch.randn(spec.latent_dim, height * width * channels, generator=rng, device=rng.device)
        self.first = nn.Parameter(spec.init_std * first)
        self.weights = nn.ParameterList()
        self.shifts = nn.ParameterList([nn.Parameter(torch.zeros(channels, device=rng.device))])
        self.norms = nn.ModuleList()
        for deconv in spec.deconvs:
            weight = torch.randn(
                channels, deconv.channels, deconv.kernel, deconv.kernel, generator=rng, device=rng.device
            )
            self.weights.append(nn.Parameter((spec.init_std * weight).contiguous(memory_format=torch.channels_last)))
            self.shifts.append(nn.Parameter(torch.zeros(deconv.channels, device=rng.device)))
            if spec.batch_norm:
                self.norms.append(nn.BatchNorm2d(channels, eps=1e-3, affine=False, device=rng.device))
            channels = deconv.channels

    def forward(self, latents: Latents) -> Images:
        """The image of each latent vector. Raises ``InputError`` for latents of another dimension."""
        if latents.ndim != 2 or latents.shape[1] != self.spec.latent_dim:
            raise InputError(
                f"this generator takes latents of shape [B, {self.spec.latent_dim}], not {list(latents.shape)}"
            )
        low = self.dtype_of_convs != torch.float32
        channels, height, width = self.spec.base
        with torch.autocast(latents.device.type, dtype=torch.bfloat16, enabled=low):
            x = (latents @ self.first).view(-1, height, width, channels).permute(0, 3, 1, 2)
            for i, (deconv, weight) in enumerate(zip(self.spec.deconvs, self.weights, strict=True)):
                x = self._shift(x, i)
                stride = -(-deconv.size[0] // x.shape[2])
                x = same_conv_transpose(activation(x, self.spec.slope), weight, None, stride, deconv.size)
            x = x.to(latents.dtype) + self.shifts[-1].view(-1, 1, 1)
        return torch.tanh(x)

    def _shift(self, x: Tensor, i: int) -> Tensor:
        if not self.spec.batch_norm:
            return x + self.shifts[i].view(-1, 1, 1).to(x.dtype)
        norm = self.norms[i]
        assert isinstance(norm, nn.BatchNorm2d) and norm.momentum is not None
        return nn.functional.batch_norm(
            x, norm.running_mean, norm.running_var, None, self.shifts[i], self.training, norm.momentum, norm.eps
        )

    def snapshot(self) -> Generator:
        """A frozen copy in evaluation mode: it follows no later change of the weights, remembers nothing
        for their gradients, and has them cast to the precision of the convolutions once and for all."""
        frozen = copy.deepcopy(self).eval().requires_grad_(False)
        if self.dtype_of_convs != torch.float32:
            for weight in (frozen.first, *frozen.weights):
                weight.data = weight.data.to(self.dtype_of_convs)
        return frozen
