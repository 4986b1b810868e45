"""N iterations, a stop and N more are the 2N of a run that was never stopped: bit for bit, on a CPU."""

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_recipes import numbers, same, saved_state, tiny, tiny_clip, tiny_images
from tutelage.checks import InputError
from tutelage.recipes import Recipe
from tutelage.rng import stream
from tutelage.run import checkpoint, journal, looks, sitting, train
from tutelage.run.folder import RunFolder
from tutelage.run.load import load
from tutelage.run.restore import restore
from tutelage.run.results import last_device, learned_on

CPU = torch.device("cpu")
Interrupt = Callable[[int], None]

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "coopnets": ("coopnets/mnist", {}),
    "coopnets with inference": ("coopnets/mnist", {"plan.inference_steps": 2}),
    "coopnets, every option": (
        "coopnets/mnist",
        {
            "plan.chains": 6,
            "plan.add_noise": True,
            "plan.reconstruction_updates": 2,
            "plan.metropolis": True,
            "plan.noise_until": 5,
        },
    ),
    "descriptor, persistent": ("descriptor/mnist", {}),
    "descriptor, persistent from noise": ("descriptor/mnist", {"plan.start": "noise"}),
    "descriptor, a pool": ("descriptor/mnist", {"plan.pool": 10}),
    "descriptor from noise": ("descriptor/mnist", {"plan.start": "noise", "plan.persistent": False}),
    "generator": ("generator/mnist", {}),
    "vae": ("vae/mnist", {}),
    "flow matching": ("flow-matching/mnist", {}),
    "deep directed": ("deep-directed/mnist", {}),
    "dcgan": ("dcgan/mnist", {}),
    "wgan": ("wgan/mnist", {}),
    "video": ("video/quick", {}),
}
_GAME = {
    "discriminator",
    "generator",
    "average",
    "discriminator_optimiser",
    "generator_optimiser",
    "iteration",
}
STATES = {
    "coopnets/mnist": {
        "descriptor",
        "generator",
        "average",
        "descriptor_optimiser",
        "generator_optimiser",
        "iteration",
    },
    "descriptor/mnist": {"descriptor", "optimiser", "chains", "iteration"},
    "generator/mnist": {"generator", "average", "optimiser", "latents", "iteration"},
    "vae/mnist": {"encoder", "generator", "average", "optimiser", "iteration"},
    "flow-matching/mnist": {"velocity", "average", "optimiser", "iteration"},
    "deep-directed/mnist": {
        "descriptor",
        "generator",
        "average",
        "descriptor_optimiser",
        "generator_optimiser",
        "iteration",
    },
    "dcgan/mnist": _GAME,
    "wgan/mnist": _GAME,
}
STATES["video/quick"] = STATES["coopnets/mnist"]


@pytest.fixture
def interrupt_at(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Sends Ctrl-C once, while the given iteration is under way."""

    def arrange(iteration: int) -> None:
        write = journal.Journal.write

        def write_and_interrupt(self: journal.Journal, event: str, **fields: Any) -> None:
            write(self, event, **fields)
            if event == "iteration" and fields["iteration"] == iteration:
                monkeypatch.setattr(journal.Journal, "write", write)
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(journal.Journal, "write", write_and_interrupt)

    return arrange


def whole_and_parted(
    recipe: Recipe, folder: Path, interrupt_at: Interrupt, stop: int, channels: int = 1
) -> tuple[Path, Path]:
    """Two runs of ``recipe``: one without a stop, and one that was stopped and resumed."""
    observed = tiny_clip() if recipe.data.frames else tiny_images(10, channels)
    whole, parted = folder / "whole", folder / "parted"
    assert train.train(recipe, observed, whole, CPU, {}) == "done"
    interrupt_at(stop)
    assert train.train(recipe, observed, parted, CPU, {}) == "interrupt"
    assert saved_state(parted)["learner"]["iteration"] == stop
    assert train.resume(RunFolder(parted), observed, CPU) == "done"
    return whole, parted


ONCE = {
    *("coopnets with inference", "coopnets, every option"),
    *("descriptor, persistent from noise", "descriptor, a pool", "descriptor from noise"),
}
"""Other ways of an algorithm whose layers compute in bfloat16 in another case."""
OFTEN = [case for case in CASES if case not in ONCE]


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize(("case", "precision"), [*product(CASES, ["float32"]), *product(OFTEN, ["bfloat16"])])
def test_a_stop_changes_nothing(tmp_path: Path, interrupt_at: Interrupt, case: str, precision: str) -> None:
    name, changes = CASES[case]
    recipe = tiny(name, {"precision": precision, **changes})
    whole, parted = whole_and_parted(recipe, tmp_path, interrupt_at, stop=3)
    expected, got = saved_state(whole), saved_state(parted)
    assert expected["learner"].keys() == STATES[name] and expected["rng"].dtype == torch.uint8
    for part in expected["learner"]:
        assert same(got["learner"][part], expected["learner"][part]), part
    assert same(got, expected)
    assert numbers(parted) == numbers(whole) and len(numbers(whole)) == 6
    pictures = sorted(path.name for path in (whole / "pictures").iterdir())
    assert len(pictures) > 3
    assert pictures == sorted(path.name for path in (parted / "pictures").iterdir())
    for picture in pictures:
        assert (parted / "pictures" / picture).read_bytes() == (whole / "pictures" / picture).read_bytes(), picture


@pytest.mark.parametrize("name", ["coopnets/mnist", "generator/mnist", "flow-matching/mnist"])
def test_colour_images_neither(tmp_path: Path, interrupt_at: Interrupt, name: str) -> None:
    whole, parted = whole_and_parted(tiny(name, channels=3), tmp_path, interrupt_at, stop=2, channels=3)
    assert same(saved_state(parted), saved_state(whole))
    assert numbers(parted) == numbers(whole)


def test_the_comparison_would_notice(tmp_path: Path) -> None:
    """Another seed is another run, in every part of the state."""
    states = []
    for seed in (0, 1):
        train.train(tiny("coopnets/mnist", {"seed": seed}), tiny_images(), tmp_path / str(seed), CPU, {})
        states.append(saved_state(tmp_path / str(seed)))
    one, other = (state["learner"] for state in states)
    assert [part for part in one if same(one[part], other[part])] == ["iteration"]
    assert not same(states[0]["rng"], states[1]["rng"])
    assert numbers(tmp_path / "0") != numbers(tmp_path / "1")


def test_many_short_sittings_are_one_long_one(tmp_path: Path) -> None:
    recipe, observed = tiny("coopnets/mnist", {"plan.inference_steps": 1}), tiny_images()
    assert train.train(recipe, observed, tmp_path / "whole", CPU, {}) == "done"
    done = train.train(recipe, observed, tmp_path / "parted", CPU, {}, minutes=0)
    sittings = 1
    while done != "done":
        done = train.resume(RunFolder(tmp_path / "parted"), observed, CPU, minutes=0)
        sittings += 1
    assert sittings == 6
    assert same(saved_state(tmp_path / "parted"), saved_state(tmp_path / "whole"))
    assert numbers(tmp_path / "parted") == numbers(tmp_path / "whole")
    times = [e["seconds"] for e in journal.read(tmp_path / "parted" / "journal.jsonl") if e["event"] == "iteration"]
    assert times == sorted(times) and times[0] > 0


def test_a_kill_after_the_checkpoint_repeats_what_was_lost(tmp_path: Path, interrupt_at: Interrupt) -> None:
    """The journal went on past the newest checkpoint; resuming writes those iterations again, once."""
    recipe, observed, run = tiny("descriptor/mnist"), tiny_images(), tmp_path / "run"
    assert train.train(recipe, observed, tmp_path / "whole", CPU, {}) == "done"
    interrupt_at(5)
    train.train(recipe, observed, run, CPU, {})
    shutil.rmtree(run / "checkpoints" / "0000005")
    with (run / "journal.jsonl").open("ab") as file:
        file.write(b'{"event": "iterat')
    assert train.resume(RunFolder(run), observed, CPU) == "done"
    assert numbers(run) == numbers(tmp_path / "whole")
    assert same(saved_state(run), saved_state(tmp_path / "whole"))


def killed_before_a_checkpoint(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "save", die)
        train.train(*arguments)


@pytest.mark.parametrize("name", STATES)
def test_a_run_killed_before_its_first_checkpoint_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    recipe, run = tiny(name, {"checkpoint_every": 4}), tmp_path / "run"
    observed = tiny_clip() if recipe.data.frames else tiny_images(10)
    assert train.train(recipe, observed, tmp_path / "whole", CPU, {}) == "done"
    killed_before_a_checkpoint(monkeypatch, recipe, observed, run, CPU, {})
    assert not checkpoint.available(run / "checkpoints") and len(numbers(run)) == 4
    assert train.resume(RunFolder(run), observed, CPU) == "done"
    assert numbers(run) == numbers(tmp_path / "whole")
    assert same(saved_state(run), saved_state(tmp_path / "whole"))


def test_resuming_removes_the_pictures_of_what_is_learned_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, run = tiny("coopnets/mnist", {"checkpoint_every": 4, "picture_every": 1}), tmp_path / "run"
    killed_before_a_checkpoint(monkeypatch, recipe, tiny_images(10), run, CPU, {})
    assert (run / "pictures" / "revised_0000003.png").exists()
    own = {"mine.png", "mine_20240101.png", "revised_9.png", "final_pick.png", "final_samples"}
    for name in own - {"final_samples"}:
        shutil.copy(run / "pictures" / "real.png", run / "pictures" / name)
    (run / "pictures" / "final_samples").mkdir()
    assert train.resume(RunFolder(run), tiny_images(10), CPU, minutes=0) == "time"
    assert {path.name for path in (run / "pictures").glob("[rmf]*")} == {
        *own,
        "final_descriptor.png",
        "final_generator.png",
        "real.png",
        "reconstructed_0000001.png",
        "revised_0000001.png",
    }


def test_a_run_killed_before_its_first_iteration_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal is there as soon as the recipe is."""
    seen = []
    monkeypatch.setattr("tutelage.run.looks.save_real", lambda run, _: seen.append(journal.read(run.journal)))
    assert train.train(tiny("generator/mnist"), tiny_images(), tmp_path / "run", CPU, {}, minutes=0) == "time"
    assert [event["event"] for event in seen[0]] == ["start"]


def test_what_is_shown_while_learning_goes_on_from_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars, shown = [], []

    class Bar(train.tqdm):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            bars.append((named["initial"], named["total"]))
            super().__init__(*arguments, **named)

    @contextlib.contextmanager
    def board(folder: Path, iteration: int) -> Iterator[Any]:
        yield lambda iteration, numbers: shown.append(iteration)

    monkeypatch.setattr(sitting, "tqdm", Bar)
    monkeypatch.setattr(sitting, "board", board)
    assert train.train(tiny("generator/mnist"), tiny_images(), tmp_path / "run", CPU, {}, minutes=0) == "time"
    assert train.resume(RunFolder(tmp_path / "run"), tiny_images(), CPU) == "done"
    assert bars == [(0, 6), (1, 6)] and shown == [1, 2, 3, 4, 5, 6]


def test_results_name_all_machines_that_were_learned_on(tmp_path: Path) -> None:
    train.train(tiny("generator/mnist"), tiny_images(), tmp_path / "run", CPU, {}, minutes=0)
    run = RunFolder(tmp_path / "run")
    here = learned_on(run)
    assert last_device(run) == "cpu"
    with journal.Journal(run.journal) as log:
        log.write("resume", iteration=1, seconds=1.0, device="a large one", threads=here["threads"])
    assert learned_on(run) == {"device": f"{here['device']}, a large one", "threads": here["threads"]}
    assert last_device(run) == "a"


def test_the_last_models_samples_are_set_beside_the_training_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, nearest = [], looks.nearest_picture
    monkeypatch.setattr(
        looks, "nearest_picture", lambda made, *rest, **more: seen.append(made) or nearest(made, *rest, **more)
    )
    recipe = tiny("coopnets/mnist")
    train.train(recipe, tiny_images(10), tmp_path / "run", CPU, {})
    learner, state = load(tmp_path / "run")
    made = learner.sample(state, len(seen[0]), stream(recipe.seed, "final pictures"))
    assert torch.equal(seen[0], made["descriptor"]) and not torch.equal(seen[0], made["generator"])


def test_resuming_a_finished_run_leaves_its_state(tmp_path: Path) -> None:
    recipe, observed = tiny("generator/mnist"), tiny_images()
    train.train(recipe, observed, tmp_path, CPU, {})
    before = saved_state(tmp_path)
    assert train.resume(RunFolder(tmp_path), observed, CPU) == "done"
    assert same(saved_state(tmp_path), before)
    assert len(numbers(tmp_path)) == 6


@pytest.fixture
def stopped(tmp_path: Path, interrupt_at: Interrupt) -> RunFolder:
    interrupt_at(3)
    train.train(tiny("generator/mnist"), tiny_images(), tmp_path / "run", CPU, {})
    return RunFolder(tmp_path / "run")


def test_other_data_are_refused(stopped: RunFolder) -> None:
    with pytest.raises(InputError, match=r"is not what run .* learned from \(SHA-256 .*give the same data with --data"):
        train.resume(stopped, tiny_images(11), CPU)
    assert train.resume(stopped, tiny_images(), CPU) == "done"


def test_other_networks_are_refused(stopped: RunFolder) -> None:
    text = (stopped.path / "recipe.json").read_text()
    (stopped.path / "recipe.json").write_text(text.replace('"latent_dim": 3', '"latent_dim": 2'))
    with pytest.raises(InputError, match=r"does not fit this recipe's networks \(.*first.*resume with the recipe"):
        train.resume(stopped, tiny_images(), CPU)


def test_a_generator_of_another_device_gives_way_to_a_fresh_stream(stopped: RunFolder) -> None:
    """The state of a GPU's random numbers does not fit a CPU's: the run goes on, reproducibly."""
    path = stopped.latest()
    state, facts = checkpoint.load(path)
    for words in (torch.arange(16, dtype=torch.uint8), torch.arange(1, 17, dtype=torch.uint8)):
        checkpoint.save(stopped.checkpoints, 3, {**state, "rng": words}, facts)
        learner = train.build(stopped.recipe(), 10)
        one, two = (restore(path, learner, CPU)[1] for _ in range(2))  # to sample: there is nothing to say
        drawn = torch.randn(4, generator=one)
        assert torch.equal(drawn, torch.randn(4, generator=two))
        if words[0] == 0:
            first = drawn
    assert not torch.equal(first, drawn)
    with pytest.warns(UserWarning, match="another kind of device than cpu; from here its random numbers are others"):
        assert train.resume(stopped, tiny_images(), CPU) == "done"
