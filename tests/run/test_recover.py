"""After a divergence: smaller steps from the last good checkpoint, three times at most, and nothing lost."""

import json
import math
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_recipes import contents, numbers, same, saved_state, tiny, tiny_images
from tutelage import atomic
from tutelage.checks import DivergenceError, InputError
from tutelage.learn.coopnets import CoopNets
from tutelage.rng import stream
from tutelage.run import checkpoint, journal, recover, train
from tutelage.run.folder import RunFolder
from tutelage.run.restore import restore

CPU, OBSERVED = torch.device("cpu"), tiny_images()
CHANGES = {"checkpoint_every": 2, "plan.step_size": 0.012}
LR, FINAL = 0.007, 0.00035
NETWORKS = ("descriptor", "generator")


@pytest.fixture
def touchy(monkeypatch: pytest.MonkeyPatch):
    """Makes CoopNets diverge in the iterations given while its descriptor learns no slower than given."""

    def arrange(*iterations: int, above: float = 0.005) -> None:
        step = CoopNets.step

        def poisoned(learner: CoopNets, state: Any, batch: Any, rng: torch.Generator) -> tuple[Any, Any]:
            state, record = step(learner, state, batch, rng)
            if state.iteration in iterations and learner.plan.descriptor_update.lr > above:
                record = record._replace(movement=torch.tensor(20.0))
            return state, record

        monkeypatch.setattr(CoopNets, "step", poisoned)

    return arrange


def diverged(out: Path, **changes: Any) -> RunFolder:
    with pytest.raises(DivergenceError, match=r"tutelage resume .* --recover` (goes on from it|starts again)"):
        train.train(tiny("coopnets/mnist", CHANGES | changes), OBSERVED, out, CPU, {})
    return RunFolder(out)


def events(run: RunFolder, *names: str) -> list[dict[str, Any]]:
    return [event for event in journal.read(run.journal) if event["event"] in names]


def test_it_goes_on_from_the_last_good_checkpoint_with_smaller_steps(tmp_path: Path, touchy: Any) -> None:
    touchy(5)
    run = diverged(tmp_path)
    before, first = run.recipe(), (tmp_path / "recipe.json").read_bytes()
    assert train.resume(run, OBSERVED, CPU, recover=True) == "done"
    after = run.recipe()
    update = after.plan.descriptor_update
    assert (update.lr, update.lr_final, after.plan.step_size) == (LR / 2, FINAL / 2, 0.006)
    assert after.plan.generator_update == before.plan.generator_update
    words = "Recovery 1, from iteration 4 on: plan.step_size=0.006 (was 0.012), plan.descriptor_update.lr=0.0035 (was"
    assert after.deviations[:-1] == before.deviations and after.deviations[-1].startswith(words)
    assert (tmp_path / "recipe.before-recovery-1.json").read_bytes() == first
    (event,) = events(run, "recover")
    assert event == {
        "event": "recover",
        "iteration": 4,
        "recovery": 1,
        "diverged_at": 5,
        "number": "movement",
        "changed": {
            "plan.step_size": [0.012, 0.006],
            "plan.descriptor_update.lr": [LR, LR / 2],
            "plan.descriptor_update.lr_final": [FINAL, FINAL / 2],
        },
    }
    assert [number["iteration"] for number in numbers(tmp_path)] == [1, 2, 3, 4, 5, 6]
    assert words.split(":")[0] in (tmp_path / "report.html").read_text()
    assert not (tmp_path / ".lock").exists()


def test_training_recovers_on_the_spot_and_says_so(
    tmp_path: Path, touchy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    touchy(3, above=0.003)
    recipe = tiny("coopnets/mnist", CHANGES)
    assert train.train(recipe, OBSERVED, tmp_path / "whole", CPU, {}, recover=True) == "done"
    said = capsys.readouterr().err
    assert "Diverged. Recovery 1 of 3, from iteration 2: plan.step_size=0.006 (was 0.012), " in said
    assert "Recovery 2 of 3, from iteration 2: plan.descriptor_update.lr=0.00175 (was 0.0035), " in said
    run = diverged(tmp_path / "parted")
    recover.recover(run)
    with pytest.raises(DivergenceError):
        train.resume(run, OBSERVED, CPU)  # this sitting may not recover
    assert train.resume(run, OBSERVED, CPU, recover=True) == "done"
    assert same(saved_state(tmp_path / "parted"), saved_state(tmp_path / "whole"))
    assert numbers(tmp_path / "parted") == numbers(tmp_path / "whole")
    for name in ("parted", "whole"):  # a failed attempt took its time too
        ends = events(RunFolder(tmp_path / name), "divergence", "resume")
        assert [event["seconds"] for event in ends] == sorted(event["seconds"] for event in ends) and len(ends) >= 2


@pytest.mark.parametrize("stop", [5, 6])
@pytest.mark.parametrize("diverges", [1, 5])
def test_a_recovered_run_that_is_stopped_equals_one_that_is_not(
    tmp_path: Path, touchy: Any, monkeypatch: pytest.MonkeyPatch, diverges: int, stop: int
) -> None:
    """Also where it is stopped (or killed) before it has a checkpoint of its own."""
    touchy(diverges)
    changes = {"plan.iterations": 8, "plan.inference_steps": 1, "plan.add_noise": True}
    recipe = tiny("coopnets/mnist", CHANGES | changes)
    assert train.train(recipe, OBSERVED, tmp_path / "whole", CPU, {}, recover=True) == "done"
    run, write = diverged(tmp_path / "parted", **changes), journal.Journal.write

    def interrupted(self: journal.Journal, event: str, **fields: Any) -> None:
        write(self, event, **fields)
        if event == "iteration" and fields["iteration"] == stop:
            monkeypatch.setattr(journal.Journal, "write", write)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(journal.Journal, "write", interrupted)
    assert train.resume(run, OBSERVED, CPU, recover=True) == "interrupt"
    for path in checkpoint.available(run.checkpoints):
        if "recoveries" in checkpoint.load(path)[1] and stop == 5:  # as if it had been killed before them
            shutil.rmtree(path)
    assert train.resume(run, OBSERVED, CPU) == "done"
    assert same(saved_state(run.path), saved_state(tmp_path / "whole"))
    assert numbers(run.path) == numbers(tmp_path / "whole") and len(numbers(run.path)) == 8


def test_the_random_numbers_after_a_recovery_are_others(tmp_path: Path, touchy: Any) -> None:
    touchy(5)
    run = diverged(tmp_path)
    _, old, _ = restore(run.latest(), train.build(run.recipe(), 10), CPU)
    recover.recover(run)
    new = train._begin(run, OBSERVED, CPU, None).rng
    assert torch.equal(new.get_state(), stream(0, "learn", "recovery", 1).get_state())
    assert not torch.equal(new.get_state(), old.get_state())


def test_three_recoveries_are_the_most(tmp_path: Path, touchy: Any) -> None:
    touchy(3, above=0.0)
    with pytest.raises(DivergenceError, match=r"diverged again after 3 recoveries, the most .*iteration 3 diverged"):
        train.train(tiny("coopnets/mnist", CHANGES), OBSERVED, tmp_path, CPU, {}, recover=True)
    run, before = RunFolder(tmp_path), contents(tmp_path)
    assert math.isclose(run.recipe().plan.descriptor_update.lr, LR / 8)
    assert {f"recipe.before-recovery-{n}.json" for n in (1, 2, 3)} <= before.keys()
    assert [event["recovery"] for event in events(run, "recover")] == [1, 2, 3]
    assert "The run diverged at iteration 3" in (tmp_path / "report.html").read_text()
    assert events(run, "divergence")[-1]["message"].endswith("--recover makes: train anew with other settings.")
    for again in (True, False):
        error, words = (DivergenceError, "after 3 recoveries") if again else (InputError, "recovered 3 times already")
        with pytest.raises(error, match=words):
            train.resume(run, OBSERVED, CPU, recover=again)
        assert contents(tmp_path) == before


def test_without_a_checkpoint_it_starts_again(tmp_path: Path, touchy: Any) -> None:
    touchy(1)
    run = diverged(tmp_path)
    assert checkpoint.available(run.checkpoints) == []
    assert train.resume(run, OBSERVED, CPU, recover=True) == "done"
    assert events(run, "recover")[0]["iteration"] == 0 and len(numbers(tmp_path)) == 6


def test_resuming_without_recovery_is_refused(tmp_path: Path, touchy: Any) -> None:
    touchy(5)
    run = diverged(tmp_path / "my run")
    before = contents(tmp_path)
    words = rf"diverged at iteration 5 and would again; `tutelage resume '{run.path}' --recover` goes on"
    with pytest.raises(InputError, match=words):
        train.resume(run, OBSERVED, CPU)
    assert contents(tmp_path) == before


def test_smaller_steps_are_not_offered_where_they_would_not_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: Any) -> None:
        raise DivergenceError("It learned nothing, by a learning rate that is too small.")

    monkeypatch.setattr(CoopNets, "step", slow)
    with pytest.raises(DivergenceError):
        train.train(tiny("coopnets/mnist", CHANGES), OBSERVED, tmp_path, CPU, {})
    run = RunFolder(tmp_path)
    (event,) = events(run, "divergence")
    words = "smaller steps would not help: train anew with other settings"
    assert event["smaller"] == [] and event["message"].endswith(f"There is no checkpoint before it; {words}.")
    with pytest.raises(InputError, match=rf"diverged at iteration 1 and would again; {words}$"):
        train.resume(run, OBSERVED, CPU)
    with pytest.raises(DivergenceError, match=r"cannot be recovered by smaller steps: train anew"):
        train.resume(run, OBSERVED, CPU, recover=True)


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_recovery_that_is_cut_off_is_done_again_once(
    tmp_path: Path, touchy: Any, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    touchy(5)
    run, replace, done = diverged(tmp_path), atomic.os.replace, []

    def kill(source: Path, target: Path) -> None:
        if len(done) == written:
            raise KeyboardInterrupt
        replace(source, target)
        done.append(target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(atomic.os, "replace", kill)
        patch.setattr(journal.Journal, "write", lambda *_, **__: kill(Path(), Path()))
        recover.recover(run)
    with pytest.raises(InputError, match="--recover"):
        train.resume(run, OBSERVED, CPU)
    assert train.resume(run, OBSERVED, CPU, recover=True) == "done"
    assert math.isclose(run.recipe().plan.descriptor_update.lr, LR / 2)
    assert recover.recoveries(run) == 1 and not (tmp_path / "recipe.before-recovery-2.json").exists()


def test_a_damaged_checkpoint_is_refused_before_anything_changes(tmp_path: Path, touchy: Any) -> None:
    touchy(5)
    run = diverged(tmp_path)
    (run.latest() / "state.safetensors").write_bytes(b"")
    before = contents(tmp_path)
    with pytest.raises(InputError, match=r"0000004 is damaged"):
        train.resume(run, OBSERVED, CPU, recover=True)
    assert contents(tmp_path) == before


def test_recovering_what_did_not_diverge_is_resuming(tmp_path: Path) -> None:
    recipe = tiny("generator/mnist")
    assert train.train(recipe, OBSERVED, tmp_path, CPU, {}, minutes=0) == "time"
    assert train.resume(RunFolder(tmp_path), OBSERVED, CPU, recover=True) == "done"
    assert RunFolder(tmp_path).recipe() == recipe and recover.recoveries(RunFolder(tmp_path)) == 0


def test_a_run_of_an_earlier_version_loses_half_its_learning_rates(tmp_path: Path, touchy: Any) -> None:
    """Its journal says that it diverged, but not what to make smaller."""
    touchy(5)
    run = diverged(tmp_path)
    lines = [json.loads(line) for line in run.journal.read_text().splitlines()]
    for line in lines:
        line.pop("smaller", None)
    run.journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    changed = recover.recover(run)
    assert changed.keys() == {f"plan.{name}_update.{rate}" for name in NETWORKS for rate in ("lr", "lr_final")}
