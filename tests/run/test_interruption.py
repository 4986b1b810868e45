"""Signals while a run learns: what is heeded, what is ignored, and what comes back afterwards."""

from __future__ import annotations

import signal

import pytest

from tutelage.run import interruption

HEEDED = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.mark.parametrize("number", HEEDED)
def test_what_is_ignored_stays_ignored(number: signal.Signals) -> None:
    """As nohup, and a shell's &, have it."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with interruption.interruptible() as interrupted:
            signal.raise_signal(number)
            assert not interrupted() and signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_wish_to_stop_is_heeded_though_its_answer_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(interruption.os, "write", fail)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which may be to ignore it
    try:
        with interruption.interruptible() as interrupted:
            signal.raise_signal(signal.SIGINT)
            assert interrupted()
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", HEEDED)
def test_the_handlers_of_the_caller_come_back(number: signal.Signals) -> None:
    before = signal.signal(number, signal.default_int_handler)  # which may be to ignore it
    try:
        with interruption.interruptible() as interrupted:
            assert not interrupted()
            signal.raise_signal(number)
            assert interrupted()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
