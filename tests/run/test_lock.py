"""One writer at a time: who holds a run, what the others are told, and what a kill leaves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from commands import child_environment
from tutelage.checks import InputError
from tutelage.run import lock
from tutelage.run.lock import in_use

HELD = rf"is in use by process {os.getpid()}; wait until that ends, or stop it \(Ctrl-C, or kill {os.getpid()}\)"


def test_a_run_is_held_once_and_left_as_it_was(tmp_path: Path) -> None:
    with in_use(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
        with pytest.raises(InputError, match=HELD), in_use(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []
    with in_use(tmp_path), pytest.raises(InputError, match=HELD), in_use(tmp_path):
        pass


def test_one_that_is_held_for_a_moment_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moment, pauses = in_use(tmp_path), []

    def ends(pause: float) -> None:
        pauses.append(pause)
        moment.__exit__(None, None, None)

    monkeypatch.setattr(lock.time, "sleep", ends)
    moment.__enter__()
    with in_use(tmp_path, wait=60.0):
        assert (tmp_path / ".lock").read_text() == str(os.getpid()) and len(pauses) == 1
    monkeypatch.setattr(lock.time, "sleep", pauses.append)
    with in_use(tmp_path), pytest.raises(InputError, match=HELD), in_use(tmp_path, wait=0.01):
        pass
    assert len(pauses) > 1


def test_an_error_frees_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError), in_use(tmp_path):
        raise KeyError
    with in_use(tmp_path):
        pass


def test_a_lock_removed_between_opening_and_locking_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner ended just then: the next one takes a file of its own, which others see."""
    take, removed = lock._lock, []

    def late(file: int) -> None:
        if not removed:
            (tmp_path / ".lock").unlink()
            removed.append(file)
        take(file)

    monkeypatch.setattr(lock, "_lock", late)
    with in_use(tmp_path), pytest.raises(InputError, match=HELD), in_use(tmp_path):
        pass
    assert removed


def test_a_file_system_without_locks_is_used_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int) -> None:
        raise OSError(lock.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "_lock", refuse)
    with in_use(tmp_path), in_use(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_kill_frees_it(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tutelage.run.lock import in_use\n"
        "with in_use(Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], env=child_environment(), stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"in use by process {child.pid}"), in_use(tmp_path):
            pass
        child.send_signal(signal.SIGKILL)
    assert (tmp_path / ".lock").is_file()
    with in_use(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
