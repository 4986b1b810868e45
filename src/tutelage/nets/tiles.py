r"""A descriptor's potential of images larger than those learned from, which the paper does not do, tile by tile.

    f(Y) = Σ_positions Σ_filters top response          = Σ_tiles f(the part of Y that a tile looks at)

A descriptor without a fully connected layer (CoopNets §4.1) sums the responses of its last convolution over all their
positions, so that its potential of a larger image is its own formula. The positions are cut into tiles. What a tile
looks at overlaps its neighbours' by the receptive field (the halo); maps are padded with zeros at the borders of the
image, and at no border between tiles. Value and gradient are those of the whole image: no tile shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import InputError
from ..gradient import ByAutograd
from ..types import Evaluation, Images, Prepared, Scores
from .blocks import activation, same_padding
from .descriptor import Conv, Descriptor

TILE = 256
"""Pixels that the side of a tile covers, without its halo."""

Pads = list[tuple[int, int]]
"""Along one side: of each layer, the zeros before and after the part of its input that a tile looks at."""


@dataclass(frozen=True, eq=False)
class Tiles:
    """``f: [B, C, H, W] -> [B]``, the potential of ``descriptor``, with memory for one tile of one image at a time.

    ``tile`` is the side of a tile in pixels, without its halo (at least one position of the last convolution is
    taken). It changes the memory, the time (the halo is computed twice), and rounding.

    The prepared form goes by tiles. A call goes through the descriptor itself, and its memory grows with the images.

    Raises ``InputError`` for a descriptor that ends in a fully connected layer, which fixes the size, and for tiles
    below 1 pixel.
    """

    descriptor: Descriptor
    tile: int = TILE

    def __post_init__(self) -> None:
        if self.tile < 1:
            raise InputError(f"tile is {self.tile}; the side of a tile needs to be 1 pixel or more")
        spec = self.descriptor.spec
        if spec.outputs is not None:
            raise InputError(
                f"this descriptor ends in a fully connected layer over images of {spec.shape[1]}x{spec.shape[2]} and "
                "has no potential of other sizes; train one without it (descriptor.outputs=none)"
            )

    def __call__(self, images: Images) -> Scores:
        return self.descriptor(images)

    def prepare(self) -> Prepared:
        """A frozen snapshot, with the layers of that of ``Descriptor.prepare``."""
        spec, (weights, biases) = self.descriptor.spec, self.descriptor.frozen()
        first, taps = spec.applied[0], weights[0].shape[-1]
        strides = [1, *(conv.stride for conv in spec.convs[1:])]

        def potential(part: Tensor, rows: Pads, columns: Pads) -> Scores:
            x = part.to(weights[0].dtype)
            beyond = taps * first.stride - first.kernel  # where the folded kernel is zero
            x = F.pad(x, (columns[0][0], columns[0][1] + beyond, rows[0][0], rows[0][1] + beyond))
            x = F.pixel_unshuffle(x, first.stride)
            for i, (weight, bias, stride) in enumerate(zip(weights, biases, strides, strict=True)):
                if i:
                    x = F.pad(x, (*columns[i], *rows[i]))
                x = activation(F.conv2d(x, weight, bias, stride), spec.slope)
            return x.flatten(1).sum(1, dtype=part.dtype)

        def evaluate(images: Images) -> Evaluation:
            self.descriptor.check(images)
            value, gradient = images.new_zeros(len(images)), torch.zeros_like(images)
            sides = [list(_spans(side, spec.applied, self.tile)) for side in images.shape[2:]]
            for i, ((down, rows), (along, columns)) in product(range(len(images)), product(*sides)):
                here = slice(i, i + 1), slice(None), down, along
                of_tile = ByAutograd(partial(potential, rows=rows, columns=columns))(images[here])
                value[i : i + 1] += of_tile.value
                gradient[here] += of_tile.gradient
            return Evaluation(value, gradient)

        return evaluate


def _spans(side: int, convs: tuple[Conv, ...], tile: int) -> Iterator[tuple[slice, Pads]]:
    """Along one side of ``side`` pixels: the pixels that each tile looks at, and the zeros around each layer's part."""
    sizes = [side]
    for conv in convs:
        sizes.append(-(-sizes[-1] // conv.stride))
    positions = max(1, tile // math.prod(conv.stride for conv in convs))
    count = -(-sizes[-1] // positions)
    for i in range(count):
        start, stop = (sizes[-1] * end // count for end in (i, i + 1))
        pads: Pads = []
        for size, conv in zip(reversed(sizes[:-1]), reversed(convs), strict=True):
            low, _ = same_padding(size, conv.kernel, conv.stride)
            start, stop = start * conv.stride - low, (stop - 1) * conv.stride - low + conv.kernel
            pads.append((max(-start, 0), max(stop - size, 0)))
            start, stop = max(start, 0), min(stop, size)
        yield slice(start, stop), pads[::-1]
