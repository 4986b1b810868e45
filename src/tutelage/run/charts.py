"""Line charts as SVG text, drawn without any plotting library.

A chart takes its ink from the surrounding text colour, so that it reads on light and on dark pages, and the
colours of its lines from the palette of Okabe and Ito, which colour-blind readers can tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from html import escape
from itertools import pairwise

Curve = tuple[Sequence[float], Sequence[float]]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
FONT = 13
THIN_SPACE, MINUS = "\u2009", "\u2212"
_LIMIT = 1e150  # beyond it, a difference of two values may overflow; treated as not finite


def line_chart(
    series: Mapping[str, Curve],
    title: str,
    x_label: str,
    y_label: str,
    *,
    log_y: bool = False,
    width: int = 640,
    height: int = 320,
    band: Mapping[str, Curve] | None = None,
    reference: float | None = None,
    faint: Collection[str] = (),
    points: int = 1500,
    standalone: bool = False,
) -> str:
    """Draw named curves `{name: (x, y)}` and return one `<svg>` element.

    `band` gives a curve's `(low, high)` around its y, drawn as a pale area, for instance mean ∓ standard
    error. `reference` is a dashed level, `faint` names curves drawn thin and pale. Points that are not finite
    (and, with `log_y`, not positive) are skipped. A curve of more than `points` points is thinned to the
    smallest and largest value of each bin, so that spikes stay visible. `standalone` adds the namespace that
    an .svg file of its own needs.
    """
    curves = {name: _clean(x, y, log_y) for name, (x, y) in series.items()}
    bands = {
        name: (_clean(series[name][0], low, log_y), _clean(series[name][0], high, log_y))
        for name, (low, high) in (band or {}).items()
    }
    level = [reference] if reference is not None and (reference > 0 or not log_y) else []
    xs = [x for curve in curves.values() for x, _ in curve]
    ys = [y for curve in curves.values() for _, y in curve] + level
    ys += [y for low, high in bands.values() for _, y in low + high]
    x_low, x_high = _range(xs, padding=0.0)
    y_low, y_high = _range([math.log10(y) for y in ys] if log_y else ys, padding=0.05)

    y_ticks = log_ticks(10**y_low, 10**y_high) if log_y else nice_ticks(y_low, y_high)
    y_texts = [_short(tick) for tick in y_ticks] if log_y else tick_labels(y_ticks)
    x_ticks = nice_ticks(x_low, x_high, max(2, width // 110))
    if all(x == int(x) for x in xs):  # iterations and epochs have no halves
        x_ticks = [x for x in x_ticks if x == int(x)] or x_ticks
    names = list(series) if len(series) > 1 else []
    left = 34 + max((len(text) for text in y_texts), default=1) * FONT * 0.58
    legend, legend_height = _legend(names, faint, left, width)
    top, right, bottom = 34 + legend_height, width - 18, height - 46

    def across(x: float) -> float:
        return left + (x - x_low) / (x_high - x_low) * (right - left)

    def down(y: float) -> float:
        return bottom - ((math.log10(y) if log_y else y) - y_low) / (y_high - y_low) * (bottom - top)

    def place(curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(across(x), down(y)) for x, y in curve]

    parts = [svg_text(left, 20, title, "start", bold=True), legend]
    for y, text in zip(y_ticks, y_texts, strict=True):
        parts += [svg_line(left, down(y), right, down(y), 0.14), svg_text(left - 6, down(y) + 4, text, "end")]
    for x, text in zip(x_ticks, tick_labels(x_ticks), strict=True):
        parts += [
            svg_line(across(x), top, across(x), bottom, 0.07),
            svg_text(across(x), bottom + 18, text, "middle"),
        ]
    parts += [
        svg_line(left, bottom, right, bottom, 0.6),
        svg_text((left + right) / 2, height - 8, x_label, "middle"),
    ]
    parts.append(svg_text(16, (top + bottom) / 2, y_label, "middle", turned=True))
    for value in level:
        parts.append(svg_line(left, down(value), right, down(value), 0.7, "6 4"))
    for index, (name, curve) in enumerate(curves.items()):
        color, dash = _style(index)
        if name in bands:
            low, high = (place(thin(edge, points)) for edge in bands[name])
            outline = _points([*low, *reversed(high)])
            parts.append(f'<polygon points="{outline}" fill="{color}" fill-opacity="0.2"/>')
        parts += _curve(place(thin(curve, points)), color, dash, name in faint)
    if not xs:
        parts.append(svg_text((left + right) / 2, (top + bottom) / 2, "no finite values", "middle"))
    namespace = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    return (
        f'<svg{namespace} viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(f"Chart: {title}; {y_label} against {x_label}")}" '
        f'font-family="system-ui, sans-serif" font-size="{FONT}" fill="currentColor">{"".join(parts)}</svg>'
    )


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten inside [low, high], near `about` of them."""
    rough = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((m * power for m in (1, 2, 5, 10)), key=lambda candidate: abs(math.log(candidate / rough)))
    slack = 1e-9 * (high - low) / step
    first, last = math.ceil(low / step - slack), math.floor(high / step + slack)
    digits = max(0, 1 - math.floor(math.log10(step)))
    return [round(index * step, digits) for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Ticks for a logarithmic axis: powers of ten; with 2 and 5 in a short range; even steps in a tiny."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(1, math.ceil((last - first) / 8))
    powers = [10.0**power for power in range(first, last + 1) if power % every == 0]
    tens = [tick for tick in powers if low <= tick <= high]
    if len(tens) >= 3:
        return tens
    finer = [m * 10.0**power for power in range(first, last + 1) for m in (1, 2, 5)]
    inside = [tick for tick in finer if low <= tick <= high]
    return inside if len(inside) >= 3 else [tick for tick in nice_ticks(low, high, 4) if tick > 0]


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Write evenly spaced ticks with the digits that tell them apart; huge or tiny ones as powers of ten."""
    largest = max((abs(tick) for tick in ticks), default=0.0)
    gaps = [abs(second - first) for first, second in pairwise(ticks)]
    smallest = min((gap for gap in gaps if gap > 0), default=largest or 1.0)
    if 0 < largest < 1e6 and smallest > 0.99e-4:
        decimals = max(0, -math.floor(math.log10(smallest) + 1e-9))
        return [f"{tick:,.{decimals}f}".replace(",", THIN_SPACE).replace("-", MINUS) for tick in ticks]
    precision = max(0, math.floor(math.log10(largest or 1) + 1e-9) - math.floor(math.log10(smallest) + 1e-9))
    return [_scientific(tick, precision) for tick in ticks]


def thin(curve: Sequence[tuple[float, float]], points: int) -> list[tuple[float, float]]:
    """Keep at most `points` points: the smallest and largest of each bin, and both ends, in their order."""
    if len(curve) <= points:
        return list(curve)
    bins = max(1, (points - 2) // 2)
    kept = {0, len(curve) - 1}
    for index in range(bins):
        members = range(index * len(curve) // bins, (index + 1) * len(curve) // bins)
        kept.add(min(members, key=lambda member: curve[member][1]))
        kept.add(max(members, key=lambda member: curve[member][1]))
    return [curve[index] for index in sorted(kept)]


def running_mean(values: Sequence[float], window: int) -> list[float]:
    """The mean of each value and up to `window` - 1 before it, leaving out what is not finite."""
    means: list[float] = []
    total, count = 0.0, 0
    for index, value in enumerate(values):
        if math.isfinite(value):
            total, count = total + value, count + 1
        if index >= window and math.isfinite(values[index - window]):
            total, count = total - values[index - window], count - 1
        means.append(total / count if count else math.nan)
    return means


def _clean(xs: Sequence[float], ys: Sequence[float], log_y: bool) -> list[tuple[float, float]]:
    pairs = [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]
    return [(x, y) for x, y in pairs if abs(x) < _LIMIT and abs(y) < _LIMIT and (y > 0 or not log_y)]


def _range(values: Sequence[float], padding: float) -> tuple[float, float]:
    """The interval an axis shows: never empty, also for one value or none."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    span = high - low
    if span <= 1e-12 * max(abs(low), abs(high)):
        half = 0.1 * abs(low) or 1.0
        return low - half, high + half
    return low - padding * span, high + padding * span


def _scientific(tick: float, precision: int) -> str:
    if tick == 0:
        return "0"
    mantissa, exponent = f"{tick:.{precision}e}".replace("-", MINUS).split("e")
    return f"{mantissa}e{exponent[0].removeprefix('+')}{exponent[1:].lstrip('0') or '0'}"


def _short(tick: float) -> str:
    """One tick of a logarithmic axis, whose neighbours are far away."""
    return f"{tick:g}" if 1e-3 <= tick < 1e6 else _scientific(tick, 0)


def _style(index: int) -> tuple[str, str]:
    """Colour and dashes of the curve number `index`: six colours, then the same ones dashed."""
    return PALETTE[index % len(PALETTE)], ("", "6 3", "2 3")[index // len(PALETTE) % 3]


def _points(curve: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in curve)


def _curve(curve: Sequence[tuple[float, float]], color: str, dash: str, faint: bool) -> list[str]:
    """A line, with a dot on each point where there are few."""
    ink = f'stroke="{color}" stroke-width="{1 if faint else 2}" stroke-opacity="{0.35 if faint else 1}"'
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    line = f'<polyline points="{_points(curve)}" fill="none" stroke-linejoin="round" {ink}{dashes}/>'
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in curve]
    return ([line] if len(curve) > 1 else []) + (dots if len(curve) <= 30 else [])


def svg_line(x1: float, y1: float, x2: float, y2: float, opacity: float, dash: str = "") -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor" '
        f'stroke-opacity="{opacity}"{dashes}/>'
    )


def svg_text(x: float, y: float, text: str, anchor: str, *, bold: bool = False, turned: bool = False) -> str:
    weight = ' font-weight="600" font-size="15"' if bold else ""
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}{turn}>{escape(text)}</text>'


def _legend(names: Sequence[str], faint: Collection[str], left: float, width: int) -> tuple[str, float]:
    """Coloured strokes with names, in rows below the title; and the height they take."""
    parts: list[str] = []
    x, y = left, 40.0
    for index, name in enumerate(names):
        needed = 34 + len(name) * FONT * 0.58
        if x > left and x + needed > width - 10:
            x, y = left, y + 18
        color, dash = _style(index)
        parts += _curve([(x, y - 4), (x + 20, y - 4)], color, dash, name in faint)[:1]
        parts.append(svg_text(x + 25, y, name, "start"))
        x += needed + 12
    return "".join(parts), (y - 40 + 20 if names else 0)
