"""What the documents show is run: the README's code, and every example."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import tutelage.recipes.custom
from commands import call
from tiny_recipes import tiny, tiny_images
from tutelage import data
from tutelage.run.train import train

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def load(path: Path):
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec and spec.loader
    module = sys.modules[f"example_{path.stem}"] = importlib.util.module_from_spec(spec)  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_the_readme_trains_in_fifteen_lines_and_drives_an_iteration_by_hand(tmp_path, monkeypatch, capsys):
    whole, by_hand, opened = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
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
    train(tiny("coopnets/mnist"), tiny_images(), tmp_path / "runs" / "mnist", torch.device("cpu"), {})
    exec(opened, names)
    assert names["pictures"].shape[:2] == (16, 1)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run_and_are_short(path, capsys):
    assert len(path.read_text().splitlines()) <= 100
    answer, said = load(path).main(), capsys.readouterr().out
    assert said and "nan" not in said
    if path.stem == "teaching":
        ends = {name: [curve[-1] for curve in curves] for name, curves in answer.items()}
        assert ends["any generator, 1 step"] == pytest.approx([0, 0, 0], abs=1e-3)
        (data, q, revised), steps_1 = ends["a coarse one, 100 steps"], ends["a coarse one, 1 step"]
        assert data < 0.01 and revised < 0.01 < 0.1 < q and steps_1[0] > 10 * answer["a coarse one, 1 step"][0][0]
        for _, of_q, of_revised in answer.values():  # eq. (20)
            assert all(after <= before + 1e-12 for before, after in zip(of_q, of_revised, strict=True))
    if path.stem == "own_potential":
        assert answer < 0.1  # the pixel means are learned
    if path.stem == "own_parts":
        assert answer < 0.02  # four standard errors of 2 000 chains of 16 pixels


def test_every_recipe_named_in_the_pages_exists():
    known = {recipe.name for recipe in tutelage.recipes.RECIPES}
    families = "|".join({name.partition("/")[0] for name in known})
    named = {name for page in PAGES for name in re.findall(rf"(?<![\w/.-])(?:{families})/[a-z0-9-]+", page.read_text())}
    assert len(named) > 10 and named <= known


def commands(page: Path) -> list[list[str]]:
    """The words after ``tutelage`` of every command that a page shows, in a block or in a sentence."""
    text = re.sub(r"\\\n\s*", " ", page.read_text())
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    shown = re.findall(r"^tutelage ([^\n#&|]+)", blocks, re.MULTILINE)
    return [line.split() for line in shown + re.findall(r"(?:^    |`|&& )tutelage ([^\n`#&|]+)", text, re.MULTILINE)]


def test_every_recipe_shown_in_the_pages_can_be_read(tmp_path):
    shown = [text for page in PAGES for text in re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)]
    assert len(shown) == 5
    for text in shown:
        (tmp_path / "shown.toml").write_text(text)
        recipe, table = tutelage.recipes.custom.from_toml(tmp_path / "shown.toml"), tomllib.loads(text)
        assert recipe.name == table["name"] and recipe != tutelage.recipes.by_name(table["base"])


def test_every_command_shown_in_the_pages_takes_its_options(capsys):
    taken: dict[str, set[str]] = {}
    for page in PAGES:
        for command, *words in commands(page):
            if command not in taken:
                said = call([command, "--help"], capsys).out
                assert said.startswith(f"usage: tutelage {command} "), (page.name, command)
                declared = [line.partition("  ")[0] for line in re.findall(r"^  (-.*)", said, re.MULTILINE)]
                taken[command] = set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", " ".join(declared)))
            unknown = {word for word in words if word.startswith("-")} - taken[command]
            assert not unknown, (page.name, command)
    assert {"train", "resume", "sample", "evaluate", "synthesise", "complete", "reproduce"} <= taken.keys()


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
