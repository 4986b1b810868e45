"""What was found in a set of files, for as long as the file system says that none of them changed.

A listing is named by a stamp, the digest of every name, length and time of change, and holds the digest of the content.
It is trusted only if every file had been at rest for a while when it was read: a file that is written again within the
resolution of the clock keeps its times.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

from .cache import cache_folder

AT_REST = 3.0
"""Seconds without a change after which the times of a file are believed; FAT counts in twos."""


def look_up(stamp: str, cache: Path | str | None) -> str | None:
    """The SHA-256 of the content that was written down for ``stamp``, or None."""
    try:
        written = json.loads(_path(stamp, cache).read_text(encoding="utf-8"))
        known = written["sha256"] if written["stamp"] == stamp else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return known if isinstance(known, str) else None


def write_down(stamp: str, rest: int, sha256: str, cache: Path | str | None) -> None:
    """Remember ``sha256`` for ``stamp``, if no file had changed for ``rest`` nanoseconds when its time was asked for.

    A cache that cannot be written only costs the time of reading again.
    """
    path = _path(stamp, cache)
    if path.exists() or rest < AT_REST * 1e9:
        return
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory(dir=path.parent, prefix=".building-") as scratch:
        new = Path(scratch) / path.name
        new.write_text(json.dumps({"stamp": stamp, "sha256": sha256}) + "\n", encoding="utf-8")
        os.replace(new, path)


def _path(stamp: str, cache: Path | str | None) -> Path:
    return cache_folder(cache) / f"{stamp[:32]}.listing"
