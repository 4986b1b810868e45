"""What a program says while it works: a listener that is gone, or lacks a letter, ends no work."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any


class Unheard:
    """A text stream that passes over what cannot be written: its reader is gone, its terminal, or its disk is full."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """All of it counts as written."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def heard_or_not() -> Iterator[None]:
    """Progress and warnings (stderr) end no work where nobody hears them, and results (stdout) none by a letter that
    their encoding lacks: it is written as an escape. Both may be closed."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    with contextlib.redirect_stderr(sys.stderr and Unheard(sys.stderr)):  # type: ignore[type-var]
        yield
