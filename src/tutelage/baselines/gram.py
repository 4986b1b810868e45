r"""Textures by correlations of a network's maps (Gatys, Ecker and Bethge 2015, arXiv:1505.07376; IGM Figs 2 and 6).

    Gram matrix    G_ij = Σ_k F_ik F_jk / M           of the N maps F of a layer, at M positions
    loss           L(x) = Σ_layers Σ_ij (G_ij(x) − Ĝ_ij)² / (4 N²)       Ĝ of the example

``GramEnergy`` is this loss as an energy, one number for each image. A texture is one of its minima near noise, found
by L-BFGS (`tutelage.baselines.descent`), with the example's histogram. It is an energy like any other: Langevin
dynamics or ascent on pixels run on it too (`tutelage.sample.run`), and ``Mix`` gives it a content.

Departures from the paper and its code:

- Gatys et al. rescale every filter of VGG-19 to a mean activation of 1 on ImageNet, so that layers count alike. Here
  each layer is divided by its mean activation on the example, so that any network does as it is.
- G is divided by M, as in their code (the paper divides L by M²), so that an example and an image of another size can
  be compared.
- L-BFGS has no bounds; histogram matching brings the pixels back into the example's range.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ..checks import InputError
from ..types import Images, Scores
from .descent import Plan, Progress, from_noise
from .texture_maps import Maps


def gram(maps: Tensor) -> Tensor:
    """G of maps ``[B, N, h, w]``: ``[B, N, N]``, a mean over positions."""
    flat = maps.flatten(2)
    return flat @ flat.mT / flat.shape[2]


class GramEnergy:
    """``L: [B, C, H, W] -> [B]``, 0 where the Gram matrices are those of the example.

    ``example`` is ``[C, H, W]``, or ``[K, C, H, W]`` for the mean Gram matrices of several; ``maps`` looks at both, and
    images may have any size that it takes.

    Raises ``InputError`` for a layer that is 0 all over on the example.
    """

    points_down: ClassVar[bool] = True

    def __init__(self, example: Images, maps: Maps) -> None:
        with torch.no_grad():
            found = maps(example if example.ndim == 4 else example[None])
            means = [layer.abs().mean() for layer in found]
            if not found or not torch.stack(means).all():
                dark = [number for number, mean in enumerate(means) if not mean]
                raise InputError(
                    f"of {len(found)} layers of maps, those of numbers {dark} are 0 all over on the example; a Gram "
                    "loss needs one layer or more that see something: take other layers, or another example"
                )
            self.targets = [gram(layer / mean).mean(0) for layer, mean in zip(found, means, strict=True)]
        self.maps = maps
        self.means = means

    def __repr__(self) -> str:
        return f"GramEnergy({self.maps!r})"

    def __call__(self, images: Images) -> Scores:
        layers = zip(self.maps(images), self.means, self.targets, strict=True)
        away = [(gram(layer / mean) - target).flatten(1) for layer, mean, target in layers]
        # N² is the number of entries of a Gram matrix
        return torch.stack([difference.square().mean(1) / 4 for difference in away]).sum(0)


def synthesise(
    texture: Tensor,
    size: tuple[int, int],
    maps: Maps,
    plan: Plan,
    rng: torch.Generator,
    n: int = 1,
    progress: Progress = iter,
) -> Images:
    """``n`` textures like ``texture`` (``[C, H, W]`` in [-1, 1]) of ``size`` (height, width): ``[n, C, *size]``.

    They have the example's histogram, channel by channel, so they lie in its range. ``progress`` wraps the records of
    each descent, as ``tqdm`` does.

    Raises ``InputError`` where ``texture`` is no picture, and as `GramEnergy` and ``maps`` do.
    """
    check_texture(texture)
    made = from_noise(GramEnergy(texture, maps), (len(texture), *size), n, plan, rng, progress)
    return matched(made, texture)


def check_texture(texture: Tensor) -> None:
    """Refuse what is no example ``[C, H, W]``, finite and in [-1, 1]. Raises ``InputError``."""
    if texture.ndim != 3 or not texture.numel() or not texture.isfinite().all() or texture.abs().max() > 1:
        raise InputError(
            f"a texture of shape {list(texture.shape)} was given, or one outside [-1, 1]; give one picture, "
            "[C, H, W] in [-1, 1]"
        )


def matched(images: Images, example: Tensor) -> Images:
    """``images`` with the histogram of ``example`` ``[C, H, W]`` in each channel, every pixel keeping its rank.

    Exactly the example's values where an image has as many pixels; otherwise its quantiles.
    """
    values = example.to(images).flatten(1).sort(1).values
    ranks = images.flatten(2).argsort(dim=2, stable=True).argsort(dim=2)
    places = (2 * ranks + 1) * values.shape[1] // (2 * ranks.shape[2])
    return values.expand(len(images), -1, -1).gather(2, places).view_as(images)
