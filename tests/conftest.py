"""What every test may ask for: a device, a precision, and real digits where a machine has them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="where tests compute, e.g. cuda (default: cpu)")
    parser.addoption(
        "--dtype", default="float64", help="precision of the known-answer tests (default: float64)"
    )


def pytest_configure(config: pytest.Config) -> None:
    # tiny tensors: more threads only wait for each other
    torch.set_num_threads(min(2, torch.get_num_threads()))


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.config.getoption("--device"))


@pytest.fixture(scope="session")
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return getattr(torch, request.config.getoption("--dtype"))


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


def find_mnist(environ: Mapping[str, str], repository: Path) -> Path | None:
    """The folder with the real MNIST files: named by ``TUTELAGE_DATA``, or kept beside the checkout."""
    named = environ.get("TUTELAGE_DATA")
    roots = [Path(named)] if named else [repository.parent / "shared" / "data"]
    for folder in (path for root in roots for path in (root, root / "mnist")):
        if any(folder.glob("train-images*idx3-ubyte*")):
            return folder
    return None


def mnist_or_skip(environ: Mapping[str, str], repository: Path) -> Path:
    """As ``find_mnist``; where there is none, the test that asks is skipped and nothing fails."""
    folder = find_mnist(environ, repository)
    if folder is None:
        pytest.skip("needs the real MNIST files: name their folder in TUTELAGE_DATA")
    return folder


@pytest.fixture(scope="session")
def shared_mnist() -> Path:
    """Folder of the real MNIST files; the test is skipped on a machine without them."""
    return mnist_or_skip(os.environ, REPOSITORY)
