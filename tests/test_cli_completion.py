"""The command line of completion and projection: what it leaves, and what it refuses."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from commands import RESULT, Said, refused
from tiny_recipes import contents, tiny, tiny_images, tiny_texture
from tutelage.apps import completion
from tutelage.apps.masks import squares
from tutelage.checks import DivergenceError
from tutelage.cli.explaining import _inference
from tutelage.metrics.pixel import recovery
from tutelage.recipes import by_name
from tutelage.rng import stream
from tutelage.run import projecting, train

pytestmark = pytest.mark.usefixtures("surroundings")

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny runs, pictures, and what is wrong with some of them."""
    folder = tmp_path_factory.mktemp("completion")
    for name in ("coopnets", "generator", "descriptor"):
        assert train.train(tiny(f"{name}/mnist"), tiny_images(), folder / name, CPU, {}) == "done"
    stretching = tiny("generator/mnist", {"data.scaling": "per-image"})
    assert train.train(stretching, tiny_images(), folder / "stretching", CPU, {}) == "done"
    (folder / "in" / "more").mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(60, 200, (4, 8, 8), dtype=np.uint8)
    for name, image in zip(("a.png", "b.png", "more/c.png"), pixels, strict=False):
        Image.fromarray(image).save(folder / "in" / name)
    np.save(folder / "in.npy", pixels)
    np.save(folder / "large.npy", np.zeros((2, 9, 8), np.uint8))
    Image.fromarray(np.zeros((9, 12), np.uint8)).save(folder / "large.png")
    Image.fromarray(np.arange(9 * 12 * 3, dtype=np.uint8).reshape(9, 12, 3)).save(folder / "colour.png")
    Image.fromarray(pixels[0, :4, :4]).save(folder / "small.png")
    (folder / "broken.png").write_bytes(b"\x89PNG nothing more")
    with zipfile.ZipFile(folder / "in.zip", "w") as archive:
        archive.write(folder / "in" / "a.png", "a.png")
    left = np.zeros((8, 8), np.uint8)
    left[:, :3] = 255
    for name, hole in (("left", left), ("all", left | 255), ("none", left & 0), ("wide", np.tile(left, (1, 2)))):
        Image.fromarray(hole).save(folder / f"mask_{name}.png")
    return folder


def pixels_of(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def originals(root: Path) -> torch.Tensor:
    stack = np.stack([pixels_of(root / "in" / name) for name in ("a.png", "b.png", "more/c.png")])
    return torch.from_numpy(stack).float()[:, None] / 127.5 - 1


def test_pictures_are_completed_and_measured(tutelage, root: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    arguments = ["complete", root / "coopnets", root / "in", "--mask", "square:4", "--steps", 20, "--seed", 3]
    said = tutelage(*arguments, "--out", out)
    assert said.code == 0 and "completing: 100%" in said.err
    assert {path.name for path in out.iterdir()} == {
        *("completion.png", "results.json", "images.json", "occluded", "generator", "completed")
    }
    mask = squares(3, (8, 8), 4, stream(3, "mask"))
    real = originals(root)
    made = {name: [pixels_of(out / name / f"{i:05d}.png") for i in range(3)] for name in ("occluded", "completed")}
    for i, (hidden, image) in enumerate(zip(mask[:, 0] == 0, real[:, 0], strict=True)):
        original = ((image + 1) * 127.5).round().byte().numpy()
        for name in made:  # what was seen is as it was
            assert np.array_equal(made[name][i][~hidden], original[~hidden])
        assert (made["occluded"][i][hidden] == 128).all()
        assert np.array_equal(made["completed"][i][hidden], pixels_of(out / "generator" / f"{i:05d}.png")[hidden])

    raw = np.stack([pixels_of(out / "generator" / f"{i:05d}.png") for i in range(3)])
    raw = torch.from_numpy(raw).float()[:, None] / 127.5 - 1
    error, psnr = recovery(raw, real, mask)
    results = json.loads((out / "results.json").read_text())
    assert [entry["name"] for entry in results] == [
        f"CoopNets generator completion {what}, square:4" for what in ("error", "PSNR")
    ]
    for entry, values in zip(results, (error, psnr), strict=True):
        assert entry.keys() >= RESULT and (entry["n"], entry["seed"], entry["steps"], entry["chains"]) == (3, 3, 20, 1)
        assert entry["value"] == pytest.approx(values.mean().item(), rel=0.02)  # pictures have 256 levels
        assert entry["stderr"] == pytest.approx(values.std().item() / 3**0.5, rel=0.1)
        assert f"{entry['name']}: {entry['value']:.4g} ± {entry['stderr']:.2g} on 3 images" in said.out
    each = json.loads((out / "images.json").read_text())
    assert [line["name"] for line in each] == ["a.png", "b.png", "more/c.png"]
    assert [line["generator error"] for line in each] == pytest.approx(error.tolist(), rel=0.02)
    assert np.mean([line["residual"] for line in each]) == pytest.approx(results[0]["residual"])

    assert tutelage(*arguments, "--out", tmp_path / "again").code == 0
    again, first = contents(tmp_path / "again"), contents(out)
    assert all(again[name] == first[name] for name in first if name.endswith(".png"))


def test_a_picture_as_a_mask_and_a_descriptor_that_revises_the_hole(tutelage, root: Path, tmp_path: Path) -> None:
    common = ["complete", root / "coopnets", root / "in", "--mask", root / "mask_left.png", "--steps", 5]
    for name, extra in (("plain", ()), ("revised", ("--revision-steps", 3))):
        assert tutelage(*common, "--out", tmp_path / name, *extra).code == 0
    plain, revised = (tmp_path / name for name in ("plain", "revised"))
    for i in range(3):
        file = f"{i:05d}.png"
        assert (plain / "generator" / file).read_bytes() == (revised / "generator" / file).read_bytes()
        before, after = (pixels_of(run / "completed" / file) for run in (plain, revised))
        assert np.array_equal(before[:, 3:], after[:, 3:]) and not np.array_equal(before[:, :3], after[:, :3])
        assert (pixels_of(plain / "occluded" / file)[:, :3] == 128).all()
    names = [entry["name"].split(" completion")[0] for entry in json.loads((revised / "results.json").read_text())]
    assert names == ["CoopNets generator"] * 2 + ["CoopNets descriptor"] * 2


def test_arrays_single_pictures_and_conversion(tutelage, root: Path, tmp_path: Path) -> None:
    common = ["--mask", "square:3", "--steps", 2]
    said = tutelage("complete", root / "generator", root / "in.npy", "-n", 3, *common, "--out", tmp_path / "array")
    assert said.code == 0 and "Algorithm G generator completion error, square:3" in said.out
    said = tutelage("complete", root / "generator", root / "in", *common, "--out", tmp_path / "folder")
    first, second = (json.loads((tmp_path / name / "images.json").read_text()) for name in ("array", "folder"))
    assert [line["name"] for line in first] == ["in.npy[0]", "in.npy[1]", "in.npy[2]"]
    assert [line["generator error"] for line in first] == [line["generator error"] for line in second]

    for picture in ("colour.png", "small.png"):
        said = tutelage(
            "complete", root / "generator", root / picture, *common, "--convert", "--out", tmp_path / picture
        )
        assert said.code == 0 and "on 1 images" in said.out and "±" not in said.out
        assert pixels_of(tmp_path / picture / "completed" / "00000.png").shape == (8, 8)
    assert json.loads((tmp_path / "colour.png" / "results.json").read_text())[0]["stderr"] is None


def test_images_are_scaled_as_those_that_were_learned_from(tutelage, root: Path, tmp_path: Path) -> None:
    common = ["complete", root / "stretching", root / "in", "--mask", "square:3", "--steps", 2]
    assert tutelage(*common, "--out", tmp_path / "out").code == 0
    for i in range(3):
        seen = pixels_of(tmp_path / "out" / "completed" / f"{i:05d}.png")
        given = pixels_of(root / "in" / ("a.png", "b.png", "more/c.png")[i]).astype(float)
        own = (given - given.min()) / np.ptp(given) * 255
        assert (abs(seen - own) <= 1).sum() >= 8 * 8 - 3 * 3


def test_more_chains_come_nearer_and_settled_ones_stop(tutelage, root: Path, tmp_path: Path) -> None:
    common = ["complete", root / "coopnets", root / "in", "--mask", "square:4"]
    for name, extra in (("one", ()), ("many", ("--chains", 8))):
        assert tutelage(*common, "--steps", 3, *extra, "--out", tmp_path / name).code == 0
    one, many = (json.loads((tmp_path / name / "results.json").read_text())[0] for name in ("one", "many"))
    assert many["residual"] < one["residual"] and (many["chains"], many["keep"]) == (8, "best") and "keep" not in one
    assert tutelage(*common, "--steps", 3, "--chains", 8, "--keep", "mean", "--out", tmp_path / "mean").code == 0
    mean = json.loads((tmp_path / "mean" / "results.json").read_text())[0]
    assert (mean["chains"], mean["keep"]) == (8, "mean")
    spread = {name: pixels_of(tmp_path / name / "generator" / "00000.png").std() for name in ("many", "mean")}
    assert 0 < spread["mean"] < spread["many"], "smoother than what one chain makes"
    said = tutelage(*common, "--settle", 5, "--steps", 1000, "--step-size", 0.3, "--out", tmp_path / "settled")
    assert said.code == 0
    steps = [line["steps"] for line in json.loads((tmp_path / "settled" / "images.json").read_text())]
    entry = json.loads((tmp_path / "settled" / "results.json").read_text())[0]
    assert 9 <= min(steps) < max(steps) == entry["steps"] < 1000
    assert (entry["settle"], entry["step_size"], entry["noise_std"]) == (5, 0.3, 0.3)


def test_an_exact_recovery_counts_as_100_decibels(tutelage, root: Path, tmp_path: Path, monkeypatch) -> None:
    exact = lambda recovered, originals, mask: (torch.zeros(3), torch.full((3,), torch.inf))  # noqa: E731
    monkeypatch.setattr("tutelage.run.completing.recovery", exact)
    common = ["--mask", "square:4", "--steps", 0, "--out", tmp_path / "out"]
    assert tutelage("complete", root / "coopnets", root / "in", *common).code == 0
    assert json.loads((tmp_path / "out" / "results.json").read_text())[1]["value"] == 100


def test_one_picture_is_projected(tutelage, root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = tutelage("project", root / "coopnets", root / "in" / "a.png", "--out", out, "--steps", 60)
    assert said.code == 0 and "projecting: 100%" in said.err
    assert {path.name for path in out.iterdir()} == {"projection.png", "reconstructed", "latents.npy", "results.json"}
    latents, (entry,) = np.load(out / "latents.npy"), json.loads((out / "results.json").read_text())
    assert latents.shape == (1, 3) and entry.keys() >= RESULT
    assert entry["name"] == "CoopNets generator reconstruction residual, a.png"
    assert f"{entry['name']}: {entry['value']:.4g}" in said.out
    made = pixels_of(out / "reconstructed" / "00000.png").astype(float) / 127.5 - 1
    residual = np.sqrt(np.mean((made - originals(root)[0, 0].numpy()) ** 2))
    assert entry["value"] == pytest.approx(residual, rel=0.02)
    tutelage("project", root / "coopnets", root / "in" / "a.png", "--out", tmp_path / "prior", "--steps", 0)
    assert entry["value"] < json.loads((tmp_path / "prior" / "results.json").read_text())[0]["value"]


def test_a_folder_is_projected_a_few_at_a_time(tutelage, root: Path, tmp_path: Path, monkeypatch) -> None:
    seen, project = [], projecting.project
    monkeypatch.setattr("tutelage.run.inferring.images_per_chunk", lambda *_: 4)
    monkeypatch.setattr(
        projecting, "project", lambda net, images, *rest: seen.append(len(images)) or project(net, images, *rest)
    )
    said = tutelage("project", root / "coopnets", root / "in", "--chains", 2, "--out", tmp_path / "out", "--steps", 3)
    assert said.code == 0 and seen == [2, 1] and "9/9" in said.err
    latents, entries = (
        np.load(tmp_path / "out" / "latents.npy"),
        json.loads((tmp_path / "out" / "results.json").read_text()),
    )
    assert latents.shape == (3, 3) and [entry["steps"] for entry in entries] == [3, 3, 3]
    for i, entry in enumerate(entries):
        made = pixels_of(tmp_path / "out" / "reconstructed" / f"{i:05d}.png").astype(float) / 127.5 - 1
        assert entry["value"] == pytest.approx(np.sqrt(np.mean((made - originals(root)[i, 0].numpy()) ** 2)), rel=0.02)


def test_of_many_pictures_the_first_are_projected_and_the_sheet_shows_16(tutelage, root: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "many.npy", np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8))
    for n in (16, 20):
        out = tmp_path / str(n)
        assert (
            tutelage("project", root / "generator", tmp_path / "many.npy", "-n", n, "--steps", 1, "--out", out).code
            == 0
        )
        assert len(json.loads((out / "results.json").read_text())) == len(np.load(out / "latents.npy")) == n
    sheets = [pixels_of(tmp_path / n / "projection.png").shape for n in ("16", "20")]
    assert sheets[0] == sheets[1]


def test_projected_pictures_have_their_own_steps(tutelage, root: Path, tmp_path: Path) -> None:
    images = [root / "in" / name for name in ("a.png", "b.png")]
    terms = ["--settle", 5, "--step-size", 0.3, "--steps", 1000]
    said = tutelage("project", root / "coopnets", *images, *terms, "--out", tmp_path / "out")
    assert said.code == 0 and "projecting: 100%" in said.err, "steps that were not needed are done"
    entries = json.loads((tmp_path / "out" / "results.json").read_text())
    assert len({entry["steps"] for entry in entries}) == 2 and all(9 <= entry["steps"] < 1000 for entry in entries)
    assert all((entry["settle"], entry["step_size"], entry["chains"]) == (5, 0.3, 1) for entry in entries)


def test_latents_are_inferred_by_the_noise_of_the_recipe(tutelage, root: Path, tmp_path: Path) -> None:
    recipe = tiny("generator/mnist", {"plan.noise_std": 0.7, "plan.latent_step_size": 0.05})
    assert train.train(recipe, tiny_images(), tmp_path / "run", CPU, {}) == "done"
    arguments = [tmp_path / "run", root / "in", "--mask", "square:3", "--steps", 1, "--out", tmp_path / "out"]
    assert tutelage("complete", *arguments).code == 0
    entry = json.loads((tmp_path / "out" / "results.json").read_text())[0]
    assert (entry["noise_std"], entry["step_size"]) == (0.7, 0.05)


@pytest.mark.parametrize(
    ("name", "step_size"),
    [
        *(("coopnets/mnist", 0.1), ("dcgan/mnist", 0.1), ("generator/mnist", 0.1), ("coopnets/faces64-quick", 0.02)),
        *((name, 0.1 * (784 / 12_288) ** 0.5) for name in ("coopnets/object64", "dcgan/scene64", "vae/scene-quick")),
        ("coopnets/lsun256", 0.1 * (784 / 196_608) ** 0.5),
    ],
)
def test_steps_of_inference_are_small_where_images_are_large(name: str, step_size: float) -> None:
    assert _inference(by_name(name), 10, 1, None, None).step_size == pytest.approx(step_size)
    assert _inference(by_name(name), 10, 1, 0.3, None).step_size == 0.3
    inferring = replace(by_name("coopnets/object64").plan, inference_steps=5, latent_step_size=0.07)
    recipe = replace(by_name("coopnets/object64"), plan=inferring)
    assert _inference(recipe, 10, 1, None, None).step_size == 0.07, "as it learned"


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_two_pictures_are_walked_between(tutelage, root: Path, tmp_path: Path, path: str) -> None:
    out, images = tmp_path / "out", [root / "in" / name for name in ("a.png", "b.png")]
    said = tutelage("project", root / "generator", *images, "--out", out, "--steps", 3, "--frames", 5, "--path", path)
    assert said.code == 0 and len(json.loads((out / "results.json").read_text())) == 2
    assert np.load(out / "latents.npy").shape == (2, 3)
    walk = pixels_of(out / "interpolation.png")  # 5 of 8 pixels, 2 between them, each pixel 8 x 8
    assert walk.shape == ((8 + 2 * 2) * 8, (5 * (8 + 2) + 2) * 8)
    for i, left in ((0, 2), (1, 2 + 4 * 10)):
        assert np.array_equal(
            walk[16:80:8, left * 8 : (left + 8) * 8 : 8], pixels_of(out / f"reconstructed/{i:05d}.png")
        )
    with Image.open(out / "interpolation.gif") as moving:  # there and back; two that are alike are one for longer
        assert sum(frame.info["duration"] for frame in ImageSequence.Iterator(moving)) == 8 * 80


def test_the_images_of_a_walk_are_revised_where_asked_for(tutelage, root: Path, tmp_path: Path) -> None:
    images = [root / "in" / name for name in ("a.png", "b.png")]
    for steps in (0, 5):
        terms = ("--steps", 2, "--frames", 3, "--revision-steps", steps, "--out", tmp_path / str(steps))
        assert tutelage("project", root / "coopnets", *images, *terms).code == 0
    plain, revised = (tmp_path / steps for steps in ("0", "5"))
    assert np.array_equal(np.load(plain / "latents.npy"), np.load(revised / "latents.npy"))
    assert np.array_equal(pixels_of(plain / "projection.png"), pixels_of(revised / "projection.png"))
    assert not np.array_equal(pixels_of(plain / "interpolation.png"), pixels_of(revised / "interpolation.png"))


COMPLETE = ["complete", "{root}/coopnets", "{root}/in", "--out", "{root}/new", "--mask"]
SQUARE = ["--mask", "square:3", "--out", "{root}/new"]
REFUSED = {
    "no run": (["complete", "{root}/in", "{root}/in", *SQUARE], "in is no run folder"),
    "a run without a generator": (
        ["complete", "{root}/descriptor", "{root}/in", *SQUARE],
        "this run has no generator, so there are no latents; give one that has, such as coopnets/ runs",
    ),
    "a run without a descriptor": (
        ["complete", "{root}/generator", "{root}/in", *SQUARE, "--revision-steps", "3"],
        "generator has no descriptor to revise by; leave out --revision-steps",
    ),
    "negative revision": ([*COMPLETE, "square:3", "--revision-steps", "-3"], "revision_steps is -3"),
    "no pictures": (
        ["complete", "{root}/coopnets", "{root}/absent", *SQUARE],
        r"absent does not exist; give a picture, a folder of pictures, or a \.npy",
    ),
    "no pictures to convert": (
        ["complete", "{root}/coopnets", "{root}/absent.png", *SQUARE, "--convert"],
        r"absent\.png does not exist; give a picture",
    ),
    "a zip": (
        ["complete", "{root}/coopnets", "{root}/in.zip", *SQUARE],
        r"in\.zip is a zip, and pictures are needed as files of their own; unpack it and give the folder",
    ),
    "an empty folder": (["complete", "{root}/coopnets", "{root}/empty", *SQUARE], "empty has no images"),
    "a larger picture": (
        ["complete", "{root}/coopnets", "{root}/large.png", *SQUARE],
        r"large.png is 1 x 9 x 12 \(channels x height x width\) and this run knows images of 1 x 8 x 8; .*--convert",
    ),
    "a larger array": (["complete", "{root}/coopnets", "{root}/large.npy", *SQUARE], "large.npy is 1 x 9 x 8 .*resize"),
    "a picture in colour": (
        ["complete", "{root}/coopnets", "{root}/colour.png", *SQUARE],
        "colour.png is in colour, but grey is needed; .*--convert",
    ),
    "a broken picture": (["complete", "{root}/coopnets", "{root}/broken.png", *SQUARE], "cannot be read as an image"),
    "a broken picture to convert": (
        ["complete", "{root}/coopnets", "{root}/broken.png", *SQUARE, "--convert"],
        "broken.png cannot be read as an image",
    ),
    "no such mask": ([*COMPLETE, "circle:3"], r"--mask 'circle:3' is no square:SIZE and no picture"),
    "a square without a size": ([*COMPLETE, "square:big"], "--mask 'square:big' has no size in pixels"),
    "a square that is too large": ([*COMPLETE, "square:9"], "a square of 9 pixels was asked for .* from 1 to 7"),
    "a square over everything": ([*COMPLETE, "square:8"], "a square of 8 pixels was asked for"),
    "a square over nothing": ([*COMPLETE, "square:0"], "a square of 0 pixels was asked for"),
    "a mask over everything": ([*COMPLETE, "{root}/mask_all.png"], "mask_all.png hides everything; its white pixels"),
    "a mask over nothing": ([*COMPLETE, "{root}/mask_none.png"], "mask_none.png hides nothing; its white pixels"),
    "a mask of another size": (
        [*COMPLETE, "{root}/mask_wide.png"],
        r"mask_wide.png is 8 x 16 \(height x width\) and the images are 8 x 8; give a mask of that size",
    ),
    "a mask of another size than what is converted": (
        ["complete", "{root}/coopnets", "{root}/large.png", "--convert", *SQUARE[2:], "--mask", "{root}/mask_wide.png"],
        r"mask_wide.png is 8 x 16 .* the images are 8 x 8; give a mask of that size, or of the pictures' 9 x 12",
    ),
    "a random hole in what is damaged": (
        [*COMPLETE, "square:3", "--damaged"],
        "--mask is square:3, at a random place; of --damaged pictures, name one whose white is the hole",
    ),
    "no images": ([*COMPLETE, "square:3", "-n", "0"], "--n is 0"),
    "fewer than no steps": (
        [*COMPLETE, "square:3", "--steps", "-1"],
        "steps is -1; it needs to be a whole number of 0 or more",
    ),
    "no chains": ([*COMPLETE, "square:3", "--chains", "0"], "chains is 0; it needs to be a whole number of 1 or more"),
    "a mean of one": ([*COMPLETE, "square:3", "--keep", "mean"], "the mean of 1 chain is that chain; make more"),
    "no step size": ([*COMPLETE, "square:3", "--step-size", "0"], "a step_size above 0, not 0"),
    "no window": ([*COMPLETE, "square:3", "--settle", "0"], "a window of 1 step or more, not 0"),
    "a folder in use": (
        ["complete", "{root}/coopnets", "{root}/in", "--mask", "square:3", "--out", "{root}/in"],
        "in is there already: name another --out",
    ),
    "no picture to project": (
        ["project", "{root}/coopnets", "{root}/absent.png", "--out", "{root}/new"],
        r"absent\.png does not exist; give a picture",
    ),
    "a walk to nowhere": (
        ["project", "{root}/coopnets", "{root}/in/a.png", "--frames", "5", "--out", "{root}/new"],
        "--frames, --path and --revision-steps are of a walk, and there is none without IMAGE2",
    ),
    "a walk revised by nobody": (
        [*["project", "{root}/generator", "{root}/in/a.png", "{root}/in/b.png"], "--revision-steps", "3", *SQUARE[2:]],
        "generator has no descriptor to revise by; leave out --revision-steps",
    ),
    "revision without a walk": (
        ["project", "{root}/coopnets", "{root}/in/a.png", "--revision-steps", "3", "--out", "{root}/new"],
        "--frames, --path and --revision-steps are of a walk",
    ),
    "a walk from a folder": (
        ["project", "{root}/coopnets", "{root}/in", "{root}/in/a.png", "--out", "{root}/new"],
        "hold 4 pictures; a walk needs one at either end: name two files",
    ),
    "two of different sizes": (
        ["project", "{root}/coopnets", "{root}/in/a.png", "{root}/small.png", "--out", "{root}/new"],
        "small.png is 1 x 4 x 4",
    ),
    "no latents to project to": (
        ["project", "{root}/descriptor", "{root}/in/a.png", "--out", "{root}/new"],
        "this run has no generator, so there are no latents",
    ),
    "no images to project": (["project", "{root}/coopnets", "{root}/in", "-n", "0", "--out", "{root}/new"], "--n is 0"),
    "the first few of a walk": (
        ["project", "{root}/coopnets", "{root}/in", "{root}/in/a.png", "-n", "2", "--out", "{root}/new"],
        "a walk has its two ends; leave out -n, or IMAGE2",
    ),
    "a projection in use": (
        ["project", "{root}/coopnets", "{root}/in/a.png", "--out", "{root}/in.npy"],
        "in.npy is there already",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_mistakes_cost_one_sentence_and_leave_nothing(tutelage, root: Path, case: str) -> None:
    (root / "empty").mkdir(exist_ok=True)
    before = contents(root)
    arguments, words = REFUSED[case]
    refused(tutelage(*(argument.replace("{root}", str(root)) for argument in arguments)), words)
    assert contents(root) == before


def test_a_walk_of_one_frame_is_refused_before_the_projection(tutelage, root: Path, tmp_path: Path) -> None:
    images = [root / "in" / name for name in ("a.png", "b.png")]
    arguments = ["--steps", 1, "--frames", 1, "--out", tmp_path / "new"]
    said = tutelage("project", root / "coopnets", *images, *arguments)
    assert said.code == 2 and "a walk of 1 frames was asked for; it needs 2 or more" in said.err
    assert not (tmp_path / "new").exists()


def test_two_pictures_of_one_name_are_told_apart(tutelage, root: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.png").write_bytes((root / "in" / "b.png").read_bytes())
    images = root / "in" / "a.png", tmp_path / "other" / "a.png"
    said = tutelage("project", root / "generator", *images, "--out", tmp_path / "out", "--steps", 2)
    names = [entry["name"] for entry in json.loads((tmp_path / "out" / "results.json").read_text())]
    assert said.code == 0 and [name.partition("residual, ")[2] for name in names] == ["0 a.png", "1 a.png"]


@pytest.mark.parametrize("name", ["vae/mnist", "dcgan/mnist", "infogan/mnist", "flow-matching/mnist"])
def test_latents_of_what_others_generate(tutelage, root: Path, tmp_path: Path, name: str) -> None:
    assert train.train(tiny(name, {"plan.iterations": 1}), tiny_images(), tmp_path / "run", CPU, {}) == "done"
    arguments = [tmp_path / "run", root / "in" / "a.png", "--steps", 2, "--out"]
    complete = ["complete", *arguments, tmp_path / "completed", "--mask", "square:3"]
    for command in (complete, ["project", *arguments, tmp_path / "projected"], ["interpolate", tmp_path / "run"]):
        said = tutelage(*command)
        if name.startswith("flow"):
            refused(said, "this run has no generator, so there are no latents")
        elif name.startswith("info") and command[0] != "interpolate":
            refused(said, "latents are inferred along a gradient, and InfoGAN's categories have none; give a run of")
        else:
            assert said.code == 0, said.err
    if name in ("vae/mnist", "dcgan/mnist"):
        entry = json.loads((tmp_path / "completed" / "results.json").read_text())[0]
        assert entry["step_size"] == 0.1 and "generator completion error, square:3" in entry["name"]


@pytest.mark.parametrize(("run", "called"), [("coopnets", "CoopNets"), ("stretching", "Algorithm G")])
def test_of_damaged_pictures_no_error_is_told(tutelage, root: Path, tmp_path: Path, run: str, called: str) -> None:
    pixels = np.load(root / "in.npy")
    common = ["--mask", root / "mask_left.png", "--steps", 5, "--out"]
    for name, hidden in (("white", 255), ("black", 0)):  # what the mask hides
        pixels[:, :, :3] = hidden
        np.save(tmp_path / f"{name}.npy", pixels)
        said = tutelage("complete", root / run, tmp_path / f"{name}.npy", "--damaged", *common, tmp_path / name)
        assert said.code == 0 and "error" not in said.out and "PSNR" not in said.out
    for i in range(4):
        made = [(tmp_path / name / "completed" / f"{i:05d}.png").read_bytes() for name in ("white", "black")]
        assert made[0] == made[1], "what is hidden is not looked at"
    (entry,) = json.loads((tmp_path / "white" / "results.json").read_text())
    assert entry["name"] == f"{called} generator completion residual, {root / 'mask_left.png'}"
    each = json.loads((tmp_path / "white" / "images.json").read_text())
    assert entry["value"] == pytest.approx(np.mean([line["residual"] for line in each]))
    assert each[0].keys() == {"name", "file", "residual", "steps"}
    assert tutelage("complete", root / run, root / "in.npy", *common, tmp_path / "whole").code == 0
    wide, narrow = (pixels_of(tmp_path / name / "completion.png").shape[1] for name in ("whole", "white"))
    assert narrow < wide, "no panel of originals"


def test_a_mask_is_brought_to_the_size_as_pictures_are(tutelage, root: Path, tmp_path: Path) -> None:
    pixels = np.tile(np.arange(40, 200, 10, dtype=np.uint8), (16, 1))
    pixels[:, :5] = 255
    Image.fromarray(pixels).save(tmp_path / "torn.png")
    Image.fromarray(np.where(pixels == 255, 255, 0).astype(np.uint8)).save(tmp_path / "hole.png")
    common = ["complete", root / "coopnets", tmp_path / "torn.png", "--mask", tmp_path / "hole.png", "--damaged"]
    refused(tutelage(*common, "--out", tmp_path / "x"), "torn.png is 1 x 16 x 16")
    assert tutelage(*common, "--convert", "--steps", 3, "--out", tmp_path / "out").code == 0
    occluded = pixels_of(tmp_path / "out" / "occluded" / "00000.png")
    assert (occluded[:, :3] == 128).all(), "2.5 pixels: whatever the hole reaches"
    assert (occluded[:, 4:] < 200).all() and (np.diff(occluded[:, 4:].astype(int)) > 0).all()


def test_a_damaged_picture_needs_colours_that_are_seen(tutelage, root: Path, tmp_path: Path) -> None:
    pixels = np.full((1, 8, 8), 120, np.uint8)
    pixels[:, :, :3] = 255  # what the mask hides
    np.save(tmp_path / "torn.npy", pixels)
    terms = ["--mask", root / "mask_left.png", "--damaged", "--out", tmp_path / "out"]
    said = tutelage("complete", root / "stretching", tmp_path / "torn.npy", *terms)
    refused(said, "is of one colour")


def test_a_run_of_patches_has_no_latents(tutelage, root: Path, tmp_path: Path) -> None:
    assert train.train(tiny("igm/texture", {"plan.rounds": 1}), tiny_texture(), tmp_path / "igm", CPU, {}) == "done"
    arguments = ["complete", tmp_path / "igm", root / "in", "--mask", "square:3", "--out", tmp_path / "out"]
    refused(tutelage(*arguments), "this run has no generator, so there are no latents")


def test_divergence_is_said_and_leaves_nothing(tutelage, root: Path, tmp_path: Path) -> None:
    arguments = ["--mask", "square:3", "--step-size", "1e12", "--out", tmp_path / "out"]
    said: Said = tutelage("complete", root / "coopnets", root / "in", *arguments)
    assert said.code == 2 and re.search("inference left the finite numbers .* make the steps smaller", said.err)
    assert not (tmp_path / "out").exists()


ENDINGS = pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "tutelage: interrupted"),
        (DivergenceError("inference left the finite numbers"), 2, "tutelage: inference left the finite numbers"),
    ],
    ids=["ctrl-c", "divergence"],
)


def end_at_the_third(module: ModuleType, name: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """One image at a time goes through ``module.name``, which raises ``error`` at the third."""
    usual, begun = getattr(module, name), []

    def ending(*arguments):
        begun.append(arguments)
        if len(begun) == 3:
            raise error
        return usual(*arguments)

    monkeypatch.setattr(module, name, ending)
    monkeypatch.setattr("tutelage.run.inferring.images_per_chunk", lambda *_: 1)


@ENDINGS
def test_what_is_done_is_written_where_something_ends_the_rest(
    tutelage, root: Path, tmp_path: Path, monkeypatch, error: BaseException, code: int, says: str
) -> None:
    end_at_the_third(completion, "complete", error, monkeypatch)
    out = tmp_path / "out"
    arguments = ["complete", root / "coopnets", root / "in", "--mask", "square:4", "--steps", 2, "--out", out]
    said = tutelage(*arguments)
    assert said.code == code and said.err.splitlines()[-1] == says
    assert f"Stopped after 2 of 3 images, which are written. Look at {out / 'completion.png'}" in said.out
    assert [(entry["n"], entry["of"]) for entry in json.loads((out / "results.json").read_text())] == [(2, 3)] * 2
    assert [line["name"] for line in json.loads((out / "images.json").read_text())] == ["a.png", "b.png"]
    assert sorted(path.name for path in (out / "completed").iterdir()) == ["00000.png", "00001.png"]


@ENDINGS
def test_latents_that_are_found_are_written_where_something_ends_the_rest(
    tutelage, root: Path, tmp_path: Path, monkeypatch, error: BaseException, code: int, says: str
) -> None:
    end_at_the_third(projecting, "project", error, monkeypatch)
    out = tmp_path / "out"
    said = tutelage("project", root / "coopnets", root / "in", "--steps", 2, "--out", out)
    assert said.code == code and said.err.splitlines()[-1] == says
    assert f"Stopped after 2 of 3 images, which are written. Look at {out / 'projection.png'}" in said.out
    entries = json.loads((out / "results.json").read_text())
    assert [entry["name"].partition("residual, ")[2] for entry in entries] == ["a.png", "b.png"]
    assert np.load(out / "latents.npy").shape == (2, 3)


def test_a_walk_that_is_stopped_leaves_its_ends(tutelage, root: Path, tmp_path: Path, monkeypatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tutelage.apps.interpolation.between", stop)
    images = [root / "in" / name for name in ("a.png", "b.png")]
    assert tutelage("project", root / "coopnets", *images, "--steps", 2, "--out", tmp_path / "out").code == 130
    assert np.load(tmp_path / "out" / "latents.npy").shape == (2, 3)
    assert not (tmp_path / "out" / "interpolation.png").exists()
