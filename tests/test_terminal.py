"""What nobody hears, or no encoding has a letter for, ends no work."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands import child_environment
from tutelage.terminal import Unheard, heard_or_not


class Broken(io.StringIO):
    """A stream whose reader is gone after some letters."""

    def __init__(self, letters: int) -> None:
        super().__init__()
        self.letters = letters

    def write(self, text: str) -> int:
        if len(self.getvalue()) + len(text) > self.letters:
            raise OSError(errno.EPIPE, "Broken pipe")
        return super().write(text)

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_cannot_be_written_is_passed_over() -> None:
    broken = Broken(3)
    stream = Unheard(broken)
    assert [stream.write(text) for text in ("abc", "def")] == [3, 3]
    stream.flush()
    assert stream.getvalue() == "abc" and not stream.isatty(), "in all else it is the stream"


def test_warnings_and_bars_go_on_without_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken(0)
    monkeypatch.setattr(sys, "stderr", broken)
    with heard_or_not():
        print("a word", file=sys.stderr)
    assert sys.stderr is broken and broken.getvalue() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file on a disk that is full")
def test_what_is_still_buffered_does_not_fail_again() -> None:
    with open("/dev/full", "w") as full:
        stream = Unheard(full)
        stream.write("a word")
        stream.flush()
        stream.write("another")  # and closing writes it


def test_a_closed_stderr_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with heard_or_not():
        print("a word", file=sys.stderr)
    assert sys.stderr is not None and sys.stderr.fileno() >= 2
    sys.stderr.close()


def test_a_letter_that_the_output_lacks_is_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(kept, encoding="latin-1"))
    with heard_or_not():
        print("caf\udce9 σ", flush=True)
    assert kept.getvalue().splitlines() == [b"caf\\udce9 \\u03c3"]


@pytest.mark.skipif(os.name == "nt", reason="needs a shell's >&-")
@pytest.mark.parametrize("closed", [1, 2])
def test_an_output_may_be_closed(closed: int) -> None:
    command = f"{sys.executable} -m tutelage list {closed}>&-"
    said = subprocess.run(["sh", "-c", command], env=child_environment(), capture_output=True, text=True, check=False)
    assert said.returncode == 0 and "Traceback" not in said.stderr
    assert ("coopnets/mnist" in said.stdout) == (closed == 2)
