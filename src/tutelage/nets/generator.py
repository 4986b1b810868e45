r"""Generators: top-down networks ``Y = g(X; α)`` from latents to images (CoopNets §2.2, §4).

A fully connected layer to a small map, then transposed convolutions, each but the last followed by
batch norm; tanh at the bottom. Textures do without the first layer: their latents are a map themselves,
and a larger map makes a larger image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..checks import InputError
from ..gradient import frozen_copy
from ..types import Images, Latents
from .blocks import (
    Precision,
    activation,
    check_layers,
    check_sizes,
    compute_dtype,
    computing_in,
    frozen_dtype,
    same_conv_transpose,
    shifted_norm,
    smeared,
)


@dataclass(frozen=True)
class Deconv:
    """One transposed convolution: output channels, kernel size, and the height and width it makes."""

    channels: int
    kernel: int
    size: tuple[int, int]


@dataclass(frozen=True)
class GeneratorSpec:
    """What a generator is made of.

    ``latent_dim`` is d of X; ``base`` the (channels, height, width) of the first map, made by a fully
    connected layer (None: the latents are a map of ``latent_size``, (height, width), with ``latent_dim``
    channels); ``deconvs`` from the latents down, the last making the image; ``slope`` of the leaky ReLU
    (0: ReLU); ``batch_norm`` after every layer but the last (a shift, and no scale unless ``batch_norm_scale``, eps
    1e-3); weights start from N(0, ``init_std``²), biases from 0, scales from 1. With ``repeat_pixels`` a layer repeats
    each pixel and then convolves, instead of a transposed convolution of free weights: it has no grid of its own.

    Raises ``InputError`` for counts below 1, a slope outside [0, 1), an ``init_std`` that is not positive, sizes that
    no stride makes, a scale without batch norm, and both or neither of ``base`` and ``latent_size``.
    """

    latent_dim: int
    base: tuple[int, int, int] | None
    deconvs: tuple[Deconv, ...]
    slope: float
    batch_norm: bool
    init_std: float
    latent_size: tuple[int, int] | None = None
    batch_norm_scale: bool = False
    repeat_pixels: bool = False

    def __post_init__(self) -> None:
        if self.batch_norm_scale and not self.batch_norm:
            raise InputError(
                "a generator has batch_norm_scale but no batch_norm; the scale belongs to it: set batch_norm=true too"
            )
        if (self.base is None) == (self.latent_size is None):
            raise InputError(
                f"a generator has base {self.base} and latent_size {self.latent_size}; it needs one of them: a base "
                "map for latent vectors, or a latent_size for latent maps"
            )
        if self.base is not None:
            check_sizes("the base of a generator", self.base)
        for deconv in self.deconvs:
            check_sizes("the size of a transposed convolution", deconv.size, "height, width")
        sizes = {"size": min(min(deconv.size) for deconv in self.deconvs)} if self.deconvs else {}
        counts = {"latent_dim": self.latent_dim, "first map": min(self.first_map)} | sizes
        check_layers("generator", self.deconvs, counts, self.slope, self.init_std)
        below = self.first_map[1:]
        for deconv in self.deconvs:
            strides = [-(-size // n) for size, n in zip(deconv.size, below, strict=True)]
            fits = all(-(-size // strides[0]) == n for size, n in zip(deconv.size, below, strict=True))
            whole = self.base is not None or all(strides[0] * n == m for m, n in zip(deconv.size, below, strict=True))
            if strides[0] != strides[1] or not (fits and whole):
                rounded = ", rounded up," if self.base is not None else ""
                raise InputError(
                    f"no transposed convolution makes {list(deconv.size)} pixels from {list(below)}: both sides need "
                    f"the same whole stride s, with size / s{rounded} the size before"
                )
            below = deconv.size

    @property
    def first_map(self) -> tuple[int, int, int]:
        """(channels, height, width) of what the first transposed convolution takes."""
        height, width = self.latent_size or (0, 0)
        return self.base or (self.latent_dim, height, width)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of one image's latents: ``(d,)``, or ``(d, height, width)``."""
        return (self.latent_dim,) if self.latent_size is None else (self.latent_dim, *self.latent_size)

    def latent_shape_for(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """The shape of the smallest latent map whose image covers ``size``, (height, width).

        Images larger than those learned from are ours: CoopNets §4.1 makes them of one size.

        Raises ``InputError`` where latents are vectors, or ``size`` is smaller than the images of the Spec.
        """
        own = self.shape[1:]
        if self.latent_size is None:
            raise InputError(
                f"this generator starts from latent vectors and makes images of {own[0]}x{own[1]} only; for other "
                "sizes train one that starts from latent maps (coopnets/texture-quick)"
            )
        if any(asked < learned for asked, learned in zip(size, own, strict=True)):
            raise InputError(
                f"a size of {size[0]}x{size[1]} is smaller than the images of {own[0]}x{own[1]} that this generator "
                "has learned to make; ask for at least that"
            )
        factor = math.prod(self.strides)
        return self.latent_dim, -(-size[0] // factor), -(-size[1] // factor)

    @property
    def strides(self) -> list[int]:
        """The up-sampling factor of each transposed convolution."""
        heights = [self.first_map[1], *(deconv.size[0] for deconv in self.deconvs)]
        return [-(-after // before) for before, after in pairwise(heights)]

    @property
    def smeared(self) -> GeneratorSpec:
        """The same network with the kernels that it computes with: with ``repeat_pixels`` those are larger."""
        larger = [
            replace(deconv, kernel=deconv.kernel + stride - 1) if self.repeat_pixels else deconv
            for deconv, stride in zip(self.deconvs, self.strides, strict=True)
        ]
        return replace(self, deconvs=tuple(larger), repeat_pixels=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the images made."""
        last = self.deconvs[-1]
        return last.channels, *last.size


class Generator(nn.Module):
    """``g: [B, *spec.latent_shape] -> [B, C, H, W]`` in (-1, 1) for the given Spec, weights drawn from ``rng``.

    In training mode batch norm uses the statistics of the batch and keeps running averages; in
    evaluation mode it uses the averages, so that the images of a batch do not influence each other.
    ``precision`` is that of the layers' arithmetic; weights and images are float32 in either case.
    """

    def __init__(self, spec: GeneratorSpec, rng: torch.Generator, precision: Precision = "float32") -> None:
        super().__init__()
        self.spec = spec
        self.dtype_of_convs = compute_dtype(precision)
        channels = spec.first_map[0]
        self.first = None
        self.shifts = nn.ParameterList()
        self.scales = nn.ParameterList()
        self.norms = nn.ModuleList()
        if spec.base is not None:
            first = torch.randn(spec.latent_dim, math.prod(spec.base), generator=rng, device=rng.device)
            self.first = nn.Parameter(spec.init_std * first)
            self._add_shift(channels, rng.device)
        self.weights = nn.ParameterList()
        for i, deconv in enumerate(spec.deconvs, start=1):
            weight = torch.randn(
                channels, deconv.channels, deconv.kernel, deconv.kernel, generator=rng, device=rng.device
            )
            self.weights.append(nn.Parameter((spec.init_std * weight).contiguous(memory_format=torch.channels_last)))
            channels = deconv.channels
            self._add_shift(channels, rng.device, last=i == len(spec.deconvs))

    def _add_shift(self, channels: int, device: torch.device, last: bool = False) -> None:
        self.shifts.append(nn.Parameter(torch.zeros(channels, device=device)))
        if self.spec.batch_norm and not last:
            self.norms.append(nn.BatchNorm2d(channels, eps=1e-3, affine=False, device=device))
        if self.spec.batch_norm_scale and not last:
            self.scales.append(nn.Parameter(torch.ones(channels, device=device)))

    def forward(self, latents: Latents) -> Images:
        """The image of each latent vector or map. Raises ``InputError`` for latents of another shape.

        Latent maps may be of any height and width; the image's sides grow with them.
        """
        self._check(latents)
        with computing_in(self.dtype_of_convs, latents.device):
            x = latents
            if self.first is not None and self.spec.base is not None:
                channels, height, width = self.spec.base
                x = self._settle((x @ self.first).view(-1, height, width, channels).permute(0, 3, 1, 2), 0)
            for i, (deconv, stride, weight) in enumerate(
                zip(self.spec.deconvs, self.spec.strides, self.kernels(), strict=True)
            ):
                size = deconv.size if self.spec.base else (x.shape[2] * stride, x.shape[3] * stride)
                x = same_conv_transpose(x, weight, None, stride, size)
                if i + 1 < len(self.weights):
                    x = self._settle(x, i + (self.first is not None))
            x = x.to(latents.dtype) + self.shifts[-1].view(-1, 1, 1)
        return torch.tanh(x)

    def kernels(self) -> list[Tensor]:
        """What each layer is the transpose of: its weights, or with ``repeat_pixels`` those smeared."""
        if not self.spec.repeat_pixels:
            return list(self.weights)
        return [smeared(weight, stride) for weight, stride in zip(self.weights, self.spec.strides, strict=True)]

    def positions(self) -> dict[str, int]:
        """Of each parameter, by name, how many positions of an image its gradient is a sum over.

        H·W of what its layer makes, but of what the layer takes for the weights of a transposed convolution: each of
        them meets every pixel above once, and leaves out pixels below. With ``repeat_pixels`` it leaves out none.
        """
        sizes = [math.prod(self.spec.first_map[1:]), *(math.prod(deconv.size) for deconv in self.spec.deconvs)]
        of_weights = sizes[1:] if self.spec.repeat_pixels else sizes[:-1]
        of_shifts = sizes if self.spec.base else sizes[1:]
        counts = {f"weights.{i}": size for i, size in enumerate(of_weights)}
        counts |= {f"{kind}.{i}": size for kind in ("shifts", "scales") for i, size in enumerate(of_shifts)}
        return {name: counts.get(name, 1) for name, _ in self.named_parameters()}

    def _settle(self, x: Tensor, i: int) -> Tensor:
        """Batch norm where there is any, its scale, the shift, and the activation of layer ``i``."""
        if not self.spec.batch_norm:
            return activation(x + self.shifts[i].view(-1, 1, 1).to(x.dtype), self.spec.slope)
        scale = self.scales[i] if self.spec.batch_norm_scale else None
        return activation(shifted_norm(x, self.norms[i], scale, self.shifts[i], self.training), self.spec.slope)

    def _check(self, latents: Latents) -> None:
        wanted, given = self.spec.latent_shape, tuple(latents.shape[1:])
        fits = given == wanted if self.spec.base else len(given) == 3 and given[0] == wanted[0]
        if not fits:
            any_size = "" if self.spec.base else " (any height and width)"
            raise InputError(
                f"this generator takes latents of shape [B, {', '.join(map(str, wanted))}]{any_size}, "
                f"not {list(latents.shape)}; "
                "draw them from N(0, 1) in that shape"
            )

    def snapshot(self) -> Generator:
        """A frozen copy in evaluation mode: it follows no later change of the weights, remembers nothing
        for their gradients, and has them cast to the precision of the convolutions once and for all."""
        frozen = frozen_copy(self)
        frozen.spec = self.spec.smeared
        dtype = frozen_dtype(self.dtype_of_convs, self.weights[0])
        if frozen.first is not None:
            frozen.first.data = frozen.first.data.to(dtype)
        for weight, kernel in zip(frozen.weights, self.kernels(), strict=True):
            weight.data = kernel.detach().to(dtype, copy=True)
        return frozen
