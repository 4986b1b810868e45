"""One clip as what is learned from: a set of one video (CoopNets §4.7, "one training video" for each category)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ..checks import InputError
from .images import ImageSet, to_uint8
from .picture import Fit
from .video import fitted, read, scaled


def clip_set(path: Path, frames: int, fit: Fit, *, each_frame: bool = False) -> ImageSet:
    """The first ``frames`` frames of a video as a set of one, ``[1, 3, frames, *fit.size]``; it knows their rate.

    With ``each_frame``, every frame is stretched to the whole range by itself, and rounded to bytes again. Frames after
    those are not read.

    Raises:
        InputError: the video is refused (see `video.read`), shorter or smaller than asked for, or ``each_frame`` is
            asked of a frame of one colour; the message names the file.
    """
    clip = read(path, convert=fit.convert, first=frames)
    try:
        chosen = fitted(clip, frames, fit.size, enlarge=fit.enlarge)
        pixels = to_uint8(scaled(chosen, "frame")).numpy() if each_frame else chosen.transpose(3, 0, 1, 2)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    pixels = np.ascontiguousarray(pixels)[None]
    return ImageSet(pixels, path.name, str(path), hashlib.sha256(pixels.data).hexdigest(), fps=clip.fps)
