"""Whether frames follow each other steadily, and how fast.

Frame i is shown at t_i, counted in ticks of its file's clock, of ``tick`` seconds. Even times are t_0 + i · d with

    d = (t_n − t_0) / n        and the rate is 1 / (d · tick).

A clock that is finer than the frames (d ≥ 2) rounds every time to a tick, which moves no t_i by a whole tick from its
even time; a GIF of 40 frames per second shows them for 2, 3, 2, 3 … ticks of 0.01 s. Apart from that, a frame may be a
tenth of d early or late.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from .picture import Refused

_SLACK = 0.1


def steady_rate(times: Sequence[float], tick: Fraction, stated: Fraction | None = None) -> float | None:
    """Frames per second, or None where all times are the same and so say nothing.

    Args:
        times: when each frame begins, in ticks; at least two. Where the end of the last is known it is one more.
        tick: length of a tick in seconds.
        stated: the rate that the file claims, taken instead of the measured one if the times agree with it.

    Raises:
        Refused: the times are uneven.
    """
    ticks = np.asarray(times, np.float64)
    gaps = np.diff(ticks)
    if not gaps.any():
        return None
    measured = float(ticks[-1] - ticks[0]) / len(gaps)
    if measured <= 0 or not _even(ticks, measured):
        shortest, longest = (float(gap) * float(tick) for gap in (gaps.min(), gaps.max()))
        raise Refused(
            f"has frames at uneven times ({shortest:.3g} to {longest:.3g} s apart), but a steady rate is needed",
            "make it steady, for example with ffmpeg -i IN -r 25 OUT",
        )
    if stated and _even(ticks, float(1 / (stated * tick))):
        return float(stated)
    return float(1 / (Fraction(measured) * tick))


def _even(ticks: np.ndarray, gap: float) -> bool:
    """Whether every time is where even times ``gap`` ticks apart would be."""
    away = np.abs(ticks - ticks[0] - gap * np.arange(len(ticks))).max()
    rounding = 1 - 1e-9 if gap >= 2 else 0.0
    return bool(away <= max(rounding, _SLACK * gap))
