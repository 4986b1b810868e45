"""One run from recipe to report: what it leaves behind, and how it ends when learning diverges."""

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_recipes import contents, numbers, same, saved_state, tiny, tiny_clip, tiny_images
from tutelage.checks import DivergenceError, InputError
from tutelage.learn.coopnets import CoopNets
from tutelage.recipes import Recipe
from tutelage.run import checkpoint, journal, sitting, train
from tutelage.run.folder import RunFolder, open_run

CPU = torch.device("cpu")

PICTURES = {
    "coopnets/mnist": {"initial", "revised", "reconstructed"},
    "descriptor/mnist": {"revised"},
    "generator/mnist": {"observed", "reconstructed"},
    "vae/mnist": {"observed", "reconstructed"},
    "flow-matching/mnist": {"observed", "predicted"},
    "deep-directed/mnist": {"initial"},
}
FINAL = {
    "coopnets/mnist": {"final_generator", "final_descriptor"},
    "descriptor/mnist": {"final_descriptor"},
    "generator/mnist": {"final_generator"},
    "vae/mnist": {"final_generator"},
    "flow-matching/mnist": {"final_flow"},
    "deep-directed/mnist": {"final_generator"},
}


@pytest.mark.parametrize("name", PICTURES)
def test_what_a_run_leaves(tmp_path: Path, name: str) -> None:
    recipe, observed, out = tiny(name, {"keep_every": 2}), tiny_images(), tmp_path / "new" / "run"
    assert train.train(recipe, observed, out, CPU, {"command": "by hand"}) == "done"
    assert open_run(out).recipe() == recipe
    facts = json.loads((out / "run.json").read_text())
    assert facts["command"] == "by hand" and facts["data_sha256"] == observed.sha256
    assert facts["observations"] == 10 and facts["parameters"].keys() == saved_networks(out)
    assert [path.name for path in checkpoint.available(out / "checkpoints")] == ["0000002", "0000004", "0000006"]
    over_time = {f"{kind}_{i:07d}.png" for kind in PICTURES[name] for i in (3, 6)}
    final = {f"{kind}.png" for kind in FINAL[name] | {"real", "nearest"}}
    assert {path.name for path in (out / "pictures").iterdir()} == over_time | final
    events = [event["event"] for event in journal.read(out / "journal.jsonl")]
    two = ["iteration", "iteration", "checkpoint"]
    assert events == [
        *("start", *two, "iteration", "picture", "iteration", "checkpoint"),
        *("iteration", "iteration", "picture", "checkpoint", "stop"),
    ]
    assert "The run ended at iteration 6" in (out / "report.html").read_text()


def test_checkpoints_that_take_long_wait_unless_they_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitting, "_LONG", 0.0)  # all of them do
    monkeypatch.setattr(sitting, "_REST", 1e9)
    recipe = tiny("generator/mnist", {"checkpoint_every": 1, "keep_every": 4})
    assert recipe.plan.iterations == 6
    assert train.train(recipe, tiny_images(), tmp_path / "run", CPU, {}) == "done"
    saved = [
        event["iteration"]
        for event in journal.read(tmp_path / "run" / "journal.jsonl")
        if event["event"] == "checkpoint"
    ]
    assert saved == [1, 4, 6]


@pytest.mark.parametrize("algorithm", ["coopnets/mnist", "descriptor/mnist", "generator/mnist"])
def test_videos_are_seen_and_made_around_the_mean_frame_of_what_is_learned_from(tmp_path: Path, algorithm: str) -> None:
    recipe, clip, out = tiny("video/quick"), tiny_clip(), tmp_path / "run"
    if algorithm != "coopnets/mnist":
        alone = {"chains": 1} if algorithm.startswith("descriptor") else {}
        recipe = replace(recipe, plan=replace(tiny(algorithm).plan, batch_size=1, **alone))
    assert train.train(recipe, clip, out, CPU, {}) == "done"
    first = saved_state(out)["learner"]
    around = {"descriptor", "generator", "average"} & first.keys()
    assert around
    mean = clip.batch(slice(0, 1)).mean((0, 2))
    assert mean.std() > 0.1, "grey is what networks begin with"
    for network in around:
        torch.testing.assert_close(first[network]["mean_frame"][:, 0], mean)
    for kept in checkpoint.available(out / "checkpoints"):  # as if it had been killed before the first
        shutil.rmtree(kept)
    assert train.resume(open_run(out), clip, CPU) == "done"
    assert same(saved_state(out)["learner"], first)


def saved_networks(run: Path) -> set[str]:
    return {"descriptor", "generator", "encoder", "velocity"} & saved_state(run)["learner"].keys()


def test_only_the_last_two_checkpoints_are_kept_unless_asked(tmp_path: Path) -> None:
    train.train(tiny("descriptor/mnist", {"checkpoint_every": 1}), tiny_images(), tmp_path, CPU, {})
    assert [path.name for path in checkpoint.available(tmp_path / "checkpoints")] == ["0000005", "0000006"]


def test_the_finished_generator_has_fixed_statistics(tmp_path: Path) -> None:
    train.train(tiny("coopnets/mnist"), tiny_images(), tmp_path, CPU, {})
    learner = saved_state(tmp_path)["learner"]
    assert not torch.equal(learner["average"]["norms.0.running_mean"], learner["generator"]["norms.0.running_mean"])


@pytest.mark.parametrize("what", ["a run", "a file", "a file on the way"])
def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path, what: str) -> None:
    recipe, out = tiny("descriptor/mnist"), tmp_path / "out"
    if what == "a run":
        train.train(recipe, tiny_images(), out, CPU, {})
    else:
        out.write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(InputError, match=r"name another --out"):
        train.train(recipe, tiny_images(), out / "below" if what == "a file on the way" else out, CPU, {})
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", PICTURES)
def test_a_plan_of_no_iterations_leaves_a_checkpoint(tmp_path: Path, name: str) -> None:
    observed = tiny_images()
    assert train.train(tiny(name, {"plan.iterations": 0}), observed, tmp_path, CPU, {}) == "done"
    assert [path.name for path in checkpoint.available(tmp_path / "checkpoints")] == ["0000000"]
    before = saved_state(tmp_path)
    assert train.resume(open_run(tmp_path), observed, CPU) == "done"
    assert same(saved_state(tmp_path), before)


@pytest.mark.parametrize("there", [True, False])
def test_a_start_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    out = tmp_path / "new" / "run"
    if there:
        out.mkdir(parents=True)
    before = contents(tmp_path)
    monkeypatch.setattr(train.looks, "save_real", fail)
    with pytest.raises(OSError, match="No space left"):
        train.train(tiny("descriptor/mnist"), tiny_images(), out, CPU, {})
    assert contents(tmp_path) == before


def test_a_recipe_that_mirrors_learns_from_mirrored_images(tmp_path: Path) -> None:
    first = []
    for flip in (False, True):
        recipe = tiny("descriptor/mnist", {"data.flip": flip, "plan.iterations": 1})
        train.train(recipe, tiny_images(), tmp_path / str(flip), CPU, {})
        first.append(numbers(tmp_path / str(flip))[0]["value"])
    assert first[0] != first[1]
    with pytest.raises(InputError, match=r"Algorithm G keeps latents for each image as it is; set data\.flip=false"):
        tiny("generator/mnist", {"data.flip": True})


def test_time_may_run_out(tmp_path: Path) -> None:
    assert train.train(tiny("descriptor/mnist"), tiny_images(), tmp_path, CPU, {}, minutes=0) == "time"
    assert len(numbers(tmp_path)) == 1 and saved_state(tmp_path)["learner"]["iteration"] == 1
    last = journal.read(tmp_path / "journal.jsonl")[-1]
    assert last["event"] == "interrupt" and last["reason"].startswith("Its time was up. ")
    assert "interrupted at iteration 1" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("name", ["coopnets/mnist", "vae/mnist"])
def test_a_run_whose_time_is_up_shows_what_it_would_make_and_learns_on_as_if_it_had_not(
    tmp_path: Path, name: str
) -> None:
    recipe, observed, timed = tiny(name, {"plan.iterations": 3}), tiny_images(), tmp_path / "timed"
    assert train.train(recipe, observed, tmp_path / "whole", CPU, {}) == "done"
    whole = sorted(path.name for path in (tmp_path / "whole" / "pictures").glob("final_*"))
    assert train.train(recipe, observed, timed, CPU, {}, minutes=0) == "time"
    early = {path.name: path.read_bytes() for path in (timed / "pictures").glob("final_*")}
    assert sorted(early) == whole != []
    assert ", final" in (timed / "report.html").read_text()
    assert train.resume(open_run(timed), observed, CPU) == "done"
    assert same(saved_state(timed), saved_state(tmp_path / "whole"))
    for name, content in early.items():
        assert (timed / "pictures" / name).read_bytes() != content


@pytest.mark.parametrize("flip", [False, True])
def test_mirror_images_are_searched_where_learning_mirrored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flip: bool
) -> None:
    asked, search = [], train.looks.nearest_picture

    def seen(*given: Any, mirrored: bool, **more: Any) -> Any:
        asked.append(mirrored)
        return search(*given, mirrored=mirrored, **more)

    monkeypatch.setattr(train.looks, "nearest_picture", seen)
    recipe = tiny("coopnets/mnist", {"plan.iterations": 1, "data.flip": flip})
    assert train.train(recipe, tiny_images(), tmp_path, CPU, {}) == "done" and asked == [flip]


def test_final_pictures_of_a_run_that_goes_on_are_removed_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, observed = tiny("coopnets/mnist", {"plan.iterations": 3}), tiny_images()
    assert train.train(recipe, observed, tmp_path, CPU, {}, minutes=0) == "time"
    assert {path.name for path in (tmp_path / "pictures").glob("[fn][ie]*")} == {
        "final_descriptor.png",
        "final_generator.png",
        "nearest.png",
    }

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sitting, "measured", stop)
    with pytest.raises(KeyboardInterrupt):
        train.resume(open_run(tmp_path), observed, CPU)
    assert not [*(tmp_path / "pictures").glob("final_*"), *(tmp_path / "pictures").glob("nearest.png")]


def test_ctrl_c_while_the_last_pictures_are_drawn_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    recipe, observed, draw = tiny("coopnets/mnist", {"plan.iterations": 2}), tiny_images(), train.looks.save_final
    monkeypatch.setattr(train.looks, "save_final", stop)
    assert train.train(recipe, observed, tmp_path, CPU, {}) == "interrupt"
    assert saved_state(tmp_path)["learner"]["iteration"] == 2
    assert "stopped while its last pictures were drawn" in (tmp_path / "report.html").read_text()
    monkeypatch.setattr(train.looks, "save_final", draw)
    assert train.resume(open_run(tmp_path), observed, CPU) == "done"
    assert (tmp_path / "pictures" / "final_descriptor.png").is_file()
    assert "The run ended at iteration 2" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("moment", ["step", "finish"])
def test_ctrl_c_in_the_last_iteration_or_while_it_is_saved_stops_before_the_last_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    really = getattr(CoopNets, moment)

    def interrupted(self: CoopNets, state: Any, *rest: Any) -> Any:
        if moment == "finish" or state.iteration == 1:
            signal.raise_signal(signal.SIGINT)
        return really(self, state, *rest)

    recipe, observed = tiny("coopnets/mnist", {"plan.iterations": 2}), tiny_images()
    monkeypatch.setattr(CoopNets, moment, interrupted)
    assert train.train(recipe, observed, tmp_path, CPU, {}) == "interrupt"
    monkeypatch.setattr(CoopNets, moment, really)
    assert saved_state(tmp_path)["learner"]["iteration"] == 2
    assert not [*(tmp_path / "pictures").glob("final_*")]
    assert train.resume(open_run(tmp_path), observed, CPU) == "done"
    assert (tmp_path / "pictures" / "final_descriptor.png").is_file()


def test_a_run_whose_time_was_up_has_ended_once_its_last_pictures_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[str] = []
    draw = sitting.looks.save_final

    def seen(run: RunFolder, *rest: Any) -> Any:
        before.append(run.journal.read_text())
        return draw(run, *rest)

    monkeypatch.setattr(sitting.looks, "save_final", seen)
    assert train.train(tiny("coopnets/mnist"), tiny_images(), tmp_path, CPU, {}, minutes=0) == "time"
    assert sitting.TIME_IS_UP not in before[0]
    (last,) = [event for event in journal.read(tmp_path / "journal.jsonl") if event["event"] == "interrupt"]
    assert last["reason"].startswith(sitting.TIME_IS_UP) and last["iteration"] == 1


class Poisoned:
    """Makes CoopNets go wrong in one iteration: in its record, or only in its weights."""

    def __init__(self, where: str, iteration: int) -> None:
        self.where, self.iteration, self.step = where, iteration, CoopNets.step

    def __call__(self, learner: CoopNets, state: Any, batch: Any, rng: torch.Generator) -> tuple[Any, Any]:
        state, record = self.step(learner, state, batch, rng)
        if state.iteration == self.iteration:
            if self.where == "record":
                record = record._replace(value=torch.tensor(torch.nan))
            else:
                with torch.no_grad():
                    state.descriptor.top[0, 0] = torch.inf
        return state, record


def diverge(recipe: Recipe, out: Path) -> str:
    with pytest.raises(DivergenceError) as caught:
        train.train(recipe, tiny_images(), out, CPU, {})
    return str(caught.value)


@pytest.mark.parametrize(("where", "words"), [("record", "value = nan"), ("weights", "learner/descriptor/top")])
def test_divergence_says_when_why_and_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, words: str
) -> None:
    poisoned = Poisoned(where, 4)
    monkeypatch.setattr(CoopNets, "step", lambda *arguments: poisoned(*arguments))
    message = diverge(tiny("coopnets/mnist", {"checkpoint_every": 1}), tmp_path)
    good = tmp_path / "checkpoints" / "0000003"
    assert message.startswith(
        f"iteration 4 left the finite numbers: {words}. The likely cause is a descriptor that learns faster"
    )
    assert message.endswith(
        f"The last good checkpoint is {good}; "
        f"`tutelage resume {tmp_path} --recover` goes on from it with smaller steps."
    )
    assert RunFolder(tmp_path).latest() == good
    state, facts = checkpoint.load(good)
    assert facts["iteration"] == state["learner"]["iteration"] == 3
    assert all(tensor.isfinite().all() for tensor in checkpoint.split(state)[0].values())
    (event,) = (event for event in journal.read(tmp_path / "journal.jsonl") if event["event"] == "divergence")
    assert event["iteration"] == 4 and event["message"] == message
    assert "The run diverged at iteration 4 and was stopped" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("name", PICTURES)
def test_a_huge_learning_rate_diverges_and_the_same_iteration_is_named_everywhere(tmp_path: Path, name: str) -> None:
    rate = {
        "coopnets/mnist": {"plan.descriptor_update.lr": 1e30},
        "descriptor/mnist": {"plan.update.lr": 1e30},
        # tanh bounds the images, so only the weights themselves can leave the numbers
        "generator/mnist": {"plan.update.lr": 1e39},
        "vae/mnist": {"plan.update.lr": 1e30},
        "flow-matching/mnist": {"plan.update.lr": 1e30},
        "deep-directed/mnist": {"plan.descriptor_update.lr": 1e39},
    }[name]
    message = diverge(tiny(name, {"checkpoint_every": 1, **rate}), tmp_path)
    event = journal.read(tmp_path / "journal.jsonl")[-1]
    assert event["event"] == "divergence" and message.startswith(f"iteration {event['iteration']} ")
    assert "learning rate" in message
    found = checkpoint.available(tmp_path / "checkpoints")
    assert (f"The last good checkpoint is {found[-1]}; " if found else "There is no checkpoint before it; ") in message
    for path in found:
        assert all(tensor.isfinite().all() for tensor in checkpoint.split(checkpoint.load(path)[0])[0].values())
