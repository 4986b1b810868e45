"""A run of supervised learning: trained on the bundled digits, measured, resumed, and used as an extractor."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import signal
from pathlib import Path

import pytest
import torch

from tiny_recipes import numbers, same, saved_state, tiny, tiny_images
from tutelage import data
from tutelage.checks import InputError
from tutelage.data import DataSpec, Labels, Splits, class_labels
from tutelage.metrics.extractors import antialiased
from tutelage.run import evaluate, journal, train
from tutelage.run.build import build, parameter_counts
from tutelage.run.estimate import estimated_bytes, estimated_seconds
from tutelage.run.folder import RunFolder
from tutelage.run.recognition import accuracy_of_run, labels_of, recogniser_of_run

CPU = torch.device("cpu")
SPEC = DataSpec("digits", (8, 8), 1)
SPLITS, LABELS = data.load(SPEC), class_labels(SPEC)
CLASSES = torch.as_tensor(LABELS.train, dtype=torch.long)
RECIPE = tiny(
    "classifier/mnist", {"plan.iterations": 60, "plan.batch_size": 50, "plan.update.lr": 0.01, "checkpoint_every": 30}
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    out = tmp_path_factory.mktemp("trained") / "run"
    facts = {"command": "train it"}
    assert train.train(RECIPE, SPLITS.train, out, CPU, facts, labels=CLASSES) == "done"
    return RunFolder(out)


@pytest.fixture
def run(trained: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(trained.path, tmp_path / "run")))


def measured(run: RunFolder, splits: Splits = SPLITS, labels: Labels = LABELS, history: bool = False):
    return list(accuracy_of_run(run, splits, labels, 3, "measure it", CPU, history))


def test_it_learns_the_digits_and_says_how_well(run: RunFolder) -> None:
    ((entry, score),) = measured(run)
    assert score.value > 0.8 and score.n == len(LABELS.test)  # type: ignore[arg-type]
    assert entry["name"] == "Supervised accuracy" and entry["command"] == "train it && measure it"
    assert (entry["value"], entry["stderr"], entry["n"], entry["seed"], entry["iteration"]) == (*score, 3, 60)
    assert json.loads(run.results.read_text()) == [entry]
    assert any(event["event"] == "evaluation" for event in journal.read(run.journal))
    last = numbers(run.path)[-1]
    assert last["cross_entropy"] < 1 and last["batch_accuracy"] > 0.8 and last["recogniser_lr"] < 1e-4
    assert (run.path / "report.html").is_file()


def test_the_accuracy_is_counted_over_all_test_images(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    ((_, whole),) = measured(run)
    monkeypatch.setattr("tutelage.run.recognition.images_per_chunk", lambda shape, device: 7)
    ((_, parted),) = measured(run)
    assert parted == whole
    assert LABELS.test is not None
    ((_, shifted),) = measured(run, labels=LABELS._replace(test=(LABELS.test + 1) % 10))
    assert shifted.value < 0.1


def test_history_measures_every_checkpoint(run: RunFolder) -> None:
    found = measured(run, history=True)
    assert [entry["iteration"] for entry, _ in found] == [30, 60]
    assert [entry["iteration"] for entry in json.loads((run.path / "history.json").read_text())] == [30, 60]
    assert [entry["iteration"] for entry in json.loads(run.results.read_text())] == [60]


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_stop_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    recipe, whole, parted = tiny("classifier/mnist", {"precision": precision}), tmp_path / "whole", tmp_path / "parted"
    assert train.train(recipe, SPLITS.train, whole, CPU, {}, labels=CLASSES) == "done"
    write = journal.Journal.write

    def write_and_interrupt(self: journal.Journal, event: str, **fields) -> None:
        write(self, event, **fields)
        if event == "iteration" and fields["iteration"] == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "write", write_and_interrupt)
        assert train.train(recipe, SPLITS.train, parted, CPU, {}, labels=CLASSES) == "interrupt"
    assert saved_state(parted)["learner"]["iteration"] == 3
    with pytest.raises(InputError, match="supervised learning was given no labels"):
        train.resume(RunFolder(parted), SPLITS.train, CPU)
    assert train.resume(RunFolder(parted), SPLITS.train, CPU, labels=CLASSES) == "done"
    assert same(saved_state(parted), saved_state(whole))
    assert numbers(parted) == numbers(whole) and len(numbers(whole)) == 6


def test_it_is_an_extractor(run: RunFolder) -> None:
    found = recogniser_of_run(run.path, CPU)
    digest = hashlib.sha256((run.latest() / "state.safetensors").read_bytes()).hexdigest()
    assert (found.name, found.distance, found.sha256) == ("classifier-mnist", "FD-classifier-mnist", digest)
    assert (found.dimension, found.size, found.channels) == (64, 8, 1)
    assert SPLITS.test is not None and LABELS.test is not None
    images = SPLITS.test.batch(slice(None))
    features = found(images)
    assert features.shape == (len(images), 64)
    right = (found.logits(features).argmax(1).numpy() == LABELS.test).mean()
    assert right == measured(run)[0][1].value
    with pytest.raises(
        InputError, match="classifier-mnist knows images of 8 x 8 and was given 16 x 12; give images of"
    ):
        found(antialiased(images[:2], 16)[..., :12])


def test_runs_without_classes_are_refused(run: RunFolder, tmp_path: Path) -> None:
    out = tmp_path / "generator"
    train.train(tiny("generator/mnist", {"plan.iterations": 1}), tiny_images(), out, CPU, {})
    for use in (lambda: recogniser_of_run(out, CPU), lambda: measured(RunFolder(out))):
        with pytest.raises(InputError, match=r"generator learned no classes \(its algorithm is Algorithm G\); give a"):
            use()
    with pytest.raises(InputError, match="is no run folder"):
        recogniser_of_run(tmp_path, CPU)
    with pytest.raises(InputError, match="the data have no test images; an accuracy needs some"):
        measured(run, Splits(SPLITS.train))


def test_extra_images_have_no_labels_to_learn_from() -> None:
    changes = {"data.kind": "svhn", "data.size": [32, 32], "data.channels": 3, "recogniser.shape": [3, 32, 32]}
    recipe = tiny("classifier/mnist", {**changes, "data.extra": True})
    with pytest.raises(InputError, match=r"learns from labels, and SVHN's extra images .*; leave out data\.extra$"):
        labels_of(recipe)


def test_images_that_are_not_square_make_no_extractor(tmp_path: Path) -> None:
    changes = {"data.kind": "array", "data.size": [8, 6], "recogniser.shape": [1, 8, 6], "plan.iterations": 1}
    pixels = tiny_images().pixels[..., :6]
    observed = data.from_array(pixels, "narrow", layout="NCHW")
    out = tmp_path / "run"
    train.train(tiny("classifier/mnist", changes), observed, out, CPU, {}, labels=torch.arange(10))
    with pytest.raises(InputError, match="knows images of 8 x 6; an extractor needs a run of square ones"):
        recogniser_of_run(out, CPU)


def test_it_makes_no_images(run: RunFolder) -> None:
    with pytest.raises(InputError, match="names the classes of images and makes none"):
        list(evaluate.measure_run(run, SPLITS, evaluate.measures_of("parzen", SPLITS, 6, 0, CPU), 0, "", CPU))


def test_a_learner_is_built_with_fitting_labels(trained: RunFolder) -> None:
    assert parameter_counts(RECIPE) == {"recogniser": 9 * 16 + 9 * 16 * 32 + 2 * 48 + (32 * 4 + 1) * 64 + 65 * 10}
    with pytest.raises(InputError, match="labels from 0 to 9 were given, and the network tells 9 classes"):
        build(tiny("classifier/mnist", {"recogniser.classes": 9}), len(CLASSES), labels=CLASSES)
    with pytest.raises(InputError, match="recipe classifier/mnist has no recogniser; its algorithm needs one"):
        dataclasses.replace(RECIPE, recogniser=None)


def test_what_it_needs_is_estimated() -> None:
    def needed(batch_size: int) -> int:
        return estimated_bytes(tiny("classifier/mnist", {"plan.batch_size": batch_size}), 10)

    small, one_more, many = needed(1000), needed(1001), needed(1100)
    assert many - small == pytest.approx(100 * (one_more - small), rel=0.01) and one_more - small > 4 * 64 * 8
    assert estimated_seconds(RECIPE) > 0
