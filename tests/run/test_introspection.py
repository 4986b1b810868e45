"""An introspective run on disk: its rounds, a kill −9 at any moment, and what is refused."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from commands import child_environment
from tiny_recipes import numbers, same, saved_state, tiny, tiny_texture
from tutelage.checks import InputError
from tutelage.learn import igm
from tutelage.run import checkpoint, sitting, train
from tutelage.run.build import build
from tutelage.run.folder import RunFolder
from tutelage.run.rounds import OnDisk

CPU = torch.device("cpu")

# The child trains the tiny recipe, and dies in iteration AT, or while round 2 is appended.
CHILD = """
import os, signal, sys
from pathlib import Path
import torch
from tiny_recipes import tiny, tiny_texture
from tutelage.learn import igm
from tutelage.run import checkpoint, rounds, train

moment, out, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
classify, advance, save_round, save_negatives = (
    igm.classification_step, igm.advance_synthesis, rounds.OnDisk.save_round, rounds.OnDisk.save_negatives
)
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
seen = 0

def counted(function, at):
    def call(*args):
        global seen
        seen += 1
        if seen == at:
            function(*args)
            die()
        return function(*args)
    return call

def fatal_round(self, number, *rest):
    if number == 2 and moment == "before the round is kept":
        (self.path / "rounds" / ".0000002.tmp-1").mkdir(parents=True)
        die()
    save_round(self, number, *rest)
    if number == 2 and moment == "after the round is kept":
        die()

def fatal_negatives(self, number, pixels):
    if number == 2 and moment == "half of the negatives":
        (self.path / "negatives" / ".0000002.npy.tmp-1").write_bytes(b"half")
        die()
    save_negatives(self, number, pixels)
    if number == 2 and moment == "after the negatives are kept":
        die()

if moment == "classification":
    igm.classification_step = counted(classify, 9)
if moment == "synthesis":
    igm.advance_synthesis = counted(advance, 7)
rounds.OnDisk.save_round, rounds.OnDisk.save_negatives = fatal_round, fatal_negatives
train.train(tiny("igm/texture"), tiny_texture(), out, torch.device("cpu"), {})
"""

MOMENTS = (
    "classification",
    "synthesis",
    "before the round is kept",
    "after the round is kept",
    "half of the negatives",
    "after the negatives are kept",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nobody killed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert train.train(tiny("igm/texture"), tiny_texture(), out, CPU, {}) == "done"
    return out


def kept(run: Path) -> dict[str, object]:
    """Every round's weights and pseudo-negatives."""
    store = OnDisk(run)
    count = len(checkpoint.available(run / "rounds"))
    return {
        **{f"round {number}": store.load_round(number)[0] for number in range(1, count + 1)},
        **{f"negatives {number}": torch.tensor(store.negatives(number)) for number in range(count + 1)},
    }


def test_a_single_classifier_has_no_rounds_to_show(tmp_path: Path) -> None:
    recipe = tiny("igm/texture", {"plan.rounds": 1, "plan.single": True})
    train.train(recipe, tiny_texture(), tmp_path / "run", CPU, {})
    shown = {path.name for path in (tmp_path / "run" / "pictures").iterdir()}
    assert "final_classifier.png" in shown and "rounds.png" not in shown


def test_a_run_leaves_its_rounds_pictures_and_why_it_ended(whole: Path) -> None:
    assert len(kept(whole)) == 7
    assert {"rounds.png", "final_cascade.png", "real.png"} <= {path.name for path in (whole / "pictures").iterdir()}
    assert saved_state(whole)["learner"]["ended"] == "All rounds are done."
    page = (whole / "report.html").read_text()
    assert "All rounds are done." in page and "Classification step" in page and "Synthesis step" in page


def die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("given", [False, True])
def test_a_run_killed_before_its_first_checkpoint_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    more = (torch.arange(2 * 16 * 16, dtype=torch.uint8).view(2, 1, 16, 16),) if given else ()
    of = (tiny("igm/texture"), tiny_texture())
    assert train.train(*of, tmp_path / "whole", CPU, {}, None, False, *more) == "done"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "save", die)
        train.train(*of, tmp_path / "run", CPU, {}, None, False, *more)
    assert train.resume(RunFolder(tmp_path / "run"), tiny_texture(), CPU) == "done"
    assert same(saved_state(tmp_path / "run"), saved_state(tmp_path / "whole"))
    assert same(kept(tmp_path / "run"), kept(tmp_path / "whole"))


def test_negatives_that_were_not_kept_yet_are_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = torch.zeros(2, 1, 16, 16, dtype=torch.uint8)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sitting, "measured", die)
        train.train(tiny("igm/texture"), tiny_texture(), tmp_path / "run", CPU, {}, None, False, given)
    with pytest.raises(InputError, match="killed before it had kept the negatives that it was given; remove it, train"):
        train.resume(RunFolder(tmp_path / "run"), tiny_texture(), CPU)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_at_any_moment_leads_to_the_same_cascade(tmp_path: Path, whole: Path, moment: str) -> None:
    command = [sys.executable, "-c", CHILD, moment, str(tmp_path / "run"), str(torch.get_num_threads())]
    child = subprocess.run(command, env=child_environment(), capture_output=True, text=True, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    run = RunFolder(tmp_path / "run")
    assert not (run.path / "report.html").exists()
    assert train.resume(run, tiny_texture(), CPU) == "done"
    assert same(saved_state(run.path), saved_state(whole))
    assert numbers(run.path) == numbers(whole)
    assert same(kept(run.path), kept(whole))
    assert not [path for path in run.path.rglob(".*") if ".tmp-" in path.name]


def test_resuming_a_run_that_ended_changes_nothing(whole: Path) -> None:
    before = saved_state(whole)
    assert train.resume(RunFolder(whole), tiny_texture(), CPU) == "done"
    assert same(saved_state(whole), before)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_does_not_grow_with_the_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From round 5 to round 50 by less than 10 MB, pages of files that are mapped not counted."""
    anonymous: dict[int, int] = {}
    save = OnDisk.save_negatives

    def noted(self: OnDisk, number: int, pixels: torch.Tensor) -> None:
        save(self, number, pixels)
        if number in (5, 50):
            lines = Path("/proc/self/status").read_text().splitlines()
            anonymous[number] = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
        if number == 50:
            signal.raise_signal(signal.SIGINT)  # before samples are made, which go through all rounds again

    monkeypatch.setattr(OnDisk, "save_negatives", noted)
    changes = {
        "plan.rounds": 51,
        "plan.negatives_per_round": 260,  # 45 rounds of them are 3 MB as bytes and 12 as floats
        "plan.synthesis_batch": 260,
        "plan.patches_per_image": 1,
        "plan.classified": 0.6,
        "plan.kernel.lr": 1e-4,  # less than a byte: the pseudo-negatives stay noise, easy to tell in every round
        "plan.stop": {"kind": "stopping.EnoughSteps", "steps": 1},
        "plan.synthesis_steps": 2,
        "checkpoint_every": 20,
        "picture_every": 10_000,
    }
    assert train.train(tiny("igm/texture", changes), tiny_texture(), tmp_path / "run", CPU, {}) == "interrupt"
    assert anonymous[50] - anonymous[5] < 10_000


@pytest.fixture
def store(tmp_path: Path) -> OnDisk:
    made = OnDisk(tmp_path)
    made.save_round(1, {"classifier": {"w": torch.ones(3)}}, {"seed": 4})
    made.save_negatives(1, torch.arange(48, dtype=torch.uint8).view(1, 3, 4, 4))
    return made


def test_a_store_gives_back_what_it_was_given(store: OnDisk) -> None:
    nested, facts = store.load_round(1)
    assert nested["classifier"]["w"].tolist() == [1, 1, 1] and facts["seed"] == 4
    assert isinstance(store.negatives(1), np.memmap)
    assert store.negatives(1).flatten().tolist() == list(range(48))


def test_a_later_round_of_the_same_number_replaces_it(store: OnDisk) -> None:
    store.save_round(1, {"classifier": {"w": torch.zeros(3)}}, {"seed": 5})
    store.save_negatives(1, torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
    assert store.load_round(1)[1]["seed"] == 5 and not store.negatives(1).any()


def test_missing_and_damaged_rounds_are_refused(store: OnDisk) -> None:
    with pytest.raises(InputError, match=r"round 2 is missing .*; restore it from a copy of the run, or train again"):
        store.load_round(2)
    with pytest.raises(InputError, match="the pseudo-negatives of round 2 are missing"):
        store.negatives(2)
    weights = store.path / "rounds" / "0000001" / "state.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(InputError, match=r"round 1 .* is damaged: state\.safetensors is not what was written; restore"):
        store.load_round(1)
    file = store.path / "negatives" / "0000001.npy"
    header = bytearray(file.read_bytes())
    header[header.index(b"}")] = ord("{")  # which Python's tokens do not balance
    for broken in (b"", file.read_bytes()[:-9], b"not an array at all", bytes(header)):
        file.write_bytes(broken)
        with pytest.raises(InputError, match="the pseudo-negatives of round 1 are damaged"):
            store.negatives(1)
    for shape in ((3, 4, 4), (1, 3, 2, 4, 4)):  # a channel, or a video
        np.save(file, np.zeros(shape, np.uint8))
        with pytest.raises(InputError, match="the pseudo-negatives of round 1 are damaged"):
            store.negatives(1)


def test_rounds_of_another_patch_size_are_refused(whole: Path) -> None:
    recipe = tiny("igm/texture", {"classifier.shape": [1, 6, 6]})
    learner = build(recipe, 1, CPU, whole)
    assert isinstance(learner, igm.Igm)
    with pytest.raises(InputError, match="round 1 was trained on patches of 8 x 8, and this recipe's are 6 x 6"):
        learner.load(1, CPU)
    other = build(tiny("igm/texture", {"classifier.channels": [4, 7]}), 1, CPU, whole)
    assert isinstance(other, igm.Igm)
    with pytest.raises(InputError, match="round 1 holds another classifier than this recipe's"):
        other.load(1, CPU)
