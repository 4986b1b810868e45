"""Training is an iterator: what happens with each record is the body of the caller's ``for``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from ..checks import DivergenceError
from ..data import Batches, ImageSet
from ..types import Batch, Learner, StateT
from .checkpoint import split


def iterate(
    learner: Learner[StateT],
    state: StateT,
    observed: ImageSet,
    rng: torch.Generator,
    *,
    iterations: int,
    batch_size: int,
    seed: int = 0,
) -> Iterator[tuple[StateT, Any]]:
    """Learn until ``iterations`` are done, yielding ``(state, record)`` after each.

    ``seed`` decides the order of the images; everything else random comes from ``rng``. The batch of an
    iteration is a function of ``seed`` and the iteration alone, so a state loaded from a checkpoint (with the
    state of its ``rng``) goes on as if it had never been stopped.

    Raises ``DivergenceError`` after the first iteration whose record holds a number that is not finite.
    """
    batches = Batches(len(observed), batch_size, seed)
    while state.iteration < iterations:
        indices = batches.indices(state.iteration)
        batch = Batch(observed.batch(indices, rng.device), indices.to(rng.device))
        state, record = learner.step(state, batch, rng)
        _check(state, record)
        yield state, record


def scalars(record: Any) -> dict[str, float]:
    """The numbers of a record, as Python floats (this waits for the device, once)."""
    fields = record._asdict()
    tensors = {name: value for name, value in fields.items() if isinstance(value, torch.Tensor) and value.ndim == 0}
    waited = torch.stack([value.double() for value in tensors.values()]).tolist() if tensors else []
    numbers = dict(zip(tensors, waited, strict=True))
    numbers |= {name: float(value) for name, value in fields.items() if isinstance(value, int | float)}
    return {name: numbers[name] for name in fields if name in numbers}


def check_state(nested: Any, iteration: int, numbers: dict[str, float]) -> None:
    """Refuse a state (nested dicts and lists of tensors) that is not finite, which no run should go on from.

    ``numbers`` are those of the iteration's record. Raises ``DivergenceError``.
    """
    for name, tensor in split(nested)[0].items():
        if not tensor.isfinite().all():
            raise DivergenceError(
                f"iteration {iteration} left the finite numbers: {name.strip('/')}. {_likely_cause(numbers)}"
            )


def _check(state: Any, record: Any) -> None:
    numbers = scalars(record)
    wrong = [name for name, value in numbers.items() if not math.isfinite(value) and name != "drift_ratio"]
    if wrong:
        shown = ", ".join(f"{name} = {numbers[name]}" for name in wrong)
        raise DivergenceError(f"iteration {state.iteration} left the finite numbers: {shown}. {_likely_cause(numbers)}")


def _likely_cause(numbers: dict[str, float]) -> str:
    if "value" in numbers:
        return (
            "The likely cause is a descriptor that grew faster than its chains could follow: lower its learning rate, "
            "or step_size, or revision_steps, or raise reference_std."
        )
    return (
        "The likely cause is a learning rate or a latent_step_size that is too large: lower them, or raise noise_std."
    )
