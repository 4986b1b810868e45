"""MNIST's files, read strictly."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest

from idx_files import idx_bytes, write_mnist
from tutelage.checks import InputError
from tutelage.data import labels, mnist
from tutelage.data.idx import idx_file, images, mnist_labels


@pytest.mark.parametrize("packed", [True, False])
def test_the_split_is_in_the_order_of_the_files(tmp_path, packed):
    everything = write_mnist(tmp_path / "mnist", train=30, test=10, packed=packed)[:, None]
    splits = mnist(tmp_path / "mnist", tmp_path / "cache", validation=8)
    assert splits.validation and splits.test
    assert np.array_equal(splits.train.pixels, everything[:22])
    assert np.array_equal(splits.validation.pixels, everything[22:30])
    assert np.array_equal(splits.test.pixels, everything[30:])
    assert [part.name for part in (splits.train, splits.validation, splits.test)] == [
        "mnist train",
        "mnist validation",
        "mnist test",
    ]
    path = idx_file(tmp_path / "mnist", "train-images-idx3-ubyte")
    assert (
        splits.train.sha256
        == splits.validation.sha256
        == hashlib.sha256(gzip.decompress(path.read_bytes()) if packed else path.read_bytes()).hexdigest()
    )
    assert splits.train.source == str(path)


def test_unpacked_once_into_memory_maps(tmp_path):
    write_mnist(tmp_path / "mnist")
    mnist(tmp_path / "mnist", tmp_path / "cache", validation=5)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    splits = mnist(tmp_path / "mnist", tmp_path / "cache", validation=5)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == before
    assert len(before) == 4
    assert isinstance(splits.train.pixels, np.memmap)


def test_a_changed_source_is_read_again(tmp_path):
    path = tmp_path / "x.gz"
    for value in (1, 2):
        path.write_bytes(gzip.compress(idx_bytes(np.full((4, 3, 3), value, np.uint8))))
        assert (images(path, "x", tmp_path / "cache").pixels == value).all()


def test_labels(tmp_path):
    path = tmp_path / "labels"
    path.write_bytes(idx_bytes(np.array([3, 1, 4], np.uint8)))
    assert labels(path).tolist() == [3, 1, 4]
    assert labels(path).dtype == np.uint8


@pytest.mark.parametrize("validation", [30, 31, 10_000, 0, -1])
def test_both_sides_need_an_image(tmp_path, validation):
    write_mnist(tmp_path, train=30)
    with pytest.raises(InputError, match=f"has 30 images, of which {validation} were asked for validation"):
        mnist(tmp_path, tmp_path / "cache", validation=validation)


def test_files_of_two_sizes_are_refused(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(idx_bytes(np.zeros((3, 5, 6), np.uint8)))
    with pytest.raises(InputError, match="the splits of one data set must agree"):
        mnist(tmp_path, tmp_path / "cache", validation=5)


def test_a_missing_file_is_named(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"no file t10k-images-idx3-ubyte or t10k-images-idx3-ubyte\.gz in"):
        mnist(tmp_path, tmp_path / "cache", validation=5)


def test_the_dotted_spelling_is_accepted(tmp_path):
    (tmp_path / "train-images.idx3-ubyte").touch()
    assert idx_file(tmp_path, "train-images-idx3-ubyte").name == "train-images.idx3-ubyte"


GOOD = idx_bytes(np.arange(18, dtype=np.uint8).reshape(2, 3, 3))
DAMAGE = [
    (b"", r"starts with the bytes \(none\)"),
    (b"\x00\x00\x08\x01" + GOOD[4:], "starts with the bytes 00 00 08 01, but an idx file of 3-dimensional"),
    (b"\x00\x00\x0d\x03" + GOOD[4:], "starts with the bytes 00 00 0d 03"),
    (b"\x89PNG\r\n\x1a\n" + GOOD, "starts with the bytes 89 50 4e 47"),
    (GOOD[:10], "ends inside its header"),
    (GOOD[:-1], "is truncated: it has 17 bytes of data and its header promises 18"),
    (GOOD + b"\x00", "goes on after the 18 bytes"),
    (idx_bytes(np.zeros((0, 3, 3), np.uint8)), "0 x 3 x 3 bytes, which is nothing"),
    (GOOD[:4] + b"\xff" * 12, "is truncated: it says it holds 4294967295 x 4294967295 x 4294967295 bytes"),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("content", "says"), DAMAGE)
def test_damage_is_seen(tmp_path, content, says, packed):
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(InputError, match=says):
        images(path, "x", tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*"))


@pytest.mark.parametrize("cut", [5, 15, -9, -1])
def test_a_gzip_stream_cut_short(tmp_path, cut):
    noise = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx_bytes(noise))[:cut])
    with pytest.raises(InputError, match="is truncated: the gzip stream ends too early"):
        images(path, "x", tmp_path / "cache")


def test_a_gzip_stream_with_a_wrong_byte(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    content = bytearray(gzip.compress(idx_bytes(noise)))
    content[200] ^= 0xFF
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is damaged \("):
        images(path, "x", tmp_path / "cache")


@pytest.mark.parametrize("name", ["nothing", "."])
def test_what_is_no_file_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"cannot be read \(.*\); name an idx file"):
        labels(tmp_path / name)


def test_the_real_mnist(real_mnist, tmp_path):
    splits = mnist(real_mnist, tmp_path)
    assert splits.validation and splits.test
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [50_000, 10_000, 10_000]
    assert splits.train.shape == (1, 28, 28)

    # the published digest of the unpacked train file: its header, then 50 000 images, then 10 000
    digest = hashlib.sha256(idx_bytes(np.empty((60_000, 28, 28), np.uint8))[:16])
    digest.update(splits.train.pixels)
    digest.update(splits.validation.pixels)
    assert digest.hexdigest() == "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    digest = hashlib.sha256(idx_bytes(np.empty((10_000, 28, 28), np.uint8))[:16])
    digest.update(splits.test.pixels)
    assert digest.hexdigest() == "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"

    counts = np.bincount(labels(idx_file(real_mnist, "train-labels-idx1-ubyte"))[:50_000])
    assert counts.tolist() == [4932, 5678, 4968, 5101, 4859, 4506, 4951, 5175, 4842, 4988]


@pytest.mark.parametrize("part", ["train", "t10k"])
@pytest.mark.parametrize("off", [-1, 1])
def test_each_image_has_a_label(tmp_path, part, off):
    write_mnist(tmp_path, train=30, test=10, packed=False)
    assert [len(values) for values in mnist_labels(tmp_path)] == [30, 10]
    count = 30 if part == "train" else 10
    (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(count + off, np.uint8)))
    words = (
        rf"{part}-labels-idx1-ubyte has {count + off} labels and .*{part}-images-idx3-ubyte {count} images, but each"
    )
    with pytest.raises(InputError, match=words):
        mnist_labels(tmp_path)
