"""From a few words in a recipe to the images."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from idx_files import write_mnist
from tutelage.checks import InputError
from tutelage.data import DataSpec, class_folders, class_labels, find, find_each, labels, load
from tutelage.data.idx import idx_file
from tutelage.data.named import VALIDATION, Kind

MNIST = DataSpec("mnist", (6, 6), 1)


pytestmark = pytest.mark.usefixtures("nowhere")


@pytest.mark.parametrize("below", ["", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("named", ["path", "environment"])
def test_where_mnist_may_lie(tmp_path, monkeypatch, below, named):
    write_mnist(tmp_path / "data" / below)
    if named == "environment":
        monkeypatch.setenv("TUTELAGE_DATA", str(tmp_path / "data"))
    assert find("mnist", tmp_path / "data" if named == "path" else None) == tmp_path / "data" / below


def test_a_path_comes_before_the_environment(tmp_path, monkeypatch):
    write_mnist(tmp_path / "one")
    write_mnist(tmp_path / "two")
    monkeypatch.setenv("TUTELAGE_DATA", str(tmp_path / "one"))
    assert find("mnist", str(tmp_path / "two")) == tmp_path / "two"


def test_an_earlier_download_is_found_when_nothing_is_named(tmp_path, monkeypatch):
    write_mnist(tmp_path / "cache" / "mnist")
    assert find("mnist") == tmp_path / "cache" / "mnist"
    monkeypatch.setenv("TUTELAGE_DATA", "")
    assert find("mnist") == tmp_path / "cache" / "mnist"
    with pytest.raises(InputError, match="MNIST was not found"):
        find("mnist", tmp_path / "wrong")


@pytest.mark.parametrize("root", ["empty", "missing", None])
def test_mnist_is_nowhere(tmp_path, root):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        load(MNIST, root and tmp_path / root)
    message = str(caught.value)
    assert str(tmp_path / root if root else tmp_path / "cache" / "mnist") in message
    assert all(way in message for way in ("--data FOLDER", "TUTELAGE_DATA", "--download"))


def test_nothing_is_fetched_unless_asked(tmp_path, monkeypatch):
    fetched = []

    def fetch(cache):
        fetched.append(cache)
        write_mnist(tmp_path / "fetched")
        return tmp_path / "fetched"

    monkeypatch.setattr("tutelage.data.named.fetch_mnist", fetch)
    with pytest.raises(InputError, match="MNIST was not found"):
        find("mnist", cache=tmp_path)
    assert fetched == []
    assert find("mnist", cache=tmp_path, download=True) == tmp_path / "fetched"
    assert find("mnist", tmp_path / "fetched", download=True) == tmp_path / "fetched"
    assert fetched == [tmp_path]


def test_a_download_that_was_broken_off_is_gone_on_with(tmp_path, monkeypatch):
    fetched = []
    monkeypatch.setattr("tutelage.data.named.fetch_mnist", lambda cache: fetched.append(cache) or tmp_path / "whole")
    folder = tmp_path / "mnist"
    write_mnist(folder)
    assert find("mnist", cache=tmp_path, download=True) == folder and fetched == []
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    assert find("mnist", cache=tmp_path, download=True) == tmp_path / "whole" and fetched == [tmp_path]
    # a folder that is named may hold another set in MNIST's form, which MNIST must not stand in for
    assert find("mnist", tmp_path, cache=tmp_path, download=True) == folder


def test_loading_mnist_of_another_size(tmp_path):
    write_mnist(tmp_path, train=10_002, side=3)
    assert len(load(DataSpec("mnist", (3, 3), 1), tmp_path).train) == 2
    with pytest.raises(InputError, match=r"are 1 x 3 x 3 \(channels, height, width\), but the recipe needs 1 x 6 x 6"):
        load(MNIST, tmp_path)


def test_loading_a_folder(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (12, 9)).save(tmp_path / "in" / "1.png")
    assert load(DataSpec("folder", (6, 7), 3), tmp_path / "in").train.shape == (3, 6, 7)
    assert load(DataSpec("folder", (6, 7), 1, convert=True), tmp_path / "in").train.shape == (1, 6, 7)
    assert load(DataSpec("folder", (60, 7), 3, enlarge=True), tmp_path / "in").train.shape == (3, 60, 7)
    with pytest.raises(InputError, match=r"1\.png is in colour, but grey is needed; convert it, pass --convert, or"):
        load(DataSpec("folder", (6, 7), 1), tmp_path / "in")
    monkeypatch.setenv("TUTELAGE_DATA", str(tmp_path / "in"))
    assert len(load(DataSpec("folder", (6, 7), 3)).train) == 1


def test_loading_an_array(tmp_path):
    np.save(tmp_path / "a.npy", np.tile([0.0, 1.0], (5, 4, 2)))
    spec = DataSpec("array", (4, 4), 1, value_range=(0.0, 1.0))
    splits = load(spec, tmp_path / "a.npy")
    assert splits.train.pixels[0, 0, 0].tolist() == [0, 255, 0, 255]
    assert splits.validation is None and splits.test is None
    with pytest.raises(InputError, match=r"are 1 x 4 x 4 .*needs 3 x 4 x 4"):
        load(DataSpec("array", (4, 4), 3, (0.0, 1.0)), tmp_path / "a.npy")


def test_loading_the_digits():
    splits = load(DataSpec("digits", (16, 20), 1))
    assert splits.train.shape == (1, 16, 20)
    with pytest.raises(InputError, match="needs 3 x 8 x 8"):
        load(DataSpec("digits", (8, 8), 3))


def test_loading_a_zip(tmp_path):
    for name, value in (("train/cats/1.png", 10), ("train/dogs/1.png", 20), ("val/dogs/1.png", 30)):
        with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive, archive.open(name, "w") as file:
            Image.new("RGB", (6, 6), (value,) * 3).save(file, "PNG")
    splits = load(DataSpec("zip", (6, 6), 3, subset="dogs"), tmp_path / "a.zip")
    assert splits.validation and [len(splits.train), len(splits.validation)] == [1, 1]
    assert (splits.train.pixels == 20).all() and (splits.validation.pixels == 30).all()
    assert class_folders(tmp_path / "a.zip") == ("cats", "dogs")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(tmp_path / "a")
    assert class_folders(tmp_path / "a") == ("cats", "dogs") and class_folders(tmp_path / "a" / "train" / "cats") == ()
    with pytest.raises(InputError, match="cats holds 1 of the 2 images that were asked of each folder"):
        load(DataSpec("folder", (6, 6), 3, subset=("cats", "dogs"), each=2), tmp_path / "a")


def test_loading_one_picture(tmp_path):
    Image.fromarray(np.arange(99, dtype=np.uint8).reshape(9, 11)).save(tmp_path / "a.png")
    for crops, count in ((0, 1), (5, 5)):
        splits = load(DataSpec("image", (4, 4), 1, crops=crops), tmp_path / "a.png")
        assert len(splits.train) == count and splits.validation is None and splits.test is None


def test_loading_sets_of_another_size(tmp_path):
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        (tmp_path / name).write_bytes(bytes(3073))
    assert len(load(DataSpec("cifar10", (32, 32), 3), tmp_path).train) == 5
    with pytest.raises(InputError, match=r"are 3 x 32 x 32 .*needs 1 x 32 x 32"):
        load(DataSpec("cifar10", (32, 32), 1), tmp_path)


def test_scaling_each_image_by_itself(tmp_path):
    values = np.random.default_rng(0).integers(50, 90, (5, 4, 4), dtype=np.uint8)
    np.save(tmp_path / "a.npy", values)
    batch = load(DataSpec("array", (4, 4), 1, scaling="per-image"), tmp_path / "a.npy").train.batch(slice(None))
    assert (batch.amin((1, 2, 3)) == -1).all() and (batch.amax((1, 2, 3)) == 1).all()
    values[3] = 7
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match=r"image 3 of 'a\.npy' is of one colour, but per-image scaling needs"):
        load(DataSpec("array", (4, 4), 1, scaling="per-image"), tmp_path / "a.npy")
    assert len(load(DataSpec("array", (4, 4), 1), tmp_path / "a.npy").train) == 5


def test_a_file_of_one_colour_is_named_where_each_image_is_scaled(tmp_path):
    (tmp_path / "in").mkdir()
    Image.linear_gradient("L").save(tmp_path / "in" / "1.png")
    Image.new("L", (256, 256)).save(tmp_path / "in" / "2.png")
    spec = DataSpec("folder", (64, 64), 1, scaling="per-image")
    with pytest.raises(InputError, match=r"2\.png is of one colour, but per-image scaling needs .*--skip-bad"):
        load(spec, tmp_path / "in")
    with pytest.warns(UserWarning, match=r"1 of 2 image files were left out: .*2\.png is of one colour"):
        images = load(replace(spec, skip_bad=True), tmp_path / "in").train
    assert len(images) == 1 and images.stretch


MANY = r"a folder or a \.zip of images"


@pytest.mark.parametrize(
    ("kind", "needed"), [("folder", MANY), ("array", r"a \.npy file"), ("zip", MANY), ("image", "a picture")]
)
def test_a_folder_or_file_is_missing(tmp_path, kind, needed):
    (tmp_path / "file").touch()
    wrong, is_ = (tmp_path / "file", "is a file") if kind in ("folder", "zip") else (tmp_path, "is a folder")
    for path, state in ((None, "no data were named"), (tmp_path / "x", "does not exist"), (wrong, is_)):
        with pytest.raises(InputError, match=f"{state}; give {needed} with --data, or set TUTELAGE_DATA"):
            load(DataSpec(kind, (4, 4), 1), path)


def test_a_folder_given_for_a_picture_is_helped(tmp_path):
    with pytest.raises(
        InputError, match=r"is a folder; .*or read this folder with --set data.kind=folder data.crops=0"
    ):
        find("image", tmp_path)


@pytest.mark.parametrize("named", ["path", "environment"])
@pytest.mark.parametrize(("kind", "found"), [("image", ["a", "b"]), ("video", ["a", "b", "frames"])])
def test_each_of_a_folder_is_found_by_its_name(tmp_path, monkeypatch, named, kind, found):
    for name in ("b.png", "a.jpg", ".hidden.png"):
        (tmp_path / name).touch()
    (tmp_path / "frames").mkdir()
    monkeypatch.setenv("TUTELAGE_DATA", str(tmp_path if named == "environment" else tmp_path / "wrong"))
    each = find_each(kind, tmp_path if named == "path" else None)
    assert [*each] == found and each["b"] == tmp_path / "b.png"
    assert find_each(kind, str(tmp_path / "a.jpg")) == {"a": tmp_path / "a.jpg"}


@pytest.mark.parametrize(("kind", "many"), [("image", "pictures"), ("video", "clips")])
def test_a_folder_of_nothing_or_of_two_of_one_name_is_refused(tmp_path, monkeypatch, kind, many):
    with pytest.raises(InputError, match=f"has no {many}; give a folder of {many}"):
        find_each(kind, tmp_path)
    for ending in ("png", "jpg"):
        (tmp_path / f"bark.{ending}").touch()
    with pytest.raises(
        InputError, match=rf"has {many} of one name, bark\.jpg, bark\.png; rename or move all of them but one"
    ):
        find_each(kind, tmp_path)
    with pytest.raises(InputError, match="does not exist; give a"):
        find_each(kind, tmp_path / "nowhere")
    monkeypatch.delenv("TUTELAGE_DATA", raising=False)
    with pytest.raises(InputError, match="no data were named; give a"):
        find_each(kind)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_zip_and_the_folder_it_unpacks_to_may_be_given_for_each_other(tmp_path, kind):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.linear_gradient("L").save(folder / "1.png")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(folder / "1.png", "1.png")
    spec = DataSpec(kind, (8, 8), 1)
    of_folder, of_zip = (load(spec, tmp_path / name).train for name in ("in", "in.zip"))
    assert of_folder.sha256 == of_zip.sha256 and (of_folder.pixels == of_zip.pixels).all()


def marked(height: int, width: int, side: int = 8) -> Image.Image:
    """Black, with a square in the middle that goes from 100 to 163, pixel by pixel."""
    pixels = np.zeros((height, width), np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    pixels[top : top + side, left : left + side] = CENTRE
    return Image.fromarray(pixels)


CENTRE = 100 + np.arange(64, dtype=np.uint8).reshape(8, 8)


def test_the_centre_of_each_picture_is_learned_from(tmp_path):
    sizes = {"train/a.png": (21, 17), "train/b.png": (8, 8), "train/c.png": (9, 40), "test/d.png": (30, 12)}
    for name, size in sizes.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        marked(*size).save(tmp_path / "in" / name)
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name in sizes:
            archive.write(tmp_path / "in" / name, name)
    spec = DataSpec("folder", (8, 8), 1, centre=8)
    of_folder, of_zip = load(spec, tmp_path / "in"), load(replace(spec, kind="zip"), tmp_path / "in.zip")
    for splits in (of_folder, of_zip):
        assert splits.test is not None and [len(splits.train), len(splits.test)] == [3, 1]
        assert (splits.train.pixels == CENTRE).all() and (splits.test.pixels == CENTRE).all()
    assert of_folder.train.sha256 == of_zip.train.sha256
    whole = load(replace(spec, centre=None), tmp_path / "in").train  # made apart, of the same files
    assert whole.sha256 == of_folder.train.sha256 and (whole.pixels != of_folder.train.pixels).any()
    assert len(list((tmp_path / "cache").glob("images-*.npy"))) == 4


def test_the_cache_of_whole_pictures_is_as_it_was(tmp_path):
    (tmp_path / "in").mkdir()
    marked(20, 20).save(tmp_path / "in" / "a.png")
    for centre in (None, 10):
        load(DataSpec("folder", (8, 8), 1, centre=centre), tmp_path / "in")
    words = [json.loads(path.read_text())["transforms"] for path in (tmp_path / "cache").glob("*.json")]
    plain = ["exif rotation", "only what fits", "grey", "bicubic to cover 8 x 8, centre cut at whole pixels"]
    assert sorted(words, key=len) == [plain, [*plain[:3], "centre of 10 x 10", plain[3]]]


def test_pictures_smaller_than_the_centre(tmp_path):
    (tmp_path / "in").mkdir()
    for name, size in {"a": (20, 20), "b": (9, 20)}.items():
        marked(*size).save(tmp_path / "in" / f"{name}.png")
    spec = DataSpec("folder", (8, 8), 1, centre=10)
    with pytest.raises(InputError, match=r"b\.png is 9 x 20 .*smaller than the centre asked for, 10 x 10.*--skip-bad"):
        load(spec, tmp_path / "in")
    with pytest.warns(UserWarning, match=r"1 of 2 image files were left out: .*b\.png is 9 x 20 \(height x width\)"):
        assert len(load(replace(spec, skip_bad=True), tmp_path / "in").train) == 1
    assert len(load(replace(spec, enlarge=True), tmp_path / "in").train) == 2


def test_a_picture_is_shrunk_before_it_is_cut(tmp_path):
    Image.linear_gradient("L").resize((64, 96)).save(tmp_path / "1.png")
    spec = DataSpec("image", (16, 16), 1, crops=3, shorter=16)
    images = load(spec, tmp_path / "1.png").train
    # 16 x 24 now: a crop is 16 of 24 rows, so its rows span two thirds of the gradient
    spans = np.ptp(images.pixels[:, 0].astype(float), axis=(1, 2))
    assert images.shape == (1, 16, 16) and abs(spans.mean() - 255 * 15 / 23) < 8
    whole = load(replace(spec, shorter=None), tmp_path / "1.png").train
    assert np.ptp(whole.pixels.astype(float), axis=(2, 3)).max() < 60


@pytest.mark.parametrize(("crops", "shorter"), [(0, 16), (3, 0)])
def test_a_shorter_side_belongs_to_crops(crops, shorter):
    with pytest.raises(InputError, match=rf"a shorter side of {shorter} pixels was asked for, with {crops} crops"):
        DataSpec("image", (16, 16), 1, crops=crops, shorter=shorter)


@pytest.mark.parametrize(("kind", "title"), [("cifar10", "CIFAR-10"), ("svhn", "SVHN")])
def test_a_set_is_nowhere(tmp_path, kind, title):
    with pytest.raises(InputError, match=rf"{title} was not found \(looked in: .*{tmp_path.name}, .*with --data or"):
        find(kind, tmp_path)
    with pytest.raises(InputError, match=r"no data were named; give .* with --data, or set TUTELAGE_DATA"):
        find(kind)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (("mnist", (0, 28), 1), r"the image size is \(0, 28\)"),
        (("mnist", (28,), 1), r"the image size is \(28,\)"),
        (("mnist", (28, 28), 2), "the number of channels is 2; give 1 for grey or 3 for RGB"),
    ],
)
def test_an_impossible_spec_is_refused(fields, says):
    with pytest.raises(InputError, match=says):
        DataSpec(*fields)


@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        ("image", {"crops": -1}, "the number of crops is -1; give 0 for the whole picture"),
        ("zip", {"crops": 4}, "4 crops were asked of data of kind zip; only kind image is cropped"),
        ("image", {"each": 5}, "5 images of each folder were asked of data of kind image; give 1 or more, of a folder"),
        ("zip", {"each": 0}, "0 images of each folder"),
        ("image", {"subset": "cats"}, "the subset 'cats' was asked of data of kind image; only folder and zip have"),
        ("image", {"centre": 9}, "a centre of 9 pixels was asked of data of kind image; only the pictures of a"),
        ("svhn", {"centre": 9}, "a centre of 9 pixels was asked of data of kind svhn"),
        ("zip", {"centre": -9}, "a centre of -9 pixels was asked for; give 1 or more"),
        ("folder", {"centre": 7}, "a centre of 7 x 7 pixels was asked for, smaller than the size, 8 x 8; ask for a"),
        ("cifar10", {"extra": True}, "extra images were asked of data of kind cifar10; only svhn has some: leave out"),
    ],
)
def test_what_a_kind_does_not_have_is_refused(kind, fields, says):
    with pytest.raises(InputError, match=says):
        DataSpec(kind, (8, 8), 1, **fields)


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="'imagenet'; give one of mnist, folder, array, digits"):
        load(DataSpec("imagenet", (4, 4), 1))  # type: ignore[arg-type]


def test_labels_are_those_of_the_images(tmp_path):
    write_mnist(tmp_path, train=VALIDATION + 7, test=5)
    whole, of_test = (labels(idx_file(tmp_path, f"{part}-labels-idx1-ubyte")) for part in ("train", "t10k"))
    found = class_labels(DataSpec("mnist", (6, 6), 1), tmp_path)
    assert found.train.tolist() == whole[:7].tolist()
    assert found.validation is not None and found.validation.tolist() == whole[7:].tolist()
    assert found.test is not None and found.test.tolist() == of_test.tolist()


def test_the_last_pictures_are_held_out_with_digests_of_their_own(tmp_path: Path) -> None:
    pixels = np.arange(7, dtype=np.uint8).repeat(16).reshape(7, 4, 4)
    np.save(tmp_path / "a.npy", pixels)
    whole = load(DataSpec("array", (4, 4), 1), tmp_path / "a.npy").train
    splits = load(DataSpec("array", (4, 4), 1, held_out=2), tmp_path / "a.npy")
    assert splits.validation is None and splits.test is not None
    assert torch.equal(splits.train.batch(slice(None)), whole.batch(slice(0, 5)))
    assert torch.equal(splits.test.batch(slice(None)), whole.batch(slice(5, 7)))
    others = load(DataSpec("array", (4, 4), 1, held_out=3), tmp_path / "a.npy")
    digests = [some.sha256 for some in (whole, splits.train, splits.test, others.train)]
    assert len(set(digests)) == 4 and {len(digest) for digest in digests} == {64}
    assert load(DataSpec("array", (4, 4), 1, held_out=2), tmp_path / "a.npy").train.sha256 == splits.train.sha256
    with pytest.raises(InputError, match=r"7 of 7 images were to be held out of .*a\.npy; hold out fewer"):
        load(DataSpec("array", (4, 4), 1, held_out=7), tmp_path / "a.npy")


def test_what_is_held_out_already_is_not_held_out_again(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / "in" / name).mkdir(parents=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "in" / name / "a.png")
    assert load(DataSpec("folder", (4, 4), 1), tmp_path / "in").test is not None
    with pytest.raises(InputError, match=r"in holds images out already; leave out data\.held_out"):
        load(DataSpec("folder", (4, 4), 1, held_out=1), tmp_path / "in")


@pytest.mark.parametrize(("kind", "count"), [("folder", -1), ("mnist", 5), ("image", 1)])
def test_only_data_that_hold_none_out_can_be_told_to(kind: Kind, count: int) -> None:
    with pytest.raises(InputError, match=f"{count} images were to be held out of data of kind {kind}; give 0 or more"):
        DataSpec(kind, (4, 4), 1, held_out=count)
