"""Pages: cells, quoted numbers, how the time was spent, and the chart."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tutelage.reproduce.dots import dot_chart
from tutelage.reproduce.page import Column, Curves, Quoted, Table, write

COLUMNS = (Column("parzen", "log-likelihood", ".1f"), Column("FD-x", "FD-x"))
QUOTED = (
    Quoted("GAN", "parzen", 225, 2.0, "from a paper"),
    Quoted("Ours", "parzen", 228, None, "from theirs", paper=True),
    Quoted("Ours", "FD-x", 3, None, "from theirs", paper=True),
)
TABLE = Table("Numbers", "Words.", ("Ours", "Theirs", "Third"), ("real images",), COLUMNS, QUOTED)


def entry(name: str, value: float | None, stderr: float | None = None, **more: Any) -> dict[str, Any]:
    facts = {"seed": 4, "threads": 2, "device": "cpu", "data_sha256": "ab" * 32}
    return {"name": name, "value": value, "stderr": stderr, **facts, **more}


ABOUT = {"wall_seconds": 65, "iteration": 1000, "parameters": 12345, "run": "ours"}
ENTRIES = [
    entry("Ours parzen", 12.345, 0.678, **ABOUT),
    entry("Ours FD-x", 0.01234, extractor="x", extractor_sha256="cd" * 32, rank_deficient=True, **ABOUT),
    entry("Theirs parzen", None, failed="It diverged at iteration 7."),
    entry("real images parzen", 30.0, 1.0, width=0.1, at_edge=True),
]


def test_an_error_rate_and_its_spread_are_both_percentages(tmp_path: Path) -> None:
    table = Table("Errors", "Words.", ("Ours",), (), (Column("error", "error", ".2%"),))
    write(tmp_path / "errors.md", table, [entry("Ours error", 0.0627, 0.0003, c=1.0, at_edge=True)])
    page = (tmp_path / "errors.md").read_text()
    assert "| Ours | 6.27% ± 0.03% |" in page
    assert "Ours error has its C at the edge of the grid that was tried." in page.splitlines()


def test_a_page_says_what_was_measured_quoted_and_not_run(tmp_path: Path) -> None:
    write(tmp_path / "numbers.md", TABLE, ENTRIES)
    page = (tmp_path / "numbers.md").read_text()
    for line in (
        "# Numbers",
        "| | log-likelihood | FD-x |",
        "| Ours | 12.3 ± 0.68 | 0.0123 |",
        "| Theirs | failed | not run |",
        "| Third | not run | not run |",
        "| real images | 30.0 ± 1 |  |",
        "| GAN (quoted) | 225.0 ± 2 |  |",
        "| Ours (paper) | 228.0 | 3 |",
        "GAN (quoted): from a paper. Not measured here.",
        "Ours (paper): from theirs. Not measured here.",
        "![Numbers](numbers.svg)",
        "| ours | 1 min 05 s | 1,000 | 12,345 |",
        "Theirs parzen: It diverged at iteration 7.",
        "Fréchet distances by x are of fewer images than it has features, which makes them larger, in all rows.",
        "real images parzen has its width at the edge of the grid that was tried.",
        "Seed 4; 2 threads, cpu; data SHA-256 abababababab. Extractor x, SHA-256 cdcdcdcdcdcd.",
    ):
        assert line in page.splitlines(), line
    assert QUOTED[0].entry() == {"name": "GAN parzen (quoted)", "value": 225, "stderr": 2.0, "source": "from a paper"}


def test_what_failed_for_one_reason_is_told_of_each(tmp_path: Path) -> None:
    ran_away, why = {"failed": "It diverged.", "run": "ours"}, {"failed": "Too short a clip."}
    of_run = [entry(f"Ours {measure}", None, **ran_away) for measure in ("parzen", "FD-x")]
    of_none = [entry(f"{row} parzen", None, **why) for row in ("Theirs", "Third")]
    write(tmp_path / "numbers.md", TABLE, [*of_run, *of_none])
    lines = (tmp_path / "numbers.md").read_text().splitlines()
    assert "Ours FD-x: It diverged." in lines and "Theirs parzen, Third parzen: Too short a clip." in lines


def test_a_measure_that_others_published_alone_is_empty_in_rows_of_ours(tmp_path: Path) -> None:
    write(tmp_path / "numbers.md", replace(TABLE, columns=(COLUMNS[0], Column("FD-x", "FD-x", quoted=True))), [])
    page = (tmp_path / "numbers.md").read_text()
    assert "| Ours | not run |  |" in page and "| Ours (paper) | 228.0 | 3 |" in page


def test_rows_that_are_shown_where_known_alone_are_left_out_without_numbers(tmp_path: Path) -> None:
    write(tmp_path / "numbers.md", replace(TABLE, known=("Theirs", "Third")), ENTRIES)
    page = (tmp_path / "numbers.md").read_text()
    assert "| Theirs | failed | not run |" in page and "Third" not in page


def test_a_page_of_nothing_is_still_a_page(tmp_path: Path) -> None:
    write(tmp_path / "numbers.md", Table("Numbers", "Words.", ("Ours",), (), COLUMNS), [])
    page = (tmp_path / "numbers.md").read_text()
    assert "| Ours | not run | not run |" in page and "How the time" not in page and "Seed" not in page


def test_columns_of_one_measure_are_curves(tmp_path: Path) -> None:
    columns = tuple(Column(f"{what} n={n}", f"{what}, {n}") for what in ("skill", "luck") for n in (10, 20))
    curves = tuple(Curves(what, "images", {n: f"{what} n={n}" for n in (10, 20)}) for what in ("skill", "luck"))
    table = Table("Numbers", "Words.", ("Ours", "Theirs"), ("real images",), columns, curves=curves)
    numbers = [("Ours skill n=10", 1.0, 0.5), ("Ours skill n=20", 3.0, None), ("real images skill n=20", 4.0, None)]
    write(tmp_path / "numbers.md", table, [entry(*number) for number in numbers])
    page = (tmp_path / "numbers.md").read_text()
    assert "![skill](numbers.svg)" in page and "![luck](numbers_2.svg)" in page
    space = "{http://www.w3.org/2000/svg}"
    svg = ElementTree.parse(tmp_path / "numbers.svg")
    dots = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in svg.iter(f"{space}circle")]
    assert len(dots) == 3 and dots[1][0] == dots[2][0] > dots[0][0]
    assert (dots[0][1] - dots[1][1]) / (dots[1][1] - dots[2][1]) == pytest.approx(2, rel=0.02)
    names = {text.text for text in svg.iter(f"{space}text")}
    assert {"Ours", "real images", "skill against images"} <= names and "Theirs" not in names
    assert "no finite values" in (tmp_path / "numbers_2.svg").read_text()


def test_dots_lie_where_their_values_are() -> None:
    svg = ElementTree.fromstring(dot_chart({"a": (0.0, None), "b": (1.0, 0.5), "c": (4.0, 0.0)}, "Of three"))
    space = "{http://www.w3.org/2000/svg}"
    x = [float(dot.attrib["cx"]) for dot in svg.iter(f"{space}circle")]
    assert len(x) == 3 and abs((x[2] - x[0]) / (x[1] - x[0]) - 4) < 0.02
    texts = [text.text for text in svg.iter(f"{space}text")]
    assert texts[0] == "Of three" and {"a", "b", "c"} < set(texts)
    error = [line for line in svg.iter(f"{space}line") if line.attrib["stroke-opacity"] == "0.6"]
    assert abs((float(error[0].attrib["x2"]) - float(error[0].attrib["x1"])) - (x[1] - x[0])) < 0.3
    assert "<circle" not in dot_chart({}, "Of none")


def test_what_is_not_finite_is_left_out_of_the_dots(tmp_path: Path) -> None:
    inf, nan = float("inf"), float("nan")
    chart = dot_chart(
        {"a": (0.0, None), "b": (inf, None), "c": (nan, 1.0), "d": (1.0, nan), "e": (2.0, 0.5)}, "Of three"
    )
    texts = {text.text for text in ElementTree.fromstring(chart).iter("{http://www.w3.org/2000/svg}text")}
    assert chart.count("<circle") == 3 and {"a", "d", "e"} < texts and not {"b", "c"} & texts
    assert chart.count('stroke-opacity="0.6"') == 1
    assert dot_chart({"b": (inf, None)}, "Of none") == dot_chart({}, "Of none")
    write(tmp_path / "numbers.md", TABLE, [entry("Ours parzen", inf), entry("Theirs parzen", 1.0)])
    assert "| Ours | inf |" in (tmp_path / "numbers.md").read_text()


def test_a_page_compares_its_order_with_the_papers(tmp_path: Path) -> None:
    papers = [Quoted(row, "FID", value, None, "it", paper=True) for row, value in (("A", 3), ("B", 2), ("C", 1))]
    table = Table("T", "Words.", ("A", "B", "C"), (), (Column("FD-x", "FD-x"),), tuple(papers), order=("FD-x", "FID"))
    for values, says in (
        ((5, 4, 3), "Least FD-x first: C < B < A. The order is the paper's."),
        ((1, 2, 3), "Least FD-x first: A < B < C. The order is not the paper's, C < B < A."),
        ((1, 2, None), "Least FD-x first: A < B. The order is not the paper's, B < A."),
        ((1, None, None), None),
    ):
        entries = [entry(f"{row} FD-x", value) for row, value in zip("ABC", values, strict=True)]
        write(tmp_path / "t.md", table, entries)
        page = (tmp_path / "t.md").read_text()
        assert (says in page.splitlines()) if says else ("Least" not in page)


def test_a_page_says_which_models_learned_for_another_time(tmp_path: Path) -> None:
    spent = {"a-30min-seed0": 26.9, "b-30min-seed0": 27.1, "c-30min-seed0": 33.1, "short-seed0": 4}
    entries = [
        entry(f"{run} FD-x", 1.0, **ABOUT | {"run": run, "wall_seconds": 60 * minutes, "budget_minutes": 30})
        for run, minutes in spent.items()
    ]
    write(tmp_path / "t.md", TABLE, entries)
    says = "Farther than a tenth from the budget, which a short trial had foretold: a-30min-seed0 (90%), c-30min-seed0"
    assert f"{says} (110%)." in (tmp_path / "t.md").read_text().splitlines()
    stalled = "In round 3 synthesis stalled."
    of = [
        entry(f"{row} FD-x", 1.0, **ABOUT | {"run": f"{row}-30min-seed0", "wall_seconds": 60 * minutes}, **more)
        for row, minutes, ended in (("Ours", 20, stalled), ("Theirs", 34, None), ("Third", 30, "All rounds are done."))
        for more in ({"budget_minutes": 30, "planned": None, "rounds": 1_002, "ended": ended},)
    ]
    write(tmp_path / "t.md", TABLE, of)
    page = (tmp_path / "t.md").read_text()
    assert f"Ours-30min-seed0 ended by itself after 67% of the budget. {stalled}" in page.splitlines()
    assert "Theirs-30min-seed0 ran for 113% of the budget." in page.splitlines()
    assert "foretold" not in page and "done" not in page
    assert "| Ours-30min-seed0 | 20 min 00 s | 1,000 (1,002 rounds) | 12,345 |" in page.splitlines()
    cut = {**ABOUT, "run": "a", "iteration": 1_000}
    of = [
        entry(f"{row} FD-x", 1.0, **cut | {"run": row, "planned": planned})
        for row, planned in (("Ours", 1_500), ("Theirs", 1_000), ("Third", None))
    ]
    write(tmp_path / "t.md", TABLE, of)
    says = "Stopped by the clock before their last iteration: Ours (1,000 of 1,500)."
    assert says in (tmp_path / "t.md").read_text().splitlines()


def test_pictures_of_any_name_are_shown(tmp_path: Path) -> None:
    pictures = {"picture": "table6_school bus (2).png"}
    write(tmp_path / "numbers.md", TABLE, [entry("Ours parzen", 1.0, **ABOUT, **pictures)])
    page = (tmp_path / "numbers.md").read_text()
    assert "(table6_school%20bus%20%282%29.png)" in page
