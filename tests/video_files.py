"""Small clips, and the files that tests read them from."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COUNT, HEIGHT, WIDTH = 6, 12, 16


def noise(count: int = COUNT, height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    """Frames of noise, uint8 ``[count, height, width, 3]``."""
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


def few_colours(count: int = COUNT, seed: int = 0) -> np.ndarray:
    """Frames of 32 colours in all, as a GIF holds them exactly."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (32, 3), np.uint8)
    return colours[rng.integers(0, 32, (count, HEIGHT, WIDTH))]


def animated(frames: np.ndarray, kind: str, duration: Any = 40, **options: Any) -> bytes:
    """An animated file as others make it, by Pillow; ``duration`` in ms, one for all frames or one for each."""
    pictures = [Image.fromarray(frame) for frame in frames]
    target = io.BytesIO()
    if kind == "WEBP":
        options = {"lossless": True, **options}
    pictures[0].save(target, kind, save_all=True, append_images=pictures[1:], duration=duration, **options)
    return target.getvalue()


def mosaic(path: Path, frames: np.ndarray, rows: int, columns: int) -> Path:
    """Frames laid out in rows, as a picture."""
    picture = np.concatenate([np.concatenate(list(row), 1) for row in frames.reshape(rows, columns, *frames.shape[1:])])
    Image.fromarray(picture).save(path, lossless=True)
    return path


def contained(
    path: Path,
    frames: np.ndarray,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: Fraction | int = 25,
    times: Sequence[int] | None = None,
    turned: int | None = None,
) -> Path:
    """A video file by PyAV; its container is told by the name. ``times`` are those of the frames, in 1 / rate s."""
    import av

    with av.open(path, "w") as container:
        stream: Any = container.add_stream(
            codec, rate=rate, options={"crf": "0"} if codec.startswith("libx264") else {}
        )
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        if turned is not None:
            stream.set_display_rotation(turned)
        layout = "rgba" if frames.shape[-1] == 4 else "rgb24"
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format=layout)
            picture.pts = number if times is None else times[number]
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path
