"""A folder of image files, decoded once into a memory-mapped set. What is done to a picture is said in `picture`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from ..checks import InputError
from .files import (
    SETS,
    SUFFIXES,
    Files,
    Subset,
    is_picture,
    read_set,
    read_splits,
    sets_below,
    start_of_sets,
    tell_beside,
    tell_foreign,
    why,
)
from .images import ImageSet, Splits
from .picture import Fit

_TRAIN = "[tT][rR][aA][iI][nN]"


def folder_splits(
    folder: Path | str,
    fit: Fit,
    *,
    subset: Subset = None,
    each: int | None = None,
    cache: Path | str | None = None,
) -> Splits:
    """A folder as `Splits`: all images are for training, unless it has subfolders that say otherwise.

    With a subfolder ``train``, the images in it are the training set, and those in ``validation`` (or ``val``) and
    ``test``, where there are such subfolders, are the other two, whatever the case of these names. They may also lie in
    the one folder that all images are in, as where a zip was unpacked into a folder of its own.

    Args:
        folder: see `folder_images`.
        fit: what every picture is brought to.
        subset: only the images below this folder, or these, of each set, for example one class; a held-out set that
            lacks them is missing.
        each: only the first so many of each folder of the training set.
        cache: see `tutelage.data.cache.cache_folder`.

    Raises:
        InputError: as for `folder_images`, or there are pictures beside the folder of a training and a held-out set,
            or the training set has no images below ``subset``, or fewer than ``each`` in a folder, or it is taken whole
            and has folders like ``training`` and ``testing``.

    Warns:
        UserWarning: once, which files were left out because ``fit.skip_bad`` says so; and what lies beside ``train``.
    """
    return read_splits(folder_parts(Path(folder)), fit, subset, each, cache)


def folder_parts(folder: Path) -> dict[str, Files]:
    """The files of each set that a folder holds, by the names that `folder_splits` knows."""
    start = _start_of_sets(folder)
    if start is None:
        return {_name(folder): picture_files(folder)}
    place = folder / start
    children = [*place.iterdir()]
    named = [child for child in children if child.name.lower() in SETS and (child.is_dir() or _dangles(child))]
    sets = sets_below([f"{child.name}/" for child in named], "")
    tell_beside(place, [child.name for child in children if child.name not in sets.values() and _shows(child)])
    return {name: picture_files(place / own) for name, own in sets.items()}


def _shows(place: Path) -> bool:
    """Whether it is a picture, or a folder with one; what cannot be read shows none."""
    inside = (f"{place.name}/{name}" for _, _, names in os.walk(place) for name in names)
    return any(is_picture(name) for name in inside) if place.is_dir() else is_picture(place.name)


def folder_images(
    folder: Path | str, fit: Fit, *, cache: Path | str | None = None, name: str | None = None
) -> ImageSet:
    """All images in a folder and its subfolders, in the order of their relative paths, as ``[N, channels, *size]``.

    Args:
        folder: holds .png, .jpg, .jpeg, .webp, .bmp, .gif, .tif, .pgm or .ppm files; others, and hidden ones, are
            passed over, with a warning where they are pictures (.heic, .avif, ...).
        fit: what every picture is brought to.
        cache: where the decoded images are kept; see `tutelage.data.cache.cache_folder`.
        name: what the set is called in reports; the folder's name unless given.

    Raises:
        InputError: the folder is missing, has no images or one that cannot be read in it, or a file is refused (see
            `picture`).

    Warns:
        UserWarning: once, which files were left out because ``fit.skip_bad`` says so.
    """
    folder = Path(folder)
    return read_set(picture_files(folder), fit, name or _name(folder), cache)


def picture_files(folder: Path) -> Files:
    """The image files below ``folder``, sorted by relative path.

    Links that lead nowhere are among them, as files that cannot be read, if they are called like pictures or, since
    nobody would know that a folder's files are missing, like folders: without a suffix.

    Raises ``InputError`` where there is no folder or no image, or a folder in it cannot be read.
    """
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {state}; name a folder of images")
    listed = time.time_ns()
    found = dict(sorted(_stats(folder)))
    stats = {name: stat for name, stat in found.items() if is_picture(name) or _dangles(folder / name)}
    tell_foreign(folder, found)
    if not stats:
        raise InputError(f"{folder} has no images ({', '.join(sorted(SUFFIXES))}); name a folder that has some")
    return Files(folder, stats, lambda name: (folder / name).open("rb"), listed)


def _start_of_sets(folder: Path) -> str | None:
    """As `start_of_sets`. Only a ``train`` one folder down makes it look through the whole folder."""
    if any(path.is_dir() for path in folder.glob(_TRAIN)):
        return ""
    inner = [f"{path.relative_to(folder).as_posix()}/" for path in folder.glob(f"*/{_TRAIN}") if path.is_dir()]
    if not inner:
        return None
    return start_of_sets(folder, [*inner, *(name for name, _ in _stats(folder) if is_picture(name))])


def _stats(folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Relative name, and length and times of change, of every file below ``folder`` that is not hidden.

    Of a link that leads nowhere they are its own, where it is called like a picture or a folder (`picture_files`).
    Links to folders are followed; a folder that is met again inside itself is passed over. Raises ``InputError`` where
    a folder cannot be read, of which nobody would know that its files are missing.
    """
    above: dict[str, frozenset[tuple[int, int]]] = {}
    for place, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        here = os.stat(place)
        met = above.pop(place, frozenset()) | {(here.st_dev, here.st_ino)}
        folders[:] = [name for name in folders if not name.startswith(".") and _identity(place, name) not in met]
        above |= {os.path.join(place, name): met for name in folders}
        inside = Path(place).relative_to(folder).as_posix()
        start = "" if inside == "." else f"{inside}/"
        for name in names:
            path = os.path.join(place, name)
            if name.startswith((".", "__MACOSX")):
                continue
            if os.path.isfile(path):
                found = os.stat(path)
            elif ("." not in name or is_picture(name)) and _dangles(Path(path)):
                found = os.lstat(path)
            else:
                continue
            yield start + name, (found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _dangles(path: Path) -> bool:
    """Whether it is a link that leads nowhere, or round in a circle."""
    return path.is_symlink() and not os.path.exists(path)


def _refuse(error: OSError) -> NoReturn:
    raise InputError(
        f"{error.filename} cannot be read ({why(error)}); make it readable, or name a folder that it is not in"
    ) from error


def _identity(place: str, name: str) -> tuple[int, int]:
    found = os.stat(os.path.join(place, name))
    return found.st_dev, found.st_ino


def _name(folder: Path) -> str:
    return folder.resolve().name or "folder"
