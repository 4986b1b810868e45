"""Many images, a few at a time: what is only looked at need not be in memory at once."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..types import Images, Latents

_VALUES = 1_000_000  # per chunk: 325 images of 32x32 in colour, 5 of 256x256
_MOST = 500


def images_per_chunk(shape: tuple[int, ...]) -> int:
    """How many images of ``shape`` (``(C, *space)``) to treat together: 1 to 500."""
    return max(1, min(_MOST, _VALUES // max(1, math.prod(shape))))


def in_chunks(function: Callable[[Tensor], Tensor], inputs: Tensor, chunk: int) -> Tensor:
    """``function`` of ``inputs`` (``[n, ...]``), ``chunk`` rows at a time, put together again."""
    return torch.cat([function(part) for part in inputs.split(chunk)])


def generate(generator: nn.Module, latents: Latents) -> Images:
    """The images of ``latents``, without gradients, in chunks that suit their size."""
    with torch.no_grad():
        first = generator(latents[:1])
        chunk = images_per_chunk(tuple(first.shape[1:]))
        return in_chunks(generator, latents, chunk)
