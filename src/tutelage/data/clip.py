"""A clip: the frames of a moving picture as bytes ``[T, H, W, 3]``, brought to a size and to a range.

A frame is treated like a picture (`picture`): resized to cover the size asked for, its centre cut out, and enlarged
only where that is allowed. Grey frames have three equal channels.

Floats are made of bytes as in `images`, for all frames alike,

    x = 2 · byte / 255 − 1,

or with the range of the whole clip, or of each frame (over its channels together), made the whole range:

    x = 2 · (byte − min) / (max − min) − 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..checks import InputError
from .images import from_uint8, stretch_uint8
from .picture import Fit, Refused, cropped

Scaling = Literal["global", "clip", "frame"]


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames, and how fast they follow each other.

    Args:
        frames: uint8 ``[T, H, W, 3]``, T ≥ 1. The array is not copied; the clip holds a read-only view of it.
        fps: frames per second, or None where the source does not say.

    Raises:
        InputError: ``frames`` is no such array or is empty, or ``fps`` is not a positive number.
    """

    frames: np.ndarray = field(repr=False)
    fps: float | None = None

    def __post_init__(self) -> None:
        check_frames(self.frames)
        if self.fps is not None:
            check_rate(self.fps)
        view = self.frames.view()
        view.flags.writeable = False
        object.__setattr__(self, "frames", view)


def check_frames(frames: np.ndarray) -> None:
    """Raises `InputError` unless ``frames`` is uint8 ``[T, H, W, 3]`` and not empty."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or frames.size == 0:
        raise InputError(
            f"the frames are {frames.dtype} {list(frames.shape)}, but uint8 [T, H, W, 3] is needed with at least one "
            "frame; convert and reshape them (grey needs three equal channels)"
        )


def check_rate(fps: float) -> None:
    """Raises `InputError` unless ``fps`` is a positive, finite number."""
    if not (fps > 0 and math.isfinite(fps)):
        raise InputError(f"the rate is {fps} frames per second; give a positive number, for example 25")


def fitted(clip: Clip, frames: int, size: tuple[int, int], *, enlarge: bool = False) -> np.ndarray:
    """The first ``frames`` frames, each resized and cut to ``size`` as pictures are: uint8 ``[frames, *size, 3]``.

    Args:
        clip: has at least as many frames; those after the first ``frames`` are not looked at.
        frames: how many, ≥ 1.
        size: height and width.
        enlarge: enlarge frames that are smaller than ``size``, instead of refusing them.

    Raises:
        InputError: the clip is shorter or smaller than what is asked for, or that is less than 1.
    """
    if not 1 <= frames <= len(clip.frames):
        raise InputError(
            f"{frames} frames were asked of a clip that has {len(clip.frames)}; ask for 1 to {len(clip.frames)}, or "
            "give a longer clip"
        )
    fit = Fit(size, 3, enlarge=enlarge)
    try:
        return np.stack([np.asarray(cropped(Image.fromarray(frame), fit)) for frame in clip.frames[:frames]])
    except Refused as error:
        raise error.alone("the clip") from error


def scaled(frames: np.ndarray, scaling: Scaling = "global") -> Tensor:
    """Frames uint8 ``[T, H, W, 3]`` as float32 ``[3, T, H, W]`` in [−1, 1]: new memory.

    Args:
        frames: of a clip.
        scaling: ``global`` maps bytes 0 … 255 to [−1, 1], ``clip`` the range of all frames together, and ``frame`` that
            of each frame.

    Raises:
        InputError: ``frames`` is no such array, what is to be stretched is of one colour, or the scaling is unknown.
    """
    check_frames(frames)
    pixels = torch.from_numpy(np.array(frames))
    match scaling:
        case "global":
            values = from_uint8(pixels)
        case "clip":
            _refuse_flat(frames[None], "the clip", scaling)
            values = stretch_uint8(pixels[None])[0]
        case "frame":
            _refuse_flat(frames, "frame {} of the clip", scaling)
            values = stretch_uint8(pixels)
        case _:
            raise InputError(f"the scaling is {scaling!r}; give one of {', '.join(get_args(Scaling))}")
    return values.permute(3, 0, 1, 2).contiguous()


def _refuse_flat(parts: np.ndarray, shown: str, scaling: Scaling) -> None:
    flat = [part.min() == part.max() for part in parts]
    if any(flat):
        raise InputError(
            f"{shown.format(flat.index(True))} is of one colour, but the scaling {scaling!r} needs a darkest and a "
            "brightest value; give another clip, or choose the scaling 'global'"
        )
