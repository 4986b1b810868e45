"""What a person gives to a run is cut as the pictures that it learned from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import call, settings
from tiny_recipes import from_texts, tiny
from tutelage.checks import InputError
from tutelage.cli.learning import _negatives
from tutelage.data import DataSpec, load
from tutelage.recipes import by_name
from tutelage.run import train
from tutelage.run.folder import RunFolder, create
from tutelage.run.given import read_images, read_mask

SPEC = DataSpec("folder", (8, 8), 1, centre=12)


pytestmark = pytest.mark.usefixtures("nowhere")


def photographs(folder: Path, count: int = 4, size: tuple[int, int] = (21, 17)) -> Path:
    """Noise of ``size``, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        Image.fromarray(rng.integers(60, 200, size, dtype=np.uint8)).save(folder / f"{i}.png")
    return folder


def test_given_pictures_are_those_that_learning_saw(tmp_path: Path) -> None:
    folder = photographs(tmp_path / "in")
    learned, given = load(SPEC, folder).train, read_images([folder], SPEC, convert=True)
    assert given.names == [f"{i}.png" for i in range(4)]
    assert np.array_equal(given.images.pixels, learned.pixels)
    one = read_images([folder / "2.png"], SPEC, convert=True).images
    assert np.array_equal(one.pixels, learned.pixels[2:3])
    whole = read_images([folder], DataSpec("folder", (8, 8), 1), convert=True).images
    assert (whole.pixels != learned.pixels).any()


def test_what_has_the_size_of_the_run_is_not_cut_again(tmp_path: Path) -> None:
    spec = DataSpec("folder", (8, 6), 1, centre=12)
    folder = photographs(tmp_path / "in", size=(8, 6))
    pixels = np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])[:, None]
    np.save(tmp_path / "in.npy", pixels)
    for convert in (False, True):
        for place in (folder, tmp_path / "in.npy"):
            assert np.array_equal(read_images([place], spec, convert).images.pixels, pixels)


def test_a_smaller_picture_gives_its_largest_square(tmp_path: Path) -> None:
    folder = photographs(tmp_path / "in", size=(8, 11))
    pixels = np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])
    found = read_images([folder], SPEC, convert=True).images.pixels
    assert np.array_equal(found[:, 0], pixels[:, :, 1:9])


def test_without_conversion_it_is_said_what_that_would_cut(tmp_path: Path) -> None:
    folder = photographs(tmp_path / "in")
    says = r"0\.png is 1 x 21 x 17 .*; resize it, or pass --convert, which cuts out the centre of 12 x 12 as learning"
    with pytest.raises(InputError, match=says):
        read_images([folder], SPEC)
    with pytest.raises(InputError, match=r"; resize it, or pass --convert$"):
        read_images([folder], DataSpec("folder", (8, 8), 1))


def test_a_mask_is_cut_as_the_picture_that_it_lies_on(tmp_path: Path) -> None:
    hole = np.zeros((21, 17), np.uint8)
    hole[:, :8] = 255  # of the 12 columns that are cut out, which begin at 2, half; of all 17, less than half
    Image.fromarray(hole).save(tmp_path / "hole.png")
    given = read_images([photographs(tmp_path / "in", 1)], SPEC, convert=True)
    mask = read_mask(str(tmp_path / "hole.png"), given, 0, centre=12)
    assert (mask[..., :5] == 0).all() and (mask[..., 6:] == 1).all()
    hole[:, 2:] = 0
    Image.fromarray(hole).save(tmp_path / "outside.png")
    with pytest.raises(InputError, match=r"outside\.png hides nothing"):
        read_mask(str(tmp_path / "outside.png"), given, 0, centre=12)
    own = np.zeros((8, 8), np.uint8)
    own[0, 0] = 255
    Image.fromarray(own).save(tmp_path / "own.png")
    seen = read_mask(str(tmp_path / "own.png"), given, 0, centre=12)
    assert seen[0, 0, 0, 0] == 0 and seen.sum() == 63


@pytest.mark.parametrize("side", [16, 60, 64, 65, 100, 256])  # of pictures that are enlarged, cropped, and shrunk
def test_no_pixel_that_is_seen_knows_of_the_damage(tmp_path: Path, side: int) -> None:
    hole = np.zeros((side, side), bool)
    hole[side * 2 // 5 : side * 3 // 5, side // 3 : side * 2 // 3] = True
    hole[:, side // 7] = True  # a scratch
    Image.fromarray(255 * hole.astype(np.uint8)).save(tmp_path / "hole.png")
    spec, colours = DataSpec("folder", (64, 64), 1), np.random.default_rng(0).integers(0, 256, (side, side))
    found = []
    for damage in (np.full_like(colours, 255), np.zeros_like(colours), colours):
        Image.fromarray(np.where(hole, damage, 60).astype(np.uint8)).save(tmp_path / "torn.png")
        found.append(read_images([tmp_path / "torn.png"], spec, convert=True))
    mask = read_mask(str(tmp_path / "hole.png"), found[0], 0)[0, 0].bool().numpy()
    assert 0.2 < mask.mean() < 0.95
    for given in found:
        assert (given.images.pixels[0, 0][mask] == 60).all()


def test_a_mask_is_never_cut_otherwise_than_the_pictures(tmp_path: Path) -> None:
    for side in (15, 16):  # of which the second would be cut as the pictures are scaled, and the first otherwise
        hole = np.zeros((15, side), np.uint8)
        hole[:5] = 255
        Image.fromarray(hole).save(tmp_path / f"{side}.png")
    spec, alike = DataSpec("folder", (8, 8), 1), photographs(tmp_path / "alike", 2, (15, 16))
    photographs(tmp_path / "both", 1, (15, 16))
    photographs(tmp_path / "both" / "more", 1, (15, 15))
    given = read_images([alike], spec, convert=True)
    assert given.sizes == [(15, 16)] * 2
    assert read_mask(str(tmp_path / "16.png"), given, 0).shape == (1, 1, 8, 8)
    says = r"15\.png is 15 x 15 \(height x width\) and the images are 8 x 8; give a mask of that size"
    with pytest.raises(InputError, match=f"{says}, or of the pictures' 15 x 16$"):
        read_mask(str(tmp_path / "15.png"), given, 0)
    with pytest.raises(InputError, match=f"{says}, since the pictures are of several$"):
        read_mask(str(tmp_path / "15.png"), read_images([tmp_path / "both"], spec, convert=True), 0)


def test_a_run_with_a_centre_is_resumed_and_completes_the_same_crops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    resume = train.resume

    def tutelage(*arguments: object) -> None:
        said = call(list(arguments), capsys)
        assert said.code == 0, said.err

    folder, run, learned = photographs(tmp_path / "in", 10), tmp_path / "run", []
    changes = settings("coopnets/mnist", data__kind="folder", data__centre="12", plan__iterations="2")
    tutelage("train", "coopnets/mnist", "--data", folder, "--out", run, "--minutes", 0, *changes)
    assert RunFolder(run).recipe().data == SPEC
    monkeypatch.setattr(train, "resume", lambda of, images, *rest: learned.append(images) or resume(of, images, *rest))
    tutelage("resume", run)
    assert np.array_equal(learned[0].pixels, load(SPEC, folder).train.pixels)

    out, mask = tmp_path / "out", tmp_path / "mask.png"
    hole = np.zeros((21, 17), np.uint8)
    hole[:, :8] = 255
    Image.fromarray(hole).save(mask)
    tutelage("complete", run, folder, "--convert", "--mask", mask, "--steps", 1, "--out", out)
    seen = read_mask(str(mask), read_images([folder], SPEC, convert=True), 0, centre=12)[0, 0].bool().numpy()
    for image, whole in zip(sorted((out / "occluded").iterdir()), learned[0].pixels, strict=True):
        occluded = np.asarray(Image.open(image))
        assert np.array_equal(occluded[seen], whole[0][seen]) and (occluded[~seen] == 128).all()


def test_a_run_of_before_data_had_a_centre_sees_whole_pictures(tmp_path: Path) -> None:
    create(tmp_path / "run", tiny("coopnets/mnist", {"data.kind": "folder"}), {"observations": 4})
    written = json.loads((tmp_path / "run" / "recipe.json").read_text())
    del written["data"]["centre"], written["data"]["extra"]
    (tmp_path / "run" / "recipe.json").write_text(json.dumps(written))
    assert RunFolder(tmp_path / "run").recipe().data == DataSpec("folder", (8, 8), 1)


def test_pictures_to_be_told_apart_from_are_cut_too_and_have_no_extra_ones(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "in" / "a.png")
    for name, changes in (("igm/svhn32", {"data.extra": "true"}), ("igm/faces64", {"data.centre": "108"})):
        recipe = from_texts(by_name(name), changes)
        negatives = _negatives(recipe, tmp_path / "in")
        expected = load(replace(recipe.data, kind="folder", extra=False), tmp_path / "in").train.pixels
        assert np.array_equal(negatives.numpy(), expected)


@pytest.mark.parametrize("convert", [False, True])
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, convert: bool) -> None:
    folder = photographs(tmp_path / "in", 1, (8, 8))

    def forbidden(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(InputError, match=r"0\.png cannot be read \(Permission denied\); name a picture file"):
        read_images([folder / "0.png"], DataSpec("folder", (8, 8), 1), convert=convert)
