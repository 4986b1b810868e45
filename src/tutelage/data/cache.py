"""Decoded images, kept on disk: a ``.npy`` of unsigned bytes and a JSON file beside it that says what it was made from.

A file is named by what is in it (the digest of the source and the transforms), so a changed source never meets an old
cache, and two processes that build the same set at once write the same bytes. Both files are written under a temporary
name and moved into place, the JSON last: a pair that is complete is right, and anything else is built again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..checks import InputError


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


def cache_folder(folder: Path | str | None = None) -> Path:
    """``folder`` if given, else ``$TUTELAGE_CACHE``, else the platform's place for caches. It need not exist yet."""
    if folder is not None:
        return Path(folder)
    if chosen := os.environ.get("TUTELAGE_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tutelage"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "tutelage"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tutelage"


def cached(key: Key, fill: Callable[[np.ndarray], None], folder: Path | str | None = None) -> np.ndarray:
    """The array of ``key`` as a read-only memory map; ``fill`` is called only when it is not there or does not agree.

    Args:
        key: what is wanted.
        fill: writes every byte of the array it is given, uint8 of ``key.shape``. What it raises is passed on, and
            nothing is left behind.
        folder: where caches are; see `cache_folder`.

    Raises:
        InputError: the folder cannot be written.
    """
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


def _open(array: Path, sidecar: Path, key: Key) -> np.ndarray | None:
    """The memory map, or None if a file is missing, incomplete, or made from something else."""
    try:
        written = json.loads(sidecar.read_text(encoding="utf-8"))
        if {name: written.get(name) for name in key.identity()} != key.identity():
            return None
        pixels = np.load(array, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, AttributeError, EOFError):
        return None
    return pixels if pixels.dtype == np.uint8 and pixels.shape == key.shape else None


def _write(array: Path, sidecar: Path, key: Key, fill: Callable[[np.ndarray], None]) -> None:
    array.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=array.parent, prefix=".building-") as scratch:
        new_array, new_sidecar = Path(scratch) / array.name, Path(scratch) / sidecar.name
        pixels = np.lib.format.open_memmap(new_array, mode="w+", dtype=np.uint8, shape=key.shape)
        fill(pixels)
        pixels.flush()
        del pixels
        new_sidecar.write_text(json.dumps(asdict(key), indent=2) + "\n", encoding="utf-8")
        for path in (new_array, new_sidecar):
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(new_array, array)
        os.replace(new_sidecar, sidecar)
