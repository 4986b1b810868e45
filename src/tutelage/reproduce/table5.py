"""Table 5 of CoopNets (§4.6): faces with a part hidden, completed by generators and by what knows no faces."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .. import data
from ..apps.inference import NOISE_STD, Plan
from ..apps.masks import squares
from ..baselines.holes import Fill
from ..baselines.inpainting import Interpolation, biharmonic
from ..baselines.mrf import ExactMrf, GibbsMrf
from ..checks import DivergenceError, InputError
from ..data import ImageSet, Splits
from ..learn import coopnets
from ..metrics.average import average
from ..recipes import FACES64, FACES_QUICK, FACES_QUICK_LOGISTIC, by_name
from ..rng import stream
from ..run import completing
from ..run.load import load
from ..run.results import Entry, result
from ..types import Images
from .bench import Bench, about, trained
from .cells import Cells, facts_of, settings_of, tabulate
from .contest import Contender, chosen, made_by
from .page import Column, Quoted, Table

_PAPER = 600  # iterations, §4.6


def _short(contender: Contender) -> Contender:
    """In the paper's own conditions: 600 iterations, however long they take, and no average of the weights."""
    recipe = contender.recipe
    plan = replace(recipe.plan, iterations=_PAPER, ema_decay=None)
    few = replace(recipe, name=f"{recipe.name}-{_PAPER}", plan=plan)
    return Contender(few, f"{contender.algorithm}, {_PAPER} iterations", own_length=True)


CONTENDERS = (
    Contender(FACES_QUICK),
    Contender(FACES_QUICK_LOGISTIC),
    Contender(by_name("dcgan/faces64-quick")),
    _short(Contender(FACES64)),
    _short(Contender(replace(by_name("dcgan/scene64"), name="dcgan/faces64"))),
)
FILLS: Mapping[str, Fill] = {
    **{f"inpaint-{method}": Interpolation(method) for method in (1, 2, 3, 4, 5)},
    "MRF-l1, Gibbs": GibbsMrf(1),
    "MRF-l2, Gibbs": GibbsMrf(2),
    "MRF-l1, minimum": ExactMrf(1),
    "MRF-l2, minimum": ExactMrf(2),
    "biharmonic": biharmonic,
}
_SOURCE = "the paper's Table 5, on 1 000 other faces (there inpaint is called inter)"
_PRINTED = {
    "CoopNets": (0.115, 0.124, 0.136, 16.893, 16.098, 15.105),
    "DCGAN": (0.211, 0.212, 0.214, 12.116, 11.984, 11.890),
    "MRF-l1": (0.132, 0.148, 0.178, 15.739, 14.834, 13.313),
    "MRF-l2": (0.134, 0.149, 0.179, 15.692, 14.785, 13.309),
    "inpaint-1": (0.120, 0.135, 0.170, 16.203, 15.065, 13.220),
    "inpaint-2": (0.120, 0.135, 0.166, 16.635, 15.644, 14.009),
    "inpaint-3": (0.265, 0.314, 0.353, 9.524, 8.178, 7.327),
    "inpaint-4": (0.120, 0.135, 0.164, 16.665, 15.698, 14.164),
    "inpaint-5": (0.120, 0.135, 0.164, 16.648, 15.688, 14.161),
}
SIZES = (30, 40, 50)
_STEP_SIZES, _TUNED_ON = (0.1, 0.03, 0.02, 0.01), 10
"""The δ of inference that are tried, and on how many training faces."""
_CHAINS = 8
"""What share the steps of one; more of them made no less error in trials."""
_WORDS = """\
{n} held-out faces, a square of 30, 40 or 50 pixels hidden at a random place in each (the same for all rows). Error is
the mean absolute difference in the hidden square, in units of the range; PSNR is of the same pixels; ± is the standard
error of the mean over faces. Each generator learned for {minutes:g} minutes from faces mirrored at random (CoopNets' by
the recipe `coopnets/faces64-quick`, "Logistic CoopNets'" by the same with f learned by logistic regression), or for the
paper's 600 iterations (CoopNets' by `coopnets/faces64`). The latents are inferred from what is seen in {steps:,} steps
of Langevin dynamics, by one chain; its step size is the one of {sizes} that leaves the least residual on what is seen
of {tuned} training faces with such holes. In rows called "mean of {chains}" so many chains share those steps, and the
hole is the mean of what they make of it: the same work, less error, and smoother pictures. In rows called "revised" the
descriptor has then made as many steps on the hidden pixels as in learning. The paper does neither. Less error is
better, and more PSNR."""


def table5(
    bench: Bench,
    path: Path | None = None,
    contenders: Sequence[Contender] = CONTENDERS,
    only: Sequence[str] = (),
    n: int = 100,
    steps: int = 1000,
    sizes: Sequence[int] = SIZES,
    fills: Mapping[str, Fill] = FILLS,
) -> Iterator[Entry]:
    """Train what is not trained yet, complete what is not completed yet, and write ``table5.md`` (.json, .svg, .png).

    Args:
        bench: the terms.
        path: where the faces are, as `tutelage.data.load` takes it; the first ``n`` of the test (or validation) images
            are completed.
        contenders: models with a generator; all learn from the same images.
        only: names of recipes; where some are given, the others are not run, and nothing without learning is.
        n: faces.
        steps: of inference.
        sizes: of the hidden squares, in pixels.
        fills: what completes without having learned anything.

    Yields each number as it is known. Raises ``InputError`` where no faces are held out, and as
    `tutelage.reproduce.cells.filled` does.
    """
    running = chosen(contenders, only)
    splits = data.load(contenders[0].recipe.data, path)
    held_out = splits.test or splits.validation
    if held_out is None:
        raise InputError(
            "the data hold no images out; completion needs some that were not learned from: add a folder "
            "test/ beside train/, or hold some out with --held-out"
        )
    faces = held_out.subset(0, min(n, len(held_out)), held_out.name)
    height, width = faces.shape[1:]
    masks = {size: squares(len(faces), (height, width), size, stream(bench.seed, "mask", size)) for size in sizes}
    rows = tuple(row for contender in contenders for way in _ways(contender, steps) for row in _rows(contender, way))
    columns = tuple(
        Column(_measure(what, size), f"{what}, {size}", digits)
        for what, digits in (("error", ".3f"), ("PSNR", ".2f"))
        for size in sizes
    )
    names = [_measure(what, size) for what in ("error", "PSNR") for size in SIZES]
    quoted = tuple(
        Quoted(row, name, value, None, _SOURCE, paper=True)
        for row, values in _PRINTED.items()
        for name, value in zip(names, values, strict=True)
    )
    sizes_tried = ", ".join(f"{size:g}" for size in _STEP_SIZES)
    words = _WORDS.format(
        n=len(faces), minutes=bench.minutes, steps=steps, sizes=sizes_tried, tuned=_TUNED_ON, chains=_CHAINS
    )
    needs = {row: "skimage" if fill is biharmonic else "scipy" for row, fill in fills.items()}
    at_hand = {row for row, package in needs.items() if find_spec(package) is not None}
    absent = ", ".join(row for row in fills if row not in at_hand)
    words += f"\n\nNot installed, so not run: {absent}; `pip install 'tutelage[inpainting]'`." if absent else ""
    table = Table("Completed faces (CoopNets, Table 5)", words, (*rows, *fills), (), columns, quoted)
    filling = set() if only else at_hand
    return tabulate(bench, "table5", table, _cells(bench, running, splits, faces, masks, steps, fills, filling))


class _Way(NamedTuple):
    """How a hole is inferred: by so many chains, of which the mean is kept, of so many steps each."""

    chains: int
    steps: int


def _ways(contender: Contender, steps: int) -> tuple[_Way, ...]:
    """The paper's, by one chain of ``steps``, and by more that share them; in the paper's own conditions only its."""
    return (_Way(1, steps),) if contender.own_length else (_Way(1, steps), _Way(_CHAINS, -(-steps // _CHAINS)))


def _rows(contender: Contender, way: _Way) -> tuple[str, ...]:
    """What its generator makes of a face; where there is a descriptor, what that makes of the generator's."""
    name = contender.algorithm if way.chains == 1 else f"{contender.algorithm}, mean of {way.chains}"
    return (name, f"{name}, revised") if isinstance(contender.recipe.plan, coopnets.Plan) else (name,)


def _measure(what: str, size: int) -> str:
    return f"M{size} {what}"


def _cells(
    bench: Bench,
    contenders: Sequence[Contender],
    splits: Splits,
    faces: ImageSet,
    masks: Mapping[int, Tensor],
    steps: int,
    fills: Mapping[str, Fill],
    filling: Collection[str],
) -> Iterator[Cells]:
    train, originals = splits.train, faces.batch(slice(None))
    facts = {**facts_of(splits), "n": len(faces)}
    tuning: dict[str, Any] = {
        "noise_std": NOISE_STD,
        "latent_step_sizes": [*_STEP_SIZES],
        "tuned_on": min(_TUNED_ON, len(train)),
    }

    def entries(row: str, size: int, made: Images, more: Entry) -> Iterator[Entry]:
        seen = masks[size]
        occluded = torch.where(seen != 0, originals, 0.0)
        panels = {"original": originals, "occluded": occluded, "completed": torch.where(seen != 0, originals, made)}
        name = f"table5_M{size}_{row.replace(' ', '_').replace(',', '')}.png"
        completing.save_panels({title: images[:20] for title, images in panels.items()}, bench.out / name)
        terms = {**bench.terms, "picture": name}
        for what, values in completing.recovered(made, originals, seen).items():
            full = f"{row} {_measure(what, size)}"
            yield result(full, *average(values), data_sha256=train.sha256, wall_seconds=0.0, **terms) | more

    def by_fill(row: str, fill: Fill, size: int) -> Iterator[Entry]:
        rng, began = stream(bench.seed, row, size), time.perf_counter()
        pairs = zip(originals, masks[size][:, 0] == 0, strict=True)
        made = torch.stack([fill(image, hole, rng) for image, hole in pairs])
        took = time.perf_counter() - began
        return entries(row, size, made, {"wall_seconds": took, "method": f"{row}, {size}"})

    def by_model(contender: Contender, way: _Way, size: int) -> Iterator[Entry]:
        run = trained(bench, contender.recipe, train, own_length=contender.own_length)
        learner, state = load(run.path, bench.device)
        some = train.subset(0, tuning["tuned_on"], train.name)
        hidden = squares(len(some), (some.shape[1], some.shape[2]), size, stream(bench.seed, "tuning mask", size))

        def complete(images: ImageSet, mask: Tensor, step_size: float, chance: str) -> completing.Completed:
            several = () if way.chains == 1 else (way.chains,)
            rng = stream(bench.seed, chance, size, *several, device=bench.device)
            plan = Plan(NOISE_STD, step_size, way.steps, way.chains, keep="mean" if several else "best")
            return completing.complete(learner, state, images, mask, plan, 0, rng)

        def residual(step_size: float) -> float:
            try:
                return complete(some, hidden, step_size, "tuning").residual.mean().item()
            except DivergenceError:
                return math.inf

        step_size = min(_STEP_SIZES, key=residual)
        done = complete(faces, masks[size], step_size, "completion")
        found = about(run) | {"latent_step_size": step_size, "residual": done.residual.mean().item()}
        found |= {"inference_seconds": done.seconds}
        generated, *of_descriptor = _rows(contender, way)
        yield from entries(generated, size, done.generated, found)
        for row in of_descriptor:
            rng, count = stream(bench.seed, "revision", size, device=bench.device), learner.plan.revision_steps
            start, seen = done.completed.to(bench.device), masks[size].to(bench.device)
            made = completing.revised(learner, state, start, seen, count, rng).cpu()
            yield from entries(row, size, made, found | {"revision_steps": count})

    def names(rows: Sequence[str], size: int) -> list[str]:
        return [f"{row} {_measure(what, size)}" for row in rows for what in ("error", "PSNR")]

    for size in masks:
        for row, fill in fills.items():
            make = partial(by_fill, row, fill, size) if row in filling else None
            own = {**facts, "settings": settings_of(fill)}
            yield Cells(dict.fromkeys(names((row,), size), own), make)
    for contender in contenders:
        for way in _ways(contender, steps):
            own = {**facts, **made_by(bench, contender), **tuning, "inference_steps": way.steps}
            own |= {} if way.chains == 1 else {"inference_chains": way.chains}
            for size in masks:
                make = partial(by_model, contender, way, size) if contender.asked else None
                yield Cells(dict.fromkeys(names(_rows(contender, way), size), own), make)
