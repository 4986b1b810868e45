"""A wish to stop, which a signal brings: heeded between two iterations, so that everything is saved."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or a polite kill, or a terminal that closes) into a wish to stop after this iteration; the
    second is abrupt. What the program was told to ignore, as by nohup, it ignores."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            _say(b"\nStopped at once; `tutelage resume` goes on from the last checkpoint.\n")
            raise KeyboardInterrupt
        asked = True
        _say(b"\nStopping after this iteration, then saving. Once more stops at once, without saving.\n")

    signals = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    heeded = [number for number in signals if number and signal.getsignal(number) != signal.SIG_IGN]
    try:
        before = {number: signal.signal(number, ask) for number in heeded}
    except ValueError:  # not in the main thread: nothing to catch
        before = {}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(words: bytes) -> None:
    """From within a signal, and whether anybody hears it or not."""
    with contextlib.suppress(OSError):
        os.write(2, words)
