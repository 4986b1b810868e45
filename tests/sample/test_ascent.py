"""Ascent is Adam on the pixels, and goes up the potential."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from tutelage.checks import InputError
from tutelage.energy import Tilt, Uniform
from tutelage.rng import stream
from tutelage.sample import Ascent, AscentState, run
from tutelage.types import Evaluation, Scored


def rough(x: Tensor) -> Tensor:
    """An energy that is not quadratic, with a gradient that changes sign."""
    return (x.pow(4) / 4 - torch.cos(3 * x) + x).flatten(1).sum(1)


def start(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=stream(0, "start"), dtype=dtype)


class Told(NamedTuple):
    """What the classifiers of an energy tell."""

    scored: tuple[Scored, ...]


class Covered:
    """A slope of 1 under every patch: the gradient of a pixel is how many patches cover it, upward."""

    def __init__(self, coverage: Tensor | None, *older: Scored) -> None:
        self.coverage, self.older = coverage, older

    def prepare(self):
        def evaluate(x: Tensor) -> Evaluation:
            slope = torch.ones_like(x) if self.coverage is None else self.coverage.to(x.dtype).expand_as(x)
            newest = Scored(torch.zeros(len(x), 3, dtype=x.dtype), self.coverage)
            return Evaluation(-(slope * x).flatten(1).sum(1), -slope, Told((*self.older, newest)))

        return evaluate


@pytest.mark.parametrize("fields", [{"lr": 0.1}, {"lr": 0.02, "beta1": 0.9, "beta2": 0.99, "eps": 1e-2}], ids=repr)
def test_ascent_is_adam_on_the_same_leaf(fields: dict) -> None:
    kernel, x = Ascent(**fields), start(4, 2, 3)
    leaf = x.clone().requires_grad_(True)
    adam = torch.optim.Adam([leaf], lr=kernel.lr, betas=(kernel.beta1, kernel.beta2), eps=kernel.eps)
    state = kernel.init(x)
    for _ in range(12):
        adam.zero_grad()
        energy = rough(leaf)
        energy.sum().backward()
        adam.step()
        state, info = kernel.step(state, rough, stream(0))
        torch.testing.assert_close(state.position, leaf.detach(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(info.energy, energy.detach())
    assert state.steps == 12
    torch.testing.assert_close(state.first, adam.state[leaf]["exp_avg"])
    torch.testing.assert_close(state.second, adam.state[leaf]["exp_avg_sq"])


def test_the_potential_goes_up() -> None:
    def potential(images: Tensor) -> Tensor:
        return torch.sin(images).flatten(1).sum(1)

    x, energy, state = start(3, 1, 2, 2), Tilt(Uniform(), potential), Ascent(0.05).init(start(3, 1, 2, 2))
    heights = [potential(x)]
    for _ in range(10):
        state, _ = Ascent(0.05).step(state, energy, stream(0))
        heights.append(potential(state.position))
    assert (torch.stack(heights).diff(dim=0) > 0).all()


def test_the_first_step_is_the_learning_rate_whatever_the_slope() -> None:
    x = start(3, 2)
    for slope in (1e-3, 1.0, 1e3):
        moved, _ = run(Ascent(0.1), Tilt(Uniform(), lambda x, slope=slope: slope * x.sum(1)), x, 1, stream(0))
        torch.testing.assert_close(moved, x + 0.1, rtol=0, atol=1e-5)


def test_a_state_given_stays_valid() -> None:
    kernel, rng = Ascent(0.1), stream(0)
    old, _ = kernel.step(kernel.init(start(3, 2)), rough, rng)
    copy = AscentState(old.position.clone(), old.first.clone(), old.second.clone(), old.steps)
    once, _ = kernel.step(old, rough, rng)
    again, _ = kernel.step(old, rough, rng)
    assert all(torch.equal(mine, kept) for mine, kept in zip(old[:3], copy[:3], strict=True)) and old.steps == 1
    assert torch.equal(once.position, again.position) and once.steps == again.steps == 2


def test_overlaps_are_averaged() -> None:
    # [2, 1, 2, 2], counted in whole numbers; one pixel is covered by no patch
    coverage = torch.tensor([[[[4, 1], [2, 0]]], [[[1, 3], [5, 2]]]])
    x = start(2, 3, 2, 2)
    averaged, _ = Ascent(0.1, average_overlaps=True).step(Ascent(0.1).init(x), Covered(coverage), stream(0))
    summed, _ = Ascent(0.1).step(Ascent(0.1).init(x), Covered(coverage), stream(0))
    # `first` is half the gradient after one step with β1 = ½, and the slope of every patch is 1
    torch.testing.assert_close(summed.first, -coverage.expand_as(x).to(x.dtype) / 2)
    torch.testing.assert_close(averaged.first, -(coverage > 0).expand_as(x).to(x.dtype) / 2)


def test_overlaps_are_those_of_the_newest_classifier() -> None:
    older = Scored(torch.zeros(2, 3), torch.full((2, 1, 2, 2), 100))
    kernel = Ascent(0.1, average_overlaps=True)
    x = start(2, 3, 2, 2, dtype=torch.float32)
    state, _ = kernel.step(
        kernel.init(x), Covered(torch.full((2, 1, 2, 2), 4.0, dtype=torch.float64), older), stream(0)
    )
    torch.testing.assert_close(state.first, torch.full_like(x, -0.5))
    assert state.position.dtype == torch.float32, "the coverage's precision is its own affair"


def test_momentum_moves_a_pixel_that_no_patch_covers() -> None:
    kernel, x = Ascent(0.1, average_overlaps=True), start(1, 1, 1, 2)
    covered, bare = torch.tensor([[[[1.0, 1.0]]]]), torch.tensor([[[[1.0, 0.0]]]])
    state, _ = kernel.step(kernel.init(x), Covered(covered), stream(0))
    later, _ = kernel.step(state, Covered(bare), stream(0))
    both, right = later.position - state.position, later.first[..., 1]
    assert (both > 0).all() and torch.equal(right, state.first[..., 1] / 2)


@pytest.mark.parametrize(
    ("energy", "aux"),
    [(rough, "NoneType"), (Covered(None), "Told"), (Covered(None, Scored(start(1), start(1))), "Told")],
)
def test_averaging_needs_a_coverage(energy, aux: str) -> None:
    kernel = Ascent(0.1, average_overlaps=True)
    with pytest.raises(InputError, match=rf"how many patches cover each pixel.*\({aux}\).*average_overlaps=False"):
        kernel.step(kernel.init(start(2, 3, 2, 2)), energy, stream(0))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lr": 0.0}, "lr above 0, not 0.0"),
        ({"lr": float("nan")}, "lr above 0, not nan"),
        ({"lr": float("inf")}, "lr above 0, not inf"),
        ({"lr": 0.1, "eps": 0.0}, "eps above 0, not 0.0"),
        ({"lr": 0.1, "beta1": 1.0}, "beta1 from 0 to below 1, not 1.0"),
        ({"lr": 0.1, "beta2": -0.1}, "beta2 from 0 to below 1, not -0.1"),
    ],
)
def test_what_cannot_work_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Ascent(**fields)
