"""What happened during a run, one JSON object a line.

Each line is `{"event": ..., ...}`. The events a run writes are named in `EVENTS`; the usual fields are
`iteration` (int) and `seconds` (wall time of learning so far), followed by whatever the learner records. A
line is written whole and flushed, so a kill can tear the last line only, and `read` leaves that one out.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..atomic import atomic_write, explained
from ..checks import InputError

EVENTS = (
    "start",
    "iteration",
    "picture",
    "checkpoint",
    "evaluation",
    "interrupt",
    "resume",
    "recover",
    "stop",
    "divergence",
)


class Journal:
    """Append to the journal at `path`; a torn last line of an earlier process is cut off first.

    A journal may be used as a context manager, or closed with `close`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if self.path.exists():
            _cut_torn_end(self.path)
        with explained(self.path):
            # without a buffer: a line that cannot be written must not be tried again on closing
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 - stays open for the length of the run

    def write(self, event: str, **fields: Any) -> None:
        """Add one line and hand it to the operating system.

        Tensors and arrays of one element become numbers, larger ones lists; NaN and infinities become the
        strings "NaN", "Infinity" and "-Infinity", since JSON has no such numbers. Raises `InputError` where the
        disk is full; the journal then ends with the line before.
        """
        if event not in EVENTS:
            raise InputError(
                f"journal: there is no event {event!r}; the events are {', '.join(EVENTS)}. "
                "Use one of them, and put what is new into a field."
            )
        line = json.dumps({"event": event, **plain(fields)}, ensure_ascii=False, allow_nan=False)
        rest, end = memoryview(line.encode("utf-8", "backslashreplace") + b"\n"), os.fstat(self._file.fileno()).st_size
        try:
            with explained(self.path):
                while rest:
                    rest = rest[self._file.write(rest) :]
        except InputError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), end)
            raise

    def close(self) -> None:
        """Force to disk and close. Closing twice is harmless."""
        if not self._file.closed:
            with self._file, explained(self.path):
                os.fsync(self._file.fileno())

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return every event of the journal at `path`, oldest first.

    A torn last line (a process killed while it wrote) is left out. Any other line that is no JSON object with
    an "event" is refused.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no journal here. Give the journal.jsonl of a run folder.")
    lines = path.read_bytes().split(b"\n")
    ended = lines.pop()  # empty after a whole last line; otherwise torn, or lacking only its newline
    events = [_parse(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    last = _try_parse(ended)
    return events if last is None else [*events, last]


def truncate_after(path: str | os.PathLike[str], iteration: int) -> int:
    """Drop the "iteration" events later than `iteration`, and return how many there were.

    Resuming from a checkpoint learns those iterations again. All other events stay: they did happen. Call it
    before a `Journal` is opened on the same path, since the file is replaced.
    """
    events = read(path)
    kept = [
        event
        for event in events
        if not (event["event"] == "iteration" and event.get("iteration", iteration) > iteration)
    ]
    lines = [json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n" for event in kept]
    atomic_write(path, "".join(lines))
    return len(events) - len(kept)


def plain(value: Any) -> Any:
    """`value` in JSON's types: tensors and arrays become numbers or lists, non-finite numbers strings."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _non_finite(value)
    if isinstance(value, torch.Tensor):
        return plain(value.detach().cpu().tolist() if value.numel() != 1 else value.detach().cpu().item())
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.item() if value.size == 1 else value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


def number(value: Any) -> float | None:
    """Read back a number of the journal, its non-finite strings included; None for what is no number."""
    if isinstance(value, str):
        return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value)
    if isinstance(value, bool):
        return None
    return float(value) if isinstance(value, int | float) else None


def _non_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _try_parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    event = _try_parse(line)
    if event is None:
        shown = line[:60].decode("utf-8", "replace")
        raise InputError(
            f'{path}, line {number}: {shown!r} is given, a JSON object with an "event" is needed. '
            "Only the last line may be torn; remove or repair this one."
        )
    return event


def _cut_torn_end(path: Path) -> None:
    """End the journal with a whole line: add the newline if only that is missing, else cut the line off."""
    data = path.read_bytes()
    if not data or data.endswith(b"\n"):
        return
    start = data.rfind(b"\n") + 1
    whole = _try_parse(data[start:]) is not None
    atomic_write(path, data + b"\n" if whole else data[:start])
