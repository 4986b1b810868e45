"""Models on the same data, within the same time, under the same measures: what most tables are made of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checks import DivergenceError, InputError
from ..data import Splits
from ..learn import coopnets
from ..recipes import Recipe
from ..run.evaluate import algorithm_of, measure_beside, measure_models
from ..run.measures import Measure
from ..run.results import Entry, write_results
from .bench import Bench, trained
from .page import Table, write


@dataclass(frozen=True)
class Contender:
    """A model of a table: its recipe, and what it is called where that is not its algorithm."""

    recipe: Recipe
    called: str | None = None

    @property
    def algorithm(self) -> str:
        return self.called or algorithm_of(self.recipe.plan)

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of its rows: cooperating networks have one each."""
        if isinstance(self.recipe.plan, coopnets.Plan):
            return f"{self.algorithm} generator", f"{self.algorithm} descriptor"
        return (self.algorithm,)


def chosen(contenders: Sequence[Contender], names: Sequence[str]) -> Sequence[Contender]:
    """Those whose recipes are named, or all where none is. Raises ``InputError`` for a name that is none of them."""
    known = {contender.recipe.name: contender for contender in contenders}
    for name in names:
        if name not in known:
            raise InputError(f"this table has no {name!r}; it has {', '.join(known)}: choose among them")
    return [known[name] for name in names] or contenders


def tabulate(
    bench: Bench,
    name: str,
    table: Table,
    contenders: Sequence[Contender],
    splits: Splits,
    measures: Sequence[Measure[Any]],
) -> Iterator[Entry]:
    """`contest` with ``NAME.json``, and the page ``NAME.md`` of it, which is written in any case: stopped half-way, it
    says what was not run.
    """
    results, entries = bench.out / f"{name}.json", []
    bench.out.mkdir(parents=True, exist_ok=True)
    try:
        for entry in contest(bench, contenders, splits, measures, results):
            entries.append(entry)
            yield entry
    finally:
        write_results(results, [quote.entry() for quote in table.quoted])
        write(bench.out / f"{name}.md", table, entries)


def contest(
    bench: Bench, contenders: Sequence[Contender], splits: Splits, measures: Sequence[Measure[Any]], results: Path
) -> Iterator[Entry]:
    """Train each contender, take each measure of its samples, and of what stands beside it; each entry as it is made.

    Entries are kept in ``results``. What is there already is yielded as it is, so a contest that was stopped goes on
    where it stopped. A model that diverged has entries without a value, which say so in ``failed``.

    Raises ``InputError`` where ``results`` was made within another budget or from another seed, and what
    `tutelage.reproduce.bench.trained` raises but for divergence.
    """
    known = read(results, bench)
    for measure in measures:
        names = [f"{beside} {measure.name}" for beside in measure.beside]
        if not all(name in known for name in names):
            found = (entry for entry, _ in measure_beside(measure, splits, bench.seed, bench.command, bench.device))
            known |= _kept(results, bench, found)
        yield from (known[name] for name in names)
    for contender in contenders:
        names = [f"{row} {measure.name}" for row in contender.rows for measure in measures]
        if not all(name in known for name in names):
            known |= _kept(results, bench, _entries(bench, contender, splits, measures))
        yield from (known[name] for name in names)


def read(results: Path, bench: Bench) -> dict[str, Entry]:
    """The entries of a results file by name; none where there is no file.

    Raises ``InputError`` where they belong to another budget or seed.
    """
    if not results.is_file():
        return {}
    entries = {entry["name"]: entry for entry in json.loads(results.read_text())}
    for entry in entries.values():
        terms = entry.get("budget_minutes", bench.minutes), entry.get("seed", bench.seed)
        if terms != (bench.minutes, bench.seed):
            raise InputError(
                f"{results} was made within {terms[0]:g} minutes a model, seed {terms[1]}, and {bench.minutes:g} "
                f"minutes, seed {bench.seed}, are asked for; name another --out, or ask for the same"
            )
    return entries


def _kept(results: Path, bench: Bench, entries: Iterator[Entry]) -> dict[str, Entry]:
    found = {}
    for entry in entries:
        found[entry["name"]] = {**entry, "budget_minutes": bench.minutes}
        write_results(results, [found[entry["name"]]])
    return found


def _entries(bench: Bench, contender: Contender, splits: Splits, measures: Sequence[Measure[Any]]) -> Iterator[Entry]:
    try:
        run = trained(bench, contender.recipe, splits.train)
    except DivergenceError as error:
        for name in (f"{row} {measure.name}" for row in contender.rows for measure in measures):
            yield {"name": name, "value": None, "stderr": None, "failed": str(error)}
        return
    for entry, _ in measure_models(
        run, splits, measures, bench.seed, bench.command, bench.device, algorithm=contender.algorithm
    ):
        yield {**entry, "parameters": sum(run.facts()["parameters"].values()), "run": run.path.name}
