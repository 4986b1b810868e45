"""A run opened from Python."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tqdm import tqdm

from tiny_recipes import tiny, tiny_images
from tutelage.checks import InputError
from tutelage.rng import stream
from tutelage.run import restore, train
from tutelage.run.load import load


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for name in ("coopnets", "generator"):
        train.train(tiny(f"{name}/mnist"), tiny_images(), root / name, torch.device("cpu"), {})
    return root


def test_learner_and_state_sample_what_the_run_learned(runs: Path) -> None:
    learner, state = load(str(runs / "coopnets"))
    assert state.iteration == learner.plan.iterations
    drafts = learner.sample(state, 3, stream(0, "sample"))["generator"]
    latents = torch.randn((3, *learner.latent_shape), generator=stream(0, "sample"))
    with torch.no_grad():
        torch.testing.assert_close(drafts, state.average(latents))


def test_steps_of_revision_can_be_chosen(runs: Path) -> None:
    learner, state = load(runs / "coopnets", revision_steps=0)
    made = learner.sample(state, 3, stream(0, "sample"))
    assert torch.equal(made["generator"], made["descriptor"])
    learner, state = load(runs / "coopnets", revision_steps=1)
    made = learner.sample(state, 3, stream(0, "sample"))
    assert not torch.equal(made["generator"], made["descriptor"])


def test_a_run_that_was_stopped_shows_its_calibration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "_UNSEEN", 0)
    recipe = tiny("coopnets/mnist", {"plan.calibration_draws": 30})
    assert train.train(recipe, tiny_images(), tmp_path / "run", torch.device("cpu"), {}, minutes=0) == "time"
    assert "calibrating" not in capsys.readouterr().err
    _, state = load(tmp_path / "run")
    assert "calibrating:" in capsys.readouterr().err
    monkeypatch.setattr(restore, "_UNSEEN", 100)
    load(tmp_path / "run")
    assert capsys.readouterr().err == "", "a short one is not worth a bar"
    assert not state.average._forward_pre_hooks
    counted = []

    class Counting(tqdm):
        def close(self) -> None:
            counted.append(self.n)
            super().close()

    monkeypatch.setattr(restore, "tqdm", Counting)
    load(tmp_path / "run")
    assert counted[0] == 30, "its draws, and nothing else that the generator is asked for"


def test_what_cannot_be_opened_is_refused(runs: Path) -> None:
    with pytest.raises(InputError, match="generator has no descriptor to revise by; leave out --revision-steps"):
        load(runs / "generator", revision_steps=3)
    with pytest.raises(InputError, match="is no run folder"):
        load(runs)
