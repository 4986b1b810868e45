"""From a few words in a recipe to the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from idx_files import write_mnist
from tutelage.checks import InputError
from tutelage.data import DataSpec, find, load

MNIST = DataSpec("mnist", (6, 6), 1)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test finds data of the machine it runs on."""
    monkeypatch.delenv("TUTELAGE_DATA", raising=False)
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "cache"))


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
    with pytest.raises(InputError):
        find("mnist", cache=tmp_path)
    assert fetched == []
    assert find("mnist", cache=tmp_path, download=True) == tmp_path / "fetched"
    assert find("mnist", tmp_path / "fetched", download=True) == tmp_path / "fetched"
    assert fetched == [tmp_path]


def test_loading_mnist_of_another_size(tmp_path):
    write_mnist(tmp_path, train=10_002, side=3)
    assert len(load(DataSpec("mnist", (3, 3), 1), tmp_path).train) == 2
    with pytest.raises(InputError, match=r"are 1 x 3 x 3 \(channels, height, width\), but the recipe needs 1 x 6 x 6"):
        load(MNIST, tmp_path)


def test_loading_a_folder(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (12, 9)).save(tmp_path / "in" / "1.png")
    for channels in (1, 3):
        assert load(DataSpec("folder", (6, 7), channels), tmp_path / "in").train.shape == (channels, 6, 7)
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


@pytest.mark.parametrize(("kind", "needed"), [("folder", "a folder of images"), ("array", r"a \.npy file")])
def test_a_folder_or_array_is_missing(tmp_path, kind, needed):
    (tmp_path / "file").touch()
    wrong = tmp_path / "file" if kind == "folder" else tmp_path
    for path, state in ((None, "no data were named"), (tmp_path / "x", "does not exist"), (wrong, "is no such thing")):
        with pytest.raises(InputError, match=f"{state}; give {needed} with --data, or set TUTELAGE_DATA"):
            load(DataSpec(kind, (4, 4), 1), path)


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


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="'imagenet'; give one of mnist, folder, array, digits"):
        load(DataSpec("imagenet", (4, 4), 1))  # type: ignore[arg-type]
