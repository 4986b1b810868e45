"""Large textures by a trained run: a generator's draft and its revision, timed apart (CoopNets §4.1), or a cascade's
(IGM §3.4)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from ..apps import any_size, large_texture
from ..checks import InputError
from ..learn.algorithm_d import rms
from ..learn.chunks import generate
from ..learn.coopnets import CoopNets
from ..learn.igm import Igm
from ..learn.synthesis import ends
from ..nets import Generator
from ..recipes.algorithm import models_of
from ..types import Images


class Synthesised(NamedTuple):
    """Large images, and what they took."""

    drafts: Images
    """``[n, C, height, width]``: by the generator alone, in one shot."""
    images: Images
    """Revised, or as they were drafted where ``steps`` is 0."""
    steps: int
    """Of revision."""
    draft_seconds: float
    revision_seconds: float


def synthesise(
    run: Path, learner: Any, state: Any, size: tuple[int, int], n: int, steps: int | None, rng: torch.Generator
) -> Synthesised:
    """``n`` images of ``size`` (height, width) by the generator of a run, revised by its descriptor in ``steps`` steps.

    ``steps`` None takes the recipe's, which are none where the run has no descriptor; a progress bar follows them.

    Raises ``InputError`` for a run without a generator, steps without a descriptor or below 0, and as
    `tutelage.apps.large_texture` does.
    """
    generator, revises = getattr(state, "average", None), isinstance(learner, CoopNets)
    if not isinstance(generator, Generator):
        raise InputError(
            f"run {run} has neither classifiers nor a plain generator to synthesise by; give a run of igm/texture or "
            "coopnets/texture-quick"
        )
    count = steps if steps is not None else learner.plan.revision_steps if revises else 0
    if count < 0:
        raise InputError(f"--revision-steps is {count}; it needs to be 0 or more")
    if count and not revises:
        raise InputError(
            f"run {run} has no descriptor to revise by; give --revision-steps 0, or a run of a coopnets/ recipe"
        )
    generate(generator, torch.zeros((1, *generator.spec.latent_shape), device=rng.device))  # a GPU's libraries start
    began = time.perf_counter()
    images = drafts = large_texture.draft(generator, size, n, rng)
    if drafts.is_cuda:  # which is still at it
        torch.cuda.synchronize(drafts.device)
    drafted = time.perf_counter()
    if count:
        revised = large_texture.revise(state.descriptor, learner.plan, state.iteration, drafts, count, rng)
        with tqdm(total=count, desc="revision", unit="step", dynamic_ncols=True) as bar:
            for images in revised:
                bar.update()
                bar.set_postfix(moved=f"{rms(images - drafts):.3f}")
    return Synthesised(drafts, images, count, drafted - began, time.perf_counter() - drafted)


def by_model(
    run: Path, size: tuple[int, int], learner: Any, state: Any, n: int, rng: torch.Generator
) -> dict[str, Images]:
    """``n`` images of ``size`` by each model of a run, by the names that its learner's ``sample`` has for them.

    Raises as `synthesise` and `tutelage.apps.any_size.synthesise` do.
    """
    if isinstance(learner, Igm):
        (name,) = models_of(learner.plan)
        return {name: ends(any_size.synthesise(learner, state, size, n, rng))}
    made = synthesise(run, learner, state, size, n, None, rng)
    return {"generator": made.drafts} | ({"descriptor": made.images} if made.steps else {})
