"""A kill −9 in the middle of writing a checkpoint leaves the one before, and the run goes on from it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from commands import child_environment
from tiny_recipes import numbers, same, saved_state, tiny, tiny_images
from tutelage.recipes import Recipe
from tutelage.run import checkpoint, train
from tutelage.run.folder import RunFolder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
CPU = torch.device("cpu")


def recipe() -> Recipe:
    return tiny("coopnets/mnist", {"checkpoint_every": 1, "plan.inference_steps": 1})


# The child trains the same recipe, and dies when the checkpoint of iteration 4 has come as far as it is told.
CHILD = """
import os, signal, sys
from pathlib import Path
import torch
from tiny_recipes import tiny, tiny_images
from tutelage.run import checkpoint, train

moment, out, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
save, save_file, write_text, flush, rename = (
    checkpoint.save, checkpoint.save_file, Path.write_text, checkpoint.flush, os.rename
)
fatal = False

def die():
    if fatal:
        os.kill(os.getpid(), signal.SIGKILL)

def fatal_save(folder, iteration, *rest):
    global fatal
    fatal = iteration == 4
    return save(folder, iteration, *rest)

def half_of_the_tensors(tensors, path):
    save_file(tensors, path)
    if fatal:
        os.truncate(path, os.path.getsize(path) // 2)
    die()

def all_of_the_tensors(tensors, path):
    save_file(tensors, path)
    die()

def half_of_the_json(path, text):
    if fatal and path.name == "state.json":
        write_text(path, text[: len(text) // 2])
        die()
    return write_text(path, text)

checkpoint.save = fatal_save
match moment:
    case "half of the tensors":
        checkpoint.save_file = half_of_the_tensors
    case "all of the tensors":
        checkpoint.save_file = all_of_the_tensors
    case "half of the json":
        Path.write_text = half_of_the_json
    case "before the rename":
        os.rename = lambda *paths: (die(), rename(*paths))
    case "after the rename":
        os.rename = lambda *paths: (rename(*paths), die())
recipe = tiny("coopnets/mnist", {"checkpoint_every": 1, "plan.inference_steps": 1})
train.train(recipe, tiny_images(), out, torch.device("cpu"), {})
"""

MOMENTS = {
    "half of the tensors": ("0000003", {"state.safetensors"}),
    "all of the tensors": ("0000003", {"state.safetensors"}),
    "half of the json": ("0000003", {"state.safetensors", "state.json"}),
    "before the rename": ("0000003", {"state.safetensors", "state.json"}),
    "after the rename": ("0000004", None),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nobody killed."""
    out = tmp_path_factory.mktemp("whole")
    assert train.train(recipe(), tiny_images(), out, CPU, {}) == "done"
    return out


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_while_a_checkpoint_is_written(tmp_path: Path, whole: Path, moment: str) -> None:
    newest, torn = MOMENTS[moment]
    command = [sys.executable, "-c", CHILD, moment, str(tmp_path / "run"), str(torch.get_num_threads())]
    child = subprocess.run(command, env=child_environment(), capture_output=True, text=True, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr

    run = RunFolder(tmp_path / "run")
    leftovers = [path for path in run.checkpoints.iterdir() if path.name.startswith(".")]
    assert [{file.name for file in path.iterdir()} for path in leftovers] == ([torn] if torn else [])
    assert run.latest().name == newest
    state, _ = checkpoint.load(run.latest())
    assert state["learner"]["iteration"] == int(newest)

    assert train.resume(run, tiny_images(), CPU) == "done"
    assert same(saved_state(run.path), saved_state(whole))
    assert numbers(run.path) == numbers(whole)
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["0000005", "0000006"]
