"""Semi-supervised classification by what a run has learned, beside what nobody needs to learn (IGM §4.5)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..apps.features import features_of, raw_pixels
from ..checks import InputError
from ..data import ImageSet, Labels, Splits
from ..learn import igm
from ..learn.calibration import recalibrate
from ..metrics.probe import Choice, ProbeScore, check_labelled, choose_c, probe
from ..recipes.algorithm import algorithm_of
from ..rng import stream
from .build import build
from .folder import RunFolder
from .restore import trained
from .results import Entry, learned_on, result, write_results

_HELD_OUT = 10_000
_NORMALISED_BY = 10_000


def probe_of_run(
    run: RunFolder,
    splits: Splits,
    labels: Labels,
    labelled: int,
    repeats: int,
    seed: int,
    command: str,
    device: torch.device,
) -> Iterator[tuple[Entry, ProbeScore]]:
    """The test error of L2-SVMs on a run's features, on those of the same network before learning, and on raw pixels.

    Features are those of the last three convolution layers. C is chosen on the validation images or, where there are
    none, on the last of the labelled training images (10 000, or a quarter of them), which are then not drawn from.

    Yields each entry as it is written to ``results.json``; errors are fractions. Raises ``InputError`` where there are
    no test images, or the run has no network of whole images.
    """
    learned, untrained, saved = networks_of(run, splits.train, device)
    networks = {f"{algorithm_of(run.recipe().plan)} features": learned, "untrained features": untrained}
    for name, network in {**networks, "raw pixels": None}.items():
        called = f"{name}, error of {labelled} labels"
        entry, score = probe_entry(called, network, splits, labels, labelled, repeats, seed, command, device)
        if network is learned:
            at = {"wall_seconds": saved["seconds"], "iteration": saved["iteration"]}
            entry |= at | learned_on(run)
        write_results(run.results, [entry])
        yield entry, score


def networks_of(
    run: RunFolder, observed: ImageSet, device: torch.device
) -> tuple[nn.Module, nn.Module, dict[str, Any]]:
    """The network whose features a run offers, the same before learning, and what the checkpoint says of learning.

    A discriminator saw ``observed`` and made images in batches of their own, each normalised by itself, and its running
    statistics are of both: they are taken of observed images alone, of 10 000 at most.

    Raises ``InputError`` where the run has no network of whole images.
    """
    recipe = run.recipe()
    learner = build(recipe, len(observed), device, run.path)
    state, saved = trained(run.latest(), recipe, learner, device)
    learned = _learned(learner, state, device)
    if hasattr(state, "discriminator"):
        size = recipe.plan.batch_size
        starts = range(0, min(len(observed), _NORMALISED_BY) // size * size or 1, size)
        recalibrate(learned, (observed.batch(slice(start, start + size), device) for start in starts))
    return learned, _untrained(learner), saved


def probe_entry(
    name: str,
    network: nn.Module | None,
    splits: Splits,
    labels: Labels,
    labelled: int,
    repeats: int,
    seed: int,
    command: str,
    device: torch.device,
) -> tuple[Entry, ProbeScore]:
    """What `probed` finds, as results are written, with the seconds that it took; and the score. Raises as it does."""
    began = time.perf_counter()
    score, choice = probed(network, splits, labels, labelled, repeats, seed)
    seconds = time.perf_counter() - began
    more = {
        "std": score.std,
        "repeats": score.repeats,
        "labelled": score.labelled,
        "c": score.c,
        "at_edge": choice.at_edge,
        "unconverged": score.unconverged,
    }
    entry = result(
        name,
        score.error,
        score.stderr,
        score.n,
        seed=seed,
        command=command,
        wall_seconds=seconds,
        data_sha256=splits.train.sha256,
        device=device,
        **more,
    )
    return entry, score


def probed(
    network: nn.Module | None, splits: Splits, labels: Labels, labelled: int, repeats: int, seed: int
) -> tuple[ProbeScore, Choice]:
    """The test error by the features of ``network``, or by raw pixels where it is None, and how C was chosen; see
    `probe_of_run`.

    Raises ``InputError`` where there are no test images, or fewer labelled ones than classes or more than there are.
    """
    if splits.test is None or labels.test is None:
        raise InputError("the data have no test images; a probe needs some to report on: give data that have them")
    held_out, known = splits.validation, len(labels.train)  # images that come after these have no labels
    of_train, of_held_out, kept = labels.train, labels.validation, known
    if held_out is None or of_held_out is None:
        kept -= min(_HELD_OUT, known // 4)
        held_out = splits.train.subset(kept, known, "held out")
        of_train, of_held_out = labels.train[:kept], labels.train[kept:]
    check_labelled(torch.as_tensor(of_train), labelled)
    take: Callable[[ImageSet], Tensor] = raw_pixels if network is None else lambda some: features_of(network, some)
    train, validation, test = (take(some) for some in (splits.train.subset(0, kept, "labelled"), held_out, splits.test))
    classes = [torch.as_tensor(some, dtype=torch.long) for some in (of_train, of_held_out, labels.test)]
    choice = choose_c(train, classes[0], validation, classes[1], labelled, stream(seed, "probe", "c"))
    rng = stream(seed, "probe", "labelled")
    return probe(train, classes[0], test, classes[2], choice.c, rng, labelled, repeats), choice


def _learned(learner: Any, state: Any, device: torch.device) -> nn.Module:
    """The network whose features a run offers: its last round's classifier, or its descriptor."""
    if isinstance(learner, igm.Igm):
        if learner.plan.patches is not None:
            raise InputError("this run's classifiers know patches, not whole images; probe a run of whole images")
        igm.check_learned(state)
        return learner.load(state.round, device)
    for name in ("descriptor", "discriminator"):
        if hasattr(state, name):
            return getattr(state, name)
    raise InputError(
        "a probe needs the features of IGM's classifier, of a descriptor or of a discriminator, and this run has none; "
        "give another run"
    )


def _untrained(learner: Any) -> nn.Module:
    return next(
        getattr(learner, name) for name in ("classifier", "descriptor", "discriminator") if hasattr(learner, name)
    )
