"""Models on the same data, within the same time, under the same measures: what most tables are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any

from ..checks import InputError
from ..data import Splits
from ..learn import coopnets
from ..recipes import Recipe, by_name
from ..recipes.algorithm import algorithm_of
from ..run.evaluate import measure_beside, measure_models
from ..run.lock import in_use
from ..run.measures import Measure
from ..run.results import Entry
from .bench import Bench, about, digest, run_name, trained
from .cells import Cells, facts_of


@dataclass(frozen=True)
class Contender:
    """A model of a table: its recipe, and what it is called where that is not its algorithm.

    ``own_length`` keeps the recipe's iterations, whatever the budget. ``asked`` for it is now; if not, its numbers are
    shown where they are known, and it is run where its recipe is named.
    """

    recipe: Recipe
    called: str | None = None
    own_length: bool = False
    asked: bool = True

    @property
    def algorithm(self) -> str:
        return self.called or algorithm_of(self.recipe.plan)

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of its rows: cooperating networks have one each."""
        if isinstance(self.recipe.plan, coopnets.Plan):
            return f"{self.algorithm} generator", f"{self.algorithm} descriptor"
        return (self.algorithm,)


def full_size(*recipes: Recipe) -> tuple[Contender, ...]:
    """The papers' networks, beside smaller ones of the same algorithms: they are for a GPU, and run where they are
    named.
    """
    return tuple(Contender(recipe, f"Full-size {algorithm_of(recipe.plan)}", asked=False) for recipe in recipes)


def beside_cascade(cascade: Recipe, like: str) -> Contender:
    """DCGAN by the recipe ``like`` on the data of ``cascade``, whose classifier is its discriminator: both learn one
    network, and have as many features.
    """
    recipe, name = by_name(like), cascade.name.replace("igm/", "dcgan/")
    sources = {**recipe.sources, "data": f"as {cascade.name}", "classifier": f"as {cascade.name}"}
    return Contender(replace(recipe, name=name, data=cascade.data, classifier=cascade.classifier, sources=sources))


def chosen(contenders: Sequence[Contender], names: Sequence[str]) -> Sequence[Contender]:
    """All of them, asked for where their recipes are named; where none is named, as they are.

    Raises ``InputError`` for a name that is none of them.
    """
    known = {contender.recipe.name: contender for contender in contenders}
    for name in names:
        if name not in known:
            raise InputError(f"this table has no {name!r}; it has {', '.join(known)}: choose among them")
    return [replace(one, asked=one.recipe.name in names if names else one.asked) for one in contenders]


def where_known(
    contenders: Sequence[Contender],
    running: Sequence[Contender],
    rows: Callable[[Contender], Sequence[str]] = attrgetter("rows"),
) -> tuple[str, ...]:
    """The rows of those of ``contenders`` that are asked for neither as a rule nor among ``running``."""
    pairs = zip(contenders, running, strict=True)
    return tuple(row for usual, now in pairs if not (usual.asked or now.asked) for row in rows(now))


def contest(
    bench: Bench, contenders: Sequence[Contender], splits: Splits, measures: Sequence[Measure[Any]]
) -> Iterator[Cells]:
    """Each measure of what stands beside it, then of the samples of each contender, which is trained for that.

    Filling them raises what `tutelage.reproduce.bench.trained` raises.
    """
    facts = facts_of_measures(splits, measures)
    for measure in measures:
        names = [f"{beside} {measure.name}" for beside in measure.beside]
        yield Cells(dict.fromkeys(names, facts[measure.name]), partial(_beside, bench, measure, splits))
    for contender in contenders:
        by = made_by(bench, contender)
        own = {f"{row} {measure}": {**of, **by} for row in contender.rows for measure, of in facts.items()}
        yield Cells(own, partial(_models, bench, contender, splits, measures) if contender.asked else None)


def facts_of_measures(splits: Splits, measures: Sequence[Measure[Any]]) -> dict[str, dict[str, Any]]:
    """By the name of each measure, the facts of every number that is taken by it of these data."""
    of_data = facts_of(splits)
    return {measure.name: {"samples": measure.samples, **measure.facts, **of_data} for measure in measures}


def made_by(bench: Bench, contender: Contender) -> dict[str, Any]:
    """The facts of every number that a model is behind."""
    recipe = contender.recipe
    return {"run": run_name(bench, recipe, contender.own_length), "recipe_sha256": digest(bench, recipe)}


def _beside(bench: Bench, measure: Measure[Any], splits: Splits) -> Iterator[Entry]:
    return (entry for entry, _ in measure_beside(measure, splits, bench.seed, bench.command, bench.device))


def _models(bench: Bench, contender: Contender, splits: Splits, measures: Sequence[Measure[Any]]) -> Iterator[Entry]:
    run = trained(bench, contender.recipe, splits.train, own_length=contender.own_length)
    said = about(run)
    with in_use(run.path):
        for entry, _ in measure_models(
            run, splits, measures, bench.seed, bench.command, bench.device, algorithm=contender.algorithm
        ):
            yield {**entry, **said}
