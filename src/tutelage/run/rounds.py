"""The rounds of an introspective model on disk: a `Store` inside a run folder.

rounds/0000001/            what round 1 learned, in the form of a checkpoint (weights as safetensors, digests in JSON)
negatives/0000000.npy      pseudo-negatives, uint8 [l, C, H, W], memory-mapped when read; 0 are those it began with

Every file is whole or absent. A round that is written again, by a run that was killed after it and resumed from a
checkpoint before it, replaces the earlier one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..atomic import explained, replacing
from ..checks import InputError
from . import checkpoint

_ADVICE = "restore it from a copy of the run, or train again"


@dataclass(frozen=True)
class OnDisk:
    """Rounds and pseudo-negatives below the run folder ``path``; nothing is made before something is kept."""

    path: Path
    device: torch.device | str = "cpu"

    def save_round(self, number: int, nested: dict[str, Any], facts: dict[str, Any]) -> None:
        """As `tutelage.learn.negatives.Store`. Raises ``InputError`` where the disk is full or cannot be written."""
        checkpoint.save(self.path / "rounds", number, nested, facts)
        checkpoint.sweep(self.path / "rounds")

    def load_round(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Raises ``InputError`` where the round is missing or damaged."""
        found = self.path / "rounds" / f"{number:07d}"
        if not found.is_dir():
            raise InputError(f"round {number} is missing ({found} is not there); {_ADVICE}")
        return checkpoint.load(found, self.device, called=f"round {number}", advice=_ADVICE)

    def save_negatives(self, number: int, pixels: Tensor) -> None:
        """As `tutelage.learn.negatives.Store`. Raises ``InputError`` where the disk is full or cannot be written."""
        path = self._file(number)
        with explained(path):
            path.parent.mkdir(exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, pixels.cpu().numpy(), allow_pickle=False)
        checkpoint.sweep(path.parent)

    def has_negatives(self, number: int) -> bool:
        """Whether those of round ``number`` were kept."""
        return self._file(number).is_file()

    def negatives(self, number: int) -> np.ndarray:
        """A memory map. Raises ``InputError`` where the file is missing or damaged."""
        path = self._file(number)
        try:
            kept = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise InputError(f"the pseudo-negatives of round {number} are missing ({path}); {_ADVICE}") from None
        except Exception:  # on damaged bytes NumPy raises almost anything
            raise InputError(f"the pseudo-negatives of round {number} are damaged ({path}); {_ADVICE}") from None
        if kept.dtype != np.uint8 or kept.ndim != 4:
            raise InputError(f"the pseudo-negatives of round {number} are damaged ({path}); {_ADVICE}")
        return kept

    def _file(self, number: int) -> Path:
        return self.path / "negatives" / f"{number:07d}.npy"
