"""Charts are well-formed SVG, keep spikes, and survive the odd inputs a run produces."""

import math
import re
import xml.etree.ElementTree as ET

import pytest

from tutelage.run import charts


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def coordinates(svg: str) -> list[tuple[float, float]]:
    (line,) = parsed(svg).findall("polyline")
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter() if element.tag.endswith("text")]


def test_larger_values_are_drawn_higher_and_later_ones_further_right() -> None:
    (x1, y1), (x2, y2), (x3, y3) = coordinates(charts.line_chart({"v": ([0, 5, 10], [1, 2, 3])}, "t", "x", "y"))
    assert x1 < x2 < x3
    assert y1 > y2 > y3
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)


def test_a_logarithmic_axis_spaces_decades_evenly() -> None:
    svg = charts.line_chart({"v": ([0, 1, 2, 3], [1, 10, 0, 100])}, "t", "x", "y", log_y=True)
    (_, y1), (_, y2), (_, y3) = coordinates(svg)  # zero is skipped
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)
    assert {"1", "10", "100"} <= set(texts(svg))


ODD = [[], [3.0], [0.0], [math.nan], [2.0] * 5, [-1e200, 1.0, math.inf], [1e-300, 2e-300]]


@pytest.mark.parametrize("values", ODD)
@pytest.mark.parametrize("log_y", [False, True])
def test_odd_curves_still_make_a_chart_inside_its_frame(values: list[float], log_y: bool) -> None:
    svg = charts.line_chart({"v": (range(len(values)), values)}, "t", "x", "y", log_y=log_y, reference=1.0)
    assert not re.search(r"\b(nan|inf)\b", svg)
    for circle in parsed(svg).findall("circle"):
        assert 0 <= float(circle.attrib["cx"]) <= 640
        assert 0 <= float(circle.attrib["cy"]) <= 320


def test_no_curve_at_all_says_so() -> None:
    assert "no finite values" in charts.line_chart({}, "t", "x", "y")


def test_long_curves_are_thinned_but_spikes_stay() -> None:
    curve = [(float(x), math.sin(x / 1000)) for x in range(50_000)]
    curve[12_345] = (12_345.0, 99.0)
    curve[23_456] = (23_456.0, -99.0)
    kept = charts.thin(curve, 1500)
    assert 1000 < len(kept) <= 1500
    assert {curve[0], curve[12_345], curve[23_456], curve[-1]} <= set(kept)
    assert kept == sorted(kept)
    assert charts.thin(curve[:10], 1500) == curve[:10]


RANGES = [(0, 1), (0, 23_456), (-3e5, 1e5), (0.0113, 0.0127), (1e7, 1.00001e7)]


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_ticks_are_round_inside_and_told_apart(low: float, high: float) -> None:
    ticks = charts.nice_ticks(low, high)
    assert 3 <= len(ticks) <= 9
    assert all(low - 1e-9 * (high - low) <= tick <= high + 1e-9 * (high - low) for tick in ticks)
    step = ticks[1] - ticks[0]
    leading = step / 10 ** math.floor(math.log10(step) + 1e-6)
    assert any(leading == pytest.approx(nice, rel=1e-3) for nice in (1, 2, 5))
    assert len(set(charts.tick_labels(ticks))) == len(ticks)


def test_tick_labels_are_short() -> None:
    assert charts.tick_labels([0, 5000, 10_000]) == ["0", "5\u2009000", "10\u2009000"]
    assert charts.tick_labels([-0.5, 0.0, 0.5]) == ["\u22120.5", "0.0", "0.5"]
    assert charts.tick_labels([0, 2e6, 4e6]) == ["0", "2e6", "4e6"]
    assert charts.tick_labels([1e-5, 2e-5]) == ["1e\u22125", "2e\u22125"]
    assert charts.log_ticks(0.5, 2000) == [1, 10, 100, 1000]
    assert charts.log_ticks(3, 70) == [5, 10, 20, 50]


def test_whole_x_values_get_whole_ticks() -> None:
    shown = texts(charts.line_chart({"v": ([1, 2, 3], [0.5, 0.5, 0.5])}, "t", "x", "y"))
    assert {"1", "2", "3"} <= set(shown)
    assert "1.5" not in shown


def test_band_reference_legend_and_faint_curves_are_drawn() -> None:
    series = {"raw": ([0, 1], [1.0, 2.0]), "mean <b>": ([0, 1], [1.5, 1.5])}
    svg = charts.line_chart(series, "A & B", "x", "<y>", band={"raw": ([0, 1], [2, 3])}, reference=2.5, faint={"raw"})
    assert {"A & B", "<y>", "raw", "mean <b>"} <= set(texts(svg))
    root = parsed(svg)
    assert len(root.findall("polygon")) == 1
    assert any(line.attrib.get("stroke-dasharray") for line in root.findall("line"))
    strokes = [line.attrib["stroke"] for line in root.findall("polyline")]
    assert set(strokes) == set(charts.PALETTE[:2])
    assert "http" not in svg


def test_a_file_of_its_own_gets_the_namespace() -> None:
    svg = charts.line_chart({"v": ([0, 1], [0, 1])}, "t", "x", "y", standalone=True)
    assert parsed(svg).tag == "{http://www.w3.org/2000/svg}svg"


def test_running_mean_looks_back_and_skips_what_is_not_finite() -> None:
    assert charts.running_mean([1.0, 3.0, 5.0, 7.0], 2) == [1.0, 2.0, 4.0, 6.0]
    assert charts.running_mean([1.0, math.nan, 5.0], 2) == [1.0, 1.0, 5.0]
    assert math.isnan(charts.running_mean([math.inf], 3)[0])
