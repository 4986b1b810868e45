r"""Classifiers: bottom-up networks whose output is the logit ``⟨w⁽¹⁾, φ(x; w⁽⁰⁾)⟩`` (IGM §3.2.1, §4).

The discriminator of DCGAN: strided convolutions, batch norm after each but the first, leaky ReLU, one
linear output. By eqs. (8) and (11) that output is both the logit of ``q(y = +1 | x)`` and ``ln g(x)``, by
which the reference is tilted: a classifier is a potential.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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
    check_statistics,
    compute_dtype,
    computing_in,
    frozen_dtype,
    same_conv,
    space_to_depth_conv,
    space_to_depth_weight,
)
from .descriptor import Conv

_MEND = "resize the images or cut patches of that size"


@dataclass(frozen=True)
class ClassifierSpec:
    """What a classifier is made of.

    ``shape`` is (channels, height, width) of the images or patches; ``channels`` of the convolutions from the
    image up, all with the same ``kernel`` and ``stride`` ("sub-sampling"); ``slope`` of the leaky ReLU (0: ReLU);
    ``batch_norm`` after every convolution but the first; weights start from N(0, ``init_std``²), biases from 0.
    The defaults are IGM §4's, but for ``stride`` and ``init_std``, which are DCGAN's: IGM prints neither.

    Raises ``InputError`` for a shape of other than three numbers, counts below 1, a slope outside [0, 1) and an
    ``init_std`` that is not positive.
    """

    shape: tuple[int, int, int]
    channels: tuple[int, ...]
    kernel: int = 5
    stride: int = 2
    slope: float = 0.2
    batch_norm: bool = True
    init_std: float = 0.02

    def __post_init__(self) -> None:
        check_sizes("the shape of a classifier's images", self.shape)
        convs = [Conv(channels, self.kernel, self.stride) for channels in self.channels]
        check_layers("classifier", convs, {"image size": min(self.shape)}, self.slope, self.init_std)

    @property
    def map_shapes(self) -> list[tuple[int, int, int]]:
        """(channels, height, width) of each convolution's output, from the image up."""
        shapes, (_, height, width) = [], self.shape
        for channels in self.channels:
            height, width = -(-height // self.stride), -(-width // self.stride)
            shapes.append((channels, height, width))
        return shapes


class Classifier(nn.Module):
    """``logit: [B, C, H, W] -> [B]`` for the given Spec, larger = more like the data, weights drawn from ``rng``.

    In training mode batch norm uses the statistics of the batch and keeps running averages; in evaluation
    mode it uses the averages, so that the images of a batch do not influence each other. Only then is a
    classifier a potential; ``prepare`` answers so in either mode.

    ``precision`` is that of the convolutions' arithmetic and of the maps between them; weights are float32 (or
    whatever ``to`` made of them), and batch norm's statistics and the linear layer are computed in that, in
    either case.
    """

    def __init__(self, spec: ClassifierSpec, rng: torch.Generator, precision: Precision = "float32") -> None:
        super().__init__()
        self.spec = spec
        self.dtype_of_convs = compute_dtype(precision)
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        self.norms = nn.ModuleList()
        below = spec.shape[0]
        for i, channels in enumerate(spec.channels):
            weight = torch.randn(channels, below, spec.kernel, spec.kernel, generator=rng, device=rng.device)
            self.weights.append(nn.Parameter((spec.init_std * weight).contiguous(memory_format=torch.channels_last)))
            if spec.batch_norm and i > 0:  # which has a shift of its own
                self.norms.append(nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1, device=rng.device))
            else:
                self.biases.append(nn.Parameter(torch.zeros(channels, device=rng.device)))
            below = channels
        top = torch.randn(1, math.prod(spec.map_shapes[-1]), generator=rng, device=rng.device)
        self.top = nn.Parameter(spec.init_std * top)
        self.top_bias = nn.Parameter(torch.zeros(1, device=rng.device))

    def forward(self, images: Images) -> Scores:
        """The logit of each image, ``[B]``, eqs. (8) and (11).

        Raises ``InputError`` for images of another shape, and in training mode for a batch without
        statistics: a single image whose map is a single pixel.
        """
        check_shape("classifier", self.spec.shape, images, _MEND)
        x = images
        for i in range(len(self.weights)):
            x = self._layer(x, i)
        return self.logit(x).to(images.dtype)

    def logit(self, last: Tensor) -> Scores:
        """The logit ``[B]`` that the last of ``features`` makes: ⟨w⁽¹⁾, φ⟩ of eqs. (8) and (11), and a bias."""
        return nn.functional.linear(last.flatten(1).to(self.top.dtype), self.top, self.top_bias).squeeze(1)

    def features(self, images: Images) -> list[Tensor]:
        """What each convolutional layer makes of the images, after batch norm and leaky ReLU, from the image up.

        Tensors ``[B, *shape]`` for each of ``spec.map_shapes``, in the present mode: put the classifier in
        evaluation mode for features that do not depend on the batch, and leave its running averages alone.
        IGM §4.5 concatenates those of the last three layers: with the paper's channels 14 336 numbers
        for images of 32x32, and 12 416 for 28x28.

        Raises what ``forward`` raises.
        """
        check_shape("classifier", self.spec.shape, images, _MEND)
        maps, x = [], images
        for i in range(len(self.weights)):
            x = self._layer(x, i)
            maps.append(x.to(images.dtype))
        return maps

    def prepare(self) -> Prepared:
        """A frozen snapshot in inference mode, whatever the present mode: batch norm by its running averages,
        folded into the convolutions, weights cast once, the first layer's stride turned into channels. Answers
        with the same values and gradients as ``forward`` in evaluation mode, up to rounding."""
        spec = self.spec
        dtype = frozen_dtype(self.dtype_of_convs, self.weights[0])
        folded = [self._folded(i) for i in range(len(self.weights))]
        weights = [weight.to(dtype, memory_format=torch.channels_last, copy=True) for weight, _ in folded]
        biases = [bias.to(dtype, copy=True) for _, bias in folded]
        top, top_bias = self.top.detach()[0].clone(), self.top_bias.detach().clone()
        first = space_to_depth_weight(weights[0], spec.stride).contiguous(memory_format=torch.channels_last)

        def potential(images: Tensor) -> Scores:
            check_shape("classifier", spec.shape, images, _MEND)
            x = space_to_depth_conv(images.to(dtype), first, biases[0], spec.stride, spec.kernel)
            x = activation(x, spec.slope)
            for weight, bias in zip(weights[1:], biases[1:], strict=True):
                x = activation(same_conv(x, weight, bias, spec.stride), spec.slope)
            return (x.flatten(1).to(top.dtype) @ top + top_bias).to(images.dtype)

        return ByAutograd(potential)

    def _layer(self, x: Tensor, i: int) -> Tensor:
        """Convolution, batch norm where there is any, and the activation of layer ``i``."""
        norm = self._norm(i)
        bias = self.biases[i] if norm is None else None
        with computing_in(self.dtype_of_convs, x.device):
            x = x.contiguous(memory_format=torch.channels_last)
            x = same_conv(x, self.weights[i], bias, self.spec.stride)
        if norm is not None:
            if norm.training:
                check_statistics(x)
            x = norm(x)
        return activation(x, self.spec.slope)

    def _norm(self, i: int) -> nn.BatchNorm2d | None:
        """The batch norm of layer ``i``."""
        norm = self.norms[i - 1] if self.spec.batch_norm and i > 0 else None
        assert norm is None or isinstance(norm, nn.BatchNorm2d)
        return norm

    @torch.no_grad()
    def _folded(self, i: int) -> tuple[Tensor, Tensor]:
        """Weight and bias of the convolution that equals layer ``i`` with its batch norm in inference mode."""
        weight, norm = self.weights[i].detach(), self._norm(i)
        if norm is None:
            return weight, self.biases[i].detach()
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        return weight * scale.view(-1, 1, 1, 1), norm.bias - norm.running_mean * scale
