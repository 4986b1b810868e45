"""What every test may ask for: a device, a precision, and real digits where a machine has them."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

# As of the command line: threads that wait by spinning slow everything once another program wants a core.
os.environ.setdefault("GOMP_SPINCOUNT", "30000")

import pytest
import torch

from commands import Command, call


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="where tests compute, e.g. cuda (default: cpu)")
    parser.addoption("--dtype", default="float64", help="precision of the known-answer tests (default: float64)")


def pytest_configure(config: pytest.Config) -> None:
    # tiny tensors: more threads only wait for each other
    torch.set_num_threads(min(2, torch.get_num_threads()))
    # nohup, and a shell's &, have their programs ignore these, and a run would ignore them too
    for name, usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)  # there is no SIGHUP on Windows
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.config.getoption("--device"))


@pytest.fixture(scope="session")
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return getattr(torch, request.config.getoption("--dtype"))


@pytest.fixture
def tutelage(capsys: pytest.CaptureFixture[str]) -> Command:
    """A command, run in this process: ``tutelage("list")``."""
    return lambda *arguments: call(list(arguments), capsys)


@pytest.fixture
def bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that are to compute in bfloat16 do so, be it emulated."""
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})


@pytest.fixture(scope="session", autouse=True)
def offline() -> Iterator[None]:
    """The suite runs without a network: only this machine may be connected to."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in (
            "127.0.0.1",
            "::1",
            "localhost",
        ):
            raise OSError(f"a test tried to reach {address[0]}: tests run offline")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        yield


@pytest.fixture(scope="session", autouse=True)
def unforced() -> Iterator[None]:
    """Nothing is forced to disk, which takes its time on a busy one: only a power cut would tell."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What is forced to disk and what is renamed, in order: each a file or a folder, by its number."""
    done: list[tuple[str, int]] = []
    replace = os.replace

    def move(source: Path, target: Path) -> None:
        done.append(("renamed", os.stat(source).st_ino))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append(("forced", os.fstat(descriptor).st_ino)))
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, move)
    return done


def mnist_or_skip(environ: Mapping[str, str]) -> Path:
    """The folder with the real MNIST files, in the one that ``TUTELAGE_DATA`` names; else the test is skipped."""
    named = environ.get("TUTELAGE_DATA")
    for folder in (Path(named), Path(named) / "mnist") if named else ():
        if any(folder.glob("train-images*idx3-ubyte*")):
            return folder
    pytest.skip("needs the real MNIST files: name their folder in TUTELAGE_DATA")


@pytest.fixture(scope="session")
def real_mnist() -> Path:
    """Folder of the real MNIST files; the test is skipped on a machine without them."""
    return mnist_or_skip(os.environ)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No data of the machine that a test runs on, and a cache at ``cache`` in its folder."""
    monkeypatch.delenv("TUTELAGE_DATA", raising=False)
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No data named from outside, and a cache of our own, for a module's fixtures too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TUTELAGE_DATA", raising=False)
        patch.setenv("TUTELAGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
