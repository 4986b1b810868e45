"""The loop knows the learner's contract and nothing else."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch

from tiny_recipes import tiny, tiny_images
from tutelage.checks import DivergenceError
from tutelage.data import flip as flipped
from tutelage.rng import stream
from tutelage.run.build import build
from tutelage.run.loop import iterate, measured, scalars
from tutelage.types import Batch, Images

OBSERVED = tiny_images(10)


class Seen(NamedTuple):
    error: torch.Tensor
    rate: float
    indices: torch.Tensor


@dataclass
class Mean:
    iteration: int
    value: torch.Tensor


class MeanLearner:
    """A user's own: the mean image, followed slowly. It diverges where it is told to."""

    def __init__(self, wrong_at: int = -1, wrong: float = float("nan")) -> None:
        self.wrong_at, self.wrong = wrong_at, wrong

    def init(self, rng: torch.Generator) -> Mean:
        return Mean(0, torch.randn(1, 8, 8, generator=rng))

    def step(self, state: Mean, batch: Batch, rng: torch.Generator) -> tuple[Mean, Seen]:
        residual = batch.images.mean(0) - state.value
        error = residual.square().mean() if state.iteration + 1 != self.wrong_at else torch.tensor(self.wrong)
        return Mean(state.iteration + 1, state.value + 0.1 * residual), Seen(error, 0.1, batch.indices)

    def sample(self, state: Mean, n: int, rng: torch.Generator) -> dict[str, Images]:
        return {"mean": state.value.expand(n, 1, 8, 8)}

    def state_dict(self, state: Mean) -> dict[str, Any]:
        return {"iteration": state.iteration, "value": state.value}

    def load_state_dict(self, state: Mean, saved: dict[str, Any]) -> Mean:
        return Mean(**saved)


def run(
    learner: MeanLearner, state: Mean, iterations: int, seed: int = 0, batch_size: int = 4
) -> list[tuple[Mean, Seen]]:
    rng = stream(0, "learn")
    return list(iterate(learner, state, OBSERVED, rng, iterations=iterations, batch_size=batch_size, seed=seed))


def start() -> Mean:
    return MeanLearner().init(stream(0, "init"))


def test_a_learner_of_ones_own_learns() -> None:
    steps = run(MeanLearner(), start(), 60, batch_size=10)
    assert [state.iteration for state, _ in steps] == list(range(1, 61))
    torch.testing.assert_close(steps[-1][0].value, OBSERVED.batch(slice(0, 10)).mean(0), atol=0.01, rtol=0)
    first, last = (record.error for _, record in (steps[0], steps[-1]))
    assert last < 1e-4 * first


@pytest.mark.parametrize("iterations", [0, 3])
def test_it_stops_where_the_iterations_are_done(iterations: int) -> None:
    assert len(run(MeanLearner(), start(), iterations)) == iterations
    assert run(MeanLearner(), Mean(7, torch.zeros(1, 8, 8)), 7) == []


def test_the_order_of_the_images_is_a_function_of_seed_and_iteration() -> None:
    whole = [record.indices.tolist() for _, record in run(MeanLearner(), start(), 8)]
    late = [record.indices.tolist() for _, record in run(MeanLearner(), Mean(5, torch.zeros(1, 8, 8)), 8)]
    assert late == whole[5:]
    assert [record.indices.tolist() for _, record in run(MeanLearner(), start(), 8, seed=1)] != whole
    assert sorted(index for batch in whole[:5] for index in batch) == sorted([*range(10), *range(10)])


def test_the_batch_holds_the_images_it_names() -> None:
    for state, record in run(MeanLearner(), Mean(0, torch.zeros(1, 8, 8)), 1):
        expected = 0.1 * OBSERVED.batch(record.indices).mean(0)
        torch.testing.assert_close(state.value, expected)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_stops_it(wrong: float) -> None:
    rng, done = stream(0, "learn"), []
    with pytest.raises(
        DivergenceError, match=rf"^iteration 3 left the finite numbers: error = {wrong}\. .*learning rate"
    ):
        for state, _ in iterate(MeanLearner(3, wrong), start(), OBSERVED, rng, iterations=9, batch_size=4):
            done.append(state.iteration)
    assert done == [1, 2]


class Loose(NamedTuple):
    value: torch.Tensor
    drift_ratio: torch.Tensor
    count: int
    images: torch.Tensor


def test_scalars_are_the_numbers_of_a_record() -> None:
    record = Loose(torch.tensor(2.5), torch.tensor(float("nan")), 3, torch.zeros(4, 1, 8, 8))
    numbers = scalars(record)
    assert numbers["value"] == 2.5 and numbers["count"] == 3.0 and numbers["drift_ratio"] != numbers["drift_ratio"]
    assert numbers.keys() == {"value", "drift_ratio", "count"}
    assert all(type(number) is float for number in numbers.values())


class Varied(NamedTuple):
    value: torch.Tensor
    more: dict[str, Any]


def test_numbers_of_some_iterations_lie_in_a_mapping() -> None:
    record = Varied(torch.tensor(2.5), {"penalty": torch.tensor(0.5), "rate": 0.1, "made": torch.zeros(4, 1, 8, 8)})
    assert scalars(record) == {"value": 2.5, "penalty": 0.5, "rate": 0.1}


class Fixed(MeanLearner):
    """Gives back a record it was made with."""

    def __init__(self, record: Loose) -> None:
        self.record = record

    def step(self, state: Mean, batch: Batch, rng: torch.Generator) -> tuple[Mean, Any]:
        return Mean(state.iteration + 1, state.value), self.record


def test_a_drift_ratio_may_be_missing() -> None:
    nan = torch.tensor(float("nan"))
    fine = Loose(torch.tensor(1.0), nan, 3, torch.zeros(1))
    assert len(run(Fixed(fine), start(), 2)) == 2
    with pytest.raises(DivergenceError, match=r"value = nan.*learning rate"):
        run(Fixed(fine._replace(value=nan)), start(), 2)
    with pytest.raises(DivergenceError, match=r"drift_ratio = inf"):
        run(Fixed(fine._replace(drift_ratio=torch.tensor(torch.inf))), start(), 2)


def test_a_learner_of_ones_own_is_held_to_no_bounds() -> None:
    huge = Loose(torch.tensor(1e30), torch.tensor(1.0), 3, torch.full((1, 1, 8, 8), 1e30))
    assert len(run(Fixed(huge), start(), 2)) == 2


def test_the_numbers_come_with_the_records() -> None:
    """In the host's own floats, so that nobody waits for the device a second time."""
    recipe = tiny("coopnets/mnist", {"plan.iterations": 2})
    learner, rng = build(recipe, len(OBSERVED)), stream(0, "learn")
    counts = {"iterations": 2, "batch_size": 4}
    for _, record, found in measured(learner, learner.init(rng), OBSERVED, rng, **counts):
        assert found.keys() == scalars(record).keys() and "potential" in found
        assert all(type(value) is float for value in found.values())


def test_images_are_mirrored_where_that_is_asked_for() -> None:
    learner, start = MeanLearner(), torch.zeros(1, 8, 8)
    found = []
    for flip in (False, True):
        rng = stream(0, "learn")
        ((state, record),) = iterate(
            learner, Mean(0, start), OBSERVED, rng, iterations=1, batch_size=4, seed=3, flip=flip
        )
        found.append(state.value)
    seen = OBSERVED.batch(record.indices)
    mirrored = flipped(seen, 3, 0)
    assert not torch.equal(mirrored, seen)
    torch.testing.assert_close(found[0], 0.1 * seen.mean(0))
    torch.testing.assert_close(found[1], 0.1 * mirrored.mean(0))
