"""Fig. 7 of CoopNets (§4.2): unaligned objects of one category against the number of training images.

A model learns from one category at a time, and the smaller networks from mirrored pictures too; the numbers are
averages over the categories.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ..checks import InputError
from ..data import Splits
from ..metrics.extractors import Extractor
from ..recipes import by_name
from ..run.feature_measures import class_measures
from ..run.measures import Measure, similarity_measure
from ..run.results import Entry, result
from .bench import Bench
from .categories import alone, few, folders_of, named, sets_of, word_net
from .cells import Cells, read, tabulate
from .contest import Contender, chosen, contest, full_size, where_known
from .page import Column, Curves, Table

CONTENDERS = (
    *(
        Contender(replace(by_name(f"{of}/scene-quick"), name=f"{of}/object-quick"))
        for of in ("coopnets", "dcgan", "vae")
    ),
    *full_size(
        by_name("coopnets/object64"),
        *(replace(by_name(f"{of}/scene64"), name=f"{of}/object64") for of in ("dcgan", "vae")),
    ),
)
OBJECTS = {
    "n07749582": 951,  # lemon
    "n03662601": 625,  # lifeboat
    "n07745940": 949,  # strawberry
    "n04146614": 779,  # school bus
    "n02391049": 340,  # zebra
}
"""The paper's categories by their WordNet ids: their indices among ImageNet's 1000 classes in the order of the ids."""
IMAGENET = 1000
_HEADS = ("class probability", "top-5 error", "pairwise SSIM")
_WORDS = """\
{k}: {folders}. A model of each learned for {minutes:g} minutes from n images. {samples:,}
samples are looked at by {extractor}: the probability that it gives to the category (more is better), and how often the
category is not among its five most probable classes (less is better). The structural similarity of two samples is
smaller where they vary more; noise shows that less is not better beyond that of real images, which are as many of the
largest training set. ± is the error of the average that comes from the number of samples, of one training from one
seed, at the last iteration."""


class _Category(NamedTuple):
    """A folder, what is learned from with each number of images, and the measures of its samples."""

    folder: str
    sets: Mapping[int, Splits]
    measures: Sequence[Measure[Any]]


def fig7(
    bench: Bench,
    extractor: Extractor,
    path: Path | None = None,
    categories: Sequence[str] = (),
    contenders: Sequence[Contender] = CONTENDERS,
    only: Sequence[str] = (),
    sizes: Sequence[int] = (50, 500),
    samples: int = 500,
) -> Iterator[Entry]:
    """Train what is not trained yet, measure what is not measured yet, and write ``fig7.md``, ``.json`` and ``.svg``.

    Args:
        bench: the terms.
        extractor: the classifier.
        path: where the data are, as `tutelage.data.load` takes it: a folder or a zip with a folder for each category.
        categories: of the data, as `tutelage.reproduce.categories` names them; but for those of the paper each with
            the index that the classifier has for it, ``lemon=951``. The paper's where none is given.
        contenders: the models.
        only: names of recipes; where some are given, the others are not run.
        sizes: numbers of training images; they are the first by name.
        samples: drawn of each model, or as many as the largest training set has, if fewer.

    Yields each number as it is known. Raises ``InputError`` for an extractor that is no classifier, or has not the
    classes, categories that are not there or have no index, and fewer images of one than are asked for; and as
    `tutelage.reproduce.cells.filled` does.
    """
    running, indices = chosen(contenders, only), _indices(categories or tuple(OBJECTS), extractor, path)
    found = []
    for folder, index in indices.items():
        sets = sets_of(contenders[0], folder, sizes, path)
        largest = sets[max(sets)]
        of_class = class_measures(largest, extractor, index, samples, bench.seed, bench.device)
        variety = similarity_measure(largest, samples, bench.seed, bench.device)
        found.append(_Category(folder, sets, [*of_class, variety]))
    first = found[0]
    facts = {"categories": [*indices], "samples": first.measures[0].samples}
    heads = {measure.name: head for measure, head in zip(first.measures, _HEADS, strict=True)}
    columns = tuple(Column(_at(name, n), f"{head}, n = {n}") for name, head in heads.items() for n in first.sets)
    curves = (Curves(head, "training images", {n: _at(name, n) for n in first.sets}) for name, head in heads.items())
    words = _WORDS.format(
        k=f"Averages over {len(found)} categories" if len(found) > 1 else "One category",
        folders=", ".join(indices),
        minutes=bench.minutes,
        samples=facts["samples"],
        extractor=extractor.name,
    )
    table = Table(
        "Unaligned objects against the number of training images (CoopNets, Fig. 7)",
        words,
        tuple(row for contender in contenders for row in contender.rows),
        tuple(first.measures[0].beside),
        columns,
        curves=tuple(curves),
        known=where_known(contenders, running),
    )
    return tabulate(bench, "fig7", table, _cells(bench, running, found, facts))


def _indices(categories: Sequence[str], extractor: Extractor, path: Path | None) -> dict[str, int]:
    """The class of each folder. Raises ``InputError`` where it is not known, or the classifier lacks it."""
    given = [text.partition("=")[::2] for text in categories]
    folders = folders_of([name for name, _ in given], path)
    return {folder: _index(folder, number, extractor) for folder, (_, number) in zip(folders, given, strict=True)}


def _index(folder: str, number: str, extractor: Extractor) -> int:
    classes, known = extractor.classes, OBJECTS.get(word_net(folder))
    if not number and (known is None or classes != IMAGENET):
        raise InputError(
            f"the class of {folder} among the {classes} of the extractor {extractor.name} is not known; give its index "
            f"with --categories {folder}=INDEX"
        )
    if number and not (number.isdecimal() and int(number) < classes):
        raise InputError(
            f"the class of {folder} is {number!r}, and the extractor {extractor.name} has those from 0 to "
            f"{classes - 1}; give its index"
        )
    return int(number) if number else OBJECTS[word_net(folder)]


def _at(measure: str, n: int) -> str:
    return f"{measure} n={n}"


def _of(measure: str, category: _Category) -> str:
    return f"{measure} of {category.folder}"


def _cells(
    bench: Bench, contenders: Sequence[Contender], categories: Sequence[_Category], facts: Entry
) -> Iterator[Cells]:
    names = [measure.name for measure in categories[0].measures]
    by = {  # similarity has no extractor
        measure.name: facts | {fact: of for fact, of in measure.facts.items() if fact.startswith("extractor")}
        for measure in categories[0].measures
    }
    for category in categories:
        measures = [named(measure, _of(measure.name, category), facts) for measure in category.measures]
        yield from contest(bench, [], category.sets[max(category.sets)], measures)
    sizes, rows = [*categories[0].sets], [*categories[0].measures[0].beside]
    for name in names:
        of = {f"{row} {_at(name, n)}": f"{row} {name}" for row in rows for n in sizes}
        yield _means(bench, of, categories, dict.fromkeys(of, by[name]))
    for n in sizes:
        for contender in contenders:
            for category in categories:
                measures = [
                    alone(named(measure, _of(_at(measure.name, n), category), {**facts, "training_images": n}))
                    for measure in category.measures
                ]
                yield from contest(bench, [few(contender, category.folder, n)], category.sets[n], measures)
            cells = {f"{row} {_at(name, n)}": by[name] for row in contender.rows for name in names}
            means = _means(bench, {cell: cell for cell in cells}, categories, cells)
            yield means if contender.asked else means._replace(make=None)


def _means(
    bench: Bench, cells: Mapping[str, str], categories: Sequence[_Category], facts: Mapping[str, Entry]
) -> Cells:
    """The averages over ``categories`` by their names, of what its value is called of each category."""

    def make() -> Iterator[Entry]:
        known = read(bench.out / "fig7.json", bench)
        for name, of in cells.items():
            yield _mean(bench, name, {category.folder: known[_of(of, category)] for category in categories})

    return Cells(facts, make)


def _mean(bench: Bench, name: str, parts: Mapping[str, Entry]) -> Entry:
    """The average entry of those of each category; a model that diverged in one of them has none."""
    failed = [f"{folder}: {part['failed']}" for folder, part in parts.items() if part["value"] is None]
    if failed:
        return {"name": name, "value": None, "stderr": None, "failed": " ".join(failed)}
    errors = [part["stderr"] for part in parts.values()]
    return result(
        name,
        math.fsum(part["value"] for part in parts.values()) / len(parts),
        None if None in errors else math.hypot(*errors) / len(parts),
        sum(part["n"] for part in parts.values()),
        wall_seconds=math.fsum(part["wall_seconds"] for part in parts.values()),
        data_sha256=", ".join(dict.fromkeys(part["data_sha256"] for part in parts.values())),
        **bench.terms,
    )
