"""A checkpoint is whole, or it is refused; writing one never harms another."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from tiny_recipes import contents, same
from tutelage.checks import InputError
from tutelage.data.images import file_digest
from tutelage.run import checkpoint

NESTED = {
    "weights": torch.arange(6.0).view(2, 3),
    "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "step": torch.tensor(3.0),
    "words": torch.arange(8, dtype=torch.uint8),
    "state": {0: {"exp_avg": torch.ones(2)}, 1: {}},
    "groups": [{"lr": 0.007, "betas": [0.5, 0.999], "fused": True, "foreach": None, "params": [0, 1]}],
    "iteration": 5,
}

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool)
tensors = st.builds(
    lambda shape, dtype, seed: (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 9).to(dtype),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from(DTYPES),
    st.integers(0, 99),
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | tensors
keys = st.text(alphabet="ab/'$1é", max_size=3) | st.integers(-3, 9) | st.sampled_from(["$tensor", "$pairs"])
nested = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(nested)
def test_joining_undoes_splitting_through_json(structure: Any) -> None:
    parts, skeleton = checkpoint.split(structure)
    assert same(checkpoint.join(parts, json.loads(json.dumps(skeleton))), structure)


def test_paths_that_look_alike_stay_apart() -> None:
    one, two, three, four = torch.arange(4.0)
    lookalikes = {1: one, "1": two, "a/b": three, "a": {"b": four}}
    parts, skeleton = checkpoint.split(lookalikes)
    assert len(parts) == 4
    assert same(checkpoint.join(parts, json.loads(json.dumps(skeleton))), lookalikes)


def test_tensors_that_share_memory_are_saved_one_by_one(tmp_path: Path) -> None:
    tied = torch.nn.Linear(2, 2)
    network = torch.nn.Sequential(tied, torch.nn.Tanh(), tied)
    whole = torch.arange(6.0)
    nested = {"network": network.state_dict(), "whole": whole, "part": whole[2:4], "none": [torch.empty(0)] * 2}
    loaded, _ = checkpoint.load(str(checkpoint.save(str(tmp_path), 1, nested, {})))
    assert same(loaded, {**nested, "network": dict(nested["network"])})


def test_tuples_come_back_as_lists_and_layouts_as_rows() -> None:
    assert checkpoint.join(*checkpoint.split((1, (2,)))) == [1, [2]]
    weight = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    parts, _ = checkpoint.split(weight.requires_grad_())
    assert parts[""].is_contiguous() and not parts[""].requires_grad
    assert torch.equal(parts[""], weight.detach())


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot open a folder")
def test_a_checkpoint_is_on_disk_before_it_has_its_name(tmp_path: Path, on_disk: list[tuple[str, int]]) -> None:
    replaced: list[tuple[str, int]] = []
    for _ in range(2):
        on_disk.clear()
        place = checkpoint.save(tmp_path, 5, NESTED, {})
        parts = [path.stat().st_ino for path in (place / "state.safetensors", place / "state.json", place)]
        forced = [("forced", number) for number in parts]
        new, folder = ("renamed", parts[-1]), ("forced", tmp_path.stat().st_ino)
        assert on_disk == [*forced, *replaced, new, folder]
        replaced = [new]


@pytest.mark.parametrize(
    ("strange", "message"),
    [
        ({"a": [torch.nn.Linear(1, 1)]}, r"cannot hold a Linear \(at /a/0\)"),
        ({"a": {1, 2}}, r"cannot hold a set \(at /a\)"),
        ({"a": print}, "cannot hold a builtin_function"),
        ({"a": b"bytes"}, "cannot hold a bytes"),
        ({"a": {(1, 2): 3}}, r"cannot hold the key \(1, 2\) \(at /a\)"),
    ],
)
def test_objects_are_refused_before_anything_is_written(tmp_path: Path, strange: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        checkpoint.save(tmp_path, 1, strange, {})
    assert contents(tmp_path) == {}


def test_saved_and_loaded(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path / "checkpoints", 5, NESTED, {"seconds": 1.5, "recipe": "r"})
    assert path == tmp_path / "checkpoints" / "0000005"
    assert sorted(file.name for file in path.iterdir()) == ["state.json", "state.safetensors"]
    state, facts = checkpoint.load(path)
    assert same(state, NESTED)
    assert facts == {"iteration": 5, "seconds": 1.5, "recipe": "r"}


def test_the_tensors_are_safetensors_and_the_rest_is_json(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 5, NESTED, {})
    (length,) = struct.unpack("<Q", (path / "state.safetensors").read_bytes()[:8])
    header = json.loads((path / "state.safetensors").read_bytes()[8 : 8 + length])
    assert header["/weights"]["dtype"] == "F32" and header["/weights"]["shape"] == [2, 3]
    with safe_open(path / "state.safetensors", "pt") as file:
        assert set(file.keys()) == {"/weights", "/half", "/step", "/words", "/state/0/exp_avg"}
    described = json.loads((path / "state.json").read_text())
    assert described["format"] == checkpoint.FORMAT == 2
    assert len(described["sha256"]) == len(described["digest"]) == 64


def edit(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """A change of what ``state.json`` says by somebody who knows how to seal it again."""

    def damage(path: Path) -> None:
        described = json.loads((path / "state.json").read_text())
        described.pop("digest", None)
        changed = change(described)
        described = described if changed is None else changed
        if isinstance(described, dict):
            described["digest"] = checkpoint._digest_of_json(described)
        (path / "state.json").write_text(json.dumps(described))

    return damage


def one_digit(path: Path) -> None:
    text = (path / "state.json").read_text()
    (path / "state.json").write_text(text.replace("0.007", "0.003"))


def unsealed(path: Path) -> None:
    described = json.loads((path / "state.json").read_text())
    del described["digest"]
    (path / "state.json").write_text(json.dumps(described))


def cut(name: str, length: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path / name, length)


def flip(path: Path) -> None:
    content = bytearray((path / "state.safetensors").read_bytes())
    content[-3] ^= 4
    (path / "state.safetensors").write_bytes(content)


DAMAGED = {
    "tensors truncated": (cut("state.safetensors", 100), "is damaged: state.safetensors is not what was written"),
    "tensors emptied": (cut("state.safetensors", 0), "is damaged: state.safetensors is not what was written"),
    "a bit flipped": (flip, "is damaged: state.safetensors is not what was written"),
    "json truncated": (cut("state.json", 50), r"has a damaged state\.json"),
    "json emptied": (cut("state.json", 0), r"has a damaged state\.json"),
    "json not text": (lambda path: (path / "state.json").write_bytes(b"\xff\xfe\x00"), r"has a damaged state\.json"),
    "json another thing": (edit(lambda _: [1]), "has format None; this version reads formats 1 and 2"),
    "no tensors": (lambda path: (path / "state.safetensors").unlink(), r"has no state\.safetensors"),
    "no json": (lambda path: (path / "state.json").unlink(), r"has no state\.json"),
    "another format": (edit(lambda d: d.update(format=3)), "has format 3; this version reads formats 1 and 2; use the"),
    "a digit changed": (one_digit, r"is damaged: state\.json is not what was written"),
    "the seal removed": (unsealed, r"is damaged: state\.json is not what was written"),
    "no digest": (edit(lambda d: d.pop("sha256") and None), r"has a damaged state\.json"),
    "no state": (edit(lambda d: d.pop("state") and None), r"has a damaged state\.json"),
    "an unknown tensor": (edit(lambda d: d.update(state={"$tensor": "/nowhere"})), r"has a damaged state\.json"),
    "a table that is none": (edit(lambda d: d.update(state={"a": 1})), r"has a damaged state\.json"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_is_damaged_is_refused(tmp_path: Path, damage: str) -> None:
    path = checkpoint.save(tmp_path, 5, NESTED, {})
    apply, message = DAMAGED[damage]
    apply(path)
    with pytest.raises(InputError, match=rf"checkpoint .*0000005 {message}.*remove that folder to go on from"):
        checkpoint.load(path)


def test_tensors_that_are_no_safetensors_are_refused_even_with_the_right_digest(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 5, NESTED, {})
    (path / "state.safetensors").write_bytes(b"\x80\x04 a pickle, perhaps")
    edit(lambda d: d.update(sha256=file_digest(path / "state.safetensors")))(path)
    with pytest.raises(InputError, match="cannot be read"):
        checkpoint.load(path)


def test_a_checkpoint_of_format_1_is_read(tmp_path: Path) -> None:
    """It has no digest of its own; one with a digest was not written as format 1."""
    path = checkpoint.save(tmp_path, 5, NESTED, {"seconds": 1.5})
    unsealed(path)
    text = (path / "state.json").read_text()
    (path / "state.json").write_text(text.replace('"format": 2', '"format": 1'))
    state, facts = checkpoint.load(path)
    assert same(state, NESTED) and facts == {"iteration": 5, "seconds": 1.5}
    checkpoint.save(tmp_path, 5, NESTED, {})
    text = (path / "state.json").read_text()
    (path / "state.json").write_text(text.replace('"format": 2', '"format": 1'))
    with pytest.raises(InputError, match=r"state\.json is not what was written"):
        checkpoint.load(path)


def test_every_flipped_byte_of_the_json_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 5, {"a": torch.zeros(2), "lr": [0.5, None]}, {"seconds": 1})
    whole, (state, facts) = (path / "state.json").read_bytes(), checkpoint.load(path)
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 1
        (path / "state.json").write_bytes(flipped)
        try:
            found = checkpoint.load(path)
        except InputError:
            continue
        assert same(found, (state, facts)), position


def test_shapes_are_compared_where_something_is_expected() -> None:
    expected = {"chains": torch.zeros(4, 1, 8, 8), "optimiser": {"state": {}}, "iteration": 0}
    saved = {"chains": torch.ones(4, 1, 8, 8), "optimiser": {"state": {0: {"m": torch.ones(3)}}}, "iteration": 9}
    checkpoint.check_shapes(expected, saved)
    for wrong in (torch.zeros(5, 1, 8, 8), None, 3):
        with pytest.raises(ValueError, match=r"^chains has shape .*, not \[4, 1, 8, 8\]"):
            checkpoint.check_shapes(expected, {**saved, "chains": wrong})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("keep_last", "keep_every", "left"),
    [
        (2, None, ["0000005", "0000006"]),
        (1, None, ["0000006"]),
        (2, 2, ["0000002", "0000004", "0000005", "0000006"]),
        (1, 3, ["0000003", "0000006"]),
        (9, None, [f"000000{i}" for i in range(1, 7)]),
    ],
)
def test_pruning_keeps_the_last_and_the_multiples(
    tmp_path: Path, keep_last: int, keep_every: int | None, left: list[str]
) -> None:
    for iteration in range(1, 7):
        (tmp_path / f"{iteration:07d}").mkdir()
    checkpoint.prune(tmp_path, keep_last, keep_every)
    assert names(tmp_path) == left


def test_order_is_by_number_not_by_name(tmp_path: Path) -> None:
    for name in ("10000000", "9999999", "0000012", "notes", ".0000013.tmp-1"):
        (tmp_path / name).mkdir()
    (tmp_path / "0000099").write_text("a file")
    assert [path.name for path in checkpoint.available(tmp_path)] == ["0000012", "9999999", "10000000"]
    assert checkpoint.available(tmp_path / "absent") == []


def test_leftovers_of_a_killed_writer_are_passed_over_and_removed(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 5, NESTED, {})
    for leftover in (".0000006.tmp-1", f".0000007.tmp-{os.getpid()}"):
        (tmp_path / leftover).mkdir()
        (tmp_path / leftover / "state.safetensors").write_bytes(b"half")
    assert checkpoint.available(tmp_path) == [path]
    checkpoint.prune(tmp_path, 2, None)
    assert names(tmp_path) == [f".0000007.tmp-{os.getpid()}", "0000005"]  # the last may be this writer's own
    checkpoint.save(tmp_path, 7, NESTED, {})
    assert names(tmp_path) == ["0000005", "0000007"]


def test_a_checkpoint_of_the_same_iteration_is_replaced(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 5, {"a": torch.zeros(3)}, {"seconds": 1})
    path = checkpoint.save(tmp_path, 5, {"a": torch.ones(2)}, {"seconds": 2})
    assert names(tmp_path) == ["0000005"]
    state, facts = checkpoint.load(path)
    assert same(state, {"a": torch.ones(2)}) and facts["seconds"] == 2


@pytest.mark.parametrize("killed_after", [0, 1])
def test_a_replacement_that_is_cut_off_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    checkpoint.save(tmp_path, 5, {"a": torch.zeros(3)}, {})
    rename, done = os.rename, []

    def kill(source: Path, target: Path) -> None:
        if len(done) == killed_after:
            raise KeyboardInterrupt
        done.append(target)
        rename(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "rename", kill)
        checkpoint.save(tmp_path, 5, {"a": torch.ones(2)}, {})
    checkpoint.recover(tmp_path)
    (path,) = checkpoint.available(tmp_path)
    assert same(checkpoint.load(path)[0], {"a": torch.zeros(3)}) and names(tmp_path) == ["0000005"]
    checkpoint.save(tmp_path, 5, {"a": torch.ones(2)}, {})
    assert same(checkpoint.load(path)[0], {"a": torch.ones(2)})
    assert names(tmp_path) == ["0000005"]


def test_recovering_removes_what_was_replaced(tmp_path: Path) -> None:
    for name in ("0000005", ".0000005.old-1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "made").write_text(name)
    checkpoint.recover(tmp_path)
    assert contents(tmp_path) == {"0000005": None, "0000005/made": b"0000005"}


@pytest.mark.parametrize("error", [RuntimeError("size\n  mismatch for top"), KeyError("average"), ValueError()])
def test_a_mismatch_is_explained_in_one_line(error: Exception) -> None:
    with (
        pytest.raises(
            InputError, match=r"c/0000005 does not fit this recipe's networks .*resume with the recipe"
        ) as caught,
        checkpoint.mismatch_explained(Path("c/0000005")),
    ):
        raise error
    assert "\n" not in str(caught.value)
