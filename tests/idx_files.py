"""Small data sets in the form of MNIST's files, for any test."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np


def idx_bytes(array: np.ndarray) -> bytes:
    """A uint8 array in the idx format."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(folder: Path, train: int = 30, test: int = 10, side: int = 6, packed: bool = True) -> np.ndarray:
    """The four files, with noise for digits; returns all images, ``[train + test, side, side]``."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (train + test, side, side), dtype=np.uint8)
    labels = rng.integers(0, 10, train + test, dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in (("train", slice(0, train)), ("t10k", slice(train, None))):
        for kind, array in (("images-idx3", images[rows]), ("labels-idx1", labels[rows])):
            content = idx_bytes(array)
            name = f"{part}-{kind}-ubyte" + (".gz" if packed else "")
            (folder / name).write_bytes(gzip.compress(content) if packed else content)
    return images
