"""Videos by PyAV: frames, rates and rotation as the file means them, and nothing concealed."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tutelage.checks import InputError
from tutelage.data import video
from tutelage.data.video_codec import encode
from video_files import contained, noise

av = pytest.importorskip("av")


def blocks(count: int = 6, height: int = 16, width: int = 32) -> np.ndarray:
    """Frames of a few flat colours, other ones each time, that survive a lossy codec."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    for number in range(count):
        frames[number, :, : width // 2] = 200 - 15 * number, 30 + 18 * number, 60
        frames[number, :, width // 2 :] = 20, 180 - 14 * number, 90 + 10 * number
    return frames


def faststart(path: Path) -> bytes:
    """The bytes of an mp4 whose index comes first, so that it can be cut short and still be opened."""
    target = path.with_name("faststart.mp4")
    with av.open(path) as source, av.open(target, "w", options={"movflags": "faststart"}) as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    return target.read_bytes()


def packets(path: Path) -> list[tuple[int, int]]:
    """Where each packet lies in a file: its first byte, and how many."""
    with av.open(path) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


# --- what fits


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.avi", "rawvideo", "bgr24"),
        ("a.mkv", "ffv1", "bgr0"),
        ("a.mov", "qtrle", "rgb24"),
        ("a.mp4", "libx264rgb", "rgb24"),
    ],
)
def test_lossless_frames_come_back_as_they_were(tmp_path, name, codec, pixels):
    frames = noise(6, 16, 32)
    path = contained(tmp_path / name, frames, codec=codec, pixels=pixels)
    clip = video.read(path)
    assert np.array_equal(clip.frames, frames) and clip.fps == 25.0


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
@pytest.mark.parametrize("rate", [10, 30, Fraction(30000, 1001)])
def test_the_rate(tmp_path, name, rate):
    clip = video.read(contained(tmp_path / name, blocks(), rate=rate))
    assert clip.fps == float(rate) and len(clip.frames) == 6


def test_only_the_first_frames(tmp_path):
    path = contained(tmp_path / "a.mkv", noise(6, 16, 32), codec="ffv1", pixels="bgr0")
    clip = video.read(path, first=1)
    assert np.array_equal(clip.frames, noise(6, 16, 32)[:1]) and clip.fps == 25.0


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_an_avi_tells_only_how_frames_are_stored(tmp_path, codec):
    with av.open(tmp_path / "a.avi", "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.max_b_frames = 2
        for number, frame in enumerate(noise(12, 8, 8).repeat(8, axis=1).repeat(8, axis=2)):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    clip = video.read(tmp_path / "a.avi")
    assert clip.fps == 25.0 and len(clip.frames) == 12


def test_an_mpeg_stream_tells_the_times_of_some_frames_only(tmp_path):
    with av.open(tmp_path / "a.mpg", "w", format="mpeg") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        for frame in noise(12, 8, 8).repeat(8, axis=1).repeat(8, axis=2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    clip = video.read(tmp_path / "a.mpg")
    assert clip.fps == 25.0 and len(clip.frames) == 12


def test_a_camera_held_upright(tmp_path):
    frames = noise(3, 16, 32)
    straight = video.read(contained(tmp_path / "a.mov", frames, codec="qtrle", pixels="rgb24"))
    assert straight.frames.shape == (3, 16, 32, 3)
    for degrees in (90, 180, -90):
        path = contained(tmp_path / "b.mov", frames, codec="qtrle", pixels="rgb24", turned=degrees)
        with av.open(path) as container:
            turned = next(container.decode(video=0)).rotation
        assert np.array_equal(video.read(path).frames, np.rot90(frames, turned // 90, (1, 2)))
    path = contained(tmp_path / "c.mov", frames, codec="qtrle", pixels="rgb24", turned=45)
    with pytest.raises(
        InputError, match=r"c.mov is to be shown turned by -?4[45] degrees; turn it upright with ffmpeg$"
    ):
        video.read(path)


def test_deep_colours_are_refused_or_converted(tmp_path):
    path = contained(tmp_path / "a.mkv", blocks(), codec="ffv1", pixels="yuv420p10le")
    with pytest.raises(
        InputError, match=r"a.mkv has more than 8 bits per channel, but 8 are needed; convert it, or pass"
    ):
        video.read(path)
    assert np.abs(video.read(path, convert=True).frames.astype(int) - blocks()).max() < 6


def test_transparent_frames_are_refused_or_laid_on_white(tmp_path):
    frames = np.concatenate([noise(4, 16, 32), np.full((4, 16, 32, 1), 255, np.uint8)], axis=-1)
    path = contained(tmp_path / "opaque.mkv", frames, codec="ffv1", pixels="bgra")
    assert np.array_equal(video.read(path).frames, frames[..., :3])
    frames[2, 3, 4, 3] = 0
    path = contained(tmp_path / "clear.mkv", frames, codec="ffv1", pixels="bgra")
    with pytest.raises(
        InputError, match=r"clear.mkv has transparent pixels, but opaque ones are needed; convert it, or"
    ):
        video.read(path)
    assert (video.read(path, convert=True).frames[2, 3, 4] == 255).all()


# --- what does not


def test_uneven_frames_are_refused(tmp_path):
    path = contained(tmp_path / "a.mp4", blocks(), times=[0, 1, 2, 4, 5, 6])
    says = r"a.mp4 has frames at uneven times \(0\.04 to 0\.08 s apart\), but a steady rate is needed; .* -i IN -r 25"
    with pytest.raises(InputError, match=says):
        video.read(path)
    assert video.read(path, first=3).fps == 25.0


@pytest.mark.parametrize("content", [b"no video at all", b"RIFF" + bytes(60), b"\x00\x00\x00\x18ftypmp42" + bytes(40)])
def test_a_file_that_is_no_video(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    says = r"a.mp4 cannot be read as a picture or a video \(it is damaged, or in no known format\); repair it or give"
    with pytest.raises(InputError, match=says):
        video.read(tmp_path / "a.mp4")


def test_a_list_that_names_other_files_is_not_followed(tmp_path):
    contained(tmp_path / "a.mp4", blocks())
    (tmp_path / "b.mp4").write_text("ffconcat version 1.0\nfile 'a.mp4'\n")
    with pytest.raises(InputError, match=r"b.mp4 cannot be read as a picture or a video"):
        video.read(tmp_path / "b.mp4")


def test_sound_alone(tmp_path):
    with av.open(tmp_path / "a.mov", "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match=r"a.mov has no pictures that can be decoded; give another file$"):
        video.read(tmp_path / "a.mov")


def test_an_unknown_codec(tmp_path):
    path = contained(tmp_path / "a.mov", noise(6, 16, 32), codec="qtrle", pixels="rgb24")
    path.write_bytes(path.read_bytes().replace(b"rle ", b"zzzz"))
    with pytest.raises(InputError, match=r"a.mov has no pictures that can be decoded; give another file$"):
        video.read(path)


def test_one_frame(tmp_path):
    with pytest.raises(InputError, match=r"a.mp4 has 1 frame, but a clip has several; give a video$"):
        video.read(contained(tmp_path / "a.mp4", blocks(1)))


def test_a_damaged_frame_is_named(tmp_path):
    path = contained(tmp_path / "a.avi", noise(8, 16, 32), codec="mjpeg", pixels="yuvj420p")
    content = bytearray(path.read_bytes())
    start, size = packets(path)[5]
    content[start + 8 : start + 8 + size] = bytes(size)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a.avi is damaged at frame 5, counted from 0 \(.*\); repair it, or cut that"):
        video.read(path)
    assert len(video.read(path, first=5).frames) == 5


def test_a_damaged_frame_is_not_concealed(tmp_path):
    path = contained(tmp_path / "a.mp4", noise(12, 32, 32))
    content = bytearray(path.read_bytes())
    start, size = packets(path)[4]
    content[start + 5 : start + size] = np.random.default_rng(1).integers(0, 256, size - 5, np.uint8).tobytes()
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a.mp4 is damaged at frame \d+, counted from 0"):
        video.read(path)


def test_a_video_that_is_cut_short(tmp_path):
    path = contained(tmp_path / "a.mp4", noise(8, 16, 32))
    path.write_bytes(faststart(path))
    whole, places = path.read_bytes(), packets(path)
    assert len(video.read(path).frames) == 8
    path.write_bytes(whole[: places[5][0]])
    with pytest.raises(InputError, match=r"a.mp4 ends after 5 of 8 frames; get the whole file, or cut it clean"):
        video.read(path)
    path.write_bytes(whole[: places[5][0] + 9])
    with pytest.raises(InputError, match=r"a.mp4 is damaged at frame \d, counted from 0"):
        video.read(path)


def test_an_avi_that_is_cut_short(tmp_path):
    path = contained(tmp_path / "a.avi", noise(8, 16, 32), codec="mjpeg", pixels="yuvj420p")
    path.write_bytes(path.read_bytes()[: packets(path)[5][0]])
    with pytest.raises(InputError, match=r"a.avi ends after 5 of 8 frames"):
        video.read(path)


def test_the_extra_is_named_where_it_is_missing(tmp_path, monkeypatch):
    path = contained(tmp_path / "a.mp4", blocks())
    before = path.read_bytes()
    monkeypatch.setitem(sys.modules, "av", None)
    says = (
        r"a.mp4 is no GIF, WebP or PNG, and other videos need PyAV, which is not .*; pip install 'tutelage\[video\]'$"
    )
    with pytest.raises(InputError, match=says):
        video.read(path)
    with pytest.raises(InputError, match=says):
        video.write(path, blocks())
    assert path.read_bytes() == before


# --- encoding


def test_colours_survive(tmp_path):
    frames = blocks()
    (tmp_path / "a.mp4").write_bytes(encode(frames, 12.5))
    clip = video.read(tmp_path / "a.mp4")
    assert clip.frames.shape == frames.shape and clip.fps == 12.5
    inner = np.abs(clip.frames.astype(int) - frames)[:, 4:12, [4, 5, 6, 7, 8, 9, 22, 23, 24, 25, 26, 27]]
    assert inner.max() <= 6, "another matrix would change them by 20"
    with av.open(tmp_path / "a.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.colorspace, stream.color_range) == (1, 1)


def test_odd_sides_grow_by_one(tmp_path):
    frames = np.repeat(np.repeat(blocks(3, 3, 6), 5, axis=1), 3, axis=2)[:, :, :-1]
    assert frames.shape == (3, 15, 17, 3)
    (tmp_path / "a.mp4").write_bytes(encode(frames, 25.0))
    found = video.read(tmp_path / "a.mp4").frames.astype(int)
    assert found.shape == (3, 16, 18, 3)
    assert np.abs(found[:, -1] - found[:, -2]).max() <= 6 and np.abs(found[:, :, -1] - found[:, :, -2]).max() <= 6


def test_the_rate_is_kept(tmp_path):
    (tmp_path / "a.mp4").write_bytes(encode(blocks(), 30000 / 1001))
    assert video.read(tmp_path / "a.mp4").fps == 30000 / 1001
