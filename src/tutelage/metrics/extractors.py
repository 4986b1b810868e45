r"""Feature extractors: from images to the vectors in which sets of images are compared.

An extractor is a value, an argument of the metric that uses it. A number depends on every detail of it, so its
name and the digest of its weights belong to each result, and a distance is called ``FD-<name>`` after it:

    images in [−1, 1]  →  grey repeated to three channels  →  size × size (bilinear, antialiased)  →  features [B, d]
                                                                                →  of a classifier, logits [B, K]

Only the distance in the features of the Inception network of 2015, with its published weights, is called FID
(`tutelage.metrics.inception`).

Bilinear and antialiased, because it averages when it shrinks and never leaves the range of its input; the Inception of
2015 alone resizes as its published numbers do. The shape of an image that is not square is not kept. Numbers from
different extractors, input sizes or filters cannot be compared with each other, nor with published ones that were made
with Inception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ..checks import InputError, first_line
from ..parts import put_together
from ..tf32 import no_tf32
from ..types import Images
from . import quantised_graph
from .inputs import check_range

CHUNK = 50
"""Images that go through an extractor together; it bounds the memory and changes no number."""


def antialiased(images: Images, size: int) -> Images:
    """Images ``[B, C, H, W]`` brought to ``[B, C, size, size]``, bilinearly."""
    return functional.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)


@dataclass(frozen=True)
class Extractor:
    """A named map from images to feature vectors.

    Args:
        name: what numbers made with it are called after; the input size is part of it where it is not the usual one.
        sha256: hexadecimal digest of the file with the weights.
        dimension: length d of a feature vector.
        size: height and width that images are brought to.
        function: ``[B, channels, size, size]`` in [−1, 1] on ``device`` to ``[B, d]``.
        device: where ``function`` computes.
        head: ``[B, d]`` features to ``[B, K]`` class logits; None for a network that is no classifier.
        channels: 3, or 1 for a network that takes grey images alone.
        bias: ``[K]``, that of the last layer where ``head`` leaves it out, as the Inception Score is defined.
        published: whether these are the network and the weights that the name FID stands for.
        resizes: whether images of other sizes are brought to ``size``, bilinearly; a network that has only seen images
            of one size takes no others.
        interpolate: how they are, ``[B, C, H, W]`` and ``size`` to ``[B, C, size, size]``, within their range.
    """

    name: str
    sha256: str
    dimension: int
    size: int
    function: Callable[[Images], Tensor] = field(repr=False, compare=False)
    device: torch.device = field(default=torch.device("cpu"), compare=False)
    head: Callable[[Tensor], Tensor] | None = field(default=None, repr=False, compare=False)
    channels: int = 3
    published: bool = False
    bias: Tensor | None = field(default=None, repr=False, compare=False)
    resizes: bool = True
    interpolate: Callable[[Images, int], Images] = field(default=antialiased, repr=False, compare=False)

    @property
    def distance(self) -> str:
        """What a Fréchet distance in these features is called."""
        return "FID" if self.published else f"FD-{self.name}"

    def __call__(self, images: Images) -> Tensor:
        """Features ``[B, d]``, float32 on ``device``, of images ``[B, 1 or 3, H, W]`` in [−1, 1].

        Raises ``InputError`` for another shape, an empty batch, values outside the range or not finite, colours where
        the network takes none, another size where it does not resize, and features that are not finite.
        """
        return put_together(self.chunks(images), len(images))

    def chunks(self, images: Images) -> Iterator[Tensor]:
        """The features of ``images`` a few at a time, for sums that need no more. Raises as the call does."""
        check_images(images, f"the extractor {self.name}")
        if images.shape[1] > self.channels:
            raise InputError(
                f"the extractor {self.name} takes grey images alone and was given {list(images.shape)}; give grey "
                "images, or an extractor for colours"
            )
        height, width = images.shape[-2:]
        if not self.resizes and (height, width) != (self.size, self.size):
            raise InputError(
                f"the extractor {self.name} knows images of {self.size} x {self.size} and was given {height} x "
                f"{width}; give images of its size, or an extractor that takes any, such as efficientnet-lite0"
            )
        for part in images.split(CHUNK):
            with torch.inference_mode():
                features = self.function(self.prepared(part.to(self.device, torch.float32)))
            if features.shape != (len(part), self.dimension):
                raise InputError(
                    f"the extractor {self.name} gave features of shape {list(features.shape)} for {len(part)} images; "
                    f"it needs to give {[len(part), self.dimension]}: check its weights"
                )
            broken = len(part) - int(torch.isfinite(features).all(1).sum())
            if broken:
                raise InputError(
                    f"the extractor {self.name} gave features that are NaN or infinite for {broken} of {len(part)} "
                    "images; it needs to give finite ones: check its weights"
                )
            yield features.to(torch.float32)

    def prepared(self, images: Images) -> Images:
        """Images ``[B, 1 or 3, H, W]`` as ``function`` takes them, ``[B, channels, size, size]``."""
        colour = images.expand(-1, self.channels, -1, -1)
        return colour if colour.shape[-2:] == (self.size, self.size) else self.interpolate(colour, self.size)

    @property
    def classes(self) -> int:
        """How many classes it tells apart. Raises ``InputError`` where the network is no classifier."""
        return self.logits(torch.zeros(1, self.dimension, device=self.device)).shape[1]

    def class_logits(self, features: Tensor) -> Tensor:
        """``logits`` with the last layer's bias, so that their softmax is what the network holds for probable.

        Raises ``InputError`` where the network is no classifier.
        """
        logits = self.logits(features)
        return logits if self.bias is None else logits + self.bias

    def logits(self, features: Tensor) -> Tensor:
        """Class logits ``[B, K]`` of features ``[B, d]`` that this extractor gave, one number for each class, as the
        Inception Score takes them: without ``bias``.

        Raises ``InputError`` where the network is no classifier.
        """
        if self.head is None:
            raise InputError(
                f"the extractor {self.name} is no classifier, so it has no classes; use inception-2015, "
                "efficientnet-lite0, the .npz of a MobileNetV2, or a run of classifier/mnist"
            )
        with torch.inference_mode():
            return self.head(features)


def check_images(images: Images, what: str) -> None:
    """Refuse what is no batch of images ``[B, 1 or 3, H, W]``, floats in [−1, 1]. ``what`` is what takes them.

    Raises ``InputError``.
    """
    if images.ndim != 4 or images.numel() == 0 or images.shape[1] not in (1, 3) or not images.is_floating_point():
        raise InputError(
            f"{what} was given {images.dtype} {list(images.shape)}; it needs floats [B, C, H, W] with C = 1 or 3 "
            "and one image or more: convert them first"
        )
    check_range(images, what)


def mobilenet_v2(path: Path | str, size: int = 128, device: torch.device | str = "cpu") -> Extractor:
    """MobileNetV2 (Sandler et al. 2018) trained on ImageNet: the 1280 numbers that its classifier reads.

    Args:
        path: a .npz file of eight-bit weights and their graph, as `tutelage.metrics.quantised_graph` reads them.
        size: height and width that images are brought to, a multiple of 32. The network was trained at 224, and
            at that size the extractor is called ``mobilenetv2``. The default suits images of 32 to 64 pixels: classes
            of CIFAR-10 are told by 15 neighbours among 1000 in 56, 58, 79 and 71 % of cases at 64, 96, 128 and 224,
            and 128 costs a fifth of 224.
        device: where it computes.

    Raises:
        InputError: the file is missing, cannot be read, or does not hold a network that gives features at this
            size; a size that is no multiple of 32.
    """
    no_tf32(device)
    name = sized("mobilenetv2", size)
    graph = quantised_graph.read(path, device)
    try:
        with torch.inference_mode():
            features = graph.features(torch.zeros(2, 3, size, size, device=device))
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, KeyError, IndexError) as error:
        raise InputError(
            f"{path} holds a network that cannot be run on images of {size} x {size} ({first_line(error)}); give the "
            "file of a MobileNetV2"
        ) from None
    where = torch.device(device)
    return Extractor(name, graph.sha256, features.shape[1], size, graph.features, where, head=graph.head)


def sized(name: str, size: int) -> str:
    """How a network trained at 224 x 224, which halves images five times, is called where it is given another size.

    Raises ``InputError`` for a size that is no multiple of 32.
    """
    if size < 32 or size % 32:
        raise InputError(f"the input size of {name} is {size}; it needs to be a multiple of 32, for example 128")
    return name if size == 224 else f"{name}-{size}"
