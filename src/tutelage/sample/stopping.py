"""When to stop climbing: early stopping once the images look positive (IGM §3.2.2, §4.1).

"Early-stopping once x becomes positive (or after a small fixed number of steps)", "or sampling with
equilibrium after long steps". A rule looks at the info of each step, which tells of the position the
step **started** from. A rule that fires there was already satisfied before the step, and the chain keeps
the position from before it (see ``advance``): no move is made past the boundary.

The rules on logits read the newest classifier: the last of ``info.aux.scored``. A logit that is not a
number stops nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import InputError


class StopRule(Protocol):
    """A frozen value that is asked after each step. What it remembers is a state, like a kernel's.

    A state is a tuple of plain numbers or tensors, so that it can be saved; one that was saved as lists of
    numbers works as well. ``stop`` is a bool tensor on the chains' device: ``[]`` for the whole batch, or
    ``[B]`` for each chain by itself. No value leaves the device.
    """

    def init(self) -> Any: ...

    def observe(self, state: Any, info: Any) -> tuple[Any, Tensor]: ...


@dataclass(frozen=True)
class ProbabilityRule:
    """Stop when the patches' mean probability over the last ``window`` steps exceeds ``probability`` (IGM §4.1).

    The probability of a patch is the sigmoid of its logit. The mean is over the patches of the whole batch, as in
    IGM, or over those of one image where ``per_image``; and over ``window`` steps, "to reduce variance".
    Fewer steps than that stop nothing. The state is the last ``window`` values, ``[]`` or ``[B]`` each.

    Raises ``InputError`` where ``window`` is below 1 or ``probability`` is not between 0 and 1.
    """

    window: int = 20
    probability: float = 0.5
    per_image: bool = False

    def __post_init__(self) -> None:
        if self.window < 1:
            raise InputError(f"ProbabilityRule needs a window of 1 step or more, not {self.window}")
        if not 0 < self.probability < 1:
            raise InputError(f"ProbabilityRule needs a probability between 0 and 1, not {self.probability}")

    def init(self) -> tuple[Tensor, ...]:
        """Nothing seen yet."""
        return ()

    def observe(self, state: tuple[Tensor, ...], info: Any) -> tuple[tuple[Tensor, ...], Tensor]:
        """One more step. Raises ``InputError`` where the energy tells no logits."""
        now = _mean(newest_logits(info, self).sigmoid(), self.per_image)
        earlier = [torch.as_tensor(value, dtype=now.dtype, device=now.device) for value in state]
        seen = (*earlier, now)[-self.window :]
        if len(seen) < self.window:
            return seen, torch.zeros_like(now, dtype=torch.bool)
        return seen, torch.stack(seen).mean(0) > self.probability


@dataclass(frozen=True)
class CrossEntropyRule:
    """Stop at the first mean cross-entropy to label 1 that is at most ``threshold`` (IGM, its authors' code).

    The cross-entropy of a patch is ``softplus(−logit)``: ln 2 on the boundary, less beyond it. The mean
    is over the patches of the whole batch, or over those of one image where ``per_image``. Nothing is remembered.

    Raises ``InputError`` where ``threshold`` is not a positive number.
    """

    threshold: float = 0.62
    per_image: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise InputError(f"CrossEntropyRule needs a threshold above 0, not {self.threshold}")

    def init(self) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def observe(self, state: tuple[()], info: Any) -> tuple[tuple[()], Tensor]:
        """One more step. Raises ``InputError`` where the energy tells no logits."""
        return state, _mean(F.softplus(-newest_logits(info, self)), self.per_image) <= self.threshold


@dataclass(frozen=True)
class EnoughSteps:
    """Stop after ``steps`` steps, whatever the images look like (IGM §3.2.2).

    "A small fixed number of steps" makes a short chain, as in contrastive divergence; with many steps it is
    the paper's other choice, "sampling with equilibrium after long steps". The chain makes exactly
    ``steps`` moves; 0 leaves it where it is. The state is how many steps have been made.

    Raises ``InputError`` where ``steps`` is negative.
    """

    steps: int

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise InputError(f"EnoughSteps needs 0 or more steps, not {self.steps}")

    def init(self) -> tuple[int]:
        """No step made yet."""
        return (0,)

    def observe(self, state: tuple[int], info: Any) -> tuple[tuple[int], Tensor]:
        """One more step, which started from a position ``state[0]`` steps away from the first."""
        (made,) = state
        return (made + 1,), torch.full((), made >= self.steps, dtype=torch.bool, device=info.energy.device)


def newest_logits(info: Any, rule: StopRule) -> Tensor:
    """``[B, K]``: the logits of the newest classifier, at the position a step started from."""
    scored = getattr(info.aux, "scored", ())
    if not scored:
        raise InputError(
            f"{rule} reads the logits of a classifier, and the energy told none "
            f"(its aux is {type(info.aux).__name__}): give an energy tilted by a classifier, "
            "whose aux has `scored`, or stop by EnoughSteps"
        )
    return scored[-1].logits


def _mean(values: Tensor, per_image: bool) -> Tensor:
    """Mean of ``[B, K]`` over the patches of each image, ``[B]``, or over all of them, ``[]``."""
    return values.mean(1) if per_image else values.mean()
