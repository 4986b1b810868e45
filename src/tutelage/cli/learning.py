"""Commands that learn: `list`, `show`, `train`, `resume` and `demo`."""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path
from typing import Annotated

import torch
from tyro.conf import arg

from .. import data
from ..checks import InputError
from ..data import check_apart, to_uint8
from ..learn import igm
from ..recipes import RECIPES, Recipe
from ..recipes.algorithm import algorithm_of
from ..recipes.demo import DEMO
from ..recipes.describe import describe
from ..rng import stream
from ..run import folder, journal, recognition, report, source
from ..run import train as training
from ..run.device import usable, where_it_learned
from ..run.estimate import estimate
from ..run.load import load
from ..run.lock import in_use
from ..run.sitting import Ending
from .drawing import write_walks
from .options import (
    FOR_DATA,
    Data,
    Device,
    Name,
    Overrides,
    Recover,
    Run,
    check_minutes,
    command_line,
    load_data,
    resolve,
)


def list_recipes() -> None:
    """Show the recipes, one line each."""
    for recipe in RECIPES:
        size = "x".join(map(str, recipe.data.shape[1:]))
        algorithm = algorithm_of(recipe.plan)
        rounds = getattr(recipe.plan, "rounds", None)
        length = f"{recipe.plan.iterations} iterations" if rounds is None else f"{rounds} rounds"
        print(f"{recipe.name:25} {algorithm:12} {recipe.data.kind} {size}, {length}")


def show(recipe: Name, overrides: Overrides = []) -> None:  # noqa: B006 - tyro reads the default
    """Show a recipe: every field, where it came from, and where it departs from the paper."""
    print(describe(resolve(recipe, overrides)))


def train(
    recipe: Name,
    out: Annotated[Path, arg(help="folder to make for this run")],
    data: Annotated[
        Path | None,
        arg(aliases=FOR_DATA, metavar="PATH", help="where the data are, if not in $TUTELAGE_DATA"),
    ] = None,
    overrides: Overrides = [],  # noqa: B006
    device: Device = "cpu",
    minutes: Annotated[float | None, arg(help="stop (and save) after so many minutes")] = None,
    download: Annotated[bool, arg(help="fetch the data from their official place if they are not here")] = False,
    skip_bad: Annotated[bool, arg(help="leave out pictures that cannot be used, and say which")] = False,
    convert: Annotated[bool, arg(help="convert pictures of other colours, with transparency or 16 bits")] = False,
    recover: Recover = False,
    negatives: Annotated[
        Path | None,
        arg(
            help="igm/ recipes: a folder or a zip of pictures that the data are to be told apart from, besides noise; "
            "they are cut as the data are"
        ),
    ] = None,
    dry_run: Annotated[bool, arg(help="show what would be done, and do nothing")] = False,
) -> int:
    """Train a model and leave a run folder: recipe, journal, pictures, checkpoints, report.html."""
    switched = [f"data.{name}=true" for name, on in (("skip_bad", skip_bad), ("convert", convert)) if on]
    chosen = resolve(recipe, [*overrides, *switched])
    kind = chosen.data.kind
    if skip_bad and negatives is None and kind not in ("folder", "zip"):
        raise InputError(f"data of kind {kind} has no pictures that could be left out; leave out --skip-bad")
    if convert and negatives is None and kind not in ("folder", "zip", "image", "video"):
        raise InputError(f"data of kind {kind} is never converted; leave out --convert")
    folder.check_new(out)
    if kind in ("folder", "zip", "video"):
        check_apart(out, data)
    if negatives is not None:
        check_apart(out, negatives)
    check_minutes(minutes)
    initial = None if negatives is None else _negatives(chosen, negatives)
    if dry_run:
        print(estimate(chosen, data, usable(device), minutes))
        return 0
    splits = load_data(chosen, data, download)
    found = source.found(chosen, splits, data)
    facts, labels = {"data": found, "command": command_line()}, recognition.labels_of(chosen, found)
    ending = training.train(chosen, splits.train, out, usable(device), facts, minutes, recover, initial, labels)
    return _say_trained(out, ending)


def resume(
    run: Run,
    data: Data = None,
    device: Annotated[
        str | None, arg(help="cpu, cuda, cuda:1, ... (default: the kind of device that it learned on last)")
    ] = None,
    minutes: float | None = None,
    recover: Recover = False,
) -> int:
    """Go on with an interrupted run from its newest checkpoint."""
    check_minutes(minutes)
    opened = folder.open_run(run)
    recipe, place = opened.recipe(), source.data_of(opened, data)
    splits, labels = load_data(recipe, place), recognition.labels_of(recipe, place)
    ending = training.resume(opened, splits.train, where_it_learned(opened, device), minutes, recover, labels)
    return _say_trained(run, ending)


def demo(out: Annotated[Path, arg(help="folder to make (replaced if an earlier demo)")] = Path("runs/demo")) -> int:
    """Train on bundled handwritten digits for a few minutes, and leave a report to look at."""
    began = time.perf_counter()
    _clear_earlier_demo(out)
    splits = data.load(DEMO.data)
    ending = training.train(DEMO, splits.train, out, torch.device("cpu"), {"data": None, "command": command_line()})
    if ending == "done":
        opened = folder.open_run(out)
        learner, state = load(out)
        rng = stream(DEMO.seed, "interpolate")
        write_walks(learner, state, 8, 10, 10, rng, [opened.pictures / "interpolation.png"])
        report.write_report(out)
        print(f"Trained on {len(splits.train)} digits in {time.perf_counter() - began:.0f} s.")
    return _say_trained(out, ending)


def _negatives(recipe: Recipe, path: Path) -> torch.Tensor:
    if not isinstance(recipe.plan, igm.Plan):
        raise InputError(f"--negatives belong to an introspective model, and {recipe.name} is none; use an igm/ recipe")
    whole = {"crops": 0, "shorter": None, "subset": None, "each": None, "held_out": 0, "extra": False}
    spec = dataclasses.replace(recipe.data, kind="folder", **whole)
    try:
        images = data.load(spec, path).train
    except InputError as error:
        words = str(error).replace(" with --data, or set TUTELAGE_DATA", "")
        raise InputError(f"--negatives: {words}") from None
    chunks = (slice(start, start + 1_000) for start in range(0, len(images), 1_000))
    return torch.cat([to_uint8(images.batch(chunk)) for chunk in chunks])  # stretched as the recipe says


def _clear_earlier_demo(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        folder.check_new(out)
        return
    try:
        earlier = folder.open_run(out).recipe().name == DEMO.name
    except InputError:
        earlier = False
    if not earlier:
        raise InputError(f"{out} is there already and is no earlier demo; name another --out")
    with in_use(out):
        place = out.resolve()
        shutil.rmtree(place)
        if out.is_symlink():
            place.mkdir()


def _say_trained(out: Path, ending: Ending) -> int:
    if ending == "done":
        if hasattr(folder.open_run(out).recipe().plan, "rounds"):
            print(journal.read(out / "journal.jsonl")[-1].get("message", ""))
        print(f"Done. Look at {out / 'report.html'}")
    else:
        if ending == "time":  # its pictures are drawn
            print(f"Look at {out / 'report.html'}")
        print(f"Stopped and saved. Go on with: {folder.resume_command(out)}")
    return 130 if ending == "interrupt" else 0
