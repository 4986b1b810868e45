"""What the players of an adversarial game show each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from ..types import Images, Latents


class Made(NamedTuple):
    """Images of the generator, and the latents they were made from."""

    latents: Latents
    images: Images


class Judged(NamedTuple):
    """What the discriminator's objective says of observed and of made images."""

    loss: Tensor
    """0-dim: what the discriminator descends."""
    of_observed: Tensor
    """0-dim: the mean output of the discriminator on observed images."""
    of_made: Tensor
    """0-dim: and on made ones."""
    more: Mapping[str, Tensor] = {}
    """0-dim tensors that an objective of this kind alone has, by name."""
