"""L-BFGS: the minimum of a quadratic, and where it stops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tutelage.baselines.descent import Plan, descend, from_noise
from tutelage.checks import DivergenceError, InputError
from tutelage.rng import stream

CENTRE = torch.tensor([1.0, -2.0, 0.5, 3.0]).view(1, 1, 2, 2)
WEIGHTS = torch.tensor([1.0, 10.0, 100.0, 0.1]).view(1, 1, 2, 2)


def quadratic(x: Tensor) -> Tensor:
    return (WEIGHTS * (x - CENTRE).square()).flatten(1).sum(1)


def test_it_finds_the_minimum_of_a_quadratic_and_stops_there() -> None:
    records = list(descend(quadratic, torch.zeros(1, 1, 2, 2), Plan(steps=1_000)))
    torch.testing.assert_close(records[-1].position, CENTRE, rtol=1e-3, atol=1e-3)
    assert records[-1].steps < 200 and records[-1].energy < 1e-6


def test_at_most_the_steps_asked_for_are_taken() -> None:
    def rosenbrock(x: Tensor) -> Tensor:
        a, b = x.flatten(1)[:, 0], x.flatten(1)[:, 1]
        return (1 - a).square() + 100 * (b - a.square()).square()

    records = list(descend(rosenbrock, torch.tensor([[-1.2, 1.0]]), Plan(steps=23, history=3)))
    assert [record.steps for record in records] == [20, 23]
    assert records[1].energy < records[0].energy < 24.2


def test_each_image_has_noise_of_its_own_and_its_records_are_shown() -> None:
    seen: list[int] = []

    def progress(records: Any) -> Any:
        for record in records:
            seen.append(record.steps)
            yield record

    def flat(x: Tensor) -> Tensor:
        return 0 * x.flatten(1).sum(1)

    made = from_noise(flat, (1, 40, 50), 2, Plan(start_std=0.5), stream(0), progress)
    assert made.shape == (2, 1, 40, 50) and not torch.equal(made[0], made[1]) and len(seen) == 2
    assert made.std().item() == pytest.approx(0.5, rel=0.05)


def test_an_energy_that_is_not_finite_is_told() -> None:
    with pytest.raises(
        DivergenceError, match=r"the energy is nan after 0 steps of L-BFGS or a few more; .*smaller start_std"
    ):
        list(descend(lambda x: x.flatten(1).sum(1) / 0 * 0, torch.ones(1, 2), Plan()))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"history": 0}, "history is 0"),
        ({"start_std": 0}, "start_std is 0; it needs to be above 0"),
    ],
)
def test_plans_that_cannot_work_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Plan(**changes)
