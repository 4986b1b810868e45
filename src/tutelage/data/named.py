"""From a few words in a recipe to the images: where data are looked for, and which reader they get."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..checks import InputError
from .arrays import from_npy
from .bundled import digits
from .cache import cache_folder
from .download import fetch_mnist
from .folder import folder_splits
from .idx import has_idx, mnist
from .images import Splits


@dataclass(frozen=True)
class DataSpec:
    """Which data a recipe learns from.

    Args:
        kind: ``mnist`` (idx files), ``folder`` (image files), ``array`` (a .npy file) or ``digits`` (bundled).
        size: height and width of an image. Folders and the bundled digits are brought to it; the others must have it.
        channels: 1 (grey) or 3 (RGB). Folders are brought to it; the others must have it.
        value_range: only for arrays of floats, the values that stand for black and white.

    Raises:
        InputError: a size below 1, or a number of channels other than 1 and 3.
    """

    kind: Literal["mnist", "folder", "array", "digits"]
    size: tuple[int, int]
    channels: int
    value_range: tuple[float, float] = (-1.0, 1.0)

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < 1:
            raise InputError(f"the image size is {self.size}; give a height and a width of at least 1")
        if self.channels not in (1, 3):
            raise InputError(f"the number of channels is {self.channels}; give 1 for grey or 3 for RGB")


def load(
    spec: DataSpec,
    path: Path | str | None = None,
    *,
    cache: Path | str | None = None,
    download: bool = False,
) -> Splits:
    """The images of ``spec``.

    Args:
        spec: what is wanted.
        path: where it is (`find` says how it is looked up); not used by ``digits``.
        cache: where decoded images are kept; see `tutelage.data.cache.cache_folder`.
        download: allow fetching from the network what is found nowhere else. Only MNIST can be fetched.

    Raises:
        InputError: nothing is found, or the images are not of the size and channels of ``spec``.
    """
    match spec.kind:
        case "mnist":
            splits = mnist(find("mnist", path, cache=cache, download=download), cache)
        case "folder":
            splits = folder_splits(find("folder", path), spec.size, spec.channels, cache)
        case "array":
            splits = Splits(from_npy(find("array", path), value_range=spec.value_range, cache=cache))
        case "digits":
            splits = digits(spec.size)
        case _:
            raise InputError(f"the kind of data is {spec.kind!r}; give one of mnist, folder, array, digits")
    wanted = (spec.channels, *spec.size)
    if splits.train.shape != wanted:
        raise InputError(
            f"the images of {splits.train.source} are {_by(splits.train.shape)} (channels, height, width), but the "
            f"recipe needs {_by(wanted)}; choose other data, or a recipe for this size"
        )
    return splits


def find(
    kind: Literal["mnist", "folder", "array"],
    path: Path | str | None = None,
    *,
    cache: Path | str | None = None,
    download: bool = False,
) -> Path:
    """Where data of this kind are.

    ``path`` is used if given, else the folder that ``TUTELAGE_DATA`` names. For MNIST either may hold the idx files
    itself or in a subfolder ``mnist`` (or ``MNIST/raw``), and without either an earlier download is used.

    Raises:
        InputError: it is nowhere; the message says where was looked and how to get it.
    """
    root = path if path is not None else os.environ.get("TUTELAGE_DATA") or None
    if kind == "mnist":
        return _find_mnist(None if root is None else Path(root), cache, download)
    needed = "a folder of images" if kind == "folder" else "a .npy file"
    if root is None:
        raise InputError(f"no data were named; give {needed} with --data, or set TUTELAGE_DATA")
    root = Path(root)
    if not (root.is_dir() if kind == "folder" else root.is_file()):
        state = "is no such thing" if root.exists() else "does not exist"
        raise InputError(f"{root} {state}; give {needed} with --data, or set TUTELAGE_DATA")
    return root


def _find_mnist(root: Path | None, cache: Path | str | None, download: bool) -> Path:
    places = [cache_folder(cache) / "mnist"] if root is None else [root, root / "mnist", root / "MNIST" / "raw"]
    for place in places:
        if has_idx(place):
            return place
    if download:
        return fetch_mnist(cache)
    looked = ", ".join(str(place) for place in places)
    raise InputError(
        f"MNIST was not found (looked in: {looked}); name its folder with --data FOLDER or TUTELAGE_DATA, "
        "or fetch it with --download"
    )


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in shape)
