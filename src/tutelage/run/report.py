"""A run folder as one self-contained page: pictures, curves, timings, results, and the recipe behind them.

The page is made from what the folder holds, and a missing piece is left out:

    recipe.json      the resolved recipe; its "sources" and "deviations" say where the numbers come from
    journal.jsonl    what happened, see `tutelage.run.journal`
    pictures/*.png   `KIND_ITERATION.png` over time (initial, revised, reconstructed, ...), and others
    results.json     a list of evaluated numbers
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..atomic import atomic_write
from ..checks import InputError
from . import curves, gallery, journal, page
from .page import Html

Event = dict[str, Any]

_FACTS = {
    "seed": "Seed",
    "device": "Device",
    "arithmetic": "Arithmetic",
    "threads": "Threads",
    "version": "Version",
    "torch": "PyTorch",
}


def write_report(run: str | os.PathLike[str]) -> Path:
    """Write `report.html` into the run folder from what is there, and return its path."""
    run = Path(run)
    if not (run / "recipe.json").is_file() and not (run / "journal.jsonl").is_file():
        raise InputError(
            f"{run}: neither recipe.json nor journal.jsonl is here, a run folder is needed. "
            "Give the folder that --out named when the run was started."
        )
    recipe = _load(run / "recipe.json", dict) or {}
    results = _load(run / "results.json", list) or []
    events = journal.read(run / "journal.jsonl") if (run / "journal.jsonl").is_file() else []
    iterations = [event for event in events if event["event"] == "iteration"]
    evaluations = [event for event in events if event["event"] == "evaluation"]
    still, series = gallery.find(run / "pictures")
    title = str(recipe.get("name") or run.name)
    sections = [
        page.heading(title),
        page.paragraph(_explanation(still, series)),
        _ending(events),
        page.section("At a glance", page.facts(_facts(events))),
        page.section("Pictures", *gallery.latest(still, series)),
        page.section("Over time", *gallery.over_time(series)),
        *_curves(iterations),
        page.section("Evaluations", _evaluations(evaluations)),
        page.section("Results", _results(results)),
        page.section("Recipe", *_recipe(recipe)),
    ]
    path = run / "report.html"
    atomic_write(path, page.page(f"{title} · tutelage", sections))
    return path


def _load(path: Path, kind: type) -> Any:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path}: {error}; valid JSON is needed. Repair or remove the file.") from error
    if not isinstance(content, kind):
        raise InputError(
            f"{path}: a JSON {type(content).__name__} is given, a {kind.__name__} is needed. Repair the file."
        )
    return content


def _explanation(still: gallery.Still, series: gallery.Series) -> str:
    if {"initial", "revised"} <= set(series):
        return (
            "Two networks learn together here. The generator drafts images from random numbers (S1), the "
            "descriptor revises the drafts towards what real images look like (S2), and each then learns: "
            "the descriptor from the difference between real and revised images, the generator by "
            "reconstructing the revision (S3). When learning goes well, the three look more and more like "
            "the real images, and like each other."
        )
    shown = "pictures, curves" if still or series else "curves"
    return f"This page shows how the model learned: {shown} and numbers from its journal, and the recipe."


def _ending(events: Sequence[Event]) -> Html:
    """How the run ended, from the last event that ends a run, unless learning went on after it."""
    for event in reversed(events):
        name = event["event"]
        if name not in ("stop", "interrupt", "divergence") and name not in ("iteration", "resume", "recover", "start"):
            continue
        words = next((str(event[key]) for key in ("message", "reason") if event.get(key)), "")
        at = f" at iteration {page.show(event['iteration'])}" if "iteration" in event else ""
        if name == "stop":
            return page.paragraph(f"The run ended{at}. {words}".strip(), "end")
        if name == "interrupt":
            resume = "It can be continued with tutelage resume."
            return page.paragraph(f"The run was interrupted{at}. {words or resume}", "end warning")
        if name == "divergence":
            return page.paragraph(f"The run diverged{at} and was stopped. {words}".strip(), "end failure")
        return page.paragraph(
            f"The journal stops{at} without saying how the run ended: it still goes on, or was killed.",
            "end warning",
        )
    return Html("")


def _facts(events: Sequence[Event]) -> Iterator[tuple[str, str]]:
    start: Event = {}
    for event in events:
        if event["event"] == "start":
            start |= event
        elif event["event"] == "resume":  # perhaps on another machine
            start |= {key: event[key] for key in _FACTS if key in event}
    last: Event = {}
    for event in (event for event in events if event["event"] != "evaluation"):  # which may be of an older checkpoint
        last |= {key: event[key] for key in ("iteration", "seconds", "epoch", "epochs") if key in event}
    iteration, seconds = (journal.number(last.get(key)) for key in ("iteration", "seconds"))
    if iteration is not None:
        yield "Iterations", page.show(int(iteration))
    epoch = journal.number(last.get("epochs", last.get("epoch")))
    if epoch is not None:
        yield "Epochs", f"{epoch:.4g}"
    if seconds is not None:
        yield "Wall time", page.duration(seconds)
        if iteration:
            yield "Time per iteration", page.duration(seconds / iteration)
    parameters = start.pop("parameters", None)
    for name, count in parameters.items() if isinstance(parameters, dict) else [("all", parameters)]:
        if count is not None:
            yield f"Parameters, {name.replace('_', ' ')}", page.show(count)
    for key, label in _FACTS.items():
        if key in start:
            yield label, page.show(start.pop(key))
    for key, value in start.items():
        if key not in ("event", "iteration", "seconds", "epoch", "epochs", "recipe", "message"):
            yield key.replace("_", " ").capitalize(), page.show(value)


def _curves(iterations: Sequence[Event]) -> Iterator[Html]:
    known, other = curves.learning_charts(iterations)
    for title, charts in (("Curves", known), ("Other curves", other)):
        drawn = [page.drawing(svg, note) for svg, note in charts]
        yield page.section(title, page.group("row wide", drawn))


def _evaluations(evaluations: Sequence[Event]) -> Html:
    names = list(dict.fromkeys(key for event in evaluations for key in event if key != "event"))
    heads = [name.replace("_", " ") for name in names]
    charts = "".join(curves.evaluation_charts(evaluations))
    return Html(charts + page.table(heads, ([event.get(name, "") for name in names] for event in evaluations)))


def _results(results: Sequence[Any]) -> Html:
    rows = []
    for result in (item for item in results if isinstance(item, dict)):
        value, stderr = journal.number(result.get("value")), journal.number(result.get("stderr"))
        shown = page.show(result.get("value")) if value is None else f"{value:.6g}"
        time = journal.number(result.get("wall_seconds"))
        rows.append(
            [
                result.get("name", ""),
                shown if stderr is None else f"{shown} ± {stderr:.2g}",
                result.get("iteration", ""),
                result.get("n", ""),
                str(result.get("seed", "")),
                "" if time is None else page.duration(time),
                result.get("device", ""),
                result.get("threads", ""),
                result.get("version", ""),
                str(result.get("data_sha256") or "")[:12],
                result.get("command", ""),
            ]
        )
    heads = [
        "Name",
        "Value",
        "Iteration",
        "n",
        "Seed",
        "Wall time",
        "Device",
        "Threads",
        "Version",
        "Data (SHA-256)",
        "Command",
    ]
    return page.table(heads, rows)


def _recipe(recipe: dict[str, Any]) -> Iterator[Html]:
    sources = recipe.get("sources") if isinstance(recipe.get("sources"), dict) else {}
    deviations = recipe.get("deviations") or []
    rows, named = [], set()
    for field, value in _flat({k: v for k, v in recipe.items() if k not in ("sources", "deviations")}):
        key = next((key for key in (field, field.rpartition(".")[2]) if key in (sources or {})), None)
        named.add(key)
        rows.append([field, page.show(value), (sources or {}).get(key, "")])
    rows += [[key, "", text] for key, text in (sources or {}).items() if key not in named]
    yield page.details("Every field, and where it comes from", page.table(["Field", "Value", "Source"], rows))
    if deviations:
        yield page.details(
            f"Deviations from the source ({len(deviations)})", page.bullets(str(text) for text in deviations)
        )


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested dicts, and lists of dicts, as dotted names."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for index, item in enumerate(value):
            yield from _flat(item, f"{prefix}.{index}")
    else:
        yield prefix, value
