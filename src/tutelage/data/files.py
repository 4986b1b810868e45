"""Many picture files, from wherever they come, become one memory-mapped set.

A folder and a zip are the same thing here: names in order, each of which opens to bytes. What is in them is told by a
SHA-256 over every name and every byte, so a folder and a zip of it are the same data. Reading all bytes for that takes
time in a large set, and is skipped while the file system says that nothing has changed (`listing`).
"""

from __future__ import annotations

import difflib
import hashlib
import lzma
import re
import tarfile
import time
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeAlias

import numpy as np
from tqdm import tqdm

from ..checks import InputError
from . import listing
from .cache import Kept, Key, cached_with_notes
from .images import ImageSet, Splits
from .picture import Fit, Refused, fitted

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
SUFFIXES |= {".pbm", ".pgm", ".pnm", ".ppm"}
_FOREIGN = frozenset({".heic", ".heif", ".avif", ".jxl", ".jp2", ".psd", ".svg", ".dng", ".cr2", ".nef", ".arw"})
"""Pictures that are not decoded; they are passed over, and said to be."""

UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, tarfile.TarError, lzma.LZMAError)
UNREADABLE += (NotImplementedError, RuntimeError, ValueError)
"""What reading a damaged file or archive raises."""

_CHUNK = 1 << 20
_LARGEST = 1 << 30  # bytes; a small zip can unpack to any length
_TOLD = 5  # left-out files that are named


@dataclass(frozen=True)
class Files:
    """Files that open to bytes.

    Args:
        source: the folder they lie in, or the archive and the folder in it; a message calls a file ``source/name``.
        stats: for each name, in the order of the set, its length in bytes, when it was last changed (two times in
            nanoseconds, of the content and of the entry), and whatever else the place can say about it.
        open: from a name to a stream of its bytes.
        listed: when ``stats`` was asked for, in nanoseconds.
    """

    source: Path
    stats: Mapping[str, tuple[int, ...]] = field(repr=False)
    open: Callable[[str], BinaryIO] = field(repr=False)
    listed: int = field(default_factory=time.time_ns)

    def __len__(self) -> int:
        return len(self.stats)

    @property
    def size(self) -> int:
        """Number of bytes in all files together."""
        return sum(stat[0] for stat in self.stats.values())

    @cached_property
    def stamp(self) -> str:
        """Digest of what the file system says of the files; it changes when one of them does."""
        words = [str(self.source.resolve()), *(f"{name}\0{stat}" for name, stat in self.stats.items())]
        return hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()

    def rest(self) -> int:
        """How long before ``listed`` the youngest of them was changed, in nanoseconds."""
        return self.listed - max((max(stat[1:3]) for stat in self.stats.values()), default=0)

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a file, piece by piece; `Refused` if they cannot be read, or are too many for a picture."""
        length = self.stats[name][0]
        if length > _LARGEST:
            raise Refused(f"is {length >> 20:,} MB, and at most {_LARGEST >> 20:,} are read of a file", "remove it")
        try:
            with self.open(name) as file:
                while piece := file.read(_CHUNK):
                    yield piece
        except UNREADABLE as error:
            raise Refused(f"cannot be read ({why(error)})", "repair or remove it") from error

    def read(self, name: str) -> bytes:
        """All bytes of a file; `Refused` if they cannot be read."""
        return b"".join(self.pieces(name))

    def whole(self, name: str) -> bytes:
        """As `read`, with an `InputError` for a file that nothing can do without."""
        try:
            return self.read(name)
        except Refused as error:
            raise error.error(str(self.source / name)) from error

    def inside(self, *folders: str) -> Files:
        """Only the files below any of these folders, which may be none; their names stay as they are."""
        starts = tuple(folder.strip("/") + "/" for folder in folders)
        return replace(self, stats={name: stat for name, stat in self.stats.items() if name.startswith(starts)})

    def first(self, each: int) -> Files:
        """Only the first ``each`` files of every folder; an `InputError` where a folder holds fewer."""
        of: dict[str, list[str]] = {}
        for name in self.stats:
            of.setdefault(name.rpartition("/")[0], []).append(name)
        for folder, names in of.items():
            if len(names) < each:
                raise InputError(
                    f"{self.source / folder} holds {len(names)} of the {each} images that were asked of each folder; "
                    "ask for fewer, or add some"
                )
        taken = {name for names in of.values() for name in names[:each]}
        return replace(self, stats={name: stat for name, stat in self.stats.items() if name in taken})

    def folders(self) -> tuple[str, ...]:
        """The folders right below the source that hold files, at any depth."""
        return tuple(dict.fromkeys(name.partition("/")[0] for name in self.stats if "/" in name))


def why(error: Exception) -> str:
    """The reason of an error, without the number and the file name of the operating system."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def is_picture(name: str) -> bool:
    """Whether a relative name, with ``/``, is that of a picture: by its suffix, and nothing on the way is hidden."""
    suffix = "." + name.rpartition(".")[2].lower()
    return suffix in SUFFIXES and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def tell_foreign(source: Path, names: Iterable[str]) -> None:
    """Warn, once, of pictures among ``names`` that are of a kind which is not decoded."""
    endings = Counter("." + name.rpartition(".")[2].lower() for name in names)
    foreign = {ending: endings[ending] for ending in sorted(endings) if ending in _FOREIGN}
    if foreign:
        counts = ", ".join(f"{count} {ending}" for ending, count in foreign.items())
        warnings.warn(f"{source}: pictures of these kinds are passed over: {counts}; save them as PNG", stacklevel=4)


SETS = ("train", "validation", "val", "test")
"""The folders that hold a set each, in any case; ``val`` is another name of ``validation``."""

_OF = r"([ _-]?(set|data|images|[ab]|\d+))?"
_LEARNED = re.compile(rf"train(ing)?{_OF}", re.IGNORECASE)
_HELD_OUT = re.compile(rf"(test(ing)?|val(id(ation)?)?|held[ _-]?out){_OF}", re.IGNORECASE)
"""Folders that people mean as sets: ``training`` and ``testing``, ``train2017`` and ``val2017``."""


def start_of_sets(source: Path, names: Collection[str]) -> str | None:
    """The start of every name before ``train/``: nothing, or the one folder that there is; None without splits.

    ``train`` and the other sets may be written in any case.

    Args:
        source: the folder, or the archive, that the names are in.
        names: those of pictures, and of folders that count though they may be empty, with a ``/`` at their end.

    Raises:
        InputError: a folder has both ``train/`` and a held-out set but is not all there is: held-out pictures would be
            learned from.
    """
    if any(name.lower().startswith("train/") for name in names):
        return ""
    inside: dict[str, set[str]] = {}  # the folders in each of those at the top
    for name in names:
        top, _, rest = name.partition("/")
        folder, below, _ = rest.partition("/")
        inside.setdefault(top, set()).update([folder] if below else ())
    tops = sorted({name.partition("/")[0] for name in names if not name.endswith("/")})
    for top in tops:
        parts = _sets(inside[top])
        if "train" not in parts:
            continue
        if len(tops) == 1:
            return f"{top}/"
        if len(parts) > 1:
            beside = next(other for other in tops if other != top)
            own = [*parts.values()]
            alone = f"name {source / top}" if source.is_dir() else f"pack the folders {' and '.join(own)} alone"
            raise InputError(
                f"{source} has {top}/{own[0]} and {top}/{own[-1]}, and {beside} beside {top}; {alone}, so that "
                "what is held out is not learned from"
            )
    return None


def sets_below(names: Collection[str], start: str) -> dict[str, str]:
    """Which of `SETS` there are in the folder ``start``, and what their folders are called.

    Of folders that differ in case the one spelled as in `SETS` counts, or else the first; ``val`` does not where there
    is ``validation``.
    """
    rests = (name.removeprefix(start) for name in names if name.startswith(start))
    return _sets({rest.partition("/")[0] for rest in rests if "/" in rest})


def _sets(folders: Collection[str]) -> dict[str, str]:
    own: dict[str, str] = {}
    for folder in sorted(folders, key=lambda folder: (folder not in SETS, folder)):
        own.setdefault(folder.lower(), folder)
    there = {part: own[part] for part in SETS if part in own}
    return {part: there[part] for part in there if part != "val" or "validation" not in there}


def refuse_sets_among(files: Files) -> None:
    """Refuse files to be learned from of which some lie in a folder that is meant for learning and some beside it.

    They are in folders that are called like sets, ``training`` and ``testing``, but not as `SETS` are, or deeper than
    these are looked for. Raises ``InputError``.
    """
    beside: dict[str, set[str]] = {}
    for folder in {name.rpartition("/")[0] for name in files.stats}:
        above = ""
        for part in filter(None, folder.split("/")):
            beside.setdefault(above, set()).add(part)
            above = f"{above}{part}/"
    for above in sorted(beside):
        learned, held_out = (sorted(filter(like.fullmatch, beside[above])) for like in (_LEARNED, _HELD_OUT))
        if learned and held_out:
            raise InputError(
                f"{files.source / above} has {learned[0]}/ and {held_out[0]}/, which would both be learned from; call "
                "them train/ and test/ (or validation/) and give the folder they are in, or choose with data.subset"
            )


def tell_beside(source: Path, others: Collection[str]) -> None:
    """Warn of pictures, or of folders with some, that lie in ``source`` beside ``train/`` and its held-out sets."""
    if others:
        several = f" and {len(others) - 1} more" if len(others) > 1 else ""
        warnings.warn(
            f"{source} has a folder train/, which is learned from; {min(others)}{several} beside it is passed over: "
            "name another folder to learn from all, move it into train/, or hold it out as validation/ or test/",
            stacklevel=4,
        )


Subset: TypeAlias = str | tuple[str, ...] | None
"""One folder or several of which the files are taken; None for all."""


def read_splits(
    parts: Mapping[str, Files], fit: Fit, subset: Subset, each: int | None, cache: Path | str | None
) -> Splits:
    """The sets named ``train`` and, where given, ``validation`` (or ``val``) and ``test``.

    Args:
        parts: the files of each set; where there is only one, it is for training, whatever it is called.
        fit: what every picture is brought to.
        subset: only the files below this folder, or these, of each set. A held-out set that has no such folder is
            missing.
        each: only the first so many of each folder of the training set.
        cache: see `tutelage.data.cache.cache_folder`.

    Raises:
        InputError: a set has no files, or a file that is refused, or nothing but such files; ``subset`` is empty; the
            training set has no such folder, or a folder with fewer files than ``each``; or it is taken whole and has
            folders that are meant as sets (`refuse_sets_among`).

    Warns:
        UserWarning: files were left out because ``fit.skip_bad`` says so.
    """
    train_name = training(parts)
    if subset is None:
        refuse_sets_among(parts[train_name])
    folders = (subset,) if isinstance(subset, str) else subset or ()
    if subset is not None and not folders:
        raise InputError(
            "a subset of no folders was asked for; name one or more as data.subset, or leave it out for all"
        )
    chosen = {name: files if subset is None else files.inside(*folders) for name, files in parts.items()}
    for folder in folders:
        if not len(parts[train_name].inside(folder)):
            _refuse_subset(parts[train_name], folder)
    if each is not None:
        chosen[train_name] = chosen[train_name].first(each)
    inside = f"/{folders[0].strip('/')}" if len(folders) == 1 else f"/{len(folders)} folders" if folders else ""
    sets, notes, left_out = {}, [], 0
    for name, files in chosen.items():
        if len(files):
            sets[name], some = _read(files, fit, name + inside, cache)
            notes += some
            left_out += len(files) - len(sets[name])
    _tell(notes, left_out, sum(len(files) for files in chosen.values()))
    # a folder that is called val, and is all there is, is for training
    train = sets.pop(train_name)
    return Splits(train, sets.get("validation") or sets.get("val"), sets.get("test"))


def training(parts: Mapping[str, Files]) -> str:
    """Which of the sets is learned from: a set that is all there is, whatever it is called."""
    return "train" if "train" in parts else next(iter(parts))


def read_set(files: Files, fit: Fit, name: str, cache: Path | str | None) -> ImageSet:
    """All ``files`` as one set ``[N, *shape]``, as for `read_splits`."""
    images, notes = _read(files, fit, name, cache)
    _tell(notes, len(files) - len(images), len(files))
    return images


def content(files: Files, name: str, cache: Path | str | None, skip_bad: bool | None = None) -> str:
    """SHA-256 over every relative name, length and byte, from the listing where nothing has changed since.

    Args:
        files: what is digested.
        name: what the set is called.
        cache: see `tutelage.data.cache.cache_folder`.
        skip_bad: of a file that cannot be read, digest only the fact. None where no file can be left out.

    Raises:
        InputError: a file cannot be read.
    """
    known = listing.look_up(files.stamp, cache)
    if known is not None:
        return known
    digest = hashlib.sha256()
    for file_name in tqdm(files.stats, desc=f"checking {name}", unit="file", disable=None, delay=1):
        try:
            for _ in _digested(files, file_name, digest):
                pass
        except Refused as error:
            if not skip_bad:
                more = () if skip_bad is None else (_SKIP,)
                raise error.error(str(files.source / file_name), *more) from error
    return digest.hexdigest()


def _digested(files: Files, name: str, digest: hashlib._Hash) -> Iterator[bytes]:
    """As `Files.pieces`, which ``digest`` takes in, or the fact that they cannot be read."""
    digest.update(f"{name}\0{files.stats[name][0]}\0".encode(errors="surrogateescape"))
    try:
        for piece in files.pieces(name):
            digest.update(piece)
            yield piece
    except Refused:
        digest.update(b"\0unreadable\0")
        raise


_SKIP = "pass --skip-bad to leave it out"


def _read(files: Files, fit: Fit, name: str, cache: Path | str | None) -> tuple[ImageSet, list[str]]:
    """The set, and a line on each of the first files that were left out."""
    sha256 = content(files, name, cache, fit.skip_bad)
    key = Key(
        name="images",
        source=str(files.source),
        sha256=sha256,
        size=files.size,
        transforms=fit.words(),
        shape=(len(files), fit.channels, *fit.size),
    )

    def fill(pixels: np.ndarray) -> Kept | None:
        kept, left_out, digest = 0, [], hashlib.sha256()
        for file_name in tqdm(files.stats, desc=f"reading {name}", unit="image", disable=None):
            try:
                pixels[kept] = fitted(b"".join(_digested(files, file_name, digest)), fit)
                kept += 1
            except Refused as error:
                if not fit.skip_bad:
                    raise error.error(str(files.source / file_name), _SKIP) from error
                left_out.append(f"{file_name} {error.reason}")
        if digest.hexdigest() != sha256:
            raise InputError(
                f"the image files of {files.source} changed while they were read; run again when nothing writes there"
            )
        if not kept:
            raise InputError(
                f"none of the {len(files)} image files of {files.source} can be used (the first, {left_out[0]}); "
                "give pictures that fit the recipe"
            )
        return Kept(kept, tuple(left_out[:_TOLD])) if fit.skip_bad else None

    pixels, notes = cached_with_notes(key, fill, cache)
    listing.write_down(files.stamp, files.rest(), sha256, cache)
    return ImageSet(pixels, name, str(files.source), sha256), [f"{files.source}/{note}" for note in notes]


def _tell(notes: list[str], left_out: int, total: int) -> None:
    if left_out:
        told = notes[:_TOLD]
        more = f"; and {left_out - len(told)} more" if left_out > len(told) else ""
        warnings.warn(f"{left_out} of {total} image files were left out: {'; '.join(told)}{more}", stacklevel=4)


def _refuse_subset(files: Files, subset: str) -> None:
    folders = sorted({str(parent) for name in files.stats for parent in PurePosixPath(name).parents} - {"."})
    near = difflib.get_close_matches(subset, folders, n=1)
    some = ", ".join(folders[:_TOLD]) + (", ..." if len(folders) > _TOLD else "")
    raise InputError(
        f"{files.source} has no images below a folder {subset!r}; it has the folders {some or '(none)'}: "
        + (f"did you mean {near[0]!r}?" if near else "give one of them as data.subset")
    )
