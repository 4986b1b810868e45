"""The area is the fraction of pairs in order, and its error that of the placements, counted by brute force."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from tutelage.checks import InputError
from tutelage.metrics.auroc import auroc
from tutelage.rng import stream


def by_pairs(inside: Tensor, outside: Tensor) -> tuple[float, float]:
    """The area and DeLong's standard error, pair by pair."""

    def pair(a: float, b: float) -> float:
        return 1.0 if a > b else 0.5 if a == b else 0.0

    s, o = inside.tolist(), outside.tolist()
    area = statistics.fmean(pair(a, b) for a, b in itertools.product(s, o))
    of_inside = [statistics.fmean(pair(a, b) for b in o) for a in s]
    of_outside = [statistics.fmean(pair(a, b) for a in s) for b in o]
    return area, math.sqrt(statistics.variance(of_inside) / len(s) + statistics.variance(of_outside) / len(o))


def normal(n: int, shift: float, name: str) -> Tensor:
    return torch.randn(n, generator=stream(0, name), dtype=torch.float64) + shift


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (normal(17, 0.7, "in"), normal(9, 0.0, "out")),
        (normal(17, 0.7, "in").round(), normal(30, 0.0, "out").round()),  # many ties
        (torch.tensor([1, 3, 3, 2]), torch.tensor([3, 0])),  # whole numbers
    ],
)
def test_it_is_the_fraction_of_pairs_in_order(inside: Tensor, outside: Tensor) -> None:
    score = auroc(inside, outside)
    area, stderr = by_pairs(inside, outside)
    assert score.value == pytest.approx(area, rel=1e-14) and score.stderr == pytest.approx(stderr, rel=1e-12)
    assert (score.inside, score.outside) == (len(inside), len(outside))
    labels = [1] * len(inside) + [0] * len(outside)
    assert score.value == pytest.approx(roc_auc_score(labels, torch.cat([inside, outside])), rel=1e-12)


def test_perfect_order_reversed_order_and_no_order() -> None:
    low, high = torch.tensor([0.0, 1.0]), torch.tensor([2.0, math.inf, 3.0])
    assert auroc(high, low)[:2] == (1.0, 0.0)
    assert auroc(low, high).value == 0.0
    assert auroc(torch.ones(3), torch.ones(4))[:2] == (0.5, 0.0)


def test_sides_swapped_make_one_together_with_the_same_error() -> None:
    a, b = normal(20, 0.5, "in").round(decimals=1), normal(30, 0.0, "out").round(decimals=1)
    there, back = auroc(a, b), auroc(b, a)
    assert there.value + back.value == pytest.approx(1, abs=1e-14)
    assert there.stderr == pytest.approx(back.stderr, rel=1e-12)


def test_only_the_order_counts_and_float32_is_enough_to_keep_it() -> None:
    a, b = normal(20, 0.5, "in"), normal(30, 0.0, "out")
    assert auroc(a.exp(), b.exp()) == auroc(a, b)
    close = torch.tensor([1.0, 1.0 + 1e-12], dtype=torch.float64)  # one number in float32
    assert auroc(close[1:].repeat(2), close[:1].repeat(2)).value == 1.0


def test_the_standard_error_is_the_spread_of_the_area() -> None:
    areas = [auroc(normal(40, 1.0, f"in{k}"), normal(60, 0.0, f"out{k}")) for k in range(200)]
    spread = statistics.stdev(score.value for score in areas)
    assert spread == pytest.approx(statistics.fmean(score.stderr for score in areas), rel=0.15)
    assert statistics.fmean(score.value for score in areas) == pytest.approx(0.7602, abs=0.01)  # Φ(1/√2)


@pytest.mark.parametrize("side", ["inside", "outside"])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.empty(0), r"have shape \[0\]; .* 2 images or more"),
        (torch.ones(1), r"have shape \[1\]"),
        (torch.ones(3, 1), r"have shape \[3, 1\]; .* one number for each image"),
        (torch.tensor([1.0, math.nan, math.nan]), "2 of the 3 scores (in|out)side are NaN"),
    ],
)
def test_scores_that_have_no_order_are_refused(side: str, bad: Tensor, message: str) -> None:
    good = torch.tensor([0.0, 1.0])
    with pytest.raises(InputError, match=message) as refused:
        auroc(**({"inside": good, "outside": good} | {side: bad}))
    assert f"scores {side}" in str(refused.value)
