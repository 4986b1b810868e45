"""Projection by a trained run (CoopNets §2.2, §4.3): the latents of pictures given, and a walk between two of them."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..apps import interpolation
from ..apps.inference import Inferred, Plan
from ..apps.projection import project
from ..atomic import atomic_write
from ..checks import InputError
from ..data import ImageSet
from ..recipes import Recipe
from ..recipes.algorithm import algorithm_of
from ..types import Images, Latents
from . import pictures
from .completing import save_panels
from .given import Given
from .inferring import SHOWN, inferred, inferred_by, keeping
from .places import new_folder
from .results import Entry, result, write_results


class Projected(NamedTuple):
    """Pictures, the latents that explain them, and what the generator makes of these; and the walk between two."""

    original: Images
    found: Inferred
    walk: Images | None
    seconds: float


def project_images(
    learner: Any,
    state: Any,
    images: ImageSet,
    plan: Plan,
    rng: torch.Generator,
    frames: int | None,
    path: Callable[[Latents, Latents, int], Latents] = interpolation.linear,
    revision_steps: int = 0,
    stopped: Callable[[Projected], object] | None = None,
) -> Projected:
    """The latents of the images, with a progress bar, and a walk of ``frames`` images from the first to the last.

    Without ``frames`` there is no walk. Its images are revised by ``revision_steps`` steps of the descriptor. Where
    Ctrl-C or a divergence ends it, ``stopped`` is first handed the images that are done, if there are any, without a
    walk. Raises ``InputError`` for fewer than 2 frames, and as `tutelage.apps.projection.project` does.
    """
    if frames is not None and frames < 2:
        raise InputError(f"a walk of {frames} frames was asked for; it needs 2 or more, for its two ends")
    began, walk = time.perf_counter(), None
    parts: list[tuple[Any, ...]] = []

    def infer(_: slice, some: Images) -> Iterator[Inferred]:
        return project(state.average, some, learner.latent_shape, plan, rng)

    def done() -> Projected:
        originals, steps, *rest = zip(*parts, strict=True)
        found = Inferred(max(steps), *(torch.cat(column) for column in rest))
        return Projected(torch.cat(originals), found, walk, time.perf_counter() - began)

    with keeping(parts, stopped and (lambda: stopped(done()))):
        for _, some, last in inferred(images, plan, rng.device, "projecting", infer):
            parts.append((some.cpu(), last.steps, *(part.cpu() for part in last[1:])))
        if frames is not None:
            latents = done().found.latents
            first, last = (latents[[row]].to(rng.device) for row in (0, -1))
            revise = (lambda some: learner.revise(state, some, revision_steps, rng)) if revision_steps else None
            walk = interpolation.between(state.average, first, last, frames, revise, path)
    return done()


def write_projection(
    out: Path, given: Given, done: Projected, recipe: Recipe, plan: Plan, facts: dict[str, Any], device: torch.device
) -> list[Entry]:
    """Leave pictures, latents and numbers in ``out``, of the first so many of ``given`` that are done. Returns the
    numbers.

    ``projection.png`` (of the first 16), ``reconstructed/``, ``latents.npy`` and ``results.json``; of a walk
    ``interpolation.png`` and ``interpolation.gif`` as well.
    """
    new_folder(out)
    shown = {"original": done.original[:SHOWN], "reconstructed": done.found.images[:SHOWN]}
    save_panels(shown, out / "projection.png")
    pictures.write_images(done.found.images, out / "reconstructed")
    _save_latents(done.found.latents, out / "latents.npy")
    if done.walk is not None:
        scale = pictures.scale_of(done.walk)
        pictures.save(pictures.grid(done.walk, columns=len(done.walk), scale=scale), out / "interpolation.png")
        frames = [pictures.grid(image[None], padding=0, scale=scale) for image in done.walk]
        pictures.save_animation(frames, out / "interpolation.gif")
    entries = [
        result(
            f"{algorithm_of(recipe.plan)} generator reconstruction residual, {name}",
            residual,
            None,
            1,
            wall_seconds=done.seconds,
            data_sha256=given.images.sha256,
            device=device,
            **facts,
            **inferred_by(plan),
            steps=steps,
        )
        for name, residual, steps in zip(
            given.names[: len(done.original)],
            done.found.residual.tolist(),
            done.found.made.tolist(),
            strict=True,
        )
    ]
    write_results(out / "results.json", entries)
    return entries


def _save_latents(latents: Latents, path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, latents.cpu().numpy(), allow_pickle=False)
    atomic_write(path, buffer.getvalue())
