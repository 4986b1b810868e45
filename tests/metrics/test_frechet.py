"""The Fréchet distance against closed forms and two other ways to compute it; merging moments; its standard error."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from tutelage.checks import InputError
from tutelage.metrics.frechet import Moments, frechet, frechet_distance, merged, moments
from tutelage.rng import stream


def normal(n: int, d: int, name: str = "features") -> Tensor:
    return torch.randn((n, d), generator=stream(0, name), dtype=torch.float64)


def correlated(n: int, d: int, name: str) -> Tensor:
    return normal(n, d, name) @ normal(d, d, name + " mixing") + normal(1, d, name + " mean")


def gaussian(mean: list[float], variances: list[float]) -> Moments:
    """Moments of 11 vectors, by fiat."""
    return Moments(
        11, torch.tensor(mean, dtype=torch.float64), 10 * torch.tensor(variances, dtype=torch.float64).diag()
    )


def test_diagonal_gaussians_have_a_closed_form() -> None:
    a, b = gaussian([1.0, -2.0, 0.5], [4.0, 9.0, 0.0]), gaussian([0.0, 2.0, 0.5], [1.0, 9.0, 0.25])
    # |μ_a − μ_b|² + Σ (σ_a − σ_b)²
    assert frechet_distance(a, b) == pytest.approx((1 + 16) + (1 + 0 + 0.25), rel=1e-12)


def test_it_agrees_with_a_matrix_square_root() -> None:
    a, b = correlated(40, 6, "a"), correlated(50, 6, "b")
    first, second = np.cov(a.numpy().T), np.cov(b.numpy().T)
    root = scipy.linalg.sqrtm(first @ second).real
    shift = (a.mean(0) - b.mean(0)).numpy()
    expected = shift @ shift + np.trace(first + second - 2 * root)
    assert frechet_distance(moments(a), moments(b)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(40, 50), (4, 3), (40, 3)])
def test_it_agrees_with_singular_values_whatever_the_rank(n: int, m: int) -> None:
    # Σ_a = AᵀA and Σ_b = BᵀB: the square roots of the eigenvalues of Σ_a Σ_b are the singular values of A Bᵀ
    a, b = correlated(n, 6, "a"), correlated(m, 6, "b")
    centred_a, centred_b = (a - a.mean(0)) / math.sqrt(n - 1), (b - b.mean(0)) / math.sqrt(m - 1)
    overlap = torch.linalg.svdvals(centred_a @ centred_b.T).sum()
    traces = centred_a.square().sum() + centred_b.square().sum()
    expected = ((a.mean(0) - b.mean(0)).square().sum() + traces - 2 * overlap).item()
    # square roots of eigenvalues that should be 0 carry the root of the rounding error
    assert frechet_distance(moments(a), moments(b)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [3, 40])
def test_equal_sets_are_at_distance_zero_and_a_shift_at_its_square(n: int) -> None:
    a = correlated(n, 6, "a")
    assert frechet_distance(moments(a), moments(a.flip(0))) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(moments(a), moments(a + 2)) == pytest.approx(6 * 4, rel=1e-6)


def test_it_is_symmetric() -> None:
    a, b = moments(correlated(9, 6, "a")), moments(correlated(4, 6, "b"))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)


@pytest.mark.parametrize("sizes", [[20], [1, 19], [7, 1, 12], [1] * 20])
def test_moments_merge_to_those_of_the_whole(sizes: list[int]) -> None:
    x = 1000 + correlated(20, 5, "x")
    found = merged(moments(part) for part in x.split(sizes))
    assert found.n == 20
    torch.testing.assert_close(found.mean, x.mean(0), rtol=1e-12, atol=0)
    torch.testing.assert_close(found.covariance, torch.cov(x.T), rtol=1e-9, atol=1e-9)


def test_float32_features_are_summed_in_float64() -> None:
    x = 1000 + correlated(50, 4, "x")
    found = merged(moments(part) for part in x.float().split(7))
    assert found.mean.dtype == found.scatter.dtype == torch.float64
    torch.testing.assert_close(found.covariance, torch.cov(x.float().double().T), rtol=1e-9, atol=1e-9)


def parts(x: Tensor, count: int) -> list[Moments]:
    return [moments(part) for part in x.chunk(count)]


def test_a_score_says_what_it_was_made_from() -> None:
    a, b = correlated(40, 6, "a"), correlated(20, 6, "b")
    score = frechet(parts(a, 5), parts(b, 5))
    assert score.value == pytest.approx(frechet_distance(moments(a), moments(b)), rel=1e-9)
    assert (score.n, score.reference_n, score.rank_deficient) == (40, 20, False)
    alone = frechet([moments(a)], [moments(b)])
    assert alone.stderr is None and alone.value == pytest.approx(score.value, rel=1e-9)


@pytest.mark.parametrize(("n", "deficient"), [(5, True), (6, True), (7, False)])
def test_it_says_where_a_covariance_lacks_rank(n: int, deficient: bool) -> None:
    # n vectors span n − 1 dimensions around their mean
    few, many = [moments(correlated(n, 6, "a"))], [moments(correlated(20, 6, "b"))]
    assert frechet(few, many).rank_deficient == frechet(many, few).rank_deficient == deficient


def test_the_standard_error_is_the_spread_of_repetitions() -> None:
    values, errors = [], []
    for repetition in range(40):
        a, b = normal(100, 2, f"a{repetition}"), normal(100, 2, f"b{repetition}") * 2 + 1
        score = frechet(parts(a, 5), parts(b, 5))
        values.append(score.value)
        errors.append(score.stderr)
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.25)


def test_leaving_out_one_of_two_leaves_the_other() -> None:
    a, b = [parts(correlated(12, 3, name), 2) for name in "ab"]
    first, second = frechet_distance(a[0], b[0]), frechet_distance(a[1], b[1])
    assert frechet(a, b).stderr == pytest.approx(abs(first - second) / 2, rel=1e-9)


def test_sets_that_have_no_distance_are_refused() -> None:
    some = moments(normal(5, 3))
    for a, b in ((moments(normal(1, 3)), some), (some, moments(normal(1, 3)))):
        with pytest.raises(InputError, match=r"needs 2 or more in each.*use more images"):
            frechet_distance(a, b)
    with pytest.raises(InputError, match=r"of length 3 and 4 .*the same extractor for both"):
        frechet_distance(some, moments(normal(5, 4)))
    for a, b in (([some], [some, some]), ([], [])):
        with pytest.raises(InputError, match="as many of both: cut both sets alike"):
            frechet(a, b)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("part", ["mean", "scatter"])
def test_moments_that_are_not_finite_are_at_no_distance(part: str, broken: float) -> None:
    good = moments(normal(5, 3))
    bad = good._replace(**{part: torch.full_like(getattr(good, part), broken)})
    for a, b in ((good, bad), (bad, good)):
        with pytest.raises(InputError, match=r"are not finite were given; .*look at the images and the extractor"):
            frechet_distance(a, b)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (normal(0, 3), r"features of shape \[0, 3\] were given; a Fréchet distance needs \[n, d\]"),
        (normal(3, 3)[0], r"features of shape \[3\] were given; .*give what an extractor gives"),
        (normal(3, 3) / 0, "the features of 3 of 3 images are NaN or infinite; a Fréchet distance needs finite ones"),
        (
            torch.tensor([[1.0, 2.0], [math.nan, 3.0]]),
            "of 1 of 2 images are NaN .*look at the images and the extractor",
        ),
    ],
)
def test_features_that_are_none_are_refused(bad: Tensor, says: str) -> None:
    with pytest.raises(InputError, match=says):
        moments(bad)
