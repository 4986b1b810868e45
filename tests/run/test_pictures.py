"""Pixels land where they belong, and only the picture is clipped."""

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tutelage.checks import InputError
from tutelage.data import to_uint8, video
from tutelage.run import pictures


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_laid_row_by_row(channels: int) -> None:
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (5, channels, 4, 6), generator=rng).to(torch.uint8)
    picture = pictures.grid(images, columns=3, padding=2, scale=2)
    assert picture.mode == ("L" if channels == 1 else "RGB")
    assert picture.size == (2 * (3 * 8 + 2), 2 * (2 * 6 + 2))
    pixels = np.asarray(picture).reshape(picture.height, picture.width, channels)[::2, ::2]
    assert (pixels[:2] == pictures.BACKGROUND).all()
    for index in range(5):
        top, left = 2 + (index // 3) * 6, 2 + (index % 3) * 8
        assert np.array_equal(pixels[top : top + 4, left : left + 6], images[index].permute(1, 2, 0).numpy())
    assert (pixels[8:12, 18:24] == pictures.BACKGROUND).all()  # the sixth place is empty


def test_fewer_images_than_columns_make_a_narrow_grid() -> None:
    assert pictures.grid(torch.zeros(2, 1, 4, 4), columns=10, padding=1).size == (11, 6)


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4), (2, 2, 4, 4), (0, 1, 4, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"\[B, C, H, W\].*needed"):
        pictures.grid(torch.zeros(shape))


def test_integers_other_than_uint8_and_bad_layouts_are_refused() -> None:
    with pytest.raises(InputError, match=r"torch\.int64.*uint8"):
        pictures.grid(torch.zeros(1, 1, 2, 2, dtype=torch.int64))
    with pytest.raises(InputError, match="scale ≥ 1"):
        pictures.grid(torch.zeros(1, 1, 2, 2), scale=0)


def test_labelled_row_keeps_every_panel() -> None:
    dark, light = Image.new("L", (40, 30), 10), Image.new("RGB", (20, 50), (0, 200, 0))
    row = pictures.labelled_row([("real", dark), ("a rather long title", light)])
    assert row.mode == "RGB"
    found = np.asarray(row).reshape(-1, 3)
    assert (found == (0, 200, 0)).all(axis=1).sum() == 20 * 50
    assert (found == (10, 10, 10)).all(axis=1).sum() >= 40 * 30
    with pytest.raises(InputError, match="at least one"):
        pictures.labelled_row([])


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"is there already: name another --out$"):
        pictures.write_images(torch.zeros(1, 3, 4, 4), tmp_path)
    (tmp_path / "empty").mkdir()
    pictures.write_images(torch.zeros(2, 3, 4, 4), tmp_path / "empty")
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == ["00000.png", "00001.png"]


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bricks.png").write_bytes(b"mine")
    for write in (pictures.check_target, lambda out: pictures.write_images(torch.zeros(1, 3, 4, 4), out)):
        with pytest.raises(InputError, match=r"bricks\.png is there already: name another --out, or remove it"):
            write(tmp_path / "bricks.png")
    assert (tmp_path / "bricks.png").read_bytes() == b"mine"


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(InputError, match=r"notes is there already: name another --out$"):
        pictures.check_target(tmp_path / "notes")
    for below in ("x.png", "folder", "new/x.npy"):
        with pytest.raises(InputError, match=r"cannot be written \(.*notes is a file\); name another"):
            pictures.check_target(tmp_path / "notes" / below)
    (tmp_path / "empty").mkdir()
    places = [tmp_path / name for name in ("x.png", "folder", "new/x.npy", "empty")]
    for place in places:
        pictures.check_target(place)
    monkeypatch.setattr(os, "access", lambda *_: False)
    for place in places:
        with pytest.raises(InputError, match=r"cannot be written \(.* is not writable\); make it so, or name another"):
            pictures.check_target(place)


def test_a_video_that_cannot_be_written_is_refused_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="a GIF shows at most 50 frames per second, but 60 were asked for"):
        pictures.check_target(tmp_path / "a.gif", moving=True, fps=60.0)
    pictures.check_target(tmp_path / "a.gif", moving=True, fps=50.0)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(
        InputError, match=r"a\.mp4 .* need PyAV, which is not installed; pip install 'tutelage\[video\]'"
    ):
        pictures.check_target(tmp_path / "a.mp4", moving=True, fps=25.0)


def test_videos_in_a_folder_are_as_fast_as_a_gif_can_be(tmp_path: Path) -> None:
    pictures.write_images(torch.rand(1, 3, 5, 8, 8) * 2 - 1, tmp_path / "each", fps=60)
    assert video.read(tmp_path / "each" / "00000.gif").fps == 50


def test_of_moving_pictures_every_pixel_is_at_its_place_and_time(tmp_path: Path) -> None:
    videos = 2 * torch.rand(6, 3, 5, 4, 7, generator=torch.Generator().manual_seed(0)) - 1
    for name in ("all.npy", "all.webp", "all.png", "each"):
        pictures.write_images(videos, tmp_path / name)
    pixels = np.load(tmp_path / "all.npy")
    assert np.array_equal(pixels, to_uint8(videos).movedim(1, -1).numpy())

    side_by_side = video.read(tmp_path / "all.webp").frames
    assert side_by_side.shape == (5, 2 + 2 * 6, 2 + 4 * 9, 3)
    with Image.open(tmp_path / "all.png") as file:
        sheet = np.asarray(file)
    assert sheet.shape == (2 + 6 * 6, 2 + 5 * 9, 3)
    for k in range(6):
        top, left = 2 + (k // 4) * 6, 2 + (k % 4) * 9
        assert np.array_equal(side_by_side[:, top : top + 4, left : left + 7], pixels[k])
        for t in range(5):
            assert np.array_equal(sheet[2 + k * 6 :, 2 + t * 9 :][:4, :7], pixels[k, t])
        assert np.array_equal(video.read(tmp_path / "each" / f"{k:05d}.gif").frames, pixels[k])


def test_a_sheet_shows_evenly_spaced_frames_of_a_long_video() -> None:
    videos = torch.randint(0, 256, (2, 1, 12, 4, 6), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    shown = np.asarray(pictures.sheet(videos))
    for place, t in enumerate([0, 2, 3, 5, 6, 8, 9, 11]):
        for k in range(2):
            assert np.array_equal(shown[2 + k * 6 :, 2 + place * 8 :][:4, :6], videos[k, 0, t].numpy())


def test_png_keeps_every_pixel(tmp_path: Path) -> None:
    picture = pictures.grid(torch.rand(4, 3, 5, 5) * 2 - 1, columns=2)
    pictures.save(picture, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as loaded:
        assert np.array_equal(np.asarray(loaded), np.asarray(picture))
    assert (tmp_path / "a.png").read_bytes() == pictures.png_bytes(picture)
    with Image.open(io.BytesIO(pictures.png_bytes(picture))) as loaded:
        assert loaded.format == "PNG"
