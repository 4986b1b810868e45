"""Numbers of a trained run: each model's samples are scored, and what the numbers are set beside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeAlias

import torch

from ..checks import DivergenceError, InputError, UnfinishedError, by
from ..data import Splits
from ..metrics.extractors import Extractor
from ..metrics.sliced import SlicedDistance
from ..recipes.algorithm import algorithm_of
from ..rng import stream
from ..types import Images
from . import checkpoint, journal
from .build import build
from .feature_measures import class_measures, frechet_measure, inception_measure, kernel_measure, manifold_measures
from .folder import RunFolder
from .measures import (
    Measure,
    Score,
    not_finite,
    parzen_measure,
    similarity_measure,
    statistics_measure,
    texture_measure,
)
from .restore import epochs, trained
from .results import Entry, learned_on, result, write_results
from .synthesising import by_model

Metric: TypeAlias = Literal["parzen", "fd", "kd", "precision", "inception", "class", "ssim", "texture", "statistics"]
_COMPARED = 64  # of the images that were learned from, to which larger ones are compared
Draw: TypeAlias = Callable[[Any, Any, int, torch.Generator], dict[str, Images]]
"""``(learner, state, n, rng)`` -> n images of each model, by its name."""


def measures_of(
    metric: Metric,
    splits: Splits,
    samples: int,
    seed: int,
    device: torch.device,
    extractor: Extractor | None = None,
    class_index: int | None = None,
) -> Sequence[Measure[Any]]:
    """The measures that ``metric`` stands for, of ``samples`` images of each model, for `measure_run`.

    Raises ``InputError`` where one needs an extractor, or the index of one of its classes, that is not given; and as
    the measures of `tutelage.run.measures` and `tutelage.run.feature_measures` do.
    """
    match metric:
        case "parzen":
            return [parzen_measure(splits, samples, device)]
        case "statistics":
            return [statistics_measure(splits, samples, seed, device)]
        case "ssim":
            return [similarity_measure(splits, samples, seed, device)]
        case "texture":
            return [texture_measure(splits, samples, seed, device)]
    if extractor is None:
        raise InputError(
            f"--metric {metric} needs --extractor, which measures by its features; name a file of weights, a run of "
            "classifier/mnist, or an extractor that is installed"
        )
    match metric:
        case "fd":
            return [frechet_measure(splits, extractor, samples, seed, device)]
        case "kd":
            return [kernel_measure(splits, extractor, samples, seed, device)]
        case "precision":
            return manifold_measures(splits, extractor, samples, seed, device)
        case "inception":
            return [inception_measure(splits, extractor, samples, seed, device)]
        case "class":
            if class_index is None:
                raise InputError("--metric class needs --class-index, the extractor's index of the class looked for")
            measures = class_measures(splits, extractor, class_index, samples, seed, device)
            return [replace(measure, name=f"{measure.name} of {class_index}") for measure in measures]


def larger_textures_of_run(
    run: RunFolder,
    splits: Splits,
    samples: int,
    seed: int,
    command: str,
    device: torch.device,
    history: bool,
    size: tuple[int, int],
) -> Iterator[tuple[Entry, SlicedDistance]]:
    """The patch-sliced Wasserstein distance of images of ``size`` (height, width) to a run's texture.

    ``samples`` images of this size, larger than those that were learned from, are compared with 64 of these (with half
    of them, if fewer, or with the only one): a generator's in one shot, and as its descriptor revises them (CoopNets
    §4.1), or a cascade's (IGM §3.4). Floor and ceilings are those of the trained size, and are not taken again. Yields
    and raises as `measure_run`, `tutelage.run.measures.texture_measure` and `tutelage.run.synthesising.by_model` do.
    """
    measure = texture_measure(splits, _COMPARED, seed, device)
    alone = len(splits.train) == 1

    def fields(score: SlicedDistance) -> dict[str, Any]:
        return {**measure.fields(score), "n": samples, "reference_n": 1 if alone else measure.samples}

    large = replace(measure, name=f"{measure.name} at {by(size)}", samples=samples, beside={}, fields=fields)
    return measure_run(run, splits, [large], seed, command, device, history, draw=partial(by_model, run.path, size))


def measure_run(
    run: RunFolder,
    splits: Splits,
    measures: Sequence[Measure[Any]],
    seed: int,
    command: str,
    device: torch.device,
    history: bool = False,
    draw: Draw | None = None,
) -> Iterator[tuple[Entry, Any]]:
    """Take ``measures`` of a run's newest checkpoint (with ``history``, of every one that was kept), and of the rest.

    Samples are drawn once for all measures: as many as the one that needs most, of which each takes its first. Yields
    each entry as it is written to ``results.json`` (with ``history`` also to ``history.json``) and, for a
    model, to the journal. ``wall_seconds``, ``threads`` and ``device`` of a model's entry are those of its training.
    ``draw`` makes the samples, where it is not what the learner does.

    Raises ``InputError`` where the run has no checkpoint.
    """
    yield from measure_models(run, splits, measures, seed, command, device, history, draw=draw)
    for measure in measures:
        for entry, score in measure_beside(measure, splits, seed, command, device):
            write_results(run.results, [entry])
            yield entry, score


def measure_models(
    run: RunFolder,
    splits: Splits,
    measures: Sequence[Measure[Any]],
    seed: int,
    command: str,
    device: torch.device,
    history: bool = False,
    algorithm: str | None = None,
    draw: Draw | None = None,
) -> Iterator[tuple[Entry, Any]]:
    """The part of `measure_run` that is about the run's own models.

    Raises ``DivergenceError`` where a model's samples are not finite, when those before it have been measured.
    """
    recipe, facts = run.recipe(), run.facts()
    learner = build(recipe, len(splits.train), device, run.path)
    algorithm = algorithm or algorithm_of(recipe.plan)
    common: dict[str, Any] = {"seed": seed, "data_sha256": splits.train.sha256, "device": device}
    both = " && ".join(part for part in (facts.get("command"), command) if part)
    newest, where = run.latest(), learned_on(run)
    most = max(measure.samples for measure in measures)
    for path in checkpoint.available(run.checkpoints) if history else [newest]:
        state, saved = trained(path, recipe, learner, device)
        try:
            rng = stream(seed, measures[0].name, device=device)
            drawn = learner.sample(state, most, rng) if draw is None else draw(learner, state, most, rng)
        except UnfinishedError:
            if path == newest:
                raise
            continue
        seen = epochs(recipe, len(splits.train), state.iteration)
        at = {"iteration": state.iteration} | ({"epochs": seen["epoch"]} if seen else {})
        # one tensor for each number of samples, so that measures of the same images can share what they compute
        first = {(model, n): images[:n] for model, images in drawn.items() for n in {m.samples for m in measures}}
        for model, images in drawn.items():
            _check_finite(model, images, state.iteration)
            for measure in measures:
                score = measure.score(first[model, measure.samples])
                name = f"{algorithm} {model} {measure.name}" if len(drawn) > 1 else f"{algorithm} {measure.name}"
                entry = result(name, **measure.told(score), command=both, wall_seconds=saved["seconds"], **common)
                entry |= where | at
                keep(run, entry, path == newest, history)
                yield entry, score


def _check_finite(model: str, images: Images, iteration: int) -> None:
    broken = not_finite(images)
    if broken:
        raise DivergenceError(
            f"{broken} of {len(images)} samples of the {model} at iteration {iteration} are not finite; measure an "
            "earlier checkpoint, or learn or sample with smaller steps"
        )


def measure_beside(
    measure: Measure[Score], splits: Splits, seed: int, command: str, device: torch.device
) -> Iterator[tuple[Entry, Score]]:
    """The part of `measure_run` that no model is behind; nothing is written."""
    for name, score_of in measure.beside.items():
        began = time.perf_counter()
        score = score_of()
        seconds = time.perf_counter() - began
        yield (
            result(
                f"{name} {measure.name}",
                **measure.told(score),
                seed=seed,
                command=command,
                wall_seconds=seconds,
                data_sha256=splits.train.sha256,
                device=device,
            ),
            score,
        )


def keep(run: RunFolder, entry: Entry, newest: bool, history: bool) -> None:
    """Write down what a checkpoint got: the ``newest`` in the results, with ``history`` any, and all in the journal."""
    if newest:
        write_results(run.results, [entry])
    if history:
        write_results(run.path / "history.json", [entry])
    with journal.Journal(run.journal) as log:
        log.write("evaluation", **{key: entry[key] for key in ("iteration", "name", "value", "stderr")})
