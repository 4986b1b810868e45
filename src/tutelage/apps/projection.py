"""Real images in the latents of a generator (CoopNets §2.2), and walks between them.

The latents are inferred by step G1 with every pixel observed; `tutelage.apps.interpolation.between` walks from one
image's to another's, which the paper does not do: its walks (§4.3, Fig. 10) are between draws from the prior. How well
a generator reconstructs images it has not learned from tells what it has left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from ..types import Images
from .inference import Inferred, Plan, infer


def project(
    generator: nn.Module,
    images: Images,
    latent_shape: tuple[int, ...],
    plan: Plan,
    rng: torch.Generator,
    every: int = 50,
) -> Iterator[Inferred]:
    """The latents of ``images`` (``[B, C, *space]`` in [-1, 1]) and their reconstructions.

    One `Inferred` at the start, and one ``every`` steps; the last one yielded is the result. Raises as
    `tutelage.apps.inference.infer` does.
    """
    return infer(generator, images, None, latent_shape, plan, rng, every)
