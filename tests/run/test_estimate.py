"""Every recipe can make a step, and what a run will need is estimated from a few images."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch

from tiny_recipes import tiny
from tutelage.learn import igm
from tutelage.recipes import RECIPES, Recipe
from tutelage.rng import stream
from tutelage.run.build import build
from tutelage.run.estimate import estimated_bytes, estimated_seconds
from tutelage.run.loop import scalars
from tutelage.types import Batch


# the first step of a single classifier is its cascade's
@pytest.mark.parametrize(
    "recipe", [one for one in RECIPES if not one.name.endswith("-single")], ids=lambda recipe: recipe.name
)
def test_one_iteration_of_every_recipe(recipe: Recipe) -> None:
    n = 2 if recipe.data.frames is None else 1
    fewer = {"batch_size": n, "chains": n, "revision_steps": 1, "inference_steps": 1, "negatives_per_round": 2}
    if getattr(recipe.plan, "patches", None) is not None:
        fewer["patches"] = 2
    if hasattr(recipe.plan, "made"):
        fewer["made"] = 2
    known = {field.name for field in dataclasses.fields(recipe.plan)}
    plan = dataclasses.replace(recipe.plan, **{name: few for name, few in fewer.items() if name in known})
    learner: Any = build(dataclasses.replace(recipe, plan=plan), n, labels=torch.arange(n))
    rng = stream(0, "learn")
    moving = () if recipe.data.frames is None else (recipe.data.frames,)
    images = torch.rand((n, recipe.data.channels, *moving, *recipe.data.size), generator=rng) * 2 - 1
    state, record = learner.step(learner.init(rng), Batch(images, torch.arange(n)), rng)
    numbers = scalars(record)
    if getattr(recipe.plan, "reference_std", 0) is None:
        assert math.isnan(numbers.pop("drift_ratio"))  # a uniform reference has no drift
    assert state.iteration == 1 and all(math.isfinite(value) for value in numbers.values())
    for made in learner.pictures(state, record).values():
        assert made.shape == images.shape


class Slow:
    """A machine where an iteration takes one second, and a tenth more for each image."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.mark.parametrize(("chains", "batch", "expected"), [(40, 40, 5.0), (2, 2, 1.2), (3, 40, 5.0)])
def test_time_grows_with_the_number_of_images(monkeypatch, chains: int, batch: int, expected: float) -> None:
    clock = Slow()
    monkeypatch.setattr("tutelage.run.estimate.time", clock)
    recipe = tiny("coopnets/mnist", {"plan.chains": chains, "plan.batch_size": batch})
    step = type(build(recipe, 3)).step

    def timed(self, state, batch, rng):
        clock.now += 1 + 0.1 * len(batch.images)
        return step(self, state, batch, rng)

    monkeypatch.setattr(type(build(recipe, 3)), "step", timed)
    assert estimated_seconds(recipe) == pytest.approx(expected)


def test_a_warm_up_is_left_out_and_the_faster_of_two_steps_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, costs = Slow(), iter([100, 3, 1, 100, 1, 3])  # of some images, and of others
    monkeypatch.setattr("tutelage.run.estimate.time", clock)
    recipe = tiny("coopnets/mnist", {"plan.chains": 40, "plan.batch_size": 40})
    step = type(build(recipe, 3)).step

    def timed(self, state, batch, rng):
        clock.now += next(costs)
        return step(self, state, batch, rng)

    monkeypatch.setattr(type(build(recipe, 3)), "step", timed)
    assert estimated_seconds(recipe) == pytest.approx(1) and next(costs, None) is None


def test_the_moves_of_the_generator_count_where_they_are_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Slow()
    monkeypatch.setattr("tutelage.run.estimate.time", clock)
    recipe = tiny("wgan/mnist")
    step = type(build(recipe, 3)).step

    def timed(self, state, batch, rng):
        clock.now += 11 if self.plan.moves_generator(state.iteration) else 1
        return step(self, state, batch, rng)

    monkeypatch.setattr(type(build(recipe, 3)), "step", timed)
    assert recipe.plan.generator_every == 2 and estimated_seconds(recipe) == pytest.approx(6)


def test_chains_and_observed_images_are_timed_in_their_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Slow()
    monkeypatch.setattr("tutelage.run.estimate.time", clock)
    changes = {"plan.batch_size": 100, "plan.chains": 10, "plan.pool": 12, "plan.start": "noise"}
    recipe = tiny("descriptor/mnist", changes)
    step = type(build(recipe, 3)).step

    def timed(self, state, batch, rng):
        clock.now += 1 + len(batch.images) + 100 * self.plan.chains  # seconds
        return step(self, state, batch, rng)

    monkeypatch.setattr(type(build(recipe, 3)), "step", timed)
    # at 16 images two chains, at 4 one (of .4): the fixed part is less than it looks
    assert estimated_seconds(recipe, "cpu") == pytest.approx(217 + (217 - 105) / 12 * 84)


def test_a_gpu_is_timed_with_as_many_images_as_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few take as long there as many do, so nothing can be read off them."""
    asked = []
    monkeypatch.setattr(
        "tutelage.run.estimate._seconds_of_step", lambda recipe, images, device: asked.append(images) or 0.5
    )
    recipe = tiny("coopnets/mnist", {"plan.chains": 300, "plan.batch_size": 40})
    assert estimated_seconds(recipe, "cuda") == estimated_seconds(recipe, torch.device("cuda", 1)) == 0.5
    assert asked == [300, 300]
    assert estimated_seconds(recipe, torch.device("cpu")) == 0.5 and asked[2:] == [16, 4]
    assert estimated_seconds(tiny("igm/texture", {"plan.patches": 40}), "cuda") == 0.5 and asked[4:] == [40]


def test_memory_of_an_introspective_model_grows_with_its_chains_and_patches() -> None:
    def needed(**changes: int) -> int:
        return estimated_bytes(tiny("igm/texture", {f"plan.{name}": value for name, value in changes.items()}), 1)

    one = needed(patches=50)
    assert needed(patches=50, synthesis_batch=5) - one == 2 * 24 * 16 * 16  # a chain is six floats a value
    assert needed(patches=50, negatives_per_round=8) - one == 3 * 16 * 16  # a pseudo-negative kept is a byte a value
    assert needed(patches=100) - needed(patches=75) == needed(patches=75) - one > 0


def test_exact_synthesis_holds_the_classifiers_of_all_rounds() -> None:
    def needed(rounds: int, exact: bool, single: bool = False) -> int:
        plan = {"rounds": rounds, "exact": exact, "single": single, "objective": "logit"}
        return estimated_bytes(tiny("igm/texture", {f"plan.{name}": value for name, value in plan.items()}), 1)

    classifier = build(tiny("igm/texture"), 1).classifier
    one = sum(4 * parameter.numel() for parameter in classifier.parameters())
    assert needed(5, exact=True) - needed(5, exact=False) == 5 * one
    assert needed(9, exact=False) == needed(5, exact=False) == needed(5, exact=True, single=True)


@pytest.mark.parametrize(
    ("name", "changes"), [("coopnets/mnist", {"plan.chains": 500, "plan.batch_size": 500}), ("igm/texture", {})]
)
def test_memory_is_that_of_the_arithmetic_on_the_device(
    monkeypatch: pytest.MonkeyPatch, name: str, changes: dict[str, int]
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # an old one would compute in float32
    exact, low = (tiny(name, {"precision": precision, **changes}) for precision in ("float32", "bfloat16"))
    assert estimated_bytes(low, 1) == estimated_bytes(exact, 1) == estimated_bytes(exact, 1, "cuda")
    assert estimated_bytes(low, 1, "cuda") < estimated_bytes(exact, 1)


def test_time_of_an_introspective_model_grows_with_its_patches(monkeypatch) -> None:
    clock = Slow()
    monkeypatch.setattr("tutelage.run.estimate.time", clock)
    step = igm.Igm.step

    def timed(self, state, batch, rng):
        clock.now += 1 + 0.1 * self.plan.patches
        return step(self, state, batch, rng)

    monkeypatch.setattr(igm.Igm, "step", timed)
    assert estimated_seconds(tiny("igm/texture", {"plan.patches": 40})) == pytest.approx(5.0)
