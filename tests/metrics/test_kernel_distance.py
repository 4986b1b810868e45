"""The kernel distance against loops over pairs, torchmetrics and closed forms; that it has no bias; its subsets."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from tutelage.checks import InputError
from tutelage.metrics.kernel_distance import kernel_distance, squared_mmd
from tutelage.rng import stream


def normal(n: int, d: int, name: str = "features") -> Tensor:
    return torch.randn((n, d), generator=stream(0, name), dtype=torch.float64)


def by_pairs(x: Tensor, y: Tensor) -> float:
    def k(a: Tensor, b: Tensor) -> float:
        return (sum(s * t for s, t in zip(a.tolist(), b.tolist(), strict=True)) / len(a) + 1) ** 3

    within = [statistics.fmean(k(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j) for s in (x, y)]
    return sum(within) - 2 * statistics.fmean(k(a, b) for a in x for b in y)


@pytest.mark.parametrize(("n", "m"), [(9, 9), (5, 8), (2, 2)])
def test_it_is_the_mean_over_pairs(n: int, m: int) -> None:
    x, y = normal(n, 4, "x"), 1.5 * normal(m, 4, "y") + 0.3
    assert squared_mmd(x, y) == pytest.approx(by_pairs(x, y), rel=1e-10)
    assert squared_mmd(y, x) == pytest.approx(squared_mmd(x, y), rel=1e-10)


def test_it_agrees_with_torchmetrics() -> None:
    x, y = normal(30, 5, "x"), normal(30, 5, "y") + 0.5
    assert squared_mmd(x, y) == pytest.approx(poly_mmd(x, y).item(), rel=1e-9)


def test_two_points_have_a_closed_form() -> None:
    p, q = torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 3.0])
    # ⟨p, p⟩ / 2 + 1 = 3.5, ⟨q, q⟩ / 2 + 1 = 6, ⟨p, q⟩ / 2 + 1 = 3.5
    assert squared_mmd(p.expand(4, 2), q.expand(3, 2)) == pytest.approx(3.5**3 + 6**3 - 2 * 3.5**3, rel=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_it_has_no_bias(shift: float) -> None:
    # d = 1: (xy + 1)³ = 1 + 3xy + 3x²y² + x³y³, so MMD² = 3 Δ₁² + 3 Δ₂² + Δ₃² in the moments of N(0, 1) and N(μ, 1)
    expected = 3 * shift**2 + 3 * shift**4 + (shift**3 + 3 * shift) ** 2
    found = [squared_mmd(normal(12, 1, f"x{r}"), normal(12, 1, f"y{r}") + shift) for r in range(200)]
    assert min(found) < 0
    error = statistics.stdev(found) / math.sqrt(200)
    # with its diagonals it would be (E k(x, x) − E k(x, x')) / 12 too large for each set, 4 in all
    assert error < 1 and statistics.fmean(found) == pytest.approx(expected, abs=3 * error)


def test_float32_features_are_compared_in_float64() -> None:
    x, y = normal(9, 4, "x").float(), normal(9, 4, "y").float()
    assert squared_mmd(x, y) == squared_mmd(x.double(), y.double())


def test_the_whole_sets_are_one_subset() -> None:
    x, y = normal(20, 4, "x"), normal(20, 4, "y") + 0.5
    found = kernel_distance(x, y, stream(0), subsets=5, size=20)
    assert found.value == pytest.approx(squared_mmd(x, y), rel=1e-12) and found.std == pytest.approx(0, abs=1e-12)
    assert found[2:] == (5, 20, 20)


def test_mean_and_spread_are_those_of_subsets_drawn_without_replacement() -> None:
    x, y = normal(12, 3, "x"), normal(9, 3, "y") + 0.5
    rng, found = stream(1), []
    for _ in range(6):
        a, b = x[torch.randperm(12, generator=rng)[:5]], y[torch.randperm(9, generator=rng)[:5]]
        found.append(squared_mmd(a, b))
    score = kernel_distance(x, y, stream(1), subsets=6, size=5)
    assert score == pytest.approx((statistics.fmean(found), statistics.pstdev(found), 6, 5, 12), rel=1e-12)
    assert kernel_distance(x, y, stream(1), subsets=6, size=5) == score
    assert kernel_distance(x, y, stream(2), subsets=6, size=5) != score


SOME = normal(9, 3)


@pytest.mark.parametrize(
    ("x", "y", "changed", "says"),
    [
        (SOME, SOME, {"size": 10}, "sets of 9 and 9 .*with subsets of 10 needs 10 or more in each.*use more images"),
        (SOME, SOME[:4], {}, "sets of 9 and 4 .*needs 5 or more"),
        (SOME, SOME[:, :2], {}, "of length 3 and 2 .*the same extractor for both"),
        (
            SOME,
            SOME * math.nan,
            {},
            "of 9 of 9 images are NaN .*; a kernel distance with subsets of 5 needs finite ones",
        ),
        (SOME[0], SOME, {}, r"shape \[3\] were given; a kernel distance with subsets of 5 needs \[n, d\]"),
        (SOME, SOME, {"subsets": 1}, "1 subsets of 5 were asked for; .*2 subsets or more"),
        (SOME, SOME, {"size": 1}, "of 1 were asked for; .*of 2 images or more"),
    ],
)
def test_what_has_no_distance_is_refused(x: Tensor, y: Tensor, changed: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        kernel_distance(x, y, stream(0), **({"subsets": 3, "size": 5} | changed))


def test_one_vector_alone_is_refused() -> None:
    with pytest.raises(InputError, match=r"sets of 1 and 9 .*needs 2 or more in each"):
        squared_mmd(SOME[:1], SOME)
