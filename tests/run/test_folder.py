"""A run folder is made once, found again, and what is no run is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_recipes import contents, tiny
from tutelage import __version__
from tutelage.checks import InputError
from tutelage.run import folder

RECIPE = tiny("coopnets/mnist")
FACTS: dict[str, Any] = {"data": None, "observations": 10}


def test_made_and_opened_again(tmp_path: Path) -> None:
    made = folder.create(tmp_path / "a" / "b", RECIPE, FACTS)
    opened = folder.open_run(tmp_path / "a" / "b")
    assert opened == made and opened.recipe() == RECIPE and opened.facts() == FACTS
    assert contents(opened.path).keys() == {"recipe.json", "run.json", "pictures", "checkpoints"}
    assert [path.relative_to(opened.path).as_posix() for path in (opened.journal, opened.results)] == [
        "journal.jsonl",
        "results.json",
    ]


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    assert folder.create(tmp_path, RECIPE, FACTS).recipe() == RECIPE


@pytest.mark.parametrize("name", ["a.txt", ".hidden"])
def test_what_is_there_is_never_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(InputError, match=rf"{path} is there already: name another --out$"):
            folder.create(path, RECIPE, FACTS)
    with pytest.raises(InputError, match=r"cannot be written \(.* is a file\); name another --out"):
        folder.create(tmp_path / name / "run", RECIPE, FACTS)
    assert contents(tmp_path) == {name: b"mine"}


def test_a_run_that_is_there_can_be_gone_on_with(tmp_path: Path) -> None:
    folder.create(tmp_path / "run", RECIPE, FACTS)
    with pytest.raises(
        InputError, match=r"run is there already: .* --out, or go on with it by `tutelage resume .*run`$"
    ):
        folder.check_new(tmp_path / "run")
    folder.check_new(tmp_path / "new")


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(
            InputError, match=r"is no run folder \(it has no recipe\.json\).*give the --out of an earlier"
        ):
            folder.open_run(path)
    with pytest.raises(InputError, match=r"is no run folder \(it has no run\.json\)"):
        folder.RunFolder(tmp_path).facts()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("recipe.json", b'{"name": ', r"recipe\.json is damaged; restore it"),
        ("recipe.json", b"\xff\xfe", r"recipe\.json is damaged; restore it"),
        ("recipe.json", b'{"name": "x"}', r"\(recipe lacks data, plan\); restore"),
        ("recipe.json", b"[]", r"recipe is \[\]; it needs to be a table"),
        ("run.json", b"{", r"run\.json is damaged; restore it"),
        ("run.json", b"[]", r"run\.json is damaged; restore it"),
        ("run.json", b"{}", r"run\.json is damaged; restore it"),
    ],
)
def test_damaged_descriptions_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    run = folder.create(tmp_path, RECIPE, FACTS)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        run.recipe() if name == "recipe.json" else run.facts()


def test_the_newest_checkpoint(tmp_path: Path) -> None:
    run = folder.create(tmp_path, RECIPE, FACTS)
    with pytest.raises(InputError, match=r"has no checkpoint yet; let `tutelage resume` bring it to its first"):
        run.latest()
    for name in ("0000010", "0000002", ".0000011.tmp-1"):
        (run.checkpoints / name).mkdir()
    assert run.latest() == run.checkpoints / "0000010"


def test_the_machine_in_words() -> None:
    words = folder.machine(torch.device("cpu"))
    assert words["device"].startswith("cpu (") and words["threads"] == torch.get_num_threads()
    assert (words["version"], words["torch"]) == (__version__, torch.__version__)
    assert json.loads(json.dumps(words)) == words


def test_a_recipe_of_another_version_says_so(tmp_path: Path) -> None:
    run = folder.create(tmp_path, RECIPE, {**FACTS, "version": "9.1"})
    (tmp_path / "recipe.json").write_text('{"name": "x"}')
    with pytest.raises(
        InputError, match=r"\(recipe lacks data, plan\); it was made by version 9\.1, and this is .*use that"
    ):
        run.recipe()


def test_a_folder_is_a_run_when_all_of_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = folder.atomic_write

    def stop(path: Path, content: str) -> None:
        if path.name == "run.json":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(folder, "atomic_write", stop)
    with pytest.raises(KeyboardInterrupt):
        folder.create(tmp_path, RECIPE, FACTS)
    with pytest.raises(InputError, match="is no run folder"):
        folder.open_run(tmp_path)
