r"""Are samples where real images are, and everywhere they are? Precision and recall, density and coverage.

A set Y of feature vectors stands for the region that it fills: a ball around each y with the distance to its k-th
nearest neighbour in Y as its radius r_k(y). Of samples x and real images y, n and m in number,

    precision = 1/n Σ_x [some y has |x − y| ≤ r_k(y)]        recall = 1/m Σ_y [some x has |x − y| ≤ r_k(x)]

(Kynkäänniemi et al. 2019, k = 3). One outlier among the real images has a ball that takes in much; so

    density = 1/(k n) Σ_x #{y : |x − y| ≤ r_k(y)}            coverage = 1/m Σ_y [some x has |x − y| ≤ r_k(y)]

(Naeem et al. 2020, k = 5). For two sets of one distribution, m = n and large, the expected density is 1 and the
expected coverage 1 − 2^−k; precision and recall have no such value. All but the density depend on n and m, so compare
only numbers of equally many images, beside those that real images get.

A vector on the edge of a ball is inside, so distances must not depend on how they were computed: they are sums of
squared differences in float64, not |x|² + |y|² − 2⟨x, y⟩. A million of them, d = 1280, take 1.5 s on one CPU core.
What lies in memory is 1000 rows of them at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import InputError
from .inputs import check_two_sets

_ROWS = 1000  # vectors whose distances to all others are held


class PrecisionRecall(NamedTuple):
    """Two fractions in [0, 1]."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """A number of 0 or more and a fraction in [0, 1]."""

    density: float
    coverage: float


def precision_recall(features: Tensor, reference: Tensor, k: int = 3) -> PrecisionRecall:
    """Precision and recall of samples' features ``[n, d]`` against real images' ``[m, d]``.

    Raises ``InputError`` for what are no such features, fewer than k + 1 of either, and k below 1.
    """
    x, y = _checked(features, reference, k, "precision and recall")
    radii, precise, recalled = _radii(y, k), 0, torch.zeros(len(y), dtype=torch.bool, device=x.device)
    for part, own in zip(x.split(_ROWS), _radii(x, k).split(_ROWS), strict=True):
        between = _distances(part, y)
        precise += int(between.le(radii).any(1).sum())
        recalled |= between.le(own[:, None]).any(0)
    return PrecisionRecall(precise / len(x), int(recalled.sum()) / len(y))


def density_coverage(features: Tensor, reference: Tensor, k: int = 5) -> DensityCoverage:
    """Density and coverage of samples' features ``[n, d]`` against real images' ``[m, d]``.

    Raises ``InputError`` as `precision_recall` does.
    """
    x, y = _checked(features, reference, k, "density and coverage")
    radii, inside, nearest = _radii(y, k), 0, torch.full((len(y),), torch.inf, dtype=torch.float64, device=x.device)
    for part in x.split(_ROWS):
        between = _distances(part, y)
        inside += int(between.le(radii).sum())
        nearest = torch.minimum(nearest, between.amin(0))
    return DensityCoverage(inside / (k * len(x)), int(nearest.le(radii).sum()) / len(y))


def _checked(features: Tensor, reference: Tensor, k: int, what: str) -> tuple[Tensor, Tensor]:
    """Both on one device. Raises ``InputError`` as `precision_recall` does."""
    if k < 1:
        raise InputError(f"k is {k}; {what} need 1 neighbour or more")
    check_two_sets(features, reference, f"each of {what} with {k} neighbours", k + 1)
    return features.detach(), reference.detach().to(features.device)


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """In float64, of which there are never more than some rows of features at once."""
    x, parts = x.double(), y.split(_ROWS)
    return torch.cat([torch.cdist(x, part.double(), compute_mode="donot_use_mm_for_euclid_dist") for part in parts], 1)


def _radii(y: Tensor, k: int) -> Tensor:
    """The distance of each to its k-th nearest neighbour, ``[m]``; it is itself the one at distance 0."""
    return torch.cat([_distances(part, y).kthvalue(k + 1, 1).values for part in y.split(_ROWS)])
