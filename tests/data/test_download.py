"""Fetching, from a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from idx_files import idx_bytes
from tutelage.checks import InputError
from tutelage.data import DataSpec, download, fetch_mnist, load
from tutelage.data.download import MNIST_FILES, MNIST_URL

CONTENT = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves ``pages`` and remembers what was asked for. Some names misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {"/good": CONTENT, "/sub/good": CONTENT}
        self.asked: list[str] = []
        self.release = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/cut":
            self.reply(200, CONTENT[:1000], {"Content-Length": str(len(CONTENT))})
        elif self.path == "/unsized":
            self.reply(200, CONTENT, {})
        elif self.path == "/silent":
            self.server.release.wait(10)
        elif self.path == "/moved":
            self.reply(302, b"", {"Location": "/good"})
        elif self.path == "/to-ftp":
            self.reply(302, b"", {"Location": "ftp://127.0.0.1/good"})
        elif self.path == "/to-file":
            self.reply(302, b"", {"Location": "file:///etc/hostname"})
        elif self.path in self.server.pages:
            content = self.server.pages[self.path]
            self.reply(200, content, {"Content-Length": str(len(content))})
        else:
            self.reply(404, b"", {"Content-Length": "0"})

    def reply(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.release.set()
        running.shutdown()
        thread.join()


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


@pytest.mark.parametrize("page", ["/good", "/unsized", "/moved"])
def test_a_file_arrives(server, tmp_path, page):
    target = tmp_path / "new" / "file"
    assert download(server.url + page, DIGEST, target) == target
    assert target.read_bytes() == CONTENT
    assert contents(tmp_path) == ["file", "new"]


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    for _ in range(2):
        download(server.url + "/good", DIGEST, tmp_path / "file")
    assert server.asked == ["/good"]


def test_what_is_there_but_wrong_is_replaced(server, tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    download(server.url + "/good", DIGEST, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("page", "options", "says"),
    [
        (
            "/good",
            {"sha256": "0" * 64},
            f"has SHA-256 {DIGEST}, but 0000.* is needed, so it is damaged or another file",
        ),
        ("/none", {}, "answered 404 Not Found; try again"),
        ("/cut", {}, "broke off after 1000 of 256000 bytes; try again"),
        ("/good", {"max_bytes": 100_000}, "sends more than 100000 bytes"),
        ("/silent", {"timeout": 0.2}, r"could not be fetched \(.*timed out\)"),
        ("/to-ftp", {}, "the address ftp://127.0.0.1/good is ftp; only http and https"),
        ("/to-file", {}, "answered 302 .*not allowed"),
    ],
)
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_failure_leaves_everything_as_it_was(server, tmp_path, page, options, says, before):
    target = tmp_path / "file"
    if before:
        target.write_bytes(before)
    with pytest.raises(InputError, match=says):
        download(server.url + page, **({"sha256": DIGEST} | options), target=target)
    assert contents(tmp_path) == (["file"] if before else [])
    if before:
        assert target.read_bytes() == before


def test_nobody_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as gone:
        url = gone.url
    with pytest.raises(InputError, match=r"could not be fetched .*refused"):
        download(url + "/good", DIGEST, tmp_path / "file")
    assert contents(tmp_path) == []


def test_nowhere_to_write(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written .*set TUTELAGE_CACHE"):
        download(server.url + "/good", DIGEST, tmp_path / "file" / "below")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "/etc/hostname", "data:,x"])
def test_only_the_web(tmp_path, url):
    with pytest.raises(InputError, match="only http and https are fetched"):
        download(url, DIGEST, tmp_path / "file")


# --- MNIST


def test_the_published_files():
    assert MNIST_URL.startswith("https://")
    assert sorted(MNIST_FILES) == sorted(
        f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    )
    assert all(len(bytes.fromhex(digest)) == 32 for digest in MNIST_FILES.values())


@pytest.fixture
def mnist_files(server) -> dict[str, str]:
    """Files of MNIST's names and shapes on the server, with their digests."""
    digests = {}
    for name in MNIST_FILES:
        count = 10_003 if name.startswith("train") else 4
        shape = (count, 28, 28) if "images" in name else (count,)
        content = gzip.compress(idx_bytes(np.zeros(shape, np.uint8)), mtime=0)
        server.pages["/mirror/" + name] = content
        digests[name] = hashlib.sha256(content).hexdigest()
    return digests


@pytest.mark.parametrize("slash", ["", "/"])
def test_fetching_mnist(server, mnist_files, tmp_path, slash):
    for _ in range(2):
        folder = fetch_mnist(tmp_path, base_url=server.url + "/mirror" + slash, files=mnist_files)
    assert folder == tmp_path / "mnist" and contents(folder) == sorted(MNIST_FILES)
    assert len(server.asked) == 4
    assert len(load(DataSpec("mnist", (28, 28), 1), folder, cache=tmp_path).train) == 3


def test_fetching_goes_on_where_it_stopped(server, mnist_files, tmp_path):
    last = list(mnist_files)[-1]
    page = server.pages.pop("/mirror/" + last)
    with pytest.raises(InputError, match=f"{last} answered 404"):
        fetch_mnist(tmp_path, base_url=server.url + "/mirror", files=mnist_files)
    assert len(contents(tmp_path / "mnist")) == 3
    server.pages["/mirror/" + last] = page
    fetch_mnist(tmp_path, base_url=server.url + "/mirror", files=mnist_files)
    assert len(server.asked) == 5


def test_another_mnist_is_not_accepted(server, mnist_files, tmp_path):
    with pytest.raises(InputError, match="is damaged or another file"):
        fetch_mnist(tmp_path, base_url=server.url + "/mirror")
    assert contents(tmp_path) == ["mnist"]
