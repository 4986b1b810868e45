"""Files that are either whole or absent.

A file is written beside its final name as `.NAME.tmp-PID`, forced to disk, and then renamed over the final
name. A kill at any moment leaves the previous file, or the new one, and at worst a leftover of that name. What
cannot be written because the disk is full or refuses is said in one sentence.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .checks import InputError

FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
"""The numbers of errors that say that there is no room."""
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}
_NO_FLUSH = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}  # of a folder, on some shared file systems


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path to write to; on leaving, it takes the place of `path` in one step.

    The temporary file lies in the folder of `path` and is called `.NAME.tmp-PID`. If the body raises, the
    temporary file is removed and `path` is untouched. Raises `InputError` where the disk is full or read-only.

        with replacing(run / "weights.safetensors") as temporary:
            save_file(tensors, temporary)
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    with explained(path):
        try:
            yield temporary
            flush(temporary)
            os.replace(temporary, path)
        except BaseException as error:
            if isinstance(error, OSError) and error.filename == str(temporary):
                error.filename = str(path)  # the name that the user gave
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        flush(path.parent)


@contextmanager
def explained(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the errors of writing `path` to a full or a read-only disk into an `InputError` that says what to do.

    Other errors pass. Writers that report no error number (NumPy's, safetensors') are understood by their words.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        number = _error_number(error)
        if number in FULL:
            raise InputError(
                f"{path} cannot be written: the disk is full ({os.strerror(number)}); free some space there and try "
                "again (a run goes on from its last checkpoint by `tutelage resume`)"
            ) from None
        if number in _REFUSED:
            raise InputError(
                f"{path} cannot be written ({os.strerror(number)}); make its folder writable, or name another place"
            ) from None
        raise


def _error_number(error: Exception) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if isinstance(error, OSError) and re.search(r"\d+ requested and \d+ written", str(error)):
        return errno.ENOSPC
    told = re.search(r"I/O error: .*\(os error (\d+)\)", str(error))
    return int(told[1]) if told else None


def atomic_write(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write `content` to `path`, so that no reader ever sees a part of it.

    Text is written as UTF-8, what cannot be (a part of a file name that is no text) as an escape.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def flush(path: Path) -> None:
    """Force a file's bytes, or a folder's names, to disk; names only where the file system can."""
    folder = path.is_dir()
    if folder and os.name == "nt":  # Windows cannot open a folder; its renames need no such flush
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not (folder and error.errno in _NO_FLUSH):
            raise
    finally:
        os.close(descriptor)
