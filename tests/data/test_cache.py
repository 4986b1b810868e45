"""A cache is right or it is built again."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tutelage.checks import InputError
from tutelage.data.cache import Kept, Key, cache_folder, cached, cached_with_notes

KEY = Key("set", "/somewhere", "ab" * 32, 12, ("doubled",), (2, 1, 2, 3))


class Filler:
    def __init__(self, value: int = 7) -> None:
        self.value, self.calls = value, 0

    def __call__(self, pixels: np.ndarray) -> None:
        self.calls += 1
        pixels[...] = self.value


def files(folder: Path) -> tuple[Path, Path]:
    (array,), (sidecar,) = folder.glob("*.npy"), folder.glob("*.json")
    return array, sidecar


def test_built_once_then_mapped(tmp_path):
    fill = Filler()
    for _ in range(3):
        pixels = cached(KEY, fill, tmp_path)
        assert isinstance(pixels, np.memmap) and pixels.mode == "r"
        assert pixels.shape == KEY.shape and (pixels == 7).all()
    assert fill.calls == 1
    array, sidecar = files(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2 and array.stem == sidecar.stem
    written = json.loads(sidecar.read_text())
    assert written == dataclasses.asdict(KEY) | {"transforms": ["doubled"], "shape": [2, 1, 2, 3]}


def test_a_moved_source_finds_its_cache(tmp_path):
    fill = Filler()
    cached(KEY, fill, tmp_path)
    cached(dataclasses.replace(KEY, source="/elsewhere"), fill, tmp_path)
    assert fill.calls == 1


@pytest.mark.parametrize(
    "change", [{"sha256": "cd" * 32}, {"size": 13}, {"transforms": ("halved",)}, {"shape": (1, 1, 2, 3)}]
)
def test_another_source_is_another_cache(tmp_path, change):
    cached(KEY, Filler(1), tmp_path)
    assert (cached(dataclasses.replace(KEY, **change), Filler(2), tmp_path) == 2).all()
    assert (cached(KEY, Filler(3), tmp_path) == 1).all()


@pytest.mark.parametrize("field", ["sha256", "size", "transforms", "shape"])
def test_a_sidecar_that_disagrees_means_building_again(tmp_path, field):
    cached(KEY, Filler(1), tmp_path)
    _, sidecar = files(tmp_path)
    written = json.loads(sidecar.read_text())
    del written[field]
    sidecar.write_text(json.dumps(written))
    assert (cached(KEY, Filler(2), tmp_path) == 2).all()
    assert (cached(KEY, Filler(3), tmp_path) == 2).all()


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_broken_sidecar_means_building_again(tmp_path, text):
    cached(KEY, Filler(1), tmp_path)
    files(tmp_path)[1].write_text(text)
    assert (cached(KEY, Filler(2), tmp_path) == 2).all()


def test_a_broken_array_means_building_again(tmp_path):
    cached(KEY, Filler(1), tmp_path)
    array, _ = files(tmp_path)
    whole = array.read_bytes()
    for content in (whole[:-1], whole[:20], b"", None):
        array.unlink() if content is None else array.write_bytes(content)
        assert (cached(KEY, Filler(2), tmp_path) == 2).all()
    np.save(array, np.zeros(KEY.shape, np.int8))
    assert (cached(KEY, Filler(3), tmp_path) == 3).all()


def test_a_header_of_no_tokens_means_building_again(tmp_path):
    cached(KEY, Filler(1), tmp_path)
    array, _ = files(tmp_path)
    header = bytearray(array.read_bytes())
    header[header.index(b"}")] = ord("{")  # which Python's tokens do not balance
    array.write_bytes(header)
    assert (cached(KEY, Filler(2), tmp_path) == 2).all()


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path):
    for name, age in (("old", 90_000), ("new", 3_000)):
        scratch = tmp_path / f".building-{name}"
        scratch.mkdir()
        (scratch / "set.npy").write_bytes(b"half")
        for path in (scratch / "set.npy", scratch):
            os.utime(path, (time.time() - age,) * 2)
    cached(KEY, Filler(), tmp_path)
    assert [path.name for path in tmp_path.glob(".building-*")] == [".building-new"]


def test_a_failed_build_leaves_nothing(tmp_path):
    def fail(pixels: np.ndarray) -> None:
        pixels[0] = 1
        raise InputError("the source is damaged")

    with pytest.raises(InputError, match="the source is damaged"):
        cached(KEY, fail, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", [1, 2])
def test_a_fill_that_keeps_fewer_images(tmp_path, kept):
    calls = []

    def fill(pixels: np.ndarray) -> Kept:
        calls.append(pixels.shape)
        pixels[:kept] = 7
        return Kept(kept, ("one was bad",))

    for _ in range(2):
        pixels, notes = cached_with_notes(KEY, fill, tmp_path)
        assert pixels.shape == (kept, *KEY.shape[1:]) and (pixels == 7).all() and notes == ("one was bad",)
        assert isinstance(pixels, np.memmap)
    assert calls == [KEY.shape]
    array, _ = files(tmp_path)
    assert np.load(array).shape == (kept, *KEY.shape[1:])
    assert array.stat().st_size == 128 + kept * 6


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """A file can have 1000 bytes and no more."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("claims", [True, False], ids=["fallocate", "zeros"])
def test_a_full_disk_is_noticed_before_anything_is_computed(tmp_path, monkeypatch, claims):
    if not claims:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    fill = Filler()
    with (
        full_disk(),
        pytest.raises(InputError, match=r"cannot be written \(File too large\); set TUTELAGE_CACHE .* free space"),
    ):
        cached(dataclasses.replace(KEY, shape=(1000, 1, 2, 3)), fill, tmp_path)
    assert fill.calls == 0 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("claims", [True, False, errno.EOPNOTSUPP], ids=["fallocate", "zeros", "unsupported"])
def test_space_is_claimed_one_way_or_another(tmp_path, monkeypatch, claims):
    if claims is False:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    elif claims is not True:

        def refuse(*_):
            raise OSError(claims, "not supported")

        monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    monkeypatch.setattr("tutelage.data.cache._BLOCK", 5)
    assert (cached(KEY, Filler(), tmp_path) == 7).all()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written .*set TUTELAGE_CACHE"):
        cached(KEY, Filler(), tmp_path / "file")


def test_where_caches_are(monkeypatch, tmp_path):
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "chosen"))
    assert cache_folder() == tmp_path / "chosen"
    assert cache_folder(tmp_path) == tmp_path
    monkeypatch.delenv("TUTELAGE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == tmp_path / ".cache" / "tutelage"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "tutelage"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "tutelage"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "tutelage"


def test_without_a_home_a_folder_is_asked_for(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    for name in ("TUTELAGE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(InputError, match=r"there is no home folder .* set TUTELAGE_CACHE"):
        cache_folder()
