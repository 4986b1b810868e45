"""Pickles are read as data, and nothing in them is run."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from tutelage.checks import InputError
from tutelage.plain_pickle import loads

BATCH = {
    "batch_label": b"testing batch 1 of 1",
    "labels": [6, 9, 255, 70000, 2**40, -1],
    "data": np.random.default_rng(0).integers(0, 256, (5, 12), dtype=np.uint8),
    "filenames": [b"a.png", "b.png"],
    "more": (None, True, 1.5, (1, 2), {"x": []}, ()),
}

OFFICIAL = (
    b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x04testU\x06labelsq\x05]q\x06(K\x06K\x09eU\x04dataq\x07"
    b"cnumpy.core.multiarray\n_reconstruct\nq\x08cnumpy\nndarray\nq\x09K\x00\x85U\x01b\x87Rq\x0a(K\x01K\x02K\x03\x86"
    b"cnumpy\ndtype\nq\x0bU\x02u1K\x00K\x01\x87Rq\x0c(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    b"U\x06abcdeftbu."
)
"""In the words of Python 2, as CIFAR-10 was published."""


def test_as_published():
    found = loads(OFFICIAL, "it")
    assert found["batch_label"] == b"test" and found["labels"] == [6, 9]
    assert found["data"].tolist() == [[97, 98, 99], [100, 101, 102]]


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_every_protocol_with_bytes_gives_the_same(protocol):
    found = loads(pickle.dumps(BATCH, protocol), "it")
    assert np.array_equal(found.pop("data"), BATCH["data"])
    assert found == {name: value for name, value in BATCH.items() if name != "data"}
    assert loads(pickle.dumps({b"labels": [1]}, protocol), "it") == {"labels": [1]}


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("kind", ["u1", "<i2", ">i4", "i8", ">u8", "<f4", ">f8", "f2"])
def test_numbers_of_every_size(protocol, kind):
    for array in (np.arange(6, dtype=kind).reshape(2, 3), np.asfortranarray(np.arange(6, dtype=kind).reshape(2, 3))):
        assert np.array_equal(loads(pickle.dumps({"a": array}, protocol), "it")["a"], array)


@pytest.mark.parametrize("protocol", [2, 5])
def test_dictionaries_hold_dictionaries(protocol):
    nested = {"net": {"conv": {"kernel": np.arange(6, dtype="f4").reshape(2, 3), "names": ["a"]}}, "bias": np.ones(2)}
    found = loads(pickle.dumps(nested, protocol), "it")
    assert found["net"]["conv"]["names"] == ["a"] and np.array_equal(found["bias"], np.ones(2))
    assert np.array_equal(found["net"]["conv"]["kernel"], nested["net"]["conv"]["kernel"])


class Runs:
    """An object whose pickle makes a folder when it is loaded."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_runs(tmp_path, protocol):
    content = pickle.dumps({"data": Runs(tmp_path / "made")}, protocol)
    with pytest.raises(
        InputError, match=r"it asks for \w+\.mkdir, which a file of numbers does not need and which could"
    ):
        loads(content, "it")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (pickle.dumps({"a": {1, 2}}, 2), r"it asks for __builtin__\.set"),
        (
            pickle.dumps(np.float64(1), 2),
            r"it asks for numpy\.core\.multiarray\.scalar|numpy\._core\.multiarray\.scalar",
        ),
        (pickle.dumps({"a": np.zeros(2, complex)}, 2), r"it is no pickle that can be read \(an array of complex128\)"),
        (pickle.dumps({"a": np.array([{}], object)}, 2), r"it is no pickle .*\(an array of object\)"),
        (pickle.dumps([1, 2], 2), r"it holds a list, no dictionary"),
        (pickle.dumps({1: 2}, 2), r"a int where a word is needed"),
        (OFFICIAL[:-20], "it is no pickle that can be read"),
        (OFFICIAL.replace(b"K\x02K\x03\x86", b"K\x02K\x04\x86"), r"6 bytes for an array of shape \[2, 4\]"),
        (b"", "it is no pickle that can be read"),
        (b"not a pickle", "it is no pickle that can be read"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "it is no pickle that can be read"),
        (b"\x80\x02K\x01)R.", r"a int is called"),
        (b"\x80\x02}K\x01b.", "it is no pickle that can be read"),
        (b"\x80\x02(.", "its stack runs empty"),
        (
            b"\x80\x02cnumpy.core.numeric\n_frombuffer\n(K\x01K\x02K\x03K\x04tR.",
            "an array of something else than numbers",
        ),
        (b"\x80\x02\x8c\x01a\x95.", "it is no pickle that can be read"),
        (b"\x80\x02C\x01aQ.", "the instruction BINPERSID has no place in it"),
    ],
)
def test_other_pickles_are_refused(content, says):
    with pytest.raises(InputError, match=says):
        loads(content, "it")


def test_damage_never_escapes():
    rng = np.random.default_rng(0)
    for _ in range(500):
        content = bytearray(OFFICIAL)
        content[rng.integers(len(content))] = rng.integers(256)
        try:
            loads(bytes(content), "it")
        except InputError:
            continue


def test_what_is_referred_to_many_times_is_made_once():
    """2⁴⁰ dictionaries, in some hundred bytes."""
    nested: dict = {}
    for _ in range(40):
        nested = {"x": nested, "y": nested}
    found = loads(pickle.dumps({"a": nested}, 2), "it")
    assert found["a"]["x"] is found["a"]["y"]
