r"""Features of images from a network that learned without labels (IGM §4.5).

The responses of the last convolution layers of a trained classifier or descriptor, flattened and put side by side, make
one vector for each image: with IGM's channels and three layers 8192 + 4096 + 2048 = 14 336 numbers for 32 x 32. Any
module will do that offers ``features(images) -> list[Tensor]``, its layers' responses ``[B, ...]`` from the image up.
`tutelage.metrics.probe` tells what the vectors know; `raw_pixels` are what they have to beat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import InputError
from ..data import ImageSet
from ..gradient import frozen_copy
from ..learn.chunks import images_per_chunk
from ..parts import put_together
from ..types import Images


def features_of(
    network: nn.Module,
    images: ImageSet | Images,
    layers: int = 3,
    chunk: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The responses of the last ``layers`` layers to each image, side by side: ``[n, d]`` of ``dtype``, on the CPU.

    A copy of the network in evaluation mode answers, without gradients, so that no image's features depend on the
    others; the network itself stays as it is.

    Args:
        network: offers ``features(images) -> list[Tensor]``; it computes where its parameters are.
        images: a set, or floats ``[n, C, *space]`` in [-1, 1].
        layers: how many, counted from the top; the lowest of them comes first in a vector.
        chunk: images that go through the network together; it bounds the memory and changes nothing (None: as many
            as suit their size).
        dtype: of the result, the one thing kept for all images. ``torch.float16`` halves it: 63 000 vectors of
            14 336 numbers are 3.6 GB in float32.

    Raises:
        InputError: a network without features or with fewer layers, no images, or features that are not finite or
            do not fit into ``dtype``.
    """
    frozen = frozen_copy(network)
    ask = getattr(frozen, "features", None)
    if not callable(ask):
        raise InputError(
            f"{type(network).__name__} has no features; a network needs a method features(images) that returns a list "
            "of its layers' responses, from the image up: the classifiers and descriptors of tutelage.nets have one"
        )
    if layers < 1 or not dtype.is_floating_point:
        raise InputError(f"{layers} layers in {dtype} were asked for; features need 1 or more, and a type of floats")
    like, name = next(frozen.parameters(), torch.empty(0)), type(network).__name__
    parts = (_vectors(ask, part.to(like.dtype), layers, dtype, name) for part in _chunks(images, chunk, like.device))
    return put_together(parts, len(images))


def raw_pixels(images: ImageSet | Images) -> Tensor:
    """The images themselves as vectors, ``[n, C · H · W]`` float32 on the CPU. Raises ``InputError`` for no images."""
    parts = (part.flatten(1).float() for part in _chunks(images, None, torch.device("cpu")))
    return put_together(parts, len(images))


@torch.no_grad()
def _vectors(features: Callable[[Images], Any], images: Images, layers: int, dtype: torch.dtype, name: str) -> Tensor:
    """``[B, d]`` of a chunk of images. Raises ``InputError`` as `features_of` does."""
    maps = features(images)
    if not isinstance(maps, list | tuple) or not all(isinstance(x, Tensor) and len(x) == len(images) for x in maps):
        raise InputError(
            f"the features of {name} are not a list of tensors with a row for each of {len(images)} images; return the "
            "response of each layer, [B, ...], in a list"
        )
    if len(maps) < layers:
        raise InputError(f"{layers} layers of {name} were asked for, which has {len(maps)}; ask for fewer")
    vectors = torch.cat([x.flatten(1).to(dtype) for x in maps[-layers:]], 1)
    if not torch.isfinite(vectors).all():
        raise InputError(
            f"features of {name} are not finite in {dtype}; ask for float32 if this is float16, or look at the weights"
        )
    return vectors.cpu()


def _chunks(images: ImageSet | Images, chunk: int | None, device: torch.device) -> Iterator[Images]:
    """The images, a few at a time, as floats on ``device``."""
    if isinstance(images, Tensor) and (images.ndim < 3 or len(images) == 0 or not images.is_floating_point()):
        raise InputError(
            f"images {images.dtype} {list(images.shape)} were given; a set is needed, or floats [n, C, *space] in "
            "[-1, 1], n of 1 or more: tutelage.data.from_uint8 makes floats of bytes"
        )
    if chunk is not None and chunk < 1:
        raise InputError(f"chunk is {chunk}; it needs to be 1 or more images that are treated together")
    shape = images.shape if isinstance(images, ImageSet) else tuple(images.shape[1:])
    step = chunk or images_per_chunk(shape, device)
    for start in range(0, len(images), step):
        rows = slice(start, start + step)
        yield images.batch(rows, device) if isinstance(images, ImageSet) else images[rows].to(device)
