"""From a few words in a recipe to the images: where data are looked for, and which reader they get."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from ..checks import InputError, by
from .arrays import from_npy
from .bundled import digit_labels, digits
from .cache import cache_folder
from .cifar import ARCHIVES, FOLDERS, cifar10, cifar10_labels, has_cifar10
from .clip_set import clip_set
from .download import fetch_mnist
from .files import refuse_sets_among, training
from .folder import folder_parts, folder_splits
from .idx import MNIST, VALIDATION, has_idx, mnist, mnist_labels
from .images import Splits, holding_out, stretched
from .picture import Fit
from .single import single_image
from .svhn import TEST, TRAIN, has_svhn, svhn, svhn_labels
from .zipped import zip_parts, zip_splits

Kind = Literal["mnist", "folder", "array", "digits", "zip", "image", "cifar10", "svhn", "video"]


@dataclass(frozen=True)
class DataSpec:
    """Which data a recipe learns from.

    Args:
        kind: ``mnist`` (idx files), ``folder`` or ``zip`` (image files, in either form), ``image`` (one picture),
            ``array`` (a .npy file), ``cifar10``, ``svhn``, ``video`` (one clip) or ``digits`` (bundled).
        size: height and width of an image, or of a video's frame. Pictures (folder, zip, image), videos and the bundled
            digits are brought to it; the others must have it.
        channels: 1 (grey) or 3 (RGB). All must have it; pictures are brought to it with ``convert``.
        value_range: only for arrays of floats, the values that stand for black and white.
        scaling: ``global`` maps bytes 0 … 255 to [−1, 1], ``per-image`` the range of each image (see
            `tutelage.data.images`), which of a video is the range of the whole clip; ``per-frame`` (video only) that of
            each of its frames.
        flip: whether learning mirrors images at random (see `tutelage.data.flip`); loading them does not.
        convert: pictures and videos only: convert colours, transparency and 16 bits that do not fit, instead of
            refusing them.
        skip_bad: folder and zip only: leave out files that would be refused, and say which in a warning.
        enlarge: pictures and videos only: enlarge those that are smaller than ``size``, instead of refusing them. Large
            models can so be tried on small pictures, whose detail they then lack.
        centre: folder and zip only: cut the central square of so many pixels a side out of each picture before it is
            brought to ``size``, such as the 108 of CelebA's faces that are face; None: nothing is cut away first. A
            smaller picture is refused, or left out with ``skip_bad``, as one that is smaller than ``size``; with
            ``enlarge`` the largest central square that it has is taken.
        crops: image only: how many random pieces of ``size`` to cut from the picture; 0 for the whole picture.
        shorter: crops only: the length that the picture's shorter side is brought to before it is cut (None: as it is).
        subset: folder and zip only: only the files below this folder, or these, of each set, for example one class.
        each: folder and zip only: only the first so many files of each folder of the training set, by their names.
        held_out: folder, zip and array only: the last so many images, by their names, are not learned from and are the
            test images, of data that hold none out by themselves. (Of folders of classes these are all of the last.)
        frames: video only, and needed there: how many of the clip's first frames are learned from.
        extra: svhn only: learn from its extra images too, which follow those of the training set and have no labels
            here (see `class_labels`).

    Raises:
        InputError: a size or a centre below 1, a number of channels other than 1 and 3, a negative number of crops or
            of images held out, none of each folder; crops, a centre, a subset, some of each folder, frames, extra
            images or images held out of data that have none; a centre that is smaller than the size and not to be
            enlarged; and a video without frames or in grey.
    """

    kind: Kind
    size: tuple[int, int]
    channels: int
    value_range: tuple[float, float] = (-1.0, 1.0)
    scaling: Literal["global", "per-image", "per-frame"] = "global"
    flip: bool = False
    convert: bool = False
    skip_bad: bool = False
    enlarge: bool = False
    crops: int = 0
    shorter: int | None = None
    subset: str | tuple[str, ...] | None = None
    each: int | None = None
    held_out: int = 0
    frames: int | None = None
    centre: int | None = None
    extra: bool = False

    def __post_init__(self) -> None:
        if self.centre is not None and self.kind not in ("folder", "zip"):
            raise InputError(
                f"a centre of {self.centre} pixels was asked of data of kind {self.kind}; only the pictures of a "
                "folder or a zip have it cut out: leave out data.centre"
            )
        if self.extra and self.kind != "svhn":
            raise InputError(
                f"extra images were asked of data of kind {self.kind}; only svhn has some: leave out data.extra"
            )
        self.fit()
        if self.crops < 0:
            raise InputError(f"the number of crops is {self.crops}; give 0 for the whole picture, or how many to cut")
        if self.crops and self.kind != "image":
            raise InputError(
                f"{self.crops} crops were asked of data of kind {self.kind}; only kind image is cropped: leave out "
                "data.crops"
            )
        if self.shorter is not None and (self.shorter < 1 or not self.crops):
            raise InputError(
                f"a shorter side of {self.shorter} pixels was asked for, with {self.crops} crops; it needs to be at "
                "least 1, and there need to be crops: set data.crops as well, or leave it out"
            )
        if self.subset is not None and self.kind not in ("folder", "zip"):
            raise InputError(
                f"the subset {self.subset!r} was asked of data of kind {self.kind}; only folder and zip have folders: "
                "leave out data.subset"
            )
        if self.each is not None and (self.each < 1 or self.kind not in ("folder", "zip")):
            raise InputError(
                f"{self.each} images of each folder were asked of data of kind {self.kind}; give 1 or more, of a "
                "folder or a zip"
            )
        if self.held_out < 0 or (self.held_out and self.kind not in ("folder", "zip", "array")):
            raise InputError(
                f"{self.held_out} images were to be held out of data of kind {self.kind}; give 0 or more, of a folder, "
                "a zip or an array"
            )
        if self.kind == "video" and (self.frames is None or self.frames < 1 or self.channels != 3):
            raise InputError(
                f"a video of {self.frames} frames and {self.channels} channels was asked for; it needs at least 1 "
                "frame and 3 channels: set data.frames and data.channels"
            )
        if self.kind != "video" and (self.frames is not None or self.scaling == "per-frame"):
            raise InputError(
                f"frames={self.frames} and scaling={self.scaling} were asked of data of kind {self.kind}; only kind "
                "video has frames: leave them out"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image, ``(channels, height, width)``; of a video, ``(channels, frames, height, width)``."""
        return (self.channels, *(() if self.frames is None else (self.frames,)), *self.size)

    def fit(self) -> Fit:
        """What pictures are brought to."""
        varied = self.scaling == "per-image"
        return Fit(self.size, self.channels, self.convert, self.enlarge, self.skip_bad, varied, self.centre)


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
        InputError: nothing is found, or the images are refused, or are not of the size and channels of ``spec``, or
            one of them cannot be scaled as ``spec`` says; or images are to be held out where some are already, or no
            more than these are there.

    Warns:
        UserWarning: once, which files were left out because of ``spec.skip_bad``.
    """
    if download and spec.kind != "mnist":
        raise InputError(f"data of kind {spec.kind} cannot be fetched, only MNIST can; leave out --download")
    match spec.kind:
        case "mnist":
            splits = mnist(find("mnist", path, cache=cache, download=download), cache)
        case "folder" | "zip" as kind:
            place = find(kind, path)
            read = folder_splits if place.is_dir() else zip_splits
            splits = read(place, spec.fit(), subset=spec.subset, each=spec.each, cache=cache)
        case "image":
            fit, crops, shorter = spec.fit(), spec.crops, spec.shorter
            splits = Splits(single_image(find("image", path), fit, crops=crops, shorter=shorter, cache=cache))
        case "array":
            splits = Splits(from_npy(find("array", path), value_range=spec.value_range, cache=cache))
        case "cifar10":
            splits = cifar10(find("cifar10", path), cache)
        case "svhn":
            splits = svhn(find("svhn", path), cache, extra=spec.extra)
        case "video":
            assert spec.frames is not None
            each = spec.scaling == "per-frame"
            splits = Splits(clip_set(find("video", path), spec.frames, spec.fit(), each_frame=each))
        case "digits":
            splits = digits(spec.size)
        case _:
            raise InputError(f"the kind of data is {spec.kind!r}; give one of {', '.join(get_args(Kind))}")
    splits = holding_out(splits, spec.held_out) if spec.held_out else splits
    wanted = spec.shape
    if splits.train.shape != wanted:
        raise InputError(
            f"the images of {splits.train.source} are {by(splits.train.shape)} (channels, height, width), but the "
            f"recipe needs {by(wanted)}; choose other data, or a recipe for this size"
        )
    return _stretched(splits) if spec.scaling == "per-image" else splits


def class_folders(path: Path | str | None = None) -> tuple[str, ...]:
    """The folders right below the training set of a folder or a zip of pictures, such as one for each class.

    ``path`` is looked up as `find` does. Raises ``InputError`` where there are no pictures, or folders that are meant
    as sets, like ``training`` and ``testing``.
    """
    place = find("folder", path)
    with nullcontext(folder_parts(place)) if place.is_dir() else zip_parts(place) as parts:
        learned = parts[training(parts)]
        refuse_sets_among(learned)
        return learned.folders()


class Labels(NamedTuple):
    """Classes as whole numbers from 0, ``[N]`` for each set of `load`, in its order; None for a set that is missing.

    Training images beyond the N of ``train``, which are SVHN's extra ones, have no labels.
    """

    train: np.ndarray
    validation: np.ndarray | None
    test: np.ndarray | None


def class_labels(spec: DataSpec, path: Path | str | None = None, *, cache: Path | str | None = None) -> Labels:
    """The classes of the images that `load` reads for the same arguments.

    Raises:
        InputError: the kind of data has no labels, or they are missing or damaged, or not as many as the images.
    """
    match spec.kind:
        case "mnist":
            whole, test = mnist_labels(find("mnist", path, cache=cache))
            kept = len(whole) - VALIDATION
            return Labels(whole[:kept], whole[kept:], test)
        case "cifar10":
            train, test = cifar10_labels(find("cifar10", path))
            return Labels(train, None, test)
        case "svhn":
            train, test = svhn_labels(find("svhn", path))
            return Labels(train, None, test)
        case "digits":
            return Labels(*digit_labels())
        case _:
            raise InputError(f"data of kind {spec.kind!r} have no labels; give mnist, cifar10, svhn or digits")


def find(
    kind: Kind,
    path: Path | str | None = None,
    *,
    cache: Path | str | None = None,
    download: bool = False,
) -> Path:
    """Where data of this kind are.

    ``path`` is used if given, else what ``TUTELAGE_DATA`` names. For MNIST, CIFAR-10 and SVHN either may hold the files
    themselves or in a subfolder of the usual name, and CIFAR-10 may be an archive. Without either an earlier download
    of MNIST is used.

    Raises:
        InputError: it is nowhere; the message says where was looked and how to get it.
    """
    root = _root(path)
    match kind:
        case "mnist":
            return _find_mnist(root, cache, download)
        case "cifar10":
            names = (*FOLDERS, *ARCHIVES)
            return _find_set(root, names, has_cifar10, "CIFAR-10", "a folder with its batches, or its .tar.gz,")
        case "svhn":
            return _find_set(root, ("svhn", "SVHN"), has_svhn, "SVHN", f"the folder of {TRAIN} and {TEST}")
    needed = _NEEDED.get(kind, "them")
    if root is None:
        raise InputError(f"no data were named; give {needed} with --data, or set TUTELAGE_DATA")
    match kind:
        case "folder" | "zip":  # either may be given for the other
            there = root.is_dir() or (root.suffix.lower() == ".zip" and root.is_file())
        case "video":
            there = root.exists()
        case _:
            there = root.is_file()
    if not there:
        state = "is a folder" if root.is_dir() else "is a file" if root.exists() else "does not exist"
        whole = ", or read this folder with --set data.kind=folder data.crops=0 data.shorter=none"
        hint = whole if kind == "image" and root.is_dir() else ""
        raise InputError(f"{root} {state}; give {needed} with --data, or set TUTELAGE_DATA{hint}")
    return root


def find_each(kind: Literal["image", "video"], path: Path | str | None = None) -> dict[str, Path]:
    """Pictures, or clips, by their names without endings: the one that ``find`` finds, or all of a folder, in order.

    What is hidden is left out, and of pictures so are folders; a folder among clips is one, of frames.

    Raises:
        InputError: nothing is there, or two have one name.
    """
    root = _root(path)
    if root is None or not root.is_dir():
        place = find(kind, path)
        return {place.stem: place}
    there = (p for p in root.iterdir() if not p.name.startswith(".") and (kind == "video" or p.is_file()))
    places = sorted(there)
    names, many = [p.stem for p in places], {"image": "pictures", "video": "clips"}[kind]
    if not places:
        raise InputError(f"{root} has no {many}; give a folder of {many}")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        alike = ", ".join(place.name for place in places if place.stem == twice)
        raise InputError(f"{root} has {many} of one name, {alike}; rename or move all of them but one")
    return dict(zip(names, places, strict=True))


def check_apart(out: Path, path: Path | str | None = None) -> None:
    """Refuse ``out`` for what is made of data if it lies in the folder that `find` looks in.

    The next look at these data would find its pictures among them. Raises ``InputError``.
    """
    root = _root(path)
    if root is not None and root.is_dir() and out.resolve().is_relative_to(root.resolve()):
        raise InputError(
            f"{out} lies in {root}, where the data are, and its pictures would be taken for data from then on; name an "
            "--out that is not in it"
        )


def _root(path: Path | str | None) -> Path | None:
    named = path if path is not None else os.environ.get("TUTELAGE_DATA") or None
    return None if named is None else Path(named)


_NEEDED = {
    "folder": "a folder or a .zip of images",
    "zip": "a folder or a .zip of images",
    "image": "a picture",
    "array": "a .npy file",
    "video": "a video, or a folder of its frames,",
}


def _find_set(root: Path | None, below: tuple[str, ...], has: Callable[[Path], bool], title: str, needed: str) -> Path:
    if root is None:
        raise InputError(f"no data were named; give {needed} with --data, or set TUTELAGE_DATA")
    places = [root, *(root / name for name in below)]
    for place in places:
        if has(place):
            return place
    looked = ", ".join(str(place) for place in places)
    raise InputError(f"{title} was not found (looked in: {looked}); name {needed} with --data or TUTELAGE_DATA")


def _stretched(splits: Splits) -> Splits:
    held_out = (None if images is None else stretched(images) for images in (splits.validation, splits.test))
    return Splits(stretched(splits.train), *held_out)


def _find_mnist(root: Path | None, cache: Path | str | None, download: bool) -> Path:
    places = [cache_folder(cache) / "mnist"] if root is None else [root, root / "mnist", root / "MNIST" / "raw"]
    if download and root is None and not all(has_idx(places[0], name) for name in MNIST):
        return fetch_mnist(cache)  # an earlier download may have been broken off
    for place in places:
        if has_idx(place):
            return place
    if download:
        return fetch_mnist(cache)
    looked = ", ".join(str(place) for place in places)
    raise InputError(
        f"MNIST was not found (looked in: {looked}); name its folder with --data FOLDER or TUTELAGE_DATA, "
        "or add --download to `tutelage train`, which fetches the files (with --minutes 0 it hardly learns)"
    )
