"""Cells of a table that are filled one after the other, kept as they come, and not filled twice."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from ..checks import DivergenceError, InputError, UnfinishedError
from ..data import ImageSet, Splits
from ..run.page import duration
from ..run.results import Entry, read_results, write_results
from .bench import Bench, to_train, writing
from .page import Table, write

_OTHER = {
    "data_sha256": "of other data than are given now",
    "held_out_sha256": "measured by other held-out images than are given now",
    "pixels_sha256": "of these files, read in another way than they are now",
    "outside_sha256": "of other images than are given now",
    "recipe_sha256": "by another recipe than that of this name is now",
    "extractor_sha256": "by another extractor than is given now",
}


_AT_ONCE = 1_000  # images that are digested


class Cells(NamedTuple):
    """Cells that are filled together: the facts of each by its name, and how to make their entries.

    Facts are what a number is of, by what model and measured how; its entry is kept with them, and one with others is
    not taken for it. ``make`` is None where the cells are not asked for now: they are shown if they are known.
    """

    facts: Mapping[str, Mapping[str, Any]]
    make: Callable[[], Iterable[Entry]] | None


def facts_of(splits: Splits) -> dict[str, Any]:
    """The facts of every number that a data set is behind."""
    held_out = splits.test or splits.validation
    held = {} if held_out is None else {"held_out_sha256": held_out.sha256}
    return {"data_sha256": splits.train.sha256, **held, "pixels_sha256": _of_pixels(splits.train, held_out)}


def _of_pixels(*sets: ImageSet | None) -> str:
    """Digest of the images as they are learned from: the same files can be read in several ways."""
    digest = hashlib.sha256()
    for images in sets:
        if images is not None:
            digest.update(f"{images.pixels.shape} {images.stretch}".encode())
            for start in range(0, len(images), _AT_ONCE):
                digest.update(np.ascontiguousarray(images.pixels[start : start + _AT_ONCE]).data)
    return digest.hexdigest()


def settings_of(method: Callable[..., Any]) -> str:
    """How a method that learns nothing is set, as one writes it: a fact of its numbers."""
    if isinstance(method, partial):
        given = ", ".join(f"{name}={value!r}" for name, value in method.keywords.items())
        return f"{settings_of(method.func)}({given})"
    return getattr(method, "__qualname__", None) or repr(method)


def tabulate(bench: Bench, name: str, table: Table, groups: Iterable[Cells]) -> Iterator[Entry]:
    """`filled` with ``NAME.json``, and the page ``NAME.md`` of it, which is written in any case: stopped half-way, it
    says what was not run.
    """
    results, groups = bench.out / f"{name}.json", list(groups)
    entries = filled(bench, results, groups)  # which may refuse; then nothing is written
    return _written(bench, results, table, groups, entries)


def _written(
    bench: Bench, results: Path, table: Table, groups: Sequence[Cells], entries: Iterator[Entry]
) -> Iterator[Entry]:
    bench.out.mkdir(parents=True, exist_ok=True)
    try:
        yield from entries
    finally:
        with writing(bench.out):
            write_results(results, [quote.entry() for quote in table.quoted])
            known, names = read(results, bench), [name for group in groups for name in group.facts]
            write(results.with_suffix(".md"), table, [known[name] for name in names if name in known])


def filled(bench: Bench, results: Path, groups: Iterable[Cells]) -> Iterator[Entry]:
    """Each entry of each group that is asked for, as it is made and kept in ``results``; what is there already is taken
    from there.

    A model that diverged, or cannot make anything by the end of its budget, has entries without a value, which say so
    in ``failed``.

    Raises ``InputError`` at once where ``results`` was made within another budget or from another seed, or has an entry
    with other facts than its cell; and then what making raises, but for these two.
    """
    groups, known = list(groups), read(results, bench)
    for facts, _ in groups:
        for name in facts:
            if name in known:
                _check_same(results, known[name], facts[name])
    return _filled(bench, results, groups, known)


def _filled(bench: Bench, results: Path, groups: Sequence[Cells], known: dict[str, Entry]) -> Iterator[Entry]:
    ahead = _ahead(bench, groups, known)
    if ahead:
        tqdm.write(f"{results.stem}: {ahead}, and their measuring", file=sys.stderr)
    for facts, make in groups:
        if make is None:
            continue
        if not all(name in known for name in facts):
            for entry in _made([*facts], make):
                terms = {"budget_minutes": bench.minutes, "seed": bench.seed}
                known[entry["name"]] = {**entry, **facts[entry["name"]], **terms}
                with writing(results.parent):
                    write_results(results, [known[entry["name"]]])
        yield from (known[name] for name in facts)


def _ahead(bench: Bench, groups: Sequence[Cells], known: Mapping[str, Entry]) -> str:
    """How many models the cells that are asked for and not known wait for, and how long; nothing where they do not."""
    asked = (group.facts for group in groups if group.make is not None)
    wanting = (of for facts in asked for name, of in facts.items() if name not in known and "run" in of)
    runs = to_train(bench, dict.fromkeys(of["run"] for of in wanting))
    timed = sum(f"-{bench.minutes:g}min-" in run for run in runs)
    minutes, own = timed * bench.minutes, len(runs) - timed
    about = f"{minutes:g} min" if minutes < 60 else duration(60 * minutes)
    said = [f"{timed} model(s) of {bench.minutes:g} min each to train, about {about}"] if timed else []
    said += [f"{own} model(s) of their own length to train"] if own else []
    return ", ".join(said)


def _check_same(results: Path, entry: Entry, facts: Mapping[str, Any]) -> None:
    for fact, wanted in facts.items():
        if (was := entry.get(fact)) != wanted:
            other = f"by {was}, and {wanted} is asked for" if fact == "run" else _OTHER.get(fact)
            differs = other or f"with {fact} {was}, and {wanted} is asked for"
            raise InputError(f"{results} has {entry['name']!r} {differs}; name another --out, or ask for the same")


def read(results: Path, bench: Bench) -> dict[str, Entry]:
    """The entries of a results file by name; none where there is no file.

    Raises ``InputError`` where they belong to another budget or seed, and for a damaged file.
    """
    entries = {entry["name"]: entry for entry in read_results(results)}
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
