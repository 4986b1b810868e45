"""The Parzen score against its definition, and the width it chooses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm
from torch import Tensor

from tutelage.checks import InputError
from tutelage.metrics.parzen import WIDTHS, log_density, parzen
from tutelage.rng import stream


def uniform(*shape: int, name: str = "images") -> Tensor:
    return torch.rand(shape, generator=stream(0, name), dtype=torch.float64)


def by_definition(images: Tensor, samples: Tensor, width: float) -> np.ndarray:
    """``log (1/n) Σ_j Π_d N(x_d; y_jd, σ²)``, one pair at a time."""
    x, y = images.flatten(1).numpy(), samples.flatten(1).numpy()
    return np.array([logsumexp([norm.logpdf(a, b, width).sum() for b in y]) - math.log(len(y)) for a in x])


def test_it_is_the_density_of_the_windows() -> None:
    images, samples = uniform(5, 1, 3, 4), uniform(7, 1, 3, 4, name="samples")
    widths = (0.1, 0.25)
    found = log_density(images, samples, widths)
    assert found.shape == (2, 5) and found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), [by_definition(images, samples, width) for width in widths], rtol=1e-10)


def test_one_sample_is_one_gaussian() -> None:
    x, y = uniform(1, 1, 2, 2), uniform(1, 1, 2, 2, name="sample")
    expected = -(x - y).square().sum().item() / (2 * 0.2**2) - 4 / 2 * math.log(2 * math.pi * 0.2**2)
    assert log_density(x, y, (0.2,)).item() == pytest.approx(expected, rel=1e-12)
    assert log_density(x, x, (0.2,)).item() == pytest.approx(-2 * math.log(2 * math.pi * 0.2**2), rel=1e-12)


def test_it_is_exact_for_float32_images_that_are_close() -> None:
    samples = uniform(3, 784, name="samples").float()
    found = log_density(samples, samples, (0.01,))[0]
    alone = -math.log(3) - 784 / 2 * math.log(2 * math.pi * 0.01**2)
    torch.testing.assert_close(found, torch.full((3,), alone, dtype=torch.float64), rtol=1e-10, atol=0)


@pytest.mark.parametrize("chunk", [1, 3, 11])
def test_the_chunk_size_changes_nothing(chunk: int) -> None:
    images, samples = uniform(11, 6), uniform(5, 6, name="samples")
    torch.testing.assert_close(
        log_density(images, samples, WIDTHS, chunk), log_density(images, samples, WIDTHS), rtol=1e-12, atol=1e-12
    )


def test_the_width_is_chosen_on_validation_images() -> None:
    samples = torch.full((1, 10), 0.5)
    spread = torch.tensor([0.5, 0.4] * 5)  # rms distance .05 a pixel
    wide = torch.tensor([0.2, 0.8] * 5)  # rms distance .3
    for validation, test, best in ((spread, wide, 0.1), (wide, spread, 0.3)):
        score = parzen(samples, validation[None], test.expand(4, 10), widths=(0.1, 0.2, 0.3))
        assert score.width == best and score.at_edge
        assert score.mean == pytest.approx(log_density(test[None], samples, (best,)).item())


@pytest.mark.parametrize(("distance", "width", "at_edge"), [(0.05, 0.1, True), (0.2, 0.2, False), (0.4, 0.3, True)])
def test_a_best_width_at_the_end_of_the_grid_is_told(distance: float, width: float, at_edge: bool) -> None:
    # for one window the best width is the rms distance a pixel
    samples = torch.full((1, 10), 0.5)
    score = parzen(samples, samples + distance, samples.expand(2, 10))
    assert (score.width, score.at_edge) == (width, at_edge)


def test_mean_and_standard_error_are_those_of_the_test_images() -> None:
    samples, test = uniform(20, 6, name="samples"), uniform(9, 6, name="test")
    score = parzen(samples, uniform(10, 6, name="validation"), test)
    each = by_definition(test, samples, score.width)
    assert score.n == 9
    assert score.mean == pytest.approx(each.mean(), rel=1e-10)
    assert score.stderr == pytest.approx(each.std(ddof=1) / 3, rel=1e-10)


def test_the_default_grid() -> None:
    assert len(WIDTHS) == 21 and (WIDTHS[0], WIDTHS[10], WIDTHS[-1]) == (0.1, 0.2, 0.3)


GOOD = torch.full((3, 1, 2, 2), 0.5)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["samples", "validation", "test"])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (2 * GOOD - 1.5, r"lie in \[-0.5, -0.5\].*defined on \[0, 1\]"),
        (GOOD + 0.6, r"lie in \[1.1, 1.1\]"),
        (GOOD * float("nan"), r"lie in \[nan, nan\]"),
        (GOOD[:0], r"have shape \[0, 1, 2, 2\]"),
    ],
    ids=["below", "above", "nan", "empty"],
)
def test_sets_that_cannot_be_compared_are_refused(place: int, bad: Tensor, message: str) -> None:
    sets = [GOOD, GOOD, GOOD]
    sets[place] = bad
    with pytest.raises(InputError, match=f"{('samples', 'validation', 'test')[place]} {message}"):
        parzen(*sets)


@pytest.mark.parametrize(
    ("count", "widths", "message"),
    [
        (1, (0.2,), r"1 test images and widths \[0\.2\] were given; .* needs 2 images or more"),
        (3, (), r"3 test images and widths \[\] were given"),
        (3, (0.2, 0.0), r"widths \[0\.2, 0\.0\] were given; .* and widths above 0"),
    ],
)
def test_too_little_for_a_score_is_refused(count: int, widths: tuple[float, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parzen(GOOD, GOOD, torch.full((count, 1, 2, 2), 0.5), widths)


@pytest.mark.parametrize("place", [1, 2], ids=["validation", "test"])
def test_other_shapes_are_refused(place: int) -> None:
    sets = [GOOD, GOOD, GOOD]
    sets[place] = torch.full((3, 1, 2, 3), 0.5)
    with pytest.raises(InputError, match=r"have shape \[3, 1, 2, 3\].*samples' shape \[1, 2, 2\]"):
        parzen(*sets)
