"""Models of pictures by how far their samples are from held-out ones, in the features of any extractor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import data
from ..metrics.extractors import Extractor
from ..run.feature_measures import frechet_measure, kernel_and_manifold_measures
from ..run.results import Entry
from .bench import Bench
from .cells import tabulate
from .contest import Contender, chosen, contest, where_known
from .page import Column, Quoted, Table

_WORDS = """\
{samples:,} samples of each model against as many held-out images, after {minutes:g} minutes of training each, from one
seed and at the last iteration. Less is better but for precision (how many samples lie among real images) and recall
(how many real images among the samples), of {near:,} images each. All depend on the number of images: compare them
within this table only."""


def distances(
    bench: Bench,
    extractor: Extractor,
    path: Path | None = None,
    *,
    name: str,
    title: str,
    contenders: Sequence[Contender],
    only: Sequence[str] = (),
    samples: int = 1_000,
    near: int = 1_000,
    quoted: tuple[Quoted, ...] = (),
) -> Iterator[Entry]:
    """Train what is not trained yet, measure what is not measured yet, and write ``NAME.md``, ``.json`` and ``.svg``.

    Args:
        bench: the terms.
        extractor: what distances are measured by; only with that of FID are they called so.
        path: where the data are, as `tutelage.data.load` takes it.
        name: of the files.
        title: of the page.
        contenders: the models; all learn from the same images, mirrored at random or not.
        only: names of recipes; where some are given, the others are not run.
        samples: drawn of each model, and held-out images that they are compared with, or as many as there are.
        near: of them, those that precision and recall are taken of; they cost the square of it.
        quoted: published numbers; each measure of them that is not measured here has a column of its own.

    Yields each number as it is known. Raises as `tutelage.reproduce.cells.filled` does.
    """
    running = chosen(contenders, only)
    splits = data.load(contenders[0].recipe.data, path)
    frechet = frechet_measure(splits, extractor, samples, bench.seed, bench.device)
    kernel, manifold = kernel_and_manifold_measures(splits, extractor, samples, near, bench.seed, bench.device)
    manifold = manifold[:2]
    columns = [
        Column(frechet.name, frechet.name, ".4g"),
        Column(kernel.name, kernel.name),
        Column(manifold[0].name, "precision"),
        Column(manifold[1].name, "recall"),
    ]
    here, elsewhere = {column.measure for column in columns}, [*dict.fromkeys(quote.measure for quote in quoted)]
    columns += [Column(measure, measure, ".4g", quoted=True) for measure in elsewhere if measure not in here]
    rows = tuple(row for contender in contenders for row in contender.rows)
    words = _WORDS.format(samples=frechet.samples, near=manifold[0].samples, minutes=bench.minutes)
    mirrored = [contender.algorithm for contender in contenders if contender.recipe.data.flip]
    words += f" {', '.join(mirrored)} saw mirrored images too." if 0 < len(mirrored) < len(contenders) else ""
    order = (frechet.name, elsewhere[0]) if quoted else None
    beside, hidden = ("real against real", "noise"), where_known(contenders, running)
    table = Table(title, words, rows, beside, tuple(columns), quoted, order=order, known=hidden)
    return tabulate(bench, name, table, contest(bench, running, splits, [frechet, kernel, *manifold]))
