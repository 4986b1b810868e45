"""A zip of image files, read like the folder it would unpack to. Nothing is unpacked to the disk."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ..checks import InputError
from .files import (
    SUFFIXES,
    UNREADABLE,
    Files,
    Subset,
    is_picture,
    read_splits,
    sets_below,
    start_of_sets,
    tell_beside,
    tell_foreign,
    why,
)
from .images import Splits
from .picture import Fit

_ENCRYPTED = 0x1  # the bit of a member's flags


def zip_splits(
    path: Path | str,
    fit: Fit,
    *,
    subset: Subset = None,
    each: int | None = None,
    cache: Path | str | None = None,
) -> Splits:
    """A zip as `Splits`: all images are for training, unless it has folders that say otherwise.

    The folders ``train``, ``validation`` (or ``val``) and ``test`` mean what they mean for
    `tutelage.data.folder_splits`. A zip of a folder, ``im.zip`` of ``im``, is that folder.

    Args:
        path: the file. Members that are no images, hidden, or macOS's own (``__MACOSX``) are passed over; the others
            are taken in the order of their names.
        fit: what every picture is brought to.
        subset: only the images below this folder, or these, of each set; see `tutelage.data.folder_splits`.
        each: only the first so many of each folder of the training set.
        cache: see `tutelage.data.cache.cache_folder`.

    Raises:
        InputError: the file is missing, no zip, damaged or encrypted, has no images, or pictures beside the folder of
            a training and a held-out set, or one of them is refused (see `picture`), or there are none below
            ``subset``, or fewer than ``each`` in a folder, or folders like ``training`` and ``testing``.

    Warns:
        UserWarning: once, which files were left out because ``fit.skip_bad`` says so.
    """
    with zip_parts(Path(path)) as parts:
        return read_splits(parts, fit, subset, each, cache)


@contextmanager
def zip_parts(path: Path) -> Iterator[dict[str, Files]]:
    """The files of each set that a zip holds, by the names that `zip_splits` knows, while it is open."""
    with _archive(path) as archive:
        members = _members(path, archive)
        start = start_of_sets(path, members)
        if start is None:
            yield {path.stem: _files(path, archive, members, _own_folder(path, members))}
        else:
            sets = sets_below(members, start)
            tell_beside(
                path / start, {name.removeprefix(start).partition("/")[0] for name in members} - {*sets.values()}
            )
            yield {name: _files(path, archive, members, f"{start}{own}/") for name, own in sets.items()}


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except UNREADABLE as error:
        raise InputError(
            f"{path} cannot be read as a zip file ({why(error)}); give another, or pack it again"
        ) from error
    with archive:
        yield archive


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The images of an archive, sorted by name; of two with one name the last counts, as when unpacking.

    Some programs write ``\\`` between the names of folders, which is read as ``/``.
    """
    everything = {info.filename.replace("\\", "/"): info for info in archive.infolist()}
    members = {name: info for name, info in everything.items() if is_picture(name)}
    tell_foreign(path, archive.namelist())
    if not members:
        raise InputError(f"{path} has no images ({', '.join(sorted(SUFFIXES))}); give a zip that has some")
    for name, info in members.items():
        if info.flag_bits & _ENCRYPTED:
            raise InputError(f"{path} is encrypted ({name}); unpack it with its password and give the folder")
    return dict(sorted(members.items()))


def _own_folder(path: Path, members: dict[str, zipfile.ZipInfo]) -> str:
    """The one folder that a zip of a folder holds, of the zip's own name: ``im/`` of an ``im.zip``; or nothing."""
    return f"{path.stem}/" if all(name.startswith(f"{path.stem}/") for name in members) else ""


def _files(path: Path, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], start: str) -> Files:
    """The images whose names begin with ``start``, named by what follows."""
    listed, found = time.time_ns(), os.stat(path)
    stats = {
        name.removeprefix(start): (info.file_size, found.st_mtime_ns, found.st_ctime_ns, info.CRC)
        for name, info in members.items()
        if name.startswith(start)
    }
    # ZipFile.open gives a stream of bytes that is no BinaryIO by name only
    return Files(path / start, stats, lambda name: cast(BinaryIO, archive.open(members[start + name])), listed)
