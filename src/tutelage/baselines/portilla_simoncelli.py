r"""Textures by the statistics of Portilla and Simoncelli (2000; IGM Fig. 2), by plenoptic (extra ``textures``).

    E(x) = |S(x) − S̄|² / |S̄|²       S weighted as `tutelage.metrics.portilla_simoncelli` says, S̄ of the example

A texture is a minimum of E near noise, by L-BFGS (`tutelage.baselines.descent`). The paper's statistics are of grey
pictures: colours are rotated to the example's principal axes, along which they are uncorrelated, and each axis is made
by itself, so that what ties the axes together beyond correlation is lost.

Departures: the paper adjusts one group of statistics after the other; a gradient of them all is plenoptic's way. S is
as long for every size, so what is made may have another size than the example.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ..metrics.portilla_simoncelli import Statistics, check_pictures, mean_statistics, principal_axes, rotated
from ..types import Images, Scores
from .descent import Plan, Progress, from_noise
from .gram import check_texture

PAPER = Statistics(scales=4, orientations=4, places=7)
"""The paper's (N = 4, K = 4, M = 7), which need pictures of 128 pixels a side, as the paper's are."""


class StatisticsEnergy:
    """``E: [B, 1, H, W] -> [B]`` of grey pictures whose height and width are multiples of ``statistics.step``.

    ``target`` is S̄, ``[S]``.
    """

    points_down: ClassVar[bool] = True

    def __init__(self, target: Tensor, statistics: Statistics) -> None:
        self.target = target
        self.statistics = statistics

    def __repr__(self) -> str:
        return f"StatisticsEnergy({self.statistics})"

    def __call__(self, images: Images) -> Scores:
        away = self.statistics(images)[:, 0] - self.target
        return away.square().sum(1) / self.target.square().sum()


def synthesise(
    texture: Tensor,
    size: tuple[int, int],
    plan: Plan,
    rng: torch.Generator,
    n: int = 1,
    statistics: Statistics = PAPER,
    progress: Progress = iter,
) -> Images:
    """``n`` textures like ``texture`` (``[C, H, W]`` in [-1, 1]) of ``size`` (height, width): ``[n, C, *size]``.

    The example's rows and columns beyond a multiple of ``statistics.step`` are left out, and what is made is cut from
    such a multiple; values outside [-1, 1] are clipped. ``plan.start_std`` is in units of the standard deviation along
    an axis. ``progress`` wraps the records of each axis of each image, as ``tqdm`` does.

    Raises ``InputError`` where ``texture`` is no picture, it or ``size`` is smaller than ``statistics.smallest``, its
    colours do not vary, or plenoptic is not installed.
    """
    check_texture(texture)
    height, width = (-(-side // statistics.step) * statistics.step for side in size)
    for pictures in (texture[None], texture.new_empty(1, 1, height, width)):
        check_pictures(pictures, statistics.smallest)
    mean, axes = principal_axes(texture[None])
    with torch.no_grad():
        target = mean_statistics(rotated(texture[None], mean, axes, statistics.step), statistics).float()
    energies = [StatisticsEnergy(of_axis, statistics) for of_axis in target]
    parts = [from_noise(energy, (1, height, width), n, plan, rng, progress) for energy in energies]
    colours = torch.einsum("ck,nkhw->nchw", torch.linalg.inv(axes), torch.cat(parts, 1).double()) + mean[:, None, None]
    return colours[:, :, : size[0], : size[1]].to(texture.dtype).clamp(-1, 1)
