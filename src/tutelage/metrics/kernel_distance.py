r"""Kernel distance between two sets of feature vectors, "KID" (Bińkowski et al. 2018; Gretton et al. 2012).

The squared maximum mean discrepancy of the cubic kernel k(x, y) = (⟨x, y⟩ / d + 1)³, which compares all moments up to
the third, estimated without bias from m vectors of each set:

    MMD² = 1/(m(m−1)) Σ_{i≠j} k(x_i, x_j) + 1/(m(m−1)) Σ_{i≠j} k(y_i, y_j) − 2/m² Σ_ij k(x_i, y_j)

Its expectation is the same for any number of images, unlike that of the Fréchet distance, and it may be negative.

As in the published protocol it is taken of random subsets of both sets, drawn without replacement, and the number is
the mean over subsets ± their standard deviation (divided by the number of subsets). The ± is the spread of the
subsets. It is no standard error: subsets share images, so std / √subsets would say too little. Float64 throughout.
"""

from __future__ import annotations

import statistics
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import InputError
from .inputs import check_two_sets


class KernelDistance(NamedTuple):
    """The mean over subsets, their standard deviation, and what it was made from."""

    value: float
    std: float
    subsets: int
    size: int
    """Vectors of each set in a subset."""
    n: int


def squared_mmd(x: Tensor, y: Tensor) -> float:
    """``MMD²``, unbiased, of vectors ``[n, d]`` and ``[m, d]``, n, m ≥ 2; ``n²``, ``m²`` and ``n m`` numbers are held.

    Raises ``InputError`` for what are no such sets of features.
    """
    check_two_sets(x, y, "a kernel distance", 2)
    x, y = x.detach().double(), y.detach().to(x.device).double()
    return (_among(x) + _among(y) - 2 * _kernel(x, y).mean()).item()


def kernel_distance(
    features: Tensor, reference: Tensor, rng: torch.Generator, *, subsets: int = 100, size: int = 1000
) -> KernelDistance:
    """The mean of ``MMD²`` over random subsets.

    Args:
        features: ``[n, d]``, float, finite.
        reference: ``[m, d]``, of the same extractor; n and m may differ.
        rng: draws the subsets. Numbers that are compared need it in the same state.
        subsets: 2 or more, for the spread.
        size: vectors of each set in a subset, 2 or more.

    Raises:
        InputError: what are no such features, a set smaller than a subset, or too few subsets or vectors in one.
    """
    if subsets < 2 or size < 2:
        raise InputError(
            f"{subsets} subsets of {size} were asked for; a kernel distance needs 2 subsets or more, of 2 images "
            "or more"
        )
    check_two_sets(features, reference, f"a kernel distance with subsets of {size}", size)
    found = [squared_mmd(_draw(features, size, rng), _draw(reference, size, rng)) for _ in range(subsets)]
    return KernelDistance(statistics.fmean(found), statistics.pstdev(found), subsets, size, len(features))


def _draw(features: Tensor, size: int, rng: torch.Generator) -> Tensor:
    return features[torch.randperm(len(features), generator=rng, device=rng.device)[:size].to(features.device)]


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _among(x: Tensor) -> Tensor:
    """The mean of k over pairs of two different vectors."""
    k = _kernel(x, x)
    return (k.sum() - k.trace()) / (len(x) * (len(x) - 1))
