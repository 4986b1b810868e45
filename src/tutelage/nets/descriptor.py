r"""Descriptors: bottom-up networks whose output is a potential ``f(Y; θ)`` (CoopNets §2.1, §4).

Convolutions, then one fully connected layer; ``f`` is the **sum** of its outputs. Sampling needs the
sum: an average over outputs or positions would shrink the pull on the images by as much. Textures do
without the last layer: ``f`` is the sum over filters and positions, for images of any size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..gradient import ByAutograd
from ..types import Images, Prepared, Scores
from .blocks import (
    Precision,
    activation,
    check_layers,
    check_shape,
    check_sizes,
    compute_dtype,
    computing_in,
    frozen_dtype,
    initial_std,
    same_conv,
    smeared,
    space_to_depth_conv,
    space_to_depth_weight,
)


@dataclass(frozen=True)
class Conv:
    """One convolution: output channels, kernel size, stride ("sub-sampling")."""

    channels: int
    kernel: int
    stride: int


@dataclass(frozen=True)
class DescriptorSpec:
    """What a descriptor is made of.

    ``shape`` is (channels, height, width) of the images; ``convs`` from the image up; ``outputs`` of the
    fully connected layer, summed (None: no such layer, the responses of the last convolution are summed, and
    images may have any size); ``slope`` of the leaky ReLU (0: ReLU); weights start from N(0, ``init_std``²),
    biases from 0. Without ``init_std`` (None) a layer's weights start from N(0, 2/n), n of them to an output, so that
    features do not shrink on their way up (K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV
    2015, eq. 10). With ``average_pixels`` a layer convolves with stride 1 and averages squares of ``stride`` pixels,
    instead of leaving positions out: all pixels of a square then weigh alike, and its gradient has no grid of its own.

    Raises ``InputError`` for a shape of other than three numbers, counts below 1, a slope outside [0, 1) and an
    ``init_std`` that is not positive.
    """

    shape: tuple[int, int, int]
    convs: tuple[Conv, ...]
    outputs: int | None
    slope: float
    init_std: float | None
    average_pixels: bool = False

    def __post_init__(self) -> None:
        check_sizes("the shape of a descriptor's images", self.shape)
        counts = {"image size": min(self.shape)} | ({} if self.outputs is None else {"outputs": self.outputs})
        check_layers("descriptor", self.convs, counts, self.slope, self.init_std)

    @property
    def top_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the last convolution's output."""
        return self.map_shapes[-1]

    @property
    def applied(self) -> tuple[Conv, ...]:
        """The convolutions as they are computed: with ``average_pixels`` kernels are larger by the stride less 1."""
        if not self.average_pixels:
            return self.convs
        return tuple(replace(conv, kernel=conv.kernel + conv.stride - 1) for conv in self.convs)

    @property
    def map_shapes(self) -> list[tuple[int, int, int]]:
        """(channels, height, width) of each convolution's output, from the image up."""
        shapes, (_, height, width) = [], self.shape
        for conv in self.convs:
            height, width = -(-height // conv.stride), -(-width // conv.stride)
            shapes.append((conv.channels, height, width))
        return shapes


class Descriptor(nn.Module):
    """``f: [B, C, H, W] -> [B]`` for the given Spec, its weights drawn from ``rng``.

    ``precision`` is that of the layers' arithmetic; weights are float32 (or whatever ``to`` made of them) in
    either case. In bfloat16 the value of the prepared form carries three digits, which is enough for its gradient
    but not for a Metropolis correction.
    """

    def __init__(self, spec: DescriptorSpec, rng: torch.Generator, precision: Precision = "float32") -> None:
        super().__init__()
        self.spec = spec
        self.dtype_of_convs = compute_dtype(precision)
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        channels = spec.shape[0]
        for conv in spec.convs:
            weight = torch.randn(conv.channels, channels, conv.kernel, conv.kernel, generator=rng, device=rng.device)
            std = initial_std(weight, spec.init_std)
            self.weights.append(nn.Parameter((std * weight).contiguous(memory_format=torch.channels_last)))
            self.biases.append(nn.Parameter(torch.zeros(conv.channels, device=rng.device)))
            channels = conv.channels
        self.top = self.top_bias = None
        if spec.outputs is not None:
            top = torch.randn(spec.outputs, math.prod(spec.top_shape), generator=rng, device=rng.device)
            self.top = nn.Parameter(initial_std(top, spec.init_std) * top)
            self.top_bias = nn.Parameter(torch.zeros(spec.outputs, device=rng.device))

    def forward(self, images: Images) -> Scores:
        """The potential of each image, ``[B]``. Raises ``InputError`` for images of another shape."""
        return self.responses(images).sum(1, dtype=images.dtype)

    def responses(self, images: Images) -> Tensor:
        """What ``forward`` sums: the fully connected layer's outputs, ``[B, outputs]``, or without that layer those of
        the last convolution, flattened; in the precision of the layers' arithmetic. Raises what ``forward`` raises."""
        x = self.features(images)[-1].flatten(1)
        if self.top is None:
            return x
        with computing_in(self.dtype_of_convs, images.device):
            return nn.functional.linear(x, self.top, self.top_bias)

    def features(self, images: Images) -> list[Tensor]:
        """What each convolution makes of the images, after its leaky ReLU, from the image up.

        Tensors ``[B, *shape]`` for each of ``spec.map_shapes`` (of images of the Spec's size), in the precision of the
        layers' arithmetic. Raises what ``forward`` raises.
        """
        self.check(images)
        maps = []
        with computing_in(self.dtype_of_convs, images.device):
            x = images.contiguous(memory_format=torch.channels_last)
            for conv, weight, bias in zip(self.spec.convs, self.kernels(), self.biases, strict=True):
                x = activation(same_conv(x, weight, bias, conv.stride), self.spec.slope)
                maps.append(x)
        return maps

    def kernels(self) -> list[Tensor]:
        """What each of ``spec.applied`` convolves with: its weights, or with ``average_pixels`` those smeared."""
        if not self.spec.average_pixels:
            return list(self.weights)
        strides = [conv.stride for conv in self.spec.convs]
        return [smeared(weight, s) / s**2 for weight, s in zip(self.weights, strides, strict=True)]

    def positions(self) -> dict[str, int]:
        """Of each parameter, by name, how many positions of an image its gradient is a sum over: H·W of its layer."""
        sizes = [height * width for _, height, width in self.spec.map_shapes]
        counts = {f"{kind}.{i}": size for kind in ("weights", "biases") for i, size in enumerate(sizes)}
        return {name: counts.get(name, 1) for name, _ in self.named_parameters()}

    def prepare(self) -> Prepared:
        """A frozen snapshot: weights cast once, the summed top layer folded to one vector, the first
        layer's stride turned into channels. Answers with the same values and gradients as ``forward``,
        up to rounding."""
        strides, kernel = [conv.stride for conv in self.spec.convs], self.spec.applied[0].kernel
        weights, biases = self.frozen()
        dtype = weights[0].dtype
        top, top_bias = None, None
        if self.top is not None and self.top_bias is not None:
            top, top_bias = self.top.detach().sum(0).to(dtype), self.top_bias.detach().sum()
        slope = self.spec.slope

        def potential(images: Tensor) -> Scores:
            self.check(images)
            x = images.to(dtype)
            x = activation(space_to_depth_conv(x, weights[0], biases[0], strides[0], kernel), slope)
            for stride, weight, bias in zip(strides[1:], weights[1:], biases[1:], strict=True):
                x = activation(same_conv(x, weight, bias, stride), slope)
            if top is None or top_bias is None:
                return x.flatten(1).sum(1, dtype=images.dtype)
            return (x.flatten(1) @ top).to(images.dtype) + top_bias

        return ByAutograd(potential)

    def frozen(self) -> tuple[list[Tensor], list[Tensor]]:
        """Copies of the convolutions' weights and biases, cast once to the precision of the layers' arithmetic; the
        first weight is folded by `space_to_depth_weight`, its layer's stride turned into channels."""
        dtype = frozen_dtype(self.dtype_of_convs, self.weights[0])
        weights = [weight.detach().to(dtype, memory_format=torch.channels_last, copy=True) for weight in self.kernels()]
        biases = [bias.detach().to(dtype, copy=True) for bias in self.biases]
        first = space_to_depth_weight(weights[0], self.spec.convs[0].stride)
        return [first.contiguous(memory_format=torch.channels_last), *weights[1:]], biases

    def check(self, images: Images) -> None:
        """Raises ``InputError`` for images of a shape that this descriptor does not take."""
        if self.spec.outputs is None and images.ndim == 4 and images.shape[1] == self.spec.shape[0]:
            return
        check_shape("descriptor", self.spec.shape, images)
