"""Videos as cameras and browsers know them, decoded and encoded by PyAV (FFmpeg's libraries), the extra ``video``.

Decoding stops at the first frame that is known to be damaged; nothing is concealed. An mp4, mov or avi that ends early
is refused; mkv and webm may end anywhere, and say nothing of frames that are missing there. A rotation noted by a
camera is applied, and colours become RGB by the matrix that the file names (ITU-R 601 where it names none). Only the
containers listed here are opened: FFmpeg also knows playlists, which name other files and addresses.

Encoding is H.264 in an mp4 that every browser shows: ITU-R 709, with colour at half the resolution (4:2:0), which is
for looking at and not for measuring.
"""

from __future__ import annotations

import io
import types
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .files import why
from .gathering import gathered
from .picture import CONVERT, TOO_DEEP, Refused, decoded
from .timing import steady_rate

_CONTAINERS = "mov,avi,matroska,webm,mpeg,mpegts,ogg,flv,asf"
_BT709, _LIMITED = 1, 1  # FFmpeg's numbers of the colours and of their range, 16 … 235
_QUALITY = "12"  # x264's constant rate factor, of 0 … 51; 18 is said to look like the original


def decode(path: Path, convert: bool, first: int | None) -> tuple[np.ndarray, float | None]:
    """The frames of the first video stream as uint8 ``[T, H, W, 3]``, and their rate.

    Raises:
        Refused: PyAV is missing, the file is damaged or no video, or its frames do not fit (see `video.read`).
    """
    av = codec()
    with path.open("rb") as file:
        try:
            container = av.open(file, options={"format_whitelist": _CONTAINERS})
        except av.FFmpegError as error:
            raise Refused(
                "cannot be read as a picture or a video (it is damaged, or in no known format)",
                "repair it or give another file",
            ) from error
        with container:
            stream = container.streams.best("video")
            if stream is None or stream.codec_context is None:
                raise Refused("has no pictures that can be decoded", "give another file")
            stream.codec_context.options = {"err_detect": "explode"}
            times: list[int | None] = []
            pixels = gathered(_frames(container, stream, convert, times), first)
            shown = [time for time in times if time is not None]
            if len(shown) < max(2, len(times)):  # an MPEG program stream may tell the times of some frames only
                return pixels, float(stream.average_rate or 0) or None
            # frames come in the order they are shown in; an old AVI tells only in which order they are stored
            return pixels, steady_rate(sorted(shown), stream.time_base, stream.average_rate)


def _frames(container: Any, stream: Any, convert: bool, times: list[int | None]) -> Iterator[tuple[str, np.ndarray]]:
    """Every frame; ``times`` receives when it is shown."""
    av, packets, packet = codec(), 0, None
    try:
        for packet in container.demux(stream):
            packets += packet.size > 0
            frames = () if packet.is_corrupt else packet.decode()
            if packet.is_corrupt or any(frame.is_corrupt for frame in frames):
                raise _damaged(stream, packet, len(times), "its bytes are wrong or missing")
            for frame in frames:
                times.append(frame.pts)
                yield f"frame {len(times) - 1}", _pixels(frame, convert)
    except av.FFmpegError as error:
        raise _damaged(stream, packet, len(times), why(error)) from error
    # an edited mov says in its header how many frames there were, and in its index how many are left
    promised = len(stream.index_entries) if "mov" in container.format.name else stream.frames
    if packets < promised:
        raise Refused(f"ends after {packets} of {promised} frames", "get the whole file, or cut it clean with ffmpeg")


def _damaged(stream: Any, packet: Any, decoded_so_far: int, reason: str) -> Refused:
    time, rate, start = getattr(packet, "pts", None), stream.average_rate, stream.start_time or 0
    number = decoded_so_far if time is None or not rate else round((time - start) * stream.time_base * rate)
    return Refused(f"is damaged at frame {number}, counted from 0 ({reason})", "repair it, or cut that part out")


def _pixels(frame: Any, convert: bool) -> np.ndarray:
    """A frame as uint8 ``[H, W, 3]``, upright."""
    parts = frame.format.components
    if any(part.bits > 8 for part in parts) and not convert:
        raise Refused(TOO_DEEP, *CONVERT)
    if any(part.is_alpha for part in parts):
        picture = Image.fromarray(frame.to_ndarray(format="rgba"))
        pixels = np.asarray(decoded(picture, 3, convert, grey_as_colour=True))
    else:
        pixels = frame.to_ndarray(format="rgb24")
    turns, rest = divmod(frame.rotation, 90)
    if rest:
        raise Refused(f"is to be shown turned by {frame.rotation} degrees", "turn it upright with ffmpeg")
    return np.rot90(pixels, turns)


def encode(frames: np.ndarray, fps: float) -> bytes:
    """Frames uint8 ``[T, H, W, 3]`` as the bytes of an mp4. Odd sides grow by one: the last row or column is repeated.

    Raises:
        Refused: PyAV is missing.
    """
    av = codec()
    _, height, width, _ = frames.shape
    margin = (0, height % 2), (0, width % 2), (0, 0)
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=Fraction(fps).limit_denominator(1001), options={"crf": _QUALITY})
        stream.height, stream.width, stream.pix_fmt = height + height % 2, width + width % 2, "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.pad(pixels, margin, mode="edge"), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def codec() -> types.ModuleType:
    """PyAV. Raises ``Refused`` where it is missing."""
    try:
        import av
    except ImportError as error:
        raise Refused(
            "is no GIF, WebP or PNG, and other videos need PyAV, which is not installed",
            "pip install 'tutelage[video]'",
        ) from error
    return av
