"""A table as people read it: Markdown with a chart, beside the JSON that it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib import parse

from ..atomic import atomic_write
from ..run.charts import line_chart
from ..run.page import duration
from ..run.results import Entry
from .dots import dot_chart

MISSING = "not run"


@dataclass(frozen=True)
class Column:
    """One measure: the end of its entries' names, the head of the column, and the format of its numbers.

    One that is ``quoted`` alone, and of none of the table's own rows, is empty there.
    """

    measure: str
    head: str
    digits: str = ".3g"
    quoted: bool = False


@dataclass(frozen=True)
class Curves:
    """A chart of columns that are one measure at several values of something.

    ``title`` is what is measured, ``along`` what it is measured at, ``measures`` the measure of the column at each
    value.
    """

    title: str
    along: str
    measures: Mapping[float, str]


@dataclass(frozen=True)
class Quoted:
    """A number that others published: not measured here. ``name`` is of a row, ``source`` says who and where."""

    name: str
    measure: str
    value: float
    stderr: float | None
    source: str
    paper: bool = False
    """Whether it is the paper's own model, of which ours is the counterpart."""

    @property
    def row(self) -> str:
        return f"{self.name} ({'paper' if self.paper else 'quoted'})"

    def entry(self) -> Entry:
        """As results are written."""
        name = f"{self.name} {self.measure} ({'paper' if self.paper else 'quoted'})"
        return {"name": name, "value": self.value, "stderr": self.stderr, "source": self.source}


@dataclass(frozen=True)
class Table:
    """What a page shows but for the numbers.

    ``rows`` are of models and methods: a cell without a number says "not run", and "failed" where the model diverged,
    or has learned too little to make anything. ``beside`` are rows of the data themselves, of which a measure may not
    be: there such a cell is empty. ``curves`` are drawn instead of the first column. ``order`` names two measures of
    which less is better, ours and one that is quoted: the page says how either orders the rows that have both.
    ``known`` are those of the rows that are left out while they have no number.
    """

    title: str
    words: str
    rows: tuple[str, ...]
    beside: tuple[str, ...]
    columns: tuple[Column, ...]
    quoted: tuple[Quoted, ...] = ()
    curves: tuple[Curves, ...] = ()
    order: tuple[str, str] | None = None
    known: tuple[str, ...] = ()


def write(path: Path, table: Table, entries: Iterable[Entry]) -> None:
    """Write the page ``path`` (.md), and beside it a chart of the first column, or of each of the curves (.svg).

    Pictures are those of ``models/RUN/pictures`` beside the page, by the ``run`` of the entries.
    """
    known = {entry["name"]: entry for entry in entries}
    charts = {}
    for number, (title, chart) in enumerate(_charts(table, known).items(), 1):
        charts[title] = f"{path.stem}.svg" if number == 1 else f"{path.stem}_{number}.svg"
        atomic_write(path.with_name(charts[title]), chart)
    atomic_write(path, markdown(table, known, charts, _pictures(path.parent, known.values())))


def markdown(table: Table, known: Mapping[str, Entry], charts: Mapping[str, str], pictures: Mapping[str, str]) -> str:
    """The page: ``known`` are entries by name, ``charts`` and ``pictures`` are file names by caption."""
    lines = [f"# {table.title}", "", table.words, ""]
    lines += [f"| | {' | '.join(column.head for column in table.columns)} |", f"|---|{'---|' * len(table.columns)}"]
    for row, missing in [*((row, MISSING) for row in _shown(table, known)), *((row, "") for row in table.beside)]:
        found = ((known.get(f"{row} {column.measure}"), column) for column in table.columns)
        cells = (_cell(entry, column, "" if column.quoted else missing) for entry, column in found)
        lines.append(f"| {row} | {' | '.join(cells)} |")
    for row in dict.fromkeys(quote.row for quote in table.quoted):
        of = {quote.measure: quote.entry() for quote in table.quoted if quote.row == row}
        cells = (_cell(of.get(column.measure), column, "") for column in table.columns)
        lines.append(f"| {row} | {' | '.join(cells)} |")
    lines += ["", *_sources(table.quoted), *_orders(table, known)]
    lines += [line for title, chart in charts.items() for line in (f"![{title}]({chart})", "")]
    lines += [*_time(known.values()), *_failures(known.values()), *_terms(known.values())]
    for caption, file in pictures.items():
        lines += [f"{caption}:", "", f"![{caption}]({parse.quote(file)})", ""]
    return "\n".join(lines).rstrip() + "\n"


def _shown(table: Table, known: Mapping[str, Entry]) -> list[str]:
    """The rows of models and methods that a page has."""

    def has_numbers(row: str) -> bool:
        return any(f"{row} {column.measure}" in known for column in table.columns)

    return [row for row in table.rows if row not in table.known or has_numbers(row)]


def _charts(table: Table, known: Mapping[str, Entry]) -> dict[str, str]:
    """Charts as SVG by their titles."""

    def points(measure: str) -> dict[str, tuple[float, float | None]]:
        found = {row: known.get(f"{row} {measure}", {}) for row in (*table.rows, *table.beside)}
        return {
            row: (entry["value"], entry.get("stderr")) for row, entry in found.items() if entry.get("value") is not None
        }

    if not table.curves:
        return {table.title: dot_chart(points(table.columns[0].measure), table.columns[0].head)}
    charts = {}
    for curves in table.curves:
        at = {x: points(measure) for x, measure in curves.measures.items()}
        series = {row: [(x, *at[x][row]) for x in at if row in at[x]] for row in (*table.rows, *table.beside)}
        lines = {row: ([x for x, _, _ in of], [y for _, y, _ in of]) for row, of in series.items() if of}
        bands = {
            row: ([y - (error or 0) for _, y, error in series[row]], [y + (error or 0) for _, y, error in series[row]])
            for row in lines
        }
        charts[curves.title] = line_chart(
            lines, f"{curves.title} against {curves.along}", curves.along, curves.title, band=bands, standalone=True
        )
    return charts


def _cell(entry: Entry | None, column: Column, missing: str) -> str:
    if entry is None:
        return missing
    if entry["value"] is None:
        return "failed"
    digits = ".2%" if column.digits.endswith("%") else ".2g"
    spread = "" if entry.get("stderr") is None else f" ± {entry['stderr']:{digits}}"
    return f"{entry['value']:{column.digits}}{spread}"


def _pictures(out: Path, entries: Iterable[Entry]) -> dict[str, str]:
    """The samples that each run kept at its end, and their nearest training images."""
    runs = dict.fromkeys(entry["run"] for entry in entries if "run" in entry)
    ends = ("final_*.png", "nearest.png")
    files = [file for run in runs for end in ends for file in sorted((out / "models" / run / "pictures").glob(end))]
    kept = {entry["picture"]: entry["picture"] for entry in entries if "picture" in entry}
    return {Path(file).stem.replace("_", " "): file for file in kept} | {
        _caption(file.parts[-3], file.stem): file.relative_to(out).as_posix() for file in files
    }


def _caption(run: str, picture: str) -> str:
    if picture == "nearest":
        return f"Samples of {run}, each beside the training images nearest to it"
    return f"Samples of {run}, {picture.removeprefix('final_')}, not picked"


def _sources(quoted: Sequence[Quoted]) -> list[str]:
    if not quoted:
        return []
    sources: dict[str, list[str]] = {}
    for quote in quoted:
        sources.setdefault(quote.source, []).append(quote.row)
    lines = (f"{', '.join(dict.fromkeys(names))}: {source}. Not measured here." for source, names in sources.items())
    return [*lines, ""]


def _orders(table: Table, known: Mapping[str, Entry]) -> list[str]:
    """How the rows that are measured and quoted are ordered here, and by the paper."""
    if table.order is None:
        return []
    measured, quoted = table.order
    papers = {quote.name: quote.value for quote in table.quoted if quote.paper and quote.measure == quoted}
    here = {row: known.get(f"{row} {measured}", {}).get("value") for row in papers}
    ours = {row: value for row, value in here.items() if value is not None}
    if len(ours) < 2:
        return []
    by = [" < ".join(sorted(ours, key=lambda row: of[row])) for of in (ours, papers)]
    verdict = "The order is the paper's" if by[0] == by[1] else f"The order is not the paper's, {by[1]}"
    return [f"Least {measured} first: {by[0]}. {verdict}.", ""]


def _time(entries: Iterable[Entry]) -> list[str]:
    """How each run's time was spent, and that of each method which learns nothing."""
    entries = list(entries)
    runs = {entry["run"]: entry for entry in entries if {"run", "iteration"} <= entry.keys()}
    methods = {entry["method"]: entry for entry in entries if "method" in entry}
    if not runs and not methods:
        return []
    lines = [
        f"| {run} | {duration(entry['wall_seconds'])} | {_iterations(entry)} | {entry['parameters']:,} |"
        for run, entry in runs.items()
    ]
    lines += [f"| {method} | {duration(entry['wall_seconds'])} | | |" for method, entry in methods.items()]
    return [
        "## How the time was spent",
        "",
        "| | training | iterations | parameters |",
        "|---|---|---|---|",
        *lines,
        "",
        *_unequal(runs),
    ]


def _iterations(entry: Entry) -> str:
    if "rounds" not in entry:
        return f"{entry['iteration']:,}"
    return f"{entry['iteration']:,} ({entry['rounds']:,} round{'' if entry['rounds'] == 1 else 's'})"


def _unequal(runs: Mapping[str, Entry]) -> list[str]:
    """Which runs learned for another time than the budget, or not to the end of their plan."""
    spent = {
        run: entry["wall_seconds"] / 60 / entry["budget_minutes"]
        for run, entry in runs.items()
        if f"-{entry.get('budget_minutes', 0):g}min-" in run
    }
    far = {run: part for run, part in spent.items() if not 0.9 <= part <= 1.1}
    free = [run for run in far if runs[run].get("planned", 0) is None]  # of rounds, of which no trial foretells any
    off = ", ".join(f"{run} ({part:.0%})" for run, part in far.items() if run not in free)
    cut = ", ".join(
        f"{run} ({entry['iteration']:,} of {entry['planned']:,})"
        for run, entry in runs.items()
        if entry["iteration"] < (entry.get("planned") or 0)
    )
    said = [f"Farther than a tenth from the budget, which a short trial had foretold: {off}."] if off else []
    said += [_by_itself(run, far[run], runs[run]) for run in free]
    said += [f"Stopped by the clock before their last iteration: {cut}."] if cut else []
    return [line for sentence in said for line in (sentence, "")]


def _by_itself(run: str, part: float, entry: Entry) -> str:
    how = "ended by itself after" if part < 1 else "ran for"
    return f"{run} {how} {part:.0%} of the budget. {entry.get('ended') or ''}".rstrip()


def _failures(entries: Iterable[Entry]) -> list[str]:
    """Why numbers are missing: once for each run, and of what is of no run, together. And what to beware of."""
    entries = list(entries)
    failed: dict[tuple[str | None, str], list[str]] = {}
    for entry in entries:
        if "failed" in entry:
            failed.setdefault((entry.get("run"), entry["failed"]), []).append(entry["name"])
    told = [f"{names[-1] if run else ', '.join(names)}: {why}" for (run, why), names in failed.items()]
    edges = {
        f"{entry['name']} has its {'C' if 'c' in entry else 'width'} at the edge of the grid that was tried."
        for entry in entries
        if entry.get("at_edge")
    }
    few = {
        f"Fréchet distances by {entry['extractor']} are of fewer images than it has features, which makes them larger, "
        "in all rows."
        for entry in entries
        if entry.get("rank_deficient")
    }
    return [line for said in (*told, *sorted(edges), *sorted(few)) for line in (said, "")]


def _terms(entries: Iterable[Entry]) -> list[str]:
    """Seeds, machines and digests, once."""
    entries = [entry for entry in entries if "threads" in entry]
    if not entries:
        return []

    def all_of(field: str) -> str:
        return ", ".join(dict.fromkeys(str(entry[field]) for entry in entries))

    digests = ", ".join(dict.fromkeys(entry["data_sha256"][:12] for entry in entries))
    lines = [f"Seed {all_of('seed')}; {all_of('threads')} threads, {all_of('device')}; data SHA-256 {digests}."]
    extractors = dict.fromkeys(
        (entry["extractor"], entry["extractor_sha256"]) for entry in entries if "extractor" in entry
    )
    lines += [f"Extractor {name}, SHA-256 {digest[:12]}." for name, digest in extractors]
    return [" ".join(lines), ""]
