"""How likely a trained run finds pictures that are given to it (IGM §1, "self-evaluation"; CoopNets eq. 2)."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ..apps import density_ratio, descriptor_density
from ..apps.density_ratio import DensityTerms
from ..apps.descriptor_density import PotentialTerms
from ..atomic import atomic_write
from ..baselines import adversarial, deep_directed, flow_matching
from ..checks import DivergenceError, InputError
from ..data import ImageSet
from ..learn import algorithm_d, coopnets, igm, supervised
from ..learn.chunks import images_per_chunk
from ..metrics.average import average
from ..recipes import Recipe
from ..recipes.algorithm import algorithm_of
from ..recipes.recipe import Plan
from ..types import Images, Scores
from . import pictures
from .given import Given
from .looks import most_shown
from .places import new_folder
from .results import Entry, result, write_results

Judge: TypeAlias = Callable[[Images], DensityTerms | PotentialTerms]
"""Images ``[B, C, *space]`` -> the parts of ln p, each ``[B]`` float64."""

CAUTION = "ln p lacks a constant that is unknown: the numbers of one model compare pictures, not models."
_RANKING = "Where synthesis stops early they rank them, and no density is calibrated."
_WORDS = {
    "ratio": "sum of the logits",
    "potential": "potential",
    "reference": "ln p0",
    "total": "ln p up to a constant",
}
_NAMED = 3  # of the likeliest and of the least likely


class Scored(NamedTuple):
    """Pictures in the order of ln p, the likeliest first; those that are equal stay as they were given."""

    names: list[str]
    order: Tensor
    """``[n]`` int64, on the CPU: which of the pictures given each is."""
    parts: dict[str, Scores]
    """``ratio`` or ``potential``, then ``reference``, then ``total``, their sum: ``[n]`` float64, on the CPU."""
    seconds: float


def judge_of(run: Path, learner: Any, state: Any) -> Judge:
    """What the run at ``run`` tells of pictures.

    Raises ``InputError`` where it has no density that can be computed, and ``UnfinishedError`` where an introspective
    one has finished no round.
    """
    match learner.plan:
        case igm.Plan():
            igm.check_learned(state)
            return partial(density_ratio.terms, learner, state)
        case coopnets.Plan(loss="likelihood") | algorithm_d.Plan() as plan:
            reference = algorithm_d.reference_energy(plan.reference_std)
        case deep_directed.Plan() as plan:
            reference = deep_directed.experts_energy(plan.energy_std, state.descriptor).reference
        case plan:
            raise InputError(
                f"run {run} learned by {algorithm_of(plan)} and cannot score pictures: {_why_not(plan)}; give a run "
                "with a descriptor learned by likelihood (coopnets/, descriptor/, pcd/, deep-directed/) or with "
                "introspective classifiers (igm/)"
            )
    return partial(descriptor_density.terms, state.descriptor, reference)


def _why_not(plan: Plan) -> str:
    """What is missing for a density, in a run of ``plan``."""
    match plan:
        case coopnets.Plan():
            return "its f tells observed images from revised ones, and comes to be flat where these are alike"
        case adversarial.Plan():
            return "a discriminator is no density, and that of a generator is an integral over its latents"
        case flow_matching.Plan():
            return "the density of a flow is an integral along its way, which is not computed here"
        case supervised.Plan():
            return "what names classes has no density of pictures"
        case _:
            return "the density of a generator is an integral over its latents"


def score_images(judge: Judge, given: Given, device: torch.device) -> Scored:
    """Score pictures and put them in order, a few at a time, with a progress bar.

    Raises ``DivergenceError`` for numbers that are not finite, and as ``judge`` does.
    """
    began = time.perf_counter()
    told = list(_told(judge, given.images, device))
    parts = {name: torch.cat([getattr(part, name) for part in told]).cpu() for name in told[0]._fields}
    bad = [name for name, fine in zip(given.names, parts["total"].isfinite().tolist(), strict=True) if not fine]
    if bad:
        raise DivergenceError(
            f"the numbers of {len(bad)} of {len(given.names)} pictures are not finite, {bad[0]} the first; the "
            "weights of this run may have diverged: look at its report, and train again with smaller steps"
        )
    order = parts["total"].argsort(descending=True, stable=True)
    names = [given.names[i] for i in order.tolist()]
    return Scored(names, order, {name: part[order] for name, part in parts.items()}, time.perf_counter() - began)


def _told(judge: Judge, images: ImageSet, device: torch.device) -> Iterator[DensityTerms | PotentialTerms]:
    size = images_per_chunk(images.shape, device)
    with tqdm(total=len(images), desc="scoring", unit="picture", dynamic_ncols=True) as bar:
        for start in range(0, len(images), size):
            some = images.batch(slice(start, start + size), device)
            yield judge(some)
            bar.update(len(some))


def write_scores(
    out: Path, given: Given, done: Scored, recipe: Recipe, facts: dict[str, Any], device: torch.device
) -> list[Entry]:
    """Leave numbers and a contact sheet in ``out``. Returns the results.

    ``scores.csv`` has a line for each picture, likeliest first; ``scores.png`` the pictures in that order, the first
    and the last where they are too many; ``results.json`` the mean of each part. ``facts`` (seed, command, iteration)
    go into each result.
    """
    new_folder(out)
    atomic_write(out / "scores.csv", _table(done))
    pictures.save(_sheet(given.images, done.order), out / "scores.png")
    entries, called = [], algorithm_of(recipe.plan)
    for name, part in done.parts.items():
        mean = average(part)
        entries.append(
            result(
                f"{called} mean {_WORDS[name]}",
                *mean,
                wall_seconds=done.seconds,
                data_sha256=given.images.sha256,
                device=device,
                **facts,
            )
        )
    write_results(out / "results.json", entries)
    return entries


def _table(done: Scored) -> str:
    """Comma-separated values (RFC 4180, but for its line ends): names with commas, quotes or line ends are quoted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", *done.parts])
    writer.writerows(zip(done.names, *(part.tolist() for part in done.parts.values()), strict=True))
    return text.getvalue()


def _sheet(images: ImageSet, order: Tensor) -> Image.Image:
    """The pictures from likeliest to least likely; the first and the last where there are more than fit."""
    n, most = len(order), most_shown(images.shape)
    if n <= most:
        return pictures.labelled_row([(_count(n), _grid(images, order))])
    half = most // 2
    first, last = _grid(images, order[:half], 5), _grid(images, order[-half:], 5)
    return pictures.labelled_row([(f"the {half} likeliest of {n}", first), (f"the {half} least likely", last)])


def _grid(images: ImageSet, chosen: Tensor, columns: int = 10) -> Image.Image:
    shown = images.batch(chosen)
    return pictures.grid(shown, columns=columns, scale=pictures.scale_of(shown))


def _count(n: int) -> str:
    return f"{n} pictures, likeliest first" if n > 1 else "1 picture"


def summary(done: Scored) -> Iterator[str]:
    """The likeliest and the least likely in a few lines, and what their numbers do not say."""
    n = len(done.names)
    if n <= 2 * _NAMED:
        yield f"{_count(n)}:"
        yield from (_line(done, i) for i in range(n))
    else:
        yield f"The likeliest of {n} pictures:"
        yield from (_line(done, i) for i in range(_NAMED))
        yield "The least likely:"
        yield from (_line(done, i) for i in range(n - _NAMED, n))
    yield f"{CAUTION} {_RANKING}" if "ratio" in done.parts else CAUTION


def _line(done: Scored, i: int) -> str:
    *parts, (_, total) = ((_WORDS[name], f"{part[i].item():.7g}") for name, part in done.parts.items())
    name = done.names[i]
    shown = name if name.isprintable() else repr(name)
    return f"  {total} = {' + '.join(f'{number} ({word})' for word, number in parts)}  {shown}"
