"""A measure is taken of the right models, and its numbers land where they belong."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tiny_recipes import tiny, tiny_images
from tutelage.checks import DivergenceError, InputError, UnfinishedError
from tutelage.data import Splits
from tutelage.learn.coopnets import CoopNets
from tutelage.metrics.average import average
from tutelage.metrics.extractors import Extractor
from tutelage.metrics.sliced import SlicedDistance, patch_sliced_wasserstein
from tutelage.rng import stream
from tutelage.run import checkpoint, evaluate, journal, measures, restore, train
from tutelage.run.build import build
from tutelage.run.folder import RunFolder
from tutelage.run.load import load
from tutelage.run.measures import Measure, texture_measure
from tutelage.run.synthesising import synthesise

CPU = torch.device("cpu")
IMAGES = tiny_images(30)
SPLITS = Splits(IMAGES.subset(0, 10, "train"), IMAGES.subset(10, 20, "validation"), IMAGES.subset(20, 30, "test"))
EXTRACTOR = Extractor("corner", "ab", 4, 8, lambda images: images[:, 0, :2, :2].flatten(1), head=lambda x: x)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four iterations with two checkpoints."""
    out = tmp_path_factory.mktemp("trained") / "run"
    train.train(tiny("coopnets/mnist", {"plan.iterations": 4}), SPLITS.train, out, CPU, {"command": "train it"})
    return out


@pytest.fixture
def run(trained: Path) -> Iterator[RunFolder]:
    """The run, without what is left behind by measuring it."""
    before = (trained / "journal.jsonl").read_bytes()
    yield RunFolder(trained)
    (trained / "journal.jsonl").write_bytes(before)
    for name in ("results.json", "history.json"):
        (trained / name).unlink(missing_ok=True)


def brightness(taken: list[Tensor]) -> Measure[float]:
    """The mean of the samples, which are noted in ``taken``."""

    def score(images: Tensor) -> float:
        taken.append(images)
        return images.mean().item()

    def fields(score: float) -> dict[str, Any]:
        return {"value": score, "stderr": None, "n": 7, "unit": "grey"}

    return Measure("brightness", 7, score, {"white": lambda: 1.0, "black": lambda: -1.0}, fields)


def read(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())


def test_each_model_is_measured_and_what_stands_beside_it(run: RunFolder) -> None:
    taken: list[Tensor] = []
    found = list(evaluate.measure_run(run, SPLITS, [brightness(taken)], 5, "measure it", CPU))
    models = ["CoopNets generator brightness", "CoopNets descriptor brightness"]
    assert [entry["name"] for entry, _ in found] == [*models, "white brightness", "black brightness"]
    assert [score for _, score in found] == [taken[0].mean().item(), taken[1].mean().item(), 1.0, -1.0]
    assert read(run.results) == [entry for entry, _ in found]
    for entry, score in found:
        assert (entry["value"], entry["stderr"], entry["n"], entry["unit"]) == (score, None, 7, "grey")
        assert (entry["seed"], entry["data_sha256"]) == (5, IMAGES.sha256)
    facts, (model, _), (beside, _) = run.facts(), found[0], found[2]
    seconds = checkpoint.load(run.latest())[1]["seconds"]
    assert (model["command"], model["wall_seconds"]) == ("train it && measure it", seconds)
    assert (model["iteration"], model["epochs"], model["device"]) == (4, 1.6, facts["device"])
    assert beside["command"] == "measure it" and "iteration" not in beside
    assert not (run.path / "history.json").exists()


def test_samples_are_the_learners_drawn_from_the_seed(run: RunFolder) -> None:
    taken: list[Tensor] = []
    for seed in (5, 5, 6):
        list(evaluate.measure_run(run, SPLITS, [brightness(taken)], seed, "", CPU))
    recipe = run.recipe()
    learner = build(recipe, len(SPLITS.train), CPU)
    state, _ = restore.trained(run.latest(), recipe, learner, CPU)
    drawn = learner.sample(state, 7, stream(5, "brightness"))
    assert torch.equal(taken[0], drawn["generator"]) and torch.equal(taken[1], drawn["descriptor"])
    assert torch.equal(taken[2], taken[0]) and not torch.equal(taken[4], taken[0])


def test_entries_are_written_and_noted_one_by_one(run: RunFolder) -> None:
    entries = evaluate.measure_run(run, SPLITS, [brightness([])], 5, "measure it", CPU)
    first, _ = next(entries)
    assert read(run.results) == [first]
    noted = [event for event in journal.read(run.journal) if event["event"] == "evaluation"]
    keys = ("iteration", "name", "value", "stderr")
    assert [{key: event[key] for key in keys} for event in noted] == [{key: first[key] for key in keys}]
    list(entries)
    noted = [event["name"] for event in journal.read(run.journal) if event["event"] == "evaluation"]
    assert noted == ["CoopNets generator brightness", "CoopNets descriptor brightness"]


def test_history_measures_every_checkpoint(run: RunFolder) -> None:
    found = list(evaluate.measure_run(run, SPLITS, [brightness([])], 5, "", CPU, history=True))
    models = ["CoopNets generator brightness", "CoopNets descriptor brightness"]
    over_time = [(name, iteration) for iteration in (2, 4) for name in models]
    assert [(entry["name"], entry["iteration"]) for entry, _ in found[:4]] == over_time
    assert [(entry["name"], entry["iteration"]) for entry in read(run.path / "history.json")] == over_time
    assert read(run.results) == [entry for entry, _ in found[2:]]


def test_history_passes_over_checkpoints_that_make_nothing_yet(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = CoopNets.sample

    def from_4(self: CoopNets, state: Any, n: int, rng: torch.Generator) -> Any:
        if state.iteration < least:
            raise UnfinishedError("nothing yet")
        return sample(self, state, n, rng)

    monkeypatch.setattr(CoopNets, "sample", from_4)
    least = 4
    found = list(evaluate.measure_run(run, SPLITS, [brightness([])], 5, "", CPU, history=True))
    assert {entry["iteration"] for entry, _ in found if "iteration" in entry} == {4}
    least = 5
    with pytest.raises(UnfinishedError):
        list(evaluate.measure_run(run, SPLITS, [brightness([])], 5, "", CPU, history=True))


def test_samples_that_are_not_finite_are_a_divergence(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = CoopNets.sample

    def ran_away(self: CoopNets, state: Any, n: int, rng: torch.Generator) -> Any:
        drawn = sample(self, state, n, rng)
        return drawn | {
            "descriptor": torch.where(torch.arange(n)[:, None, None, None] < 2, torch.nan, drawn["descriptor"])
        }

    monkeypatch.setattr(CoopNets, "sample", ran_away)
    entries = evaluate.measure_run(run, SPLITS, [brightness([])], 5, "", CPU)
    assert next(entries)[0]["name"] == "CoopNets generator brightness", "what is finite is measured"
    with pytest.raises(
        DivergenceError, match="2 of 7 samples of the descriptor at iteration 4 are not finite; measure an"
    ):
        next(entries)


def test_a_run_without_checkpoint_is_refused(run: RunFolder, tmp_path: Path) -> None:
    for name in ("recipe.json", "run.json"):
        (tmp_path / name).write_bytes((run.path / name).read_bytes())
    with pytest.raises(InputError, match="has no checkpoint yet"):
        list(evaluate.measure_run(RunFolder(tmp_path), SPLITS, [brightness([])], 5, "", CPU))


def names(entries: Any) -> list[str]:
    return [entry["name"] for entry, _ in entries]


def measured(run: RunFolder, metric: Any, **more: Any) -> list[str]:
    measures = evaluate.measures_of(metric, SPLITS, 6, 0, CPU, **more)
    return names(evaluate.measure_run(run, SPLITS, measures, 0, "", CPU))


def test_a_run_is_measured_beside_real_images(run: RunFolder) -> None:
    parzen = measured(run, "parzen")
    assert parzen == ["CoopNets generator parzen", "CoopNets descriptor parzen", "real images parzen"]
    frechet = measured(run, "fd", extractor=EXTRACTOR)
    assert frechet == [
        *("CoopNets generator FD-corner", "CoopNets descriptor FD-corner"),
        *("real against real FD-corner", "noise FD-corner"),
    ]
    assert [entry["name"] for entry in read(run.results)] == parzen + frechet


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("kd", ["KD"]),
        ("precision", ["precision", "recall", "density", "coverage"]),
        ("inception", ["IS"]),
        ("class", ["class-probability", "top-5-error"]),  # of which class is in their names
    ],
)
def test_other_metrics_of_features(run: RunFolder, metric: Any, expected: list[str]) -> None:
    extractor = replace(EXTRACTOR, head=lambda x: torch.cat([x, -x], 1))  # of 8 classes
    found = measured(run, metric, extractor=extractor, class_index=1)
    of = "-corner of 1" if metric == "class" else "-corner"
    models = [f"CoopNets {model} {name}{of}" for model in ("generator", "descriptor") for name in expected]
    real = "real images" if metric in ("inception", "class") else "real against real"
    assert found == models + [f"{beside} {name}{of}" for name in expected for beside in (real, "noise")]


def test_how_alike_samples_are(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="hold no window of 11 x 11, which structural similarity needs"):
        measured(run, "ssim")
    monkeypatch.setattr(measures, "pairwise_ssim", lambda images, rng: average(images.double().flatten(1).mean(1)))
    of = ("CoopNets generator", "CoopNets descriptor", "real images", "noise")
    assert measured(run, "ssim") == [f"{row} pairwise-SSIM" for row in of]


def test_metrics_refuse_data_before_anything_is_drawn(run: RunFolder) -> None:
    alone = Splits(SPLITS.train)
    with pytest.raises(InputError, match="the data have no validation images"):
        evaluate.measures_of("parzen", alone, 6, 0, CPU)
    with pytest.raises(InputError, match="no test and no validation images"):
        evaluate.measures_of("fd", alone, 6, 0, CPU, EXTRACTOR)
    with pytest.raises(InputError, match="--metric class needs --class-index, the extractor's index"):
        evaluate.measures_of("class", SPLITS, 6, 0, CPU, EXTRACTOR)
    with pytest.raises(InputError, match="class 4 was asked for, and the extractor corner has those from 0 to 3"):
        evaluate.measures_of("class", SPLITS, 6, 0, CPU, EXTRACTOR, 4)
    one = Splits(SPLITS.train.subset(0, 1, "one"))
    with pytest.raises(InputError, match="of a model of 1 training images were to be compared in pairs"):
        evaluate.measures_of("ssim", one, 6, 0, CPU)


def test_textures_too_small_for_a_patch_are_refused(run: RunFolder) -> None:
    with pytest.raises(InputError, match="8 x 8 are 2 pixels wide or high at scale 1/4"):
        list(evaluate.measure_run(run, SPLITS, evaluate.measures_of("texture", SPLITS, 3, 0, CPU), 0, "", CPU))


def test_a_texture_is_measured(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    sliced = measures.patch_sliced_wasserstein
    monkeypatch.setattr(measures, "patch_sliced_wasserstein", lambda a, b, rng: sliced(a, b, rng, patch=2, patches=50))
    found = names(evaluate.measure_run(run, SPLITS, evaluate.measures_of("texture", SPLITS, 3, 0, CPU), 0, "", CPU))
    assert found == [
        *("CoopNets generator patch-SWD", "CoopNets descriptor patch-SWD"),
        *("real against real patch-SWD", "shuffled pixels patch-SWD", "noise patch-SWD"),
    ]


def texture_run(out: Path) -> tuple[RunFolder, Splits]:
    """A model whose latents are a map: of textures of any size."""
    maps = {"generator.base": None, "generator.latent_size": [2, 2], "descriptor.outputs": None}
    assert train.train(tiny("coopnets/mnist", maps), tiny_images(200), out, CPU, {}) == "done"
    return RunFolder(out), Splits(tiny_images(200))


def test_larger_textures_are_measured_against_images_of_the_trained_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, (run, splits) = [], texture_run(tmp_path / "run")

    def sliced(a: torch.Tensor, b: torch.Tensor, rng: torch.Generator) -> SlicedDistance:
        seen.append((tuple(a.shape), tuple(b.shape)))
        return patch_sliced_wasserstein(a, b, rng, patch=2, patches=50)

    monkeypatch.setattr(measures, "patch_sliced_wasserstein", sliced)
    scores = list(evaluate.larger_textures_of_run(run, splits, 2, 0, "", CPU, False, (12, 21)))
    assert [entry["name"] for entry, _ in scores] == [
        f"CoopNets {model} patch-SWD at 12 x 21" for model in ("generator", "descriptor")
    ]
    assert (
        seen == [((2, 1, 12, 21), (64, 1, 8, 8))] * 2
        and [(entry["n"], entry["reference_n"]) for entry, _ in scores] == [(2, 64)] * 2
    )
    learner, state = load(run.path)
    images = synthesise(run.path, learner, state, (12, 21), 2, None, stream(0, "patch-SWD at 12 x 21"))
    reference = texture_measure(splits, 64, 0, CPU)
    assert [score for _, score in scores] == [reference.score(made) for made in (images.drafts, images.images)]
    assert scores[0][1] != scores[1][1], "the descriptor moved it"
