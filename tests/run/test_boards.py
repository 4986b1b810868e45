"""Numbers reach TensorBoard where it is installed, and nothing is written where it is not."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest

from tutelage.run.boards import board

EventAccumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator").EventAccumulator


def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder)).Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_numbers_are_shown_and_those_that_are_not_finite_left_out(tmp_path: Path) -> None:
    with board(tmp_path / "tensorboard", 0) as write:
        write(1, {"movement": 0.5, "drift_ratio": math.nan})
        write(2, {"movement": 0.25, "drift_ratio": 2.0})
    assert shown(tmp_path / "tensorboard") == {"movement": [(1, 0.5), (2, 0.25)], "drift_ratio": [(2, 2.0)]}


def test_a_second_sitting_replaces_what_came_later_in_the_first(tmp_path: Path) -> None:
    with board(tmp_path, 0) as write:
        for t in (1, 2, 3):
            write(t, {"movement": float(t)})
    with board(tmp_path, 1) as write:
        write(2, {"movement": 20.0})
    assert shown(tmp_path) == {"movement": [(1, 1.0), (2, 20.0)]}


def test_without_tensorboard_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with board(tmp_path / "tensorboard", 0) as write:
        write(1, {"movement": 0.5})
    assert not (tmp_path / "tensorboard").exists()
