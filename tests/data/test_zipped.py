"""A zip of image files is the folder it would unpack to."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tutelage.checks import InputError
from tutelage.data import Fit, files, folder_splits, zip_splits
from tutelage.data.files import start_of_sets

RGB = Fit((4, 4), 3)


def picture(value: int = 0, mode: str = "RGB") -> bytes:
    target = io.BytesIO()
    Image.new(mode, (8, 8), value if mode == "L" else (value,) * 3).save(target, "PNG")
    return target.getvalue()


def pack(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def colours(images) -> list[int]:
    return images.pixels[:, 0, 0, 0].tolist()


def test_members_in_the_order_of_their_names(tmp_path):
    members = {"b/1.png": picture(1), "a/2.PNG": picture(2), "c.png": picture(3), "a/": b"", "notes.txt": b"text"}
    members |= {"__MACOSX/b/._1.png": b"x", ".hidden/1.png": b"x", "b/.1.png": b"x"}
    path = pack(tmp_path / "pictures.zip", members, zipfile.ZIP_DEFLATED)
    splits = zip_splits(path, RGB, cache=tmp_path / "cache")
    assert colours(splits.train) == [2, 1, 3]
    assert splits.train.name == "pictures" and splits.train.source == str(path)
    assert splits.validation is None and splits.test is None and isinstance(splits.train.pixels, np.memmap)


@pytest.mark.parametrize("top", ["", "data/"])
@pytest.mark.parametrize("validation", ["validation", "val"])
def test_folders_are_splits(tmp_path, top, validation):
    members = {f"{top}train/cats/1.png": picture(1), f"{top}train/dogs/1.png": picture(2)}
    members |= {f"{top}{validation}/cats/1.png": picture(3), f"{top}test/dogs/1.png": picture(4)}
    path = pack(tmp_path / "a.zip", members)
    splits = zip_splits(path, RGB, cache=tmp_path / "cache")
    assert splits.validation and splits.test
    assert [colours(part) for part in (splits.train, splits.validation, splits.test)] == [[1, 2], [3], [4]]
    cats = zip_splits(path, RGB, subset="cats", cache=tmp_path / "cache")
    assert cats.validation and cats.test is None
    assert [colours(cats.train), colours(cats.validation)] == [[1], [3]]
    both = zip_splits(path, RGB, subset=("dogs", "cats"), each=1, cache=tmp_path / "cache")
    assert colours(both.train) == [1, 2]


@pytest.mark.parametrize("top", ["", "data/"])
@pytest.mark.parametrize("names", [("Train", "Val", "Test"), ("TRAIN", "VALIDATION", "test")])
def test_folders_are_splits_whatever_the_case_of_their_names(tmp_path, top, names):
    path = pack(tmp_path / "a.zip", {f"{top}{name}/1.png": picture(i) for i, name in enumerate(names)})
    splits = zip_splits(path, RGB, cache=tmp_path / "cache")
    assert splits.validation and splits.test
    assert [colours(part) for part in (splits.train, splits.validation, splits.test)] == [[0], [1], [2]]


def test_backslashes_separate_folders(tmp_path):
    members = {"train\\cats\\1.png": picture(1), "test\\cats\\2.png": picture(2), "train\\.hidden\\3.png": b""}
    splits = zip_splits(pack(tmp_path / "a.zip", members), RGB, cache=tmp_path / "cache")
    usual = {name.replace("\\", "/"): content for name, content in members.items()}
    same = zip_splits(pack(tmp_path / "b.zip", usual), RGB, cache=tmp_path / "cache")
    assert splits.test and (colours(splits.train), colours(splits.test)) == ([1], [2])
    assert splits.train.sha256 == same.train.sha256


def test_folders_that_are_meant_as_sets_are_not_learned_from_together(tmp_path):
    path = pack(tmp_path / "a.zip", {"training/1.png": picture(1), "testing/1.png": picture(2)})
    with pytest.raises(InputError, match=r"a\.zip has training/ and testing/, which would both be learned from; call"):
        zip_splits(path, RGB, cache=tmp_path / "cache")


def test_what_lies_beside_train_is_told(tmp_path):
    path = pack(tmp_path / "a.zip", {"train/1.png": picture(1), "val/1.png": picture(2), "cover.png": picture(3)})
    with pytest.warns(UserWarning, match=r"a\.zip has a folder train/, .*; cover\.png beside it is passed over"):
        assert len(zip_splits(path, RGB, cache=tmp_path / "cache").train) == 1


def test_what_lies_beside_train_in_the_one_folder_is_told(tmp_path):
    members = {f"im/{name}/1.png": picture(1) for name in ("train", "valid", "test")}
    with pytest.warns(UserWarning, match=r"a\.zip/im has a folder train/, .*; valid beside it is passed over"):
        assert zip_splits(pack(tmp_path / "a.zip", members), RGB, cache=tmp_path / "cache").validation is None


def test_names_are_looked_through_a_few_times_whatever_there_is(tmp_path):
    class Counted(list):
        times = 0

        def __iter__(self):
            self.times += 1
            return super().__iter__()

    names = Counted([f"{i}.png" for i in range(500)] + [f"{i}/{i}/1.png" for i in range(500)])
    assert start_of_sets(tmp_path / "a.zip", names) is None and names.times <= 5


def test_a_train_folder_beside_others_splits_nothing(tmp_path):
    path = pack(tmp_path / "a.zip", {"one/train/1.png": picture(1), "two/train/1.png": picture(2)})
    assert len(zip_splits(path, RGB, cache=tmp_path / "cache").train) == 2


def test_a_zip_and_its_folder_are_the_same_data(tmp_path):
    members = {"train/a/1.png": picture(1), "train/b.png": picture(2), "test/1.png": picture(3)}
    path = pack(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED)
    for name, content in members.items():
        (tmp_path / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / name).write_bytes(content)
    zipped = zip_splits(path, RGB, cache=tmp_path / "cache")
    folder = folder_splits(tmp_path / "a", RGB, cache=tmp_path / "cache")
    assert zipped.test and folder.test
    assert zipped.train.sha256 == folder.train.sha256 and zipped.test.sha256 == folder.test.sha256
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 2, "one cache serves both"


def test_a_zip_that_is_unpacked_into_a_folder_of_its_own_is_the_same_data(tmp_path):
    path = pack(tmp_path / "faces.zip", {"faces/train/1.png": picture(1), "faces/test/1.png": picture(2)})
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "faces")
    zipped = zip_splits(path, RGB, cache=tmp_path / "cache")
    folder = folder_splits(tmp_path / "faces", RGB, cache=tmp_path / "cache")
    assert zipped.test and folder.test
    assert zipped.train.sha256 == folder.train.sha256 and zipped.test.sha256 == folder.test.sha256


def test_a_zip_of_a_folder_is_that_folder(tmp_path):
    """As file managers pack it, with the folder itself, which also has no name among the folders of images."""
    content = picture(1)
    zipped = zip_splits(pack(tmp_path / "im.zip", {"im/lemon/1.png": content}), RGB, cache=tmp_path / "cache")
    (tmp_path / "im" / "lemon").mkdir(parents=True)
    (tmp_path / "im" / "lemon" / "1.png").write_bytes(content)
    folder = folder_splits(tmp_path / "im", RGB, cache=tmp_path / "cache")
    assert zipped.train.sha256 == folder.train.sha256
    other = zip_splits(pack(tmp_path / "all.zip", {"im/lemon/1.png": content}), RGB, cache=tmp_path / "cache")
    assert other.train.sha256 != folder.train.sha256, "a folder of another name is a folder of images"


def test_held_out_pictures_are_not_learned_from_because_of_one_beside_them(tmp_path):
    members = {"p/train/1.png": picture(1), "p/test/2.png": picture(2), "cover.png": picture(3)}
    words = r"a\.zip has p/train and p/test, and cover\.png beside p; pack the folders train and test alone"
    with pytest.raises(InputError, match=words):
        zip_splits(pack(tmp_path / "a.zip", members), RGB, cache=tmp_path / "cache")


def test_a_member_that_unpacks_to_more_than_memory_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_LARGEST", 3 << 20)
    bomb = pack(tmp_path / "a.zip", {"1.png": picture(), "2.png": bytes(4 << 20)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 10_000
    with pytest.raises(InputError, match=r"2\.png is 4 MB, and at most 3 are read of a file; remove it"):
        zip_splits(bomb, RGB, cache=tmp_path / "cache")
    with pytest.warns(UserWarning, match=r"1 of 2 image files were left out: .*2\.png is 4 MB"):
        assert len(zip_splits(bomb, Fit((4, 4), 3, skip_bad=True), cache=tmp_path / "cache").train) == 1


def test_pictures_that_are_not_decoded_are_told(tmp_path):
    path = pack(tmp_path / "a.zip", {"1.png": picture(), "2.HEIC": b"", "3.heic": b"", "4.avif": b"", "5.txt": b""})
    with pytest.warns(UserWarning, match=r"a\.zip: pictures of these kinds are passed over: 1 \.avif, 2 \.heic; save"):
        zip_splits(path, RGB, cache=tmp_path / "cache")


def test_another_content_is_other_data(tmp_path):
    digests = {
        zip_splits(pack(tmp_path / "a.zip", members), RGB, cache=tmp_path / "cache").train.sha256
        for members in ({"1.png": picture(1)}, {"1.png": picture(2)}, {"2.png": picture(1)})
    }
    assert len(digests) == 3


def test_the_last_of_two_with_one_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("1.png", picture(1))
        archive.writestr("1.png", picture(2))
    assert colours(zip_splits(tmp_path / "a.zip", RGB, cache=tmp_path / "cache").train) == [2]


# --- refusals


def encrypted(path: Path) -> Path:
    """A zip whose members say that they are encrypted."""
    content = bytearray(pack(path, {"1.png": picture()}).read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    return path


def flipped(path: Path) -> Path:
    """A zip in which a byte of the second picture has changed."""
    content = bytearray(pack(path, {"1.png": picture(1), "2.png": picture(2), "3.png": picture(3)}).read_bytes())
    content[content.index(b"2.png") + 40] ^= 0xFF
    path.write_bytes(content)
    return path


def cut(path: Path) -> Path:
    path.write_bytes(pack(path, {"1.png": picture()}).read_bytes()[:-30])
    return path


def text(path: Path) -> Path:
    path.write_text("no zip")
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (encrypted, r"a\.zip is encrypted \(1\.png\); unpack it with its password and give the folder"),
        (flipped, r"a\.zip/2\.png cannot be read \(Bad CRC-32.*; repair or remove it, or pass --skip-bad"),
        (cut, r"a\.zip cannot be read as a zip file \(File is not a zip file\); give another, or pack it again"),
        (text, r"a\.zip cannot be read as a zip file \(File is not a zip file\)"),
        (lambda path: path, r"a\.zip cannot be read as a zip file \(No such file or directory\)"),
        (lambda path: pack(path, {"a.txt": b"text"}), r"a\.zip has no images \(\.bmp, .*; give a zip that has some"),
        (lambda path: pack(path, {}), r"a\.zip has no images"),
        (lambda path: pack(path, {"d/1.png": picture(0, "L")}), r"a\.zip/d/1\.png is grey, but RGB is needed; conv"),
    ],
    ids=["encrypted", "flipped", "cut", "text", "missing", "no-images", "empty", "grey"],
)
def test_what_cannot_be_used_is_refused(tmp_path, make, says):
    make(tmp_path / "a.zip")
    with pytest.raises(InputError, match=says):
        zip_splits(tmp_path / "a.zip", RGB, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists() or list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_member_can_be_left_out(tmp_path):
    with pytest.warns(UserWarning, match=r"1 of 3 image files were left out: .*a\.zip/2\.png cannot be read"):
        splits = zip_splits(flipped(tmp_path / "a.zip"), Fit((4, 4), 3, skip_bad=True), cache=tmp_path / "cache")
    assert colours(splits.train) == [1, 3]
