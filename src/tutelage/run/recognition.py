"""What a run of supervised learning knows: its accuracy on test images, and itself as a feature extractor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ..checks import InputError
from ..data import Labels, Splits, class_labels
from ..data.images import file_digest
from ..learn import supervised
from ..learn.chunks import images_per_chunk
from ..metrics.accuracy import AccuracyScore, accuracy
from ..metrics.extractors import Extractor
from ..nets import Recogniser
from ..recipes import Recipe
from ..recipes.algorithm import algorithm_of
from . import checkpoint
from .build import build
from .evaluate import keep
from .folder import RunFolder, open_run
from .restore import trained
from .results import Entry, learned_on, result


def accuracy_of_run(
    run: RunFolder,
    splits: Splits,
    labels: Labels,
    seed: int,
    command: str,
    device: torch.device,
    history: bool = False,
) -> Iterator[tuple[Entry, AccuracyScore]]:
    """How many of the test images a run names right, by its newest checkpoint (with ``history``, by every one kept).

    Yields each entry as it is written, where `tutelage.run.evaluate.measure_run` writes its own. ``wall_seconds`` are
    those of learning. Raises ``InputError`` where the run learned no classes, has no checkpoint, or the data hold no
    test images.
    """
    if splits.test is None or labels.test is None:
        raise InputError("the data have no test images; an accuracy needs some to report on: give data that have them")
    recipe, facts, newest, where = run.recipe(), run.facts(), run.latest(), learned_on(run)
    classes = torch.as_tensor(labels.test, dtype=torch.long)
    size = images_per_chunk(splits.test.shape, device)
    for path in checkpoint.available(run.checkpoints) if history else [newest]:
        network, saved = _recogniser(run, path, device)
        rows = (slice(start, start + size) for start in range(0, len(splits.test), size))
        with torch.inference_mode():
            logits = torch.cat([network(splits.test.batch(some, device)).cpu() for some in rows])
        score = accuracy(logits, classes)
        entry = result(
            f"{algorithm_of(recipe.plan)} accuracy",
            *score,
            seed=seed,
            command=" && ".join(part for part in (facts.get("command"), command) if part),
            wall_seconds=saved["seconds"],
            data_sha256=splits.train.sha256,
            device=device,
            iteration=saved["iteration"],
        )
        entry |= where
        keep(run, entry, path == newest, history)
        yield entry, score


def labels_of(recipe: Recipe, path: str | Path | None = None) -> torch.Tensor | None:
    """The classes of the training images, ``[N]`` whole numbers, where ``recipe`` learns from them.

    Raises ``InputError`` where they are not with the data at ``path``, or some images have none.
    """
    if not isinstance(recipe.plan, supervised.Plan):
        return None
    if recipe.data.extra:
        raise InputError(
            f"recipe {recipe.name} learns from labels, and SVHN's extra images are read without theirs; leave out "
            "data.extra"
        )
    return torch.as_tensor(class_labels(recipe.data, path).train, dtype=torch.long)


def recogniser_of_run(path: Path, device: torch.device) -> Extractor:
    """The network of a run of supervised learning, such as classifier/mnist, as a feature extractor.

    It is called after the run's recipe (classifier-mnist), and its digest is that of the checkpoint's tensors. Its
    features are what the logits are read off.

    Raises ``InputError`` where ``path`` is no run, or one that learned no classes, or of images that are not square.
    """
    run = open_run(path)
    newest = run.latest()
    network, _ = _recogniser(run, newest, device)
    channels, height, width = network.spec.shape
    if height != width:
        raise InputError(f"run {path} knows images of {height} x {width}; an extractor needs a run of square ones")
    return Extractor(
        run.recipe().name.replace("/", "-"),
        file_digest(newest / "state.safetensors"),
        network.spec.features,
        height,
        lambda images: network.features(images)[-1],
        device,
        head=network.head,
        channels=channels,
        resizes=False,
    )


def _recogniser(run: RunFolder, path: Path, device: torch.device) -> tuple[Recogniser, dict[str, Any]]:
    """The network of a checkpoint in evaluation mode, and the checkpoint's facts."""
    recipe = run.recipe()
    if not isinstance(recipe.plan, supervised.Plan):
        raise InputError(
            f"run {run.path} learned no classes (its algorithm is {algorithm_of(recipe.plan)}); give a run of "
            "classifier/mnist, or of a recipe like it"
        )
    learner = build(recipe, run.facts()["observations"], device, run.path)
    state, saved = trained(path, recipe, learner, device)
    return state.recogniser.eval().requires_grad_(False), saved
