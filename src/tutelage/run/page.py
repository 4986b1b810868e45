"""Pieces of one self-contained web page: every text is escaped here, every picture is inside the page."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, NewType

Html = NewType("Html", str)
"""Markup, made by the functions of this module only: they escape every text they are given."""

_CSS = """
:root { color-scheme: light dark; --ink: #1b1e23; --paper: #ffffff; --soft: #5c6470; --rule: #d9dde3;
  --panel: #f4f6f8 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --paper: #14171b; --soft: #9aa4b0; --rule: #343a42; --panel: #1e2228 } }
body { margin: 0 auto; padding: 1rem; max-width: 74rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif }
h1 { margin: .5rem 0; font-size: 1.7rem; overflow-wrap: anywhere }
h2 { margin: 2.2rem 0 .6rem; font-size: 1.25rem }
p { max-width: 46rem } .soft, figcaption { color: var(--soft); font-size: .9rem }
.end { padding: .6rem .9rem; border-left: 4px solid #009E73; background: var(--panel) }
.end.warning { border-color: #E69F00 } .end.failure { border-color: #D55E00 }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: .6rem;
  margin: 0 }
.facts div { padding: .5rem .7rem; background: var(--panel); border-radius: 6px; overflow-wrap: anywhere }
.facts dt { color: var(--soft); font-size: .85rem } .facts dd { margin: 0; font-weight: 600 }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(13rem, 100%), 1fr)); gap: 1rem;
  align-items: start }
.row + .row { margin-top: 1rem }
.row.wide { grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)) }
.strip { display: flex; gap: .6rem; overflow-x: auto; padding-bottom: .4rem }
.strip figure { flex: 1 0 8rem; max-width: 11rem }
figure { margin: 0 } img, svg { display: block; max-width: 100%; height: auto }
.row img, .strip img { width: 100% } .row img { max-width: 36rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-size: .92rem }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--rule); text-align: left;
  vertical-align: top }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
td.number, td.short { white-space: nowrap }
summary { cursor: pointer }
"""


def page(title: str, body: Iterable[str]) -> str:
    """The whole document. It asks for nothing from anywhere: no scripts, no fonts, no links."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body>\n</html>\n"
    )


def heading(title: str) -> Html:
    """The first line of the page."""
    return Html(f"<h1>{escape(title)}</h1>")


def section(title: str, *content: str) -> Html:
    """A heading and what stands under it; nothing at all where there is no content."""
    inside = "\n".join(part for part in content if part)
    return Html(f"<section>\n<h2>{escape(title)}</h2>\n{inside}\n</section>" if inside else "")


def paragraph(text: str, kind: str = "") -> Html:
    """A paragraph; `kind` is its class."""
    return Html(f"<p{_class(kind)}>{escape(text)}</p>" if text else "")


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Small boxes with a name and a value each."""
    boxes = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return Html(f'<dl class="facts">{boxes}</dl>' if boxes else "")


def figure(picture: bytes, alt: str, caption: str) -> Html:
    """A PNG or GIF inside the page, with a caption below."""
    data = base64.b64encode(picture).decode("ascii")
    kind = "gif" if picture.startswith(b"GIF") else "png"
    return Html(
        f'<figure><img alt="{escape(alt)}" src="data:image/{kind};base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def drawing(svg: str, caption: str) -> Html:
    """An `<svg>` element inside the page, with a caption below."""
    return Html(f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>")


def group(kind: str, items: Iterable[str]) -> Html:
    """Items in a `row` (side by side), a `row wide` or a `strip` (one line that scrolls)."""
    inside = "\n".join(items)
    return Html(f'<div class="{kind}">\n{inside}\n</div>' if inside else "")


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Html:
    """A table whose numbers stand right; nothing at all where there are no rows."""
    listed = [list(row) for row in rows]
    if not listed:
        return Html("")
    right = [all(isinstance(row[i], int | float) or row[i] == "" for row in listed) for i in range(len(heads))]
    head = "".join(
        f"<th{_class('number' if number else '')}>{escape(name)}</th>"
        for name, number in zip(heads, right, strict=True)
    )
    body = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>\n" for row in listed)
    return Html(f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>')


def details(summary: str, *content: str) -> Html:
    """Content that opens on a click, without a script."""
    inside = "\n".join(part for part in content if part)
    return Html(f"<details><summary>{escape(summary)}</summary>\n{inside}\n</details>" if inside else "")


def bullets(items: Iterable[str]) -> Html:
    """A list of short texts."""
    inside = "".join(f"<li>{escape(item)}</li>" for item in items)
    return Html(f"<ul>{inside}</ul>" if inside else "")


def show(value: Any) -> str:
    """A value as a person reads it: 12 345, 0.0123, yes, a, b, c."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u2009")
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e5 or abs(value) >= 1e9 else show(round(value))
    if isinstance(value, list | tuple):
        return ", ".join(show(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {show(item)}" for key, item in value.items())
    return str(value)


def duration(seconds: float) -> str:
    """Seconds as 0.12 s, 12.3 s, 4 min 05 s or 1 h 23 min."""
    if not 0 <= seconds < 1e9:
        return show(seconds)
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _cell(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = show(value)
    return f"<td{_class('number' if number else 'short' if len(text) <= 24 else '')}>{escape(text)}</td>"
