"""The command line of larger textures by a generator and a descriptor: what it makes, says and refuses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from commands import refused
from tiny_recipes import tiny, tiny_images, tiny_texture
from tutelage.apps import any_size
from tutelage.learn.igm import ends
from tutelage.rng import stream
from tutelage.run import evaluate, train
from tutelage.run.load import load
from tutelage.run.synthesising import by_model

CPU = torch.device("cpu")
MAPS = {"generator.base": None, "generator.latent_size": [2, 2]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose networks know any size, and runs that lack something for it."""
    folder = tmp_path_factory.mktemp("large")
    recipes = {
        "texture": tiny("coopnets/mnist", {**MAPS, "descriptor.outputs": None}),
        "connected": tiny("coopnets/mnist", MAPS),
        "vectors": tiny("coopnets/mnist"),
        "generator": tiny("generator/mnist", MAPS),
        "descriptor": tiny("descriptor/mnist"),
    }
    for name, recipe in recipes.items():
        assert train.train(recipe, tiny_images(), folder / name, CPU, {}) == "done"
    assert train.train(tiny("igm/texture", {"plan.rounds": 1}), tiny_texture(), folder / "igm", CPU, {}) == "done"
    return folder


def test_a_draft_and_its_revision_of_any_size(tutelage, root: Path, tmp_path: Path) -> None:
    command = ["synthesise", root / "texture", "--size", "21x30", "-n", 2]
    said = tutelage(*command, "--out", tmp_path / "a.npy")
    expected = r"2 x 21 high, 30 wide, drafted in \d+\.\d\d s, 2 steps of revision in \d+\.\d s: "
    assert said.code == 0 and re.match(expected, said.out) and "revision: 100%" in said.err, said
    revised = np.load(tmp_path / "a.npy")
    assert revised.shape == (2, 21, 30, 1)
    tutelage(*command, "--out", tmp_path / "b.npy")
    assert np.array_equal(np.load(tmp_path / "b.npy"), revised)
    tutelage(*command, "--seed", 1, "--out", tmp_path / "c.npy")
    assert not np.array_equal(np.load(tmp_path / "c.npy"), revised)
    said = tutelage(*command, "--revision-steps", 0, "--out", tmp_path / "d.npy")
    assert said.code == 0 and "steps of revision" not in said.out and not said.err
    assert not np.array_equal(np.load(tmp_path / "d.npy"), revised)
    assert "5 steps of revision" in tutelage(*command, "--revision-steps", 5, "--out", tmp_path / "e.npy").out


def test_what_has_no_potential_of_the_size_makes_drafts(tutelage, root: Path, tmp_path: Path) -> None:
    for name, options in {"generator": [], "connected": ["--revision-steps", 0]}.items():
        said = tutelage("synthesise", root / name, "--size", "9x17", *options, "--out", tmp_path / f"{name}.npy")
        assert said.code == 0 and said.out.startswith("1 x 9 high, 17 wide, drafted in "), said
        assert np.load(tmp_path / f"{name}.npy").shape == (1, 9, 17, 1)


@pytest.mark.parametrize(
    ("run", "options", "words"),
    [
        ("texture", ["--size", "7x30"], "a size of 7x30 is smaller than the images of 8x8"),
        ("texture", ["--size", "30x0"], "--size is '30x0'"),
        ("texture", [], "makes pictures; give --size, and no --frames"),
        ("texture", ["--size", "9x9", "--frames", "3"], "makes pictures; give --size, and no --frames"),
        ("texture", ["--size", "9x9", "--revision-steps", "-1"], "--revision-steps is -1; it needs to be 0 or more"),
        ("vectors", ["--size", "16x16"], "starts from latent vectors and makes images of 8x8 only"),
        ("connected", ["--size", "16x16"], r"ends in a fully connected layer.*descriptor\.outputs=none"),
        (
            "generator",
            ["--size", "16x16", "--revision-steps", "3"],
            "has no descriptor to revise by; give --revision-steps 0",
        ),
        ("descriptor", ["--size", "16x16"], "has neither classifiers nor a plain generator"),
        (
            "igm",
            ["--size", "16x16", "--revision-steps", "3"],
            "makes its images in its own rounds; leave out --revision-steps",
        ),
    ],
)
def test_refusals(tutelage, root: Path, tmp_path: Path, run: str, options: list[str], words: str) -> None:
    refused(tutelage("synthesise", root / run, *options, "--out", tmp_path / "x.npy"), words)
    assert not (tmp_path / "x.npy").exists()


def test_larger_textures_are_measured(tutelage, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def noted(*arguments: object) -> list[object]:
        given.append(arguments)
        return []

    measures_of = evaluate.measures_of
    monkeypatch.setattr(evaluate, "larger_textures_of_run", noted)
    monkeypatch.setattr(evaluate, "measures_of", lambda *some: noted(some[2], None) or measures_of(*some))
    monkeypatch.setattr(evaluate, "measure_run", lambda *_: [])
    for run, options, count, size in (
        ("texture", ["--size", "21x30"], 1, (21, 30)),
        ("texture", ["--size", "21x30", "--samples", 3], 3, (21, 30)),
        ("texture", [], 64, None),
        ("igm", [], 8, None),
    ):
        data = root / f"{run}.npy"
        np.save(data, np.zeros((8, 8, 8) if run == "texture" else (1, 16, 16), np.uint8))
        said = tutelage("evaluate", root / run, "--metric", "texture", "--data", data, *options)
        assert said.code == 0, said.err
        assert (given[-1][2 if size else 0], given[-1][-1]) == (count, size)
    refused(tutelage("evaluate", root / "texture", "--metric", "parzen", "--size", "9x9"), "parzen takes no --size")
    refused(tutelage("evaluate", root / "texture", "--metric", "texture", "--size", "9"), "--size is '9'")


def test_a_cascade_makes_larger_textures_to_be_measured(root: Path) -> None:
    learner, state = load(root / "igm")
    made = by_model(root / "igm", (18, 25), learner, state, 4, stream(0))
    expected = ends(any_size.synthesise(learner, state, (18, 25), 4, stream(0)))
    assert list(made) == ["cascade"] and len(expected) == 4 and torch.equal(made["cascade"], expected)
    learner, state = load(root / "generator")
    assert list(by_model(root / "generator", (9, 17), learner, state, 1, stream(0))) == ["generator"]
