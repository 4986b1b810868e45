"""Few labels, and the features of a run: on the bundled digits."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from commands import Command, refused
from tiny_recipes import from_texts, tiny, tiny_texture
from tutelage import data
from tutelage.apps.features import raw_pixels
from tutelage.checks import InputError
from tutelage.data import DataSpec, Labels, class_labels
from tutelage.metrics.probe import Choice
from tutelage.recipes import by_name
from tutelage.run import probing, train
from tutelage.run.folder import RunFolder
from tutelage.run.load import load
from tutelage.run.probing import probe_of_run

CPU = torch.device("cpu")
SPEC = DataSpec("digits", (8, 8), 1)


def run_of(recipe, images, out: Path) -> RunFolder:
    assert train.train(recipe, images, out, CPU, {}) == "done"
    return RunFolder(out)


def probed(run: RunFolder, labelled: int = 200, repeats: int = 2):
    return list(probe_of_run(run, data.load(SPEC), class_labels(SPEC), labelled, repeats, 0, "tutelage probe", CPU))


def test_an_introspective_run_is_set_beside_an_untrained_network_and_raw_pixels(tmp_path: Path) -> None:
    changes = {
        "data.kind": "digits",
        "data.size": "[8, 8]",
        "classifier.shape": "[1, 8, 8]",
        "classifier.channels": "[6, 8, 10]",
        "classifier.init_std": "0.2",
        "plan.rounds": "1",
        "plan.negatives_per_round": "20",
        "plan.classified": "0.5",
        "precision": "float32",
    }
    run = run_of(from_texts(by_name("igm/mnist28-quick"), changes), data.load(SPEC).train, tmp_path / "run")
    facts = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps(facts | {"device": "cuda: a large one", "threads": 7}))
    scores = {entry["name"]: (entry, score) for entry, score in probed(run)}
    names = [f"{name}, error of 200 labels" for name in ("IGM features", "untrained features", "raw pixels")]
    assert list(scores) == names
    assert all(0 < score.error < 0.5 and score.n == 150 and score.repeats == 2 for _, score in scores.values())
    assert scores[names[2]][1].error < 0.2  # digits of 8x8 are easy
    assert scores[names[0]][1].error != scores[names[1]][1].error
    kept = json.loads(run.results.read_text())
    assert [entry["name"] for entry in kept] == names and kept[0]["labelled"] == 200
    assert (kept[0]["device"], kept[0]["threads"]) == ("cuda: a large one", 7)
    assert int(re.sub(r"\D", "", run.latest().stem)) == kept[0]["iteration"] > 0
    assert all(entry["device"] != "cuda: a large one" and "iteration" not in entry for entry in kept[1:])
    assert [entry["unconverged"] for entry in kept] == [score.unconverged for _, score in scores.values()]


def test_too_few_labels_are_refused_before_features_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "raw_pixels", lambda _: pytest.fail("features were made"))
    for labelled in (9, 1_501):
        with pytest.raises(InputError, match=f"1 sets of {labelled} labelled images were asked for among .* of 10 cl"):
            probing.probed(None, data.load(SPEC), class_labels(SPEC), labelled, 2, 0)


def test_the_discriminator_of_a_baseline_has_features_too(tmp_path: Path) -> None:
    changes = {"data.kind": "digits", "classifier.channels": [4, 6, 8], "plan.iterations": 2}
    scores = [
        score for _, score in probed(run_of(tiny("dcgan/mnist", changes), data.load(SPEC).train, tmp_path / "run"))
    ]
    assert len(scores) == 3 and scores[0].error != scores[1].error


@pytest.mark.parametrize("images", [1_500, 20])
def test_a_discriminators_batch_norm_is_that_of_observed_images(tmp_path: Path, images: int) -> None:
    changes = {"data.kind": "digits", "classifier.channels": [4, 6, 8], "plan.iterations": 2, "plan.batch_size": 64}
    observed = data.load(SPEC).train.subset(0, images, "some")
    run = run_of(tiny("dcgan/mnist", changes), observed, tmp_path / "run")
    learned, _, _ = probing.networks_of(run, observed, torch.device("cpu"))
    by_hand = load(run.path)[1].discriminator.train()
    norms = [layer for layer in by_hand.modules() if isinstance(layer, _BatchNorm)]
    for norm in norms:
        norm.momentum = None  # the mean over all batches
        norm.reset_running_stats()
    size = min(64, images)
    for start in range(0, images - size + 1, size):
        by_hand(observed.batch(slice(start, start + size)))
    assert norms and not learned.training
    for mine, theirs in zip(norms, (x for x in learned.modules() if isinstance(x, _BatchNorm)), strict=True):
        torch.testing.assert_close(theirs.running_mean, mine.running_mean)
        torch.testing.assert_close(theirs.running_var, mine.running_var)


def test_what_has_no_features_of_whole_images_is_refused(tmp_path: Path) -> None:
    patches = run_of(tiny("igm/texture", {"plan.rounds": 1}), tiny_texture(), tmp_path / "patches")
    with pytest.raises(InputError, match="know patches, not whole images"):
        probed(patches)
    generator = run_of(tiny("generator/mnist"), data.load(SPEC).train, tmp_path / "generator")
    with pytest.raises(InputError, match="has none; give another run"):
        probed(generator)


def test_labels_come_in_the_order_of_the_images() -> None:
    splits, labels = data.load(SPEC), class_labels(SPEC)
    assert splits.validation is not None and splits.test is not None
    assert labels.validation is not None and labels.test is not None
    pairs = ((splits.train, labels.train), (splits.validation, labels.validation), (splits.test, labels.test))
    for images, classes in pairs:
        assert len(images) == len(classes) and set(classes.tolist()) == set(range(10))
    # the nearest training image mostly has the class of a test image
    train_pixels, test_pixels = (s.batch(slice(None)).flatten(1) for s in (splits.train, splits.test))
    nearest = torch.cdist(test_pixels, train_pixels).argmin(1).numpy()
    assert (labels.train[nearest] == labels.test).mean() > 0.9
    with pytest.raises(InputError, match="data of kind 'folder' have no labels"):
        class_labels(DataSpec("folder", (8, 8), 1))


def test_without_validation_images_the_last_of_the_training_images_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, torch.Tensor] = {}

    def noted(x: torch.Tensor, y: torch.Tensor, held_x: torch.Tensor, held_y: torch.Tensor, *_: object) -> Choice:
        seen.update(x=x, y=y, held_x=held_x, held_y=held_y)
        return Choice(0.01, (), False)

    monkeypatch.setattr(probing, "choose_c", noted)
    splits, labels = data.load(SPEC), class_labels(SPEC)
    kept = len(splits.train) - len(splits.train) // 4
    few = Labels(labels.train, None, labels.test)
    score, choice = probing.probed(None, data.Splits(splits.train, None, splits.test), few, 60, 2, 0)
    assert choice == Choice(0.01, (), False) and score.c == 0.01
    pixels = raw_pixels(splits.train)
    assert torch.equal(seen["x"], pixels[:kept]) and torch.equal(seen["held_x"], pixels[kept:])
    assert seen["y"].tolist() == labels.train[:kept].tolist()
    assert seen["held_y"].tolist() == labels.train[kept:].tolist()


@pytest.mark.parametrize("validated", [False, True])
def test_images_without_labels_are_not_drawn_from(monkeypatch: pytest.MonkeyPatch, validated: bool) -> None:
    """SVHN's extra images come after those that have labels."""
    seen: list[torch.Tensor] = []
    choice = Choice(0.01, (), False)
    monkeypatch.setattr(probing, "choose_c", lambda *given: (seen.extend(given[:4]), choice)[1])
    splits, labels = data.load(SPEC), class_labels(SPEC)
    splits = splits if validated else data.Splits(splits.train, None, splits.test)
    few = Labels(labels.train[:1_000], labels.validation if validated else None, labels.test)
    alone = replace(splits, train=splits.train.subset(0, 1_000, "alone"))
    scores = [probing.probed(None, some, few, 60, 2, 0) for some in (splits, alone)]
    assert scores[0] == scores[1]
    kept = 1_000 if validated else 750
    assert torch.equal(seen[0], raw_pixels(splits.train)[:kept]) and seen[1].tolist() == labels.train[:kept].tolist()
    assert validated or torch.equal(seen[2], raw_pixels(splits.train)[750:1_000])
    assert validated or seen[3].tolist() == labels.train[750:1_000].tolist()
    assert all(torch.equal(a, b) for a, b in zip(seen[:4], seen[4:], strict=True))


def test_the_command_hands_on_its_terms(tutelage: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"data.kind": "digits", "classifier.channels": [4, 6, 8], "plan.iterations": 1}
    run = run_of(tiny("dcgan/mnist", changes), data.load(SPEC).train, tmp_path / "run")
    terms = ["--labelled", "60", "--repeats", "2", "--seed", "3"]
    edges, choose = [True, False, True], probing.choose_c
    left = iter(edges)
    monkeypatch.setattr(probing, "choose_c", lambda *terms: choose(*terms)._replace(at_edge=next(left)))
    said = tutelage("probe", run.path, *terms)
    assert said.code == 0
    entries = json.loads(run.results.read_text())
    told = said.out.splitlines()
    assert len(entries) == len(told) == 3
    assert [entry["at_edge"] for entry in entries] == ["at the edge of its grid" in line for line in told] == edges
    assert {(entry["labelled"], entry["repeats"], entry["seed"]) for entry in entries} == {(60, 2, 3)}
    refused(tutelage("probe", run.path, "--repeats", 1), "--repeats is 1; the spread of the error rate needs 2 or more")
