"""Completion by a trained run (CoopNets §4.6): pictures given, pictures and numbers left in a new folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..apps import completion
from ..apps.inference import Plan
from ..atomic import atomic_write
from ..data import ImageSet
from ..energy import Tilt
from ..learn.algorithm_d import learned_kernel, reference_energy
from ..metrics.average import average
from ..metrics.pixel import recovery
from ..recipes import Recipe
from ..recipes.algorithm import algorithm_of
from ..types import Images, Scores
from . import pictures
from .given import Given
from .inferring import SHOWN, inferred, inferred_by, keeping
from .places import new_folder
from .results import Entry, result, write_results

_MOST_DECIBELS = 100.0
"""What an exact recovery counts as, so that means stay finite."""


class Completed(NamedTuple):
    """Occluded images after inference and, where there was any, revision. All ``[n, C, H, W]``, on the CPU."""

    original: Images
    mask: Tensor
    """``[n, 1, H, W]``, 1 = observed."""
    generated: Images
    """g(X), the paper's completion, or the mean of several."""
    completed: Images
    """The observed pixels, and what was made of the hidden ones: of what was generated, or its revision."""
    residual: Tensor
    """``[n]``: rms over the observed pixels."""
    steps: Tensor
    """``[n]`` int: of inference, which a rule may have stopped."""
    revised: bool
    seconds: float


def complete(
    learner: Any,
    state: Any,
    images: ImageSet,
    mask: Tensor,
    plan: Plan,
    revision_steps: int,
    rng: torch.Generator,
    stopped: Callable[[Completed], object] | None = None,
) -> Completed:
    """Hide a part of ``images`` and complete it, a few images at a time, with a progress bar.

    ``mask`` as `tutelage.run.given.read_mask` gives it. With ``revision_steps`` the run's descriptor then revises the
    hole. The noise of an image depends on ``rng``, and on which images it is completed with. Where Ctrl-C or a
    divergence ends it, ``stopped`` is first handed the images that are done, if there are any. Raises as
    `tutelage.apps.completion.complete` does.
    """
    began, parts = time.perf_counter(), []

    def done() -> Completed:
        whole = [torch.cat(column) for column in zip(*parts, strict=True)]
        return Completed(*whole, revised=revision_steps > 0, seconds=time.perf_counter() - began)

    with keeping(parts, stopped and (lambda: stopped(done()))):
        for part in _parts(learner, state, images, mask, plan, revision_steps, rng):
            parts.append(part)
    return done()


def _parts(
    learner: Any, state: Any, images: ImageSet, mask: Tensor, plan: Plan, revision_steps: int, rng: torch.Generator
) -> Iterator[list[Tensor]]:
    """The tensors of `Completed`, of a few images at a time."""
    masks = mask.expand(len(images), *mask.shape[1:]).to(rng.device)

    def infer(rows: slice, some: Images) -> Iterator[completion.Completion]:
        return completion.complete(state.average, some, masks[rows], learner.latent_shape, plan, rng)

    for rows, original, last in inferred(images, plan, rng.device, "completing", infer):
        seen, completed = masks[rows], last.completed
        if revision_steps:
            completed = revised(learner, state, completed, seen, revision_steps, rng)
        tensors = (original, seen, last.generated, completed, last.residual, last.made)
        yield [part.cpu() for part in tensors]


def revised(learner: Any, state: Any, completed: Images, mask: Tensor, steps: int, rng: torch.Generator) -> Images:
    """``completed`` after ``steps`` of the run's descriptor on the hidden pixels, by the kernel of its own learning.

    Raises as `tutelage.apps.completion.revise_hole` does.
    """
    energy = Tilt(reference_energy(learner.plan.reference_std), state.descriptor)
    kernel = learned_kernel(learner.plan, state.iteration)
    return completion.revise_hole(energy, completed, mask, kernel, steps, rng)


def write_completion(
    out: Path,
    given: Given,
    done: Completed,
    recipe: Recipe,
    plan: Plan,
    facts: dict[str, Any],
    device: torch.device,
    damaged: bool = False,
) -> list[Entry]:
    """Leave in ``out`` a sheet of the first 16, folders of single pictures, and the numbers. Returns the results.

    ``completion.png`` has an image in each row; ``results.json`` holds means over all, ``images.json`` each image.
    Errors are over the hidden pixels, against the originals; an exact recovery counts as 100 dB. Where the pictures are
    ``damaged``, nobody knows what the hole hid: then only the residual of what is seen is told. ``facts`` (seed,
    command, mask, revision steps) go into each result, and ``of`` how many images were given where they are not all
    done.
    """
    new_folder(out)
    occluded = torch.where(done.mask != 0, done.original, 0.0)
    shown = {"occluded": occluded, "generator": done.generated, "completed": done.completed}
    shown = shown if damaged else {"original": done.original, **shown}
    save_panels({title: images[:SHOWN] for title, images in shown.items()}, out / "completion.png")
    for name in ("occluded", "generator", "completed"):
        pictures.write_images(shown[name], out / name)
    common = {
        "n": len(done.original),
        "wall_seconds": done.seconds,
        "data_sha256": given.images.sha256,
        "device": device,
    }
    names = given.names[: len(done.original)]
    common |= {} if len(names) == len(given.names) else {"of": len(given.names)}
    common |= facts | inferred_by(plan)
    common |= {"steps": int(done.steps.max()), "residual": done.residual.mean().item()}
    each: list[dict[str, Any]] = [
        {"name": name, "file": f"{i:05d}.png", "residual": residual, "steps": steps}
        for i, (name, residual, steps) in enumerate(
            zip(names, done.residual.tolist(), done.steps.tolist(), strict=True)
        )
    ]
    entries, called = [], algorithm_of(recipe.plan)
    made = {"generator": done.generated} | ({"descriptor": done.completed} if done.revised else {})
    if damaged:
        made, name = {}, f"{called} generator completion residual, {facts['mask']}"
        left = average(done.residual)
        entries.append(result(name, left.value, left.stderr, **common))
    for model, images in made.items():
        for what, values in recovered(images, done.original, done.mask).items():
            score, name = average(values), f"{called} {model} completion {what}, {facts['mask']}"
            entries.append(result(name, score.value, score.stderr, **common))
            for line, value in zip(each, values.tolist(), strict=True):
                line[f"{model} {what}"] = value
    write_results(out / "results.json", entries)
    atomic_write(out / "images.json", json.dumps(each, indent=1) + "\n")
    return entries


def recovered(images: Images, originals: Images, mask: Tensor) -> dict[str, Scores]:
    """What Table 5 tells of completed images, clamped to [−1, 1] first: ``error`` and ``PSNR``, each ``[B]``.

    An exact recovery counts as 100 dB. Shapes, mask and errors are those of `tutelage.metrics.pixel.recovery`.
    """
    error, psnr = recovery(images.clamp(-1, 1), originals, mask)
    return {"error": error, "PSNR": psnr.clamp(max=_MOST_DECIBELS)}


def save_panels(panels: dict[str, Images], path: Path) -> None:
    """Pictures of the same images side by side, one image a row."""
    shown = [
        (title, pictures.grid(images, columns=1, scale=pictures.scale_of(images))) for title, images in panels.items()
    ]
    pictures.save(pictures.labelled_row(shown), path)
