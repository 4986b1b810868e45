"""What can be wrong with a run folder, its place or its disk: each costs one sentence, exit code 2, and nothing else.

A case breaks a copy of a finished run, and then calls the command line on it.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from commands import Command, refused, settings
from tiny_recipes import contents, numbers, same, saved_state, tiny
from tutelage import data
from tutelage.recipes import Recipe
from tutelage.run import journal, pictures, train
from tutelage.run.lock import in_use

CPU = torch.device("cpu")
Damage = Callable[[Path], Any]


@contextlib.contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of both networks, others that do not fit it, and the images they learned from."""
    root = tmp_path_factory.mktemp("world")
    np.save(root / "images.npy", np.random.default_rng(0).integers(0, 256, (10, 8, 8), dtype=np.uint8))
    observed = data.load(recipe().data, root / "images.npy").train
    facts = {"data": str(root / "images.npy"), "command": "by hand"}
    for name, other in {
        "run": recipe(),
        "wider": recipe(**{"generator.base": [5, 2, 2], "generator.batch_norm": True}),
        "crowd": tiny("descriptor/mnist", {"plan.chains": 5, "plan.start": "noise"}),
        "chains": tiny("descriptor/mnist"),
        "generator": tiny("generator/mnist"),
    }.items():
        train.train(other, observed, root / name, CPU, facts)
    assert train.train(recipe(), observed, root / "stopped", CPU, facts, minutes=0) == "time"
    return root


def recipe(**changes: Any) -> Recipe:
    return tiny("coopnets/mnist", {"picture_every": 100, **changes})


# --- how a run is broken

NEWEST = Path("checkpoints") / "0000006"


def flip(name: str, find: bytes | None = None) -> Damage:
    """Flips a bit: near the end, or in the last character of what is to be found."""

    def damage(run: Path) -> None:
        content = bytearray((run / NEWEST / name).read_bytes())
        content[-3 if find is None else content.index(find) + len(find) - 1] ^= 1
        (run / NEWEST / name).write_bytes(content)

    return damage


def put(name: str, content: str | bytes) -> Damage:
    return lambda run: (run / name).write_bytes(content.encode() if isinstance(content, str) else content)


def edit(name: str, change: Callable[[Any], Any]) -> Damage:
    def damage(run: Path) -> None:
        content = json.loads((run / name).read_text())
        change(content)
        (run / name).write_text(json.dumps(content))

    return damage


def another(name: str) -> Damage:
    """The newest checkpoint is that of another run."""

    def damage(run: Path) -> None:
        shutil.rmtree(run / NEWEST)
        shutil.copytree(run.parent.parent / name / NEWEST, run / NEWEST)

    return damage


def torn_line(run: Path) -> None:
    lines = (run / "journal.jsonl").read_bytes().split(b"\n")
    lines[2] = lines[2][:20]
    (run / "journal.jsonl").write_bytes(b"\n".join(lines))


def diverged(run: Path, recoveries: int = 0) -> None:
    with journal.Journal(run / "journal.jsonl") as log:
        for number in range(recoveries):
            log.write("recover", iteration=4, recovery=number + 1)
        log.write("divergence", iteration=5, message="iteration 5 diverged.", smaller=["plan.step_size"])


def nothing(run: Path) -> None:
    pass


RESUME = ["resume", "{run}"]
RECOVER = ["resume", "{run}", "--recover"]
SAMPLE = ["sample", "{run}", "-n", "4", "--out", "{out}.png"]
TRAIN = ["train", "coopnets/mnist", "--data", "{root}/images.npy", "--out", "{out}"]
ADVICE = "remove that folder to go on from the checkpoint before it, or train again"

REFUSED: dict[str, tuple[Damage, list[str], str]] = {
    "a bit of the weights flipped": (
        flip("state.safetensors"),
        RESUME,
        rf"0000006 is damaged: state\.safetensors is not what was written; {ADVICE}",
    ),
    "a bit of the weights flipped, sampling": (flip("state.safetensors"), SAMPLE, rf"is damaged: .*{ADVICE}"),
    "a digit of the state flipped": (
        flip("state.json", b'"iteration": 6'),
        RESUME,
        rf"0000006 is damaged: state\.json is not what was written; {ADVICE}",
    ),
    "a digit of the state flipped, sampling": (flip("state.json", b'["lr", 0.0'), SAMPLE, "damaged"),
    "weights truncated": (lambda run: os.truncate(run / NEWEST / "state.safetensors", 1000), RESUME, "is damaged"),
    "weights missing": (lambda run: (run / NEWEST / "state.safetensors").unlink(), RESUME, r"no state\.safetensors"),
    "state truncated": (lambda run: os.truncate(run / NEWEST / "state.json", 500), SAMPLE, r"damaged state\.json"),
    "state missing": (lambda run: (run / NEWEST / "state.json").unlink(), SAMPLE, rf"has no state\.json; {ADVICE}"),
    "another version's checkpoint": (
        edit("checkpoints/0000006/state.json", lambda described: described.update(format=7)),
        RESUME,
        r"has format 7; this version reads formats 1 and 2; use the version of tutelage that wrote it, or remove",
    ),
    "another architecture's checkpoint": (
        another("wider"),
        RESUME,
        r"0000006 does not fit this recipe's networks \(.*\); resume with the recipe it was trained with",
    ),
    "another architecture's checkpoint, sampling": (another("wider"), SAMPLE, "does not fit this recipe's networks"),
    "another algorithm's checkpoint": (another("generator"), SAMPLE, "does not fit this recipe's networks"),
    "a checkpoint of other chains": (
        another("crowd"),
        RESUME,
        r"does not fit .*chains has shape \[5, 1, 8, 8\], not \[4, 1, 8, 8\]",
    ),
    "no checkpoint": (
        lambda run: shutil.rmtree(run / "checkpoints"),
        SAMPLE,
        "has no checkpoint yet; let `tutelage resume`",
    ),
    "no recipe": (lambda run: (run / "recipe.json").unlink(), RESUME, r"is no run folder \(it has no recipe\.json\)"),
    "a torn recipe": (put("recipe.json", '{"name": '), RESUME, r"recipe\.json is damaged; restore it from a copy"),
    "a recipe that is no text": (put("recipe.json", b"\xff\xfe"), SAMPLE, r"recipe\.json is damaged; restore it"),
    "a recipe of wrong types": (
        edit("recipe.json", lambda recipe: recipe["plan"].update(chains="many")),
        RESUME,
        r"recipe\.json cannot be used \(recipe\.plan\.chains is 'many'; it needs to be a whole number\); restore it",
    ),
    "a recipe with an unknown field": (
        edit("recipe.json", lambda recipe: recipe["plan"].update(chians=3)),
        SAMPLE,
        r"recipe\.json cannot be used \(recipe\.plan has an unknown field 'chians' \(did you mean 'chains'\?\)",
    ),
    "a recipe of values that cannot work": (
        edit("recipe.json", lambda recipe: recipe["plan"].update(step_size=0.032)),
        RESUME,
        r"recipe\.json cannot be used \(recipe\.plan: step_size 0\.032 .*\); restore it from a copy, or train again",
    ),
    "no facts": (lambda run: (run / "run.json").unlink(), RESUME, r"it has no run\.json"),
    "torn facts": (put("run.json", "{"), SAMPLE, r"run\.json is damaged; restore it from a copy"),
    "no count of images": (edit("run.json", lambda facts: facts.update(observations="x")), SAMPLE, r"run\.json is dam"),
    "a torn line in the journal": (torn_line, RESUME, r"journal\.jsonl, line 3: .* is given, .*remove or repair"),
    "no journal": (lambda run: (run / "journal.jsonl").unlink(), RESUME, "there is no journal here"),
    "a diverged run": (
        diverged,
        RESUME,
        r"run .* diverged at iteration 5 and would again; `tutelage resume .* --recover` goes on from",
    ),
    "a run that diverged once too often": (
        lambda run: diverged(run, 3),
        RECOVER,
        r"diverged again after 3 recoveries, the most that --recover makes: train anew .*plan\.step_size first",
    ),
    "a recovery from a damaged checkpoint": (
        lambda run: (diverged(run), flip("state.safetensors")(run)),
        RECOVER,
        "0000006 is damaged",
    ),
    "a place that is a run": (nothing, [*TRAIN[:-1], "{run}"], "is there already: name another --out, or go on with"),
    "a place that is a file": (nothing, [*TRAIN[:-1], "{root}/images.npy"], r"images\.npy is there already: name anot"),
    "a place below a file": (nothing, [*TRAIN[:-1], "{root}/images.npy/x"], r"cannot be written \(.* is a file\); na"),
    "a place that cannot be written": (nothing, [*TRAIN[:-1], "/proc/nowhere"], r"cannot be made \(.*\); name another"),
    "a sample where none can be written": (nothing, [*SAMPLE[:-1], "/proc/nowhere/x.png"], r"nowhere.*: "),
}
ELSEWHERE = {"a checkpoint of other chains": "chains"}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_costs_one_sentence(world: Path, tmp_path: Path, tutelage: Command, case: str) -> None:
    damage, arguments, words = REFUSED[case]
    if "/proc" in str(arguments) and not Path("/proc/self").exists():
        pytest.skip("no place here that even an administrator cannot write to")
    run = shutil.copytree(world / ELSEWHERE.get(case, "run"), world / f"copy of {tmp_path.name}" / "run")
    damage(run)
    before = contents(world)
    refused(tutelage(*filled(arguments, run, world)), words)
    assert contents(world) == before
    shutil.rmtree(run.parent)


def filled(arguments: list[str], run: Path, root: Path) -> list[str]:
    """Arguments with their places; those of a training make it tiny."""
    for name, place in {"{run}": run, "{root}": root, "{out}": root / "new"}.items():
        arguments = [argument.replace(name, str(place)) for argument in arguments]
    if arguments[0] == "train":
        arguments += settings("coopnets/mnist")
    return arguments


# --- a run that somebody else writes to


@pytest.mark.parametrize("arguments", [RESUME, RECOVER], ids=" ".join)
def test_a_run_in_use_is_left_alone(world: Path, tutelage: Command, arguments: list[str]) -> None:
    run = world / "run"
    with in_use(run):
        before = contents(world)
        words = rf"run .*run is in use by process {os.getpid()}; wait until that ends, or stop it"
        refused(tutelage(*filled(arguments, run, world)), words)
        assert contents(world) == before


def test_a_place_in_use_is_left_alone(world: Path, tmp_path: Path, tutelage: Command) -> None:
    """Two trainings that start in the same place: the second finds nothing but the lock of the first."""
    arguments = [*TRAIN[:-1], str(tmp_path)]
    with in_use(tmp_path):
        refused(tutelage(*filled(arguments, tmp_path, world)), f"is in use by process {os.getpid()}")
        assert set(contents(tmp_path)) == {".lock"}


def test_samples_can_be_drawn_from_a_run_in_use(world: Path, tmp_path: Path, tutelage: Command) -> None:
    with in_use(world / "run"):
        before = contents(world / "run")
        said = tutelage("sample", world / "run", "-n", 2, "--out", tmp_path / "x.npy")
        assert said.code == 0 and contents(world / "run") == before
    assert not (world / "run" / ".lock").exists()


# --- a full disk

FULL = r"cannot be written: the disk is full \(File too large\); free some space there and try again"


@pytest.mark.parametrize(
    ("arguments", "space", "named"),
    [
        (TRAIN, 100, r"new/run\.json"),
        (RESUME, "journal.jsonl", r"run/journal\.jsonl"),
        (SAMPLE, 100, r"new\.png"),
        ([*SAMPLE[:-1], "{out}.npy"], 130, r"new\.npy"),
        ([*SAMPLE[:-1], "{out}.npy"], 20, r"new\.npy"),
    ],
    ids=str,
)
def test_a_disk_that_is_full_from_the_start_changes_nothing(
    world: Path, tutelage: Command, arguments: list[str], space: int | str, named: str
) -> None:
    run = world / "run"
    size = space if isinstance(space, int) else (run / space).stat().st_size - 1
    before = contents(world)
    with disk_of(size):
        said = tutelage(*filled(arguments, run, world))
    refused(said, f"{named} {FULL}")
    assert contents(world) == before


def size_of(path: str, share: float) -> Callable[[Path], int]:
    """A share of what a file of the finished run takes."""
    return lambda root: int((root / "run" / path).stat().st_size * share)


FILLED: dict[str, tuple[dict[str, Any], Callable[[Path], int], str]] = {
    "checkpoint": ({}, size_of("checkpoints/0000006/state.safetensors", 0.9), r"checkpoints/0000002"),
    "journal": ({"plan.iterations": 60, "checkpoint_every": 100}, lambda root: 12_000, r"journal\.jsonl"),
    "picture": ({"picture_every": 3, "checkpoint_every": 100}, lambda root: 15_000, r"pictures/initial_0000003\.png"),
    "report": ({}, size_of("report.html", 0.9), r"report\.html"),
}


@pytest.mark.parametrize("case", FILLED)
def test_a_disk_that_fills_up_costs_what_was_not_written(
    world: Path, tmp_path: Path, tutelage: Command, case: str
) -> None:
    """The checkpoint before is whole, nothing half written is left, and the run goes on when there is space."""
    changes, size, named = FILLED[case]
    run, whole, chosen = tmp_path / "run", tmp_path / "whole", recipe(**changes)
    observed = data.load(chosen.data, world / "images.npy").train
    facts = {"data": str(world / "images.npy")}
    assert train.train(chosen, observed, whole, CPU, facts) == "done"
    assert train.train(chosen, observed, run, CPU, facts, minutes=0) == "time"
    (run / "report.html").unlink()
    with disk_of(size(world)), pytest.MonkeyPatch.context() as patch:
        if case == "picture":  # those of so few small images would fit
            patch.setattr(pictures, "png_bytes", lambda image: bytes(20_000))
        said = tutelage("resume", run)
    (line,) = [line for line in said.err.split("\n")[:-1] if "\r" not in line]
    assert said.code == 2 and said.out == ""
    assert re.fullmatch(rf"tutelage: .*{named} {FULL}.*", line), line
    assert [name for name in contents(run) if re.search(r"/\.|^\.|tmp", name)] == []
    assert all(json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines())
    assert tutelage("resume", run).code == 0
    assert same(saved_state(run), saved_state(whole)) and numbers(run) == numbers(whole)


def test_a_line_that_cannot_be_written_is_taken_back(tmp_path: Path) -> None:
    log = journal.Journal(tmp_path / "journal.jsonl")
    log.write("start", note="x" * 50)
    with disk_of(100), pytest.raises(train.InputError, match=FULL):
        log.write("iteration", iteration=1, note="x" * 50)
    assert len(journal.read(log.path)) == 1 and log.path.read_bytes().endswith(b"\n")
    log.write("stop")
    log.close()
    assert [event["event"] for event in journal.read(log.path)] == ["start", "stop"]
