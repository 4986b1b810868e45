"""SVHN's MATLAB files."""

from __future__ import annotations

import hashlib
import json
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from tutelage.checks import InputError
from tutelage.data import DataSpec, class_labels, find, load, svhn, svhn_labels

MODULE = sys.modules[svhn.__module__]  # data.svhn is the function
RNG = np.random.default_rng(0)
TRAIN, TEST, EXTRA = (RNG.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8) for count in (5, 3, 7))
IMAGES = {"train": TRAIN, "test": TEST, "extra": EXTRA}
DIGITS = {"train": [1, 2, 10, 9, 10], "test": [10, 5, 1], "extra": [3, 3, 3, 4, 5, 6, 7]}


def write(folder: Path, part: str = "train", **changes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    entries = {"X": IMAGES[part].transpose(2, 3, 1, 0), "y": np.array(DIGITS[part], np.uint8)[:, None]} | changes
    kept = {name: value for name, value in entries.items() if value is not None}
    scipy.io.savemat(folder / f"{part}_32x32.mat", kept, do_compression=True)
    return folder


def write_both(folder: Path) -> Path:
    write(folder, "test")
    return write(folder)


def write_all(folder: Path) -> Path:
    write(folder, "extra")
    return write_both(folder)


def test_images_and_digits(tmp_path):
    folder = write_both(tmp_path / "in")
    for _ in range(2):
        splits = svhn(folder, tmp_path / "cache")
        assert splits.test is not None and splits.validation is None
        assert np.array_equal(splits.train.pixels, TRAIN) and np.array_equal(splits.test.pixels, TEST)
        assert isinstance(splits.train.pixels, np.memmap) and splits.train.name == "svhn train"
    train, test = svhn_labels(folder)
    assert train.dtype == np.uint8 and train.tolist() == [1, 2, 0, 9, 0] and test.tolist() == [0, 5, 1]


@pytest.mark.parametrize("rows", [1, 3, 4096])
def test_extra_images_follow_those_of_the_training_set(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(MODULE, "_ROWS", rows)
    folder, spec = write_all(tmp_path / "in"), DataSpec("svhn", (32, 32), 3, extra=True)
    for _ in range(2):
        splits = load(spec, folder, cache=tmp_path / "cache")
        assert splits.test is not None and splits.validation is None
        assert np.array_equal(splits.train.pixels, np.concatenate([TRAIN, EXTRA])) and len(splits.train) == 12
        assert np.array_equal(splits.test.pixels, TEST) and splits.train.name == "svhn train and extra"
        assert isinstance(splits.train.pixels, np.memmap)
    plain = load(DataSpec("svhn", (32, 32), 3), folder, cache=tmp_path / "cache")
    assert np.array_equal(plain.train.pixels, TRAIN) and plain.train.sha256 != splits.train.sha256
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 3


def test_files_are_decoded_one_after_the_other(tmp_path, monkeypatch):
    """What was read of a file is gone before the next is read."""
    folder, held = write_all(tmp_path / "in"), []
    read = MODULE._variable

    def noted(path: Path, name: str) -> np.ndarray:
        assert all(ref() is None for ref in held)
        found = read(path, name)
        if name == "X":
            held.append(weakref.ref(found))
        return found

    monkeypatch.setattr(MODULE, "_variable", noted)
    svhn(folder, tmp_path / "cache", extra=True)
    assert len(held) == 3


def test_labels_are_those_of_the_first_images_where_extra_ones_follow(tmp_path):
    folder = write_all(tmp_path / "in")
    few, many = (class_labels(DataSpec("svhn", (32, 32), 3, extra=extra), folder) for extra in (False, True))
    assert many.train.tolist() == few.train.tolist() == [1, 2, 0, 9, 0]
    assert many.validation is None and many.test is not None and many.test.tolist() == [0, 5, 1]


def test_the_cache_without_extra_images_is_as_it_was(tmp_path):
    folder = write_both(tmp_path / "in")
    splits, path = svhn(folder, tmp_path / "cache"), folder / "train_32x32.mat"
    (sidecar,) = (tmp_path / "cache").glob("train_32x32-*.json")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert json.loads(sidecar.read_text()) == {
        "name": "train_32x32",
        "source": str(path),
        "sha256": sha256,
        "size": path.stat().st_size,
        "transforms": ["X to uint8 [N, 3, 32, 32]"],
        "shape": [5, 3, 32, 32],
    }
    assert (splits.train.sha256, splits.train.source) == (sha256, str(path))


def test_extra_images_that_are_missing_or_damaged_are_refused(tmp_path):
    folder = write_both(tmp_path / "in")
    with pytest.raises(
        InputError,
        match=r"no file extra_32x32\.mat in .*; copy SVHN's extra images \(1\.3 GB\) there, or leave out data\.extra$",
    ):
        svhn(folder, tmp_path / "cache", extra=True)
    write(folder, "extra", y=np.ones((4, 1), np.uint8))
    with pytest.raises(InputError, match=r"extra_32x32\.mat has 4 labels for 7 images"):
        svhn(folder, tmp_path / "cache", extra=True)
    assert not (tmp_path / "cache").exists(), "nothing is decoded before all is looked at"
    assert len(svhn(folder, tmp_path / "cache").train) == 5


@pytest.mark.parametrize("below", ["", "svhn", "SVHN"])
def test_where_it_may_lie(tmp_path, below):
    write_both(tmp_path / "in" / below)
    assert find("svhn", tmp_path / "in") == tmp_path / "in" / below


def test_scipy_is_needed(tmp_path, monkeypatch):
    write_both(tmp_path / "in")
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(InputError, match=r"need SciPy, which is not installed; pip install 'tutelage\[svhn\]'"):
        svhn(tmp_path / "in", tmp_path / "cache")


def cut(folder: Path) -> None:
    path = folder / "train_32x32.mat"
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda f: (f / "train_32x32.mat").unlink(),
            r"no file train_32x32\.mat in .*; copy SVHN's train_32x32\.mat and",
        ),
        (
            lambda f: (f / "train_32x32.mat").write_bytes(b"no file"),
            r"train_32x32\.mat cannot be read as a MATLAB file",
        ),
        (lambda f: (f / "train_32x32.mat").write_bytes(b""), r"train_32x32\.mat cannot be read as a MATLAB file"),
        (cut, r"train_32x32\.mat has no labels y, so it is cut short or another file; download it again from"),
        (lambda f: write(f, X=None), r"X in .*train_32x32\.mat is missing \[\], but uint8 \[32, 32, 3, N\] is needed"),
        (lambda f: write(f, X=TRAIN / 255), r"is double \[5, 3, 32, 32\], but uint8 \[32, 32, 3, N\] is needed"),
        (lambda f: write(f, X=TRAIN), r"is uint8 \[5, 3, 32, 32\], but uint8 \[32, 32, 3, N\] is needed"),
        (lambda f: write(f, y=None), r"train_32x32\.mat has no labels y"),
        (lambda f: write(f, y=np.ones((4, 1), np.uint8)), r"train_32x32\.mat has 4 labels for 5 images; one for each"),
        (lambda f: write(f, y=np.zeros((5, 1), np.uint8)), r"the labels in .*\.mat are not whole numbers from 1 to 10"),
        (lambda f: write(f, y=np.full((5, 1), 11)), r"the labels in .*\.mat are not whole numbers from 1 to 10"),
        (lambda f: write(f, y=np.full((5, 1), 1.5)), r"the labels in .*\.mat are not whole numbers from 1 to 10"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, spoil, says):
    spoil(write_both(tmp_path / "in"))
    with pytest.raises(InputError, match=says):
        svhn(tmp_path / "in", tmp_path / "cache")
    assert not (tmp_path / "cache").exists() or list((tmp_path / "cache").iterdir()) == []
