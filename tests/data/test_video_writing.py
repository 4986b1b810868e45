"""What is written can be read again, every frame at its time."""

from __future__ import annotations

import errno

import numpy as np
import pytest
from PIL import Image

from tutelage.checks import InputError
from tutelage.data import read_picture, video
from video_files import few_colours, noise


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".GIF"])
@pytest.mark.parametrize("fps", [5.0, 25.0, 40.0])
def test_a_round_trip(tmp_path, suffix, fps):
    frames = few_colours()
    frames[3:5] = frames[2]  # what stands still keeps its length
    path = tmp_path / "new" / f"clip{suffix}"
    video.write(path, frames, fps)
    clip = video.read(path)
    assert np.array_equal(clip.frames, frames) and clip.fps == fps
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_webp_is_lossless(tmp_path):
    frames = noise(4, 11, 13)
    video.write(tmp_path / "a.webp", frames)
    assert np.array_equal(video.read(tmp_path / "a.webp").frames, frames)


def test_an_mp4_is_nearly_the_same(tmp_path):
    pytest.importorskip("av")
    ramp = np.broadcast_to(np.arange(60, 188, 4, dtype=np.uint8)[:, None, None], (32, 32, 3))
    frames = np.stack([np.roll(ramp, shift, axis=0) for shift in range(4)])
    video.write(tmp_path / "a.mp4", frames, 24.0)
    clip = video.read(tmp_path / "a.mp4")
    assert clip.fps == 24.0 and np.abs(clip.frames.astype(int) - frames).mean() < 3


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_it_goes_on_for_ever(tmp_path, suffix):
    video.write(tmp_path / f"a{suffix}", few_colours())
    with Image.open(tmp_path / f"a{suffix}") as file:
        assert file.info["loop"] == 0


@pytest.mark.parametrize(("suffix", "clock"), [(".gif", 100), (".webp", 1000)])
def test_no_rounding_adds_up(tmp_path, suffix, clock):
    frames = few_colours(31)
    video.write(tmp_path / f"a{suffix}", frames, 30.0)
    durations = []
    with Image.open(tmp_path / f"a{suffix}") as file:
        for number in range(31):
            file.seek(number)
            file.load()
            durations.append(file.info["duration"] * clock // 1000)
    assert set(durations) == {clock // 30, clock // 30 + 1} and sum(durations) == round(31 * clock / 30)
    assert video.read(tmp_path / f"a{suffix}").fps == pytest.approx(30, rel=0.01)


def test_a_gif_has_one_palette_that_fits_all(tmp_path):
    rng = np.random.default_rng(0)
    frames = np.zeros((4, 24, 32, 3), np.uint8)
    for number in range(4):  # each frame has colours of its own, 400 in all
        frames[number, ..., number % 3] = rng.integers(100, 200, (24, 32))
    video.write(tmp_path / "a.gif", frames)
    content = (tmp_path / "a.gif").read_bytes()
    with Image.open(tmp_path / "a.gif") as file:
        palette = bytes(file.getpalette())
    assert len(palette) == 768 and content.count(palette) == 1 and len(content) < 2 * 768 + frames.size // 3 * 2
    local = [place for place in range(len(content)) if content[place : place + 9] == b"," + bytes(4) + b" \0\x18\0"]
    assert len(local) == 4 and all(content[place + 9] < 128 for place in local), "no frame has colours of its own"
    assert np.abs(video.read(tmp_path / "a.gif").frames.astype(int) - frames).max() <= 4


def test_one_frame_is_written_too(tmp_path):
    for suffix in (".gif", ".webp"):
        video.write(tmp_path / f"a{suffix}", few_colours(1))
        assert np.array_equal(read_picture(tmp_path / f"a{suffix}", 3)[None], few_colours(1).transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("name", "fps", "says"),
    [
        ("a.avi", 25.0, r"a.avi ends in '.avi'; give a name that ends in .mp4, .gif or .webp$"),
        ("a", 25.0, r"a ends in ''; give a name"),
        ("a.gif", 60.0, "^a GIF shows at most 50 frames per second, but 60 were asked for; write an .mp4$"),
        ("a.webp", 1001.0, "^a WebP shows at most 1000 frames per second, but 1001 were asked for"),
        ("a.webp", 0.0, "^the rate is 0.0 frames per second; give a positive number"),
    ],
)
def test_what_cannot_be_written(tmp_path, name, fps, says):
    with pytest.raises(InputError, match=says):
        video.write(tmp_path / "new" / name, few_colours(), fps)
    assert list(tmp_path.iterdir()) == []


def test_other_frames_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"the frames are float64 \[2, 4, 4, 3\], but uint8"):
        video.write(tmp_path / "a.gif", np.zeros((2, 4, 4, 3)))


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path, monkeypatch):
    video.write(tmp_path / "a.webp", few_colours())
    before = (tmp_path / "a.webp").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tutelage.atomic.os.replace", full)
        with pytest.raises(InputError, match=r"a\.webp cannot be written: the disk is full \(.*\); free some space"):
            video.write(tmp_path / "a.webp", few_colours(seed=1))
    assert (tmp_path / "a.webp").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.webp"]
    video.write(tmp_path / "a.webp", few_colours(seed=1))
    assert np.array_equal(video.read(tmp_path / "a.webp").frames, few_colours(seed=1))


# --- contact sheets


@pytest.mark.parametrize(
    ("count", "columns", "shown"),
    [(9, 3, [0, 4, 8]), (9, 2, [0, 8]), (10, 4, [0, 3, 6, 9]), (3, 8, [0, 1, 2]), (1, 2, [0])],
)
def test_evenly_spaced_frames(count, columns, shown):
    frames = np.broadcast_to((np.arange(count, dtype=np.uint8) + 1)[:, None, None, None], (count, 4, 6, 3))
    sheet = np.asarray(video.contact_sheet(frames, columns))
    assert sheet.shape == (4, 8 * len(shown) - 2, 3)
    assert [int(sheet[0, 8 * place, 0]) - 1 for place in range(len(shown))] == shown
    assert all((sheet[:, 8 * place + 6 : 8 * place + 8] == 128).all() for place in range(len(shown) - 1))


def test_too_few_columns():
    with pytest.raises(InputError, match=r"^1 columns were asked for; the first and the last frame need at least 2$"):
        video.contact_sheet(noise(), 1)
    with pytest.raises(InputError, match=r"the frames are"):
        video.contact_sheet(noise()[0], 2)
