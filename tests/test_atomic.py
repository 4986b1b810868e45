"""A file is whole or absent, whatever happens while it is written."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from commands import child_environment
from tutelage import atomic


def test_bytes_and_text_replace_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    atomic.atomic_write(path, b"old")
    atomic.atomic_write(path, "grün")
    assert path.read_bytes() == "grün".encode()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_an_error_keeps_the_old_file_and_removes_the_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    atomic.atomic_write(path, b"old")
    with pytest.raises(RuntimeError, match="half way"), atomic.replacing(path) as temporary:
        temporary.write_bytes(b"new, but only ha")
        assert temporary.parent == path.parent
        assert temporary.name.startswith(".a.bin.tmp-")
        raise RuntimeError("half way")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_missing_is_told_by_the_name_that_was_given(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        atomic.atomic_write(tmp_path / "no" / "a.txt", "x")
    assert caught.value.filename == str(tmp_path / "no" / "a.txt")


def test_a_body_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    atomic.atomic_write(path, b"old")
    with pytest.raises(FileNotFoundError), atomic.replacing(path):
        pass
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot open a folder")
def test_bytes_are_on_disk_before_their_name_and_the_name_before_all_is_said(
    tmp_path: Path, on_disk: list[tuple[str, int]]
) -> None:
    for content in ("old", "new"):
        on_disk.clear()
        atomic.atomic_write(tmp_path / "a.txt", content)
        file, folder = (tmp_path / "a.txt").stat().st_ino, tmp_path.stat().st_ino
        assert on_disk == [("forced", file), ("renamed", file), ("forced", folder)]


@pytest.mark.skipif(os.name == "nt", reason="folders are not flushed there")
@pytest.mark.parametrize(("number", "of_folders"), [(errno.EINVAL, True), (errno.EINVAL, False), (errno.EIO, True)])
def test_a_file_system_that_cannot_flush_folders_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, of_folders: bool
) -> None:
    def fail(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), tmp_path.stat()) == of_folders:
            raise OSError(number, "no")

    monkeypatch.setattr(os, "fsync", fail)
    if of_folders and number == errno.EINVAL:
        atomic.atomic_write(tmp_path / "a.txt", "new")
        assert (tmp_path / "a.txt").read_text() == "new"
    else:
        with pytest.raises(OSError, match="no"):
            atomic.atomic_write(tmp_path / "a.txt", "new")


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_kill_in_the_middle_of_a_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    atomic.atomic_write(path, b"old")
    program = (
        "import os, signal, sys\n"
        "from tutelage.atomic import replacing\n"
        "with replacing(sys.argv[1]) as temporary:\n"
        "    temporary.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], env=child_environment(), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    (leftover,) = (entry for entry in tmp_path.iterdir() if entry != path)
    assert leftover.name.startswith(".a.bin.tmp-")
