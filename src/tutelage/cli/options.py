"""What several commands ask for: their options, how these are read, and what is refused."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from .. import data
from ..checks import MANY, InputError
from ..recipes import Recipe, codec, custom
from ..run import folder

Run = Annotated[Positional[Path], arg(metavar="RUN", help="run folder, the --out of `train`")]
Name = Annotated[Positional[str], arg(metavar="RECIPE", help="one of `tutelage list`, or a TOML file with a base")]
Data = Annotated[Path | None, arg(metavar="PATH", help="where the data are, if not in $TUTELAGE_DATA")]
Seed = Annotated[int, arg(help="of all that is drawn at random")]
Device = Annotated[str, arg(help="cpu, cuda, cuda:1, ...")]
Recover = Annotated[
    bool, arg(help="after a divergence, go on from the last good checkpoint with smaller steps (3 times at most)")
]
Steps = Annotated[int, arg(help="Langevin steps of inference, at most (§4.6: 1000)")]
Chains = Annotated[int, arg(help="chains for each image, of which the best is kept (§4.6: 1)")]
StepSize = Annotated[
    float | None,
    arg(
        help="of inference, in units of the latents (default: the recipe's; where learning took none, .1 at most, and "
        ".025 at 64x64x3)"
    ),
]
Settle = Annotated[
    int | None, arg(metavar="STEPS", help="stop a chain whose residual has not fallen over so many steps")
]
FirstFew = Annotated[int | None, arg(aliases=["-n"], help="the first so many pictures (default: all)")]
ConvertGiven = Annotated[bool, arg(help="bring pictures of another size, colours or depth to what the run knows")]
FOR_DATA = ["--image", "--video"]
Overrides = Annotated[
    list[str], arg(name="set", metavar="FIELD=VALUE", help="change fields of the recipe, e.g. plan.chains=50 seed=3")
]
GIVEN = "given on the command line"


def resolve(name: str, overrides: list[str]) -> Recipe:
    return custom.customised(custom.resolve(name), changes_of(overrides, "plan.chains=50"), GIVEN)


def changes_of(overrides: list[str], example: str) -> dict[str, object]:
    """What ``--set`` changes, by dotted names; the last word on a field counts."""
    changes: dict[str, object] = {}
    for text in overrides:
        dotted, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text!r} has no '='; write FIELD=VALUE, for example {example}")
        changes[dotted] = codec.parse(value)
    return changes


def load_data(recipe: Recipe, path: Path | None, download: bool = False) -> data.Splits:
    return data.load(recipe.data, path, download=download)


def size_of(text: str) -> tuple[int, int]:
    height, times, width = text.lower().partition("x")
    if not (times and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise InputError(f"--size is {text!r}; write HEIGHTxWIDTH in pixels, for example 320x512")
    return int(height), int(width)


def check_pictures(run: folder.RunFolder) -> None:
    if run.recipe().data.frames is not None:
        raise InputError(f"run {run.path} makes videos, and this command is for pictures; use `sample` or `synthesise`")


def check_minutes(minutes: float | None) -> None:
    if minutes is not None and not minutes >= 0:
        raise InputError(f"--minutes is {minutes:g}; it needs to be 0, for one iteration, or more")


def check_count(name: str, value: int) -> None:
    if not 1 <= value < MANY:
        raise InputError(f"--{name} is {value}; it needs to be 1 or more, and below {MANY:,}")


def check_taken(name: str, asked: Mapping[str, object], takes: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse an option that ``name`` would pass over without a word."""
    for option, value in asked.items():
        if value and name not in takes[option]:
            raise InputError(
                f"{name} takes no --{option.replace('_', '-')}, which is for {', '.join(takes[option])}; leave it out"
            )


def command_line() -> str:
    return shlex.join(["tutelage", *sys.argv[1:]])
