"""One writer at a time: a run folder is held while its journal, checkpoints or results may change.

The lock is advisory and lies on `RUN/.lock`, with the process's number (PID) inside for others to name. The
operating system frees it when the process ends, however it ends; what a kill leaves is a file that locks nothing.
Reading (drawing samples) needs no lock, and works in a folder that cannot be written. A folder that is held for short
moments only may be waited for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..atomic import explained
from ..checks import InputError

NAME = ".lock"
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}  # a file system without them
_PAUSE = 0.05  # seconds between two looks at a folder that is waited for
_FAR = 1 << 20  # Windows locks bytes for reading too: one far behind the PID


@contextlib.contextmanager
def in_use(run: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold the run folder ``run`` for the length of the ``with``, and leave no lock behind.

    Raises ``InputError`` where another process (or another ``with``) still holds it after ``wait`` seconds, or it
    cannot be written. Nothing is held on a file system without locks.
    """
    path = run / NAME
    file = _acquire(run, path, time.monotonic() + wait)
    try:
        with explained(path):
            os.ftruncate(file, 0)
            os.write(file, str(os.getpid()).encode())
        yield
    finally:
        if sys.platform == "win32":  # an open file cannot be removed there
            os.close(file)
            with contextlib.suppress(OSError):
                path.unlink()
        else:
            path.unlink(missing_ok=True)
            os.close(file)


def _acquire(run: Path, path: Path, until: float) -> int:
    while True:
        with explained(path):
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(file)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                if time.monotonic() < until:
                    os.close(file)
                    time.sleep(_PAUSE)
                    continue
                owner = os.read(file, 20).decode("ascii", "replace").strip()
                os.close(file)
                stop = f"stop it (Ctrl-C, or kill {owner})" if owner else "stop it"
                raise InputError(
                    f"run {run} is in use by {f'process {owner}' if owner else 'another process'}; wait until that "
                    f"ends, or {stop}, and try again"
                ) from None
        if _is_at(file, path):
            return file
        os.close(file)  # its owner removed it between our opening and our locking


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        os.lseek(file, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
