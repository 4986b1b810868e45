"""What every learner promises. A new learner is one more line in the table."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tiny_recipes import same, tiny, tiny_clip, tiny_images, tiny_texture
from tutelage.data import Batches, ImageSet, Splits
from tutelage.recipes.algorithm import algorithm_of, models_of
from tutelage.rng import stream
from tutelage.run import checkpoint, gallery, train
from tutelage.run.build import build
from tutelage.run.divergence import learning_rates
from tutelage.run.evaluate import measure_run
from tutelage.run.folder import open_run
from tutelage.run.loop import scalars
from tutelage.run.measures import Measure
from tutelage.types import Batch


@dataclass(frozen=True)
class Case:
    """A tiny learner: its recipe, what it tells of an iteration, and what it shows and makes, by name."""

    recipe: str
    numbers: set[str]
    pictures: set[str]
    samples: set[str]
    changes: dict[str, Any] = field(default_factory=dict)
    steps: int = 5
    """After how many iterations it is stopped, odd so as to be between the turns of two players."""
    settled: int = 5
    """After how many it can be sampled from."""


_OF_D = {"value", "drift_ratio", "movement", "potential", "acceptance", "descriptor_lr"}
_OF_G = {"reconstruction", "generator_lr"}
_GAME = {"discriminator_loss", "of_observed", "of_made", "discriminator_lr"}
_BOTH = _GAME | {"generator_loss", "generator_lr"}
_SYNTHESIS = {"round", "synthesis_loss", "probability", "movement"}

COOPNETS = Case(
    "coopnets/mnist",
    _OF_D | _OF_G | {"latent_movement"},
    {"initial", "revised", "reconstructed"},
    {"generator", "descriptor"},
)
CASES = {
    "CoopNets": COOPNETS,
    "CoopNets with inference": Case(
        COOPNETS.recipe,
        COOPNETS.numbers,
        COOPNETS.pictures,
        COOPNETS.samples,
        {"plan.inference_steps": 2, "plan.add_noise": True, "plan.reconstruction_updates": 2},
    ),
    "CoopNets of videos": Case("video/quick", COOPNETS.numbers, COOPNETS.pictures, COOPNETS.samples),
    "Algorithm D, persistent CD": Case("descriptor/mnist", _OF_D, {"revised"}, {"descriptor"}),
    "Algorithm D from noise": Case(
        "descriptor/mnist",
        _OF_D,
        {"revised"},
        {"descriptor"},
        {"plan.start": "noise", "plan.persistent": False, "plan.metropolis": True},
    ),
    "Algorithm G": Case(
        "generator/mnist",
        _OF_G | {"residual", "latent_movement"},
        {"observed", "reconstructed"},
        {"generator"},
    ),
    "IGM": Case("igm/texture", _SYNTHESIS, {"negatives"}, {"cascade"}, steps=19, settled=120),
    "IGM-single": Case(
        "igm/texture", _SYNTHESIS, {"negatives"}, {"classifier"}, {"plan.single": True}, steps=19, settled=120
    ),
    "VAE": Case(
        "vae/mnist",
        {"bound", "reconstruction", "prior_divergence", "residual", "lr"},
        {"observed", "reconstructed"},
        {"generator"},
    ),
    "Deep directed": Case(
        "deep-directed/mnist",
        {"value", "potential", "generated_energy", "entropy", "descriptor_lr", "generator_lr"},
        {"initial"},
        {"generator"},
    ),
    "Flow matching": Case("flow-matching/mnist", {"regression", "lr"}, {"observed", "predicted"}, {"flow"}),
    "DCGAN": Case("dcgan/mnist", _BOTH, {"made"}, {"generator"}),
    "DCGAN, two for one": Case("dcgan/mnist", _BOTH, {"made"}, {"generator"}, {"plan.generator_updates": 2}),
    "WGAN": Case("wgan/mnist", _GAME, {"made"}, {"generator"}),
    "WGAN-GP": Case("wgan-gp/mnist", _GAME | {"gradient_penalty"}, {"made"}, {"generator"}),
    "EBGAN-PT": Case("ebgan/mnist", _BOTH, {"made"}, {"generator"}),
    "Texture net": Case("texture-nets/quick", {"gram_loss", "lr"}, {"made"}, {"generator"}),
    "InfoGAN": Case("infogan/mnist", _BOTH | {"information", "number_error"}, {"made"}, {"generator"}),
}
every_learner = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
GENERATORS = {name: case for name, case in CASES.items() if "generator" in case.samples}


def learner(case: Case) -> Any:
    return build(tiny(case.recipe, case.changes), len(observed(case)))


def observed(case: Case) -> ImageSet:
    if case.recipe.startswith("video"):
        return tiny_clip()
    return tiny_texture() if case.recipe.startswith("igm") else tiny_images(10)


def after(model: Any, state: Any, case: Case, rng: torch.Generator, steps: int) -> tuple[Any, Any]:
    """State and last record of ``steps`` more iterations, the images as `run.loop` orders them."""
    images, record = observed(case), None
    batches = Batches(len(images), model.plan.batch_size, 0)
    for _ in range(steps):
        if getattr(state, "ended", None) is None:
            indices = batches.indices(state.iteration)
            state, record = model.step(state, Batch(images.batch(indices), indices), rng)
    return state, record


def learned(case: Case, steps: int | None = None) -> tuple[Any, Any, Any, torch.Generator]:
    model, rng = learner(case), stream(0, "learn")
    return model, *after(model, model.init(rng), case, rng, case.steps if steps is None else steps), rng


def kept(model: Any, state: Any) -> Any:
    """A copy of the state as a checkpoint holds it."""
    return copy.deepcopy(checkpoint.join(*checkpoint.split(model.state_dict(state))))


def check_images(images: Tensor, case: Case, count: int | None = None) -> None:
    assert tuple(images.shape[1:]) == observed(case).shape and count in (None, len(images))
    assert images.is_floating_point() and images.isfinite().all() and not images.requires_grad


@every_learner
def test_learning_moves_every_network_and_leaves_the_given_ones_alone(case: Case) -> None:
    model = learner(case)
    given = {name: copy.deepcopy(x.state_dict()) for name, x in vars(model).items() if isinstance(x, nn.Module)}
    rng = stream(0, "learn")
    before = kept(model, model.init(rng))
    state, _ = after(model, model.init(rng), case, rng, case.steps)
    now = kept(model, state)
    assert now.keys() == before.keys() and state.iteration == case.steps
    assert all(tensor.isfinite().all() for tensor in checkpoint.split(now)[0].values())
    for name in ("descriptor", "generator", "average", "classifier", "discriminator", "encoder", "velocity"):
        assert name not in now or not same(now[name], before[name]), name
    assert all(same(network, getattr(model, name).state_dict()) for name, network in given.items()) and given


@every_learner
def test_a_record_has_the_numbers_promised(case: Case) -> None:
    model, _, record, _ = learned(case)
    numbers = scalars(record)
    assert all(type(number) is float for number in numbers.values())
    no_balance = getattr(model.plan, "reference_std", 0.0) is None  # a uniform reference does not pull
    assert not no_balance or math.isnan(numbers["drift_ratio"])
    assert all(math.isfinite(number) or (no_balance and name == "drift_ratio") for name, number in numbers.items())
    assert numbers.keys() == case.numbers
    assert learning_rates(model.plan), "which a recovery makes smaller"


@every_learner
def test_looking_and_sampling_make_images_and_change_nothing(case: Case) -> None:
    model, state, record, rng = learned(case, case.settled)
    before, chance = kept(model, state), rng.get_state()
    shown = model.pictures(state, record)
    made = model.sample(state, 6, stream(1, "sample"))
    again = model.sample(state, 6, stream(1, "sample"))
    assert (shown.keys(), made.keys()) == (case.pictures, case.samples)
    assert models_of(model.plan) == tuple(made)
    for images in shown.values():
        check_images(images, case)
    for images in made.values():
        check_images(images, case, 6)
    assert same(made, again) and same(kept(model, state), before) and torch.equal(rng.get_state(), chance)


@pytest.mark.parametrize("case", GENERATORS.values(), ids=GENERATORS)
def test_samples_of_a_generator_are_those_of_the_average_of_its_weights(case: Case) -> None:
    model, state, _, _ = learned(case)
    latents = torch.randn((6, *model.latent_shape), generator=stream(1, "sample"))
    live = copy.deepcopy(state.average)
    live.load_state_dict(state.generator.state_dict())
    with torch.no_grad():
        expected, others = state.average(latents), live(latents)
    assert torch.equal(model.sample(state, 6, stream(1, "sample"))["generator"], expected)
    assert torch.equal(expected, others) == (model.plan.ema_decay is None) and not state.average.training


@every_learner
def test_a_stop_changes_nothing(case: Case) -> None:
    """2N iterations are N, saved, loaded into a state made by another seed, and N more: bit for bit on a CPU."""
    model, whole, _, whole_rng = learned(case, 2 * case.steps)
    other, half, _, rng = learned(case)
    saved, chance = kept(other, half), rng.get_state()
    fresh, words = other.load_state_dict(other.init(stream(9, "other")), saved), stream(9, "other")
    words.set_state(chance)
    parted, _ = after(other, fresh, case, words, case.steps)
    assert same(kept(other, parted), kept(model, whole)) and torch.equal(words.get_state(), whole_rng.get_state())


@every_learner
def test_finishing_changes_nothing_that_learns(case: Case) -> None:
    (model, plain, _, rng), (other, state, _, other_rng) = learned(case), learned(case)
    finished = other.finish(state, stream(2, "calibrate"))
    assert finished.iteration == case.steps
    saved, expected = kept(other, finished), kept(model, plain)
    for part in expected.keys() - {"average"}:
        assert same(saved[part], expected[part]), part
    weights = dict(getattr(finished, "average", nn.Module()).named_parameters())
    assert all(torch.equal(weights[name], expected["average"][name]) for name in weights)
    plain, finished = after(model, plain, case, rng, 3)[0], after(other, finished, case, other_rng, 3)[0]
    assert same(kept(other, finished), kept(model, plain))


@every_learner
def test_a_run_is_measured(case: Case, tmp_path: Path) -> None:
    recipe, images = tiny(case.recipe, case.changes), observed(case)
    assert train.train(recipe, images, tmp_path / "run", torch.device("cpu"), {}) == "done"
    seen = []

    def score(samples: Tensor) -> float:
        check_images(samples, case, 4)
        seen.append(samples)
        return samples.mean().item()

    mean = Measure(
        "mean", 4, score, {"real images": lambda: 0.5}, lambda value: {"value": value, "stderr": None, "n": 4}
    )
    run = open_run(tmp_path / "run")
    entries = [entry for entry, _ in measure_run(run, Splits(images), [mean], 0, "measure", torch.device("cpu"))]
    called = algorithm_of(recipe.plan)
    models = [f"{called} {name}" for name in sorted(case.samples)] if len(case.samples) > 1 else [called]
    assert sorted(entry["name"] for entry in entries) == sorted(f"{row} mean" for row in (*models, "real images"))
    assert [entry["value"] for entry in entries] == [*(samples.mean().item() for samples in seen), 0.5]
    assert json.loads(run.results.read_text()) == entries


@every_learner
def test_chance_comes_from_the_generator_only(case: Case) -> None:
    before = torch.get_rng_state()
    model, state, _, _ = learned(case)
    twin, same_state, _, _ = learned(case)
    assert same(kept(model, state), kept(twin, same_state))
    rng = stream(1, "learn")
    different, _ = after(twin, twin.init(rng), case, rng, case.steps)
    assert not same(kept(twin, different), kept(model, state))
    assert torch.equal(torch.get_rng_state(), before)


UPDATES = {
    "coopnets/mnist": ("descriptor_update", "generator_update"),
    "descriptor/mnist": ("update",),
    "generator/mnist": ("update",),
    "vae/mnist": ("update",),
    "flow-matching/mnist": ("update",),
    "deep-directed/mnist": ("descriptor_update", "generator_update"),
    "texture-nets/quick": ("update",),
}


@pytest.mark.parametrize(("name", "updates"), UPDATES.items())
def test_rates_follow_the_iteration(name: str, updates: tuple[str, ...]) -> None:
    model: Any = build(tiny(name, {f"plan.{update}.lr_final": 1e-6 for update in updates}), 10)
    rng = stream(0, "learn")
    state = model.init(rng)
    state.iteration = 3
    images = tiny_images(10).batch(slice(0, 4))
    state, record = model.step(state, Batch(images, torch.arange(4)), rng)
    found = [rate for number, rate in scalars(record).items() if number == "lr" or number.endswith("_lr")]
    expected = [getattr(model.plan, update) for update in updates]
    assert found == pytest.approx([update.rate(3, model.plan.iterations) for update in expected])
    assert all(rate < update.lr for rate, update in zip(found, expected, strict=True))
    optimisers = [part for part in vars(state).values() if isinstance(part, torch.optim.Optimizer)]
    assert [group["lr"] for optimiser in optimisers for group in optimiser.param_groups] == found


@pytest.mark.parametrize("name", CASES)
def test_what_is_shown_has_a_caption(name: str) -> None:
    """And is known for a picture of ours where a run goes on."""
    case = CASES[name]
    assert {*case.pictures, *(f"final_{model}" for model in case.samples)} <= gallery.CAPTIONS.keys()


@pytest.mark.parametrize("name", ["VAE", "Flow matching", "Deep directed", "Texture net"])
def test_the_average_moves_by_the_decay_of_the_plan(name: str) -> None:
    model, rng = learner(CASES[name]), stream(0, "learn")
    state, decay = model.init(rng), model.plan.ema_decay
    before = [weight.clone() for weight in state.average.parameters()]
    state, _ = after(model, state, CASES[name], rng, 1)
    live = state.velocity if hasattr(state, "velocity") else state.generator
    assert decay and decay > 1 / 21
    for new, old, now in zip(state.average.parameters(), before, live.parameters(), strict=True):
        torch.testing.assert_close(new, old / 21 + now * 20 / 21)
