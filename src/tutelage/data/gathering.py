"""Frames, one after the other, become one array, which has to fit in memory."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .picture import Refused

MOST = 2 << 30
"""Bytes of decoded frames that are held, at most: 10 000 of 256 x 256, 345 of 1080 x 1920."""


def gathered(frames: Iterable[tuple[str, np.ndarray]], first: int | None) -> np.ndarray:
    """Frames uint8 ``[H, W, 3]`` and their names as ``[T, H, W, 3]``, those after the ``first`` left where they are.

    Raises:
        Refused: there are fewer than two (unless one is asked for), they differ in size, or are too many to be held.
    """
    kept: list[np.ndarray] = []
    for name, frame in frames:
        if kept and frame.shape != kept[0].shape:
            sizes = [f"{height} x {width}" for height, width, _ in (frame.shape, kept[0].shape)]
            raise Refused(
                f"has frames of different sizes ({name} is {sizes[0]}, the first {sizes[1]}, height x width)",
                "bring them to one size",
            )
        kept.append(frame)
        if len(kept) == first:
            break
        if len(kept) * frame.nbytes > MOST:
            raise Refused(
                f"has more than {len(kept) - 1} frames of {frame.shape[0]} x {frame.shape[1]}, which is all that is "
                f"held in memory ({MOST >> 30} GiB)",
                "read only some with first=",
                "cut or shrink it with ffmpeg",
            )
    if len(kept) < 2 and first != 1:
        raise Refused(f"has {len(kept) or 'no'} frame{'' if kept else 's'}, but a clip has several", "give a video")
    return np.stack(kept)
