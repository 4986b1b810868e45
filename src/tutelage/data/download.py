"""Fetching files from the network: only when asked, only over http or https, only the very bytes that are expected.

A file appears under its name when it is complete and its checksum is right, and not before.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from ..checks import InputError
from .cache import cache_folder
from .images import file_digest

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
"""Where PyTorch mirrors MNIST; its authors' own page no longer serves the files."""

MNIST_FILES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
"""SHA-256 of the four gzipped files as they were published."""

_CHUNK = 1 << 16
_ELSEWHERE = "try again, or get the file yourself and use --data"


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but only to http and https (the standard handler also follows them to ftp)."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch_mnist(
    cache: Path | str | None = None,
    *,
    base_url: str = MNIST_URL,
    files: dict[str, str] = MNIST_FILES,
) -> Path:
    """Download MNIST's four files, those that are not there yet, and return their folder, ``mnist`` in the cache.

    Args:
        cache: see `tutelage.data.cache.cache_folder`.
        base_url: the address in which the files lie.
        files: their names, with the SHA-256 of each.

    Raises:
        InputError: as for `download`.
    """
    folder = cache_folder(cache) / "mnist"
    for name, sha256 in files.items():
        download(base_url.rstrip("/") + "/" + name, sha256, folder / name)
    return folder


def download(url: str, sha256: str, target: Path, *, timeout: float = 30.0, max_bytes: int = 1 << 30) -> Path:
    """Fetch ``url`` into the file ``target``, unless that already has the right checksum.

    Args:
        url: http or https.
        sha256: hexadecimal digest that the bytes must have.
        target: file to write; its folder is made if need be.
        timeout: seconds without an answer after which to give up.
        max_bytes: give up beyond this length.

    Raises:
        InputError: another kind of address, no connection, an error from the server, a body that is cut short or too
            long, another checksum, or a folder that cannot be written. Nothing is left behind, and a ``target`` that
            was there stays as it was.
    """
    _check_scheme(url)
    if target.is_file() and file_digest(target) == sha256:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as scratch:
            partial = Path(scratch) / target.name
            found = _fetch(url, partial, timeout, max_bytes)
            if found != sha256:
                raise InputError(
                    f"the file at {url} has SHA-256 {found}, but {sha256} is needed, so it is damaged or another file; "
                    f"{_ELSEWHERE}"
                )
            os.replace(partial, target)
    except urllib.error.HTTPError as error:
        error.close()
        raise InputError(f"{url} answered {error.code} {error.reason}; {_ELSEWHERE}") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise InputError(f"{url} could not be fetched ({reason}); {_ELSEWHERE}") from error
    except OSError as error:
        raise InputError(
            f"{target} cannot be written ({error.strerror or error}); set TUTELAGE_CACHE to a folder with write "
            "permission and free space"
        ) from error
    return target


def _fetch(url: str, partial: Path, timeout: float, max_bytes: int) -> str:
    """Stream ``url`` into ``partial`` and return the digest of what came."""
    digest, received = hashlib.sha256(), 0
    opener = urllib.request.build_opener(_WebOnly)
    request = urllib.request.Request(url, headers={"User-Agent": "tutelage"})
    with opener.open(request, timeout=timeout) as response, partial.open("wb") as file:
        promised = _length(response.headers.get("Content-Length"))
        progress = tqdm(total=promised, desc=partial.name, unit="B", unit_scale=True, disable=None)
        with progress:
            while piece := response.read(_CHUNK):
                received += len(piece)
                if received > max_bytes:
                    raise InputError(
                        f"{url} sends more than {max_bytes} bytes, the most that is expected; {_ELSEWHERE}"
                    )
                file.write(piece)
                digest.update(piece)
                progress.update(len(piece))
    if promised is not None and received < promised:
        raise InputError(f"{url} broke off after {received} of {promised} bytes; {_ELSEWHERE}")
    return digest.hexdigest()


def _length(header: str | None) -> int | None:
    return int(header) if header is not None and header.isdecimal() else None


def _check_scheme(url: str) -> None:
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https"):
        raise InputError(f"the address {url} is {scheme or 'without a scheme'}; only http and https are fetched")
