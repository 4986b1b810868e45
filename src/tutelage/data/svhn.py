"""Street View House Numbers, the cropped digits: ``train_32x32.mat``, ``test_32x32.mat`` and ``extra_32x32.mat``.

Each file has ``X``, uint8 ``[32, 32, 3, N]``, and ``y``, the digit of each image as 1 … 10 (10 stands for 0), in
MATLAB's format 5, which SciPy reads.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..checks import InputError, first_line, optional
from .cache import Key, cached
from .images import ImageSet, Splits, file_digest

TRAIN, TEST, EXTRA = "train_32x32.mat", "test_32x32.mat", "extra_32x32.mat"

_SHAPE = (32, 32, 3)
_CLASSES = 10
_ROWS = 4096
_AGAIN = "download it again from http://ufldl.stanford.edu/housenumbers"


def svhn(folder: Path | str, cache: Path | str | None = None, *, extra: bool = False) -> Splits:
    """SVHN as ``[N, 3, 32, 32]``: its training images and its test set.

    Args:
        folder: holds the files.
        cache: where the decoded images are kept; see `tutelage.data.cache.cache_folder`.
        extra: learn from the extra images too: they follow the training images in one set. Their file (1.3 GB, as much
            again decoded) is in memory while it is decoded, once; the set is not.

    Raises:
        InputError: SciPy is not installed, or a file is missing, damaged, or does not hold such arrays.
    """
    folder = Path(folder)
    learned = (TRAIN, EXTRA) if extra else (TRAIN,)
    train = _images([folder / name for name in learned], "svhn train and extra" if extra else "svhn train", cache)
    return Splits(train, None, _images([folder / TEST], "svhn test", cache))


def svhn_labels(folder: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """The digits 0 … 9 of the training and the test images as uint8 ``[N]``, in the order of `svhn`.

    Extra images, which come after the training images, are learned from without labels and have none here.
    """
    folder = Path(folder)
    first, second = ((_described(folder / name)[1] % _CLASSES).astype(np.uint8) for name in (TRAIN, TEST))
    return first, second


def has_svhn(folder: Path) -> bool:
    """Whether the training images of SVHN lie in ``folder``."""
    return (folder / TRAIN).is_file()


def _images(paths: Sequence[Path], name: str, cache: Path | str | None) -> ImageSet:
    """The images of one file, or those of several, one after the other."""
    counts = [_described(path)[0] for path in paths]
    digests = [file_digest(path) for path in paths]
    source = " and ".join((str(paths[0]), *(path.name for path in paths[1:])))
    key = Key(
        name="-".join(path.stem for path in paths),
        source=source,
        sha256=digests[0] if len(paths) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest(),
        size=sum(path.stat().st_size for path in paths),
        transforms=("X to uint8 [N, 3, 32, 32]",),
        shape=(sum(counts), 3, 32, 32),
    )

    def fill(pixels: np.ndarray) -> None:
        start = 0
        for path, count in zip(paths, counts, strict=True):
            _decode(path, pixels[start : start + count])
            start += count

    return ImageSet(cached(key, fill, cache), name, source, key.sha256)


def _decode(path: Path, pixels: np.ndarray) -> None:
    """Fill ``pixels`` with the images of a file, which is in memory until this returns."""
    planes = _variable(path, "X").transpose(3, 2, 0, 1)
    for start in range(0, len(pixels), _ROWS):
        pixels[start : start + _ROWS] = planes[start : start + _ROWS]


def _described(path: Path) -> tuple[int, np.ndarray]:
    """Number of images and their labels 1 … 10, with everything about a file checked except its pixels."""
    reader = _scipy()
    if not path.is_file():
        needed = "SVHN's extra images (1.3 GB)" if path.name == EXTRA else f"SVHN's {TRAIN} and {TEST}"
        without = ", or leave out data.extra" if path.name == EXTRA else ""
        raise InputError(f"no file {path.name} in {path.parent}; copy {needed} there{without}")
    try:
        found = {name: (tuple(shape), kind) for name, shape, kind in reader.whosmat(path)}
    except Exception as error:  # SciPy raises almost anything on damaged bytes
        raise _damaged(path, error) from error
    shape, kind = found.get("X", ((), "missing"))
    if kind != "uint8" or len(shape) != 4 or shape[:3] != _SHAPE or shape[3] < 1:
        raise InputError(
            f"X in {path} is {kind} {list(shape)}, but uint8 [32, 32, 3, N] is needed; name SVHN's cropped digits"
        )
    if "y" not in found:
        raise InputError(f"{path} has no labels y, so it is cut short or another file; {_AGAIN}")
    labels = _variable(path, "y").reshape(-1)
    if len(labels) != shape[3]:
        raise InputError(f"{path} has {len(labels)} labels for {shape[3]} images; one for each is needed, so {_AGAIN}")
    if labels.dtype.kind not in "iu" or labels.min() < 1 or labels.max() > _CLASSES:
        raise InputError(f"the labels in {path} are not whole numbers from 1 to {_CLASSES}; name SVHN's cropped digits")
    return shape[3], labels


def _variable(path: Path, name: str) -> np.ndarray:
    try:
        return _scipy().loadmat(path, variable_names=[name])[name]
    except Exception as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} cannot be read as a MATLAB file ({first_line(error)}); {_AGAIN}")


def _scipy() -> types.ModuleType:
    with optional("SVHN's files need SciPy", "svhn"):
        import scipy.io
    return scipy.io
