"""Clips that a table learns from one by one, and the strips of frames that show what was made of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .. import data
from ..data import DataSpec, ImageSet
from ..run import pictures
from .bench import writing

_LETTERS, _MARGIN = 14, 150


def clips_of(spec: DataSpec, path: Path | None) -> dict[str, ImageSet]:
    """The clips that `tutelage.data.find_each` finds at ``path``, which raises ``InputError``, as clips that cannot be
    read do."""
    return {name: data.load(spec, place).train for name, place in data.find_each("video", path).items()}


def save_strip(folder: Path, name: str, title: str, clip: Tensor) -> None:
    """Keep evenly spaced frames of ``clip`` ``[C, T, H, W]`` as the row ``title`` of the picture ``name``.png.

    Rows that are kept already stay, in the order in which they came; they lie in ``folder``/strips/``name``.
    """
    kept = folder / "strips" / name
    kept.mkdir(parents=True, exist_ok=True)
    with writing(folder):
        rows = {p.stem.partition(" ")[2]: p for p in sorted(kept.glob("*.png"))}
        row = rows.get(title, kept / f"{len(rows):02} {title}.png")
        pictures.save(pictures.sheet(clip[None].clamp(-1, 1)), row)
        strips = {of: np.asarray(Image.open(p).convert("RGB")) for of, p in (rows | {title: row}).items()}
        pictures.save(stacked(strips), folder / f"{name}.png")


def stacked(strips: Mapping[str, np.ndarray]) -> Image.Image:
    """Strips uint8 ``[H, W, 3]`` of one size below each other, each with its title at the left."""
    height, width, _ = next(iter(strips.values())).shape
    height = max(height, _LETTERS + 2)
    sheet = Image.new("RGB", (_MARGIN + width, height * len(strips)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (title, strip) in enumerate(strips.items()):
        draw.text((4, height * number + 2), title, fill="black", font=ImageFont.load_default(_LETTERS))
        sheet.paste(Image.fromarray(strip), (_MARGIN, height * number))
    return sheet


def pixels_of(clip: ImageSet) -> Tensor:
    """The one clip of a set, ``[C, T, H, W]`` in [−1, 1]."""
    return clip.batch(slice(0, 1))[0].to(torch.float32)
