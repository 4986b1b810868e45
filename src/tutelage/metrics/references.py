"""What a distance is set beside: sets that a perfect model and a useless one would stand for.

The floor is real against real: no model can be expected below it, with as many images. The ceilings keep nothing of
an image (uniform noise), or its colours alone (shuffled pixels).
"""

from __future__ import annotations

import torch

from ..checks import InputError
from ..types import Images


def uniform_noise(shape: tuple[int, ...], rng: torch.Generator, device: torch.device | str | None = None) -> Images:
    """Independent pixels, uniform in [−1, 1], of ``shape`` ``[B, C, *space]``, on ``device`` (None: ``rng``'s)."""
    return torch.rand(shape, generator=rng, device=rng.device).mul_(2).sub_(1).to(device or rng.device)


def shuffled_pixels(images: Images, rng: torch.Generator) -> Images:
    """``[B, C, *space]`` with the positions of each image permuted, each image in its own way, colours kept."""
    flat = images.flatten(2)
    order = torch.rand((len(flat), 1, flat.shape[2]), generator=rng, device=rng.device).argsort(2).to(images.device)
    return flat.gather(2, order.expand_as(flat)).view_as(images)


def halves(images: Images) -> tuple[Images, Images]:
    """Two sets that show the same thing: the first and the second half of ``[B, C, H, W]``.

    One image alone is cut into a left and a right half. Of an odd number the middle one is left out.

    Raises ``InputError`` for no images, and for one image of a single column.
    """
    if len(images) > 1:
        half = len(images) // 2
        return images[:half], images[-half:]
    half = images.shape[-1] // 2
    if len(images) == 0 or half == 0:
        raise InputError(
            f"images of shape {list(images.shape)} cannot be halved; give two or more, or one of 2 columns or more"
        )
    return images[..., :half], images[..., -half:]
