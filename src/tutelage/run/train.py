"""One run from recipe to report: the body of the ``for`` that the command line uses."""

from __future__ import annotations

import contextlib
import hashlib
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from tqdm import tqdm

from ..checks import DivergenceError, InputError
from ..data import Batches, ImageSet
from ..recipes import Recipe
from ..rng import stream
from . import checkpoint, journal, pictures, report
from .build import build, parameter_counts
from .folder import RunFolder, create, machine
from .loop import check_state, iterate, scalars

Ending = Literal["done", "time", "interrupt"]


def train(
    recipe: Recipe,
    observed: ImageSet,
    out: Path,
    device: torch.device,
    facts: dict[str, Any],
    minutes: float | None = None,
) -> Ending:
    """Start a run in the new folder ``out`` and learn. ``facts`` (plain JSON) go into ``run.json``.

    Returns how it ended: all iterations "done", or, after everything was saved, "time" where ``minutes`` ran out
    and "interrupt" where somebody asked for it. Raises ``InputError`` where ``out`` exists, ``DivergenceError``
    where learning diverges.
    """
    learner = build(recipe, len(observed), device)
    rng = stream(recipe.seed, "learn", device=device)
    facts = {
        **facts,
        **machine(device),
        "data_sha256": observed.sha256,
        "observations": len(observed),
        "parameters": parameter_counts(recipe),
    }
    state = learner.init(rng)
    run = create(out, recipe, facts)
    picked = min(100, len(observed))
    _save(run, {"real": observed.batch(slice(0, picked))})
    with journal.Journal(run.journal) as log:
        log.write("start", iteration=0, seconds=0.0, recipe=recipe.name, **facts)
        return _learn(run, recipe, learner, state, observed, rng, log, 0.0, minutes)


def resume(run: RunFolder, observed: ImageSet, device: torch.device, minutes: float | None = None) -> Ending:
    """Go on with a run from its newest checkpoint, bit for bit as if it had never stopped (on a CPU).

    Returns and raises as ``train`` does; raises ``InputError`` where ``observed`` is not what the run learned from.
    """
    recipe, learned_from = run.recipe(), run.facts().get("data_sha256")
    if learned_from is not None and learned_from != observed.sha256:
        raise InputError(
            f"{observed.source} is not what run {run.path} learned from (SHA-256 {observed.sha256[:12]}..., not "
            f"{learned_from[:12]}...); give the same data with --data, or train anew on these"
        )
    checkpoint.recover(run.checkpoints)
    learner = build(recipe, len(observed), device)
    state, rng, facts = restore(run.latest(), learner, device)
    journal.truncate_after(run.journal, state.iteration)
    with journal.Journal(run.journal) as log:
        log.write("resume", iteration=state.iteration, seconds=facts["seconds"], **machine(device))
        return _learn(run, recipe, learner, state, observed, rng, log, facts["seconds"], minutes)


def restore(path: Path, learner: Any, device: torch.device) -> tuple[Any, torch.Generator, dict[str, Any]]:
    """State, random generator and facts of the checkpoint ``path``.

    On another kind of device than the checkpoint's, whose generators have no common state, the random numbers go on
    in a stream of their own. Raises ``InputError`` where the checkpoint is damaged or belongs to other networks.
    """
    saved, facts = checkpoint.load(path, device)
    state = learner.init(stream(0, "restored", device=device))
    with checkpoint.mismatch_explained(path):
        state = learner.load_state_dict(state, saved["learner"])
        words = saved["rng"].cpu()
        digest = hashlib.sha256(words.numpy().tobytes()).hexdigest()
    rng = stream(0, "moved", digest, device=device)
    with contextlib.suppress(RuntimeError):
        rng.set_state(words)
    return state, rng, facts


def trained(path: Path, recipe: Recipe, learner: Any, device: torch.device) -> tuple[Any, dict[str, Any]]:
    """The state of the checkpoint ``path``, ready to be sampled from, and the checkpoint's facts.

    A state whose learning was not finished is finished here, for this use. Raises as ``restore`` does.
    """
    state, _, facts = restore(path, learner, device)
    if state.iteration < recipe.plan.iterations:
        state = learner.finish(state, stream(recipe.seed, "calibrate", device=device))
    return state, facts


def _learn(
    run: RunFolder,
    recipe: Recipe,
    learner: Any,
    state: Any,
    observed: ImageSet,
    rng: torch.Generator,
    log: journal.Journal,
    seconds_before: float,
    minutes: float | None,
) -> Ending:
    plan = recipe.plan
    batches = Batches(len(observed), plan.batch_size, recipe.seed)
    began = time.perf_counter()

    def seconds() -> float:
        return seconds_before + time.perf_counter() - began

    def save() -> None:
        nested = {"learner": learner.state_dict(state), "rng": rng.get_state()}
        check_state(nested, state.iteration, numbers)
        checkpoint.save(run.checkpoints, state.iteration, nested, {"seconds": seconds(), "recipe": recipe.name})
        checkpoint.prune(run.checkpoints, keep_last=2, keep_every=recipe.keep_every)
        log.write("checkpoint", iteration=state.iteration, seconds=seconds())

    numbers: dict[str, float] = {}
    ending: Ending = "done"
    done = state.iteration >= plan.iterations
    at = state.iteration + 1  # the iteration that a divergence would be in
    with (
        _interruptible() as interrupted,
        tqdm(total=plan.iterations, initial=state.iteration, desc=recipe.name, unit="it", dynamic_ncols=True) as bar,
    ):
        try:
            for state, record in iterate(
                learner,
                state,
                observed,
                rng,
                iterations=plan.iterations,
                batch_size=plan.batch_size,
                seed=recipe.seed,
            ):
                at = t = state.iteration
                numbers = scalars(record)
                log.write("iteration", iteration=t, epoch=batches.epoch(t), seconds=seconds(), **numbers)
                bar.update()
                if t % 10 == 0:
                    bar.set_postfix(_short(numbers))
                done = t >= plan.iterations
                if t % recipe.picture_every == 0 or done:
                    _save_pictures(run, learner.pictures(state, record), t)
                    log.write("picture", iteration=t, seconds=seconds())
                time_is_up = minutes is not None and seconds() - seconds_before > 60 * minutes
                ending = "done" if done else "interrupt" if interrupted() else "time"
                stop = interrupted() or time_is_up
                if done:
                    state = learner.finish(state, stream(recipe.seed, "calibrate", device=rng.device))
                if done or stop or t % recipe.checkpoint_every == 0:
                    save()
                if stop and not done:
                    reason = "Its time was up." if ending == "time" else "It was asked to stop."
                    log.write("interrupt", iteration=t, seconds=seconds(), reason=reason)
                    break
                at = t + 1
        except DivergenceError as error:
            message = f"{error} {_last_good(run)}"
            log.write("divergence", iteration=at, seconds=seconds(), message=message)
            report.write_report(run.path)
            raise DivergenceError(message) from None
    if done:
        _final_pictures(run, recipe, learner, state, rng.device)
        log.write("stop", iteration=state.iteration, seconds=seconds())
    report.write_report(run.path)
    return ending


def _final_pictures(run: RunFolder, recipe: Recipe, learner: Any, state: Any, device: torch.device) -> None:
    samples = learner.sample(state, 100, stream(recipe.seed, "final pictures", device=device))
    _save(run, {f"final_{name}": images for name, images in samples.items()})


def _save_pictures(run: RunFolder, images: dict[str, Any], iteration: int) -> None:
    _save(run, {f"{name}_{iteration:07d}": chosen[:100] for name, chosen in images.items()})


def _save(run: RunFolder, images: dict[str, Any]) -> None:
    for name, chosen in images.items():
        scale = max(1, 64 // chosen.shape[-1])  # small images are enlarged, each pixel a square
        pictures.save(pictures.grid(chosen, scale=scale), run.pictures / f"{name}.png")


def _last_good(run: RunFolder) -> str:
    found = checkpoint.available(run.checkpoints)
    if not found:
        return "There is no checkpoint before it."
    return f"The last good checkpoint is {found[-1]}."


def _short(numbers: dict[str, float]) -> dict[str, str]:
    shown = ("reconstruction", "movement", "drift_ratio", "residual")
    return {name: f"{numbers[name]:.3g}" for name in shown if math.isfinite(numbers.get(name, math.nan))}


@contextlib.contextmanager
def _interruptible() -> Iterator[Any]:
    """Turn the first Ctrl-C (or a polite kill) into a wish to stop after this iteration; the second is abrupt."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    signals = (signal.SIGINT, signal.SIGTERM)
    try:
        before = {number: signal.signal(number, ask) for number in signals}
    except ValueError:  # not in the main thread: nothing to catch
        before = {}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
