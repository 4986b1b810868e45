r"""How well a number for each image tells images of a kind from others: the area under the ROC curve.

With scores s of n images inside (of the kind a model learned) and m outside, larger meaning more like the inside, it is
the fraction of pairs that are in order, ties counted half (Mann and Whitney 1947; Hanley and McNeil 1982):

    A = 1/(n m) · Σ_ij [s_i > s_j] + ½ [s_i = s_j]

½ is chance, 1 means that a threshold exists which makes no mistake. Only the order of the scores counts, so any
increasing function of a density will do. The standard error is that of DeLong, DeLong and Clarke-Pearson (1988): with
V_i the fraction of outside scores below that of inside image i, and V_j of inside scores above that of outside image j
(ties counted half),

    stderr² = var(V_i) / n + var(V_j) / m

It is 0 where the scores are in perfect order, which does not mean that A is known exactly.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import InputError
from ..types import Scores


class AurocScore(NamedTuple):
    """The area in [0, 1], its standard error (DeLong's), and the numbers of images."""

    value: float
    stderr: float
    inside: int
    outside: int


def auroc(inside: Scores, outside: Scores) -> AurocScore:
    """The area under the ROC curve of scores ``[n]`` inside against ``[m]`` outside, larger = more like inside.

    Pairs are counted exactly, by ranks; scores are compared as float64, and may be infinite.

    Raises ``InputError`` for anything but one number for each image, fewer than 2 images on a side, and NaN.
    """
    for name, scores in (("inside", inside), ("outside", outside)):
        if scores.ndim != 1 or len(scores) < 2:
            raise InputError(
                f"the scores {name} have shape {list(scores.shape)}; the area under the ROC curve needs one number for "
                "each image, [n], of 2 images or more: its standard error comes from their spread"
            )
        if scores.isnan().any():
            raise InputError(
                f"{int(scores.isnan().sum())} of the {len(scores)} scores {name} are NaN, which have no place in an "
                "order; look at the images and the model they came from"
            )
    s, others = inside.detach().cpu().double(), outside.detach().cpu().double()
    n, m = len(s), len(others)
    below = _twice_below(s, others)
    above = 2 * n - _twice_below(others, s)
    spread = (below.double() / (2 * m)).var() / n + (above.double() / (2 * n)).var() / m
    return AurocScore(int(below.sum()) / (2 * n * m), math.sqrt(float(spread)), n, m)


def _twice_below(scores: Tensor, others: Tensor) -> Tensor:
    """For each of ``scores``, twice the number of ``others`` below it and once the number equal to it: int64."""
    ordered = others.sort().values
    return torch.searchsorted(ordered, scores) + torch.searchsorted(ordered, scores, right=True)
