"""Table 2 of CoopNets (§4.4): Parzen-window log-likelihood on MNIST, and what that measure does not see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import data
from ..recipes import CLASSIFIER_MNIST, COOPNETS_MNIST_QUICK, GENERATOR_MNIST_QUICK, Recipe, by_name
from ..run.feature_measures import frechet_measure, manifold_measures
from ..run.measures import parzen_measure
from ..run.recognition import labels_of, recogniser_of_run
from ..run.results import Entry
from .bench import Bench, trained
from .cells import read, tabulate
from .contest import Contender, chosen, contest, full_size, where_known
from .page import Column, Quoted, Table

CONTENDERS = (
    Contender(COOPNETS_MNIST_QUICK),
    Contender(by_name("dcgan/mnist-quick")),
    Contender(by_name("wgan/mnist-quick")),
    Contender(by_name("vae/mnist-quick")),
    Contender(GENERATOR_MNIST_QUICK),
    Contender(by_name("pcd/mnist-quick"), "Persistent CD"),
    Contender(by_name("flow-matching/mnist-quick")),
    *full_size(
        by_name("coopnets/mnist"),
        by_name("dcgan/mnist"),
        by_name("wgan/mnist"),
        by_name("wgan-gp/mnist"),
        by_name("ebgan/mnist"),
        by_name("infogan/mnist"),
        by_name("deep-directed/mnist"),
        by_name("vae/mnist"),
        by_name("generator/mnist"),
        by_name("flow-matching/mnist"),
    ),
    Contender(by_name("pcd/mnist"), "Full-size persistent CD", asked=False),
)
"""Those of minutes on two cores, and the paper's networks, which also some learn with that have no smaller ones."""
_SOURCE = "quoted by the paper's Table 2 from other papers"
QUOTED = (
    Quoted("DBN", "parzen", 138, 2.0, _SOURCE),
    Quoted("Stacked CAE", "parzen", 121, 1.6, _SOURCE),
    Quoted("Deep GSN", "parzen", 214, 1.1, _SOURCE),
    Quoted("GAN", "parzen", 225, 2.0, _SOURCE),
    Quoted("CoopNets generator", "parzen", 226, 2.1, "the paper's own, Table 2", paper=True),
    Quoted("CoopNets descriptor", "parzen", 228, 2.1, "the paper's own, Table 2", paper=True),
)
_WORDS = """\
{samples:,} samples of each model, after {minutes:g} minutes of training each, from one seed and at the last iteration.
Log-likelihood is that of the test images under Gaussian windows on the samples (nats an image, images in [0, 1]),
their width chosen on the validation images; more is better, but more than real training images get is smoothness, not
quality. It can be fooled, so beside it stand the Fréchet distance in the features of a small classifier of digits
(less is better), and precision and recall in the same features, of {near:,} images each: how many samples lie among
real test images, and how many test images among the samples. Persistent CD draws by going on with its chains, which
move slowly: many of its samples are nearly alike, and the ± of its distance knows nothing of how its chains differ.
Real against real are training images, from which the classifier learned too: other images would be a little further."""


def table2(
    bench: Bench,
    path: Path | None = None,
    contenders: Sequence[Contender] = CONTENDERS,
    only: Sequence[str] = (),
    judge: Recipe = CLASSIFIER_MNIST,
    samples: int = 10_000,
    near: int = 2_000,
) -> Iterator[Entry]:
    """Train what is not trained yet, measure what is not measured yet, and write ``table2.md``, ``.json`` and ``.svg``.

    Args:
        bench: the terms.
        path: where the data are, as `tutelage.data.load` takes it.
        contenders: the models.
        only: names of recipes; where some are given, the others are not run.
        judge: the classifier that the features are of. It is trained first, for its own iterations.
        samples: drawn of each model, and training images that stand for real images.
        near: of them, those that precision and recall are taken of; they cost the square of it.

    Yields each number as it is known. Raises as `tutelage.reproduce.cells.filled` does.
    """
    running = chosen(contenders, only)
    read(bench.out / "table2.json", bench)  # which may refuse, before the judge is trained
    splits = data.load(judge.data, path)
    knows = trained(bench, judge, splits.train, labels=labels_of(judge, path), own_length=True)
    extractor = recogniser_of_run(knows.path, bench.device)
    measures = [
        parzen_measure(splits, samples, bench.device),
        frechet_measure(splits, extractor, samples, bench.seed, bench.device),
        *manifold_measures(splits, extractor, near, bench.seed, bench.device)[:2],
    ]
    columns = (
        Column("parzen", "log-likelihood", ".1f"),
        Column(extractor.distance, extractor.distance),
        Column(f"precision-{extractor.name}", "precision"),
        Column(f"recall-{extractor.name}", "recall"),
    )
    rows = tuple(row for contender in contenders for row in contender.rows)
    words = _WORDS.format(samples=samples, near=measures[2].samples, minutes=bench.minutes)
    beside = ("real images", "real against real", "noise")
    title, hidden = "Log-likelihood of digits (CoopNets, Table 2)", where_known(contenders, running)
    table = Table(title, words, rows, beside, columns, QUOTED, known=hidden)
    return tabulate(bench, "table2", table, contest(bench, running, splits, measures))
