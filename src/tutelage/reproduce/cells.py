"""Cells of a table that are filled one after the other, kept as they come, and not filled twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..checks import DivergenceError, InputError, UnfinishedError
from ..run.results import Entry, write_results
from .bench import Bench
from .page import Table, write


class Cells(NamedTuple):
    """Cells that are filled together: the names of their entries, how to make these, the SHA-256 of their data, and the
    run that they are of, as `tutelage.reproduce.bench.run_name` calls it."""

    names: Sequence[str]
    make: Callable[[], Iterable[Entry]]
    data_sha256: str | None = None
    run: str | None = None


def tabulate(bench: Bench, name: str, table: Table, groups: Iterable[Cells]) -> Iterator[Entry]:
    """`filled` with ``NAME.json``, and the page ``NAME.md`` of it, which is written in any case: stopped half-way, it
    says what was not run.
    """
    results = bench.out / f"{name}.json"
    bench.out.mkdir(parents=True, exist_ok=True)
    read(results, bench)  # which may refuse; then nothing is written
    try:
        yield from filled(bench, results, groups)
    finally:
        write_results(results, [quote.entry() for quote in table.quoted])
        quoted = {quote.entry()["name"] for quote in table.quoted}
        known = read(results, bench)
        write(bench.out / f"{name}.md", table, [entry for named, entry in known.items() if named not in quoted])


def filled(bench: Bench, results: Path, groups: Iterable[Cells]) -> Iterator[Entry]:
    """Each entry of each group, as it is made and kept in ``results``; what is there already is taken from there.

    A model that diverged, or cannot make anything by the end of its budget, has entries without a value, which say so
    in ``failed``.

    Raises ``InputError`` where ``results`` was made within another budget or from another seed, of other data or by
    another model, and what making raises, but for these two.
    """
    known = read(results, bench)
    for names, make, sha256, run in groups:
        of_others = (name for name in names if known.get(name, {}).get("data_sha256", sha256) != sha256)
        if sha256 is not None and (other := next(of_others, None)) is not None:
            raise InputError(
                f"{results} has {other!r} of other data than are given now; name another --out, or give the same data"
            )
        by_others = (name for name in names if run is not None and known.get(name, {}).get("run", run) != run)
        if (other := next(by_others, None)) is not None:
            raise InputError(
                f"{results} has {other!r} by the run {known[other]['run']}, and {run} is asked for; name another --out"
            )
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
    left = dict.fromkeys(names)
    try:
        for entry in make():
            left.pop(entry["name"], None)
            yield entry
    except (DivergenceError, UnfinishedError) as error:
        yield from ({"name": name, "value": None, "stderr": None, "failed": str(error)} for name in left)


def check_facts(results: Path, bench: Bench, facts: Mapping[str, Any], names: Sequence[str] = ()) -> None:
    """Raises ``InputError`` where ``results`` have entries (of these ``names``; of any where none are given) with other
    ``facts``: they cannot stand in one table.
    """
    for entry in read(results, bench).values():
        for name, wanted in facts.items() if not names or entry["name"] in names else ():
            if entry.get(name, wanted) != wanted:
                raise InputError(
                    f"{results} has the {name} {entry[name]}, and {wanted} are asked for; name another --out, or ask "
                    "for the same"
                )
