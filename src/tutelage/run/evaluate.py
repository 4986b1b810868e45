"""Numbers of a trained run, in the one form results have in this project."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..checks import InputError
from ..data import Batches, ImageSet, Splits
from ..metrics.parzen import ParzenScore, parzen
from ..rng import stream
from . import checkpoint, journal
from .atomic import atomic_write
from .build import build
from .folder import RunFolder, machine
from .train import trained

ALGORITHMS = {"coopnets": "CoopNets", "descriptor": "Algorithm D", "generator": "Algorithm G"}
"""How a recipe's family is called in results."""


def parzen_of_samples(
    learner: Any, state: Any, splits: Splits, samples: int, seed: int, device: torch.device
) -> dict[str, ParzenScore]:
    """The Parzen score of each model of a learner, from ``samples`` images of each.

    Raises ``InputError`` where the data have no validation or test images.
    """
    validation, test = _held_out(splits, device)
    drawn = learner.sample(state, samples, stream(seed, "parzen", device=device))
    return {name: parzen(_unit(images), validation, test) for name, images in drawn.items()}


def parzen_of_real_images(splits: Splits, samples: int, device: torch.device) -> ParzenScore:
    """The Parzen score of the first ``samples`` training images: what perfect samples would get."""
    validation, test = _held_out(splits, device)
    return parzen(_unit(splits.train.batch(slice(0, samples), device)), validation, test)


def result(
    name: str,
    score: ParzenScore,
    *,
    seed: int,
    command: str,
    wall_seconds: float,
    data_sha256: str,
    device: torch.device,
) -> dict[str, Any]:
    """One entry of a results file."""
    where = machine(device)
    return {
        "name": name,
        "value": score.mean,
        "stderr": score.stderr,
        "n": score.n,
        "seed": seed,
        "command": command,
        "wall_seconds": wall_seconds,
        "threads": where["threads"],
        "device": where["device"],
        "data_sha256": data_sha256,
        "version": __version__,
        "width": score.width,
    }


def write_results(path: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Add entries to a results file; one of the same name and iteration is replaced."""
    try:
        known = json.loads(path.read_text()) if path.is_file() else []
        merged = {(entry["name"], entry.get("iteration")): entry for entry in [*known, *entries]}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InputError(f"{path} is damaged: it needs to be a list of results; repair or remove it") from None
    atomic_write(path, json.dumps(list(merged.values()), indent=1) + "\n")


def parzen_of_run(
    run: RunFolder, splits: Splits, samples: int, seed: int, command: str, device: torch.device, history: bool = False
) -> Iterator[tuple[dict[str, Any], ParzenScore]]:
    """Score a run's newest checkpoint (with ``history``, every one that was kept) and the real images.

    Yields each entry as it is written to ``results.json`` (older checkpoints: ``history.json``) and to the
    journal. ``wall_seconds``, ``threads`` and ``device`` of a model's entry are those of its training.

    Raises ``InputError`` where the run has no checkpoint, or the data have no validation or test images.
    """
    recipe, facts = run.recipe(), run.facts()
    learner = build(recipe, len(splits.train), device)
    algorithm = ALGORITHMS.get(recipe.name.partition("/")[0], recipe.name)
    common = {"seed": seed, "data_sha256": splits.train.sha256, "device": device}
    batches = Batches(len(splits.train), recipe.plan.batch_size, recipe.seed)
    newest = run.latest()
    for path in checkpoint.available(run.checkpoints) if history else [newest]:
        state, saved = trained(path, recipe, learner, device)
        scores = parzen_of_samples(learner, state, splits, samples, seed, device)
        for model, score in scores.items():
            name = f"{algorithm} {model} parzen" if len(scores) > 1 else f"{algorithm} parzen"
            both = " && ".join(part for part in (facts.get("command"), command) if part)
            entry = result(name, score, command=both, wall_seconds=saved["seconds"], **common)
            entry |= {key: facts[key] for key in ("threads", "device") if key in facts}
            entry |= {
                "iteration": state.iteration,
                "epochs": batches.epoch(state.iteration),
            }
            if path == newest:
                write_results(run.results, [entry])
            if history:
                write_results(run.path / "history.json", [entry])
            _note(run, entry)
            yield entry, score
    began = time.perf_counter()
    score = parzen_of_real_images(splits, samples, device)
    entry = result("real images parzen", score, command=command, wall_seconds=time.perf_counter() - began, **common)
    write_results(run.results, [entry])
    yield entry, score


def _note(run: RunFolder, entry: dict[str, Any]) -> None:
    with journal.Journal(run.journal) as log:
        log.write("evaluation", **{key: entry[key] for key in ("iteration", "name", "value", "stderr")})


def _held_out(splits: Splits, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    parts: list[torch.Tensor] = []
    for name, images in (("validation", splits.validation), ("test", splits.test)):
        if images is None:
            raise InputError(
                f"the data have no {name} images; the Parzen score needs validation images to choose its width "
                "by and test images to report on: evaluate on a set that has them (mnist, digits)"
            )
        parts.append(_all(images, device))
    return parts[0], parts[1]


def _all(images: ImageSet, device: torch.device) -> torch.Tensor:
    return _unit(images.batch(slice(0, len(images)), device))


def _unit(images: torch.Tensor) -> torch.Tensor:
    """[-1, 1] to [0, 1]; chains that left the range are clamped."""
    return (images.clamp(-1, 1) + 1) / 2
