"""A recipe as text for people: every field, where it came from, and where it departs from the paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .codec import encode
from .recipe import Recipe


def describe(recipe: Recipe) -> str:
    """One line per field, ``name value source``, then the deviations."""
    fields = {key: value for key, value in encode(recipe).items() if key not in _ELSEWHERE}
    lines = [recipe.name, *_lines(fields, recipe.sources, "")]
    if recipe.deviations:
        lines += ["deviations from the paper:", *(f"  - {text}" for text in recipe.deviations)]
    return "\n".join(lines)


_ELSEWHERE = ("kind", "name", "sources", "deviations")


def _lines(fields: Mapping[str, Any], sources: Mapping[str, str], prefix: str) -> Iterator[str]:
    for key, value in fields.items():
        name = prefix + key
        source = sources.get(name, "")
        if isinstance(value, Mapping):
            # the class tag of a table is no field, but says which rule or update it is; data have a kind of their own
            which = "" if name == "data" else str(value.get("kind", ""))
            if which or source:
                yield f"  {name:34} {which:24} {source}".rstrip()
            inner = {k: v for k, v in value.items() if k != "kind" or name == "data"}
            yield from _lines(inner, sources, f"{name}.")
        else:
            yield f"  {name:34} {_compact(value):24} {source}".rstrip()


def _compact(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return ", ".join("/".join(str(v) for k, v in item.items() if k != "kind") for item in value)
    return "none" if value is None else str(value)
