"""The command line of videos: train on one clip, sample, synthesise any length, look at the report, refuse."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import Said, refused, settings
from tiny_recipes import tiny_clip
from tutelage.data import video
from video_files import animated, contained, noise

pytestmark = pytest.mark.usefixtures("surroundings")

TINY = settings("video/quick")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 20 frames, at 20 frames per second, and others that cannot be learned from."""
    folder = tmp_path_factory.mktemp("video")
    frames = tiny_clip().pixels[0].transpose(1, 2, 3, 0)
    (folder / "stripes.gif").write_bytes(
        animated(frames + np.arange(20, dtype=np.uint8)[:, None, None, None], "GIF", 50)
    )
    (folder / "quick.webp").write_bytes(animated(noise(20, 8, 8), "WEBP", 10))
    (folder / "short.gif").write_bytes(animated(noise(6, 8, 8), "GIF", 50))
    (folder / "uneven.gif").write_bytes(animated(noise(20, 8, 8), "GIF", [50] * 10 + [200] * 10))
    (folder / "empty.mp4").touch()
    clear = np.concatenate([noise(20, 8, 8), noise(20, 8, 8)[..., :1]], 3)
    (folder / "clear.webp").write_bytes(animated(clear, "WEBP", 50))
    whole = animated(noise(20, 8, 8), "WEBP", 50)
    (folder / "cut.webp").write_bytes(whole[: len(whole) * 2 // 3])
    jpegs = contained(folder / "torn.avi", noise(20, 16, 32), codec="mjpeg", pixels="yuvj420p").read_bytes()
    starts = [place.start() for place in re.finditer(b"\xff\xd8\xff", jpegs)]
    (folder / "torn.avi").write_bytes(jpegs[: starts[5]] + bytes(starts[6] - starts[5] - 8) + jpegs[starts[6] - 8 :])
    return folder


@pytest.fixture
def run(root: Path, tutelage) -> Path:
    """A model of the clip, trained once."""
    out = root / "run"
    if not out.exists():
        said: Said = tutelage("train", "video/quick", "--video", root / "stripes.gif", "--out", out, *TINY)
        assert said.code == 0, said.err
    return out


@pytest.mark.parametrize("ending", [".gif", ".webp", ".mp4"])
def test_a_clip_becomes_a_longer_one_at_its_rate(tutelage, run: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"new{ending}"
    said = tutelage("synthesise", run, "--frames", 27, "--out", out)
    assert said.code == 0 and re.match(r"1 x 27 frames in [\d.]+ s: ", said.out), said.err
    clip = video.read(out)
    assert clip.frames.shape == (27, 8, 8, 3) and clip.fps == pytest.approx(20)


def test_synthesis_is_its_seeds_and_may_be_revised(tutelage, run: Path, tmp_path: Path) -> None:
    made = []
    for name, *more in (("a",), ("b",), ("c", "--seed", 1), ("d", "--revision-steps", 0)):
        said = tutelage("synthesise", run, "--frames", 9, "-n", 2, "--out", tmp_path / f"{name}.npy", *more)
        assert said.code == 0, said.err
        made.append(np.load(tmp_path / f"{name}.npy"))
    assert made[0].shape == (2, 9, 8, 8, 3) and (made[0] == made[1]).all()
    assert (made[0] != made[2]).any() and (made[0] != made[3]).any()


def test_sampling(tutelage, run: Path, tmp_path: Path) -> None:
    assert tutelage("sample", run, "-n", 3, "--out", tmp_path / "all.webp").code == 0
    assert video.read(tmp_path / "all.webp").frames.shape == (20, 8 + 2 * 2, 3 * 8 + 4 * 2, 3)
    assert tutelage("sample", run, "-n", 3, "--out", tmp_path / "sheet.png").code == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (8 * 10 + 2, 3 * 10 + 2)
    assert tutelage("sample", run, "-n", 2, "--out", tmp_path / "each").code == 0
    assert sorted(path.name for path in (tmp_path / "each").iterdir()) == ["00000.gif", "00001.gif"]
    assert video.read(tmp_path / "each" / "00001.gif").fps == 20
    refused(tutelage("sample", run, "--out", tmp_path / "a.jpg"), r"\.jpg; give a \.png, a \.npy, a \.gif, a \.webp, a")


def test_the_report_moves(run: Path) -> None:
    """The real clip and both models' videos, as animations at the clip's rate."""
    page = (run / "report.html").read_text()
    found = [base64.b64decode(text) for text in re.findall(r"data:image/gif;base64,([^\"']+)", page)]
    assert len(found) == 3
    for content in found:
        with Image.open(io.BytesIO(content)) as picture:
            assert picture.n_frames == 20 and picture.info["duration"] == 50
    assert "Generator, final (moving)" in page and "Real images (moving). What is learned from." in page
    assert "S1 · drafts, iteration 6" in page


def test_a_clip_too_fast_for_gif_is_learned_from(tutelage, root: Path, tmp_path: Path) -> None:
    said = tutelage("train", "video/quick", "--video", root / "quick.webp", "--out", tmp_path / "run", *TINY)
    assert said.code == 0, said.err
    assert video.read(tmp_path / "run" / "pictures" / "real.gif").fps == 50
    refused(tutelage("synthesise", tmp_path / "run", "--frames", 9, "--out", tmp_path / "a.gif"), "at most 50 frames")
    assert tutelage("synthesise", tmp_path / "run", "--frames", 9, "--out", tmp_path / "a.webp").code == 0
    assert video.read(tmp_path / "a.webp").fps == 100


def test_going_on_and_what_a_dry_run_says(tutelage, root: Path, tmp_path: Path) -> None:
    train = ["train", "video/quick", "--video", root / "stripes.gif", "--out", tmp_path / "run", *TINY]
    said = tutelage(*train, "--dry-run")
    assert said.code == 0 and "generator: " in said.out and "estimated time" in said.out
    assert tutelage(*train, "--minutes", 0).code == 0
    assert tutelage("resume", tmp_path / "run").code == 0
    listed = tutelage("list").out
    assert re.search(r"video/dynamic-texture +CoopNets +video 64x128x128, 1000 iterations", listed)


TRAIN = ["train", "video/quick", *TINY, "--video"]
REFUSED = {
    "a short clip": ([*TRAIN, "{root}/short.gif"], r"short\.gif: 20 frames were asked of a clip that has 6"),
    "uneven times": ([*TRAIN, "{root}/uneven.gif"], r"uneven\.gif .*uneven"),
    "an empty file": ([*TRAIN, "{root}/empty.mp4"], r"empty\.mp4 is empty \(0 bytes\)"),
    "transparency": ([*TRAIN, "{root}/clear.webp"], r"clear\.webp .*transparent"),
    "a file cut off": ([*TRAIN, "{root}/cut.webp"], r"cut\.webp "),
    "a damaged frame": ([*TRAIN, "{root}/torn.avi"], r"torn\.avi is damaged at frame 5"),
    "no clip": (TRAIN[:-1], "no data were named; give a video"),
    "a clip that is missing": ([*TRAIN, "{root}/none.mp4"], r"none\.mp4 does not exist; give a video"),
    "a size": (["synthesise", "{run}", "--size", "9x9"], "makes videos; give --frames, and no --size"),
    "both": (["synthesise", "{run}", "--size", "9x9", "--frames", "9"], "makes videos; give --frames, and no --size"),
    "no frames": (["synthesise", "{run}", "--frames", "0"], "0 frames were asked for; ask for 1 to 1,000,000"),
    "a format that is none": (
        ["synthesise", "{run}", "--frames", "9", "--out", "{root}/a.avi"],
        r"ends in \.avi; give",
    ),
    "interpolation": (["interpolate", "{run}"], "makes videos, and this command is for pictures"),
    "completion": (["complete", "{run}", "{root}", "--mask", "square:2"], "makes videos, and this"),
    "projection": (["project", "{run}", "{root}/a.png"], "makes videos, and this"),
    "scores": (["score", "{run}", "{root}/a.png"], "makes videos, and this"),
    "measuring": (["evaluate", "{run}", "--metric", "parzen"], "makes videos, and this"),
    "probing": (["probe", "{run}"], "makes videos, and this"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_mistakes_cost_one_sentence(tutelage, run: Path, root: Path, tmp_path: Path, case: str) -> None:
    arguments, words = REFUSED[case]
    filled = [argument.replace("{run}", str(run)).replace("{root}", str(root)) for argument in arguments]
    out = [] if filled[0] in ("evaluate", "probe") or "--out" in filled else ["--out", tmp_path / "out.gif"]
    refused(tutelage(filled[0], *out, *filled[1:]), words)
    assert not any(tmp_path.iterdir())
