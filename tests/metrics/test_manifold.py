"""Precision and recall, density and coverage against loops and where they are known; balls have their edges."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from tutelage.checks import InputError
from tutelage.metrics import manifold
from tutelage.metrics.manifold import density_coverage, precision_recall
from tutelage.rng import stream


def normal(n: int, d: int, name: str = "features") -> Tensor:
    return torch.randn((n, d), generator=stream(0, name), dtype=torch.float64)


def column(*numbers: float) -> Tensor:
    return torch.tensor(numbers)[:, None]


def by_definition(fake: Tensor, real: Tensor, k: int) -> tuple[float, float, float, float]:
    """The formulas of the two papers, with all distances at once."""
    x, y = fake.numpy(), real.numpy()
    real_radii = np.sort(cdist(y, y), 1)[:, k]
    fake_radii = np.sort(cdist(x, x), 1)[:, k]
    between = cdist(y, x)
    precision = (between <= real_radii[:, None]).any(0).mean()
    recall = (between <= fake_radii[None]).any(1).mean()
    density = (between <= real_radii[:, None]).sum(0).mean() / k
    coverage = (between.min(1) <= real_radii).mean()
    return precision, recall, density, coverage


@pytest.mark.parametrize("rows", [1, 7, 1000])
@pytest.mark.parametrize(("n", "m", "k"), [(30, 30, 3), (25, 40, 5), (4, 30, 3), (30, 2, 1)])
def test_they_are_the_formulas_whatever_the_chunks(monkeypatch, rows: int, n: int, m: int, k: int) -> None:
    monkeypatch.setattr(manifold, "_ROWS", rows)
    fake, real = 0.8 * normal(n, 4, "fake") + 0.4, normal(m, 4, "real")
    expected = by_definition(fake, real, k)
    found = (*precision_recall(fake, real, k), *density_coverage(fake, real, k))
    assert found == pytest.approx(expected, rel=1e-12)


def test_on_a_line_they_are_counted_by_hand() -> None:
    real = column(0.0, 1.0, 2.0, 9.0)  # for k = 1 the balls [−1, 1], [0, 2], [1, 3], [2, 16]
    fake = column(0.0, 0.5, -10.0)  # [−.5, .5], [0, 1], [−20, 0]
    # 0 and .5 lie in the first two balls, −10 in none; 0 and 1 lie in a ball of fake, 1 on its edge
    assert precision_recall(fake, real, 1) == (2 / 3, 2 / 4)
    assert density_coverage(fake, real, 1) == ((2 + 2 + 0) / 3, 2 / 4)


def test_the_edge_of_a_ball_belongs_to_it() -> None:
    real, fake = column(0.0, 1.0, 2.0), column(3.0, 30.0)  # balls [−1, 1], [0, 2], [1, 3] and [−24, 30], [3, 57]
    assert precision_recall(fake, real, 1) == (1 / 2, 1)
    assert density_coverage(fake, real, 1) == (1 / 2, 1 / 3)


def test_the_defaults_are_those_of_the_papers() -> None:
    a, b = normal(20, 2, "a"), normal(20, 2, "b")
    assert precision_recall(a, b) == precision_recall(a, b, 3)
    assert precision_recall(a, b, 3) not in (precision_recall(a, b, 2), precision_recall(a, b, 4))
    assert density_coverage(a, b) == density_coverage(a, b, 5)
    assert density_coverage(a, b, 5) not in (density_coverage(a, b, 4), density_coverage(a, b, 6))


def test_a_set_is_inside_itself() -> None:
    # copies lie on edges, which are inside: each ball of k neighbours and its centre holds k + 1
    real = normal(40, 6).float()
    assert precision_recall(real.flip(0), real) == (1, 1)
    assert density_coverage(real[torch.randperm(40, generator=stream(0))], real) == (pytest.approx(6 / 5), 1)


def test_sets_far_apart_have_nothing_of_each_other() -> None:
    real = normal(20, 3)
    assert precision_recall(real + 100, real) == (0, 0)
    assert density_coverage(real + 100, real) == (0, 0)


def test_a_collapsed_model_is_precise_and_recalls_little() -> None:
    real = normal(200, 2, "real")
    fake = 0.05 * normal(200, 2, "fake")
    found, other = precision_recall(fake, real), precision_recall(real, fake)
    assert found.precision == 1 and found.recall < 0.05
    assert (other.precision, other.recall) == (found.recall, found.precision)
    assert density_coverage(fake, real).density > 1 and density_coverage(fake, real).coverage < 0.2


def test_two_sets_of_a_kind_have_the_expected_density_and_coverage() -> None:
    n, m, k = 12, 15, 2
    scores = [density_coverage(normal(n, 3, f"a{r}"), normal(m, 3, f"b{r}"), k) for r in range(300)]
    # not covered: the k nearest among m − 1 real and n samples are all real
    expected = 1 - math.comb(m - 1, k) / math.comb(m + n - 1, k)
    for found, value in (([s.density for s in scores], 1), ([s.coverage for s in scores], expected)):
        assert statistics.fmean(found) == pytest.approx(value, abs=3 * statistics.stdev(found) / math.sqrt(300))


SOME = normal(9, 3)


@pytest.mark.parametrize("metric", [precision_recall, density_coverage])
@pytest.mark.parametrize(
    ("x", "y", "k", "says"),
    [
        (SOME, SOME[:5], 5, "sets of 9 and 5 .*with 5 neighbours needs 6 or more in each.*use more images"),
        (SOME[:5], SOME, 5, "sets of 5 and 9 "),
        (SOME, SOME[:, :2], 3, "of length 3 and 2 .*the same extractor for both"),
        (SOME / 0, SOME, 3, "are NaN or infinite; .* needs finite ones"),
        (SOME, SOME[None], 3, r"shape \[1, 9, 3\] "),
        (SOME, SOME, 0, "k is 0; .*1 neighbour or more"),
    ],
)
def test_what_has_no_balls_is_refused(metric, x: Tensor, y: Tensor, k: int, says: str) -> None:
    with pytest.raises(InputError, match=says):
        metric(x, y, k)
