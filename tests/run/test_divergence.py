"""What stops a run: numbers that are not finite, or beyond their bounds, and what is said of the cause."""

import math
import re
from typing import Any

import pytest
import torch

from tiny_recipes import tiny, tiny_images
from tutelage.checks import DivergenceError
from tutelage.rng import stream
from tutelage.run import divergence
from tutelage.run.build import build
from tutelage.run.loop import measured, scalars
from tutelage.types import Batch

COOPNETS, DESCRIPTOR, GENERATOR = "coopnets/mnist", "descriptor/mnist", "generator/mnist"


def judge(name: str, changes: dict[str, Any] | None = None, **wrong: Any) -> str:
    """What is said of a healthy record with some fields ``wrong``: "" where nothing is."""
    recipe, observed = tiny(name, changes), tiny_images()
    learner, rng = build(recipe, len(observed)), stream(0, "learn")
    batch = Batch(observed.batch(slice(0, 4)), torch.arange(4))
    _, record = learner.step(learner.init(rng), batch, rng)
    record = record._replace(**{field: torch.as_tensor(value, dtype=torch.float32) for field, value in wrong.items()})
    numbers = scalars(record, divergence.extents(record, recipe.plan))
    try:
        divergence.check(7, numbers, divergence.bounds(record, recipe.plan), recipe.plan)
    except DivergenceError as error:
        assert set(error.numbers) <= numbers.keys() and error.smaller
        return str(error)
    return ""


ENERGY = 100 * 64 / (2 * 0.016**2)
"""The bound of mean |f| on images of 8x8."""

STOPPED = {
    "value is NaN": (COOPNETS, {"value": math.nan}, "left the finite numbers: value = nan"),
    "value is infinite": (DESCRIPTOR, {"value": -math.inf}, "left the finite numbers: value = -inf"),
    "reconstruction": (GENERATOR, {"reconstruction": math.inf}, "left the finite numbers: reconstruction = inf"),
    "energy": (COOPNETS, {"potential": 1.01 * ENERGY}, r"potential = 1.26e\+07 is above its bound of 1.25e\+07"),
    "energy, alone": (DESCRIPTOR, {"potential": 1.01 * ENERGY}, r"diverged: potential = 1.26e\+07 is above"),
    "movement": (COOPNETS, {"movement": 3.1}, "movement = 3.1 is above its bound of 3"),
    "chains": (COOPNETS, {"revised": torch.full((4, 1, 8, 8), -3.1)}, "rms of the revised images = 3.1 is above"),
    "one chain": (DESCRIPTOR, {"revised": torch.eye(8).view(1, 1, 8, 8) * 40}, "rms of the revised images = 14.1"),
    "a chain is NaN": (DESCRIPTOR, {"revised": torch.full((4, 1, 8, 8), math.nan)}, "rms of the revised images = nan"),
    "a chain is huge": (DESCRIPTOR, {"revised": torch.full((4, 1, 8, 8), 1e30)}, "rms of the revised images = "),
    "latents": (
        GENERATOR,
        {"latents": torch.full((4, 3), 101.0)},
        "rms of the latents = 101 is above its bound of 100",
    ),
    "latents, together": (COOPNETS, {"latents": torch.full((4, 3), 101.0)}, "rms of the latents = 101"),
}


@pytest.mark.parametrize("case", STOPPED)
def test_what_is_out_of_bounds_is_stopped(case: str) -> None:
    name, wrong, words = STOPPED[case]
    said = judge(name, **wrong)
    assert said.startswith("iteration 7 ")
    assert re.search(words, said), said
    assert "The likely cause is" in said and ": try plan." in said


@pytest.mark.parametrize(
    ("name", "changes", "fine"),
    [
        (COOPNETS, {}, {"potential": 0.99 * ENERGY, "movement": 2.9, "value": 1e30}),
        (COOPNETS, {}, {"revised": torch.full((4, 1, 8, 8), 2.9), "latents": torch.full((4, 3), 99.0)}),
        (DESCRIPTOR, {}, {"drift_ratio": math.nan}),
        (DESCRIPTOR, {"plan.reference_std": None, "plan.start": "data"}, {"potential": 1e30}),
        (DESCRIPTOR, {"plan.reference_std": 3.0}, {"revised": torch.full((4, 1, 8, 8), 8.9), "movement": 8.9}),
        (GENERATOR, {}, {"reconstruction": 1e30, "latents": torch.full((4, 3), 99.0)}),
    ],
)
def test_what_is_within_bounds_is_not(name: str, changes: dict[str, Any], fine: dict[str, Any]) -> None:
    assert judge(name, changes, **fine) == ""


def test_it_is_stopped_in_the_iteration_it_happens_in(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, observed = tiny(DESCRIPTOR), tiny_images()
    learner, rng = build(recipe, len(observed)), stream(0, "learn")
    step, seen = type(learner).step, []

    def growing(self: Any, state: Any, batch: Batch, rng: torch.Generator) -> tuple[Any, Any]:
        state, record = step(self, state, batch, rng)
        return state, record._replace(potential=torch.tensor(10.0 ** (2 * state.iteration - 1)))

    monkeypatch.setattr(type(learner), "step", growing)
    with pytest.raises(DivergenceError, match=r"^iteration 5 diverged: potential = 1e\+09") as caught:
        for state, *_ in measured(learner, learner.init(rng), observed, rng, iterations=9, batch_size=4):
            seen.append(state.iteration)
    assert seen == [1, 2, 3, 4] and caught.value.numbers == {"potential": 1e9}


CAUSES = {
    "descriptor": (
        COOPNETS,
        {},
        {"potential": 1e30},
        ("a descriptor that learns faster than its chains", "plan.descriptor_update.lr=0.007, plan.step_size=0.002"),
        "plan.descriptor_update.lr=0.0035",
    ),
    "no reference": (
        COOPNETS,
        {"plan.reference_std": None},
        {"movement": 20.0},
        ("a descriptor that learns faster", "or plan.gradient_penalty=1, which keeps f from getting steep."),
        "plan.descriptor_update.lr=0.0035",
    ),
    "no reference, and held back": (
        COOPNETS,
        {"plan.reference_std": None, "plan.gradient_penalty": 1.0},
        {"movement": 20.0},
        ("a descriptor that learns faster", "plan.gradient_penalty=1.0): try plan.descriptor_update.lr=0.0035."),
        "plan.descriptor_update.lr=0.0035.",
    ),
    "descriptor alone": (DESCRIPTOR, {}, {"movement": 20.0}, ("descriptor that learns faster",), "plan.update.lr="),
    "step size": (
        DESCRIPTOR,
        {"plan.step_size": 0.016},
        {"movement": 20.0},
        ("step_size too large for reference_std", "δ²/(2s²) = 0.5", "plan.reference_std=0.016"),
        "plan.step_size=0.008",
    ),
    "reference": (
        COOPNETS,
        {"plan.reference_std": 0.0015},
        {"value": math.nan},
        ("step_size too large for reference_std", "δ²/(2s²) = 0.89"),
        "plan.step_size=0.001",
    ),
    "many steps": (
        COOPNETS,
        {"plan.revision_steps": 50},
        {"movement": 20.0},
        ("too many revision_steps", "50 steps moved the chains by 20"),
        "plan.revision_steps=25, or plan.step_size=0.001",
    ),
    "many steps, but they went nowhere": (
        COOPNETS,
        {"plan.revision_steps": 50},
        {"potential": 1e30},
        ("descriptor that learns faster",),
        "plan.descriptor_update.lr=",
    ),
    "latent step": (
        GENERATOR,
        {"plan.latent_step_size": 0.5},
        {"latents": torch.full((4, 3), 200.0)},
        ("latent_step_size too large for noise_std", "plan.latent_step_size=0.5, plan.noise_std=0.3"),
        "plan.latent_step_size=0.25",
    ),
    "latent step of 2": (
        GENERATOR,
        {"plan.latent_step_size": 2.0},
        {"reconstruction": math.nan},
        ("latent_step_size too large",),
        "plan.latent_step_size=1",
    ),
    "generator": (
        GENERATOR,
        {},
        {"reconstruction": math.nan},
        ("a generator that learns too fast",),
        "plan.update.lr=",
    ),
    "generator's drafts": (
        COOPNETS,
        {},
        {"initial": torch.full((4, 1, 8, 8), math.nan), "value": math.nan, "movement": math.nan},
        ("a generator that learns too fast",),
        "plan.generator_update.lr=",
    ),
    "generator's latents": (
        COOPNETS,
        {"plan.inference_steps": 2},
        {"latents": torch.full((4, 3), 200.0)},
        ("latent_step_size too large",),
        "plan.latent_step_size=0.05",
    ),
}


@pytest.mark.parametrize("case", CAUSES)
def test_the_cause_is_found_and_a_value_suggested(case: str) -> None:
    name, changes, wrong, words, suggested = CAUSES[case]
    said = judge(name, changes, **wrong)
    assert all(part in said for part in words), said
    assert f": try {suggested}" in said and "\n" not in said


@pytest.mark.parametrize(
    ("where", "field"),
    [("descriptor", "plan.descriptor_update.lr"), ("generator", "plan.generator_update.lr")],
)
def test_a_state_that_is_not_finite_is_named(where: str, field: str) -> None:
    plan = tiny(COOPNETS).plan
    divergence.check_state({"learner": {"weights": [torch.zeros(2), torch.arange(3)]}}, 4, {}, plan)
    nested = {"learner": {where: [torch.zeros(2), torch.tensor([1.0, torch.inf])]}}
    with pytest.raises(DivergenceError, match=rf"^iteration 4 left the finite numbers: learner/{where}/1\.") as caught:
        divergence.check_state(nested, 4, {"value": 1.0}, plan)
    assert caught.value.smaller == (field,)


def test_a_plan_of_ones_own_has_learning_rates_or_not() -> None:
    assert divergence.learning_rates(tiny(COOPNETS).plan) == ("plan.descriptor_update.lr", "plan.generator_update.lr")
    assert divergence.learning_rates(tiny(GENERATOR).plan) == ("plan.update.lr",)
    assert divergence.learning_rates(None) == () and divergence.diagnose(None, {}, ()).smaller == ()
