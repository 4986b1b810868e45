"""Which images make up which batch: a pure function of the iteration.

The stream of images is endless: a fresh permutation of all n for every epoch, one after the other, and batch t is

    positions t · size, …, (t + 1) · size − 1   of that stream.

Every image comes once per epoch, no image is left out because n is no multiple of the batch size, and resuming at any
iteration needs no state at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..checks import InputError
from ..rng import stream


@dataclass(frozen=True)
class Batches:
    """The batches of a set of ``n`` images under ``seed``.

    Args:
        n: number of images, ≥ 1.
        size: images per batch, ≥ 1; it may exceed ``n``, and then a batch spans several epochs.
        seed: the run's seed; epoch e is permuted by its stream ``data/epoch/e``.

    Raises:
        InputError: ``n`` or ``size`` is smaller than 1.
    """

    n: int
    size: int
    seed: int

    def __post_init__(self) -> None:
        for name, value in (("number of images", self.n), ("batch size", self.size)):
            if value < 1:
                raise InputError(f"the {name} is {value}; it must be at least 1")

    def indices(self, iteration: int) -> Tensor:
        """Indices of batch ``iteration`` ≥ 0: int64 ``[size]``, each in 0 … n − 1."""
        if iteration < 0:
            raise InputError(f"batch {iteration} was asked for; iterations count from 0")
        start, stop = iteration * self.size, (iteration + 1) * self.size
        parts = []
        for epoch in range(start // self.n, (stop - 1) // self.n + 1):
            first = epoch * self.n
            order = _permutation(self.n, self.seed, epoch)
            parts.append(order[max(start - first, 0) : min(stop - first, self.n)])
        return torch.cat(parts)

    def epoch(self, iteration: int) -> float:
        """How many times the whole set has been seen before batch ``iteration``."""
        return iteration * self.size / self.n


@lru_cache(maxsize=4)
def _permutation(n: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=stream(seed, "data", "epoch", epoch))
