"""A clip is read from whatever it is kept in, frame by frame as it is, or refused in one sentence."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tutelage.checks import InputError
from tutelage.data import gathering, read_picture, video
from video_files import animated, few_colours, mosaic, noise


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def folder_of(path: Path, frames: np.ndarray, name: str = "frame{}.png") -> Path:
    path.mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(path / name.format(number))
    return path


# --- animations


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation(tmp_path, kind):
    frames = few_colours()
    clip = video.read(put(tmp_path / "a", animated(frames, kind)))
    assert np.array_equal(clip.frames, frames) and clip.fps == 25.0
    assert clip.frames.dtype == np.uint8


@pytest.mark.parametrize(("milliseconds", "rate"), [(100, 10.0), ([20, 30] * 3, 40.0), (0, None), (20, 50.0)])
def test_the_rate_of_a_gif(tmp_path, milliseconds, rate):
    path = put(tmp_path / "a.gif", animated(few_colours(), "GIF", milliseconds))
    assert video.read(path).fps == rate


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_uneven_animations_are_refused(tmp_path, kind):
    path = put(tmp_path / "a", animated(few_colours(), kind, [40, 40, 80, 40, 40, 40]))
    with pytest.raises(
        InputError, match=r"a has frames at uneven times \(0\.04 to 0\.08 s apart\).*; make it steady, "
    ):
        video.read(path)
    assert video.read(path, first=2).fps == 25.0, "nothing is said about what is not read"


def test_a_png_may_begin_with_another_picture(tmp_path):
    frames = few_colours()
    path = put(tmp_path / "a.png", animated(frames, "PNG", 40, default_image=True))
    clip = video.read(path)
    assert np.array_equal(clip.frames, frames[1:]) and clip.fps == 25.0


def test_the_pages_of_a_tiff(tmp_path):
    frames = noise()
    clip = video.read(put(tmp_path / "a.tif", animated(frames, "TIFF")))
    assert np.array_equal(clip.frames, frames) and clip.fps is None


def test_grey_is_taken(tmp_path):
    grey = np.repeat(few_colours()[..., :1], 3, axis=-1)
    assert np.array_equal(video.read(put(tmp_path / "a.gif", animated(grey[..., 0], "GIF"))).frames, grey)
    coloured = few_colours()
    coloured[2] = 40  # a fade to grey, amid colours
    assert np.array_equal(video.read(put(tmp_path / "b.gif", animated(coloured, "GIF"))).frames, coloured)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_transparent_frames_are_refused_or_laid_on_white(tmp_path, kind):
    frames = np.concatenate([few_colours(), np.full((6, 12, 16, 1), 255, np.uint8)], axis=-1)
    frames[0 if kind == "GIF" else 3 :, 2:4, 5:7, 3] = 0  # what is clear in a GIF shows the frame before
    path = put(tmp_path / "a", animated(frames, kind))
    with pytest.raises(InputError, match=r"a has transparent pixels, but opaque ones are needed; convert it, or pass"):
        video.read(path)
    found = video.read(path, convert=True).frames
    assert (found[3, 2:4, 5:7] == 255).all() and np.array_equal(found[3, 4:], frames[3, 4:, :, :3])


def test_opaque_alpha_is_dropped(tmp_path):
    frames = np.concatenate([noise(), np.full((6, 12, 16, 1), 255, np.uint8)], axis=-1)
    assert np.array_equal(video.read(put(tmp_path / "a.webp", animated(frames, "WEBP"))).frames, frames[..., :3])


def test_a_damaged_frame_is_named(tmp_path):
    whole = animated(noise(8), "PNG")
    third = [place for place in range(len(whole)) if whole[place : place + 4] == b"fdAT"][2]
    damaged = bytearray(whole)
    damaged[third + 40 : third + 60] = bytes(20)
    with pytest.raises(InputError, match=r"a.png is damaged at frame 3, counted from 0 \(.*\); repair it$"):
        video.read(put(tmp_path / "a.png", bytes(damaged)))
    assert len(video.read(tmp_path / "a.png", first=3).frames) == 3


def test_a_damaged_frame_of_a_webp(tmp_path):
    whole = animated(noise(), "WEBP")
    damaged = bytearray(whole)
    third = [place for place in range(len(whole)) if whole[place : place + 4] == b"ANMF"][3]
    damaged[third + 40 : third + 240] = bytes(200)
    with pytest.raises(InputError, match=r"a.webp is damaged at frame 3, counted from 0 \(.*\); repair it$"):
        video.read(put(tmp_path / "a.webp", bytes(damaged)))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_a_file_that_is_cut_short_never_passes(tmp_path, kind):
    frames = few_colours()
    whole = animated(frames, kind)
    for length in range(len(whole) // 20, len(whole) * 19 // 20, max(1, len(whole) // 25)):
        path = put(tmp_path / "a", whole[:length])
        with pytest.raises(InputError, match=f"^{path} "):
            video.read(path)


# --- folders


def test_a_folder_in_the_order_of_its_numbers(tmp_path):
    frames = noise(12)
    clip = video.read(folder_of(tmp_path / "clip", frames))
    assert np.array_equal(clip.frames, frames) and clip.fps is None
    assert np.array_equal(video.read(tmp_path / "clip", first=3).frames, frames[:3])


def test_other_files_are_passed_over(tmp_path):
    folder = folder_of(tmp_path / "clip", noise())
    (folder / "notes.txt").write_text("the second take")
    (folder / ".hidden.png").write_bytes(b"")
    assert len(video.read(folder).frames) == 6


def break_frame(folder: Path) -> None:
    path = folder / "frame3.png"
    path.write_bytes(path.read_bytes()[:200])


def shrink_frame(folder: Path) -> None:
    Image.fromarray(noise(1, 10, 16)[0]).save(folder / "frame3.png")


def see_through(folder: Path) -> None:
    Image.new("RGBA", (16, 12), (1, 2, 3, 4)).save(folder / "frame3.png")


def move_frame(folder: Path) -> None:
    (folder / "frame3.png").write_bytes(animated(noise(), "PNG"))


def hide_frame(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "frame3.png").rename(folder / "more" / "frame3.png")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (break_frame, r"clip/frame3\.png cannot be read as an image .*; repair or remove it$"),
        (
            shrink_frame,
            r"clip has frames of different sizes \(frame3\.png is 10 x 16, the first 12 x 16, height x width\)",
        ),
        (
            see_through,
            r"clip/frame3\.png has transparent pixels, but opaque ones are needed; convert it, or pass --conv",
        ),
        (
            move_frame,
            r"clip/frame3\.png is animated, but a folder holds one frame a file; name the file, not the folder",
        ),
        (hide_frame, r"clip has pictures in folders of its own \(more/frame3\.png\); name one folder of frames"),
    ],
)
def test_a_frame_that_does_not_fit_is_named(tmp_path, harm, says):
    harm(folder_of(tmp_path / "clip", noise()))
    with pytest.raises(InputError, match=says):
        video.read(tmp_path / "clip")


def test_a_folder_of_one_frame(tmp_path):
    with pytest.raises(InputError, match=r"clip has 1 frame, but a clip has several; give a video$"):
        video.read(folder_of(tmp_path / "clip", noise(1)))
    assert video.read(tmp_path / "clip", first=1).frames.shape == (1, 12, 16, 3)


def test_an_empty_folder(tmp_path):
    with pytest.raises(InputError, match=r"has no images"):
        video.read(tmp_path)


# --- mosaics


@pytest.mark.parametrize("name", ["waves_6x12x16.webp", "a.b_6x12x16.png", "_06x12x16.png"])
@pytest.mark.parametrize(("rows", "columns"), [(2, 3), (6, 1), (1, 6)])
def test_a_mosaic_may_say_so_in_its_name(tmp_path, name, rows, columns):
    frames = noise()
    clip = video.read(mosaic(tmp_path / name, frames, rows, columns))
    assert np.array_equal(clip.frames, frames) and clip.fps is None


def test_a_mosaic_that_is_asked_for(tmp_path):
    frames = noise()
    path = mosaic(tmp_path / "waves.png", frames, 2, 3)
    assert np.array_equal(video.read(path, mosaic=(2, 3)).frames, frames)
    assert video.read(path, mosaic=(4, 3)).frames.shape == (12, 6, 16, 3)
    assert np.array_equal(video.read(path, mosaic=(2, 3), first=4).frames, frames[:4])
    path = mosaic(tmp_path / "waves_6x12x16.png", frames, 2, 3)
    assert video.read(path, mosaic=(1, 3)).frames.shape == (3, 24, 16, 3), "what is asked for counts"


@pytest.mark.parametrize("grid", [(5, 3), (2, 7), (0, 3), (2, -3)])
def test_a_mosaic_must_be_filled(tmp_path, grid):
    path = mosaic(tmp_path / "waves.png", noise(), 2, 3)
    says = rf"waves.png is 24 x 48 \(height x width\), which {grid[0]} x {grid[1]} frames do not fill; give the numbers"
    with pytest.raises(InputError, match=says):
        video.read(path, mosaic=grid)


def test_a_mosaic_of_one_frame(tmp_path):
    path = mosaic(tmp_path / "waves.png", noise(), 2, 3)
    with pytest.raises(InputError, match=r"has 1 frame, but a clip has several"):
        video.read(path, mosaic=(1, 1))


@pytest.mark.parametrize("name", ["waves_6x12x15", "waves_5x12x16", "waves_6x0x16", "waves_6x12x17", "waves_12x12x16"])
def test_a_name_that_does_not_agree(tmp_path, name):
    path = mosaic(tmp_path / f"{name}.png", noise(), 2, 3)
    said = name.removeprefix("waves_").replace("x", " frames of ", 1).replace("x", " x ")
    says = rf"is one picture of 24 x 48 \(height x width\), but its name says {said}; give a video, name it after"
    with pytest.raises(InputError, match=says):
        video.read(path)


@pytest.mark.parametrize("name", ["waves", "waves6x12x16", "waves_12x16", "waves_6x12x16_old"])
def test_a_picture_is_no_clip(tmp_path, name):
    path = mosaic(tmp_path / f"{name}.png", noise(), 2, 3)
    says = r"one picture of 24 x 48 \(height x width\), but a clip has several frames; .* mosaic=\(rows, columns\)$"
    with pytest.raises(InputError, match=says):
        video.read(path)


def test_only_a_picture_is_a_mosaic(tmp_path):
    folder = folder_of(tmp_path / "clip", noise())
    gif = put(tmp_path / "a.gif", animated(few_colours(), "GIF"))
    text = put(tmp_path / "a.mp4", b"no video")
    for path, state in ((folder, "is a folder"), (gif, "is animated"), (text, "is no picture")):
        with pytest.raises(
            InputError, match=rf"{path.name} {state}, but a mosaic \(2, 3\) was asked for, which is one"
        ):
            video.read(path, mosaic=(2, 3))


def test_a_transparent_mosaic(tmp_path):
    Image.new("RGBA", (48, 24), (1, 2, 3, 4)).save(tmp_path / "waves_6x12x16.png")
    with pytest.raises(InputError, match=r"waves_6x12x16.png has transparent pixels"):
        video.read(tmp_path / "waves_6x12x16.png")


# --- what is no clip


def test_an_empty_file(tmp_path):
    with pytest.raises(InputError, match=r"a.mp4 is empty \(0 bytes\); give another file$"):
        video.read(put(tmp_path / "a.mp4", b""))


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match=r"a.mp4 cannot be read \(No such file or directory\); name a video$"):
        video.read(tmp_path / "a.mp4")


def test_a_picture_that_cannot_even_be_opened(tmp_path):
    header = b"IHDR" + struct.pack(">IIBBBBB", 1 << 20, 1 << 20, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    content += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    with pytest.raises(InputError, match=r"a.png has more than 179 megapixels, .*; shrink it"):
        video.read(put(tmp_path / "a.png", content))


def test_fewer_than_no_frames(tmp_path):
    with pytest.raises(
        InputError, match=r"^the first 0 frames of .* were asked for; give a number of at least 1, or none"
    ):
        video.read(tmp_path, first=0)


def test_more_than_memory_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(gathering, "MOST", 4 * 12 * 16 * 3)
    path = put(tmp_path / "a.webp", animated(noise(), "WEBP"))
    assert len(video.read(path, first=4).frames) == 4
    with pytest.raises(
        InputError, match=r"a.webp has more than 4 frames of 12 x 16, which is all that is held in memory"
    ):
        video.read(path)


def test_what_the_page_on_clips_shows_runs(tmp_path, monkeypatch):
    page = Path(__file__).resolve().parents[2] / "docs" / "video.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    put(Path("waves.gif"), animated(few_colours(9), "GIF"))
    names: dict = {}
    exec(code, names)
    assert names["images"].shape == (3, 8, 8, 8)
    assert np.array_equal(video.read("small.webp").frames, names["frames"]) and video.read("small.webp").fps == 25.0
    assert read_picture("sheet.png", 3).shape == (3, 12, 5 * 16 + 4 * 2)
