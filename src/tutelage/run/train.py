"""One run from recipe to report: the body of the ``for`` that the command line uses."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..checks import DivergenceError, InputError
from ..data import ImageSet
from ..nets import arithmetic
from ..recipes import Recipe
from ..rng import stream
from . import checkpoint, journal, looks, report
from .build import build, give_mean_frame, parameter_counts
from .folder import RunFolder, claimed, create, machine, resume_command
from .lock import in_use
from .recover import MOST, Changes, divergence, hopeless, recoveries
from .recover import recover as make_smaller
from .restore import restore
from .rounds import OnDisk
from .sitting import Begun, Ending, learn


def train(
    recipe: Recipe,
    observed: ImageSet,
    out: Path,
    device: torch.device,
    facts: dict[str, Any],
    minutes: float | None = None,
    recover: bool = False,
    initial: torch.Tensor | None = None,
    labels: torch.Tensor | None = None,
) -> Ending:
    """Start a run in the new folder ``out`` and learn. ``facts`` (plain JSON) go into ``run.json``.

    ``initial`` are the negatives that an introspective model begins with, see `tutelage.learn.igm.Igm`;
    ``labels`` the classes of ``observed`` where they are learned from.
    With ``recover``, a divergence is followed by another attempt with smaller steps, see `tutelage.run.recover`.

    Returns how it ended: all iterations "done", or, after everything was saved, "time" where ``minutes`` ran out
    and "interrupt" where somebody asked for it. Raises ``InputError`` where ``out`` exists or cannot be written,
    ``DivergenceError`` where learning diverges.
    """
    learner = build(recipe, len(observed), device, out, initial, labels)
    give_mean_frame(learner, observed)
    rng = stream(recipe.seed, "learn", device=device)
    facts = {
        **facts,
        **_where(recipe, device),
        "data_sha256": observed.sha256,
        "observations": len(observed),
        "parameters": parameter_counts(recipe),
    }
    facts |= {} if observed.fps is None else {"fps": observed.fps}
    facts |= {} if initial is None else {"negatives": len(initial)}
    state = learner.init(rng)
    with claimed(out) as keep:
        run = create(out, recipe, facts)
        with journal.Journal(run.journal) as log:  # at once: without it the run could not be gone on with
            log.write("start", iteration=0, seconds=0.0, recipe=recipe.name, **facts)
        looks.save_real(run, observed)
        keep()
        return _sit(run, Begun(learner, state, rng, 0.0), observed, device, minutes, recover, labels)


def resume(
    run: RunFolder,
    observed: ImageSet,
    device: torch.device,
    minutes: float | None = None,
    recover: bool = False,
    labels: torch.Tensor | None = None,
) -> Ending:
    """Go on with a run from its newest checkpoint, bit for bit as if it had never stopped (on a CPU).

    A run that was killed before its first checkpoint starts again.

    A run that diverged goes on only with ``recover``, since it would diverge again: from its newest checkpoint, or
    from iteration 0, and with smaller steps.

    Returns and raises as ``train`` does; raises ``InputError`` where ``observed`` is not what the run learned from,
    or somebody else is writing to the run.
    """
    with in_use(run.path):
        learned_from = run.facts().get("data_sha256")
        if learned_from is not None and learned_from != observed.sha256:
            raise InputError(
                f"{observed.source} is not what run {run.path} learned from (SHA-256 {observed.sha256[:12]}..., not "
                f"{learned_from[:12]}...); give the same data with --data, or train anew on these"
            )
        ended = divergence(run) if run.journal.is_file() else None
        if ended is not None and not recover:
            why = hopeless(run, ended.get("smaller"))
            on = f"`{resume_command(run.path)} --recover` goes on from its last checkpoint with smaller steps, or "
            raise InputError(
                f"run {run.path} diverged at iteration {ended.get('iteration')} and would again; "
                f"{f'{why}: ' if why else on}train anew with other settings"
            )
        checkpoint.recover(run.checkpoints)
        if ended is not None:
            _say_recovered(run, make_smaller(run))
        return _sit(run, _begin(run, observed, device, labels), observed, device, minutes, recover, labels)


def _sit(
    run: RunFolder,
    begun: Begun,
    observed: ImageSet,
    device: torch.device,
    minutes: float | None,
    recover: bool,
    labels: torch.Tensor | None,
) -> Ending:
    """Learn until it ends, through the divergences that it may recover from."""
    deadline = None if minutes is None else time.perf_counter() + 60 * minutes
    while True:
        try:
            return learn(run, begun, observed, deadline)
        except DivergenceError:
            if not recover:
                report.write_report(run.path)
                raise
        try:
            changed = make_smaller(run)
        except DivergenceError:
            report.write_report(run.path)
            raise
        _say_recovered(run, changed)
        begun = _begin(run, observed, device, labels)


def _begin(run: RunFolder, observed: ImageSet, device: torch.device, labels: torch.Tensor | None) -> Begun:
    """Where a run goes on: its newest checkpoint or, without one, iteration 0. Its journal says so."""
    recipe, recovered = run.recipe(), recoveries(run)
    negatives = _own_negatives(run, recipe)
    learner, seconds = build(recipe, len(observed), device, run.path, negatives, labels), 0.0
    rng = stream(recipe.seed, "learn", *(("recovery", recovered) if recovered else ()), device=device)
    found = checkpoint.available(run.checkpoints)
    if not found:
        if negatives is None and run.facts().get("negatives"):
            raise InputError(
                f"run {run.path} was killed before it had kept the negatives that it was given; remove it, train again"
            )
        give_mean_frame(learner, observed)
        state = learner.init(rng)
    else:
        state, saved_rng, facts = restore(found[-1], learner, device, to_learn=True)
        seconds = facts["seconds"]
        if facts.get("recoveries", 0) == recovered:  # else this checkpoint led to the divergence
            rng = saved_rng
    failed = (float(event["seconds"]) for event in journal.read(run.journal) if event["event"] == "divergence")
    seconds = max([seconds, *failed])  # a failed attempt took its time too
    journal.truncate_after(run.journal, state.iteration)
    looks.remove_after(run, state.iteration)
    with journal.Journal(run.journal) as log:
        log.write("resume", iteration=state.iteration, seconds=seconds, **_where(recipe, device))
    return Begun(learner, state, rng, seconds)


def _where(recipe: Recipe, device: torch.device) -> dict[str, Any]:
    return machine(device) | {"arithmetic": arithmetic(recipe.precision, device)}


def _own_negatives(run: RunFolder, recipe: Recipe) -> torch.Tensor | None:
    """What a run was given to begin with, which it needs again where it goes on from iteration 0."""
    kept, noise = OnDisk(run.path), getattr(recipe.plan, "negatives_per_round", None)
    if noise is None or not kept.has_negatives(0):
        return None
    own = kept.negatives(0)[noise:]
    return torch.tensor(own) if len(own) else None


def _say_recovered(run: RunFolder, changed: Changes) -> None:
    found = checkpoint.available(run.checkpoints)
    where = f"from iteration {int(found[-1].name)}" if found else "again from the start"
    now = ", ".join(f"{field}={new:.6g} (was {old:.6g})" for field, (old, new) in changed.items())
    tqdm.write(f"Diverged. Recovery {recoveries(run)} of {MOST}, {where}: {now}.", file=sys.stderr)
