"""Which pixels are hidden (CoopNets §4.6). A mask is ``[n or 1, 1, *space]``, 1 = observed and 0 = hidden."""

from __future__ import annotations

import torch
from torch import Tensor

from ..checks import InputError


def squares(n: int, space: tuple[int, int], size: int, rng: torch.Generator) -> Tensor:
    """Masks ``[n, 1, height, width]`` that hide a square of ``size`` pixels at a random place in each image.

    Every place inside the image is equally likely, and the places of the first k do not depend on n. The paper hides
    squares of 30, 40 or 50 pixels in images of 64x64.

    Raises ``InputError`` where the square is empty, larger than the image, or all of it.
    """
    height, width = space
    if not 1 <= size <= min(space) or size == max(space):
        raise InputError(
            f"a square of {size} pixels was asked for in images of {height}x{width}; it needs to be from 1 to "
            f"{min(space) if height != width else height - 1}"
        )
    places = torch.rand((n, 2), generator=rng, device=rng.device, dtype=torch.float64)
    room = torch.tensor([height - size + 1, width - size + 1], device=rng.device)
    top, left = (places * room).long().unbind(1)
    rows, columns = (torch.arange(length, device=rng.device) for length in space)
    in_rows = (rows >= top[:, None]) & (rows < top[:, None] + size)
    in_columns = (columns >= left[:, None]) & (columns < left[:, None] + size)
    return (~(in_rows[:, :, None] & in_columns[:, None, :])).float().unsqueeze(1)


def check_mask(mask: Tensor, shape: tuple[int, ...]) -> None:
    """`check_fits`, and refuse a mask that hides nothing of an image. Raises ``InputError``."""
    check_fits(mask, shape)
    _refuse((mask != 0).flatten(1).all(1), "hides no pixel; completion needs some that are hidden")


def check_fits(mask: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a mask of other than ``shape`` ``(B, C, *space)``, of other numbers, or without an observed pixel.

    Raises ``InputError``.
    """
    n, _, *space = shape
    if mask.ndim != len(shape) or len(mask) not in (1, n) or tuple(mask.shape[1:]) != (1, *space):
        raise InputError(
            f"a mask {list(mask.shape)} was given for images {list(shape)}; it needs to be {[n, 1, *space]}, or "
            f"{[1, 1, *space]} for all: 1 where a pixel is observed, 0 where it is hidden"
        )
    if not ((mask == 0) | (mask == 1)).all():
        raise InputError("the mask has numbers other than 0 and 1; it needs 1 = observed, 0 = hidden")
    _refuse(~(mask != 0).flatten(1).any(1), "hides every pixel; one or more need to be observed")


def _refuse(bad: Tensor, what: str) -> None:
    """Where the masks, ``[n]``, are ``bad``."""
    if bad.any():
        raise InputError(f"the mask of image {int(bad.int().argmax())} {what}: give another mask")
