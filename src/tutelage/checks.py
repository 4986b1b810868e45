"""What can be refused before anything is computed, and how it is said.

Every message says what was given, what is needed and what to do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from .types import Potential

MANY = 1 << 31
"""Nobody means so many of anything that is counted."""


class InputError(ValueError):
    """Something the user gave cannot be used. The command line prints the message and exits with code 2."""


class UnfinishedError(InputError):
    """A run has not learned enough yet to make anything."""


class DivergenceError(RuntimeError):
    """Learning or sampling left the finite numbers, or its bounds. The message says when, and the likely cause.

    ``numbers`` are those that did, by name; ``smaller`` the dotted fields of the recipe that a recovery reduces.
    """

    def __init__(self, message: str, numbers: Mapping[str, float] | None = None, smaller: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.numbers, self.smaller = dict(numbers or {}), tuple(smaller)


def check_counts(plan: Any, at_least_one: tuple[str, ...], at_least_zero: tuple[str, ...]) -> None:
    """Refuse a plan whose counts are too small, or beyond all sense. Raises ``InputError``."""
    for least, names in ((1, at_least_one), (0, at_least_zero)):
        for name in names:
            value = getattr(plan, name)
            if not isinstance(value, int) or not least <= value < MANY:
                raise InputError(
                    f"{name} is {value!r}; it needs to be a whole number of {least} or more, and below {MANY:,}"
                )


def check_positive(plan: Any, names: tuple[str, ...]) -> None:
    """Refuse a plan whose numbers of these names are not above 0. Raises ``InputError``."""
    for name in names:
        value = getattr(plan, name)
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}; it needs to be above 0")


def by(shape: Sequence[int]) -> str:
    """``(64, 48)`` as messages write it, ``64 x 48``."""
    return " x ".join(map(str, shape))


def first_line(error: Exception) -> str:
    """What an error says, in one line; its name where it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


@contextmanager
def optional(needs: str, extra: str) -> Iterator[None]:
    """Around an import of what only an extra installs. Raises ``InputError`` where that is missing; ``needs`` says what
    needs what.
    """
    try:
        yield
    except ImportError as error:
        raise InputError(f"{needs}, which is not installed; pip install 'tutelage[{extra}]'") from error


def validate_potential(potential: Potential, shape: tuple[int, ...], device: torch.device | str = "cpu") -> None:
    """Run a potential once on images of ``shape`` (``(C, *space)``) and explain what is wrong with it.

    A potential maps images ``[B, C, *space]`` to one number each, ``[B]``; its gradient with respect to the
    images exists; and no image's number depends on the others in its batch (put batch norm in evaluation
    mode).

    Raises ``InputError`` for the first of these that fails.
    """
    images = torch.linspace(-1, 1, 3 * math.prod(shape), device=device).view(3, *shape).requires_grad_(True)
    try:
        scores = potential(images)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"the potential cannot take images of {images.dtype} on {images.device}, shape {list(images.shape)}: "
            f"{first_line(error)}; give the network this dtype and device, and the shape it was made for"
        ) from error
    if not isinstance(scores, torch.Tensor) or scores.shape != (3,):
        got = list(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
        raise InputError(
            f"the potential gave {got} for 3 images; it needs to give one number per image, shape [3]: "
            "sum over channels and positions, not over the batch"
        )
    if not scores.is_floating_point() or scores.device != images.device:
        raise InputError(
            f"the potential gave {scores.dtype} on {scores.device}; it needs floating-point numbers on "
            f"{images.device}: move the network there"
        )
    if not torch.isfinite(scores).all():
        raise InputError("the potential gave numbers that are not finite for images in [-1, 1]; check its weights")
    if not scores.requires_grad:
        raise InputError("the potential has no gradient; compute it with torch operations, without detach or no_grad")
    (gradient,) = torch.autograd.grad(scores[0], images, allow_unused=True)
    if gradient is None:
        raise InputError("the potential does not depend on the images; it needs a gradient with respect to them")
    # the tolerance is that of float32 sums in another order
    alone = potential(images[:1].detach())
    if gradient[1:].any() or not torch.allclose(alone, scores[:1], rtol=1e-4, atol=1e-5):
        raise InputError(
            "the potential of an image depends on the other images of its batch; put batch norm in evaluation mode "
            "(network.eval()), or use a layer that treats images one by one"
        )
