"""A clip as a set of one video: its frames in order, its scaling, its rate, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tutelage.checks import InputError
from tutelage.data import DataSpec, find, load, video
from video_files import COUNT, HEIGHT, WIDTH, animated, noise

SPEC = DataSpec("video", (HEIGHT, WIDTH), 3, scaling="per-image", frames=COUNT - 1)


@pytest.fixture
def clip(tmp_path):
    """Frames between 50 and 50 + 10 · number, none of one colour, at 20 frames per second."""
    frames = (50 + noise() % (10 * np.arange(1, COUNT + 1)).reshape(-1, 1, 1, 1)).astype(np.uint8)
    (tmp_path / "clip.webp").write_bytes(animated(frames, "WEBP", 50))
    return tmp_path / "clip.webp", frames


def test_a_clip_is_one_video_at_its_rate(clip):
    path, frames = clip
    splits = load(SPEC, path)
    assert splits.validation is None and splits.test is None
    images = splits.train
    assert len(images) == 1 and images.shape == SPEC.shape == (3, COUNT - 1, HEIGHT, WIDTH) and images.fps == 20
    np.testing.assert_array_equal(images.pixels[0].transpose(1, 2, 3, 0), frames[:-1])
    assert load(replace(SPEC, frames=2), path).train.sha256 != images.sha256 == load(SPEC, path).train.sha256


@pytest.mark.parametrize("scaling", ["global", "per-image", "per-frame"])
def test_scalings(clip, scaling):
    path, frames = clip
    images = load(replace(SPEC, scaling=scaling), path).train
    name = {"per-image": "clip", "per-frame": "frame"}.get(scaling, scaling)
    expected = video.scaled(frames[:-1], name)
    close = 1 / 255 + 1e-6 if scaling == "per-frame" else 1e-6  # rounded to bytes
    torch.testing.assert_close(images.batch(slice(None))[0], expected, rtol=0, atol=close)


def test_a_folder_of_frames_has_no_rate(clip, tmp_path):
    from PIL import Image

    (tmp_path / "frames").mkdir()
    for number, frame in enumerate(clip[1]):
        Image.fromarray(frame).save(tmp_path / "frames" / f"{number}.png")
    images = load(SPEC, tmp_path / "frames").train
    assert images.fps is None and images.sha256 == load(SPEC, clip[0]).train.sha256


def test_what_is_refused(clip, tmp_path):
    path, _ = clip
    with pytest.raises(InputError, match=r"clip\.webp: 9 frames were asked of a clip that has 6; .*give a longer clip"):
        load(replace(SPEC, frames=9), path)
    with pytest.raises(InputError, match=r"clip\.webp: the clip is .*smaller than"):
        load(replace(SPEC, size=(64, 64)), path)
    assert load(replace(SPEC, size=(64, 64), enlarge=True), path).train.shape == (3, 5, 64, 64)
    flat, greys = tmp_path / "flat.webp", np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    flat.write_bytes(animated(np.broadcast_to(greys, (6, HEIGHT, WIDTH, 3)), "WEBP"))
    with pytest.raises(InputError, match=r"flat\.webp: frame 0 of the clip is of one colour"):
        load(replace(SPEC, scaling="per-frame"), flat)
    clear = tmp_path / "clear.webp"
    clear.write_bytes(animated(np.concatenate([noise(), noise()[..., :1]], 3), "WEBP"))
    with pytest.raises(InputError, match=r"clear\.webp.*transparent"):
        load(SPEC, clear)
    assert load(replace(SPEC, convert=True), clear).train.shape == SPEC.shape
    with pytest.raises(InputError, match="no data were named; give a video, or a folder of its frames, with --data"):
        find("video")
    with pytest.raises(InputError, match="nowhere does not exist; give a video"):
        find("video", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"frames": None}, "a video of None frames and 3 channels was asked for; it needs at least 1 frame"),
        ({"frames": 0}, "a video of 0 frames"),
        ({"channels": 1}, "and 1 channels was asked for; it needs at least 1 frame and 3 channels"),
        ({"kind": "array"}, "frames=5 and scaling=per-image were asked of data of kind array; only kind video has"),
        ({"kind": "array", "frames": None, "scaling": "per-frame"}, "frames=None and scaling=per-frame were asked"),
    ],
)
def test_specs_that_cannot_be(fields, says):
    with pytest.raises(InputError, match=says):
        replace(SPEC, **fields)
