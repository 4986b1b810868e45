r"""Recognisers: bottom-up networks that name the class of an image.

A logit for each of K classes, p(k | x) ∝ exp f_k(x). Convolutions of 3x3 with batch norm and ReLU, the largest of
each 2x2 pixels after every one of them, a linear layer whose responses are the features, and one that reads the
logits off them. It is trained with labels and serves to measure what others make, so it is none of either paper's
networks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..checks import InputError
from ..types import Images
from .blocks import Precision, check_layers, check_shape, check_sizes, compute_dtype, computing_in, same_conv
from .descriptor import Conv

KERNEL = 3


@dataclass(frozen=True)
class RecogniserSpec:
    """What a recogniser is made of.

    ``shape`` is (channels, height, width) of the images; ``channels`` of the convolutions from the image up, each of
    which halves height and width (rounded down); ``features`` the length of the vector that the logits are read off;
    ``classes`` K. Weights start from N(0, 2/n), n the numbers that each output is a sum of (He et al. 2015), biases
    from 0.

    Raises ``InputError`` for a shape of other than three numbers, counts below 1, fewer than 2 classes, and images
    that are halved to nothing.
    """

    shape: tuple[int, int, int]
    channels: tuple[int, ...]
    features: int
    classes: int

    def __post_init__(self) -> None:
        check_sizes("the shape of a recogniser's images", self.shape)
        convs = [Conv(channels, KERNEL, 1) for channels in self.channels]
        check_layers("recogniser", convs, {"image size": min(self.shape), "features": self.features})
        if self.classes < 2:
            raise InputError(f"a recogniser of {self.classes} classes was asked for; it needs 2 or more to choose from")
        if min(self.shape[1:]) < 2 ** len(self.channels):
            raise InputError(
                f"images of {self.shape[1]} x {self.shape[2]} cannot be halved {len(self.channels)} times; give a "
                "recogniser fewer convolutions, or larger images"
            )


class Recogniser(nn.Module):
    """``logits: [B, C, H, W] -> [B, K]`` for the given Spec, weights drawn from ``rng``.

    In training mode batch norm uses the statistics of the batch and keeps running averages; in evaluation mode it
    uses the averages, so that the images of a batch do not influence each other.

    ``precision`` is that of the convolutions' arithmetic; weights, batch norm and the linear layers are float32 (or
    whatever ``to`` made of them).
    """

    def __init__(self, spec: RecogniserSpec, rng: torch.Generator, precision: Precision = "float32") -> None:
        super().__init__()
        self.spec = spec
        self.dtype_of_convs = compute_dtype(precision)
        self.weights = nn.ParameterList()
        self.norms = nn.ModuleList()
        below, height, width = spec.shape
        for channels in spec.channels:
            self.weights.append(_drawn((channels, below, KERNEL, KERNEL), rng))
            self.norms.append(nn.BatchNorm2d(channels, device=rng.device))
            below, height, width = channels, height // 2, width // 2
        self.hidden = _drawn((spec.features, below * height * width), rng)
        self.hidden_bias = nn.Parameter(torch.zeros(spec.features, device=rng.device))
        self.top = _drawn((spec.classes, spec.features), rng)
        self.top_bias = nn.Parameter(torch.zeros(spec.classes, device=rng.device))

    def forward(self, images: Images) -> Tensor:
        """The logits ``[B, K]``. Raises ``InputError`` for images of another shape."""
        return self.head(self.features(images)[-1])

    def features(self, images: Images) -> list[Tensor]:
        """What each layer makes of the images, from the image up; the last, ``[B, features]``, is what `head` reads.

        In the present mode: put the recogniser in evaluation mode for features that do not depend on the batch.

        Raises ``InputError`` for images of another shape.
        """
        check_shape("recogniser", self.spec.shape, images)
        maps, x = [], images.to(self.top.dtype)
        for weight, norm in zip(self.weights, self.norms, strict=True):
            with computing_in(self.dtype_of_convs, x.device):
                x = same_conv(x.contiguous(memory_format=torch.channels_last), weight, None, stride=1)
            x = nn.functional.max_pool2d(nn.functional.relu(norm(x.to(self.top.dtype))), 2)
            maps.append(x)
        return [*maps, nn.functional.relu(nn.functional.linear(x.flatten(1), self.hidden, self.hidden_bias))]

    def head(self, features: Tensor) -> Tensor:
        """The logits ``[B, K]`` of the last of `features`."""
        return nn.functional.linear(features, self.top, self.top_bias)


def _drawn(shape: tuple[int, ...], rng: torch.Generator) -> nn.Parameter:
    """Weights from N(0, 2/n), n the numbers that each output is a sum of."""
    weight = torch.randn(shape, generator=rng, device=rng.device) * math.sqrt(2 / math.prod(shape[1:]))
    return nn.Parameter(weight.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else weight)
