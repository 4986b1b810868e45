r"""Textures larger than those learned from, which the paper does not do, by the networks of CoopNets §4.1.

    Ŷ = g(X̂; α),  X̂ ~ N(0, I) a latent map of any height and width                  the draft
    Ỹ = steps of eq. (7) from Ŷ on E(Y) = E_0(Y) − f(Y; θ)                          the revision

Neither network of §4.1 has a fully connected layer: 7x7 latents make 224x224 pixels, 20x30 make 640x960 in one shot,
and the potential f is a sum over positions, of which a larger image has more. E is that same sum, computed tile by
tile. Step size and noise are those of learning: both act on each pixel alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..energy import Tilt
from ..gradient import Fixed, prepared
from ..learn.algorithm_d import learned_kernel, reference_energy
from ..learn.chunks import generate
from ..learn.coopnets import Plan
from ..nets import Descriptor, Generator, Tiles
from ..nets.tiles import TILE
from ..sample import Langevin, advance, begin
from ..types import Images


def draft(generator: Generator, size: tuple[int, int], n: int, rng: torch.Generator) -> Images:
    """``n`` images ``[n, C, height, width]`` of ``size`` (height, width), each in one shot.

    A side that is no multiple of the generator's up-sampling is made larger, and cut on both sides alike. The generator
    should be in evaluation mode, so that images do not influence each other.

    Raises ``InputError`` for a size below the one learned, and a generator of latent vectors.
    """
    shape = generator.spec.latent_shape_for(size)
    made = generate(generator, torch.randn((n, *shape), generator=rng, device=rng.device))
    top, left = ((have - want) // 2 for have, want in zip(made.shape[2:], size, strict=True))
    return made[:, :, top : top + size[0], left : left + size[1]]


def revise(
    descriptor: Descriptor,
    plan: Plan,
    iteration: int,
    images: Images,
    steps: int,
    rng: torch.Generator,
    tile: int = TILE,
) -> Iterator[Images]:
    """``steps`` steps of Langevin revision of ``images`` of any size, yielding them after each.

    The ``descriptor`` was learned by ``plan``, in ``iteration`` iterations; ``tile`` is that of `Tiles`, which
    bounds the memory and changes nothing else.

    Raises ``InputError`` for a descriptor with a fully connected layer, and a tile below 1 pixel.
    """
    energy = Fixed(prepared(Tilt(reference_energy(plan.reference_std), Tiles(descriptor, tile))))
    kernel = learned_kernel(plan, iteration)
    return _steps(kernel, energy, images, steps, rng)


def _steps(kernel: Langevin, energy: Fixed, images: Images, steps: int, rng: torch.Generator) -> Iterator[Images]:
    chain = begin(kernel, images)
    for _ in range(steps):
        chain, _ = advance(kernel, energy, chain, rng)
        yield chain.state.position
