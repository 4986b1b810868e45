"""When learning has gone wrong: what is watched in every iteration, how far it may go, and the likely cause.

A record is watched against the plan it was made with. No number may leave the finite ones, and these may not leave
their bounds, which lie far outside what healthy runs do (in brackets: MNIST, both networks together):

    potential           mean |f| over the observed images: ENERGY · n / (2 s²), for n values in an image and a
                        reference of width s; n / (2 s²) is the reference's own energy of an image of amplitude 1
                        (13 times it at the worst, 2 times in the end; runs that went wrong passed 100 times it
                        while their chains still moved by less than 1.5)
    movement            rms of what the chains moved in one iteration: CHAINS, or as many widths s of the reference
                        where s is above 1 (.3 to .7 at the worst, then .1)
    rms of the chains   the same (about 1, as in the data)
    rms of the latents  LATENTS (1: they come from N(0, I))

A learner with a plan of its own kind is only held to finite numbers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import torch

from ..checks import DivergenceError
from ..learn import algorithm_d, algorithm_g, coopnets
from .checkpoint import split

ENERGY = 100.0
"""Bound of mean |f| over observed images, in units of n / (2 s²)."""
CHAINS = 3.0
"""Bound of the rms of revised images and of their movement, in image units: data lie in [-1, 1]."""
LATENTS = 100.0
"""Bound of the rms of latents, whose standard deviation under the prior is 1."""

_EXTENTS = {
    "initial": "rms of the initial images",
    "revised": "rms of the revised images",
    "latents": "rms of the latents",
}
_STRONG_PULL = 0.25  # δ²/(2s²); the papers' and the authors' settings lie between .008 and .05
_MANY_STEPS = 30  # the papers revise by 10 to 30 steps
_FAR = 1.0  # a movement of half the range of the data


class Cause(NamedTuple):
    """Why learning diverged, as far as plan and numbers tell."""

    words: str
    """One sentence: the cause, the fields as they are, and a value to try."""
    smaller: tuple[str, ...]
    """The fields of the recipe, dotted, that a recovery makes smaller."""


def extents(record: Any, plan: Any) -> dict[str, torch.Tensor]:
    """How far a record's images and latents lie from 0: 0-dim tensors by name, still on the device."""
    if not _known(plan):
        return {}
    found = {name: getattr(record, field, None) for field, name in _EXTENTS.items()}
    return {
        name: torch.linalg.vector_norm(tensor.detach(), dtype=torch.float32) / math.sqrt(tensor.numel())
        for name, tensor in found.items()
        if isinstance(tensor, torch.Tensor) and tensor.numel()
    }


def bounds(record: Any, plan: Any) -> dict[str, float]:
    """The largest magnitude that each number of a record, or of its extents, may have."""
    limits: dict[str, float] = {}
    if isinstance(plan, coopnets.Plan | algorithm_d.Plan):
        width = plan.reference_std
        limits = dict.fromkeys(("movement", _EXTENTS["revised"]), CHAINS * max(1.0, width or 0.0))
        if width is not None:
            limits["potential"] = ENERGY * record.revised[0].numel() / (2 * width**2)
    if isinstance(plan, coopnets.Plan | algorithm_g.Plan):
        limits[_EXTENTS["latents"]] = LATENTS
    return limits


def check(iteration: int, numbers: Mapping[str, float], limits: Mapping[str, float], plan: Any) -> None:
    """Refuse numbers (by name) that are not finite, or beyond their limits. Raises ``DivergenceError``.

    A ``drift_ratio`` may be NaN: it is where no step was made, or the reference has no drift.
    """
    wild = {name: value for name, value in numbers.items() if not math.isfinite(value)}
    if math.isnan(wild.get("drift_ratio", 0.0)):
        del wild["drift_ratio"]
    beyond = {
        name: value
        for name, value in numbers.items()
        if math.isfinite(value) and abs(value) > limits.get(name, math.inf)
    }
    if not wild and not beyond:
        return
    said = [f"{name} = {value}" for name, value in wild.items()]
    said += [f"{name} = {value:.3g} is above its bound of {limits[name]:.3g}" for name, value in beyond.items()]
    wrong = {**wild, **beyond}
    cause = diagnose(plan, numbers, wrong)
    how = "left the finite numbers" if wild else "diverged"
    raise DivergenceError(
        f"iteration {iteration} {how}: {', '.join(said)}. {cause.words}",
        numbers=wrong,
        smaller=cause.smaller,
    )


def check_state(nested: Any, iteration: int, numbers: Mapping[str, float], plan: Any) -> None:
    """Refuse a state (nested dicts and lists of tensors) that is not finite, which no run should go on from.

    ``numbers`` are those of the iteration's record. Raises ``DivergenceError``.
    """
    for path, tensor in split(nested)[0].items():
        if not tensor.isfinite().all():
            name = path.strip("/")
            wrong = {name: math.nan}
            cause = diagnose(plan, numbers, wrong)
            raise DivergenceError(
                f"iteration {iteration} left the finite numbers: {name}. {cause.words}",
                numbers=wrong,
                smaller=cause.smaller,
            )


def diagnose(plan: Any, numbers: Mapping[str, float], wrong: Iterable[str]) -> Cause:
    """The likely cause: which network's learning, or which chain's step, is too fast for the rest.

    ``numbers`` are those of the record and its extents, ``wrong`` the names of those (or of parts of the state)
    that left their range.
    """
    match plan:
        case coopnets.Plan() if _of_the_generator(numbers, wrong):
            return _generator(plan, "generator_update", numbers)
        case coopnets.Plan():
            return _descriptor(plan, "descriptor_update", numbers)
        case algorithm_d.Plan():
            return _descriptor(plan, "update", numbers)
        case algorithm_g.Plan():
            return _generator(plan, "update", numbers)
        case _:
            rates = learning_rates(plan)
            now = f" ({_shown(plan, rates)})" if rates else ""
            return Cause(f"The likely cause is a learning rate that is too large{now}: lower it.", rates)


def learning_rates(plan: Any) -> tuple[str, ...]:
    """The dotted fields of a plan that are learning rates, ``plan.update.lr`` among them."""
    if not dataclasses.is_dataclass(plan):
        return ()
    names = [field.name for field in dataclasses.fields(plan) if field.name.endswith("update")]
    updates = [name for name in names if hasattr(getattr(plan, name), "lr")]
    return tuple(f"plan.{name}.lr" for name in updates)


def _known(plan: Any) -> bool:
    return isinstance(plan, coopnets.Plan | algorithm_d.Plan | algorithm_g.Plan)


def _of_the_generator(numbers: Mapping[str, float], wrong: Iterable[str]) -> bool:
    """Where both networks learn: the drafts are wrong, or only what comes from the generator is."""
    if not math.isfinite(numbers.get(_EXTENTS["initial"], 0.0)):
        return True
    own = ("generator", "average", "reconstruction", "latent")
    return all(any(word in name for word in own) for name in wrong)


def _descriptor(plan: Any, update: str, numbers: Mapping[str, float]) -> Cause:
    rate, width = f"plan.{update}.lr", plan.reference_std
    fields = ("plan.step_size", "plan.revision_steps", "plan.reference_std", "plan.gradient_penalty")
    now = _shown(plan, (rate, *fields))
    step = f"plan.step_size={plan.step_size / 2:.3g}"
    pull = plan.step_size**2 / (2 * width**2) if width else 0.0
    moved, steps = numbers.get("movement", 0.0), plan.revision_steps
    free = width is None and not plan.gradient_penalty
    if pull > _STRONG_PULL:
        return Cause(
            f"The likely cause is a step_size too large for reference_std: each Langevin step goes δ²/(2s²) = "
            f"{pull:.2g} of the way to 0, where .01 to .05 is usual ({now}): try {step}.",
            ("plan.step_size", rate),
        )
    if steps > _MANY_STEPS and not moved <= _FAR:
        return Cause(
            f"The likely cause is too many revision_steps, or a step_size too large for so many: {steps} steps moved "
            f"the chains by {moved:.3g}, where data lie in [-1, 1] ({now}): try plan.revision_steps={steps // 2}, "
            f"or {step}.",
            ("plan.step_size", rate),
        )
    return Cause(
        f"The likely cause is a descriptor that learns faster than its chains can follow, a learning rate too "
        f"large ({now}): try {rate}={getattr(plan, update).lr / 2:.3g}"
        + (", or plan.gradient_penalty=1, which keeps f from getting steep." if free else "."),
        (rate,),
    )


def _generator(plan: Any, update: str, numbers: Mapping[str, float]) -> Cause:
    rate, step = f"plan.{update}.lr", plan.latent_step_size
    now = _shown(plan, (rate, "plan.latent_step_size", "plan.noise_std"))
    latents = numbers.get(_EXTENTS["latents"], 0.0)
    # on the prior alone a step of 2 or more diverges; NaN otherwise comes from the weights
    if plan.inference_steps and (latents > LATENTS or step >= 2):
        return Cause(
            f"The likely cause is a latent_step_size too large for noise_std ({now}): try "
            f"plan.latent_step_size={step / 2:.3g}, or a larger plan.noise_std.",
            ("plan.latent_step_size", rate),
        )
    return Cause(
        f"The likely cause is a generator that learns too fast, a learning rate too large ({now}): try "
        f"{rate}={getattr(plan, update).lr / 2:.3g}.",
        (rate,),
    )


def _shown(plan: Any, fields: Iterable[str]) -> str:
    values = ((field, attrgetter(field.removeprefix("plan."))(plan)) for field in fields)
    return ", ".join(f"{field}={'none' if value is None else value}" for field, value in values)
