"""The words of the library: what its tensors mean, and what its parts promise each other.

``*space`` is ``H W`` or ``T H W``; nothing below the networks cares which.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

import torch
from torch import Tensor

Images: TypeAlias = Tensor
"""``[B, C, *space]``, float, data in [-1, 1]; chains may leave that range."""

Latents: TypeAlias = Tensor
"""``[B, d]`` or ``[B, d, *space]``, float; N(0, I) under the prior."""

Scores: TypeAlias = Tensor
"""``[B]``: one number per image. Never a mean over the batch."""


@runtime_checkable
class Potential(Protocol):
    """``f: [B, C, *space] -> [B]``; larger = more like the data."""

    def __call__(self, images: Images, /) -> Scores: ...


@runtime_checkable
class Energy(Protocol):
    """``E: [B, ...] -> [B]``; smaller = likelier."""

    def __call__(self, position: Tensor, /) -> Scores: ...


class Evaluation(NamedTuple):
    """What a prepared energy answers at a position."""

    value: Scores
    """``[B]``, detached."""
    gradient: Tensor
    """``[B, ...]``, d value[i] / d position[i], detached."""
    aux: Any = None
    """What a stop rule or a log may want to read; its shape is the energy's own business."""


class Scored(NamedTuple):
    """What a classifier of images, or of patches of images, tells of a position."""

    logits: Tensor
    """``[B, K]``: the logit of each of an image's K patches (K = 1 where the image is the patch)."""
    coverage: Tensor | None = None
    """``[B, 1, *space]``: how many patches cover each pixel; None where one patch is the image."""


class Prepared(Protocol):
    """A snapshot of an energy or potential: frozen weights, ready to be differentiated many times."""

    def __call__(self, position: Tensor, /) -> Evaluation: ...


@runtime_checkable
class Preparable(Protocol):
    """An energy or potential that knows a faster way to its own gradient than plain autograd.

    The snapshot is made once per chain. It must not follow later changes of the weights.
    """

    def prepare(self) -> Prepared: ...


@runtime_checkable
class RandomEnergy(Protocol):
    """An energy with randomness of its own, drawn afresh before each step for the chains at ``position``."""

    def draw(self, position: Tensor, rng: torch.Generator, /) -> Energy: ...


class Batch(NamedTuple):
    """Observed images, and which ones of the data set they are."""

    images: Images
    """``[B, C, *space]`` in [-1, 1]."""
    indices: Tensor
    """``[B]`` int64. Algorithm G keeps latents for each observed image."""


class State(Protocol):
    """What every learner's state has: how many iterations it has seen.

    It may also have ``ended: str | None``, the reason why learning is over before its iterations are done.
    """

    iteration: int


StateT = TypeVar("StateT", bound=State)


class Learner(Protocol[StateT]):
    """What every algorithm that learns offers; the loop in ``run`` knows nothing else.

    ``step`` owns its state: tensors inside are updated in place and the old state is not used again.
    """

    def init(self, rng: torch.Generator) -> StateT:
        """A fresh state: networks copied, optimisers empty, chains at their start."""
        ...

    def step(self, state: StateT, batch: Batch, rng: torch.Generator) -> tuple[StateT, Any]:
        """One learning iteration. Returns the next state and a record of scalars worth looking at."""
        ...

    def sample(self, state: StateT, n: int, rng: torch.Generator) -> dict[str, Images]:
        """``n`` images from each of the models learned, by name."""
        ...

    def pictures(self, state: StateT, record: Any) -> dict[str, Images]:
        """The images of the iteration just done that are worth looking at, by name. Changes nothing."""
        ...

    def finish(self, state: StateT, rng: torch.Generator) -> StateT:
        """Make the state ready to be sampled from for good (fix batch-norm statistics, for instance).

        Nothing that learns is touched: learning may go on afterwards as if ``finish`` had not been called.
        """
        ...

    def state_dict(self, state: StateT) -> dict[str, Any]:
        """Everything in the state, as nested dicts and lists of tensors and plain numbers."""
        ...

    def load_state_dict(self, state: StateT, saved: dict[str, Any]) -> StateT:
        """The inverse of ``state_dict``, into a state made by ``init``."""
        ...
