"""Linear dynamics: systems that are known are found again, and eigenvalues come where they should."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tutelage.baselines import dynamics
from tutelage.baselines.dynamics import Dynamics, Linear
from tutelage.rng import stream


def rotation(angle: float, radius: float = 1.0) -> Tensor:
    c, s = radius * math.cos(angle), radius * math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


def moduli(matrix: Tensor) -> Tensor:
    return torch.linalg.eigvals(matrix).abs().sort().values


DRIVE = torch.tensor([[0.5, 0.0, 0.0], [0.2, 0.4, 0.0], [-0.1, 0.3, 0.6]], dtype=torch.float64)
TRUE = Linear(torch.block_diag(rotation(0.8, 0.9), torch.tensor([[0.5]])).double(), DRIVE, torch.ones(3).double())


def test_a_system_without_noise_is_found_exactly() -> None:
    states = TRUE.simulate(12, stream(0), noise=False)
    found = dynamics.fit(states, Dynamics())
    torch.testing.assert_close(found.transition, TRUE.transition)
    assert found.drive.abs().max() < 1e-12
    assert torch.equal(found.start, states[:, -1])
    assert torch.equal(dynamics.fit(states, Dynamics(start="first")).start, states[:, 0])


def test_a_system_and_the_covariance_of_its_noise_are_found_in_many_states() -> None:
    """The error of a mean over 20 000 frames; without √(τ − 1) the covariance would be 20 000 times as large."""
    found = dynamics.fit(TRUE.simulate(20_001, stream(0)), Dynamics())
    assert (found.transition - TRUE.transition).abs().max() < 0.02
    torch.testing.assert_close(found.drive @ found.drive.T, DRIVE @ DRIVE.T, rtol=0, atol=0.02)


def test_the_noise_that_stays_is_the_largest() -> None:
    states = TRUE.simulate(500, stream(0))
    whole, two = (dynamics.fit(states, Dynamics(noises)).drive for noises in (3, 2))
    assert two.shape == (3, 2) and torch.equal(two, whole[:, :2])
    assert (whole.norm(dim=0).diff() < 0).all()
    assert dynamics.fit(states, Dynamics(0)).drive.shape == (3, 0) and dynamics.fit(
        states, Dynamics(9)
    ).drive.shape == (3, 3)
    quiet = dynamics.fit(states, Dynamics(0))
    assert torch.equal(quiet.simulate(9, stream(0)), quiet.simulate(9, stream(0), noise=False))


def test_states_follow_the_recursion() -> None:
    states = TRUE.simulate(6, stream(0))
    drawn = torch.randn((5, 3), generator=stream(0), dtype=torch.float64)
    assert torch.equal(states[:, 0], TRUE.start)
    torch.testing.assert_close(states[:, 1:], TRUE.transition @ states[:, :-1] + DRIVE @ drawn.T)


@pytest.mark.parametrize("radius", [0.999, 0.9])
def test_only_eigenvalues_beyond_the_radius_are_moved(radius: float) -> None:
    change = torch.randn((5, 5), generator=stream(0), dtype=torch.float64)
    inner = torch.block_diag(rotation(0.3, 1.2), rotation(1.1, 0.7), torch.tensor([[-1.05]]).double())
    wanted = torch.block_diag(rotation(0.3, radius), rotation(1.1, 0.7), torch.tensor([[-radius]]).double())
    conjugate, inverse = change, torch.linalg.inv(change)
    found = dynamics.stable(conjugate @ inner @ inverse, radius)
    torch.testing.assert_close(found, conjugate @ wanted @ inverse)


def test_what_is_stable_is_left_alone() -> None:
    assert dynamics.stable(TRUE.transition, 0.95) is TRUE.transition


def test_without_eigenvectors_all_is_made_smaller() -> None:
    jordan = torch.tensor([[1.1, 1.0], [0.0, 1.1]], dtype=torch.float64)
    torch.testing.assert_close(dynamics.stable(jordan, 0.99), jordan * 0.9)


def test_states_that_grow_are_fitted_and_do_not_explode() -> None:
    states = torch.stack([1.1 ** torch.arange(30.0), (-0.9) ** torch.arange(30.0)]).double()
    found = dynamics.fit(states, Dynamics())
    torch.testing.assert_close(moduli(found.transition), torch.tensor([0.9, 0.999], dtype=torch.float64))
    assert found.simulate(3000, stream(0)).abs().max() < 1.01 * 1.1**29
    free = dynamics.fit(torch.stack([0.99 ** torch.arange(30.0)]).double(), Dynamics())
    torch.testing.assert_close(free.transition, torch.tensor([[0.99]], dtype=torch.float64), rtol=1e-6, atol=0)


def test_directions_without_movement_are_no_trouble() -> None:
    states = torch.cat([TRUE.simulate(12, stream(0), noise=False), torch.zeros(2, 12)]).double()
    found = dynamics.fit(states, Dynamics())
    torch.testing.assert_close(found.transition, torch.block_diag(TRUE.transition, torch.zeros(2, 2)).double())
