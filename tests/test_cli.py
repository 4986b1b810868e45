"""The command line: what it prints and makes, what it refuses, and how it is interrupted."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from commands import RESULT, Command, Said, child_environment, exit_code, refused, settings
from idx_files import write_mnist
from tiny_recipes import contents, numbers, same, saved_state, tiny
from tiny_weights import write_network
from tutelage import __version__, data
from tutelage.cli import drawing, explaining, learning, reproducing
from tutelage.learn.algorithm_d import AlgorithmD
from tutelage.recipes import COOPNETS_MNIST, RECIPES
from tutelage.run import folder, pictures

pytestmark = pytest.mark.usefixtures("surroundings")


class World(NamedTuple):
    """Data, and runs trained on them through the command line."""

    root: Path
    mnist: Path
    array: Path
    coopnets: Path
    descriptor: Path
    generator: Path
    on_array: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    # the classical split takes 10 000 of the train file for validation
    write_mnist(root / "mnist", train=10_020, test=20, side=8, packed=False)
    pixels = np.random.default_rng(0).integers(0, 256, (10, 8, 8), dtype=np.uint8)
    np.save(root / "images.npy", pixels)
    names = ("coopnets", "descriptor", "generator")
    for name in names:
        arguments = ["train", f"{name}/mnist", "--data", root / "mnist", "--out", root / name]
        assert exit_code(*arguments, *settings(f"{name}/mnist", data__kind="mnist")) == 0
    arguments = ["train", "generator/mnist", "--data", root / "images.npy", "--out", root / "on_array"]
    assert exit_code(*arguments, *settings("generator/mnist")) == 0
    return World(root, root / "mnist", root / "images.npy", *(root / name for name in (*names, "on_array")))


@pytest.mark.parametrize("values", [2**50, 2**62])
def test_memory_that_does_not_suffice_is_one_sentence(
    tutelage: Command, world: World, monkeypatch: pytest.MonkeyPatch, values: int
) -> None:
    monkeypatch.setattr(pictures, "grid", lambda *_, **__: torch.empty(values))
    said = tutelage("sample", world.coopnets, "-n", 4, "--out", world.root / "large.png")
    assert (said.code, said.err.count("\n")) == (2, 1)
    bytes_of = " (4503599627370496 bytes at once)" if values == 2**50 else ""
    assert f"the memory does not hold what was asked for{bytes_of}; ask for less: smaller or fewer images" in said.err
    assert not (world.root / "large.png").exists()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
    ],
)
def test_a_full_gpu_is_memory_that_does_not_suffice(
    tutelage: Command, world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(pictures, "grid", full)
    said = tutelage("sample", world.coopnets, "-n", 4, "--out", world.root / "large.png")
    refused(said, "the memory does not hold what was asked for; ask for less: smaller or fewer images")


def test_other_errors_of_torch_are_not_taken_for_it(
    tutelage: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "grid", lambda *_, **__: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        tutelage("sample", world.coopnets, "-n", 4, "--out", world.root / "large.png")


# --- what it prints and makes


def test_list_names_every_recipe(tutelage: Command) -> None:
    said = tutelage("list")
    assert said.code == 0 and said.err == ""
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines] == [recipe.name for recipe in RECIPES]
    assert all("mnist 28x28" in line for line in lines if "/mnist" in line)
    assert "CoopNets" in lines[0] and "12000 iterations" in lines[0]


def field_lines(text: str) -> dict[str, str]:
    """``{field: rest of its line}`` of a description."""
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in text.splitlines() if re.match(r"  [a-z]", line)}


def test_show_prints_every_field_with_its_source(tutelage: Command) -> None:
    said = tutelage("show", "coopnets/mnist", "--set", "plan.chains=50", "plan.reference_std=none")
    shown = field_lines(said.out)
    assert said.code == 0 and said.out.startswith("coopnets/mnist\n")
    plan = {f"plan.{name}" for name in COOPNETS_MNIST.plan.__dataclass_fields__}
    assert plan - {"plan.descriptor_update", "plan.generator_update"} <= shown.keys()
    assert {
        "plan.descriptor_update.lr",
        "data.kind",
        "descriptor.convs",
        "generator.latent_dim",
        "seed",
    } <= shown.keys()
    assert shown["plan.chains"].split() == ["50", "given", "on", "the", "command", "line"]
    assert shown["plan.reference_std"].split()[:2] == ["none", "given"]
    assert shown["descriptor.convs"].startswith("64/4/2, 128/4/2, 256/4/2")
    assert shown["plan.descriptor_update"].startswith("updates.Adam ")
    whole = tutelage("show", "coopnets/mnist").out
    for text in (*COOPNETS_MNIST.sources.values(), *COOPNETS_MNIST.deviations):
        assert text in whole


def test_a_dry_run_says_how_long_all_iterations_take(
    tutelage: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tutelage.run.estimate.estimated_seconds", lambda *_: 2.0)
    said = tutelage("train", "generator/mnist", "--out", tmp_path / "run", "--dry-run", *settings("generator/mnist"))
    assert "estimated time: 2 s an iteration, 12 s in all" in said.out


def test_a_dry_run_tells_and_makes_nothing(tutelage: Command, tmp_path: Path) -> None:
    small, large = (
        tutelage("train", "coopnets/mnist", "--out", tmp_path / "run", "--dry-run", *settings("coopnets/mnist", **more))
        for more in ({}, {"plan__chains": "40000"})
    )
    assert small.code == 0 and list(tmp_path.iterdir()) == []
    assert "descriptor: 235 parameters" in small.out and "generator: 296 parameters" in small.out
    assert {f"plan.{name}" for name in ("chains", "step_size", "noise_until", "ema_decay")} <= field_lines(
        small.out
    ).keys()
    memory = [
        int(re.findall(r"estimated memory: ([\d,]+) MB", said.out)[0].replace(",", "")) for said in (small, large)
    ]
    assert memory[0] < 5 < memory[1]
    seconds = [
        float(re.findall(r"estimated time: (\S+) s an iteration, .* in all", said.out)[0]) for said in (small, large)
    ]
    assert min(seconds) > 0  # how they compare is a matter of what else the machine does


def test_a_training_leaves_its_command_its_numbers_and_a_report(world: World) -> None:
    command = json.loads((world.coopnets / "run.json").read_text())["command"]
    assert command.startswith("tutelage train coopnets/mnist --data ")
    assert len(numbers(world.coopnets)) == 6
    assert (world.coopnets / "report.html").is_file()


@pytest.mark.parametrize("model", ["best", "generator", "descriptor"])
def test_sampling_into_an_array(tutelage: Command, world: World, tmp_path: Path, model: str) -> None:
    first, again, other = (tmp_path / "new" / f"{name}.npy" for name in ("first", "again", "other"))
    for out, seed in ((first, 0), (again, 0), (other, 1)):
        said = tutelage("sample", world.coopnets, "-n", 5, "--out", out, "--model", model, "--seed", seed)
        which = "descriptor" if model == "best" else model
        assert said == Said(0, f"5 images of the {which}: {out}\n", "")
    pixels = np.load(first)
    assert pixels.dtype == np.uint8 and pixels.shape == (5, 8, 8, 1) and pixels.std() > 0
    assert np.array_equal(pixels, np.load(again)) and not np.array_equal(pixels, np.load(other))


def test_sampling_into_pictures_shows_the_same_images(tutelage: Command, world: World, tmp_path: Path) -> None:
    for out in ("images.npy", "grid.png", "folder"):
        assert tutelage("sample", world.coopnets, "-n", 3, "--out", tmp_path / out).code == 0
    pixels = np.load(tmp_path / "images.npy")
    singles = sorted((tmp_path / "folder").iterdir())
    assert [path.name for path in singles] == ["00000.png", "00001.png", "00002.png"]
    assert all(np.array_equal(np.asarray(Image.open(path)), pixels[i, ..., 0]) for i, path in enumerate(singles))
    grid = np.asarray(Image.open(tmp_path / "grid.png"))
    assert grid.shape == (8 + 2 * 2, 3 * (8 + 2) + 2)
    assert np.array_equal(grid[2:10, 12:20], pixels[1, ..., 0])


def test_more_steps_of_revision_after_learning(tutelage: Command, world: World, tmp_path: Path) -> None:
    for steps in (None, 2, 20):
        extra = () if steps is None else ("--revision-steps", steps)
        assert tutelage("sample", world.coopnets, "-n", 4, "--out", tmp_path / f"{steps}.npy", *extra).code == 0
    usual, same_number, more = (np.load(tmp_path / f"{steps}.npy") for steps in (None, 2, 20))
    assert np.array_equal(usual, same_number) and not np.array_equal(usual, more)
    out = tmp_path / "x.png"
    refused(tutelage("sample", world.generator, "--out", out, "--revision-steps", 3), "no descriptor to revise by")
    refused(tutelage("sample", world.coopnets, "--out", out, "--revision-steps", -3), "revision_steps is -3")


def test_a_recipe_of_ones_own(tutelage: Command, world: World, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('base = "coopnets/mnist"\nname = "mine"\nplan.chains = 3\n')
    shown = field_lines(tutelage("show", file).out)
    assert shown["plan.chains"].split() == ["3", "mine.toml"]
    out, tiny = tmp_path / "run", settings("coopnets/mnist", plan__chains="5")
    assert tutelage("train", file, "--data", world.array, "--out", out, *tiny).code == 0
    recipe = json.loads((out / "recipe.json").read_text())
    assert (recipe["name"], recipe["plan"]["chains"]) == ("mine", 5)
    for metric, words in (("texture", "8 x 8 are 2 pixels wide"), ("statistics", "64 pixels or more each way")):
        refused(tutelage("evaluate", out, "--metric", metric, "--samples", 2), words)


@pytest.mark.parametrize("run", ["coopnets", "generator"])
def test_interpolating(tutelage: Command, world: World, tmp_path: Path, run: str) -> None:
    copy = shutil.copytree(getattr(world, run), tmp_path / "run")
    said = tutelage("interpolate", copy, "--rows", 2, "--frames", 5)
    target, moving = (copy / "pictures" / f"interpolation.{ending}" for ending in ("png", "gif"))
    assert said == Said(0, f"2 walks of 5 images: {target}, {moving}\n", "")
    with Image.open(moving) as frames:
        assert getattr(frames, "n_frames", 1) == 8  # there and back
    with Image.open(target) as picture:
        assert picture.size == (5 * (8 + 2) + 2, 2 * (8 + 2) + 2)
    assert (copy / "report.html").read_bytes() != (getattr(world, run) / "report.html").read_bytes()
    elsewhere, unrevised = tmp_path / "new" / "walk.png", tmp_path / "plain.png"
    assert tutelage("interpolate", copy, "--rows", 2, "--frames", 5, "--out", elsewhere).code == 0
    assert elsewhere.read_bytes() == target.read_bytes()
    unrevising = ("--revision-steps", 0) if run == "coopnets" else ()
    tutelage("interpolate", copy, "--rows", 2, "--frames", 5, "--out", unrevised, *unrevising)
    arc = tmp_path / "arc.gif"
    assert tutelage("interpolate", copy, "--rows", 2, "--frames", 5, "--out", arc, "--path", "spherical").code == 0
    assert arc.read_bytes() != moving.read_bytes()
    before = contents(copy)
    again = tutelage("interpolate", copy, "--rows", 2, "--frames", 5, "--seed", 1)
    refused(again, r"interpolation\.png is there already: name another --out, or remove it")
    assert contents(copy) == before
    # a generator alone has no descriptor to revise with
    assert (unrevised.read_bytes() == target.read_bytes()) == (run == "generator")


def test_evaluating(tutelage: Command, world: World, tmp_path: Path) -> None:
    copy = shutil.copytree(world.coopnets, tmp_path / "run")
    said = tutelage("evaluate", copy, "--metric", "parzen", "--samples", 20, "--seed", 4)
    assert said.code == 0 and said.err == ""
    results = {result["name"]: result for result in json.loads((copy / "results.json").read_text())}
    models = ["CoopNets generator parzen", "CoopNets descriptor parzen"]
    assert list(results) == [*models, "real images parzen"]
    digest = json.loads((copy / "run.json").read_text())["data_sha256"]
    for name, result in results.items():
        assert result.keys() == RESULT | {"width", "at_edge"} | ({"iteration", "epochs"} if name in models else set())
        assert result["n"] == 20 and result["seed"] == 4 and result["version"] == __version__
        assert result["command"].split(" && ")[-1] == f"tutelage evaluate {copy} --metric parzen --samples 20 --seed 4"
        assert result["data_sha256"] == digest and np.isfinite([result["value"], result["stderr"]]).all()
        assert f"{result['value']:.4g} ± {result['stderr']:.2g} on 20 images, width {result['width']}" in said.out
    assert results[models[0]]["iteration"] == 6 and results[models[0]]["epochs"] == pytest.approx(6 * 4 / 20)
    assert results[models[0]]["value"] != results[models[1]]["value"]
    assert "CoopNets descriptor parzen" in (copy / "report.html").read_text()


def test_evaluating_on_other_data_is_said(tutelage: Command, world: World, tmp_path: Path) -> None:
    """What is held out of them may be among the images that the run learned from."""
    copy, other = shutil.copytree(world.coopnets, tmp_path / "run"), tmp_path / "other"
    facts = json.loads((copy / "run.json").read_text())
    shutil.copytree(facts["data"], other)
    (images,) = other.glob("train-images*")
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    images.write_bytes(content)
    said = tutelage("evaluate", copy, "--metric", "parzen", "--samples", 20, "--data", other)
    assert said.code == 0, said.err
    assert re.fullmatch(
        r"tutelage: .* has other training images than .*run learned from; what is held out .*\n", said.err
    )


def test_evaluating_by_features(tutelage: Command, world: World, tmp_path: Path) -> None:
    copy, weights = shutil.copytree(world.coopnets, tmp_path / "run"), tmp_path / "weights.npz"
    write_network(weights)
    said = tutelage("evaluate", copy, "--metric", "fd", "--extractor", weights, "--samples", 6)
    assert said.code == 0, said.err
    results = json.loads((copy / "results.json").read_text())
    names = [result["name"] for result in results]
    models = ["CoopNets generator FD-mobilenetv2-128", "CoopNets descriptor FD-mobilenetv2-128"]
    assert names == [*models, "real against real FD-mobilenetv2-128", "noise FD-mobilenetv2-128"]
    assert all(name in said.out for name in names)
    refused(tutelage("evaluate", copy, "--metric", "fd"), "--metric fd needs --extractor, which measures")


def test_pictures_that_do_not_fit(tutelage: Command, tmp_path: Path) -> None:
    """Refused; or left out, and said in one line; or converted. What was chosen is part of the recipe."""
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(4):
        Image.effect_noise((9, 9), 50 + k).save(folder / f"{k}.png")
    Image.effect_noise((9, 9), 50).convert("RGB").save(folder / "colour.png")
    out = tmp_path / "run"
    arguments = ["train", "coopnets/mnist", "--data", folder, "--out", out]
    tiny = settings("coopnets/mnist", data__kind="folder")
    refused(tutelage(*arguments, *tiny), r"colour\.png is in colour, but grey is needed; convert it, pass --convert")
    said = tutelage(*arguments, "--skip-bad", *tiny)
    assert said.code == 0 and re.search(r"tutelage: 1 of 5 image files were left out: .*colour\.png", said.err)
    assert json.loads((out / "run.json").read_text())["observations"] == 4
    assert json.loads((out / "recipe.json").read_text())["data"]["skip_bad"]
    assert tutelage("resume", out).code == 0
    said = tutelage(*arguments[:-1], tmp_path / "all", "--convert", *tiny)
    assert said.code == 0 and json.loads((tmp_path / "all" / "run.json").read_text())["observations"] == 5


def test_evaluating_the_history(tutelage: Command, world: World, tmp_path: Path) -> None:
    copy = shutil.copytree(world.descriptor, tmp_path / "run")
    assert tutelage("evaluate", copy, "--metric", "parzen", "--samples", 10, "--history").code == 0
    history = json.loads((copy / "history.json").read_text())
    assert [(entry["name"], entry["iteration"]) for entry in history] == [
        ("Algorithm D parzen", 4),
        ("Algorithm D parzen", 6),
    ]
    assert [entry["name"] for entry in json.loads((copy / "results.json").read_text())] == [
        "Algorithm D parzen",
        "real images parzen",
    ]


# --- what it refuses


TRAIN = ["train", "coopnets/mnist", "--out", "{root}/new"]
TINY = settings("coopnets/mnist")
REFUSED: Mapping[str, tuple[list[str], str]] = {
    "missing data": (
        [*TRAIN, "--data", "{root}/absent"],
        "MNIST was not found .*absent.*--data FOLDER or TUTELAGE_DATA",
    ),
    "empty data": ([*TRAIN, "--data", "{root}/empty"], "MNIST was not found .*empty.*--download"),
    "no data": (TRAIN, "MNIST was not found .*--data FOLDER"),
    "missing array": ([*TRAIN, "--data", "{root}/absent.npy", *TINY], r"absent\.npy does not exist; give a \.npy file"),
    "missing folder": (
        [*TRAIN, "--data", "{root}/absent", "--set", "data.kind=folder"],
        r"absent does not exist; give a folder or a \.zip of images",
    ),
    "empty folder": ([*TRAIN, "--data", "{root}/empty", "--set", "data.kind=folder"], "empty has no images"),
    "another size": (
        [*TRAIN, "--data", "{root}/images.npy", "--set", "data.kind=array"],
        r"are 1 x 8 x 8 .*but the recipe needs 1 x 28 x 28",
    ),
    "NaN in an array": (
        [*TRAIN, "--data", "{root}/nan.npy", *TINY],
        r"'nan\.npy' has 2 values that are NaN or infinite, the first in image 1, channel 0, row 2, column 3",
    ),
    "unknown recipe": (
        ["train", "coopnets/mnits", "--out", "{root}/new"],
        r"no recipe .*\(did you mean coopnets/mnist\?\)",
    ),
    "unknown recipe shown": (["show", "cooperation"], "no recipe 'cooperation'.*tutelage list"),
    "unknown field": ([*TRAIN, "--set", "plan.chian=5"], r"no field 'plan\.chian' \(did you mean 'chains'\?\)"),
    "no equals sign": ([*TRAIN, "--set", "plan.chains"], r"--set 'plan\.chains' has no '='; write FIELD=VALUE"),
    "one option by two names": ([*TRAIN, "--data", "a", "--image=b"], "--data is given twice; give it once"),
    "a short option given twice": (["sample", "{root}/run", "-n", "4", "--n", "8"], "-n is given twice; give it once"),
    "an option given twice": (
        [*TRAIN, "--set", "plan.chains=50", "plan.batch_size=50", "--set", "seed=3"],
        "--set is given twice; give it once, with all its values after it",
    ),
    "a folder named by a number": (
        [*TRAIN, "--set", "data.kind=folder", "data.subset=2019"],
        r"""data\.subset is 2019; it needs to be .*, in quotes: data\.subset='"2019"'""",
    ),
    "what cannot be fetched": (
        [*TRAIN, "--download", "--set", "data.kind=folder"],
        "data of kind folder cannot be fetched, only MNIST can; leave out --download",
    ),
    "nothing to leave out": ([*TRAIN, "--skip-bad"], "data of kind mnist has no pictures .*; leave out --skip-bad"),
    "nothing to convert": ([*TRAIN, "--convert"], "data of kind mnist is never converted; leave out --convert"),
    "samples over a file": (
        ["sample", "{root}/coopnets", "--out", "{root}/nan.npy"],
        r"nan\.npy is there already: name another --out, or remove it",
    ),
    "a walk over a file": (
        ["interpolate", "{root}/coopnets", "--out", "{root}/nan.npy"],
        r"nan\.npy is there already: name another --out, or remove it",
    ),
    "wrong type": ([*TRAIN, "--set", "plan.chains=many"], r"plan\.chains is 'many'; it needs to be a whole number"),
    "step too large": ([*TRAIN, "--set", "plan.step_size=0.05"], r"step_size 0\.05 .*step_size < 2 \* reference_std"),
    "step too large, dry": ([*TRAIN, "--dry-run", "--set", "plan.step_size=0.032"], r"step_size 0\.032"),
    "run exists": (
        ["train", "coopnets/mnist", "--data", "{root}/images.npy", "--out", "{root}/coopnets", *TINY],
        r"coopnets is there already.*tutelage resume",
    ),
    "run over what is no run, told before the data": (
        ["train", "coopnets/mnist", "--data", "{root}/absent.npy", "--out", "{root}/mnist", *TINY],
        r"mnist is there already: name another --out$",
    ),
    "dry run over a run": ([*TRAIN[:2], "--dry-run", "--out", "{root}/coopnets"], r"coopnets is there already"),
    "dry run of no data": ([*TRAIN, "--dry-run", "--data", "{root}/absent.npy", *TINY], r"absent\.npy does not exist"),
    "less than no time": (
        [*TRAIN, "--minutes", "-1", "--data", "{root}/images.npy", *TINY],
        "minutes is -1; it needs",
    ),
    "out below a file": (
        ["train", "coopnets/mnist", "--data", "{root}/images.npy", "--out", "{root}/images.npy/x", *TINY],
        r"cannot be written \(.*images\.npy is a file\)",
    ),
    "bad device": (
        [*TRAIN, "--data", "{root}/images.npy", "--device", "warp", *TINY],
        "device 'warp' cannot be used here",
    ),
    "bad device, sampling": (
        ["sample", "{root}/coopnets", "--out", "{root}/x.png", "--device", "warp"],
        "device 'warp'",
    ),
    "a device without random numbers": (
        ["sample", "{root}/coopnets", "--out", "{root}/x.png", "--device", "meta"],
        "device 'meta' cannot be used here",
    ),
    "a layer without a stride": (
        [
            *("train", "coopnets/mnist", "--out", "{root}/new", "--set"),
            'descriptor.convs=[{"channels": 4, "kernel": 3, "stride": 0}]',
        ],
        "stride of a descriptor is 0; it needs to be 1 or more",
    ),
    "no layers": (
        ["train", "coopnets/mnist", "--out", "{root}/new", "--set", "generator.deconvs=[]"],
        "a generator needs one layer or more",
    ),
    "Metropolis in bfloat16": (
        ["train", "coopnets/mnist", "--out", "{root}/new", "--set", "plan.metropolis=true"],
        "set precision=float32",
    ),
    "chains from given images": (
        ["train", "descriptor/mnist", "--out", "{root}/new", "--dry-run", "--set", "plan.start=given"],
        "which a recipe cannot hold",
    ),
    "resume of no run": (["resume", "{root}/empty"], r"empty is no run folder.*give the --out of an earlier"),
    "resume of nothing": (["resume", "{root}/absent"], r"absent is no run folder"),
    "samples without a checkpoint": (
        ["sample", "{root}/fresh", "--out", "{root}/new.png"],
        "fresh has no checkpoint yet; let `tutelage resume` bring it to its first",
    ),
    "samples into a folder in use": (
        ["sample", "{root}/truncated", "--out", "{root}/fresh"],
        "fresh is there already: name another --out",
    ),
    "resume from a truncated checkpoint": (["resume", "{root}/truncated"], "0000006 is damaged: state.safetensors"),
    "resume with other data": (
        ["resume", "{root}/on_array", "--data", "{root}/other.npy"],
        "is not what run .* learned from",
    ),
    "sample of no run": (["sample", "{root}/empty", "--out", "{root}/x.png"], "empty is no run folder"),
    "sample from a truncated checkpoint": (
        ["sample", "{root}/truncated", "--out", "{root}/x.png"],
        "0000006 is damaged",
    ),
    "sample as .jpg": (
        ["sample", "{root}/coopnets", "--out", "{root}/new/x.jpg"],
        r"ends in \.jpg; give a \.png, a \.npy",
    ),
    "sample below a file": (
        ["sample", "{root}/coopnets", "--out", "{root}/images.npy/x.png"],
        r"x\.png cannot be written \(.*images\.npy is a file\); name another",
    ),
    "a walk below a file": (
        ["interpolate", "{root}/coopnets", "--out", "{root}/images.npy/x.png"],
        r"x\.png cannot be written \(.*images\.npy is a file\); name another",
    ),
    "no samples": (
        ["sample", "{root}/coopnets", "-n", "0", "--out", "{root}/x.png"],
        "--n is 0; it needs to be 1 or more",
    ),
    "samples without number": (
        ["sample", "{root}/coopnets", "-n", "99999999999999999999", "--out", "{root}/x.png"],
        "--n is 99999999999999999999; it needs to be 1 or more, and below 2,147,483,648",
    ),
    "a cascade among the pictures that it begins with": (
        [
            *("train", "igm/faces64-quick", "--data", "{root}/absent", "--negatives", "{root}"),
            *("--out", "{root}/new"),
        ],
        "new lies in .*, where the data are",
    ),
    "chains without number": (
        [*TRAIN, "--set", "plan.chains=99999999999999999999"],
        "chains is 99999999999999999999; it needs to be a whole number of 1 or more, and below",
    ),
    "a number of thousands of digits": (
        [*TRAIN, "--set", f"plan.chains={'9' * 5000}"],
        "it needs to be a whole number",
    ),
    "a walk without a descriptor revised": (
        ["interpolate", "{root}/generator", "--out", "{root}/x.png", "--revision-steps", "3"],
        "generator has no descriptor to revise by; leave out --revision-steps",
    ),
    "a run among the pictures that it learns from": (
        ["train", "coopnets/scene-quick", "--data", "{root}", "--out", "{root}/new"],
        "new lies in .*, where the data are, .*; name an --out that is not in it",
    ),
    "a model that is not there": (
        ["sample", "{root}/generator", "--model", "descriptor", "--out", "{root}/x.png"],
        "generator has no descriptor; it has generator: choose --model among them",
    ),
    "evaluate of no run": (["evaluate", "{root}/empty", "--metric", "parzen"], "empty is no run folder"),
    "evaluate without a test set": (
        ["evaluate", "{root}/on_array", "--metric", "parzen", "--samples", "3"],
        "the data have no validation images",
    ),
    "evaluate without samples": (
        ["evaluate", "{root}/coopnets", "--metric", "parzen", "--samples", "0"],
        "--samples is 0",
    ),
    "an accuracy of samples": (
        ["evaluate", "{root}/coopnets", "--metric", "accuracy", "--samples", "5"],
        "accuracy takes no --samples, which is for parzen, fd, kd, precision, inception, class, ssim, .*; leave it",
    ),
    "interpolate without a generator": (["interpolate", "{root}/descriptor"], "this run has no generator"),
    "interpolate too briefly": (["interpolate", "{root}/coopnets", "--frames", "1"], "needs 2 frames or more, not 1"),
    "interpolate no rows": (["interpolate", "{root}/coopnets", "--rows", "0"], "--rows is 0"),
    "demo over something else": (["demo", "--out", "{root}/mnist"], "mnist is there already and is no earlier demo"),
    "demo over another run": (["demo", "--out", "{root}/coopnets"], "coopnets is there already and is no earlier demo"),
}


@pytest.fixture(scope="module")
def mishaps(world: World) -> Path:
    """The same world with what goes wrong in it."""
    root = world.root
    (root / "empty").mkdir()
    pixels = np.zeros((3, 8, 8), np.float32)
    pixels[1, 2, 3], pixels[2, 0, 0] = np.nan, np.inf
    np.save(root / "nan.npy", pixels)
    np.save(root / "other.npy", np.zeros((10, 8, 8), np.uint8))
    for name in ("fresh", "truncated"):
        shutil.copytree(world.coopnets, root / name)
    shutil.rmtree(root / "fresh" / "checkpoints")
    os.truncate(root / "truncated" / "checkpoints" / "0000006" / "state.safetensors", 1000)
    return root


@pytest.fixture(scope="module")
def before(mishaps: Path) -> dict[str, bytes | None]:
    return contents(mishaps)


@pytest.mark.parametrize("case", REFUSED)
def test_mistakes_cost_one_sentence_and_change_nothing(
    tutelage: Command, mishaps: Path, before: dict[str, bytes | None], case: str
) -> None:
    arguments, words = REFUSED[case]
    refused(tutelage(*(argument.replace("{root}", str(mishaps)) for argument in arguments)), words)
    assert contents(mishaps) == before


@pytest.mark.parametrize("metric", ["parzen", "texture", "statistics", "accuracy"])
def test_an_extractor_is_for_what_is_measured_by_features(tutelage: Command, world: World, metric: str) -> None:
    said = tutelage("evaluate", world.coopnets, "--metric", metric, "--extractor", "vgg16")
    refused(said, f"{metric} takes no --extractor, which is for fd, kd, precision, inception, class; leave it out")


def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_drawn(
    tutelage: Command, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "load", None)
    (tmp_path / "notes").touch()
    command = ["sample", world.coopnets, "--out"]
    refused(tutelage(*command, tmp_path / "notes"), "notes is there already: name another --out")
    refused(tutelage(*command, tmp_path / "notes" / "x.png"), "x.png cannot be written .*notes is a file")
    monkeypatch.setattr(os, "access", lambda *_: False)
    refused(tutelage(*command, tmp_path / "x.png"), "x.png cannot be written .* is not writable")


BELOW_A_FILE = {
    "train": (
        ["coopnets/mnist", "--data", "{root}/images.npy", *TINY],
        r"cannot be written \(.*images\.npy is a file\); name another --out",
    ),
    "complete": (
        ["{root}/coopnets", "{root}/absent", "--mask", "square:3"],
        r"cannot be written \(.*images\.npy is a file\); name another --out",
    ),
    "project": (
        ["{root}/coopnets", "{root}/absent"],
        r"cannot be written \(.*images\.npy is a file\); name another --out",
    ),
    "score": (
        ["{root}/coopnets", "{root}/absent"],
        r"cannot be written \(.*images\.npy is a file\); name another --out",
    ),
    "reproduce": (["table2", "--budget", "1"], r"cannot be written \(.*images\.npy is a file\); name another"),
    "demo": ([], r"cannot be written \(.*images\.npy is a file\); name another --out"),
}


@pytest.mark.parametrize("command", BELOW_A_FILE)
def test_a_place_below_a_file_is_refused_before_anything_is_read(
    tutelage: Command, world: World, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    for module in (explaining, learning):
        monkeypatch.setattr(module, "load", None)
    for module, name in ((data, "load"), (folder, "open_run"), (reproducing, "Bench")):
        monkeypatch.setattr(module, name, None)
    arguments, words = BELOW_A_FILE[command]
    place = world.array / "x"
    said = tutelage(command, *(word.replace("{root}", str(world.root)) for word in arguments), "--out", place)
    refused(said, rf"{place} {words}")


def test_a_device_without_float64_is_refused(
    tutelage: Command, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = torch.zeros

    def single(*size, dtype: torch.dtype | None = None, **more):
        if dtype == torch.float64:
            raise TypeError(
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64."
            )
        return zeros(*size, dtype=dtype, **more)

    monkeypatch.setattr(torch, "zeros", single)
    said = tutelage("sample", world.coopnets, "-n", 2, "--out", tmp_path / "x.png")
    refused(
        said, "device 'cpu' cannot be used here; give --device cpu, or a GPU of this machine that computes in float64"
    )


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_a_full_device_is_said_to_be_full(
    tutelage: Command, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[RuntimeError]
) -> None:
    def full(*_, **__):
        raise error("CUDA error: out of memory")

    monkeypatch.setattr(torch, "zeros", full)
    said = tutelage("sample", world.coopnets, "-n", 2, "--out", tmp_path / "x.png")
    refused(said, "device 'cpu' has no memory left; wait for what runs there, or give another with --device")


def test_a_run_goes_on_where_it_learned_last(tutelage: Command, world: World, tmp_path: Path) -> None:
    run = shutil.copytree(world.coopnets, tmp_path / "run")
    event = {"event": "resume", "iteration": 0, "seconds": 0.0, "device": "abacus (one of wood)"}
    with (run / "journal.jsonl").open("a") as file:
        file.write(json.dumps(event) + "\n")
    words = "learned on abacus last, so .* 'abacus' cannot be used here; give --device cpu, or"
    refused(tutelage("resume", run), words)
    assert tutelage("resume", run, "--device", "cpu").code == 0


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("", "Missing subcommand"),
        ("trane", "Unrecognized options: trane"),
        ("train", "RECIPE"),
        ("train coopnets/mnist", "--out PATH"),
        ("train coopnets/mnist --out {root}/new --bogus 3", "--bogus"),
        ("train coopnets/mnist --out {root}/new --minutes soon", "--minutes"),
        ("sample {root}/coopnets --out {root}/x.png --model both", "'both'"),
        ("evaluate {root}/coopnets", "--metric"),
        ("evaluate {root}/coopnets --metric beauty", "'beauty'"),
    ],
)
def test_usage_errors(
    tutelage: Command, mishaps: Path, before: dict[str, bytes | None], command: str, word: str
) -> None:
    said = tutelage(*(argument.replace("{root}", str(mishaps)) for argument in command.split()))
    assert said.code == 2 and "Traceback" not in said.err + said.out
    assert word in said.err
    assert contents(mishaps) == before


def test_an_array_in_a_file_named_by_the_environment(tutelage: Command, world: World, tmp_path: Path) -> None:
    """Data named by ``TUTELAGE_DATA``, and remembered by path where ``--data`` named them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUTELAGE_DATA", str(world.array))
        assert tutelage("train", "generator/mnist", "--out", tmp_path / "run", *settings("generator/mnist")).code == 0
        assert tutelage("resume", tmp_path / "run").code == 0
    assert same(saved_state(tmp_path / "run"), saved_state(world.on_array))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["data"] == str(world.array)
    assert tutelage("resume", tmp_path / "run", "--data", world.array).code == 0
    named = shutil.copytree(world.on_array, tmp_path / "named")
    assert tutelage("resume", named).code == 0


def test_data_that_have_moved_are_looked_for_anew(
    tutelage: Command, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, moved, run = tmp_path / "images.npy", tmp_path / "moved.npy", tmp_path / "run"
    shutil.copy(world.array, given)
    arguments = ["train", "generator/mnist", "--data", given, "--out", run, "--minutes", 0]
    assert tutelage(*arguments, *settings("generator/mnist")).code == 0
    given.rename(moved)
    refused(tutelage("resume", run), r"images\.npy does not exist; give a \.npy file with --data, or set TUTELAGE_DATA")
    monkeypatch.setenv("TUTELAGE_DATA", str(tmp_path / "absent.npy"))
    refused(tutelage("resume", run), r"absent\.npy does not exist")
    monkeypatch.setenv("TUTELAGE_DATA", str(moved))
    assert tutelage("resume", run, "--minutes", 0).code == 0
    shutil.copy(moved, given)
    monkeypatch.setenv("TUTELAGE_DATA", str(tmp_path / "absent.npy"))
    assert tutelage("resume", run).code == 0


def test_mnist_that_has_moved_is_found_among_the_downloads(
    tutelage: Command, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(world.coopnets, tmp_path / "run")
    facts = json.loads((copy / "run.json").read_text()) | {"data": str(tmp_path / "gone")}
    (copy / "run.json").write_text(json.dumps(facts))
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "cache"))
    refused(tutelage("resume", copy), r"MNIST was not found \(looked in: .*gone")
    shutil.copytree(world.mnist, tmp_path / "cache" / "mnist")
    assert tutelage("resume", copy).code == 0


def test_links_are_remembered_as_they_were_given(tutelage: Command, tmp_path: Path) -> None:
    """What they lead to has no ending that says what it is."""
    content, link, run = tmp_path / "objects" / "ab12", tmp_path / "pictures.zip", tmp_path / "run"
    content.parent.mkdir()
    with zipfile.ZipFile(content, "w") as archive:
        for k in range(4):
            with archive.open(f"{k}.png", "w") as file:
                Image.effect_noise((9, 9), 50 + k).save(file, "PNG")
    link.symlink_to(content)
    arguments = ["train", "coopnets/mnist", "--data", link, "--out", run, "--minutes", 0]
    assert tutelage(*arguments, *settings("coopnets/mnist", data__kind="zip")).code == 0
    assert json.loads((run / "run.json").read_text())["data"] == str(link)
    assert tutelage("resume", run).code == 0


def test_links_to_files_apart_are_remembered_as_the_folder_they_lie_in(
    tutelage: Command, world: World, tmp_path: Path
) -> None:
    linked, run = tmp_path / "mnist", tmp_path / "run"
    linked.mkdir()
    for number, file in enumerate(sorted(world.mnist.iterdir())):
        apart = tmp_path / "objects" / str(number) / "content"
        apart.parent.mkdir(parents=True)
        shutil.copy(file, apart)
        (linked / file.name).symlink_to(apart)
    arguments = ["train", "coopnets/mnist", "--data", linked, "--out", run, "--minutes", 0]
    assert tutelage(*arguments, *settings("coopnets/mnist", data__kind="mnist")).code == 0
    assert json.loads((run / "run.json").read_text())["data"] == str(linked)
    assert tutelage("resume", run).code == 0


def test_a_range_of_values_is_set_as_the_warning_says(tutelage: Command, tmp_path: Path) -> None:
    np.save(tmp_path / "unit.npy", np.linspace(0, 1, 640).reshape(10, 8, 8))
    dry = ["train", "generator/mnist", "--data", tmp_path / "unit.npy", "--out", tmp_path / "run", "--dry-run"]
    said = tutelage(*dry, *settings("generator/mnist"))
    (setting,) = re.findall(r"pass value_range=\(0, 1\), which `tutelage train` takes as --set (\S+)\n", said.err)
    assert said.code == 0 and setting == "data.value_range=[0,1]"
    said = tutelage(*dry, *settings("generator/mnist"), setting)
    assert said.code == 0 and "value range" not in said.err


def test_divergence(tutelage: Command, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = AlgorithmD.step

    def poisoned(self: AlgorithmD, *arguments):
        state, record = step(self, *arguments)
        return state, record._replace(value=torch.tensor(torch.inf)) if state.iteration == 3 else record

    monkeypatch.setattr(AlgorithmD, "step", poisoned)
    out = tmp_path / "run"
    said = tutelage("train", "descriptor/mnist", "--data", world.array, "--out", out, *settings("descriptor/mnist"))
    assert said.code == 2 and said.out == "" and "Traceback" not in said.err
    bar, line, rest = said.err.split("\n")
    assert "descriptor/mnist, 10 image(s):" in bar and rest == ""
    assert line.startswith("tutelage: iteration 3 left the finite numbers: value = inf. The likely cause is")
    way_on = f"`tutelage resume {out} --recover` goes on from it with smaller steps."
    assert line.endswith(f"The last good checkpoint is {out / 'checkpoints' / '0000002'}; {way_on}")
    refused(tutelage("resume", out), r"diverged at iteration 3 and would again; `tutelage resume .* --recover`")
    monkeypatch.setattr(AlgorithmD, "step", step)
    assert tutelage("resume", out, "--recover").code == 0


def test_training_that_recovers(
    tutelage: Command, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = AlgorithmD.step

    def poisoned(self: AlgorithmD, *arguments):
        state, record = step(self, *arguments)
        wrong = state.iteration == 3 and self.plan.update.lr > 0.005
        return state, record._replace(value=torch.tensor(torch.inf)) if wrong else record

    monkeypatch.setattr(AlgorithmD, "step", poisoned)
    arguments = ["train", "descriptor/mnist", "--data", world.array, "--out", tmp_path / "run", "--recover"]
    said = tutelage(*arguments, *settings("descriptor/mnist"))
    assert said.code == 0 and said.out == f"Done. Look at {tmp_path / 'run' / 'report.html'}\n"
    assert "Diverged. Recovery 1 of 3, from iteration 2: plan.update.lr=0.0035 (was 0.007)" in said.err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "tutelage: interrupted"),
        (
            OSError(28, "No space left on device", "/runs/x"),
            2,
            "tutelage: /runs/x: No space left on device; free some space there, or name another",
        ),
        (
            PermissionError(13, "Permission denied", "/runs/x"),
            2,
            "tutelage: /runs/x: Permission denied; make it readable or writable, or name another",
        ),
        (OSError("odd"), 2, "tutelage: a file: odd; make it readable or writable, or name another"),
    ],
)
def test_what_comes_from_outside_is_said_in_one_line(
    tutelage: Command,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    line: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(drawing, "load", fail)
    assert tutelage("sample", world.coopnets, "--out", tmp_path / "x.png") == Said(code, "", line + "\n")


# --- in a process of its own


def test_a_demo_replaces_the_one_before(tutelage: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "DEMO", replace(tiny("coopnets/mnist", {"data.kind": "digits"}), name="demo"))
    for _ in range(2):
        said = tutelage("demo", "--out", tmp_path / "demo")
        assert said.code == 0 and "Trained on 1500 digits in " in said.out
        assert (tmp_path / "demo" / "pictures" / "interpolation.png").exists()
        if not (tmp_path / "place").exists():  # the first time; the second is through a link
            (tmp_path / "demo").rename(tmp_path / "place")
            (tmp_path / "demo").symlink_to(tmp_path / "place")
        assert "Interpolation" in (tmp_path / "demo" / "report.html").read_text()


def test_a_sitting_may_be_short(tutelage: Command, world: World, tmp_path: Path) -> None:
    small = settings("coopnets/mnist", data__kind="mnist")
    out = tmp_path / "run"
    said = tutelage("train", "coopnets/mnist", "--data", world.mnist, "--out", out, "--minutes", 0, *small)
    assert said.code == 0 and saved_state(out)["learner"]["iteration"] == 1
    said = tutelage("resume", out, "--minutes", 0)
    assert said.out == f"Look at {out / 'report.html'}\nStopped and saved. Go on with: tutelage resume {out}\n"
    assert saved_state(out)["learner"]["iteration"] == 2


def test_data_may_be_fetched(tutelage: Command, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tutelage.data.named.fetch_mnist", lambda cache: world.mnist)
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TUTELAGE_DATA", raising=False)
    small = settings("coopnets/mnist", data__kind="mnist")
    refused(tutelage("train", "coopnets/mnist", "--out", tmp_path / "no", *small), "MNIST was not found")
    assert tutelage("train", "coopnets/mnist", "--download", "--out", tmp_path / "run", *small).code == 0


def test_the_seed_is_that_of_the_walk(tutelage: Command, world: World, tmp_path: Path) -> None:
    made = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        target = tmp_path / f"{name}.png"
        common = ("--rows", 1, "--frames", 2, "--revision-steps", 0, "--out", target)
        assert tutelage("interpolate", world.coopnets, *common, "--seed", seed).code == 0
        made.append(target.read_bytes())
    assert made[0] == made[1] != made[2]


@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT")
def test_ctrl_c_saves_and_says_how_to_go_on(tutelage: Command, world: World, tmp_path: Path) -> None:
    out, threads = tmp_path / "my run", torch.get_num_threads()
    rare = {"checkpoint_every": "1000", "picture_every": "1000"}
    tiny = settings("coopnets/mnist", data__kind="mnist", plan__iterations="150", **rare)
    train = ["train", "coopnets/mnist", "--data", str(world.mnist), "--out", str(out), *tiny]
    with (tmp_path / "out").open("w+") as stdout, (tmp_path / "err").open("w+") as stderr:
        child = subprocess.Popen(
            [sys.executable, "-m", "tutelage", *train],
            env=child_environment(PYTHONUNBUFFERED="1", OMP_NUM_THREADS=str(threads)),
            stdout=stdout,
            stderr=stderr,
        )
        try:
            deadline = time.monotonic() + 200
            while not ((out / "journal.jsonl").exists() and b'"iteration": 2,' in (out / "journal.jsonl").read_bytes()):
                assert child.poll() is None and time.monotonic() < deadline, (tmp_path / "err").read_text()
                time.sleep(0.01)
            child.send_signal(signal.SIGINT)
            assert child.wait(60) == 130
        finally:
            child.kill()
    assert (tmp_path / "out").read_text() == f"Stopped and saved. Go on with: tutelage resume '{out}'\n"
    told = (tmp_path / "err").read_text()
    assert "Stopping after this iteration, then saving. Once more stops at once" in told and "Traceback" not in told
    stopped = saved_state(out)["learner"]["iteration"]
    assert 2 <= stopped < 150 and len(numbers(out)) == stopped
    assert f"interrupted at iteration {stopped}" in (out / "report.html").read_text()

    said = tutelage("resume", out)
    assert said.code == 0 and said.out == f"Done. Look at {out / 'report.html'}\n"
    assert tutelage("train", *train[1:4], "--out", tmp_path / "whole", *tiny).code == 0
    assert same(saved_state(out), saved_state(tmp_path / "whole"))
    assert numbers(out) == numbers(tmp_path / "whole") and len(numbers(out)) == 150


@pytest.mark.skipif(os.name == "nt", reason="needs a shell's 2>&-")
@pytest.mark.parametrize("ending", ["2>&-", "2>/dev/full"])
def test_a_training_that_nobody_hears_ends_as_any_other(world: World, tmp_path: Path, ending: str) -> None:
    if ending == "2>/dev/full" and not Path("/dev/full").exists():
        pytest.skip("needs a file on a disk that is full")
    tiny = settings("coopnets/mnist", data__kind="mnist", plan__iterations="3")
    out = tmp_path / "run"
    train = ["train", "coopnets/mnist", "--data", str(world.mnist), "--out", str(out), *tiny]
    command = f"{shlex.join([sys.executable, '-m', 'tutelage', *train])} {ending}"
    child = subprocess.run(
        ["sh", "-c", command],
        env=child_environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (child.returncode, child.stdout) == (0, f"Done. Look at {out / 'report.html'}\n")
    assert saved_state(out)["learner"]["iteration"] == 3 and len(numbers(out)) == 3


@pytest.mark.skipif(os.name == "nt", reason="needs a shell's pipe")
def test_a_reader_that_has_read_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "tutelage", "show", "coopnets/mnist"]
    child = subprocess.run(
        command,
        env=child_environment(PYTHONUNBUFFERED=""),
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (child.returncode, child.stderr) == (0, "")
