"""Textures by introspection beside other methods (IGM Figs 2 and 6): bricks, pebbles, whatever pictures are given.

Every model that learns gets the budget, and so does every method that descends an energy instead: as long for all its
pictures as a model learns. All see the same square picture at 160x160 pixels, whole or in crops, and every method makes
pictures of as large an area.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from .. import data
from ..baselines import descent, gram, portilla_simoncelli
from ..baselines.descent import Progress, Record
from ..baselines.texture_maps import RandomFilters, VggMaps, vgg_of
from ..checks import InputError
from ..data import DataSpec, Splits
from ..metrics import vgg
from ..metrics.portilla_simoncelli import principal_axes
from ..recipes import by_name
from ..rng import stream
from ..run import pictures
from ..run.measures import Measure, statistics_measure, texture_measure
from ..run.results import Entry, result
from ..types import Images
from .bench import Bench
from .categories import alone, named
from .cells import Cells, settings_of, tabulate
from .contest import Contender, chosen, contest, facts_of_measures
from .page import Column, Table


class Method(Protocol):
    """What makes ``n`` textures like ``texture`` (``[C, H, W]``) of ``size`` without having learned: ``[n, C, *size]``.

    It descends from noise several times, and passes the records of each descent through ``progress``.
    """

    def __call__(
        self, texture: Tensor, size: tuple[int, int], *, rng: torch.Generator, n: int, progress: Progress
    ) -> Images: ...


NAME = "igm-textures"
CONTENDERS = (
    Contender(by_name("igm/texture")),
    Contender(by_name("igm/texture-single")),
    Contender(by_name("coopnets/texture-quick")),
    Contender(by_name("texture-nets/quick"), "Texture net, random filters"),
    Contender(by_name("dcgan/texture-quick")),
)
_LONG = descent.Plan(steps=100_000)  # the clock ends it
_VGG16 = "Gram matrices, VGG-16"


def methods_with(weights: Path | None = None) -> Mapping[str, tuple[Method, int]]:
    """What needs no learning, by name, and how many descents it makes of a picture.

    ``weights`` is a file of VGG-19 (`tutelage.metrics.vgg.load_vgg19`), whose layers are taken as far as it goes; None
    is VGG-16 of its package. Raises ``InputError`` as `load_vgg19` does.
    """
    row, maps, statistics = _VGG16, VggMaps(sha256=vgg.SHA256), portilla_simoncelli.PAPER
    if weights is not None:
        network = vgg_of("vgg19", str(weights), "cpu")
        layers = tuple(layer for layer in maps.layers if layer in network.layers)
        row, maps = "Gram matrices, VGG-19", VggMaps(layers, "vgg19", str(weights), sha256=network.sha256)
    return {
        "Gram matrices, random filters": (partial(gram.synthesise, maps=RandomFilters(count=32), plan=_LONG), 1),
        row: (partial(gram.synthesise, maps=maps, plan=_LONG), 1),
        "Portilla-Simoncelli": (partial(portilla_simoncelli.synthesise, statistics=statistics, plan=_LONG), 3),
    }


METHODS = methods_with()
_BESIDE = ("real against real", "shuffled pixels", "noise")
_WORDS = """\
Each model learned one picture for {minutes:g} minutes: {names}. Methods that learn nothing descended an energy from
noise for as long, {n} pictures together. patch-SWD is the sliced Wasserstein distance between small patches,
Portilla-Simoncelli the distance between the statistics of that name; less is better in both, and each method that
minimises a statistic is at home in its own. They compare {n} pictures of {height}x{width} (of smaller models, as many
as have that area) with the whole picture at that size. Statistics are taken of each picture, and those of a small one
would differ from the whole picture's even if it were real: patch-SWD alone compares models of several sizes. The floor
is the picture's left half against its right, the ceilings are its pixels shuffled, and noise. One seed, at the last
iteration, nothing picked."""


def igm_textures(
    bench: Bench,
    path: Path | None = None,
    contenders: Sequence[Contender] = CONTENDERS,
    only: Sequence[str] = (),
    methods: Mapping[str, tuple[Method, int]] = METHODS,
    n: int = 3,
) -> Iterator[Entry]:
    """Train what is not trained yet, measure what is not measured yet, and write ``igm-textures.md`` (.json, .svg).

    Args:
        bench: the terms.
        path: a picture of a texture, or a folder of them, as `tutelage.data.find_each` takes it.
        contenders: the models, the first of whole pictures, which all are compared with: enlarged only if all do so.
        only: names of recipes; where some are given, the other models are not run, and no method without learning is.
        methods: those, by name. One that needs weights which are not installed is not run.
        n: pictures of the first model's size that are made of each texture.

    Yields each number as it is known. Raises as `find_each` and `tutelage.reproduce.cells.filled` do, and
    ``InputError`` for a picture that is not square, of colours that do not vary, or smaller than the first model's
    where not all models enlarge it, and where plenoptic is not installed.
    """
    running, whole = chosen(contenders, only), contenders[0].recipe.data
    whole = replace(whole, enlarge=all(contender.recipe.data.enlarge for contender in contenders))
    textures = {name: (place, _whole(whole, place)) for name, place in data.find_each("image", path).items()}
    height, width = whole.size
    words = _WORDS.format(minutes=bench.minutes, names=", ".join(textures), n=n, height=height, width=width)
    at_hand = {row for row in methods if row != _VGG16 or find_spec(vgg.PACKAGE) is not None}
    wanting = [
        f"\n\n{row}: the weights are not here; `{vgg.INSTALL}`, or name a VGG-19 with `--vgg`."
        for row in methods
        if row not in at_hand
    ]
    words += "".join(wanting)
    columns = [
        Column(measure.name, measure.name)
        for name, (_, splits) in textures.items()
        for measure in _measures(bench, splits, name, n)
    ]
    learned = tuple(row for contender in contenders for row in contender.rows)
    table = Table("Textures (IGM, Figs 2 and 6)", words, (*learned, *methods), _BESIDE, tuple(columns))
    return tabulate(bench, NAME, table, _cells(bench, running, methods, set() if only else at_hand, textures, n))


def _whole(spec: DataSpec, place: Path) -> Splits:
    """The picture as it is compared with, refused before anything learns from it."""
    splits = data.load(spec, place)
    with Image.open(place) as picture:
        width, height = picture.size
    if width * spec.size[0] != height * spec.size[1]:
        raise InputError(
            f"{place} is {width}x{height}, and all are to learn the same {spec.size[1]}x{spec.size[0]}; cut it to that "
            "shape"
        )
    try:
        principal_axes(splits.train.batch(slice(None)))
    except InputError:
        raise InputError(f"{place} has no colours to compare: they do not vary; give a texture in colours") from None
    return splits


def _measures(bench: Bench, splits: Splits, texture: str, n: int) -> list[Measure[Any]]:
    both = (texture_measure, statistics_measure)
    made = [measure(splits, n, bench.seed, bench.device) for measure in both]
    return [named(measure, f"{measure.name} of {texture}", {}) for measure in made]


def _cells(
    bench: Bench,
    contenders: Sequence[Contender],
    methods: Mapping[str, tuple[Method, int]],
    at_hand: Collection[str],
    textures: Mapping[str, tuple[Path, Splits]],
    n: int,
) -> Iterator[Cells]:
    for name, (place, splits) in textures.items():
        measures = _measures(bench, splits, name, n)
        yield from contest(bench, [], splits, measures)
        for contender in contenders:
            recipe = replace(contender.recipe, name=f"{contender.recipe.name}-of-{name}")
            own = data.load(recipe.data, place)
            as_many = math.ceil(n * math.prod(splits.train.shape) / math.prod(own.train.shape))
            of_models = [alone(measure) for measure in _measures(bench, splits, name, as_many)]
            yield from contest(bench, [replace(contender, recipe=recipe)], own, of_models)
        facts = facts_of_measures(splits, measures)
        for row, (method, descents) in methods.items():
            make = partial(_descended, bench, row, partial(method, n=n), n * descents, splits, name, measures)
            set_so = {"settings": settings_of(method)}
            cells = {f"{row} {measure}": of | set_so for measure, of in facts.items()}
            yield Cells(cells, make if row in at_hand else None)


def _descended(
    bench: Bench,
    row: str,
    method: Callable[..., Images],
    descents: int,
    splits: Splits,
    texture: str,
    measures: Sequence[Measure[Any]],
) -> Iterator[Entry]:
    picture = splits.train.batch(slice(0, 1), bench.device)[0].to(torch.float32)
    rng, progress = stream(bench.seed, row, texture, device=bench.device), for_seconds(60 * bench.minutes, descents)
    began = time.perf_counter()
    made = method(picture, tuple(picture.shape[1:]), rng=rng, progress=progress)
    seconds = time.perf_counter() - began
    kept = f"{NAME}_{texture}_{row.replace(', ', '_').replace(' ', '_')}.png"
    pictures.save(pictures.grid(made, columns=len(made)), bench.out / kept)
    for measure in measures:
        yield {
            **result(
                f"{row} {measure.name}",
                **measure.fields(measure.score(made)),
                wall_seconds=seconds,
                data_sha256=splits.train.sha256,
                **bench.terms,
            ),
            "method": f"{row} of {texture}",
            "picture": kept,
        }


def for_seconds(seconds: float, descents: int) -> Progress:
    """The records of so many descents that come one after the other, until together they have taken ``seconds``.

    Each gets an equal part of what is left when it begins, and one record or more; the last record is what it has come
    to by then. The clock is looked at after each.
    """
    ends, left = time.perf_counter() + seconds, descents

    def some(records: Iterable[Record]) -> Iterator[Record]:
        nonlocal left
        now = time.perf_counter()
        until, left = now + (ends - now) / max(1, left), left - 1
        for record in records:
            yield record
            if time.perf_counter() >= until:
                return

    return some
