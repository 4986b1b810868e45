"""Even times have a rate; uneven ones are refused, and rounding is told from unevenness."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tutelage.data.picture import Refused
from tutelage.data.timing import steady_rate

HUNDREDTH, MILLISECOND = Fraction(1, 100), Fraction(1, 1000)


@pytest.mark.parametrize("rate", [12, 24, 25, 30, 40, 48, 50, Fraction(30000, 1001)])
@pytest.mark.parametrize("tick", [HUNDREDTH, MILLISECOND, Fraction(1, 90000)])
@pytest.mark.parametrize("rounding", [np.round, np.floor, np.ceil])
def test_a_rounded_steady_clip_is_steady(rate, tick, rounding):
    times = rounding(np.arange(41) / float(rate * tick))
    assert steady_rate(times, tick, Fraction(rate)) == float(rate)
    assert steady_rate(times, tick) == pytest.approx(float(rate), rel=0.03)


def test_the_rate_is_measured_exactly_where_the_clock_allows():
    assert steady_rate([0, 4, 8, 12], HUNDREDTH) == 25.0
    assert steady_rate([7, 519, 1031], Fraction(1, 12800)) == 25.0
    assert steady_rate([0, 1, 2], Fraction(1001, 30000)) == 30000 / 1001


def test_a_stated_rate_must_agree():
    assert steady_rate([0, 40, 80, 120], MILLISECOND, Fraction(24)) == 25.0


@pytest.mark.parametrize(
    ("times", "tick", "gaps"),
    [
        ([0, 2, 6], HUNDREDTH, r"0\.02 to 0\.04 s apart"),
        ([0, 4, 8, 16, 20, 24], HUNDREDTH, r"0\.04 to 0\.08 s apart"),
        ([0, 1, 2, 3, 4, 6, 7, 8, 9, 10], Fraction(1, 25), r"0\.04 to 0\.08 s apart"),
        ([0, 512, 1024, 2048, 2560], Fraction(1, 12800), r"0\.04 to 0\.08 s apart"),
        ([0, 0, 4], HUNDREDTH, r"0 to 0\.04 s apart"),
        ([0, 2, 1], HUNDREDTH, r"-0\.01 to 0\.02 s apart"),
        ([4, 2, 0], HUNDREDTH, r"-0\.02 to -0\.02 s apart"),
        ([0, *range(4, 44, 4), *range(46, 100, 6)], HUNDREDTH, r"0\.04 to 0\.06 s apart"),
    ],
)
def test_uneven_times_are_refused(times, tick, gaps):
    with pytest.raises(Refused, match=f"^has frames at uneven times .{gaps}., but a steady rate is needed$") as caught:
        steady_rate(times, tick)
    assert caught.value.remedies == ("make it steady, for example with ffmpeg -i IN -r 25 OUT",)


def test_a_frame_may_be_a_tenth_early_or_late():
    tick = Fraction(1, 30000)
    assert steady_rate([0, 1000, 2099, 3000], tick) == 30.0
    with pytest.raises(Refused):
        steady_rate([0, 1000, 2101, 3000], tick)


def test_no_times_say_nothing():
    assert steady_rate([0, 0, 0], HUNDREDTH) is None
