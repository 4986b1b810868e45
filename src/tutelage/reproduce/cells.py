"""Cells of a table that are filled one after the other, kept as they come, and not filled twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..checks import DivergenceError, InputError, UnfinishedError
from ..run.results import Entry, write_results
from .bench import Bench
from .page import Table, write


class Cells(NamedTuple):
    """Cells that are filled together: the names of their entries, and how to make these."""

    names: Sequence[str]
    make: Callable[[], Iterable[Entry]]


def tabulate(bench: Bench, name: str, table: Table, groups: Iterable[Cells]) -> Iterator[Entry]:
    """`filled` with ``NAME.json``, and the page ``NAME.md`` of it, which is written in any case: stopped half-way, it
    says what was not run.
    """
    results, entries = bench.out / f"{name}.json", []
    bench.out.mkdir(parents=True, exist_ok=True)
    try:
        for entry in filled(bench, results, groups):
            entries.append(entry)
            yield entry
    finally:
        write_results(results, [quote.entry() for quote in table.quoted])
        write(bench.out / f"{name}.md", table, entries)


def filled(bench: Bench, results: Path, groups: Iterable[Cells]) -> Iterator[Entry]:
    """Each entry of each group, as it is made and kept in ``results``; what is there already is taken from there.

    A model that diverged, or cannot make anything by the end of its budget, has entries without a value, which say so
    in ``failed``.

    Raises ``InputError`` where ``results`` was made within another budget or from another seed, and what making raises,
    but for these two.
    """
    known = read(results, bench)
    for names, make in groups:
        if not all(name in known for name in names):
            for entry in _made(names, make):
                known[entry["name"]] = {**entry, "budget_minutes": bench.minutes}
                write_results(results, [known[entry["name"]]])
        yield from (known[name] for name in names)


def read(results: Path, bench: Bench) -> dict[str, Entry]:
    """The entries of a results file by name; none where there is no file.

    Raises ``InputError`` where they belong to another budget or seed.
    """
    if not results.is_file():
        return {}
    entries = {entry["name"]: entry for entry in json.loads(results.read_text())}
    for entry in entries.values():
        minutes, seed = entry.get("budget_minutes", bench.minutes), entry.get("seed", bench.seed)
        if (minutes, seed) != (bench.minutes, bench.seed):
            raise InputError(
                f"{results} was made within {minutes:g} minutes a model, seed {seed}, and {bench.minutes:g} minutes, "
                f"seed {bench.seed}, are asked for; name another --out, or ask for the same"
            )
    return entries


def _made(names: Sequence[str], make: Callable[[], Iterable[Entry]]) -> Iterator[Entry]:
    try:
        yield from make()
    except (DivergenceError, UnfinishedError) as error:
        yield from ({"name": name, "value": None, "stderr": None, "failed": str(error)} for name in names)
