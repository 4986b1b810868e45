"""A clip is checked when it is made, and brought to a size and a range as pictures are."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from tutelage.checks import InputError
from tutelage.data import Fit, from_array, picture, stretched
from tutelage.data.clip import Clip, fitted, scaled
from video_files import noise


def test_a_clip_cannot_be_written_to():
    frames = noise()
    clip = Clip(frames, 25.0)
    assert np.array_equal(clip.frames, frames) and clip.fps == 25.0
    with pytest.raises(ValueError, match=r"read-only"):
        clip.frames[0] = 0
    assert Clip(frames).fps is None


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        (np.zeros((2, 4, 4, 3), np.float32), r"the frames are float32 \[2, 4, 4, 3\], but uint8 \[T, H, W, 3\]"),
        (np.zeros((2, 4, 4, 1), np.uint8), r"the frames are uint8 \[2, 4, 4, 1\].*grey needs three equal channels"),
        (np.zeros((4, 4, 3), np.uint8), r"the frames are uint8 \[4, 4, 3\]"),
        (np.zeros((0, 4, 4, 3), np.uint8), r"the frames are uint8 \[0, 4, 4, 3\].*at least one frame"),
    ],
)
def test_other_arrays_are_refused(frames, says):
    with pytest.raises(InputError, match=says):
        Clip(frames)
    with pytest.raises(InputError, match=says):
        scaled(frames)


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_other_rates_are_refused(fps):
    with pytest.raises(InputError, match=r"^the rate is .* frames per second; give a positive number"):
        Clip(noise(), fps)


# --- a size


@pytest.mark.parametrize("size", [(12, 16), (6, 6), (5, 9), (12, 12)])
def test_each_frame_is_fitted_like_a_picture(size):
    frames = noise()
    found = fitted(Clip(frames), 4, size)
    assert found.shape == (4, *size, 3) and found.dtype == np.uint8
    for frame, here in zip(frames, found, strict=False):
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "PNG")
        assert np.array_equal(here, picture.fitted(file.getvalue(), Fit(size, 3)).transpose(1, 2, 0))


def test_nothing_is_enlarged_in_silence():
    clip = Clip(np.full((2, 6, 8, 3), 77, np.uint8))
    with pytest.raises(
        InputError, match=r"^the clip is 6 x 8 \(height x width\), smaller than the size asked for, 12 x"
    ):
        fitted(clip, 2, (12, 12))
    found = fitted(clip, 2, (12, 12), enlarge=True)
    assert found.shape == (2, 12, 12, 3) and (found == 77).all()


@pytest.mark.parametrize("frames", [7, 0, -1])
def test_more_frames_than_there_are(frames):
    with pytest.raises(InputError, match=f"^{frames} frames were asked of a clip that has 6; ask for 1 to 6, or give"):
        fitted(Clip(noise()), frames, (4, 4))


def test_an_impossible_size():
    with pytest.raises(InputError, match=r"^the image size is \(0, 4\)"):
        fitted(Clip(noise()), 2, (0, 4))


# --- a range


def test_the_same_range_for_all():
    frames = noise()
    found = scaled(frames)
    assert found.shape == (3, 6, 12, 16) and found.dtype == torch.float32 and found.is_contiguous()
    expected = frames.transpose(3, 0, 1, 2).astype(np.float64) / 127.5 - 1
    assert np.abs(found.numpy() - expected).max() < 1e-6
    assert torch.equal(
        scaled(np.array([0, 255, 255], np.uint8).reshape(1, 1, 1, 3)).flatten(), torch.tensor([-1.0, 1, 1])
    )


def test_the_range_of_the_clip():
    frames = (noise() // 4 + 50).astype(np.uint8)
    frames[3] //= 2  # the darkest value is in this frame alone
    found = scaled(frames, "clip").numpy()
    low, high = int(frames.min()), int(frames.max())
    assert np.abs(found - (2 * (frames.transpose(3, 0, 1, 2) - float(low)) / (high - low) - 1)).max() < 1e-6
    assert found.min() == -1 and found.max() == 1 and found[:, 0].min() > -1


def test_the_range_of_each_frame_is_that_of_an_image():
    frames = (noise() // 4 + 50).astype(np.uint8)
    frames[3] //= 2
    images = stretched(from_array(frames))
    assert torch.equal(scaled(frames, "frame").transpose(0, 1), images.batch(slice(0, 6)))


def test_one_colour_has_no_range():
    frames = noise()
    frames[2] = 9
    assert scaled(frames, "clip").max() == 1
    with pytest.raises(
        InputError, match=r"^frame 2 of the clip is of one colour, but the scaling 'frame' needs a darkest"
    ):
        scaled(frames, "frame")
    with pytest.raises(
        InputError, match=r"^the clip is of one colour, .*; give another clip, or choose the scaling 'glo"
    ):
        scaled(np.full((2, 3, 3, 3), 9, np.uint8), "clip")
    assert (scaled(np.full((2, 3, 3, 3), 255, np.uint8)) == 1).all()


def test_an_unknown_scaling():
    with pytest.raises(InputError, match=r"^the scaling is 'per-image'; give one of global, clip, frame$"):
        scaled(noise(), "per-image")  # type: ignore[arg-type]


def test_the_frames_stay_as_they_were():
    frames = noise()
    before = frames.copy()
    for scaling in ("global", "clip", "frame"):
        scaled(frames, scaling).zero_()
    assert np.array_equal(frames, before)
