"""Files that are either whole or absent.

A file is written beside its final name as `.NAME.tmp-PID`, forced to disk, and then renamed over the final
name. A kill at any moment leaves the previous file, or the new one, and at worst a leftover that
`is_leftover` recognises.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LEFTOVER = re.compile(r"^\..+\.tmp-\d+$")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path to write to; on leaving, it takes the place of `path` in one step.

    The temporary file lies in the folder of `path` and is called `.NAME.tmp-PID`. If the body raises, the
    temporary file is removed and `path` is untouched.

        with replacing(run / "weights.safetensors") as temporary:
            save_file(tensors, temporary)
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush(path.parent)


def atomic_write(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write `content` (text as UTF-8) to `path`, so that no reader ever sees a part of it."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def is_leftover(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is named like a temporary file that an interrupted write left behind."""
    return _LEFTOVER.match(Path(path).name) is not None


def remove_leftovers(folder: str | os.PathLike[str]) -> list[Path]:
    """Remove the leftovers of interrupted writes directly inside `folder` and return their paths.

    Call it only while nobody else writes there: the temporary file of a living writer looks the same.
    """
    found = sorted(path for path in Path(folder).iterdir() if is_leftover(path) and path.is_file())
    for path in found:
        path.unlink(missing_ok=True)
    return found


def _flush(path: Path) -> None:
    """Force a file's bytes, or a folder's names, to disk."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open a folder; its renames need no such flush
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
