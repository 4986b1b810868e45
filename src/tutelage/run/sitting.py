"""One sitting: a run learns from where it stands until it is done, diverges, is asked to stop or has no time left."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from tqdm import tqdm

from ..checks import DivergenceError
from ..data import ImageSet
from ..recipes import Recipe
from ..rng import stream
from . import checkpoint, journal, looks, report
from .boards import board
from .divergence import check_state
from .folder import RunFolder, resume_command
from .interruption import interruptible
from .loop import measured, over
from .recover import hopeless, recoveries
from .restore import epochs

Ending = Literal["done", "time", "interrupt"]
TIME_IS_UP = "Its time was up."
"""How a journal gives the reason of the ending "time"."""
_LONG, _REST = 1.0, 10  # seconds that saving may always take; otherwise it is done again after so many times as long


class Begun(NamedTuple):
    """Where a sitting begins: what learns, what it has learned, its chance, and the seconds it took so far."""

    learner: Any
    state: Any
    rng: torch.Generator
    seconds: float


def learn(run: RunFolder, begun: Begun, observed: ImageSet, deadline: float | None) -> Ending:
    """Learn from ``observed`` until all iterations are done, somebody asks to stop, or the clock (of
    `time.perf_counter`) is past ``deadline``; save, draw what came of it, and write the report.

    Returns how it ended. Raises ``DivergenceError`` where learning diverges, after the journal says so.
    """
    began = time.perf_counter()

    def seconds() -> float:
        return begun.seconds + time.perf_counter() - began

    with journal.Journal(run.journal) as log:
        saver = _Saver(run, begun.learner, begun.rng, log, seconds)
        state, ending = _iterate(saver, begun.state, observed, deadline)
        ending = _draw(saver, state, ending, observed)
    report.write_report(run.path)
    return ending


@dataclass
class _Saver:
    """When a sitting saves its state, and how."""

    run: RunFolder
    learner: Any
    rng: torch.Generator
    log: journal.Journal
    seconds: Callable[[], float]
    """That learning took, those of earlier sittings included."""
    saved_at: float = field(default_factory=time.perf_counter)
    saving: float = 0.0

    def __post_init__(self) -> None:
        self.recipe, self.recovered = self.run.recipe(), recoveries(self.run)

    def due(self, t: int) -> bool:
        """Whether the recipe wants a checkpoint; what would take more than a tenth of the time waits, unless kept."""
        recipe = self.recipe
        rested = self.saving < _LONG or time.perf_counter() - self.saved_at > _REST * self.saving
        kept = recipe.keep_every is not None and t % recipe.keep_every == 0
        return t % recipe.checkpoint_every == 0 and (rested or kept)

    def save(self, state: Any, numbers: dict[str, float]) -> None:
        """A checkpoint of ``state``. Raises ``DivergenceError`` as `check_state` does."""
        start, recipe = time.perf_counter(), self.recipe
        nested = {"learner": self.learner.state_dict(state), "rng": self.rng.get_state()}
        check_state(nested, state.iteration, numbers, recipe.plan)
        facts = {"seconds": self.seconds(), "recipe": recipe.name}
        facts |= {"recoveries": self.recovered} if self.recovered else {}
        checkpoint.save(self.run.checkpoints, state.iteration, nested, facts)
        checkpoint.prune(self.run.checkpoints, keep_last=2, keep_every=recipe.keep_every)
        self.log.write("checkpoint", iteration=state.iteration, seconds=self.seconds())
        self.saved_at = time.perf_counter()
        self.saving = self.saved_at - start

    def finished(self, state: Any) -> Any:
        """``state`` after what is done once, after learning."""
        return self.learner.finish(state, stream(self.recipe.seed, "calibrate", device=self.rng.device))


def _iterate(saver: _Saver, state: Any, observed: ImageSet, deadline: float | None) -> tuple[Any, Ending]:
    """The iterations of a sitting: the last state, saved, and why they ended. Raises ``DivergenceError``."""
    run, learner, recipe, log, seconds = saver.run, saver.learner, saver.recipe, saver.log, saver.seconds
    plan, numbers, ending = recipe.plan, {}, "done"
    seen = functools.partial(epochs, recipe, len(observed))
    at = state.iteration + 1  # the iteration that a divergence would be in
    show_all = board(run.path / "tensorboard", state.iteration)
    with show_all as show, interruptible() as interrupted, _progress(recipe, state, len(observed)) as bar:
        try:
            if over(state, plan.iterations) and not checkpoint.available(run.checkpoints):  # a plan of no iterations
                state = saver.finished(state)
                saver.save(state, numbers)
            for state, record, numbers in measured(
                learner,
                state,
                observed,
                saver.rng,
                iterations=plan.iterations,
                batch_size=plan.batch_size,
                seed=recipe.seed,
                flip=recipe.data.flip,
            ):
                at = t = state.iteration
                log.write("iteration", iteration=t, **seen(t), seconds=seconds(), **numbers)
                show(t, numbers)
                bar.update(_done(state) - bar.n)
                if t % 10 == 0:
                    bar.set_postfix(_short(numbers))
                done = over(state, plan.iterations)
                if t % recipe.picture_every == 0 or done:
                    looks.save_iteration(run, learner.pictures(state, record), t)
                    log.write("picture", iteration=t, seconds=seconds())
                asked = interrupted()
                stop = asked or (deadline is not None and time.perf_counter() > deadline)
                ending = "done" if done else "time"
                if done:
                    state = saver.finished(state)
                if done or stop or saver.due(t):
                    saver.save(state, numbers)
                if stop and not done:
                    break
                at = t + 1
            ending = "interrupt" if interrupted() else ending  # in the last iteration too, or while that was saved
        except DivergenceError as error:
            message = f"{error} {_way_on(run, error)}"
            told = {"numbers": error.numbers, "smaller": error.smaller, "message": message}
            log.write("divergence", iteration=at, seconds=seconds(), **told)
            raise DivergenceError(message, error.numbers, error.smaller) from None
    return state, ending


def _draw(saver: _Saver, state: Any, ending: Ending, observed: ImageSet) -> Ending:
    """The pictures of what a sitting came to, which are no part of learning, and then the journal's last word on it: a
    run that is killed before has not ended, so that it is gone on with and they are drawn.

    Returns how the sitting ended: as it did, or by an interrupt while they were drawn.
    """
    run, log, took, found = saver.run, saver.log, saver.seconds(), ""
    reason = "It was asked to stop."
    if ending != "interrupt":
        report.write_report(run.path)
        try:
            of = saver.finished(state) if ending == "time" else state
            found = looks.save_final(run, saver.recipe, saver.learner, of, observed, saver.rng.device)
        except KeyboardInterrupt:  # of which nothing learned is lost
            ending, reason = "interrupt", "It was stopped while its last pictures were drawn."
    words = {"done": getattr(state, "ended", None), "time": TIME_IS_UP, "interrupt": reason}[ending]
    message = " ".join(part for part in (words, found) if part)
    if ending == "done":
        log.write("stop", iteration=state.iteration, seconds=took, message=message)
    else:
        log.write("interrupt", iteration=state.iteration, seconds=took, reason=message)
    return ending


def _way_on(run: RunFolder, error: DivergenceError) -> str:
    found, command = checkpoint.available(run.checkpoints), f"`{resume_command(run.path)} --recover`"
    if why := hopeless(run, error.smaller):
        kept = f"The last good checkpoint is {found[-1]}" if found else "There is no checkpoint before it"
        return f"{kept}; {why}: train anew with other settings."
    if not found:
        return f"There is no checkpoint before it; {command} starts again with smaller steps."
    return f"The last good checkpoint is {found[-1]}; {command} goes on from it with smaller steps."


def _progress(recipe: Recipe, state: Any, observations: int) -> tqdm:
    """A bar of iterations or, where rounds take as many as they need, of rounds; it says of how many images."""
    rounds = getattr(recipe.plan, "rounds", None)
    total, unit = (recipe.plan.iterations, "it") if rounds is None else (rounds, "round")
    return tqdm(
        total=total,
        initial=_done(state),
        desc=f"{recipe.name}, {observations:,} image(s)",
        unit=unit,
        dynamic_ncols=True,
    )


def _done(state: Any) -> int:
    return getattr(state, "round", state.iteration)


def _short(numbers: dict[str, float]) -> dict[str, str]:
    cooperative, others = (
        ("reconstruction", "movement", "drift_ratio"),
        ("residual", "cross_entropy", "regression", "gram_loss"),
    )
    shown = (*cooperative, "running_loss", "probability", "generator_loss", *others)
    return {name: f"{numbers[name]:.3g}" for name in shown if math.isfinite(numbers.get(name, math.nan))}
