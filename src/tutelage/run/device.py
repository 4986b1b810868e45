"""Where a command computes: the device that a person names, or the kind that a run learned on."""

from __future__ import annotations

import torch

from ..checks import InputError
from ..tf32 import no_tf32
from .folder import RunFolder
from .results import last_device


def usable(name: str) -> torch.device:
    """The device called ``name``. Raises ``InputError`` where it cannot be used here, or has no memory left."""
    no_tf32()  # of every command from its start, so that no number depends on the order
    try:
        device = torch.device(name)
        torch.zeros(1, dtype=torch.float64, device=device)
        torch.Generator(device)
    except (RuntimeError, AssertionError, TypeError) as error:
        if memory_ran_out(error):
            raise InputError(
                f"device {name!r} has no memory left; wait for what runs there, or give another with --device"
            ) from None
        raise InputError(
            f"device {name!r} cannot be used here; give --device cpu, or a GPU of this machine that computes in float64"
        ) from None
    return device


def where_it_learned(run: RunFolder, device: str | None) -> torch.device:
    """The device asked for, or the kind that the run learned on last. Raises ``InputError`` as `usable` does."""
    if device is not None:
        return usable(device)
    kind = last_device(run)
    try:
        return usable(kind)
    except InputError as error:
        raise InputError(f"the run learned on {kind} last, so it would go on there; {error}") from None


def memory_ran_out(error: Exception) -> bool:
    """Whether an allocation failed; torch says so in words only, and differently for each device."""
    words = ("can't allocate memory", "Storage size calculation overflowed", "out of memory", "ALLOC_FAILED")
    words += ("unable to find an engine to execute", "CUBLAS_STATUS_NOT_INITIALIZED")  # of a full GPU, most often
    return isinstance(error, MemoryError) or any(some in str(error) for some in words)
