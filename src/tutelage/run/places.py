"""Places that a person names for what is to be made: looked at before anything is read, and then made."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..checks import InputError


def check_free(out: Path) -> None:
    """Raises ``InputError`` where something is at ``out`` already, or nothing can be written there."""
    if os.path.exists(out):
        raise InputError(f"{out} is there already: name another --out, or remove it")
    check_writable(out)


def check_writable(out: Path) -> None:
    """Raises ``InputError`` where ``out``, or the folder that it is to be made in, is no folder or not writable."""
    place = next(folder for folder in (out, *out.parents) if os.path.exists(folder))
    if not place.is_dir():
        raise InputError(f"{out} cannot be written ({place} is a file); name another --out")
    if not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"{out} cannot be written ({place} is not writable); make it so, or name another --out")


def check_new(out: Path, besides: str | None = None, otherwise: str = "") -> None:
    """Raises ``InputError`` where ``out`` is no new or empty folder (of a file ``besides``), or cannot become one.

    ``otherwise`` are more words on what to do with what is there.
    """
    if os.path.exists(out) and (not out.is_dir() or any(entry.name != besides for entry in out.iterdir())):
        raise InputError(f"{out} is there already: name another --out{otherwise}")
    check_writable(out)


def new_folder(out: Path, besides: str | None = None, otherwise: str = "") -> None:
    """Make the folder ``out``. Raises ``InputError`` as `check_new` does, or where it cannot be made after all."""
    check_new(out, besides, otherwise)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be made ({error.strerror}); name another --out") from None


@contextlib.contextmanager
def place_for(out: Path) -> Iterator[None]:
    """`new_folder` before anything is computed, so that it is known to be writable; removed if it stays empty."""
    new_folder(out)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it holds something
            out.rmdir()
