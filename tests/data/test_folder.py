"""A folder of image files becomes a set of one size."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tutelage.checks import InputError
from tutelage.data import Fit, files, folder_images, folder_splits
from tutelage.data.files import Files
from tutelage.data.folder import picture_files

GREY, RGB = Fit((4, 4), 1), Fit((4, 4), 3)


def save(path: Path, color=(10, 20, 30), size: tuple[int, int] = (8, 8), mode: str = "RGB", **options) -> Path:
    """A picture of one colour; ``size`` is (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size[1], size[0]), color).save(path, **options)
    return path


@pytest.fixture
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of change are believed at once, as if every file were old."""
    monkeypatch.setattr("tutelage.data.listing.AT_REST", -1e9)


def test_every_format_in_the_order_of_the_paths(tmp_path):
    source = tmp_path / "pictures"
    names = ["a/2.png", "a/b/1.JPG", "a.webp", "z.jpeg", "B.bmp", "m.gif", "t.tif", "u.TIFF", "j.jfif", "p.ppm"]
    names += ["g.pgm"]
    values = {name: 20 * (index + 1) for index, name in enumerate(sorted(names))}
    for name, value in values.items():
        colour = {"mode": "L", "color": value} if name.endswith("pgm") else {"color": (value,) * 3}
        save(source / name, **colour, **({"format": "JPEG"} if name.endswith("jfif") else {}))
    (source / "notes.txt").write_text("no image")
    (source / "phone.heic").write_bytes(b"")
    save(source / ".hidden.png")
    save(source / ".thumbnails" / "1.png")
    with pytest.warns(
        UserWarning, match=r"pictures: pictures of these kinds are passed over: 1 \.heic; save them as PNG"
    ):
        images = folder_images(source, Fit((8, 8), 1, convert=True), cache=tmp_path / "cache")
    assert images.shape == (1, 8, 8) and images.name == "pictures" and isinstance(images.pixels, np.memmap)
    means = images.pixels.mean((1, 2, 3))
    assert np.abs(means - sorted(values.values())).max() <= 2  # webp and jpeg lose a little


def test_links_to_folders_are_followed_and_circles_are_not(tmp_path):
    source = tmp_path / "pictures"
    for name in ("cats/1.png", "cats/more/2.png"):
        save(source / name)
    save(tmp_path / "elsewhere" / "3.png")
    (source / "dogs").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (source / "wolves").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (source / "cats" / "more" / "again").symlink_to(source, target_is_directory=True)
    images = folder_images(source, RGB, cache=tmp_path / "cache")
    assert len(images) == 4
    assert [*picture_files(source).stats] == ["cats/1.png", "cats/more/2.png", "dogs/3.png", "wolves/3.png"]


@pytest.mark.parametrize("name", ["cats/2.png", "dogs", "dogs/more"])
@pytest.mark.parametrize("target", ["nowhere", "itself"])
def test_links_that_lead_nowhere_are_named(tmp_path, name, target):
    source = tmp_path / "pictures"
    for there in ("cats/1.png", "wolves/1.png"):
        save(source / there)
    (source / name).parent.mkdir(exist_ok=True)
    (source / name).symlink_to(tmp_path / "nowhere" if target == "nowhere" else source / name)
    (source / "notes.txt").symlink_to(tmp_path / "nowhere")  # what is passed over may lead anywhere
    (source / ".hidden").symlink_to(tmp_path / "nowhere")
    with pytest.raises(
        InputError, match=rf"pictures/{name} cannot be read \(.*\); repair or remove it, or pass --skip"
    ):
        folder_images(source, RGB, cache=tmp_path / "cache")
    skipping = Fit((4, 4), 3, skip_bad=True)
    with pytest.warns(UserWarning, match=rf"1 of 3 image files were left out: .*/{name} cannot be read"):
        assert len(folder_images(source, skipping, cache=tmp_path / "cache")) == 2


def test_a_held_out_set_whose_link_leads_nowhere_is_named(tmp_path):
    save(tmp_path / "in" / "train" / "1.png")
    (tmp_path / "in" / "test").symlink_to(tmp_path / "nowhere", target_is_directory=True)
    with pytest.raises(InputError, match="in/test does not exist; name a folder of images"):
        folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache")


def test_decoded_once(tmp_path, monkeypatch):
    save(tmp_path / "in" / "1.png", (1, 1, 1))
    first = folder_images(tmp_path / "in", RGB, cache=tmp_path / "cache")
    monkeypatch.setattr("tutelage.data.files.fitted", None)
    again = folder_images(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert np.array_equal(first.pixels, again.pixels) and first.sha256 == again.sha256
    (sidecar,) = (tmp_path / "cache").glob("*.json")
    assert json.loads(sidecar.read_text())["sha256"] == first.sha256


@pytest.mark.parametrize("rest", ["young", "old"])
@pytest.mark.parametrize("change", ["content", "name", "size", "channels", "more", "fewer"])
def test_a_change_means_reading_again(tmp_path, change, rest, monkeypatch):
    if rest == "old":
        monkeypatch.setattr("tutelage.data.listing.AT_REST", -1e9)
    source, cache = tmp_path / "in", tmp_path / "cache"
    path = save(source / "1.png", (1, 1, 1))
    save(source / "0.png", (0, 0, 0))
    before = folder_images(source, RGB, cache=cache)
    fit = RGB
    match change:
        case "content":
            save(path, (2, 2, 2))
            os.utime(path, ns=(0, path.stat().st_mtime_ns + 10_000_000))  # a clock that has ticked
        case "name":
            path.rename(source / "2.png")
        case "size":
            fit = Fit((5, 4), 3)
        case "channels":
            fit = Fit((4, 4), 1, convert=True)
        case "more":
            save(source / "2.png")
        case "fewer":
            path.unlink()
    after = folder_images(source, fit, cache=cache)
    assert len(list(cache.glob("*.npy"))) == 2
    assert after.shape == (fit.channels, *fit.size)
    assert (after.sha256 == before.sha256) == (change in ("size", "channels"))


def test_a_change_between_two_looks_is_no_image_of_the_first(tmp_path, monkeypatch):
    path = save(tmp_path / "in" / "1.png", (1, 1, 1))
    digest = files.content

    def changing(*arguments):
        found = digest(*arguments)
        save(path, (2, 2, 2))
        return found

    with monkeypatch.context() as patched:
        patched.setattr(files, "content", changing)
        with pytest.raises(InputError, match=r"image files of .*in changed while they were read; run again when"):
            folder_images(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    assert (folder_images(tmp_path / "in", RGB, cache=tmp_path / "cache").pixels == 2).all()


# --- what the file system says


def test_files_at_rest_are_not_read_again(tmp_path, monkeypatch, at_rest):
    save(tmp_path / "in" / "1.png", (1, 1, 1))
    first = folder_images(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.listing"))) == 1
    monkeypatch.setattr(Files, "pieces", None)
    again = folder_images(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert again.sha256 == first.sha256 and np.array_equal(again.pixels, first.pixels)


def test_files_just_written_are_read_again(tmp_path):
    save(tmp_path / "in" / "1.png", (1, 1, 1))
    stat = (tmp_path / "in" / "1.png").stat()
    first = folder_images(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").glob("*.listing")) == []
    save(tmp_path / "in" / "1.png", (2, 2, 2))
    os.utime(tmp_path / "in" / "1.png", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert folder_images(tmp_path / "in", RGB, cache=tmp_path / "cache").sha256 != first.sha256


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"stamp": "other", "sha256": "ab"}', '{"sha256": 3}'])
def test_a_broken_listing_means_reading_again(tmp_path, text, at_rest):
    save(tmp_path / "in" / "1.png", (1, 1, 1))
    first = folder_images(tmp_path / "in", RGB, cache=tmp_path / "cache")
    (listing,) = (tmp_path / "cache").glob("*.listing")
    listing.write_text(text)
    assert folder_images(tmp_path / "in", RGB, cache=tmp_path / "cache").sha256 == first.sha256


# --- splits


def test_a_plain_folder_is_all_for_training(tmp_path):
    save(tmp_path / "in" / "1.png")
    splits = folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert len(splits.train) == 1 and splits.validation is None and splits.test is None
    assert splits.train.name == "in"


@pytest.mark.parametrize("name", ["val", "validation", "test"])
def test_what_a_plain_folder_is_called_does_not_matter(tmp_path, name):
    save(tmp_path / name / "1.png")
    splits = folder_splits(tmp_path / name, RGB, cache=tmp_path / "cache")
    assert splits.train.name == name and splits.validation is None and splits.test is None


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_subfolders_are_splits(tmp_path, validation):
    for number, part in enumerate(("train", validation, "test")):
        for index in range(number + 1):
            save(tmp_path / "in" / part / f"{index}.png", (number,) * 3)
    splits = folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert splits.validation and splits.test
    for number, part in enumerate((splits.train, splits.validation, splits.test)):
        assert len(part) == number + 1 and (part.pixels == number).all()


def test_train_alone_is_enough(tmp_path):
    save(tmp_path / "in" / "train" / "1.png")
    splits = folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert splits.validation is None and splits.test is None


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_splits_may_lie_in_the_one_folder_that_holds_all_pictures(tmp_path, validation):
    """As `unzip faces.zip -d faces` leaves them."""
    for number, part in enumerate(("train", validation, "test")):
        save(tmp_path / "faces" / "faces" / part / "1.png", (number,) * 3)
    save(tmp_path / "faces" / "__MACOSX" / "faces" / "train" / "._1.png")
    (tmp_path / "faces" / "notes.txt").touch()
    (tmp_path / "faces" / "empty").mkdir()
    splits = folder_splits(tmp_path / "faces", RGB, cache=tmp_path / "cache")
    assert splits.validation and splits.test
    parts = (splits.train, splits.validation, splits.test)
    assert [part.pixels[:, 0, 0, 0].tolist() for part in parts] == [[0], [1], [2]]


@pytest.mark.parametrize("top", ["", "all/"])
@pytest.mark.parametrize("names", [("Train", "Val", "Test"), ("TRAIN", "Validation", "TEST")])
def test_splits_whatever_the_case_of_their_names(tmp_path, top, names):
    for number, part in enumerate(names):
        save(tmp_path / "in" / f"{top}{part}" / "1.png", (number,) * 3)
    splits = folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache")
    parts = (splits.train, splits.validation, splits.test)
    assert [part and part.pixels[:, 0, 0, 0].tolist() for part in parts] == [[0], [1], [2]]
    assert splits.train.name == "train"


def test_of_two_that_differ_in_case_the_usual_one_counts_and_the_other_is_told(tmp_path):
    for number, part in enumerate(("TRAIN", "train", "Test")):
        save(tmp_path / "in" / part / "1.png", (number,) * 3)
    if len(list((tmp_path / "in").iterdir())) < 3:
        pytest.skip("this file system does not tell cases apart")
    with pytest.warns(UserWarning, match=r"has a folder train/, .*; TRAIN beside it is passed over"):
        splits = folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert splits.train.pixels[:, 0, 0, 0].tolist() == [1] and splits.test


@pytest.mark.parametrize(
    ("learned", "held_out"),
    [("training", "testing"), ("Training_Set", "test_set"), ("train2017", "val2017"), ("trainA", "testA")],
)
@pytest.mark.parametrize("top", ["", "all/", "all/of/"])
def test_folders_that_are_meant_as_sets_are_not_learned_from_together(tmp_path, top, learned, held_out):
    for name in (f"{learned}/cats/1.png", f"{held_out}/cats/2.png"):
        save(tmp_path / "in" / f"{top}{name}")
    words = (
        rf"/in{'/' + top.strip('/') if top else ''} has {learned}/ and {held_out}/, which would both be learned from"
    )
    with pytest.raises(InputError, match=words):
        folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache")
    chosen = folder_splits(tmp_path / "in", RGB, subset=f"{top}{learned}", cache=tmp_path / "cache")
    assert len(chosen.train) == 1


def test_one_folder_that_is_meant_as_a_set_is_a_folder_like_others(tmp_path):
    for name in ("training/1.png", "trained/1.png", "detest/1.png"):
        save(tmp_path / "in" / name)
    assert len(folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache").train) == 3


def test_held_out_pictures_in_a_folder_are_not_learned_from_because_of_one_beside_it(tmp_path):
    for name in ("p/train/1.png", "p/test/2.png", "cover.png"):
        save(tmp_path / "in" / name)
    words = r"in has p/train and p/test, and cover\.png beside p; name .*in/p, so that what is held out is not"
    with pytest.raises(InputError, match=words):
        folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache")


def test_held_out_pictures_in_a_folder_are_not_learned_from_because_there_are_no_others(tmp_path):
    save(tmp_path / "in" / "p" / "test" / "1.png")
    (tmp_path / "in" / "p" / "train").mkdir()
    with pytest.raises(InputError, match="p/train has no images"):
        folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache")


def test_a_train_folder_beside_others_splits_nothing(tmp_path):
    for name in ("one/train/1.png", "two/train/1.png"):
        save(tmp_path / "in" / name)
    assert len(folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache").train) == 2


@pytest.mark.parametrize("subset", ["cats", "cats/", "cats/old"])
def test_a_subset_is_a_folder_of_each_split(tmp_path, subset):
    for number, name in enumerate(
        ("train/cats/old/1", "train/dogs/1", "train/cats2/1", "val/cats/old/1", "test/dogs/1")
    ):
        save(tmp_path / "in" / f"{name}.png", (number,) * 3)
    splits = folder_splits(tmp_path / "in", RGB, subset=subset, cache=tmp_path / "cache")
    assert splits.validation and splits.test is None
    assert splits.train.pixels.tolist() == np.full((1, 3, 4, 4), 0).tolist()
    assert splits.validation.pixels.tolist() == np.full((1, 3, 4, 4), 3).tolist()
    assert splits.train.name == f"train/{subset.strip('/')}"


def test_a_subset_of_a_plain_folder(tmp_path):
    save(tmp_path / "in" / "cats" / "1.png")
    save(tmp_path / "in" / "dogs" / "1.png")
    assert len(folder_splits(tmp_path / "in", RGB, subset="cats", cache=tmp_path / "cache").train) == 1


def test_a_subset_of_several_folders_and_the_first_of_each(tmp_path):
    names = ["cats/1", "cats/2", "cats/3", "dogs/1", "dogs/2", "owls/1"]
    for number, name in enumerate([*(f"train/{name}" for name in names), "val/cats/1", "val/cats/2", "val/cats/3"]):
        save(tmp_path / "in" / f"{name}.png", (number,) * 3)

    def read(**more):
        splits = folder_splits(tmp_path / "in", RGB, **more, cache=tmp_path / "cache")
        return [part.pixels[:, 0, 0, 0].tolist() for part in (splits.train, splits.validation) if part], splits.train

    pixels, train = read(subset=("dogs", "cats/"))
    assert pixels == [[0, 1, 2, 3, 4], [6, 7, 8]] and train.name == "train/2 folders"
    pixels, few = read(subset=("dogs", "cats"), each=2)
    assert pixels == [[0, 1, 3, 4], [6, 7, 8]] and few.sha256 != train.sha256  # what is held out stays whole
    assert read(each=1)[0][0] == [0, 3, 5]
    with pytest.raises(InputError, match=r"train/dogs holds 2 of the 3 images .* of each folder; ask for fewer"):
        read(subset=("cats", "dogs"), each=3)
    with pytest.raises(InputError, match=r"no images below a folder 'dog'.*did you mean 'dogs'"):
        read(subset=("cats", "dog"))


def test_a_subset_that_is_not_there(tmp_path):
    for name in "abcdef":
        save(tmp_path / "in" / f"class_{name}" / "1.png")
    with pytest.raises(InputError, match=r"in has no images below a folder 'clas_c'.*did you mean 'class_c'\?"):
        folder_splits(tmp_path / "in", RGB, subset="clas_c", cache=tmp_path / "cache")
    with pytest.raises(InputError, match=r"class_a, class_b, class_c, class_d, class_e, \.\.\.: give one of them"):
        folder_splits(tmp_path / "in", RGB, subset="zzz", cache=tmp_path / "cache")
    for none in ((), []):
        with pytest.raises(InputError, match="a subset of no folders was asked for; name one or more as"):
            folder_splits(tmp_path / "in", RGB, subset=none, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


# --- refusals


def test_no_folder_no_images(tmp_path):
    with pytest.raises(InputError, match="none does not exist; name a folder of images"):
        folder_images(tmp_path / "none", RGB, cache=tmp_path / "cache")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"notes\.txt is not a folder"):
        folder_images(tmp_path / "notes.txt", RGB, cache=tmp_path / "cache")
    with pytest.raises(InputError, match=r"has no images .*name a folder that has some"):
        folder_images(tmp_path, RGB, cache=tmp_path / "cache")
    save(tmp_path / "in" / "train" / "1.png")
    (tmp_path / "in" / "val").mkdir()
    with pytest.raises(InputError, match=r"in/val has no images"):
        folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    for name in "123":
        save(tmp_path / "in" / f"{name}.png")
    opens = Path.open

    def failing(self, *arguments, **options):
        if self.name == "2.png":
            raise PermissionError(13, "Permission denied")
        return opens(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", failing)
    with pytest.raises(InputError, match=r"2\.png cannot be read \(Permission denied\); repair or remove it, or pass"):
        folder_images(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    with pytest.warns(UserWarning, match=r"1 of 3 image files were left out: .*2\.png cannot be read"):
        images = folder_images(tmp_path / "in", Fit((4, 4), 3, skip_bad=True), cache=tmp_path / "cache")
    assert len(images) == 2


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    for name in ("open/1.png", "locked/2.png"):
        save(tmp_path / "in" / name)
    scan = os.scandir

    def failing(place):
        if os.path.basename(place) == "locked":
            raise PermissionError(13, "Permission denied", str(place))
        return scan(place)

    monkeypatch.setattr(os, "scandir", failing)
    for read in (folder_images, folder_splits):
        with pytest.raises(
            InputError, match=r"in/locked cannot be read \(Permission denied\); make it readable, or name"
        ):
            read(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


# --- --skip-bad


def test_bad_files_are_left_out_and_told_once(tmp_path):
    for number in range(4):
        save(tmp_path / "in" / "train" / f"{number}.png", (number,) * 3)
    for number in range(7):
        save(tmp_path / "in" / "train" / f"1{number}.png", 5, mode="L")
    save(tmp_path / "in" / "val" / "a.png")
    save(tmp_path / "in" / "val" / "b.png", size=(3, 3))
    for _ in range(2):  # decoded, then from the cache: the files are as bad as before
        with pytest.warns(UserWarning) as caught:
            splits = folder_splits(tmp_path / "in", Fit((4, 4), 3, skip_bad=True), cache=tmp_path / "cache")
        (message,) = (str(warning.message) for warning in caught)
        assert message.startswith(f"8 of 13 image files were left out: {tmp_path}/in/train/10.png is grey, but RGB is")
        assert message.count(".png") == 5 and message.endswith("; and 3 more")
        assert splits.train.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
        assert splits.validation and len(splits.validation) == 1
    arrays = sorted(np.load(path, mmap_mode="r").shape[0] for path in (tmp_path / "cache").glob("*.npy"))
    assert arrays == [1, 4], "the file is cut to what was kept"


def test_all_good_is_no_warning(tmp_path):
    save(tmp_path / "in" / "1.png")
    images = folder_images(tmp_path / "in", Fit((4, 4), 3, skip_bad=True), cache=tmp_path / "cache")
    assert len(images) == 1


def test_nothing_left_is_an_error(tmp_path):
    for name in "12":
        save(tmp_path / "in" / f"{name}.png", size=(2, 2))
    with pytest.raises(InputError, match=r"none of the 2 image files of .*in can be used \(the first, 1\.png is 2 x 2"):
        folder_images(tmp_path / "in", Fit((4, 4), 3, skip_bad=True), cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_lies_beside_train_is_told(tmp_path):
    for name in ("train/1.png", "val/1.png", "bus/deep/1.png", "car/1.png", ".old/1.png"):
        save(tmp_path / "in" / name)
    (tmp_path / "in" / "notes").mkdir()
    (tmp_path / "in" / "notes" / "a.txt").touch()
    (tmp_path / "in" / "secret").mkdir(mode=0)
    words = (
        r"in has a folder train/, which is learned from; bus and 1 more beside it is passed over: name another folder"
    )
    with pytest.warns(UserWarning, match=words):
        splits = folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert (len(splits.train), splits.validation and len(splits.validation)) == (1, 1)


def test_what_lies_beside_train_in_the_one_folder_is_told(tmp_path):
    for name in ("train/1.png", "valid/1.png", "test/1.png"):
        save(tmp_path / "in" / "im" / name)
    words = r"in/im has a folder train/, .*; valid beside it is passed over: .* or hold it out as validation/ or test/"
    with pytest.warns(UserWarning, match=words):
        splits = folder_splits(tmp_path / "in", RGB, cache=tmp_path / "cache")
    assert splits.validation is None and splits.test
