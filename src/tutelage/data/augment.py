"""Changes to a batch that show the same things again: a pure function of the batch, the seed and the iteration."""

from __future__ import annotations

import torch
from torch import Tensor

from ..rng import stream


def flip(images: Tensor, seed: int, iteration: int) -> Tensor:
    """Each image of ``[B, C, H, W]`` mirrored left to right with probability 1/2, on the device of ``images``.

    The coins come from the stream ``flip/iteration`` of the run's seed, on the CPU: the same on every device, and
    resuming at any iteration needs no state. The result is new memory.
    """
    coins = torch.rand(len(images), generator=stream(seed, "flip", iteration)) < 0.5
    chosen = coins.to(images.device).view(-1, *(1,) * (images.ndim - 1))
    return torch.where(chosen, images.flip(-1), images)
