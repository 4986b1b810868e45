"""What a trained run's generator makes of pictures given: their latents, inferred a few pictures at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from tqdm import tqdm

from ..apps.completion import Completion
from ..apps.inference import Inferred, Plan
from ..baselines.information import Coded
from ..checks import DivergenceError, InputError
from ..data import ImageSet
from ..learn.chunks import images_per_chunk
from ..types import Images

Found = TypeVar("Found", Inferred, Completion)

SHOWN = 16
"""Rows of a contact sheet."""


def inferred(
    images: ImageSet,
    plan: Plan,
    device: torch.device,
    what: str,
    infer: Callable[[slice, Images], Iterator[Found]],
) -> Iterator[tuple[slice, Images, Found]]:
    """What ``infer`` finds for a few images at a time, with a progress bar: which, the images, and its last word."""
    size = max(1, images_per_chunk(images.shape, device) // plan.chains)
    with tqdm(total=len(images) * plan.steps, desc=what, unit="step", dynamic_ncols=True) as bar:
        for start in range(0, len(images), size):
            rows, last, before = slice(start, start + size), None, 0
            some = images.batch(rows, device)
            for last in infer(rows, some):
                bar.update(len(some) * (last.steps - before))
                bar.set_postfix(residual=f"{last.residual.mean():.3f}")
                before = last.steps
            assert last is not None
            bar.update(len(some) * (plan.steps - before))  # those that were not needed
            yield rows, some, last


@contextmanager
def keeping(parts: Sized, stopped: Callable[[], object] | None) -> Iterator[None]:
    """Where Ctrl-C or a divergence ends the body, ``stopped`` is called first if there are any ``parts`` by then."""
    try:
        yield
    except (KeyboardInterrupt, DivergenceError):
        if parts and stopped is not None:
            stopped()
        raise


def inferred_by(plan: Plan) -> dict[str, Any]:
    """What results say of how latents were inferred, but for the steps that were made."""
    settle = {} if plan.stop is None else {"settle": plan.stop.window}
    keep = {} if plan.chains == 1 else {"keep": plan.keep}
    return {"chains": plan.chains, **keep, "step_size": plan.step_size, "noise_std": plan.noise_std, **settle}


def check_generator(learner: Any, state: Any) -> None:
    """Raises ``InputError`` where a run has no generator of latents that could be walked between."""
    if not (hasattr(state, "average") and hasattr(learner, "latent_shape")):
        raise InputError(
            "this run has no generator, so there are no latents; give one that has, such as coopnets/ runs"
        )


def check_inferable(learner: Any, state: Any) -> None:
    """Raises ``InputError`` where a run has no generator whose latents can be inferred."""
    check_generator(learner, state)
    if isinstance(state.average, Coded):
        raise InputError(
            "latents are inferred along a gradient, and InfoGAN's categories have none; give a run of another "
            "generator, such as coopnets/ or dcgan/"
        )
