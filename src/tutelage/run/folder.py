"""A run folder: what a run leaves behind, and how it is found again.

recipe.json     the resolved recipe            journal.jsonl   what happened, line by line
run.json        data, device, versions         pictures/       sample grids
checkpoints/    states to resume from          report.html     all of it, to look at
"""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..checks import InputError
from ..recipes import Recipe, codec
from . import checkpoint
from .atomic import atomic_write


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run, and its two descriptions."""

    path: Path

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def pictures(self) -> Path:
        return self.path / "pictures"

    @property
    def results(self) -> Path:
        return self.path / "results.json"

    def recipe(self) -> Recipe:
        """The recipe this run was started with. Raises ``InputError`` where it cannot be read."""
        return codec.decode(Recipe, _read_json(self.path / "recipe.json"))

    def facts(self) -> dict[str, Any]:
        """Data, device and versions of this run. Raises ``InputError`` where they cannot be read."""
        facts = _read_json(self.path / "run.json")
        if not isinstance(facts, dict):
            raise InputError(f"{self.path / 'run.json'} is damaged; restore it from a copy, or train again")
        return facts

    def latest(self) -> Path:
        """The newest whole checkpoint. Raises ``InputError`` where there is none."""
        found = checkpoint.available(self.checkpoints)
        if not found:
            raise InputError(f"run {self.path} has no checkpoint yet; let it train to its first one, or train again")
        return found[-1]


def create(path: Path, recipe: Recipe, facts: dict[str, Any]) -> RunFolder:
    """Start a run folder. Raises ``InputError`` where something is there already; nothing is changed then."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{path} is there already: name another --out, or go on with it by `tutelage resume {path}`")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be made ({error.strerror}); name another --out") from None
    run = RunFolder(path)
    atomic_write(path / "recipe.json", json.dumps(codec.encode(recipe), indent=1))
    atomic_write(path / "run.json", json.dumps(facts, indent=1))
    run.pictures.mkdir()
    run.checkpoints.mkdir()
    return run


def open_run(path: Path) -> RunFolder:
    """An existing run. Raises ``InputError`` where ``path`` is none."""
    if not (path / "recipe.json").is_file():
        raise InputError(
            f"{path} is no run folder (it has no recipe.json); give the --out of an earlier `tutelage train`"
        )
    return RunFolder(path)


def machine(device: torch.device) -> dict[str, Any]:
    """Where a run computes: device, threads and versions."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
        "version": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path.parent} is no run folder (it has no {path.name})") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise InputError(f"{path} is damaged; restore it from a copy, or train again") from None
