"""Convolutions in float32 that are float32: torch lets a GPU round what they multiply to TF32, 10 bits of mantissa."""

from __future__ import annotations

import torch


def no_tf32(device: torch.device | str = "cuda") -> None:
    """From now on this process's convolutions in float32 no longer round to TF32; nothing changes for a CPU."""
    if torch.device(device).type != "cpu":
        torch.backends.cudnn.allow_tf32 = False
