r"""Supervised classification: a network learns to name the class of an image from labels.

A minimiser of the cross-entropy over batches of images x with labels k,

    L(θ) = −mean ln p(k | x; θ),   p(k | x; θ) = exp f_k(x; θ) / Σ_j exp f_j(x; θ),

θ ← θ − γ_t L'(θ), with the moments of the plan's update. What it learns makes no images: it measures those that other
models make, by its features and by its classes.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..checks import InputError, check_counts
from ..types import Batch, Images
from .saving import load, nested
from .updates import Update, descend, set_rate


@dataclass(frozen=True)
class Plan:
    """``iterations`` updates, each by ``batch_size`` labelled images; ``update`` moves θ.

    Raises ``InputError`` for values that cannot work.
    """

    iterations: int
    batch_size: int
    update: Update

    def __post_init__(self) -> None:
        check_counts(self, ("batch_size",), ("iterations",))


@dataclass
class State:
    """What the next iteration needs."""

    iteration: int
    recogniser: nn.Module
    optimiser: torch.optim.Optimizer


class Record(NamedTuple):
    """What a person may want to look at."""

    cross_entropy: Tensor
    """L of the batch, in nats, before the update."""
    batch_accuracy: Tensor
    """The fraction of the batch whose class was named right, before the update."""
    recogniser_lr: float
    observed: Images
    right: Tensor
    """``[B]`` bool: the images whose class was named right."""

    @property
    def mistaken(self) -> Images:
        """The images of the batch whose class was not; there may be none. To ask for them waits for the device."""
        return self.observed[~self.right]


def check_labels(labels: Tensor, observations: int, classes: int) -> None:
    """Refuse what are not whole numbers in 0 … ``classes`` − 1, one for each of ``observations`` images.

    Raises ``InputError``.
    """
    if labels.shape != (observations,) or labels.is_floating_point():
        raise InputError(
            f"labels {labels.dtype} {list(labels.shape)} were given for {observations} images; give each image one "
            "whole number"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise InputError(
            f"labels from {low} to {high} were given, and the network tells {classes} classes, 0 to {classes - 1}; "
            "choose a network for as many classes as the data have"
        )


@dataclass(frozen=True)
class Supervised:
    """Supervised classification as a learner.

    ``recogniser`` is the network whose copy will learn: images -> logits ``[B, K]``; ``labels`` ``[n]`` are the
    classes of the data set's images, found by the indices of a batch (None: it does not learn any more).
    """

    plan: Plan
    recogniser: nn.Module
    labels: Tensor | None = None

    def init(self, rng: torch.Generator) -> State:
        """A copy of the network, and empty moments."""
        recogniser = copy.deepcopy(self.recogniser).train()
        return State(0, recogniser, self.plan.update.init(recogniser))

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> tuple[State, Record]:
        """One update by a batch. Raises ``InputError`` where there are no labels."""
        if self.labels is None:
            raise InputError(
                "supervised learning was given no labels; give the learner the class of each image: the data mnist, "
                "cifar10, svhn and digits have them"
            )
        plan = self.plan
        classes = self.labels[batch.indices.to(self.labels.device)].to(batch.images.device, torch.long)
        lr = set_rate(state.optimiser, plan.update.rate(state.iteration, plan.iterations))
        logits = state.recogniser(batch.images)
        loss = nn.functional.cross_entropy(logits, classes)
        descend(state.optimiser, loss)
        right = logits.detach().argmax(1) == classes
        record = Record(loss.detach(), right.double().mean(), lr, batch.images, right)
        return State(state.iteration + 1, state.recogniser, state.optimiser), record

    def pictures(self, state: State, record: Record) -> dict[str, Images]:
        """The images of this batch whose class was named wrongly, where there are any."""
        mistaken = record.mistaken
        return {"mistaken": mistaken} if len(mistaken) else {}

    def sample(self, state: State, n: int, rng: torch.Generator) -> dict[str, Images]:
        """Nothing: what was learned makes no images. Raises ``InputError``, always."""
        raise InputError(
            "a run of supervised learning names the classes of images and makes none; measure it with --metric "
            "accuracy, or choose a run that generates"
        )

    def finish(self, state: State, rng: torch.Generator) -> State:
        """Nothing is left to be done: running averages of batch norm are kept while learning."""
        return state

    state_dict = staticmethod(nested)
    load_state_dict = staticmethod(load)
