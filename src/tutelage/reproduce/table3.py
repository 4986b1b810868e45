"""Table 3 of CoopNets (§4.5): the Fréchet distance of models of CIFAR-10."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import data
from ..metrics.extractors import Extractor
from ..recipes import CIFAR10, by_name
from ..run.feature_measures import frechet_measure, kernel_measure, manifold_measures
from ..run.results import Entry
from .bench import Bench
from .contest import Contender, chosen, tabulate
from .page import Column, Quoted, Table

CONTENDERS = (
    Contender(CIFAR10),
    Contender(by_name("dcgan/cifar10")),
    Contender(by_name("wgan-gp/cifar10")),
    Contender(by_name("vae/cifar10")),
    Contender(by_name("flow-matching/cifar10")),
)
_SOURCE = "the paper's Table 3, with the Inception of 2015; it compares with no distance on another extractor"
QUOTED = (
    Quoted("WGAN", "FID", 48.40, None, _SOURCE, paper=True),
    Quoted("DCGAN", "FID", 37.70, None, _SOURCE, paper=True),
    Quoted("VAE", "FID", 126.32, None, _SOURCE, paper=True),
    Quoted("CoopNets generator", "FID", 35.25, None, _SOURCE, paper=True),
    Quoted("CoopNets descriptor", "FID", 33.61, None, _SOURCE, paper=True),
)
_WORDS = """\
{samples:,} samples of each model against as many held-out images, after {minutes:g} minutes of training each, from one
seed and at the last iteration. Less is better but for precision (how many samples lie among real images) and recall
(how many real images among the samples). Distances depend on the number of images: compare them within this table
only."""


def table3(
    bench: Bench,
    extractor: Extractor,
    path: Path | None = None,
    contenders: Sequence[Contender] = CONTENDERS,
    only: Sequence[str] = (),
    samples: int = 10_000,
    near: int = 1_000,
) -> Iterator[Entry]:
    """Train what is not trained yet, measure what is not measured yet, and write ``table3.md``, ``.json`` and ``.svg``.

    Args:
        bench: the terms.
        extractor: what distances are measured by; only with that of FID are they called so.
        path: where the data are, as `tutelage.data.load` takes it.
        contenders: the models; all learn from the same images.
        only: names of recipes; where some are given, the others are not run.
        samples: drawn of each model, and held-out images that they are compared with, or as many as there are.
        near: of them, those that precision and recall are taken of; they cost the square of it.

    Yields each number as it is known. Raises as `tutelage.reproduce.contest.contest` does.
    """
    running = chosen(contenders, only)
    splits = data.load(contenders[0].recipe.data, path)
    frechet = frechet_measure(splits, extractor, samples, bench.seed, bench.device)
    kernel = kernel_measure(splits, extractor, samples, bench.seed, bench.device)
    manifold = manifold_measures(splits, extractor, near, bench.seed, bench.device)[:2]
    columns = (
        Column(frechet.name, frechet.name, ".4g"),
        Column(kernel.name, kernel.name),
        Column(manifold[0].name, "precision"),
        Column(manifold[1].name, "recall"),
        *([] if extractor.published else [Column("FID", "FID", ".4g")]),
    )
    rows = tuple(row for contender in contenders for row in contender.rows)
    words = _WORDS.format(samples=frechet.samples, minutes=bench.minutes)
    table = Table(
        "Distances of objects (CoopNets, Table 3)", words, rows, ("real against real", "noise"), columns, QUOTED
    )
    yield from tabulate(bench, "table3", table, running, splits, [frechet, kernel, *manifold])
