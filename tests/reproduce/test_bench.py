"""Models of one budget: trained once, found again, resumed where they were stopped."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_recipes import same, tiny, tiny_images, tiny_texture
from tutelage.checks import DivergenceError, InputError
from tutelage.data import ImageSet, from_array
from tutelage.learn.coopnets import CoopNets
from tutelage.recipes import Recipe, by_name
from tutelage.recipes.codec import encode
from tutelage.reproduce import bench as benches
from tutelage.reproduce.bench import Bench, about, digest, seconds_spent, to_train, trained, within
from tutelage.rng import stream
from tutelage.run import checkpoint, train
from tutelage.run.journal import Journal

CPU = torch.device("cpu")
IMAGES = tiny_images(20)


def bench_at(out: Path, minutes: float = 1.0, seed: int = 3) -> Bench:
    return Bench(out, minutes, seed, CPU, "reproduce it")


def fitted(
    seconds: float,
    monkeypatch: pytest.MonkeyPatch,
    ticks: Iterable[float] = repeat(0.25),
    diverges_at: int = -1,
    recipe: Recipe | None = None,
) -> tuple[Recipe, int]:
    """What `within` makes of a recipe whose iterations take ``ticks`` seconds, in turn; and how many it tried."""
    step, clock, times, tried = CoopNets.step, [0.0], iter(ticks), []

    def timed(self: CoopNets, state: Any, *rest: Any) -> Any:
        if state.iteration == diverges_at:
            raise DivergenceError("It grew.")
        clock[0] += next(times)
        tried.append(state.iteration)
        return step(self, state, *rest)

    monkeypatch.setattr(CoopNets, "step", timed)
    monkeypatch.setattr(benches.time, "perf_counter", lambda: clock[0])
    return within(seconds, recipe or tiny("coopnets/mnist"), IMAGES, CPU), len(tried)


def test_iterations_fill_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, tried = fitted(1000.0, monkeypatch)
    assert tried == 1 + 81  # the first, and more than 20 s
    assert recipe.plan.iterations == int(950 / 0.25)
    assert (recipe.checkpoint_every, recipe.picture_every, recipe.keep_every) == (380, 380, None)
    told = {**tiny("coopnets/mnist").sources, "plan.iterations": "as many as 16.6667 minutes hold, by a trial"}
    assert recipe.sources == told


@pytest.mark.parametrize("slowed", [slice(1, 9), slice(30, 40), slice(60, None)], ids=["begin", "middle", "end"])
def test_what_slows_a_part_of_a_trial_does_not_shorten_the_model(
    slowed: slice, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = [0.25] * 200
    ticks[slowed] = [1.0] * len(ticks[slowed])
    assert fitted(1000.0, monkeypatch, ticks)[0].plan.iterations == int(950 / 0.25)


@pytest.mark.parametrize(
    ("ends", "turn", "pace"), [([0, 3], 1, 3.0), ([0, 3, 4, 9], 5, 3.0), ([0, 1, 6, 7, 12], 2, 3.0)]
)
def test_a_pace_is_of_whole_turns(ends: list[float], turn: int, pace: float) -> None:
    assert benches._pace(ends, turn) == pace


def test_a_trial_is_of_twelve_iterations_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fitted(100.0, monkeypatch)[1] == 12  # 2 s would be 9


def test_a_trial_that_diverges_has_been_timed_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, tried = fitted(100.0, monkeypatch, diverges_at=4)
    assert (recipe.plan.iterations, tried) == (int(95 / 0.25), 4)


def test_a_trial_takes_no_more_than_a_tenth_of_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, tried = fitted(10.0, monkeypatch)
    assert (recipe.plan.iterations, tried) == (int(9.5 / 0.25), 5)  # stopped after 1 s


def test_a_budget_too_small_for_anything_is_one_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, _ = fitted(0.01, monkeypatch)
    assert (recipe.plan.iterations, recipe.checkpoint_every) == (1, 1)


@pytest.mark.parametrize(("until", "part"), [(0, 0), (3, 0.5), (None, None)])
def test_noise_ends_at_the_same_part_of_the_iterations(
    monkeypatch: pytest.MonkeyPatch, until: int | None, part: float | None
) -> None:
    recipe = tiny("coopnets/mnist", {"plan.iterations": 6, "plan.noise_until": until})
    found, _ = fitted(100.0, monkeypatch, recipe=recipe)
    assert found.plan.noise_until == (None if part is None else round(part * found.plan.iterations))
    told = found.sources["plan.noise_until"] == "at the same part of the iterations as in coopnets/mnist"
    assert told == (part is not None)


@pytest.fixture
def six(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe whose budget always holds six iterations."""
    recipe = tiny("coopnets/mnist")
    monkeypatch.setattr(benches, "within", lambda seconds, recipe, *_: recipe)
    return recipe


def test_a_model_is_trained_once(six: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(bench_at(tmp_path), six, IMAGES)
    assert run.path == tmp_path / "models" / "coopnets-mnist-1min-seed3"
    assert (run.recipe().seed, int(run.latest().name), run.facts()["command"]) == (3, 6, "reproduce it")
    assert to_train(bench_at(tmp_path), ["another", run.path.name]) == ["another"]
    monkeypatch.setattr(train, "train", None)
    monkeypatch.setattr(train, "resume", None)
    assert trained(bench_at(tmp_path), six, IMAGES).path == run.path


def killed(run: Path) -> None:
    """Take from a journal what it says of its end."""
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    (run / "journal.jsonl").write_text("".join(line for line in lines if '"interrupt"' not in line))


def test_a_model_that_was_stopped_goes_on(six: Recipe, tmp_path: Path) -> None:
    whole = trained(bench_at(tmp_path / "whole"), six, IMAGES)
    path = tmp_path / "stopped" / "models" / "coopnets-mnist-1min-seed3"
    facts = {"recipe_sha256": digest(bench_at(tmp_path), six)}
    assert train.train(replace(six, seed=3), IMAGES, path, CPU, facts, minutes=0) == "time"
    killed(path)
    assert to_train(bench_at(tmp_path / "stopped"), [path.name]) == [path.name]
    run = trained(bench_at(tmp_path / "stopped"), six, IMAGES)
    assert run.path == path
    (a, _), (b, _) = (checkpoint.load(of.latest(), CPU) for of in (whole, run))
    assert same(a["learner"], b["learner"]) and torch.equal(a["rng"], b["rng"])


def test_a_run_of_other_images_is_not_taken_for_this_one(six: Recipe, tmp_path: Path) -> None:
    trained(bench_at(tmp_path), six, IMAGES)
    with pytest.raises(InputError, match=r"coopnets-mnist-1min-seed3 learned from other images .*name another --out"):
        trained(bench_at(tmp_path), six, tiny_images(21))


def test_a_model_of_another_recipe_is_not_taken_for_this_one(six: Recipe, tmp_path: Path) -> None:
    trained(bench_at(tmp_path), six, IMAGES)
    assert six.descriptor is not None
    for other in (
        replace(six, descriptor=replace(six.descriptor, slope=0.1)),
        replace(six, plan=replace(six.plan, revision_steps=3)),
        replace(six, precision="bfloat16"),
    ):
        with pytest.raises(InputError, match=r"seed3 was made by another recipe than coopnets/mnist is now; name"):
            trained(bench_at(tmp_path), other, IMAGES)


def first_digest(recipe: Recipe) -> str:
    """The digest of ``recipe`` with seed 3, as it was before there were fields that may ask for nothing."""
    whole = encode(replace(recipe, seed=3))
    for part, fields in {"data": ("centre", "extra"), "plan": ("pool", "loss")}.items():
        whole[part] = {name: value for name, value in whole[part].items() if name not in fields}
    matters = {name: value for name, value in whole.items() if name not in benches._NO_MATTER}
    return hashlib.sha256(json.dumps(matters, sort_keys=True).encode()).hexdigest()


def test_a_field_of_data_that_asks_for_nothing_leaves_the_digest_as_it_was(six: Recipe, tmp_path: Path) -> None:
    bench = bench_at(tmp_path)
    assert digest(bench, six) == first_digest(six)
    faces, numbers = (by_name(name) for name in ("igm/faces64", "igm/svhn32"))
    for recipe, changes in ((faces, {"centre": 108}), (faces, {"centre": 109}), (numbers, {"extra": True})):
        assert digest(bench, replace(recipe, data=replace(recipe.data, **changes))) != digest(bench, recipe)


@pytest.mark.parametrize(
    ("name", "changes"), [("descriptor/mnist", {"pool": 900}), ("coopnets/faces64-quick", {"loss": "logistic"})]
)
def test_a_field_of_a_plan_that_asks_for_nothing_leaves_the_digest_as_it_was(
    name: str, changes: dict[str, object], tmp_path: Path
) -> None:
    bench, recipe = bench_at(tmp_path), by_name(name)
    assert digest(bench, recipe) == first_digest(recipe)
    assert digest(bench, replace(recipe, plan=replace(recipe.plan, **changes))) != digest(bench, recipe)


def test_an_interruption_is_passed_on(six: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "train", lambda *_, **__: "interrupt")
    with pytest.raises(KeyboardInterrupt):
        trained(bench_at(tmp_path), six, IMAGES)


def texture() -> ImageSet:
    pixels = (torch.rand(1, 1, 16, 16, generator=stream(0)) * 255).byte()
    return from_array(pixels.numpy(), layout="NCHW")


@pytest.mark.parametrize(("name", "images"), [("igm/texture", texture()), ("coopnets/mnist", IMAGES)])
def test_learning_is_stopped_by_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, six: Recipe, name: str, images: ImageSet
) -> None:
    asked: list[Any] = []
    really = train.train

    def noted(*args: Any, **kwargs: Any) -> Any:
        asked.append(args[5])
        return really(*args, **kwargs)

    monkeypatch.setattr(train, "train", noted)
    recipe = tiny(name)
    bench = bench_at(tmp_path, minutes=1e-9)
    run = trained(bench, recipe, images)
    assert asked == [1e-9] and seconds_spent(run) > 0 and int(run.latest().name) == 1
    monkeypatch.setattr(train, "resume", None)
    assert trained(bench, recipe, images).path == run.path  # its time is over, though it did not end
    # killed with time to go, it goes on from its checkpoint for the rest of it
    again: list[Any] = []
    monkeypatch.setattr(train, "resume", lambda run, images, device, left, **_: again.append(left) or "done")
    moved = run.path.rename(tmp_path / "models" / f"{name.replace('/', '-')}-5min-seed3")
    killed(moved)
    journal = moved / "journal.jsonl"
    (at,) = [json.loads(line)["seconds"] for line in journal.read_text().splitlines() if '"checkpoint"' in line]
    with journal.open("a") as log:  # what it had learned since then is lost
        log.write('{"event": "iteration", "iteration": 2, "seconds": 200.0}\n')
    trained(bench_at(tmp_path, minutes=5), recipe, images)
    assert again == [pytest.approx(5 - at / 60)]
    with journal.open("a") as log:  # an attempt that failed took its time
        log.write('{"event": "divergence", "iteration": 2, "seconds": 240.0}\n')
    trained(bench_at(tmp_path, minutes=5), recipe, images)
    assert again[1:] == [pytest.approx(1)]


@pytest.mark.parametrize(("single", "networks"), [(False, 2), (True, 1)])
def test_a_cascade_has_the_parameters_of_all_its_rounds(tmp_path: Path, single: bool, networks: int) -> None:
    recipe = tiny("igm/texture", {"plan.rounds": 2, "plan.single": single, "plan.synthesis_steps": 60})
    run = trained(bench_at(tmp_path), recipe, tiny_texture())
    (one,) = run.facts()["parameters"].values()
    said = about(run)
    assert (said["rounds"], said["parameters"], said["ended"]) == (2, networks * one, "All rounds are done.")
    assert about(run, probed=True) == said | {"parameters": one}


def test_what_is_said_of_a_run_is_where_it_learned(six: Recipe, tmp_path: Path) -> None:
    run = trained(bench_at(tmp_path), six, IMAGES)
    with Journal(run.journal) as log:
        log.write("resume", iteration=6, seconds=1.0, threads=7, device="another one")
    said = about(run)
    assert said["device"] == f"{run.facts()['device']}, another one" and said["threads"].endswith(", 7")
    assert said["planned"] == 6 and "rounds" not in said


def test_a_judge_keeps_its_own_length(tmp_path: Path) -> None:
    bench = bench_at(tmp_path, minutes=1e-9)
    path, facts = tmp_path / "models" / "vae-mnist-seed3", {"recipe_sha256": digest(bench, tiny("vae/mnist"))}
    assert train.train(replace(tiny("vae/mnist"), seed=3), IMAGES, path, CPU, facts, minutes=0) == "time"
    killed(path)
    run = trained(bench, tiny("vae/mnist"), IMAGES, own_length=True)
    assert (run.path.name, run.recipe().plan.iterations) == ("vae-mnist-seed3", 6)
