"""Checkpoints: tensors in safetensors, everything else in JSON beside them, written all or nothing.

A checkpoint is a folder ``checkpoints/0005000/`` with ``state.safetensors`` and ``state.json``. It is
made under another name, flushed to the disk and renamed, so that a kill at any moment leaves either
the whole checkpoint or none of it, and never harms the one before. Nothing in it can run code.

``state.json`` holds the SHA-256 of ``state.safetensors``, and that of itself without this entry ("digest"), so that
a change of a single digit is noticed. Format 1 had no digest of itself, and is still read.
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

from ..atomic import explained, flush
from ..checks import InputError
from ..data.images import file_digest

FORMAT = 2
_READ = (1, 2)
_TENSOR = "$tensor"
_PAIRS = "$pairs"


def split(nested: Any) -> tuple[dict[str, Tensor], Any]:
    """Part nested dicts and lists into named tensors and a JSON skeleton that says where each belongs.

    Tensors that share memory, such as tied weights, are written one by one.

    Raises ``TypeError`` for anything that is no dict, list, tuple, tensor, number, string, bool or None.
    """
    tensors: dict[str, Tensor] = {}
    seen: set[tuple[torch.device, int]] = set()

    def walk(node: Any, path: str) -> Any:
        if isinstance(node, Tensor):
            while path in tensors:  # keys 1 and "1", or "a/b" and "b" in "a", make the same path
                path += "'"
            kept = node.detach().contiguous()
            memory = (kept.device, kept.untyped_storage().data_ptr())
            tensors[path] = kept.clone() if memory in seen else kept
            seen.add(memory)
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


def save(folder: Path | str, iteration: int, nested: Any, facts: dict[str, Any]) -> Path:
    """Write the checkpoint of ``iteration`` under ``folder``; ``facts`` (plain JSON) go beside the state.

    An existing checkpoint of the same iteration is replaced. Raises ``InputError`` where the disk is full or cannot
    be written; the checkpoints that were there stay.
    """
    folder = Path(folder)
    tensors, skeleton = split(nested)
    target = folder / f"{iteration:07d}"
    temporary = folder / f".{target.name}.tmp-{os.getpid()}"
    with explained(target):
        folder.mkdir(parents=True, exist_ok=True)
        recover(folder)
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            save_file(tensors, temporary / "state.safetensors")
            described = {
                "format": FORMAT,
                "iteration": iteration,
                "sha256": file_digest(temporary / "state.safetensors"),
                **facts,
                "state": skeleton,
            }
            described["digest"] = _digest_of_json(described)
            (temporary / "state.json").write_text(json.dumps(described))
            for path in (temporary / "state.safetensors", temporary / "state.json", temporary):
                flush(path)
            _put(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            recover(folder)
            raise
    return target


def _put(temporary: Path, target: Path) -> None:
    if target.exists():
        replaced = target.with_name(f".{target.name}.old-{os.getpid()}")
        os.rename(target, replaced)
        os.rename(temporary, target)
        shutil.rmtree(replaced)
    else:
        os.rename(temporary, target)
    flush(target.parent)


def load(
    path: Path | str,
    device: torch.device | str = "cpu",
    *,
    called: str = "checkpoint",
    advice: str = "remove that folder to go on from the checkpoint before it, or train again",
) -> tuple[Any, dict[str, Any]]:
    """The nested state and the facts of the checkpoint folder ``path``.

    Raises ``InputError`` where files are missing, truncated, altered, or of another format; in its message the folder
    is ``called`` so, and ``advice`` says what to do.
    """
    path = Path(path)
    try:
        described = json.loads((path / "state.json").read_text())
        digest = file_digest(path / "state.safetensors")
    except FileNotFoundError as error:
        raise InputError(f"{called} {path} has no {Path(error.filename).name}; {advice}") from None
    except ValueError:  # of text, of JSON, or of a number of thousands of digits
        raise InputError(f"{called} {path} has a damaged state.json; {advice}") from None
    found = described.get("format") if isinstance(described, dict) else None
    if not isinstance(described, dict) or found not in _READ:
        known = " and ".join(map(str, _READ))
        raise InputError(
            f"{called} {path} has format {found}; this version reads formats {known}; use the version of tutelage "
            f"that wrote it, or {advice}"
        )
    own = described.pop("digest", None)
    if (own is not None or found > 1) and own != _digest_of_json(described):
        raise InputError(f"{called} {path} is damaged: state.json is not what was written; {advice}")
    if not {"iteration", "sha256", "state"} <= described.keys():
        raise InputError(f"{called} {path} has a damaged state.json; {advice}")
    if digest != described["sha256"]:
        raise InputError(f"{called} {path} is damaged: state.safetensors is not what was written; {advice}")
    try:
        tensors = load_file(path / "state.safetensors", device=str(device))
    except SafetensorError as error:
        raise InputError(f"{called} {path} cannot be read ({error}); {advice}") from None
    facts = {key: value for key, value in described.items() if key not in ("state", "sha256", "format")}
    try:
        return join(tensors, described["state"]), facts
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{called} {path} has a damaged state.json; {advice}") from None


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
    sweep(folder)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left half done below ``folder``. Only for the run's own writer."""
    for path in folder.glob(".*.tmp-*"):
        if not path.name.endswith(f"-{os.getpid()}"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def check_shapes(expected: Any, saved: Any, path: str = "") -> None:
    """Whether ``saved`` has every tensor of the nested state ``expected``, in its shape; it may have more.

    Raises ``ValueError`` for the first that is missing or of another shape.
    """
    if isinstance(expected, Tensor):
        got = list(saved.shape) if isinstance(saved, Tensor) else None
        if got != list(expected.shape):
            raise ValueError(f"{path.strip('/')} has shape {got}, not {list(expected.shape)}")
    elif isinstance(expected, dict):
        for key, value in expected.items():
            check_shapes(value, saved.get(key) if isinstance(saved, dict) else None, f"{path}/{key}")


def _digest_of_json(described: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def mismatch_explained(path: Path) -> Iterator[None]:
    """Turn the errors of loading a state into networks it was not made for into an ``InputError``."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
        raise InputError(
            f"checkpoint {path} does not fit this recipe's networks ({first}); "
            "resume with the recipe it was trained with"
        ) from None
