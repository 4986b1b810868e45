"""Decoded images, kept on disk: a ``.npy`` of unsigned bytes and a JSON file beside it that says what it was made from.

A file is named by what is in it (the digest of the source and the transforms), so a changed source never meets an old
cache, and two processes that build the same set at once write the same bytes. Both files are written under a temporary
name and moved into place, the JSON last: a pair that is complete is right, and anything else is built again. Disk space
is claimed before the first image is written, so a full disk is an error at the start and never a crash in the middle.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..checks import InputError

_BUILDING = ".building-"
_ABANDONED = 86_400.0  # seconds


@dataclass(frozen=True)
class Key:
    """Everything the cached bytes depend on.

    Args:
        name: start of the file name, for example ``mnist-train-images``.
        source: file or folder it was made from. Informative only: a moved source finds its cache again.
        sha256: digest of the bytes of the source.
        size: number of bytes of the source.
        transforms: what was done to them, in order, in words that change whenever the result does.
        shape: of the uint8 array that results, ``[N, C, H, W]``.
    """

    name: str
    source: str
    sha256: str
    size: int
    transforms: tuple[str, ...]
    shape: tuple[int, ...]

    def identity(self) -> dict[str, object]:
        """The part that must agree between a cache and its source, as JSON reads it back."""
        fields = asdict(self) | {"transforms": list(self.transforms), "shape": list(self.shape)}
        del fields["source"]
        return fields


@dataclass(frozen=True)
class Kept:
    """What a ``fill`` says that did not know beforehand how many images it would write.

    Args:
        images: how many it wrote, from the first on; the file is cut to that length.
        notes: what to remember about them, for people to read.
    """

    images: int
    notes: tuple[str, ...] = ()


Fill = Callable[[np.ndarray], Kept | None]

_BLOCK = 1 << 20


def cache_folder(folder: Path | str | None = None) -> Path:
    """``folder`` if given, else ``$TUTELAGE_CACHE``, else the platform's place for caches. It need not exist yet."""
    if folder is not None:
        return Path(folder)
    if chosen := os.environ.get("TUTELAGE_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches" / "tutelage"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "tutelage"
    return Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache") / "tutelage"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # no HOME, and a user that the system does not know, as in some containers
        raise InputError(
            "there is no home folder for decoded images; set TUTELAGE_CACHE to a folder for them"
        ) from None


def cached(key: Key, fill: Fill, folder: Path | str | None = None) -> np.ndarray:
    """The array of ``key`` as a read-only memory map; ``fill`` is called only when it is not there or does not agree.

    Args:
        key: what is wanted.
        fill: writes every byte of the array it is given, uint8 of ``key.shape``, or the first images of it and returns
            how many (`Kept`). What it raises is passed on, and nothing is left behind.
        folder: where caches are; see `cache_folder`.

    Raises:
        InputError: the folder cannot be written, or has no room.
    """
    return cached_with_notes(key, fill, folder)[0]


def cached_with_notes(key: Key, fill: Fill, folder: Path | str | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """As `cached`, and the notes that ``fill`` left when it ran, now or long ago."""
    digest = hashlib.sha256(json.dumps(key.identity(), sort_keys=True).encode()).hexdigest()
    stem = cache_folder(folder) / f"{key.name}-{digest[:16]}"
    array, sidecar = stem.with_name(stem.name + ".npy"), stem.with_name(stem.name + ".json")
    found = _open(array, sidecar, key)
    if found is None:
        try:
            _write(array, sidecar, key, fill)
        except OSError as error:
            raise InputError(
                f"the cache file {array} cannot be written ({error.strerror or error}); "
                "set TUTELAGE_CACHE to a folder with write permission and free space"
            ) from error
        found = _open(array, sidecar, key)
    if found is None:
        raise InputError(f"the cache file {array} changed while it was read; run again, or set TUTELAGE_CACHE")
    return found


def _open(array: Path, sidecar: Path, key: Key) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """The memory map and its notes, or None if a file is missing, incomplete, or made from something else."""
    try:
        written = json.loads(sidecar.read_text(encoding="utf-8"))
        if {name: written.get(name) for name in key.identity()} != key.identity():
            return None
        shape = (written.get("images", key.shape[0]), *key.shape[1:])
        notes = tuple(str(note) for note in written.get("notes", ()))
        pixels = np.load(array, mmap_mode="r", allow_pickle=False)
    except Exception:  # on damaged bytes NumPy raises almost anything
        return None
    return (pixels, notes) if pixels.dtype == np.uint8 and pixels.shape == shape else None


def _write(array: Path, sidecar: Path, key: Key, fill: Fill) -> None:
    array.parent.mkdir(parents=True, exist_ok=True)
    _sweep(array.parent)
    with tempfile.TemporaryDirectory(dir=array.parent, prefix=_BUILDING) as scratch:
        new_array, new_sidecar = Path(scratch) / array.name, Path(scratch) / sidecar.name
        _claim(new_array, key.shape)
        pixels = np.lib.format.open_memmap(new_array, mode="r+")
        kept = fill(pixels)
        pixels.flush()
        del pixels
        words = asdict(key)
        if kept is not None:
            _cut(new_array, (kept.images, *key.shape[1:]))
            words |= {"images": kept.images, "notes": kept.notes}
        new_sidecar.write_text(json.dumps(words, indent=2) + "\n", encoding="utf-8")
        for path in (new_array, new_sidecar):
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(new_array, array)
        os.replace(new_sidecar, sidecar)


def _sweep(folder: Path) -> None:
    """Remove what was begun more than a day ago and never finished: its process was killed."""
    for scratch in folder.glob(f"{_BUILDING}*"):
        with contextlib.suppress(OSError):
            youngest = max(path.stat().st_mtime for path in (scratch, *scratch.iterdir()))
            if time.time() - youngest > _ABANDONED:
                shutil.rmtree(scratch)


def _claim(path: Path, shape: tuple[int, ...]) -> None:
    """An ``.npy`` file of zeros whose space on the disk is its own.

    Writing through a memory map into space that a full disk cannot give kills the process without a word.
    """
    with path.open("wb") as file:
        _write_header(file, shape)
        start, length = file.tell(), math.prod(shape)
        file.flush()
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), start, length)
                return
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                    raise
        zeros = bytes(_BLOCK)
        for position in range(0, length, _BLOCK):
            file.write(zeros[: min(_BLOCK, length - position)])


def _cut(path: Path, shape: tuple[int, ...]) -> None:
    """Shorten an ``.npy`` file to ``shape``. NumPy leaves room in the header for any first length."""
    with path.open("rb+") as file:
        _write_header(file, shape)
        file.truncate(file.tell() + math.prod(shape))


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
