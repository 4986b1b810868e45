r"""A picture's content in a texture's style (IGM §4.2).

    −ln p(I_style | I)  ∝  α · ‖I_style − I‖₂ − (1 − α) · ln p_style(I_style)

``Mix(α, Content(I), texture)`` is this energy: the model of the style images supplies ``texture``, for
instance a reference tilted by patches of its newest classifier.

What the paper leaves open, and what is chosen here:

- The norm is printed without a square, and said to be averaged: ``Content`` is the mean over pixels and
  channels of the squared difference, or the root of that mean. Squared is the default: its pull grows with the
  distance and vanishes at the content, while the root pulls equally hard from anywhere.
- Whether ``ln p_style`` is summed or averaged over the patches of the image decides what α means. The mean,
  ``mean=True`` of the patches, makes α independent of how many patches are drawn.
- A stop rule may never fire while the content holds the image back: whoever runs the chain caps its
  steps, and chooses where it starts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from ..checks import InputError
from ..gradient import prepared
from ..types import Energy, Evaluation, Images, Prepared, RandomEnergy, Scored, Scores
from .compose import drawn, once_unless_random, refuse_random


@dataclass(frozen=True, eq=False)
class Content:
    """``E(x) = mean (x − image)²`` over the pixels and channels of each image (IGM §4.2, the fidelity term).

    ``image`` is ``[C, *space]``, for all images of a batch, or ``[B, C, *space]``, one for each. Without ``squared``,
    the square root of that mean, whose gradient where ``x`` is the image itself is taken to be 0.

    Raises ``InputError`` on images of another shape.
    """

    image: Images
    squared: bool = True
    points_down: ClassVar[bool] = True

    def __call__(self, images: Images) -> Scores:
        if self.image.shape not in (images.shape, images.shape[1:]):
            raise InputError(
                f"images {list(images.shape)} were given for a content of {list(self.image.shape)}; give one content "
                "of their shape, [C, *space], or one for each, [B, C, *space]: resize one of them"
            )
        away = (images - self.image).flatten(1)
        if self.squared:
            return away.square().mean(1)
        return torch.linalg.vector_norm(away, dim=1) / math.sqrt(away.shape[1])


class MixTerms(NamedTuple):
    """What a mix tells of a position: its two forces, as they are weighted, and the logits of its texture."""

    content: Images
    """``α ∂E_content/∂x``."""
    texture: Images
    """``(1 − α) ∂E_texture/∂x``."""
    scored: tuple[Scored, ...]
    """What the texture's potentials tell, in their order; empty where it has none that do."""


class Mix:
    """``E(x) = content_weight · content(x) + (1 − content_weight) · texture(x)`` (IGM §4.2).

    ``content_weight`` is the paper's α (.3 there), in [0, 1]: 0 is the texture alone, 1 the content alone.
    ``content`` and ``texture`` are energies. The prepared form answers with ``aux = MixTerms``.

    Raises ``InputError`` for a weight outside [0, 1], and where a part is random: that is a ``RandomMix``.
    """

    points_down: ClassVar[bool] = True

    def __init__(self, content_weight: float, content: Energy, texture: Energy) -> None:
        _check_weight(content_weight)
        refuse_random("Mix", content, texture)
        self.content_weight = content_weight
        self.content = content
        self.texture = texture

    def __repr__(self) -> str:
        return f"Mix({self.content_weight}, {type(self.content).__name__}, {self.texture!r})"

    def __call__(self, images: Images) -> Scores:
        return self.content_weight * self.content(images) + (1 - self.content_weight) * self.texture(images)

    def prepare(self) -> Prepared:
        """A snapshot that asks both parts for their own fast gradients."""
        weight, content, texture = self.content_weight, prepared(self.content), prepared(self.texture)

        def evaluate(images: Images) -> Evaluation:
            of_content, of_texture = content(images), texture(images)
            value = weight * of_content.value + (1 - weight) * of_texture.value
            forces = weight * of_content.gradient, (1 - weight) * of_texture.gradient
            return Evaluation(value, forces[0] + forces[1], MixTerms(*forces, getattr(of_texture.aux, "scored", ())))

        return evaluate


class RandomMix:
    """A mix with parts that are drawn afresh before each step: a `RandomEnergy`.

    The arguments are those of ``Mix``, or have a ``draw`` that answers with one. A part that is not random is prepared
    once, for all draws: after a network's weights have changed, make a new random mix.

    Raises ``InputError`` for a weight outside [0, 1].
    """

    points_down: ClassVar[bool] = True

    def __init__(self, content_weight: float, content: Energy | RandomEnergy, texture: Energy | RandomEnergy) -> None:
        _check_weight(content_weight)
        self.content_weight = content_weight
        self.content = content
        self.texture = texture
        self._parts = [once_unless_random(part) for part in (content, texture)]

    def __repr__(self) -> str:
        return f"RandomMix({self.content_weight}, {type(self.content).__name__}, {self.texture!r})"

    def draw(self, position: Images, rng: torch.Generator, /) -> Mix:
        """One draw of every random part, the content's first, for chains at ``position``."""
        content, texture = (drawn(part, position, rng) for part in self._parts)
        return Mix(self.content_weight, content, texture)


def _check_weight(weight: float) -> None:
    if not 0 <= weight <= 1:
        raise InputError(
            f"content_weight is {weight}; it needs to lie in [0, 1]: 0 is the texture alone, 1 the content alone"
        )
