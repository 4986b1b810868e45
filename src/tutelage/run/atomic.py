"""Files that are either whole or absent.

A file is written beside its final name as `.NAME.tmp-PID`, forced to disk, and then renamed over the final
name. A kill at any moment leaves the previous file, or the new one, and at worst a leftover of that name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
        flush(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush(path.parent)


def atomic_write(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write `content` (text as UTF-8) to `path`, so that no reader ever sees a part of it."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def flush(path: Path) -> None:
    """Force a file's bytes, or a folder's names, to disk."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open a folder; its renames need no such flush
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
