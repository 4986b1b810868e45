r"""Fréchet distance between two sets of feature vectors (Heusel et al. 2017; Dowson and Landau 1982).

A Gaussian is fitted to each set; the number is the squared Wasserstein-2 distance between the two:

    d² = |μ_a − μ_b|² + tr Σ_a + tr Σ_b − 2 tr (Σ_a^½ Σ_b Σ_a^½)^½

The last trace is a sum of square roots of the eigenvalues of a symmetric matrix, so two symmetric eigendecompositions
give it, in float64, also for covariances without full rank; eigenvalues that rounding made negative count as zero.
Covariances divide by n − 1.

The estimate is biased upwards, the more the fewer the images; with n ≤ d images of d features the covariance has
not even full rank. So compare only numbers of equally many images, beside the number that real images get.

The features are never kept: what accumulates is the count, the mean and the scatter Σ (x − μ)(x − μ)ᵀ, and two of
these merge exactly (Chan, Golub and LeVeque 1979).
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import InputError
from .inputs import check_features


class Moments(NamedTuple):
    """Of n feature vectors: the count, the mean ``[d]`` and the scatter ``[d, d]``, float64."""

    n: int
    mean: Tensor
    scatter: Tensor

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets together."""
        if not self.n or not other.n:
            return self if self.n else other
        n = self.n + other.n
        shift = other.mean - self.mean
        between = torch.outer(shift, shift).mul_(self.n * other.n / n)
        return Moments(n, self.mean + shift * (other.n / n), between.add_(self.scatter).add_(other.scatter))

    @property
    def covariance(self) -> Tensor:
        """``[d, d]``, divided by n − 1."""
        return self.scatter / (self.n - 1)


def moments(features: Tensor) -> Moments:
    """The moments of features ``[n, d]``, n ≥ 1. Raises ``InputError`` for another shape, and numbers not finite."""
    check_features(features, "a Fréchet distance")
    x = features.double()
    mean = x.mean(0)
    x = x - mean
    return Moments(len(features), mean, x.T @ x)


def merged(parts: Iterable[Moments]) -> Moments:
    """The moments of all parts together; there is one or more."""
    return functools.reduce(Moments.merge, parts)


class FrechetScore(NamedTuple):
    """The squared distance, its standard error (None: not estimated), and what it was made from."""

    value: float
    stderr: float | None
    n: int
    reference_n: int
    rank_deficient: bool
    """Whether a set has no more images than the features have dimensions: then the bias is large."""


def frechet_distance(a: Moments, b: Moments) -> float:
    """``d²`` between the Gaussians of two sets.

    Raises ``InputError`` for fewer than 2 vectors in a set, features of two lengths, and moments that are not finite.
    """
    if min(a.n, b.n) < 2 or a.mean.shape != b.mean.shape:
        raise InputError(
            f"sets of {a.n} and {b.n} feature vectors of length {len(a.mean)} and {len(b.mean)} were given; a Fréchet "
            "distance needs 2 or more in each, from one extractor: use more images, and the same extractor for both"
        )
    if not all(torch.isfinite(part).all() for some in (a, b) for part in (some.mean, some.scatter)):
        raise InputError(
            "moments with numbers that are not finite were given; a Fréchet distance needs those of finite features: "
            "look at the images and the extractor they came from"
        )
    first, second = a.covariance, b.covariance
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    d2 = (a.mean - b.mean).square().sum() + first.trace() + second.trace() - 2 * overlap
    return max(0.0, d2.item())


def frechet(parts: Sequence[Moments], reference: Sequence[Moments]) -> FrechetScore:
    """The distance between two sets, each given in parts that are alike, with its standard error.

    The standard error is the jackknife's, with the k-th part of **both** sets left out in turn:

        stderr² = (g − 1) / g · Σ_k (d²_{−k} − mean)²

    It is None for one part a set. The bias of d² is in all of them and no part of it. It is the error of this number
    alone: two models measured against the same reference share a part of it.

    Raises ``InputError`` as `frechet_distance` does, and for unlike numbers of parts.
    """
    if len(parts) != len(reference) or not parts:
        raise InputError(
            f"{len(parts)} parts of one set and {len(reference)} of the other were given; the jackknife needs as many "
            "of both: cut both sets alike"
        )
    a, b = merged(parts), merged(reference)
    stderr = _jackknife(parts, reference) if len(parts) > 1 else None
    return FrechetScore(frechet_distance(a, b), stderr, a.n, b.n, min(a.n, b.n) <= len(a.mean))


def _jackknife(parts: Sequence[Moments], reference: Sequence[Moments]) -> float:
    g = len(parts)
    without = [
        frechet_distance(merged([*parts[:k], *parts[k + 1 :]]), merged([*reference[:k], *reference[k + 1 :]]))
        for k in range(g)
    ]
    return statistics.pstdev(without) * math.sqrt(g - 1)
