"""What was learned without labels, probed with few (IGM §4.5): a cascade's features beside DCGAN's, and beside none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn

from .. import data
from ..baselines import adversarial
from ..data import Labels, Splits
from ..recipes import by_name
from ..run.probing import networks_of, probe_entry
from ..run.results import Entry
from .bench import Bench, about, trained
from .cells import Cells, facts_of, tabulate
from .contest import Contender, beside_cascade, chosen, made_by
from .page import Column, Quoted, Table


def _beside_dcgan(cascade: str, like: str, asked: bool = True) -> tuple[Contender, Contender]:
    models = Contender(by_name(cascade)), beside_cascade(by_name(cascade), like)
    return replace(models[0], asked=asked), replace(models[1], asked=asked)


CONTENDERS = {
    "MNIST": _beside_dcgan("igm/mnist28-quick", "dcgan/mnist-quick"),
    "CIFAR-10": _beside_dcgan("igm/cifar32-quick", "dcgan/cifar10-quick"),
    "SVHN": _beside_dcgan("igm/svhn32-quick", "dcgan/cifar10-quick", asked=False),
}
"""By the name of the set. SVHN is the paper's; it is run where its recipes are named."""
_SOURCE = "the paper's §4.5, on SVHN with the full recipe and 14 336 features"
QUOTED = (
    Quoted("IGM features on SVHN", "error of 1000 labels", 0.3644, 0.0072, _SOURCE, paper=True),
    Quoted("DCGAN features on SVHN", "error of 1000 labels", 0.3313, 0.0083, _SOURCE, paper=True),
)
_WORDS = """\
The fraction of test images that an L2-SVM gets wrong, fitted to few labelled images (mean over {repeats} random sets of
them ± standard error of that mean; the paper does not say what its ± is), by the features of the last three
convolution layers, which are of one shape in all networks of a set. Each model learned for {minutes:g} minutes without
labels. Untrained features are those of the same
network before learning; DCGAN's discriminator, which normalises real and made images apart, has the statistics of real
ones. C is chosen on images that are neither drawn from nor reported on."""


def igm_semisupervised(
    bench: Bench,
    path: Path | None = None,
    contenders: Mapping[str, Sequence[Contender]] = CONTENDERS,
    only: Sequence[str] = (),
    labelled: Sequence[int] = (100, 1000),
    repeats: int = 100,
) -> Iterator[Entry]:
    """Train what is not trained yet, probe what is not probed yet, and write ``igm-semisupervised.md`` (.json, .svg).

    Args:
        bench: the terms.
        path: where the sets are, as `tutelage.data.load` takes it.
        contenders: the models of each set, by the name of the set.
        only: names of recipes; where some are given, the others are not run.
        labelled: how many labelled images an SVM is fitted to.
        repeats: SVMs of each kind.

    Yields each number as it is known. Raises as `tutelage.reproduce.cells.filled` does.
    """
    every = chosen([contender for models in contenders.values() for contender in models], only)
    asked = {contender.recipe.name: contender for contender in every}
    groups, rows = [], []
    for name, models in contenders.items():
        kinds = [f"{kind}{model.algorithm} features" for kind in ("", "untrained ") for model in models]
        rows += [f"{kind} on {name}" for kind in (*kinds, "raw pixels")]
        here, spec = [asked[model.recipe.name] for model in models], models[0].recipe.data
        wanted = any(model.asked for model in here)
        of_set = (data.load(spec, path), data.class_labels(spec, path)) if wanted else None
        groups += _cells(bench, name, here, of_set, labelled, repeats)
    columns = tuple(Column(_measure(count), f"error, {count} labels", ".2%") for count in reversed(labelled))
    words = _WORDS.format(minutes=bench.minutes, repeats=repeats)
    table = Table("Few labels (IGM §4.5)", words, tuple(rows), (), columns, QUOTED)
    return tabulate(bench, "igm-semisupervised", table, groups)


def _measure(labelled: int) -> str:
    return f"error of {labelled} labels"


def _cells(
    bench: Bench,
    name: str,
    models: Sequence[Contender],
    of_set: tuple[Splits, Labels] | None,
    labelled: Sequence[int],
    repeats: int,
) -> Iterator[Cells]:
    """The cells of a set; where none of its models is asked for it need not be there, and they are shown if known."""
    facts = {"repeats": repeats} | ({} if of_set is None else facts_of(of_set[0]))

    def names(kind: str) -> list[str]:
        return [f"{kind} on {name} {_measure(count)}" for count in labelled]

    def probes(kind: str, network: nn.Module | None) -> Iterator[Entry]:
        assert of_set is not None
        splits, labels = of_set
        for cell, count in zip(names(kind), labelled, strict=True):
            terms = (count, repeats, bench.seed, bench.command, bench.device)
            yield probe_entry(cell, network, splits, labels, *terms)[0]

    def features(model: Contender) -> Iterator[Entry]:
        assert of_set is not None
        train = of_set[0].train
        run = trained(bench, model.recipe, train)
        learned, untrained, _ = networks_of(run, train, bench.device)
        said = about(run, probed=True)
        yield from (entry | said for entry in probes(f"{model.algorithm} features", learned))
        yield from probes(f"untrained {model.algorithm} features", untrained)

    raw = None if of_set is None else partial(probes, "raw pixels", None)
    yield Cells({cell: facts for cell in names("raw pixels")}, raw)
    for model in models:
        own = facts | made_by(bench, model)
        if isinstance(model.recipe.plan, adversarial.Plan):
            own |= {"batch_norm": "observed images"}
        kinds = (f"{model.algorithm} features", f"untrained {model.algorithm} features")
        cells = {cell: own for kind in kinds for cell in names(kind)}
        yield Cells(cells, partial(features, model) if model.asked else None)
