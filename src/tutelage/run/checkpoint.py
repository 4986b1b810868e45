"""Checkpoints: tensors in safetensors, everything else in JSON beside them, written all or nothing.

A checkpoint is a folder ``checkpoints/0005000/`` with ``state.safetensors`` and ``state.json``. It is
made under another name, flushed to the disk and renamed, so that a kill at any moment leaves either
the whole checkpoint or none of it, and never harms the one before. Nothing in it can run code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..checks import InputError
from .atomic import flush

FORMAT = 1
_TENSOR = "$tensor"
_PAIRS = "$pairs"


def split(nested: Any) -> tuple[dict[str, Tensor], Any]:
    """Part nested dicts and lists into named tensors and a JSON skeleton that says where each belongs.

    Raises ``TypeError`` for anything that is no dict, list, tuple, tensor, number, string, bool or None.
    """
    tensors: dict[str, Tensor] = {}

    def walk(node: Any, path: str) -> Any:
        if isinstance(node, Tensor):
            while path in tensors:  # keys 1 and "1", or "a/b" and "b" in "a", make the same path
                path += "'"
            tensors[path] = node.detach().contiguous()
            return {_TENSOR: path}
        if isinstance(node, dict):
            # pairs, because an optimiser's state has whole numbers for keys
            strange = [key for key in node if not isinstance(key, str | int | float | None)]
            if strange:
                raise TypeError(f"a checkpoint cannot hold the key {strange[0]!r} (at {path})")
            return {_PAIRS: [[key, walk(value, f"{path}/{key}")] for key, value in node.items()]}
        if isinstance(node, list | tuple):
            return [walk(value, f"{path}/{i}") for i, value in enumerate(node)]
        if node is None or isinstance(node, str | bool | int | float):
            return node
        raise TypeError(f"a checkpoint cannot hold a {type(node).__name__} (at {path})")

    return tensors, walk(nested, "")


def join(tensors: dict[str, Tensor], skeleton: Any) -> Any:
    """The inverse of ``split`` (tuples come back as lists)."""
    if isinstance(skeleton, list):
        return [join(tensors, part) for part in skeleton]
    if isinstance(skeleton, dict):
        if _TENSOR in skeleton:
            return tensors[skeleton[_TENSOR]]
        return {key: join(tensors, value) for key, value in skeleton[_PAIRS]}
    return skeleton


def save(folder: Path, iteration: int, nested: Any, facts: dict[str, Any]) -> Path:
    """Write the checkpoint of ``iteration`` under ``folder``; ``facts`` (plain JSON) go beside the state.

    An existing checkpoint of the same iteration is replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    recover(folder)
    target = folder / f"{iteration:07d}"
    temporary = folder / f".{target.name}.tmp-{os.getpid()}"
    tensors, skeleton = split(nested)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    save_file(tensors, temporary / "state.safetensors")
    described = {
        "format": FORMAT,
        "iteration": iteration,
        "sha256": _digest(temporary / "state.safetensors"),
        **facts,
        "state": skeleton,
    }
    (temporary / "state.json").write_text(json.dumps(described))
    for path in (temporary / "state.safetensors", temporary / "state.json", temporary):
        flush(path)
    if target.exists():
        replaced = folder / f".{target.name}.old-{os.getpid()}"
        os.rename(target, replaced)
        os.rename(temporary, target)
        shutil.rmtree(replaced)
    else:
        os.rename(temporary, target)
    flush(folder)
    return target


def load(path: Path, device: torch.device | str = "cpu") -> tuple[Any, dict[str, Any]]:
    """The nested state and the facts of the checkpoint folder ``path``.

    Raises ``InputError`` where files are missing, truncated, altered, or of another format.
    """
    advice = "remove that folder to go on from the checkpoint before it, or train again"
    try:
        described = json.loads((path / "state.json").read_text())
        digest = _digest(path / "state.safetensors")
    except FileNotFoundError as error:
        raise InputError(f"checkpoint {path} has no {Path(error.filename).name}; {advice}") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise InputError(f"checkpoint {path} has a damaged state.json; {advice}") from None
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        found = described.get("format") if isinstance(described, dict) else None
        raise InputError(f"checkpoint {path} has format {found}; this version reads format {FORMAT}; {advice}")
    if not {"iteration", "sha256", "state"} <= described.keys():
        raise InputError(f"checkpoint {path} has a damaged state.json; {advice}")
    if digest != described["sha256"]:
        raise InputError(f"checkpoint {path} is damaged: state.safetensors is not what was written; {advice}")
    try:
        tensors = load_file(path / "state.safetensors", device=str(device))
    except SafetensorError as error:
        raise InputError(f"checkpoint {path} cannot be read ({error}); {advice}") from None
    facts = {key: value for key, value in described.items() if key not in ("state", "sha256", "format")}
    try:
        return join(tensors, described["state"]), facts
    except (KeyError, TypeError, ValueError):
        raise InputError(f"checkpoint {path} has a damaged state.json; {advice}") from None


def available(folder: Path) -> list[Path]:
    """The whole checkpoints under ``folder``, oldest first."""
    if not folder.is_dir():
        return []
    whole = (path for path in folder.iterdir() if path.is_dir() and path.name.isdigit())
    return sorted(whole, key=lambda path: int(path.name))


def recover(folder: Path) -> None:
    """Put back a checkpoint whose replacement was killed between the two renames. Only for the run's own writer."""
    for path in folder.glob(".*.old-*"):
        target = folder / path.name.split(".")[1]
        if target.exists():
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.rename(path, target)


def prune(folder: Path, keep_last: int, keep_every: int | None) -> None:
    """Remove checkpoints but the last ``keep_last`` and the multiples of ``keep_every``; and torn leftovers."""
    for path in available(folder)[:-keep_last]:
        if not keep_every or int(path.name) % keep_every:
            shutil.rmtree(path)
    for path in folder.glob(".*.tmp-*"):
        if not path.name.endswith(f"-{os.getpid()}"):
            shutil.rmtree(path, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def mismatch_explained(path: Path) -> Iterator[None]:
    """Turn the errors of loading a state into networks it was not made for into an ``InputError``."""
    try:
        yield
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
        raise InputError(
            f"checkpoint {path} does not fit this recipe's networks ({first}); "
            "resume with the recipe it was trained with"
        ) from None
