r"""What introspective learning keeps: the classifiers of all rounds, and the pseudo-negatives they made.

Pseudo-negatives are bytes, as a picture file would hold them: they are rounded at the end of every round, in learning
and in synthesis alike, so that both follow the same trajectory. All rounds are kept, and a round of age a (0: the
newest) is drawn from with weight ``recency ** a`` (authors' code: ½; IGM §4.1, "pseudo-negatives from more recent
rounds are chosen ... with higher probability").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..checks import InputError
from ..data import from_uint8
from ..energy.patches import gather, places_in
from ..types import Images

Kept = TypeVar("Kept")


class Store(Protocol):
    """Where rounds are kept while learning goes on. Round t replaces an earlier round t; nothing is ever removed.

    How many rounds count is the learner's business: a state loaded from a checkpoint writes later ones anew.
    """

    def save_round(self, number: int, nested: dict[str, Any], facts: dict[str, Any]) -> None:
        """Keep what round ``number`` ≥ 1 learned: nested dicts of tensors and plain numbers, and facts (plain JSON)."""
        ...

    def load_round(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """What ``save_round`` was given for round ``number``. Raises ``InputError`` where it is missing or damaged."""
        ...

    def save_negatives(self, number: int, pixels: Tensor) -> None:
        """Keep the pseudo-negatives of round ``number`` ≥ 0, uint8 ``[l, C, *space]``; round 0 is the beginning."""
        ...

    def negatives(self, number: int) -> np.ndarray:
        """Those of round ``number``, uint8 ``[l, C, *space]``, perhaps memory-mapped. Raises as ``load_round`` does."""
        ...


@dataclass
class InMemory:
    """A store for tests and for small models: everything stays in memory."""

    rounds: dict[int, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)
    pixels: dict[int, np.ndarray] = field(default_factory=dict)

    def save_round(self, number: int, nested: dict[str, Any], facts: dict[str, Any]) -> None:
        self.rounds[number] = (_copied(nested), dict(facts))

    def load_round(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        return _kept(self.rounds, number)

    def save_negatives(self, number: int, pixels: Tensor) -> None:
        self.pixels[number] = pixels.cpu().numpy().copy()

    def negatives(self, number: int) -> np.ndarray:
        return _kept(self.pixels, number)


def recency_weights(rounds: int, recency: float) -> Tensor:
    """Probability that a pseudo-negative is drawn from each of rounds 0 … ``rounds`` − 1: ``recency ** age``, of sum 1.

    ``recency`` 1 draws from all rounds alike, 0 from the newest alone. Returns float64 ``[rounds]``.
    """
    ages = torch.arange(rounds - 1, -1, -1, dtype=torch.float64)
    weights = torch.tensor(recency, dtype=torch.float64) ** ages  # 0 ** 0 is 1
    return weights / weights.sum()


def draw_negatives(
    store: Store,
    rounds: int,
    noise: int,
    given: int,
    count: int,
    patch: Sequence[int],
    recency: float,
    rng: torch.Generator,
) -> Images:
    """``count`` patches of pseudo-negatives of rounds 0 … ``rounds`` − 1: float32 ``[count, C, *patch]``, where rng is.

    Rounds with the weights of `recency_weights`; images and places uniformly; all with replacement (authors' code; §4.1
    takes the patches of one pass from 50 images). Round 0 holds ``noise`` draws from p_0, and after them ``given``
    images of a person's: they are no round's, and keep the share they have of round 0, however many rounds come.
    """
    weights = recency_weights(rounds, recency)
    if given:
        share = given / (noise + given)
        weights = torch.cat([weights * (1 - share), weights.new_tensor([share])])

    def kept_of(source: int) -> np.ndarray:
        if source == rounds:  # what was given
            return store.negatives(0)[noise:]
        return store.negatives(source) if source else store.negatives(0)[:noise]

    chosen = torch.multinomial(weights.to(rng.device), count, replacement=True, generator=rng).tolist()
    kept = {source: kept_of(source) for source in set(chosen)}
    counts = torch.tensor([len(kept[number]) for number in chosen], device=rng.device)
    places = _places(counts, count, kept[chosen[0]].shape[2:], patch, rng)
    images, rows, columns = (part.tolist() for part in places)
    cut = [
        kept[number][i, :, y : y + patch[0], x : x + patch[1]]
        for number, i, y, x in zip(chosen, images, rows, columns, strict=True)
    ]
    return from_uint8(torch.from_numpy(np.stack(cut)).to(rng.device))


def draw_patches(images: Images, count: int, patch: Sequence[int], rng: torch.Generator) -> Images:
    """``count`` patches of ``images``, ``[count, C, *patch]``, uniformly over images and places, with replacement."""
    places = _places(len(images), count, images.shape[2:], patch, rng)
    return gather(images, places_in(images, *places, patch), patch)


def _places(
    choices: Tensor | int, count: int, space: Sequence[int], patch: Sequence[int], rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Image (of as many as ``choices`` says, one number or ``[count]``), row and column of each patch: ``[count]``."""

    def uniform(choices: Tensor | int) -> Tensor:
        return (torch.rand(count, generator=rng, device=rng.device, dtype=torch.float64) * choices).long()

    rows, columns = (whole - part + 1 for whole, part in zip(space, patch, strict=True))
    return uniform(choices), uniform(rows), uniform(columns)


def _kept(rounds: Mapping[int, Kept], number: int) -> Kept:
    if number not in rounds:
        raise InputError(
            f"round {number} is not kept in memory, which holds {len(rounds)}; learn in this process, or give the "
            "store that the model learned with"
        )
    return rounds[number]


def _copied(nested: Any) -> Any:
    if isinstance(nested, Tensor):
        return nested.detach().cpu().clone()
    if isinstance(nested, dict):
        return {key: _copied(value) for key, value in nested.items()}
    return nested
