"""One number for each of several names, with its error, as an SVG of dots on a line each."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..run.charts import FONT, PALETTE, nice_ticks, svg_line, svg_text, tick_labels

_ROW, _WIDTH = 26, 640


def dot_chart(points: Mapping[str, tuple[float, float | None]], title: str) -> str:
    """Draw ``{name: (value, standard error or None)}`` from the top down; returns one ``<svg>`` element.

    The axis takes in every value and its error. Values and errors that are not finite are left out; with no points
    there is a title alone.
    """
    points = {
        name: (value, error if error is not None and math.isfinite(error) else None)
        for name, (value, error) in points.items()
        if math.isfinite(value)
    }
    left = 24 + max((len(name) for name in points), default=0) * FONT * 0.58
    ends = [value + sign * (error or 0) for value, error in points.values() for sign in (-1, 1)] or [0.0]
    spread = max(ends) - min(ends) or 1.0
    low, high = min(ends) - 0.04 * spread, max(ends) + 0.04 * spread
    right, top = _WIDTH - 18, 40
    bottom = top + _ROW * len(points)

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    parts = [svg_text(10, 20, title, "start", bold=True)]
    ticks = nice_ticks(low, high)
    for tick, label in zip(ticks, tick_labels(ticks), strict=True):
        parts += [
            svg_line(across(tick), top, across(tick), bottom, 0.14),
            svg_text(across(tick), bottom + 18, label, "middle"),
        ]
    for index, (name, (value, error)) in enumerate(points.items()):
        y = top + _ROW * (index + 0.5)
        parts.append(svg_text(left - 10, y + 4, name, "end"))
        if error is not None:
            parts.append(svg_line(across(value - error), y, across(value + error), y, 0.6))
        parts.append(f'<circle cx="{across(value):.1f}" cy="{y:.1f}" r="5" fill="{PALETTE[0]}"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 30}" width="{_WIDTH}" '
        f'font-family="sans-serif" font-size="{FONT}" fill="currentColor">{"".join(parts)}</svg>\n'
    )
