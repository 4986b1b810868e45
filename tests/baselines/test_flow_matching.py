"""From Gaussian noise to Gaussian data everything is known: the best field, what it leaves over, where it leads."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tiny_recipes import same
from tutelage.baselines.flow_matching import FlowMatching, Plan, regression, transport
from tutelage.checks import InputError
from tutelage.learn.updates import Adam
from tutelage.nets import Velocity, VelocitySpec
from tutelage.rng import stream
from tutelage.types import Batch

PLAN = Plan(iterations=10, batch_size=5, update=Adam(lr=0.01), steps=3, ema_decay=0.9)
MEAN = torch.tensor([0.5, -1.0], dtype=torch.float64).view(2, 1, 1)
STD = torch.tensor([0.6, 1.7], dtype=torch.float64).view(2, 1, 1)


def best(images: Tensor, times: Tensor) -> Tensor:
    """E[Y_1 − Y_0 | Y_t] for Y_1 ~ N(MEAN, STD²): m + (t s² − (1 − t)) / ((1 − t)² + t² s²) · (y − t m)."""
    t = times.view(-1, 1, 1, 1)
    return MEAN + (t * STD**2 - (1 - t)) / ((1 - t) ** 2 + t**2 * STD**2) * (images - t * MEAN)


def normal(*shape: int, name: str = "draws") -> Tensor:
    return torch.randn(*shape, generator=stream(0, name), dtype=torch.float64)


def data(n: int) -> Tensor:
    return MEAN + STD * normal(n, 2, 1, 1, name="data")


def test_at_the_optimum_the_loss_is_the_variance_that_is_left():
    """Var[Y_1 − Y_0 | Y_t] = s² / ((1 − t)² + t² s²), whose mean over t is s π / 2."""
    loss, _ = regression(best, data(200_000), stream(0))
    assert loss.item() == pytest.approx(math.pi / 2 * STD.mean().item(), rel=0.01)


@pytest.mark.parametrize("other", [lambda v: 1.1 * v, lambda v: v + 0.2, lambda v: -v])
def test_no_other_field_does_better(other):
    field = lambda images, times: other(best(images, times))  # noqa: E731
    observed = data(20_000)
    assert regression(field, observed, stream(0))[0] > regression(best, observed, stream(0))[0] + 0.01


def test_the_line_runs_from_noise_to_the_image():
    asked = {}

    def ask(images, times):
        asked.update(images=images, times=times)
        return torch.zeros_like(images)

    observed = data(5)
    loss, predicted = regression(ask, observed, stream(0))
    rng = stream(0)
    noise = torch.randn(5, 2, 1, 1, generator=rng, dtype=torch.float64)
    times = torch.rand(5, generator=rng, dtype=torch.float64)
    t = times.view(5, 1, 1, 1)
    assert torch.equal(asked["times"], times)
    torch.testing.assert_close(asked["images"], (1 - t) * noise + t * observed)
    torch.testing.assert_close(loss, (observed - noise).square().mean())
    torch.testing.assert_close(predicted, asked["images"])
    right = lambda images, times: observed - noise  # noqa: E731
    torch.testing.assert_close(regression(right, observed, stream(0))[1], observed)


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_the_best_field_carries_noise_to_the_data(solver):
    noise = normal(50_000, 2, 1, 1, name="noise")
    made = transport(best, noise, 200, solver)
    torch.testing.assert_close(made.mean(0), MEAN, atol=0.03, rtol=0)
    torch.testing.assert_close(made.flatten(1).T.cov(), torch.diag(STD.flatten() ** 2), atol=0.05, rtol=0)
    # in one dimension the flow keeps the order: it is the one straight map
    torch.testing.assert_close(made, MEAN + STD * noise, atol=0.05, rtol=0)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
def test_the_order_of_convergence(solver, order):
    noise = normal(50, 2, 1, 1, name="noise")
    errors = [(transport(best, noise, n, solver) - (MEAN + STD * noise)).abs().mean().item() for n in (40, 80, 160)]
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)


def test_a_constant_field_moves_by_itself_and_times_run_from_0_to_1():
    times = []

    def field(images, now):
        times.append(now[0].item())
        return torch.full_like(images, 3.0)

    start = normal(4, 2, 1, 1)
    torch.testing.assert_close(transport(field, start, 4, "heun"), start + 3)
    assert times == [0.0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1.0]
    times.clear()
    torch.testing.assert_close(transport(field, start, 4, "euler"), start + 3)
    assert times == [0.0, 0.25, 0.5, 0.75]


class AffineField(nn.Module):
    """v(y, t) = a(t) + b(t) y, a and b cubic in t: rich enough for Gaussians of like width."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 4, 2, dtype=torch.float64))

    def forward(self, images: Tensor, times: Tensor) -> Tensor:
        powers = torch.stack([times**k for k in range(4)], 1).to(self.weight.dtype)
        shift, slope = torch.einsum("bk,ikc->ibc", powers, self.weight)[..., None, None]
        return shift + slope * images


def test_learning_finds_the_best_field():
    observed = MEAN + 0.8 * normal(4000, 2, 1, 1, name="data")
    plan = replace(PLAN, iterations=400, update=Adam(lr=0.05, lr_final=0.001, beta1=0.9), ema_decay=None)
    algorithm, rng = FlowMatching(plan, AffineField(), (2, 1, 1)), stream(0, "learn")
    state = algorithm.init(rng)
    for _ in range(plan.iterations):
        state, _ = algorithm.step(state, Batch(observed, torch.arange(4000)), rng)
    made = transport(state.average, normal(20_000, 2, 1, 1, name="noise"), 40, "heun")
    torch.testing.assert_close(made.mean(0), observed.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(made.std(0), observed.std(0), atol=0.05, rtol=0)


# --- the learner


def learner(**changes: Any) -> FlowMatching:
    spec = VelocitySpec((1, 6, 6), (4, 8), embedding=4, groups=2)
    return FlowMatching(replace(PLAN, **changes), Velocity(spec, stream(0, "velocity")), (1, 6, 6))


def batch(name: object = 0) -> Batch:
    return Batch(2 * torch.rand(5, 1, 6, 6, generator=stream(0, "observed", name)) - 1, torch.arange(5))


def test_a_step_lowers_the_regression_and_leaves_the_given_network():
    algorithm = learner()
    before = copy.deepcopy(algorithm.velocity.state_dict())
    state, losses = algorithm.init(stream(0)), []
    for k in range(40):
        state, record = algorithm.step(state, batch(), stream(0, "same"))
        losses.append(record.regression.item())
        assert state.iteration == k + 1 and record.lr == 0.01
    assert losses[-1] < 0.8 * losses[0]
    assert same(before, algorithm.velocity.state_dict())


def test_samples_are_carried_by_the_average():
    algorithm = learner(solver="euler")
    state, _ = algorithm.step(algorithm.init(stream(0)), batch(), stream(0))
    drawn = algorithm.sample(state, 7, stream(1))["flow"]
    noise = torch.randn(7, 1, 6, 6, generator=stream(1))
    assert torch.equal(drawn, transport(state.average, noise, 3, "euler")) and not drawn.requires_grad
    assert not torch.equal(drawn, transport(state.velocity, noise, 3, "euler"))


def test_finish_and_pictures_change_nothing():
    algorithm = learner()
    state, record = algorithm.step(algorithm.init(stream(0)), batch(), stream(0))
    before = copy.deepcopy(algorithm.state_dict(state))
    shown = algorithm.pictures(algorithm.finish(state, stream(0)), record)
    assert torch.equal(shown["observed"], batch().images) and shown["predicted"].shape == (5, 1, 6, 6)
    assert same(before, algorithm.state_dict(state))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"iterations": -1}, "iterations is -1"),
        ({"solver": "rk4"}, "solver is 'rk4'; it needs to be 'euler' or 'heun'"),
        ({"ema_decay": -0.1}, "ema_decay is -0.1"),
    ],
)
def test_plans_that_cannot_work_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(PLAN, **changes)
