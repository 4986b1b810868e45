"""The one form that numbers have in this project, and the file they are kept in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..atomic import atomic_write
from ..checks import InputError
from . import journal
from .folder import RunFolder, machine

Entry = dict[str, Any]
"""One number with everything needed to judge and repeat it; plain JSON."""


def result(
    name: str,
    value: float,
    stderr: float | None,
    n: int,
    *,
    seed: int,
    command: str,
    wall_seconds: float,
    data_sha256: str,
    device: torch.device,
    **more: Any,
) -> Entry:
    """One entry of a results file.

    ``n`` counts the images that were scored; ``stderr`` is None where it was not estimated. ``more`` is what
    belongs to one metric only, and comes last.
    """
    where = machine(device)
    return {
        "name": name,
        "value": value,
        "stderr": stderr,
        "n": n,
        "seed": seed,
        "command": command,
        "wall_seconds": wall_seconds,
        "threads": where["threads"],
        "device": where["device"],
        "data_sha256": data_sha256,
        "version": __version__,
        **more,
    }


def learned_on(run: RunFolder) -> Entry:
    """The ``threads`` and ``device`` of a result whose ``wall_seconds`` are those of learning.

    Where a run went on elsewhere they are all that it learned on, in their order.
    """
    found = {key: list(dict.fromkeys(of[key] for of in _sittings(run) if key in of)) for key in ("threads", "device")}
    return {key: of[0] if len(of) == 1 else ", ".join(map(str, of)) for key, of in found.items() if of}


def last_device(run: RunFolder) -> str:
    """The kind of device that a run learned on last: ``cpu``, ``cuda``, ..."""
    *_, last = (of["device"] for of in ({"device": "cpu"}, *_sittings(run)) if "device" in of)
    return last.partition(" ")[0]


def _sittings(run: RunFolder) -> list[Entry]:
    return [run.facts(), *(event for event in journal.read(run.journal) if event["event"] == "resume")]


def read_results(path: Path) -> list[Entry]:
    """The entries of a results file; none where there is no file. Raises ``InputError`` for a damaged one."""
    try:
        entries = json.loads(path.read_text()) if path.is_file() else []
    except ValueError:
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "name" in entry for entry in entries):
        raise InputError(f"{path} is damaged: it needs to be a list of results; repair or remove it")
    return entries


def write_results(path: Path, entries: Iterable[Entry]) -> None:
    """Add entries to a results file; one of the same name and iteration is replaced."""
    merged = {(entry["name"], entry.get("iteration")): entry for entry in [*read_results(path), *entries]}
    atomic_write(path, json.dumps(list(merged.values()), indent=1) + "\n")
