"""The idx format of MNIST, read strictly, and MNIST's classical split.

A file is a four-byte magic number (two zero bytes, the type, the number of dimensions), each dimension as a big-endian
32-bit integer, then the bytes themselves. Type 8 is the unsigned byte, the only one here. Files may be gzipped.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from ..checks import InputError, by
from .cache import Key, cached
from .images import ImageSet, Splits, file_digest

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
MNIST = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

VALIDATION = 10_000
"""How many of MNIST's training images are kept for validation, classically."""

_File = gzip.GzipFile | io.BufferedReader

_CHUNK = 1 << 20
_LARGEST_RATIO = 1100  # deflate cannot shrink anything further than about 1032 times


def mnist(folder: Path | str, cache: Path | str | None = None, validation: int = VALIDATION) -> Splits:
    """MNIST from its four usual files, or any set in the same form: images ``[1, H, W]``.

    The classical split: the last ``validation`` images of the train file are the validation images (50 000 + 10 000 of
    MNIST's 60 000, in the order of the file), and the test file is the test set. Gzipped files are unpacked once, into
    the cache.

    Raises:
        InputError: a file is missing or damaged, or the train file has no more than ``validation`` images.
    """
    folder = Path(folder)
    whole = images(idx_file(folder, TRAIN_IMAGES), "mnist train file", cache)
    test = images(idx_file(folder, TEST_IMAGES), "mnist test", cache)
    kept = len(whole) - validation
    if validation < 1 or kept < 1:
        raise InputError(
            f"{whole.source} has {len(whole)} images, of which {validation} were asked for validation; "
            "at least one must be left to each side, so give another number of validation images"
        )
    return Splits(
        train=whole.subset(0, kept, "mnist train"),
        validation=whole.subset(kept, len(whole), "mnist validation"),
        test=test,
    )


def images(path: Path | str, name: str, cache: Path | str | None = None) -> ImageSet:
    """An idx file of images, ``[N, H, W]`` unsigned bytes, as a memory-mapped set ``[N, 1, H, W]``.

    Raises:
        InputError: the file is missing, is not an idx file of three dimensions, or is too short or too long.
    """
    path = Path(path)
    with _open(path) as file:
        count, height, width = _header(file, path, dims=3)
    key = Key(
        name=path.name.removesuffix(".gz"),
        source=str(path),
        sha256=file_digest(path),
        size=path.stat().st_size,
        transforms=("idx to uint8 [N, 1, H, W]",),
        shape=(count, 1, height, width),
    )

    def fill(pixels: np.ndarray) -> None:
        with _open(path) as file:
            _header(file, path, dims=3)
            _read_into(file, path, pixels.data.cast("B"))

    pixels = cached(key, fill, cache)
    return ImageSet(pixels, name, str(path), _digest_unpacked(pixels))


def labels(path: Path | str) -> np.ndarray:
    """An idx file of labels as uint8 ``[N]``.

    Raises:
        InputError: as for `images`, for one dimension.
    """
    path = Path(path)
    with _open(path) as file:
        (count,) = _header(file, path, dims=1)
        values = np.empty(count, np.uint8)
        _read_into(file, path, values.data)
    return values


def mnist_labels(folder: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """The labels of MNIST's train file and of its test file, uint8 ``[N]`` each, one for each image.

    Raises:
        InputError: a file is missing or damaged, or the images are more or fewer than their labels.
    """
    folder = Path(folder)
    found = []
    for images_name, labels_name in ((TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS)):
        pictures, path = idx_file(folder, images_name), idx_file(folder, labels_name)
        values = labels(path)
        with _open(pictures) as file:
            count = _header(file, pictures, dims=3)[0]
        if len(values) != count:
            raise InputError(
                f"{path} has {len(values)} labels and {pictures} {count} images, but each image needs a label; give "
                "files that belong together, or download them again"
            )
        found.append(values)
    return found[0], found[1]


def _digest_unpacked(pixels: np.ndarray) -> str:
    """SHA-256 of the unpacked idx file, the same however the file was compressed."""
    count, _, height, width = pixels.shape
    header = bytes((0, 0, 8, 3)) + b"".join(size.to_bytes(4, "big") for size in (count, height, width))
    digest = hashlib.sha256(header)
    digest.update(pixels.data)
    return digest.hexdigest()


def has_idx(folder: Path, name: str = TRAIN_IMAGES) -> bool:
    """Whether the file ``name`` of MNIST, its train images, lies in ``folder``, gzipped or not."""
    return any((folder / spelling).is_file() for spelling in _spellings(name))


def idx_file(folder: Path, name: str) -> Path:
    """The file ``name`` in ``folder``: as it is, gzipped, or with the dot that some archives put before ``idx``.

    Raises:
        InputError: there is none.
    """
    for spelling in _spellings(name):
        if (folder / spelling).is_file():
            return folder / spelling
    raise InputError(f"no file {name} or {name}.gz in {folder}; copy MNIST's four files there")


def _spellings(name: str) -> tuple[str, ...]:
    dotted = name.replace("-idx", ".idx")
    return name, f"{name}.gz", dotted, f"{dotted}.gz"


def _open(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        return gzip.open(path, "rb") if packed else path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); name an idx file") from error


def _header(file: _File, path: Path, dims: int) -> tuple[int, ...]:
    head = _read(file, path, 4 + 4 * dims)
    magic = head[:4]
    if magic != bytes((0, 0, 8, dims)):
        raise InputError(
            f"{path} starts with the bytes {magic.hex(' ') or '(none)'}, but an idx file of {dims}-dimensional "
            f"unsigned bytes starts with 00 00 08 {dims:02x}; name the right file, or download it again"
        )
    if len(head) < 4 + 4 * dims:
        raise InputError(f"{path} ends inside its header; download it again")
    shape = struct.unpack(f">{dims}I", head[4:])
    if 0 in shape:
        raise InputError(f"{path} says it holds {by(shape)} bytes, which is nothing; name a file that is not empty")
    if math.prod(shape) > path.stat().st_size * _LARGEST_RATIO:
        raise InputError(
            f"{path} is truncated: it says it holds {by(shape)} bytes, more than its {path.stat().st_size} bytes "
            "can unpack to; download it again"
        )
    return shape


def _read_into(file: _File, path: Path, target: memoryview) -> None:
    """Fill ``target`` with the rest of the file, which must be exactly that long."""
    position = 0
    while position < len(target):
        piece = _read(file, path, min(_CHUNK, len(target) - position))
        if not piece:
            raise InputError(
                f"{path} is truncated: it has {position} bytes of data and its header promises {len(target)}; "
                "download it again"
            )
        target[position : position + len(piece)] = piece
        position += len(piece)
    if _read(file, path, 1):
        raise InputError(f"{path} goes on after the {len(target)} bytes its header promises; download it again")


def _read(file: _File, path: Path, count: int) -> bytes:
    try:
        return file.read(count)
    except EOFError as error:
        raise InputError(f"{path} is truncated: the gzip stream ends too early; download it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is damaged ({error}); download it again") from error
