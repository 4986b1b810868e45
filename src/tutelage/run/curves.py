"""Which curves a report draws from a journal, and what each of them tells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .charts import line_chart, running_mean
from .journal import number

Event = dict[str, Any]
_NO_CURVE = ("iteration", "seconds", "epoch")
_WINDOWS = 50  # a running mean looks back over a fiftieth of the run


@dataclass(frozen=True)
class Subject:
    """One chart: the fields it shows, by name or by the `ending` of their names, its words and its axis."""

    fields: tuple[str, ...]
    title: str
    unit: str
    note: str
    ending: str | None = None
    reference: float | None = None

    def takes(self, name: str) -> bool:
        """Whether the field `name` belongs into this chart."""
        return name in self.fields or (self.ending is not None and name.endswith(self.ending))


SUBJECTS = (
    Subject(
        ("reconstruction",),
        "Generator loss",
        "|target − g(X)|² / 2σ²",
        "How far the generator's images are from what it learns from, summed over pixels. It should fall.",
    ),
    Subject(
        ("movement",),
        "Movement |Ỹ − Ŷ|",
        "rms, image units",
        "How far the steps of sampling carry an image from where its chain started. It falls as the drafts get better; "
        "in introspective learning it starts again with every batch of pseudo-negatives.",
    ),
    Subject(
        ("drift_ratio",),
        "Drift ratio",
        "ratio",
        "The pull of the network over the pull of its reference at the last Langevin step. Near 1 (dashed) "
        "the two are in balance.",
        reference=1.0,
    ),
    Subject(
        ("acceptance",),
        "Acceptance",
        "mean probability",
        "How likely the Metropolis correction takes the last Langevin step. Near 0 the chains stand still: take "
        "smaller steps.",
    ),
    Subject(
        ("value",),
        "Adversarial value V, eq. (9)",
        "V",
        "The mean energy of the revised images minus that of the observed ones. It swings in both signs; its "
        "size says nothing about convergence.",
    ),
    Subject(
        ("potential",),
        "Potential",
        "mean |f|",
        "The size of the descriptor's output on observed images. Sudden growth precedes divergence.",
    ),
    Subject(
        ("residual",),
        "Residual |Y − g(X)|",
        "rms, image units",
        "How far the generator's reconstructions are from the observed images.",
    ),
    Subject(
        ("latent_movement",),
        "Latent movement",
        "rms",
        "How far the inference of latent factors moves them in one iteration.",
    ),
    Subject(
        ("classification_loss", "running_loss"),
        "Classification step",
        "cross-entropy, nats",
        "How well the classifier tells real patches from pseudo-negatives. It falls within each round, and starts "
        "higher with every round as the pseudo-negatives get better; chance is .69.",
        reference=0.693,
    ),
    Subject(
        ("synthesis_loss",),
        "Synthesis step",
        "cross-entropy to label 1, nats",
        "How far the pseudo-negatives still are from what the classifier takes for real. It falls within each round "
        "until the rule stops it.",
    ),
    Subject(("lr",), "Learning rates", "rate", "The step sizes of the optimisers.", ending="_lr"),
)


def numeric_fields(events: Iterable[Event]) -> list[str]:
    """Names of the fields that hold a finite number in some event, in the order of their first appearance."""
    names: dict[str, None] = {}
    for event in events:
        numbers = ((name, number(value)) for name, value in event.items())
        names |= dict.fromkeys(name for name, value in numbers if value is not None and math.isfinite(value))
    return [name for name in names if name not in _NO_CURVE]


def curve(events: Iterable[Event], field: str) -> tuple[list[float], list[float]]:
    """Iterations and values of one field, where both are there."""
    pairs = [(number(event.get("iteration")), number(event.get(field))) for event in events]
    known = [(x, y) for x, y in pairs if x is not None and y is not None]
    return [x for x, _ in known], [y for _, y in known]


def learning_charts(iterations: Sequence[Event]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """`(svg, note)` of every known subject found in "iteration" events, and of every other numeric field.

    Acceptance is left out where it is 1 throughout, as it is without a Metropolis correction.
    """
    fields = numeric_fields(iterations)
    if set(curve(iterations, "acceptance")[1]) == {1.0}:
        fields.remove("acceptance")
    known: list[tuple[str, str]] = []
    for subject in SUBJECTS:
        members = [name for name in fields if subject.takes(name)]
        if members:
            known.append((_draw(iterations, members, subject), subject.note))
            fields = [name for name in fields if name not in members]
    other = [(_draw(iterations, [name], Subject((name,), _words(name), "", "")), "") for name in fields]
    return known, other


def evaluation_charts(evaluations: Sequence[Event]) -> list[str]:
    """For each measure a chart of what was evaluated against iterations, with a band of one standard error.

    An event has "name", "value" and "stderr". Its measure is the last word of its name, or that and what it was taken
    at (``model MEASURE at SIZE``). Of what was evaluated twice the last counts; what has one iteration has no chart.
    """
    found: dict[str, dict[float, tuple[float, float]]] = {}
    for event in evaluations:
        x, y, spread = (number(event.get(field)) for field in ("iteration", "value", "stderr"))
        if "name" in event and x is not None and y is not None:
            found.setdefault(str(event["name"]), {})[x] = (y, spread if spread is not None else 0.0)
    measures: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for name, points in found.items():
        if len(points) > 1:
            line = [(x, *points[x]) for x in sorted(points)]
            of, *at = name.partition(" at ")
            measures.setdefault(of.rpartition(" ")[2] + "".join(at), {})[_words(name)] = line
    return [_evaluations(_words(measure), lines) for measure, lines in measures.items()]


def _evaluations(measure: str, lines: dict[str, list[tuple[float, float, float]]]) -> str:
    series = {name: ([x for x, _, _ in line], [y for _, y, _ in line]) for name, line in lines.items()}
    band = {name: ([y - e for _, y, e in line], [y + e for _, y, e in line]) for name, line in lines.items()}
    title = next(iter(series)).capitalize() if len(series) == 1 else measure.capitalize()
    return line_chart(series, title, "iteration", measure, band=band, width=560, height=300)


def _draw(iterations: Sequence[Event], names: Sequence[str], subject: Subject) -> str:
    curves = {_words(name): curve(iterations, name) for name in names}
    values = [y for _, ys in curves.values() for y in ys if math.isfinite(y)]
    log_y = bool(values) and min(values) > 0 and max(values) > 50 * min(values)
    faint: set[str] = set()
    if len(names) == 1 and len(values) > 4 * _WINDOWS:
        ((name, (xs, ys)),) = curves.items()
        window = max(5, len(ys) // _WINDOWS)
        raw = f"{name}, each iteration" if name != subject.title else "each iteration"
        curves = {raw: (xs, ys), f"mean of the last {window}": (xs, running_mean(ys, window))}
        faint = {raw}
    return line_chart(
        curves,
        subject.title,
        "iteration",
        subject.unit,
        log_y=log_y,
        width=560,
        height=300,
        reference=subject.reference,
        faint=faint,
        points=1000,
    )


def _words(name: str) -> str:
    return name.replace("_", " ")
