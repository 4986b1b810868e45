"""The command line as tests call it, in this process and in children."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tiny_recipes import SETTINGS
from tutelage import cli

RESULT = {
    *("name", "value", "stderr", "n", "seed", "command", "wall_seconds", "threads", "device", "data_sha256", "version")
}
"""What every number in a results file comes with."""


class Said(NamedTuple):
    """What a command left: its exit code, and the two streams."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


def settings(recipe: str, **changes: str) -> list[str]:
    """Arguments that make a recipe tiny. A field is written with __ for its dot."""
    fields = {**SETTINGS[recipe], **{name.replace("__", "."): text for name, text in changes.items()}}
    return ["--set", *(f"{field}={text}" for field, text in fields.items())]


def exit_code(*arguments: object) -> int:
    """Run a command in this process; what it prints goes where this process prints."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as exit:
        patch.setattr(sys, "argv", ["tutelage", *map(str, arguments)])
        cli.main()
    assert isinstance(exit.value.code, int)
    return exit.value.code


def call(arguments: list[object], capsys: pytest.CaptureFixture[str]) -> Said:
    """Run a command in this process, and hear what it says."""
    capsys.readouterr()
    code = exit_code(*arguments)
    said = capsys.readouterr()
    return Said(code, said.out, said.err)


def refused(said: Said, words: str) -> None:
    """One clear sentence, and exit code 2."""
    assert said.code == 2 and said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("tutelage: ") and re.search(words, line), line


def child_environment(**more: str) -> dict[str, str]:
    """The environment of a process that is to import what this one imports."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}
