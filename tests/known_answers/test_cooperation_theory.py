"""Cooperative learning on a finite space, where every divergence is a sum (CoopNets eqs. 18 to 20)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

STATES = 6
quickly = settings(max_examples=60, deadline=None, derandomize=True, database=None)
weights = st.lists(st.floats(0.01, 1), min_size=STATES, max_size=STATES)


@st.composite
def distributions(draw) -> np.ndarray:
    values = np.array(draw(weights))
    return values / values.sum()


@st.composite
def proposals(draw) -> np.ndarray:
    """Column ``y`` is the distribution of what is proposed from ``y``: any, as long as it is positive."""
    columns = np.array([draw(weights) for _ in range(STATES)]).T
    return columns / columns.sum(0)


def kl(q: np.ndarray, p: np.ndarray) -> float:
    return float(np.sum(q * np.log(q / p)))


def metropolis(p: np.ndarray, proposal: np.ndarray) -> np.ndarray:
    """The Metropolis-Hastings transition that keeps ``p``, as a matrix: ``M[x, y]`` leads from ``y`` to ``x``."""
    flow = proposal * p  # from y to x
    transition = proposal * np.minimum(1, flow.T / flow)
    np.fill_diagonal(transition, 0)
    return transition + np.diag(1 - transition.sum(0))


@quickly
@given(p=distributions(), proposal=proposals())
def test_a_metropolis_transition_keeps_its_target(p, proposal) -> None:
    transition = metropolis(p, proposal)
    np.testing.assert_allclose(transition.sum(0), 1)
    assert transition.min() > -1e-12
    np.testing.assert_allclose(transition @ p, p)


@quickly
@given(p=distributions(), q=distributions(), proposal=proposals())
def test_a_transition_never_leads_away_from_its_target(p, q, proposal) -> None:
    """Eq. (20): KL(Mq | p) ≤ KL(q | p), at every power of M."""
    transition, revised = metropolis(p, proposal), q
    divergences = [kl(q, p)]
    for _ in range(5):
        revised = transition @ revised
        divergences.append(kl(revised, p))
    assert np.all(np.diff(divergences) <= 1e-12)


@quickly
@given(p=distributions(), proposal=proposals())
def test_it_takes_keeping_the_target(p, proposal) -> None:
    """The proposal alone keeps another distribution: from ``p`` itself it leads away."""
    assume(np.abs(proposal @ p - p).max() > 1e-3)
    assert kl(proposal @ p, p) > 1e-7 > kl(metropolis(p, proposal) @ p, p)


@quickly
@given(p=distributions(), q=distributions(), proposal=proposals())
def test_repeated_teaching_of_an_unrestricted_student_reaches_the_descriptor(p, q, proposal) -> None:
    """Eq. (19): the student that minimises KL(M q | q') is q' = M q; its only fixed point is p."""
    transition = metropolis(p, proposal)
    gap = 1 - np.sort(np.abs(np.linalg.eigvals(transition)))[-2]
    for _ in range(int(30 / gap) + 1):
        q = transition @ q
    np.testing.assert_allclose(q, p, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_both_networks_unrestricted_reach_the_data(seed: int) -> None:
    """Eqs. (18) and (19) in turn: θ climbs E_data − E_{Mq} while the student is taught; both end at the data."""
    chance = np.random.default_rng(seed)
    data, q = chance.dirichlet(np.full(STATES, 3.0), size=2)
    proposal = chance.dirichlet(np.ones(STATES), size=STATES).T + 0.05
    proposal /= proposal.sum(0)
    potential = np.zeros(STATES)
    for _ in range(3000):
        p = np.exp(potential) / np.exp(potential).sum()
        q = metropolis(p, proposal) @ q  # D1 and G2
        potential += 0.1 * (data - q)  # D2
    np.testing.assert_allclose(p, data, atol=1e-6)
    np.testing.assert_allclose(q, data, atol=1e-6)
    # the second divergence of eq. (18) has vanished
    assert kl(metropolis(p, proposal) @ q, p) < 1e-9
