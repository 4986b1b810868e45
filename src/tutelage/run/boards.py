"""The numbers of a run for TensorBoard, where it is installed; the journal has them in any case.

    pip install 'tutelage[tensorboard]'        then: tensorboard --logdir RUN/tensorboard

Records are written one by one by this process, not by a thread of TensorBoard's, so that a full disk ends the run
with the same sentence as everywhere else.
"""

from __future__ import annotations

import importlib.util
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ..atomic import explained


class Board(Protocol):
    """Takes the numbers of an iteration."""

    def __call__(self, iteration: int, numbers: Mapping[str, float], /) -> None: ...


@contextmanager
def board(folder: Path, iteration: int) -> Iterator[Board]:
    """A board that writes a new event file into ``folder``, from ``iteration`` on; one that does nothing where
    TensorBoard is not installed.

    What an earlier sitting wrote of later iterations is no longer shown.

    Raises ``InputError`` where the file cannot be written.
    """
    if importlib.util.find_spec("tensorboard") is None:
        yield lambda iteration, numbers: None
        return
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
    from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
    from tensorboard.summary.writer.record_writer import RecordWriter

    path = folder / f"events.out.tfevents.{time.time():.6f}.{os.getpid()}"
    with explained(path):
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("xb", buffering=0)

    def put(**fields: Any) -> None:
        with explained(path):
            writer.write(Event(wall_time=time.time(), **fields).SerializeToString())

    def write(iteration: int, numbers: Mapping[str, float]) -> None:
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        values = [Summary.Value(tag=name, simple_value=value) for name, value in finite.items()]
        put(step=iteration, summary=Summary(value=values))

    with file:
        writer = RecordWriter(file)
        put(file_version="brain.Event:2")
        put(step=iteration + 1, session_log=SessionLog(status=SessionLog.START))
        yield write
