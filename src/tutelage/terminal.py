"""What a program says while it works: a listener that is gone, or lacks a letter, ends no work."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any


class Unheard:
    """A text stream that speaks to nobody once something could not be written: its reader is gone, or its terminal, or
    its disk is full."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """All of it counts as written."""
        self._unless_broken(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._unless_broken(self._stream.flush)

    def _unless_broken(self, speak: Callable[[], object]) -> None:
        try:
            speak()
        except BlockingIOError:  # its reader is behind; it may hear what comes later
            pass
        except OSError:  # what is still buffered would fail again when Python ends, and make that a failure
            with contextlib.suppress(OSError):  # of a stream in memory
                into_nothing(self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def into_nothing(descriptor: int) -> None:
    """What is written to a file descriptor from now on, and what is still buffered for it, goes nowhere."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    if nothing != descriptor:
        os.close(nothing)


@contextlib.contextmanager
def heard_or_not() -> Iterator[None]:
    """Progress and warnings (stderr) end no work where nobody hears them, and results (stdout) none by a letter that
    their encoding lacks: it is written as an escape. Both may be closed."""
    if sys.stderr is None:  # closed; the next files to be opened would be taken for what is closed, up to stderr
        while (nothing := os.open(os.devnull, os.O_WRONLY)) < 2:
            pass
        sys.stderr = open(nothing, "w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    with contextlib.redirect_stderr(Unheard(sys.stderr)):
        yield
