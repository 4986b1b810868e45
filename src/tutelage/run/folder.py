"""A run folder: what a run leaves behind, and how it is found again.

recipe.json     the resolved recipe            journal.jsonl   what happened, line by line
run.json        data, device, versions         pictures/       sample grids
checkpoints/    states to resume from          report.html     all of it, to look at

While somebody writes to it there is a `.lock` too, see `tutelage.run.lock`.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..atomic import atomic_write
from ..checks import InputError
from ..recipes import Recipe, codec
from . import checkpoint, lock, places


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
        return read_recipe(self.path / "recipe.json")

    def facts(self) -> dict[str, Any]:
        """Data, device and versions of this run. Raises ``InputError`` where they cannot be read."""
        facts = _read_json(self.path / "run.json")
        if not isinstance(facts, dict) or not isinstance(facts.get("observations"), int):
            raise InputError(f"{self.path / 'run.json'} is damaged; restore it from a copy, or train again")
        return facts

    def frame_rate(self) -> float:
        """Frames per second of the clip learned from; 25 where it does not say. Raises as ``facts`` does."""
        return self.facts().get("fps") or 25.0

    def latest(self) -> Path:
        """The newest whole checkpoint. Raises ``InputError`` where there is none."""
        found = checkpoint.available(self.checkpoints)
        if not found:
            raise InputError(f"run {self.path} has no checkpoint yet; let `tutelage resume` bring it to its first")
        return found[-1]


def resume_command(path: Path) -> str:
    """How a person goes on with the run at ``path``."""
    return f"tutelage resume {shlex.quote(str(path))}"


def create(path: Path, recipe: Recipe, facts: dict[str, Any]) -> RunFolder:
    """Start a run folder. Raises ``InputError`` where something is there already; nothing is changed then."""
    _make(path)
    run = RunFolder(path)
    run.pictures.mkdir()
    run.checkpoints.mkdir()
    atomic_write(path / "run.json", json.dumps(facts, indent=1))
    atomic_write(path / "recipe.json", json.dumps(codec.encode(recipe), indent=1))  # last: it makes the folder a run
    return run


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[Callable[[], None]]:
    """Hold the folder ``path`` for a new run. An error before the yielded ``keep()`` was called leaves nothing of it.

    Raises ``InputError`` where something is there already, or another process is about to start its run there.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    _make(path)
    kept: list[bool] = []
    try:
        with lock.in_use(path):
            _make(path)  # another process may have been there between our looking and our locking
            try:
                yield lambda: kept.append(True)
            except BaseException:
                if not kept:
                    _empty(path)
                raise
    except BaseException:
        with contextlib.suppress(OSError):
            for folder in made:  # innermost first; one that is not empty ends it
                folder.rmdir()
        raise


def check_new(path: Path) -> None:
    """Raises ``InputError`` where something is at ``path`` that a new run would be mixed with, or none can be made."""
    places.check_new(path, lock.NAME, _going_on(path))


def _make(path: Path) -> None:
    """An empty folder, but for its lock. Raises ``InputError`` as `check_new` does."""
    places.new_folder(path, lock.NAME, _going_on(path))


def _going_on(path: Path) -> str:
    """What else can be done where a run is there already."""
    return f", or go on with it by `{resume_command(path)}`" if os.path.isfile(path / "recipe.json") else ""


def _empty(path: Path) -> None:
    for entry in path.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != lock.NAME:
            entry.unlink(missing_ok=True)


def open_run(path: Path | str) -> RunFolder:
    """An existing run. Raises ``InputError`` where ``path`` is none."""
    path = Path(path)
    if not (path / "recipe.json").is_file():
        raise InputError(
            f"{path} is no run folder (it has no recipe.json); give the --out of an earlier `tutelage train`"
        )
    return RunFolder(path)


def read_recipe(path: Path) -> Recipe:
    """The recipe in the file ``path``. Raises ``InputError`` where it cannot be read."""
    content = _read_json(path)
    try:
        return codec.decode(Recipe, content)
    except InputError as error:
        raise InputError(f"{path} cannot be used ({error}); {_mend(path)}") from None


def _mend(path: Path) -> str:
    """What can be done about a recipe that this version does not understand."""
    with contextlib.suppress(InputError):
        facts = _read_json(path.with_name("run.json"))
        made_by = facts.get("version", __version__) if isinstance(facts, dict) else __version__
        if made_by != __version__:
            return f"it was made by version {made_by}, and this is {__version__}: use that one, or train again"
    return "restore it from a copy, or train again"


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
    except ValueError:  # of text, of JSON, or of a number of thousands of digits
        raise InputError(f"{path} is damaged; restore it from a copy, or train again") from None
