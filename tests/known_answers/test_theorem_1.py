r"""IGM's Theorem 1 on a finite space, where every divergence is a sum.

One round tilts p_{t-1} by a classifier's logit h_t (eqs. 3, 11), and whatever h_t is,

    KL(p⁺ | p_{t-1}) − KL(p⁺ | p_t) = E₊[h_t] − ln Z_t,    Z_t = Σ exp h_t(x) · p_{t-1}(x)

The theorem says that this is not negative. For Bayes-optimal classifiers it is not; for others it may be.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tutelage.energy import Gaussian, Tilt
from tutelage.gradient import prepared
from tutelage.rng import stream

STATES = 24
INDICES = torch.arange(STATES, dtype=torch.float64).view(STATES, 1, 1, 1)
"""Every state as an image of one pixel, whose value is its number."""


def table(values: Tensor) -> Callable[[Tensor], Tensor]:
    """The function with these values at the states."""
    return lambda images: values[images.flatten(1)[:, 0].long()]


def distribution(rng: torch.Generator) -> Tensor:
    """Uniform among all distributions: exponential draws, normalised."""
    draws = -torch.rand(STATES, generator=rng, dtype=torch.float64).log()
    return draws / draws.sum()


def kl(q: Tensor, p: Tensor) -> float:
    return float((q * (q / p).log()).sum())


def tilted(p: Tensor, logit: Tensor) -> Tensor:
    """``p_t`` at all states, as this library's energy says it."""
    return (-Tilt(table(-p.log()), table(logit))(INDICES)).softmax(0)


def promised(observed: Tensor, p: Tensor, logit: Tensor) -> float:
    """``E₊[h] − ln Z``, by hand."""
    return float(observed @ logit - (logit.exp() @ p).log())


@pytest.mark.parametrize("seed", range(5))
def test_a_round_lowers_the_divergence_by_mean_logit_minus_log_normaliser(seed: int) -> None:
    rng = stream(seed, "theorem 1")
    observed, p = distribution(rng), distribution(rng)
    for _ in range(10):
        logit = 2 * torch.randn(STATES, generator=rng, dtype=torch.float64)
        after = tilted(p, logit)
        fall = kl(observed, p) - kl(observed, after)
        assert fall == pytest.approx(promised(observed, p, logit), abs=1e-12)
        # other odds of the two labels (eq. 1 instead of eq. 2) shift the logit, and nothing else
        torch.testing.assert_close(tilted(p, logit + 1.7), after)
        assert promised(observed, p, logit + 1.7) == pytest.approx(fall, abs=1e-12)
        p = after


@pytest.mark.parametrize("seed", range(5))
def test_the_right_decisions_may_lead_away(seed: int) -> None:
    """An overconfident classifier errs as rarely as any can, and still the divergence rises."""
    rng = stream(seed, "overconfident")
    observed, p = distribution(rng), distribution(rng)
    optimal = (observed / p).log()
    falls = [promised(observed, p, confidence * optimal) for confidence in (0.5, 1, 2, 6)]
    assert 0 < falls[0] < falls[1] == pytest.approx(kl(observed, p))
    assert falls[1] > falls[2] > falls[3]
    assert falls[3] < -1
    assert kl(observed, tilted(p, 6 * optimal)) == pytest.approx(kl(observed, p) - falls[3])
    assert promised(observed, p, -0.5 * optimal) < 0  # and so does the wrong sign


def test_better_than_chance_may_lead_away() -> None:
    """The decisions are right, the cross-entropy is below that of guessing, and the divergence rises by 2 nats."""
    observed, p = (torch.full((STATES,), (1 - rare) / (STATES - 1), dtype=torch.float64) for rare in (0.1, 0.001))
    observed[0], p[0] = 0.1, 0.001
    logit = torch.zeros(STATES, dtype=torch.float64)
    logit[0] = 10  # it should be ln 100 = 4.6
    cross_entropy = (observed @ F.softplus(-logit) + p @ F.softplus(logit)) / 2
    assert cross_entropy < math.log(2) - 0.02
    rise = kl(observed, tilted(p, logit)) - kl(observed, p)
    assert rise == pytest.approx(math.log(1 + 0.001 * (math.exp(10) - 1)) - 0.1 * 10)
    assert rise > 2


@pytest.mark.parametrize("seed", range(3))
def test_coarse_bayes_optimal_classifiers_never_lead_away(seed: int) -> None:
    """Optimal on a partition into cells: Z_t = 1, and the fall is what the cells can tell of the difference."""
    rng = stream(seed, "coarse")
    observed, p = distribution(rng), distribution(rng)
    divergences = [kl(observed, p)]
    for _ in range(100):
        cells = torch.randint(4, (STATES,), generator=rng)
        occupied, cells = cells.unique(return_inverse=True)
        member = F.one_hot(cells, len(occupied)).double()
        coarse_observed, coarse_p = observed @ member, p @ member
        logit = (coarse_observed / coarse_p).log()[cells]
        assert float(logit.exp() @ p) == pytest.approx(1, abs=1e-12)
        p = tilted(p, logit)
        divergences.append(kl(observed, p))
        assert divergences[-2] - divergences[-1] == pytest.approx(kl(coarse_observed, coarse_p), abs=1e-12)
        torch.testing.assert_close(p @ member, coarse_observed)  # these cells have nothing left to tell
    falls = -torch.tensor(divergences).diff()
    assert falls.min() > -1e-12
    assert divergences[-1] < 0.01 * divergences[0]


@pytest.mark.parametrize("seed", range(5))
def test_a_bayes_optimal_classifier_finishes_in_one_round(seed: int) -> None:
    """Eq. (2), and no classifier gains more: E₊[h] − ln Z ≤ KL(p⁺ | p)."""
    rng = stream(seed, "optimal")
    observed, p = distribution(rng), distribution(rng)
    probability = observed / (observed + p)  # q(y = +1 | x) at equal odds
    after = tilted(p, torch.logit(probability))
    assert abs(kl(observed, after)) < 1e-12
    assert promised(observed, p, torch.logit(probability)) == pytest.approx(kl(observed, p), abs=1e-12)
    for _ in range(20):
        other = torch.logit(probability) + torch.randn(STATES, generator=rng, dtype=torch.float64)
        assert promised(observed, p, other) < kl(observed, p)


@pytest.mark.parametrize("rounds", [0, 1, 5])
def test_a_cascade_is_the_product_of_its_rounds(rounds: int) -> None:
    """Eq. (9), each round with its own Z_t, is eq. (12) with one, is ``exp(−Tilt)``: here with p_0 = N(0, .3²)."""
    rng = stream(0, "cascade")
    images = torch.linspace(-1, 1, STATES, dtype=torch.float64).view(STATES, 1, 1, 1)

    def logit(weight: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda x: torch.cat([x, x.square(), (7 * x).sin()], 1).flatten(1) @ weight

    logits = [logit(3 * torch.randn(3, generator=rng, dtype=torch.float64)) for _ in range(rounds)]
    x = images.flatten()
    p = (-x.square() / (2 * 0.3**2)).exp()
    start = p = p / p.sum()
    product, constants = torch.ones(STATES, dtype=torch.float64), 1.0
    for potential in logits:
        ratio = potential(images).exp()  # q(+1 | x) / q(−1 | x), eq. (10)
        normaliser = float(ratio @ p)
        p = ratio * p / normaliser  # eq. (6)
        product, constants = product * ratio, constants * normaliser
    torch.testing.assert_close(product * start / constants, p)  # Z = Π Z_t

    energy = Tilt(Gaussian(0.3), *logits)
    grown = Gaussian(0.3)
    for potential in logits:
        grown = Tilt(grown, potential)
    for energies in (energy(images), grown(images), prepared(energy)(images).value, prepared(grown)(images).value):
        weights = (-energies).exp()
        torch.testing.assert_close(weights / weights.sum(), p)
