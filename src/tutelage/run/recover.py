"""Going on after a divergence, with smaller steps.

A recovery goes back to the newest checkpoint (where there is none: to iteration 0) and halves the fields of the
recipe that the diagnosis of the divergence names: a learning rate, with the rate it ends at, and where the step of
the chains is to blame, that too. Then

    recipe.json                      holds the changed recipe, which says so among its deviations
    recipe.before-recovery-1.json    holds the one before
    journal.jsonl                    says what diverged and what was changed, in a `recover` event

A run recovers three times at most, whoever asks for it and in however many sittings. Optimiser moments come from the
checkpoint. The random numbers after recovery n are a fresh stream of that name, since the old ones led to the
divergence; the order of the images stays. A recovered run that is stopped and resumed equals one that was not.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from ..atomic import atomic_write
from ..checks import DivergenceError
from ..recipes import Recipe, codec
from . import checkpoint, journal
from .divergence import learning_rates
from .folder import RunFolder, read_recipe

MOST = 3
"""How often one run recovers."""

Changes = dict[str, tuple[float, float]]
"""Dotted fields of a recipe, each with its value before and after."""


def divergence(run: RunFolder) -> dict[str, Any] | None:
    """The journal's event of the divergence that ended a run; None where it did not end so."""
    for event in reversed(journal.read(run.journal)):
        if event["event"] == "divergence":
            return event
        if event["event"] in ("iteration", "start", "resume", "recover", "interrupt", "stop"):
            return None
    return None


def recoveries(run: RunFolder) -> int:
    """How often a run has recovered."""
    return sum(event["event"] == "recover" for event in journal.read(run.journal))


def hopeless(run: RunFolder, smaller: Sequence[str] | None) -> str:
    """Why no recovery is made of a divergence that names the fields ``smaller``; empty where one is.

    None is of a journal of earlier versions, which names none.
    """
    if recoveries(run) >= MOST:
        return f"it has recovered {MOST} times already, the most that --recover makes"
    return "smaller steps would not help" if smaller is not None and not smaller else ""


def recover(run: RunFolder) -> Changes:
    """Make the recipe of a diverged run smaller, and say so in its journal, which nobody may hold open.

    Cut off at any moment, it can be done again. Raises ``DivergenceError`` where the run has recovered three times
    already or smaller steps would not help, ``InputError`` where its newest checkpoint is damaged; nothing is changed
    then.
    """
    event, number = divergence(run) or {}, recoveries(run) + 1
    if number > MOST:
        rates = " and ".join(event.get("smaller") or learning_rates(run.recipe().plan))
        raise DivergenceError(
            f"run {run.path} diverged again after {MOST} recoveries, the most that --recover makes: train anew with "
            f"other settings, {rates} first (its first recipe is recipe.before-recovery-1.json). "
            f"It ended so: {event.get('message', 'iteration unknown')}"
        )
    if event.get("smaller") == []:
        raise DivergenceError(
            f"run {run.path} cannot be recovered by smaller steps: train anew with other settings. "
            f"It ended so: {event.get('message', 'iteration unknown')}"
        )
    found = checkpoint.available(run.checkpoints)
    if found:
        checkpoint.load(found[-1])  # a damaged one is refused before anything is changed
    before = run.path / f"recipe.before-recovery-{number}.json"
    if not before.is_file():
        atomic_write(before, (run.path / "recipe.json").read_bytes())
    recipe = read_recipe(before)
    at = int(found[-1].name) if found else 0
    smaller, changed = halved(recipe, tuple(event.get("smaller") or learning_rates(recipe.plan)))
    words = ", ".join(f"{field}={new:.6g} (was {old:.6g})" for field, (old, new) in changed.items())
    smaller = dataclasses.replace(
        smaller, deviations=(*recipe.deviations, f"Recovery {number}, from iteration {at} on: {words}.")
    )
    atomic_write(run.path / "recipe.json", json.dumps(codec.encode(smaller), indent=1))
    numbers = event.get("numbers") or {}
    with journal.Journal(run.journal) as log:
        log.write(
            "recover",
            iteration=at,
            recovery=number,
            diverged_at=event.get("iteration"),
            number=", ".join(numbers),
            changed={field: list(pair) for field, pair in changed.items()},
        )
    return changed


def halved(recipe: Recipe, fields: tuple[str, ...]) -> tuple[Recipe, Changes]:
    """The recipe with each of the dotted ``fields`` halved, and with a learning rate the one it ends at."""
    with_ends = [name for field in fields for name in (field, f"{field}_final") if _number(recipe, name) is not None]
    changed = {field: (value, value / 2) for field in with_ends if (value := _number(recipe, field)) is not None}
    return codec.replace_fields(recipe, {field: new for field, (_, new) in changed.items()}), changed


def _number(recipe: Recipe, dotted: str) -> float | None:
    value: Any = recipe
    for name in dotted.split("."):
        value = getattr(value, name, None)
    return value if isinstance(value, float) else None
