"""Table 1 of CoopNets (§4.3): Inception Scores of scenes against the number of training images of each category.

One model learns from all categories mixed, n pictures of each; the smaller networks from mirrored ones too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from ..metrics.extractors import Extractor
from ..recipes import SCENE64, SCENE_QUICK, by_name
from ..run.feature_measures import inception_measure
from ..run.results import Entry
from .bench import Bench
from .categories import alone, few, folders_of, named, sets_of
from .cells import tabulate
from .contest import Contender, chosen, contest, full_size, where_known
from .page import Column, Curves, Quoted, Table

CONTENDERS = (
    Contender(SCENE_QUICK),
    Contender(by_name("dcgan/scene-quick")),
    Contender(by_name("vae/scene-quick")),
    *full_size(SCENE64, by_name("dcgan/scene64"), by_name("vae/scene64")),
)
SCENES = {
    "n09193705": "alp",
    "n09246464": "cliff drop",
    "n03042490": "cliff dwelling",
    "n09288635": "geyser",
    "n09332890": "lakeside",
    "n09399592": "promontory",
    "n09421951": "sandbar",
    "n09428293": "seashore",
    "n09468604": "valley",
    "n09472597": "volcano",
}
"""The paper's categories by their WordNet ids."""
_SIZES = (50, 100, 300, 500, 700, 900, 1100)
_PRINTED = {
    "CoopNets": "2.66±.13 3.04±.13 3.41±.13 3.48±.08 3.59±.11 3.65±.07 3.79±.15",
    "DCGAN": "2.26±.16 2.50±.15 3.16±.15 3.05±.12 3.13±.09 3.34±.05 3.47±.06",
    "EBGAN": "2.23±.17 2.40±.14 2.62±.08 2.46±.09 2.65±.04 2.64±.04 2.75±.08",
    "W-GAN": "1.80±.09 2.19±.12 2.34±.06 2.62±.08 2.86±.10 2.88±.07 3.14±.06",
    "VAE": "1.62±.09 1.63±.06 1.65±.05 1.73±.04 1.67±.03 1.72±.02 1.73±.02",
    "InfoGAN": "2.21±.04 1.73±.01 2.15±.03 2.42±.05 2.47±.05 2.29±.03 2.08±.04",
    "Method of Kim and Bengio": "2.44±.27 2.38±.13 2.42±.09 2.94±.11 3.02±.06 3.08±.08 3.15±.06",
    "Algorithm G": "1.72±.07 1.94±.09 2.32±.09 2.40±.06 2.45±.05 2.54±.05 2.61±.06",
    "Persistent CD": "1.30±.08 1.94±.03 1.80±.02 1.53±.02 1.45±.04 1.35±.02 1.51±.02",
}
_SOURCE = (
    "the paper's Table 1, with the Inception of 2015 and ten categories of ImageNet; it compares with no score of "
    "another classifier"
)
QUOTED = tuple(
    Quoted(row, f"IS n={n}", float(value), float(spread), _SOURCE, paper=True)
    for row, cells in _PRINTED.items()
    for n, (value, _, spread) in zip(_SIZES, (cell.partition("±") for cell in cells.split()), strict=True)
)
_WORDS = """\
Each model learned for {minutes:g} minutes from n images of each of {k} categories, mixed: {folders}. {name} is the
exponential of how much an image tells of the class that {extractor} sees in it: 1 where it tells nothing, {classes}
where every image is surely of one class and all {classes} come alike; it is an Inception Score only where the
classifier is the Inception of 2015. More is better. It is the mean over parts of {samples:,} samples, and ± the
spread of the parts over the root of their number (the paper's ± is the spread itself). Real images are as many of the
largest training set, in every column, and noise is uniform. One seed, at the last iteration."""


def table1(
    bench: Bench,
    extractor: Extractor,
    path: Path | None = None,
    categories: Sequence[str] = (),
    contenders: Sequence[Contender] = CONTENDERS,
    only: Sequence[str] = (),
    sizes: Sequence[int] = (50, 500),
    samples: int = 5_000,
) -> Iterator[Entry]:
    """Train what is not trained yet, measure what is not measured yet, and write ``table1.md``, ``.json`` and ``.svg``.

    Args:
        bench: the terms.
        extractor: the classifier.
        path: where the data are, as `tutelage.data.load` takes it: a folder or a zip with a folder for each category.
        categories: of the data, as `tutelage.reproduce.categories` names them; the paper's where none is given.
        contenders: the models.
        only: names of recipes; where some are given, the others are not run.
        sizes: numbers of training images of each category; they are the first by name.
        samples: drawn of each model, or as many as the largest training set has, if fewer.

    Yields each number as it is known. Raises ``InputError`` for an extractor that is no classifier, categories that are
    not there, and fewer images of one than are asked for; and as `tutelage.reproduce.cells.filled` does.
    """
    running, folders = chosen(contenders, only), folders_of(categories or tuple(SCENES), path)
    sets = sets_of(contenders[0], folders, sizes, path)
    largest = sets[max(sets)]
    score = inception_measure(largest, extractor, samples, bench.seed, bench.device)
    facts = {"categories": [*folders]}
    of = {n: named(score, f"{score.name} n={n}", {**facts, "training_images": n}) for n in sets}
    columns = [Column(of[n].name, f"{score.name}, n = {n}") for n in sets]
    quoted = tuple(quote for quote in QUOTED if quote.measure in {f"IS n={n}" for n in sets})
    if not extractor.published:
        measures = dict.fromkeys(quote.measure for quote in quoted)
        heads = {measure: f"Inception Score, {measure[3:].replace('=', ' = ')}" for measure in measures}
        columns += [Column(measure, head, quoted=True) for measure, head in heads.items()]
    words = _WORDS.format(
        minutes=bench.minutes,
        k=len(folders),
        folders=", ".join(folders),
        name=score.name,
        extractor=extractor.name,
        classes=extractor.classes,
        samples=score.samples,
    )
    table = Table(
        "Scenes against the number of training images (CoopNets, Table 1)",
        words,
        tuple(row for contender in contenders for row in contender.rows),
        tuple(score.beside),
        tuple(columns),
        quoted,
        (Curves(score.name, "training images of each category", {n: of[n].name for n in sets}),),
        known=where_known(contenders, running),
    )
    cells = [contest(bench, [], largest, [*of.values()])]
    for n, splits in sets.items():
        cells.append(contest(bench, [few(model, folders, n) for model in running], splits, [alone(of[n])]))
    return tabulate(bench, "table1", table, chain.from_iterable(cells))
