"""The frame that networks of videos see them less of, or make them around: the mean frame of a clip.

It is a buffer, ``mean_frame`` ``[C, 1, H, W]``, that does not learn: grey, until it is put there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..checks import InputError


def check_one_size(around_mean_frame: bool, any_size: bool) -> None:
    """Raises ``InputError`` where a network of frames of any size is to have a mean frame, which has one size."""
    if around_mean_frame and any_size:
        raise InputError(
            "a network without a layer that is fully connected in space takes frames of any size, and has no mean "
            "frame of one size: add such a layer, or leave around_mean_frame out"
        )


def make_room(network: nn.Module, shape: tuple[int, int, int, int], device: torch.device) -> None:
    """Give ``network``, of videos of ``shape`` (C, T, H, W), a grey mean frame."""
    network.register_buffer("mean_frame", torch.zeros(shape[0], 1, *shape[2:], device=device))


def put(network: nn.Module, frame: Tensor) -> None:
    """Make ``frame`` ``[C, H, W]`` in [-1, 1] the mean frame of ``network``.

    Raises ``InputError`` for a network without room for one, and for a frame of another shape or range.
    """
    room = dict(network.named_buffers()).get("mean_frame")
    if room is None:
        raise InputError("this network has no mean frame; set around_mean_frame in its Spec")
    wanted = (len(room), *room.shape[2:])
    if tuple(frame.shape) != wanted or not (frame.abs() <= 1).all():
        raise InputError(
            f"a mean frame of {tuple(frame.shape)} with values up to {frame.abs().max():g} was given; it needs to be "
            f"of {wanted} (channels, height, width), in [-1, 1]"
        )
    room.copy_(frame[:, None])
