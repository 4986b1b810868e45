"""The command line of scores: what it leaves, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from commands import RESULT, refused
from tiny_recipes import contents, tiny, tiny_images, tiny_texture
from tutelage.apps import density_ratio, descriptor_density
from tutelage.energy import Gaussian
from tutelage.run import scoring, train
from tutelage.run.load import load

pytestmark = pytest.mark.usefixtures("surroundings")

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny runs, and pictures."""
    folder = tmp_path_factory.mktemp("scoring")
    for name in ("coopnets", "generator"):
        assert train.train(tiny(f"{name}/mnist"), tiny_images(), folder / name, CPU, {}) == "done"
    rounds = tiny("igm/texture", {"plan.rounds": 2})
    assert train.train(rounds, tiny_texture(), folder / "igm", CPU, {}) == "done"
    (folder / "in" / "more").mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(60, 200, (4, 8, 8), dtype=np.uint8)
    for name, image in zip(('a, "b".png', "c.png", "more/d.png"), pixels, strict=False):
        Image.fromarray(image).save(folder / "in" / name)
    np.save(folder / "in.npy", pixels)
    np.save(folder / "textures.npy", np.random.default_rng(2).integers(0, 256, (8, 16, 16), dtype=np.uint8))
    Image.fromarray(np.zeros((9, 12), np.uint8)).save(folder / "large.png")
    Image.fromarray(np.arange(9 * 12 * 3, dtype=np.uint8).reshape(9, 12, 3)).save(folder / "colour.png")
    return folder


def table(out: Path) -> dict[str, list[float]]:
    """The numbers of each file of ``scores.csv``, in its order."""
    with (out / "scores.csv").open(newline="", encoding="utf-8") as file:
        return {name: [float(number) for number in numbers] for name, *numbers in list(csv.reader(file))[1:]}


def test_pictures_are_scored_by_a_descriptor(tutelage, root: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    said = tutelage("score", root / "coopnets", root / "in", root / "in.npy", "--out", out)
    assert said.code == 0 and "scoring: 100%" in said.err
    assert {path.name for path in out.iterdir()} == {"scores.csv", "scores.png", "results.json"}
    learner, state = load(root / "coopnets")
    x = torch.from_numpy(np.load(root / "in.npy")).float()[:, None] / 127.5 - 1
    parts = descriptor_density.terms(state.descriptor, Gaussian(learner.plan.reference_std), x)
    found, right = table(out), torch.stack(parts, 1)
    for name, i in {'a, "b".png': 0, "c.png": 1, "more/d.png": 2, **{f"in.npy[{i}]": i for i in range(4)}}.items():
        assert found[name] == pytest.approx(right[i].tolist(), rel=1e-5)
    totals = [numbers[2] for numbers in found.values()]
    assert len(totals) == 7 and totals == sorted(totals, reverse=True)

    results = json.loads((out / "results.json").read_text())
    words = ("potential", "ln p0", "ln p up to a constant")
    assert [entry["name"] for entry in results] == [f"CoopNets mean {word}" for word in words]
    for entry, column in zip(results, zip(*found.values(), strict=True), strict=True):
        assert entry.keys() >= RESULT and (entry["n"], entry["iteration"]) == (7, 6)
        assert entry["value"] == pytest.approx(np.mean(column))
        assert entry["stderr"] == pytest.approx(np.std(column, ddof=1) / 7**0.5)

    names = list(found)
    for name in (*names[:3], *names[4:]):
        assert (
            f"  {found[name][2]:.7g} = {found[name][0]:.7g} (potential) + {found[name][1]:.7g} (ln p0)  {name}\n"
            in said.out
        )
    assert names[3] not in said.out and "compare pictures, not models" in said.out
    assert said.out.endswith(f"Look at {out / 'scores.png'}\n") and len(said.out.splitlines()) == 10


def test_pictures_are_scored_by_a_cascade_a_few_at_a_time(tutelage, root: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(scoring, "images_per_chunk", lambda *_: 3)
    out = tmp_path / "out"
    said = tutelage("score", root / "igm", root / "textures.npy", "--out", out)
    assert said.code == 0 and "8/8" in said.err
    learner, state = load(root / "igm")
    x = torch.from_numpy(np.load(root / "textures.npy")).float()[:, None] / 127.5 - 1
    right = torch.stack(density_ratio.terms(learner, state, x), 1)
    order = right[:, 2].argsort(descending=True)
    found = table(out)
    assert list(found) == [f"textures.npy[{i}]" for i in order]
    np.testing.assert_allclose(list(found.values()), right[order].numpy(), rtol=1e-5)
    assert (out / "scores.csv").read_text().startswith("file,ratio,reference,total\n")
    assert "(sum of the logits)" in said.out and "Where synthesis stops early they rank them" in said.out
    first = json.loads((out / "results.json").read_text())[0]
    assert first["name"] == "IGM mean sum of the logits" and first["value"] == pytest.approx(right[:, 0].mean().item())


def test_one_picture_that_is_converted(tutelage, root: Path, tmp_path: Path) -> None:
    said = tutelage("score", root / "coopnets", root / "colour.png", "--convert", "--out", tmp_path / "out")
    assert said.code == 0 and said.out.startswith("1 picture:\n") and list(table(tmp_path / "out")) == ["colour.png"]
    assert json.loads((tmp_path / "out" / "results.json").read_text())[0]["stderr"] is None


def test_numbers_are_those_of_float32_whatever_a_run_learns_in(tutelage, root, tmp_path, bfloat16) -> None:
    recipe = tiny("descriptor/mnist", {"precision": "bfloat16", "plan.iterations": 1})
    assert train.train(recipe, tiny_images(), tmp_path / "run", CPU, {}) == "done"
    assert tutelage("score", tmp_path / "run", root / "in.npy", "--out", tmp_path / "out").code == 0
    x = torch.from_numpy(np.load(root / "in.npy")).float()[:, None] / 127.5 - 1
    numbers = {}
    for precision in ("float32", "bfloat16"):
        _, state = load(tmp_path / "run", precision=precision)
        with torch.no_grad():
            numbers[precision] = state.descriptor(x)
    found = [table(tmp_path / "out")[f"in.npy[{i}]"][0] for i in range(4)]
    assert found == pytest.approx(numbers["float32"].tolist(), rel=1e-5)
    assert found != pytest.approx(numbers["bfloat16"].tolist(), rel=1e-5), "three digits"


REFUSED = {
    "no run": (["{root}/in", "{root}/in"], "in is no run folder"),
    "a run without a density": (["{root}/generator", "{root}/in"], "generator learned by Algorithm G and cannot score"),
    "no pictures": (["{root}/coopnets"], "no IMAGES were given; name pictures, folders"),
    "no such picture": (["{root}/coopnets", "{root}/absent.png"], r"absent\.png does not exist; give a picture"),
    "an empty folder": (["{root}/coopnets", "{root}/empty"], "empty has no images"),
    "a larger picture": (["{root}/coopnets", "{root}/in", "{root}/large.png"], "large.png is 1 x 9 x 12 .*--convert"),
    "a picture in colour": (["{root}/coopnets", "{root}/colour.png"], "in colour, but grey is needed; .*--convert"),
    "a picture of another size than a cascade's": (["{root}/igm", "{root}/in"], "png is 1 x 8 x 8 .* 1 x 16 x 16"),
    "no such device": (["{root}/coopnets", "{root}/in", "--device", "abacus"], "device 'abacus' cannot be used here"),
    "a folder in use": (["{root}/coopnets", "{root}/in", "--out", "{root}/in"], "in is there already: name another"),
    "a file in the way": (["{root}/coopnets", "{root}/in", "--out", "{root}/in.npy"], "in.npy is there already"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_mistakes_cost_one_sentence_and_leave_nothing(tutelage, root: Path, case: str) -> None:
    (root / "empty").mkdir(exist_ok=True)
    before = contents(root)
    arguments, words = REFUSED[case]
    place = [] if "--out" in arguments else ["--out", "{root}/new"]
    refused(tutelage("score", *(argument.replace("{root}", str(root)) for argument in [*arguments, *place])), words)
    assert contents(root) == before


def test_an_interrupt_leaves_nothing(tutelage, root: Path, tmp_path: Path, monkeypatch) -> None:
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(scoring, "score_images", interrupted)
    said = tutelage("score", root / "coopnets", root / "in", "--out", tmp_path / "out")
    assert said.code == 130 and not (tmp_path / "out").exists()


def test_the_help_says_what_the_numbers_do_not_say(tutelage) -> None:
    words = " ".join(tutelage("score", "--help").out.split())
    assert "a constant that is unknown" in words and "of one model compare pictures, not models" in words
