r"""An energy of some pixels, given the others: the conditional distribution of a hole given what is around it.

p(Y_free | Y_held = y) ∝ exp(−E(Y)) at Y_held = y
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ..gradient import prepared
from ..types import Energy, Evaluation, Images, Prepared, Scores


class Held:
    """``energy`` of images whose pixels under ``held`` are put back to those of ``images`` first.

    ``images`` are ``[B, C, *space]``; ``held``, bool, broadcasts against them, True where a pixel is held. Whatever a
    position has at held pixels is not looked at, and the gradient there is zero: chains with noise drift about there
    and mean nothing by it. `restored` puts the pixels back. A prepared form tells what that of ``energy`` tells.
    """

    points_down: ClassVar[bool] = True

    def __init__(self, energy: Energy, images: Images, held: Tensor) -> None:
        self.energy = energy
        self.images = images
        self.held = held

    def __call__(self, position: Images) -> Scores:
        return self.energy(self.restored(position))

    def restored(self, position: Images) -> Images:
        """``position`` with the held pixels put back."""
        return torch.where(self.held, self.images, position)

    def prepare(self) -> Prepared:
        """A snapshot of the energy inside, asked at the restored position."""
        inside = prepared(self.energy)

        def evaluate(position: Images) -> Evaluation:
            value, gradient, aux = inside(self.restored(position))
            return Evaluation(value, gradient.masked_fill(self.held, 0.0), aux)

        return evaluate
