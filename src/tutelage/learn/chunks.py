"""Many images, a few at a time: what is only looked at need not be in memory at once."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..types import Images, Latents

_VALUES = 1_000_000  # per chunk, on a CPU: 325 images of 32x32 in colour, 5 of 256x256
_MOST = 500
_VALUES_ELSEWHERE = 16 * _VALUES  # a GPU is only busy with many, and a small one holds some hundred maps of these
_MOST_ELSEWHERE = 4_000


def images_per_chunk(shape: tuple[int, ...], device: torch.device | str = "cpu") -> int:
    """How many images of ``shape`` (``(C, *space)``) to treat together on ``device``: 1 to 500 on a CPU, 1 to 4 000
    elsewhere."""
    on_cpu = torch.device(device).type == "cpu"
    values, most = (_VALUES, _MOST) if on_cpu else (_VALUES_ELSEWHERE, _MOST_ELSEWHERE)
    return max(1, min(most, values // max(1, math.prod(shape))))


def in_chunks(function: Callable[[Tensor], Tensor], inputs: Tensor, chunk: int) -> Tensor:
    """``function`` of ``inputs`` (``[n, ...]``), ``chunk`` rows at a time, put together again."""
    return torch.cat([function(part) for part in inputs.split(chunk)])


def generate(generator: nn.Module, latents: Latents) -> Images:
    """The images of ``latents``, without gradients, in chunks that suit their size."""
    with torch.no_grad():
        first = generator(latents[:1])
        if len(latents) == 1:
            return first
        chunk = images_per_chunk(tuple(first.shape[1:]), latents.device)
        return in_chunks(generator, latents, chunk)
