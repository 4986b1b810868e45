"""A checkpoint read back into a learner: to go on learning, or to be sampled from."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..data import Batches
from ..recipes import Recipe
from ..rng import stream
from . import checkpoint

_UNSEEN = 1.0
"""Seconds of calibration that no progress bar is shown for."""


def epochs(recipe: Recipe, observations: int, iteration: int) -> dict[str, float]:
    """``{"epoch": how many times each image was learned from}``, empty where iterations are not all of learning."""
    if hasattr(recipe.plan, "rounds"):
        return {}
    return {"epoch": Batches(observations, recipe.plan.batch_size, recipe.seed).epoch(iteration)}


def restore(
    path: Path, learner: Any, device: torch.device, to_learn: bool = False
) -> tuple[Any, torch.Generator, dict[str, Any]]:
    """State, random generator and facts of the checkpoint ``path``.

    ``to_learn`` asks that chains and latents are those of the recipe too, which drawing samples does not need.

    On another kind of device than the checkpoint's, whose generators have no common state, the random numbers go on
    in a stream of their own. Raises ``InputError`` where the checkpoint is damaged or belongs to other networks.
    """
    saved, facts = checkpoint.load(path, device)
    state = learner.init(stream(0, "restored", device=device))
    with checkpoint.mismatch_explained(path):
        if to_learn:
            checkpoint.check_shapes(learner.state_dict(state), saved["learner"])
        state = learner.load_state_dict(state, saved["learner"])
        words = saved["rng"].cpu()
        digest = hashlib.sha256(words.numpy().tobytes()).hexdigest()
    rng = stream(0, "moved", digest, device=device)
    try:
        rng.set_state(words)
    except RuntimeError:  # generators of two kinds of device have no common state
        if to_learn:
            warnings.warn(
                f"{path} was written on another kind of device than {device}; from here its random numbers are others",
                stacklevel=2,
            )
    return state, rng, facts


def trained(path: Path, recipe: Recipe, learner: Any, device: torch.device) -> tuple[Any, dict[str, Any]]:
    """The state of the checkpoint ``path``, ready to be sampled from, and the checkpoint's facts.

    A state whose learning was not finished is finished here, for this use; a progress bar shows the calibration of its
    batch norm where that takes longer than a second. Raises as ``restore`` does.
    """
    state, _, facts = restore(path, learner, device)
    if state.iteration < recipe.plan.iterations:
        with _calibrating(state, recipe):
            state = learner.finish(state, stream(recipe.seed, "calibrate", device=device))
    return state, facts


@contextmanager
def _calibrating(state: Any, recipe: Recipe) -> Iterator[None]:
    """A progress bar of the draws that the averaged generator is calibrated on in the body, if it is on any."""
    draws = getattr(recipe.plan, "calibration_draws", None)
    if draws is None:
        yield
        return
    with tqdm(total=draws, desc="calibrating", unit="image", delay=_UNSEEN, leave=False, dynamic_ncols=True) as bar:

        def count(generator: nn.Module, latents: tuple[Tensor]) -> None:
            if generator.training:  # else it is only asked how large its images are
                bar.update(len(latents[0]))

        counting = state.average.register_forward_pre_hook(count)
        try:
            yield
        finally:
            counting.remove()
