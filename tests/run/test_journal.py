"""The journal stays valid JSON lines through non-finite numbers, kills and resumes."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tutelage.atomic import atomic_write
from tutelage.checks import InputError
from tutelage.run import journal


def test_lines_are_valid_json_with_plain_numbers(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with journal.Journal(path) as diary:
        diary.write(
            "iteration",
            iteration=1,
            value=torch.tensor(0.5),
            movement=np.float32(0.25),
            drift=torch.tensor([1.0, math.nan]),
            loss=math.inf,
            low=np.float64(-math.inf),
            count=np.int64(3),
            done=np.bool_(True),
            folder=Path("a/b"),
            nested={"x": (1, 2)},
        )

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    (line,) = path.read_text().splitlines()
    assert json.loads(line, parse_constant=refuse) == {
        "event": "iteration",
        "iteration": 1,
        "value": 0.5,
        "movement": 0.25,
        "drift": [1.0, "NaN"],
        "loss": "Infinity",
        "low": "-Infinity",
        "count": 3,
        "done": True,
        "folder": str(Path("a/b")),
        "nested": {"x": [1, 2]},
    }


def test_each_line_can_be_read_before_the_journal_is_closed(tmp_path: Path) -> None:
    diary = journal.Journal(tmp_path / "j")
    diary.write("start", note="two\nlines, Ŷ")
    assert journal.read(tmp_path / "j") == [{"event": "start", "note": "two\nlines, Ŷ"}]
    diary.close()
    diary.close()


TORN = [b'{"event": "iterat', '{"event": "a", "note": "Ŷ'.encode()[:-1], b"{", b'"x"', b"\0\0"]


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_last_line_is_left_out_and_cut_off_by_the_next_writer(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "j"
    with journal.Journal(path) as diary:
        diary.write("start")
        diary.write("iteration", iteration=1)
    whole = journal.read(path)
    with open(path, "ab") as file:
        file.write(torn)
    assert journal.read(path) == whole
    with journal.Journal(path) as diary:
        diary.write("resume", iteration=1)
    assert journal.read(path) == [*whole, {"event": "resume", "iteration": 1}]


def test_a_last_line_that_lacks_only_its_newline_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_text('{"event": "start"}\n{"event": "stop"}')
    assert [event["event"] for event in journal.read(path)] == ["start", "stop"]
    with journal.Journal(path) as diary:
        diary.write("resume")
    assert [event["event"] for event in journal.read(path)] == ["start", "stop", "resume"]


@pytest.mark.parametrize("line", ['{"event": "iterat', "[1]", '{"iteration": 3}'])
def test_a_torn_middle_line_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "j"
    path.write_text(f'{{"event": "start"}}\n{line}\n{{"event": "stop"}}\n')
    with pytest.raises(InputError, match=r"line 2.*event.*repair"):
        journal.read(path)


def test_an_absent_journal_and_an_unknown_event_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no journal here"):
        journal.read(tmp_path / "none")
    with (
        journal.Journal(tmp_path / "j") as diary,
        pytest.raises(InputError, match=r"no event 'party'.*iteration"),
    ):
        diary.write("party")


def test_resuming_drops_only_the_later_iterations(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with journal.Journal(path) as diary:
        diary.write("start")
        for iteration in range(1, 6):
            diary.write("iteration", iteration=iteration, value=math.nan)
            if iteration == 3:
                diary.write("checkpoint", iteration=3)
        diary.write("interrupt", iteration=5)
    assert journal.truncate_after(path, 3) == 2
    events = journal.read(path)
    assert [event["event"] for event in events] == ["start", *["iteration"] * 3, "checkpoint", "interrupt"]
    assert events[3] == {"event": "iteration", "iteration": 3, "value": "NaN"}
    assert journal.truncate_after(path, 3) == 0


def test_numbers_come_back() -> None:
    assert journal.number(3) == 3.0
    assert journal.number("-Infinity") == -math.inf
    assert math.isnan(journal.number("NaN") or 0.0)
    assert [journal.number(value) for value in (True, None, "three", [1.0])] == [None] * 4


def test_a_file_name_that_is_no_text_comes_back_as_it_is(tmp_path: Path) -> None:
    strange = b"caf\xe9".decode("utf-8", "surrogateescape")
    with journal.Journal(tmp_path / "journal.jsonl") as diary:
        diary.write("start", data=strange)
    assert journal.read(tmp_path / "journal.jsonl")[0]["data"] == strange
    atomic_write(tmp_path / "run.json", json.dumps({"data": strange}, ensure_ascii=False))
    assert json.loads((tmp_path / "run.json").read_text("utf-8")) == {"data": strange}
