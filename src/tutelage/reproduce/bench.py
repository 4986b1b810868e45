"""Models that share one budget of time: each is trained once, found again by the next table, and resumed if stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..checks import DivergenceError, InputError
from ..data import ImageSet
from ..learn import igm
from ..recipes import Recipe
from ..recipes.codec import encode
from ..rng import stream
from ..run import checkpoint, journal, train
from ..run.build import build, give_mean_frame
from ..run.folder import RunFolder, open_run
from ..run.lock import in_use
from ..run.loop import measured
from ..run.results import learned_on
from ..run.sitting import TIME_IS_UP

_NO_MATTER = ("sources", "deviations", "checkpoint_every", "keep_every", "picture_every")  # of a recipe, to its model
_LATER = {"data": {"centre": None, "extra": False}, "plan": {"pool": None, "loss": "likelihood"}}
"""Fields that are younger than some digests, and in them only where they differ from this."""
_TRIAL = 12  # iterations that are timed at least, the first of them apart
_SLICE = 50  # part of the budget for which they are timed, and a tenth at most
_MOST = 100_000  # iterations that are timed at most
_LEARNING = 0.95  # part of the budget that iterations fill; the rest is for checkpoints and pictures
_WAIT = 300.0  # seconds for another command that writes to the same folder of tables


@dataclass(frozen=True)
class Bench:
    """Where and on what terms models are compared.

    ``out`` is the folder for tables, with the models in ``out/models``; ``minutes`` the training time of each model;
    ``seed`` that of every model and measure; ``command`` what was typed, for the results.
    """

    out: Path
    minutes: float
    seed: int
    device: torch.device
    command: str

    @property
    def terms(self) -> dict[str, Any]:
        """What every entry of a table says of them."""
        return {"seed": self.seed, "command": self.command, "device": self.device}


def writing(out: Path) -> contextlib.AbstractContextManager[None]:
    """Hold the folder of tables ``out`` for one write; another command that is writing there is waited for."""
    return in_use(out, _WAIT)


def trained(
    bench: Bench,
    recipe: Recipe,
    observed: ImageSet,
    labels: torch.Tensor | None = None,
    own_length: bool = False,
) -> RunFolder:
    """The run of ``recipe`` within the budget: found where it is finished, resumed or begun where it is not.

    A recipe gets as many iterations as the budget holds (`within`), so that rates which fall over the iterations end
    their fall in time, but for an introspective model, whose rounds take as long as they need. When the time is over
    learning is stopped, wherever it is: something else may have had a part of the machine. ``own_length`` keeps the
    recipe's own iterations, for a model that measures and does not compete, however long they take. A divergence is
    recovered from as `tutelage.run.recover` does.

    Raises ``DivergenceError`` where it diverges for good, ``KeyboardInterrupt`` where somebody stopped it (everything
    is kept), ``InputError`` where the run that is there learned from other images or by another recipe, and what
    `tutelage.run.train.train` raises.
    """
    path, made_by = bench.out / "models" / run_name(bench, recipe, own_length), digest(bench, recipe)
    introspective, limit = isinstance(recipe.plan, igm.Plan), None if own_length else bench.minutes
    if not (path / "recipe.json").exists():
        chosen = replace(recipe, seed=bench.seed)
        if not (introspective or own_length):
            chosen = within(60 * bench.minutes, chosen, observed, bench.device, labels)
        facts = {"data": None, "command": bench.command, "recipe_sha256": made_by}
        ending = train.train(chosen, observed, path, bench.device, facts, limit, recover=True, labels=labels)
    else:
        run = open_run(path)
        if run.facts().get("recipe_sha256") != made_by:
            raise InputError(
                f"{path} was made by another recipe than {recipe.name} is now; name another --out, or remove the model"
            )
        if run.facts()["data_sha256"] != observed.sha256:
            raise InputError(f"{path} learned from other images than {observed.source} has now; name another --out")
        if _finished(run):
            return run
        left = None if limit is None else max(0.0, limit - _kept(run) / 60)
        ending = train.resume(run, observed, bench.device, left, recover=True, labels=labels)
    if ending == "interrupt":
        raise KeyboardInterrupt
    return open_run(path)


def run_name(bench: Bench, recipe: Recipe, own_length: bool = False) -> str:
    """What the run of ``recipe`` is called among the models of the bench."""
    of = f"seed{bench.seed}" if own_length else f"{bench.minutes:g}min-seed{bench.seed}"
    return f"{recipe.name.replace('/', '-')}-{of}"


def to_train(bench: Bench, runs: Iterable[str]) -> list[str]:
    """Those of ``runs``, which are names, that have not learned to their end yet."""
    paths = {run: bench.out / "models" / run for run in runs}
    return [run for run, path in paths.items() if not (path / "recipe.json").exists() or not _finished(open_run(path))]


def digest(bench: Bench, recipe: Recipe) -> str:
    """SHA-256 of what makes a model of ``recipe`` what it is: data, networks, plan, precision, and the bench's seed.

    The recipe is the one asked for, before it is fitted to the budget or recovered from a divergence.
    """
    whole = encode(replace(recipe, seed=bench.seed))
    asked = {
        part: {name: value for name, value in whole[part].items() if name not in later or value != later[name]}
        for part, later in _LATER.items()
    }
    matters = {name: value for name, value in {**whole, **asked}.items() if name not in _NO_MATTER}
    return hashlib.sha256(json.dumps(matters, sort_keys=True).encode()).hexdigest()


def within(
    seconds: float,
    recipe: Recipe,
    observed: ImageSet,
    device: torch.device,
    labels: torch.Tensor | None = None,
) -> Recipe:
    """``recipe`` with as many iterations as fit into .95 of ``seconds``, 1 or more, and ten checkpoints and pictures.

    Some are timed, for a fiftieth of the budget, and thrown away; the fastest quarter of them counts, since something
    else may have had a part of the machine meanwhile. Noise that ends within the recipe's iterations
    (``noise_until``) ends at the same part of these.
    """
    learner = build(recipe, len(observed), device, labels=labels)
    give_mean_frame(learner, observed)
    rng = stream(recipe.seed, "pace", device=device)
    batch, began = recipe.plan.batch_size, time.perf_counter()
    state, warm = learner.init(rng), getattr(recipe.plan, "generator_every", 1)
    ends = [began]
    with contextlib.suppress(DivergenceError):  # learning itself recovers from it
        for state, _, _ in measured(
            learner, state, observed, rng, iterations=_MOST, batch_size=batch, seed=recipe.seed, flip=recipe.data.flip
        ):
            now = time.perf_counter()
            if state.iteration <= warm:  # what is slow once, of both networks
                ends = [now]
                continue
            ends.append(now)
            enough = state.iteration >= _TRIAL and now - ends[0] > seconds / _SLICE
            if enough or now - began > seconds / 10:
                break
    each = _pace(ends, warm) if len(ends) > 1 else time.perf_counter() - began
    iterations = max(1, int(_LEARNING * seconds / each))
    tenth = max(1, iterations // 10)
    changes: dict[str, Any] = {"iterations": iterations}
    sources = {**recipe.sources, "plan.iterations": f"as many as {seconds / 60:g} minutes hold, by a trial"}
    until = getattr(recipe.plan, "noise_until", None)
    if until is not None:
        changes["noise_until"] = round(until * iterations / recipe.plan.iterations)
        sources["plan.noise_until"] = f"at the same part of the iterations as in {recipe.name}"
    plan = replace(recipe.plan, **changes)
    return replace(recipe, plan=plan, checkpoint_every=tenth, keep_every=None, picture_every=tenth, sources=sources)


def _pace(ends: Sequence[float], turn: int) -> float:
    """Seconds of an iteration, whose ``ends`` in time these are, in the fastest quarter of them, of whole turns.

    In ``turn`` iterations every network moves as often as it ever does; of fewer than that it is the mean.
    """
    many = len(ends) - 1
    quarter = min(many, max(1, many // 4 // turn) * turn)
    return min((ends[i + quarter] - ends[i]) / quarter for i in range(0, many - quarter + 1, quarter))


def about(run: RunFolder, probed: bool = False) -> dict[str, Any]:
    """What an entry of a table says of the run behind it: ``wall_seconds``, ``threads`` and ``device`` are those of its
    learning.

    The ``parameters`` of a cascade are those of all its ``rounds``, which generate together; with ``probed`` they are
    its last classifier's, which alone has features to probe. ``ended`` says why its rounds ended by themselves.
    """
    plan = run.recipe().plan
    said = {
        "run": run.path.name,
        "parameters": sum(run.facts()["parameters"].values()),
        "iteration": int(run.latest().name),
        "planned": None if hasattr(plan, "rounds") else plan.iterations,
        "wall_seconds": seconds_spent(run),
        **learned_on(run),
    }
    if isinstance(plan, igm.Plan):
        learned = checkpoint.load(run.latest())[0]["learner"]
        said |= {"rounds": learned["round"], "ended": learned["ended"]}
        said["parameters"] *= 1 if plan.single or probed else learned["round"]
    return said


def seconds_spent(run: RunFolder) -> float:
    """Wall time of a run's learning so far."""
    return max((float(event["seconds"]) for event in journal.read(run.journal) if "seconds" in event), default=0.0)


def _finished(run: RunFolder) -> bool:
    """Whether it learned to its end, or until its time was up: then it stays as it is, since it may be measured."""
    return any(
        event["event"] == "stop" or event.get("reason", "").startswith(TIME_IS_UP)
        for event in journal.read(run.journal)
    )


def _kept(run: RunFolder) -> float:
    """Seconds of learning up to the newest checkpoint, from which it goes on; those of what diverged count too."""
    events = journal.read(run.journal)
    counted = ("checkpoint", "divergence")
    return max((float(event["seconds"]) for event in events if event["event"] in counted), default=0.0)
