"""The pictures a run leaves: what is learned from, what an iteration made, and what came of it."""

from __future__ import annotations

from typing import Any

import torch

from ..data import ImageSet, video
from ..learn import igm, supervised
from ..recipes import Recipe
from ..rng import stream
from ..types import Images
from . import gallery, pictures
from .folder import RunFolder
from .neighbours import nearest_picture

_MOST, _SHOWN = 100, 8_000_000
"""Images in one picture, and values in them all, at most: 100 images of up to 128x128, 40 of 256x256."""
_SEARCHED = 2_000_000_000
"""Values of the training images that are searched for the nearest, at most: all of CIFAR-10, 40 000 of 128x128."""
_COMPARED = 4_000_000
"""Values of the samples they are searched for, in float64, at most: 100 samples of 64x64, 20 of 256x256."""
_DIGITS = 7  # of an iteration in a file's name


def save_real(run: RunFolder, observed: ImageSet) -> None:
    """The first training images."""
    real = observed.batch(slice(0, min(most_shown(observed.shape), len(observed))))
    _save(run, {"real": real})
    _save_moving(run, {"real": real})


def save_iteration(run: RunFolder, images: dict[str, Images], iteration: int) -> None:
    """What ``learner.pictures`` shows of an iteration."""
    _save(run, {f"{name}_{iteration:0{_DIGITS}d}": made[: most_shown(made.shape[1:])] for name, made in images.items()})


def save_final(
    run: RunFolder, recipe: Recipe, learner: Any, state: Any, observed: ImageSet, device: torch.device
) -> str:
    """Samples of each model, and those of the last (the descriptor, where there is one) beside the nearest training
    images. Returns a sentence on how near they are, empty where there is but one training image, or no model of images.
    """
    if getattr(state, "round", 1) == 0 or isinstance(recipe.plan, supervised.Plan):  # nothing that makes pictures
        return ""
    of_a_round = getattr(recipe.plan, "negatives_per_round", _MOST)
    count = min(most_shown(observed.shape), of_a_round)
    samples = learner.sample(state, count, stream(recipe.seed, "final pictures", device=device))
    final = {f"final_{name}": images for name, images in samples.items()}
    _save(run, final)
    _save_moving(run, final)
    if isinstance(recipe.plan, igm.Plan) and not recipe.plan.single:  # which begins every round from noise
        growing = learner.development(state, 4, 10)
        pictures.save(pictures.grid(growing.flatten(0, 1), columns=growing.shape[1]), run.pictures / "rounds.png")
    if len(observed) < 2:
        return ""
    mirrored = recipe.data.flip
    count = max(2, min(len(observed), _SEARCHED // (1 + mirrored) // torch.Size(observed.shape).numel()))
    searched = observed if count == len(observed) else observed.subset(0, count, observed.name)
    compared = max(10, min(_MOST, _COMPARED // torch.Size(observed.shape).numel()))
    last = list(samples.values())[-1]
    nearest = nearest_picture(last, searched, count=compared, seed=recipe.seed, mirrored=mirrored)
    pictures.save(nearest.picture, run.pictures / "nearest.png")
    part = "" if count == len(observed) else f" Searched: the first {count} training images."
    return nearest.sentence + part


def remove_after(run: RunFolder, iteration: int) -> None:
    """Remove pictures that a run which goes on from ``iteration`` leaves again: of later iterations, and the last.

    What somebody else put there is not touched: only the kinds of `tutelage.run.gallery.CAPTIONS` are looked at, with
    numbers as wide as ``save_iteration`` writes them.
    """
    series = gallery.find(run.pictures)[1]
    shown = [path for kind in gallery.CAPTIONS for at, path in series.get(kind, {}).items() if at > iteration]
    later = [path for path in shown if len(path.stem.rpartition("_")[2]) >= _DIGITS]
    last = [name for name in gallery.CAPTIONS if name.startswith("final_")] + ["rounds", "nearest"]
    for path in (*later, *(run.pictures / f"{name}{end}" for name in last for end in (".png", ".gif"))):
        if path.is_file():
            path.unlink()


def most_shown(shape: tuple[int, ...]) -> int:
    """How many images of ``shape`` (``(C, *space)``) one picture shows, at most."""
    least = 2 if len(shape) == 4 else 16  # of videos, 2
    return min(_MOST, max(least, _SHOWN // torch.Size(shape).numel()))


def _save(run: RunFolder, images: dict[str, Images]) -> None:
    for name, chosen in images.items():
        scale = pictures.scale_of(chosen)
        laid_out = pictures.sheet(chosen, scale=scale) if chosen.ndim == 5 else pictures.grid(chosen, scale=scale)
        pictures.save(laid_out, run.pictures / f"{name}.png")


def _save_moving(run: RunFolder, images: dict[str, Images]) -> None:
    """Videos among ``images`` as small animations, four at most of each, at the rate of the clip as far as GIF goes."""
    for name, chosen in images.items():
        if chosen.ndim == 5:
            rate = min(run.frame_rate(), video.GIF_FASTEST)
            pictures.write_moving(chosen[:4], run.pictures / f"{name}.gif", rate, scale=pictures.scale_of(chosen))
