"""The command line of introspective models: train on one picture, synthesise any size, stylise, refuse."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import Said, refused, settings
from tiny_recipes import tiny_texture
from tutelage.learn import igm

pytestmark = pytest.mark.usefixtures("surroundings")

TINY = settings(
    "igm/texture",
    data__kind="image",
    data__channels="3",
    classifier__shape="[3, 8, 8]",
    plan__rounds="2",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A texture, a photograph, a grey one, and a run."""
    folder = tmp_path_factory.mktemp("introspection")
    rows = (np.arange(24).reshape(24, 1, 1) % 6 < 3) * np.array([200, 150, 90]) + 20
    Image.fromarray(np.broadcast_to(rows, (24, 24, 3)).astype(np.uint8)).save(folder / "bricks.png")
    ramp = np.linspace(20, 230, 30 * 20).reshape(30, 20, 1) * np.ones(3)
    Image.fromarray(ramp.astype(np.uint8)).save(folder / "photo.png")
    Image.fromarray(ramp[..., 0].astype(np.uint8)).save(folder / "grey.png")
    return folder


@pytest.fixture
def run(root: Path, tutelage) -> Path:
    """A model of the texture, trained once."""
    out = root / "run"
    if not out.exists():
        said = tutelage("train", "igm/texture", "--image", root / "bricks.png", "--out", out, *TINY)
        assert said.code == 0, said.err
    return out


def test_a_texture_becomes_pictures_of_any_size(tutelage, run: Path, tmp_path: Path) -> None:
    said = tutelage("synthesise", run, "--size", "20x31", "--out", tmp_path / "new.png")
    assert said.code == 0 and said.out.startswith("1 x 20 high, 31 wide, from 2 rounds in ")
    with Image.open(tmp_path / "new.png") as picture:
        assert picture.size == (31, 20) and picture.mode == "RGB"
    again, other = tmp_path / "again.png", tmp_path / "other.png"
    tutelage("synthesise", run, "--size", "20X31", "--out", again)
    tutelage("synthesise", run, "--size", "20x31", "--out", other, "--seed", 1)
    assert again.read_bytes() == (tmp_path / "new.png").read_bytes() != other.read_bytes()
    many = tutelage("synthesise", run, "--size", "9x9", "-n", 4, "--out", tmp_path / "many.npy")
    assert many.code == 0 and "4/4" in many.err  # two rounds of two batches
    assert np.load(tmp_path / "many.npy").shape == (4, 9, 9, 3)


def test_a_single_classifier_makes_its_pictures_in_one_round(tutelage, root: Path, tmp_path: Path) -> None:
    single = [*TINY, "plan.single=true", "plan.synthesis_steps=60"]
    run = tmp_path / "single"
    assert tutelage("train", "igm/texture", "--image", root / "bricks.png", "--out", run, *single).code == 0
    said = tutelage("synthesise", run, "--size", "16x16", "--out", tmp_path / "new.png")
    assert said.code == 0 and said.out.startswith("1 x 16 high, 16 wide, by the classifier of round 2 in ")
    assert "1/1" in said.err


def test_a_photograph_is_stylised(tutelage, run: Path, root: Path, tmp_path: Path) -> None:
    out = tmp_path / "styled.png"
    said = tutelage("stylise", run, root / "photo.png", "--content-weight", 0.5, "--steps", 3, "--out", out)
    assert said.code == 0 and "in the style of" in said.out
    with Image.open(out) as picture:
        assert picture.size == (20, 30)
    out.unlink()
    said = tutelage("stylise", run, root / "photo.png", "--shorter", 10, "--steps", 1, "--out", out)
    with Image.open(out) as picture:
        assert said.code == 0 and picture.size == (10, 15)
    out.unlink()
    said = tutelage("stylise", run, root / "grey.png", "--convert", "--steps", 1, "--out", out)
    assert said.code == 0
    refused = tutelage("stylise", run, root / "photo.png", "--out", root / "photo.png")
    assert refused.code == 2 and "photo.png is there already: name another --out, or remove it" in refused.err
    out.unlink()
    tutelage("stylise", run, root / "photo.png", "--content-weight", 1, "--out", out)
    with Image.open(out) as picture, Image.open(root / "photo.png") as photo:
        assert np.abs(np.asarray(picture).astype(int) - np.asarray(photo)).max() <= 1


def test_negatives_of_ones_own(tutelage, root: Path, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    (tmp_path / "fakes").mkdir()
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / "fakes" / f"{i}.png")
    out = tmp_path / "run"
    train = ["train", "igm/texture", "--image", root / "bricks.png", "--out", out, "--negatives", tmp_path / "fakes"]
    assert tutelage(*train, *TINY, "plan.rounds=1").code == 0
    kept = np.load(out / "negatives" / "0000000.npy")
    assert np.array_equal(kept[5:], pictures.transpose(0, 3, 1, 2))  # after the noise of the first chains
    faint = tmp_path / "faint"
    faint.mkdir()
    Image.fromarray((100 + pictures[0] // 8).astype(np.uint8)).save(faint / "0.png")
    train = [
        "train",
        "igm/texture",
        "--image",
        root / "bricks.png",
        "--out",
        tmp_path / "faint run",
        "--negatives",
        faint,
    ]
    assert tutelage(*train, *TINY, "plan.rounds=1", "data.scaling=per-image").code == 0
    assert np.ptp(np.load(tmp_path / "faint run" / "negatives" / "0000000.npy")[5:]) == 255  # as the data are
    np.save(tmp_path / "images.npy", pictures[:, :8, :8, 0])
    other = ["train", "coopnets/mnist", "--data", tmp_path / "images.npy", "--out", tmp_path / "no"]
    said = tutelage(*other, "--negatives", tmp_path / "fakes", *settings("coopnets/mnist"))
    refused(said, "--negatives belong to an introspective model, and coopnets/mnist is none")
    assert not (tmp_path / "no").exists()


def test_negatives_are_converted_or_left_out_whatever_the_data_are_in(tutelage, tmp_path: Path) -> None:
    np.save(tmp_path / "stripes.npy", tiny_texture().pixels[:, 0].repeat(2, 0))
    colours = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    (tmp_path / "fakes").mkdir()
    Image.fromarray(colours).save(tmp_path / "fakes" / "0.png")
    (tmp_path / "fakes" / "1.png").write_bytes(b"\x89PNG nothing more")
    train = ["train", "igm/texture", "--data", tmp_path / "stripes.npy", "--negatives", tmp_path / "fakes"]
    train, grey = [*train, "--out", tmp_path / "run"], settings("igm/texture", plan__rounds="1", data__held_out="1")
    refused(tutelage(*train, *grey), r"--negatives: .*0\.png is in colour, but grey is needed; .*pass --convert")
    said = tutelage(*train, "--convert", "--skip-bad", *grey)
    assert said.code == 0 and re.search(r"1 of 2 image files were left out: .*1\.png", said.err), said.err
    kept = np.load(tmp_path / "run" / "negatives" / "0000000.npy")
    assert np.array_equal(kept[5:, 0], np.asarray(Image.fromarray(colours).convert("L"))[None])


def test_a_dry_run_looks_at_the_negatives(tutelage, root: Path, tmp_path: Path) -> None:
    dry = ["--out", tmp_path / "no", "--dry-run", "--negatives"]
    said = tutelage("train", "igm/texture", "--image", root / "bricks.png", *dry, tmp_path / "none", *TINY)
    refused(said, r"--negatives: .*none does not exist; give a folder or a \.zip of images$")
    said = tutelage("train", "coopnets/mnist", *dry, root, *settings("coopnets/mnist"))
    refused(said, "--negatives belong to an introspective model, and coopnets/mnist is none")


def test_sampling(tutelage, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tutelage("sample", run, "-n", 2, "--out", tmp_path / "x.npy")
    assert said == Said(0, f"2 images of the cascade: {tmp_path / 'x.npy'}\n", "")
    assert np.load(tmp_path / "x.npy").shape == (2, 16, 16, 3)
    monkeypatch.setattr(igm.Igm, "sample", None)  # a name is looked at before anything is drawn
    refused(tutelage("sample", run, "--model", "generator", "--out", tmp_path / "y.npy"), "it has cascade: choose")
    refused(tutelage("interpolate", run), "this run has no generator")


def test_measuring(tutelage, root: Path, tmp_path: Path) -> None:
    larger = [*TINY, "data.size=[56, 56]", "data.enlarge=true", "plan.rounds=1"]
    copy = tmp_path / "run"
    assert tutelage("train", "igm/texture", "--image", root / "bricks.png", "--out", copy, *larger).code == 0
    said = tutelage("evaluate", copy, "--metric", "texture", "--samples", 2, "--data", root / "bricks.png")
    assert said.code == 0, said.err
    names = [line.split(":")[0] for line in said.out.splitlines()]
    assert names[0].startswith("IGM patch-SWD at iteration ") and "noise patch-SWD" in names
    results = json.loads((copy / "results.json").read_text())
    assert results[0]["n"] == 2 and "epochs" not in results[0]


def test_what_a_dry_run_says(tutelage, root: Path, tmp_path: Path) -> None:
    said = tutelage(
        "train", "igm/texture", "--image", root / "bricks.png", "--out", tmp_path / "no", "--dry-run", *TINY
    )
    assert said.code == 0 and "classifier: " in said.out and "at most " in said.out and not (tmp_path / "no").exists()


MISTAKES = {
    "a size that is none": (["synthesise", "{run}", "--size", "320"], "--size is '320'; write HEIGHTxWIDTH"),
    "a size of nothing": (["synthesise", "{run}", "--size", "0x9"], "--size is '0x9'"),
    "a size below the patch": (["synthesise", "{run}", "--size", "7x20"], "smaller than the patches of 8 x 8"),
    "a photograph of no size": (["stylise", "{run}", "{root}/photo.png", "--shorter", "0"], "--shorter is 0"),
    "a photograph that is missing": (["stylise", "{run}", "{root}/none.png"], "none.png cannot be read"),
    "a photograph of other channels": (["stylise", "{run}", "{root}/grey.png"], "grey.png is grey.*--convert"),
    "too much content": (["stylise", "{run}", "{root}/photo.png", "--content-weight", "2"], "needs to lie in"),
    "a missing round": (["synthesise", "{root}/missing", "--size", "16x16"], "round 2 is missing"),
    "a corrupt round": (["synthesise", "{root}/corrupt", "--size", "16x16"], r"round 1 .* is damaged"),
    "a texture smaller than a patch": (
        ["train", "igm/texture", "--image", "{root}/bricks.png", *TINY, "data.size=[6, 6]"],
        "the classifier takes patches of .3, 8, 8.",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_cost_one_sentence(tutelage, run: Path, root: Path, tmp_path: Path, case: str) -> None:
    for name, broken in (("missing", "0000002"), ("corrupt", "0000001")):
        if not (root / name).exists():
            shutil.copytree(run, root / name)
            weights = root / name / "rounds" / broken
            if name == "missing":
                shutil.rmtree(weights)
            else:
                (weights / "state.safetensors").write_bytes(b"no weights")
    arguments, words = MISTAKES[case]
    filled = [argument.replace("{run}", str(run)).replace("{root}", str(root)) for argument in arguments]
    said = tutelage(*filled[:1], "--out", tmp_path / "out.png", *filled[1:])
    last = said.err.splitlines()[-1]  # a broken round is met when its turn comes: a progress bar is before it
    assert said.code == 2 and last.startswith("tutelage: ") and re.search(words, last), said.err
    assert not any(tmp_path.iterdir())
