"""What the documents show is run: the README's code, and every example."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tutelage.recipes
from tutelage import data

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_trains_in_fifteen_lines_and_drives_an_iteration_by_hand(tmp_path, monkeypatch, capsys):
    whole, by_hand = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len([line for line in whole.splitlines() if line.strip()]) <= 15

    recipe = tutelage.recipes.COOPNETS_MNIST
    small = replace(recipe, plan=replace(recipe.plan, iterations=2, chains=8, revision_steps=2, calibration_draws=8))
    monkeypatch.setattr(tutelage.recipes, "COOPNETS_MNIST", small)
    monkeypatch.chdir(tmp_path)
    np.save("digits.npy", data.digits().train.pixels[:200, 0])

    names: dict = {}
    exec(whole, names)
    assert "2 moved by 0." in capsys.readouterr().out
    assert names["samples"].shape == (64, 1, 28, 28)
    exec(by_hand.replace("generator, 100, (100,)", "generator, 8, (100,)"), names)
    assert names["revised"].shape == (8, 1, 28, 28)
    assert names["loss"].isfinite() and names["value"].isfinite()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run_and_are_short(path, capsys):
    assert len(path.read_text().splitlines()) <= 100
    answer = load(path).main()
    assert capsys.readouterr().out
    if path.stem == "own_potential":
        assert answer < 0.1  # the pixel means are learned


def test_every_recipe_named_in_the_readme_exists():
    named = set(re.findall(r"\b(?:coopnets|descriptor|generator|igm)/[a-z0-9-]+", (ROOT / "README.md").read_text()))
    assert named and all(tutelage.recipes.by_name(name) for name in named)


def test_the_benchmark_compares_the_same_network(capsys):
    import torch

    from tutelage.nets import Conv, DescriptorSpec

    bench = load(ROOT / "bench" / "sampling.py")
    spec = DescriptorSpec((1, 12, 12), (Conv(4, 4, 2), Conv(6, 3, 2)), 3, 0.2, 0.1)
    line = bench.measure("toy", spec, 5, "float32", torch.device("cpu"), repeats=1)
    assert line["ratio"] > 0 and {"case", "precision", "threads", "textbook_seconds"} <= set(line)


def test_the_benchmark_of_video_compares_the_same_network():
    from dataclasses import replace

    import torch

    from tiny_recipes import tiny
    from tutelage.nets import VideoConv, VideoDescriptorSpec

    bench = load(ROOT / "bench" / "video.py")
    spec = VideoDescriptorSpec((3, 9, 8, 8), (VideoConv(4, 5, 2, 5, 2), VideoConv(3, 5, 2, None)), 0.0, 0.1)
    assert bench.full_layer(spec).shape == (4, 5, 4, 4)
    averaged = replace(spec, average_pixels=True, around_mean_frame=True)
    for measured in (spec, averaged, bench.full_layer(spec)):
        assert bench.measure("toy", measured, "float32", torch.device("cpu"), repeats=1)["ratio"] > 0
    assert bench.iteration(tiny("video/quick"), torch.device("cpu"))["iteration_seconds"] >= 0
