"""Batches of images as pictures to look at: grids, labelled panels, PNG.

Images are `[B, C, H, W]`, grey (C = 1) or RGB (C = 3), either float in [-1, 1] or uint8. Values outside
[-1, 1] are clipped here, for the picture only; nothing that learns or samples clips.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from ..atomic import atomic_write
from ..checks import InputError
from ..data import to_uint8, video
from . import places

BACKGROUND = 128  # mid-grey: neither the black of digits nor the white of paper
_GAP = 16  # pixels around labelled panels
_LETTERS = 16  # pixels high
_MILLISECONDS = 80  # of a picture in an animation


def scale_of(images: torch.Tensor) -> int:
    """How much small images are enlarged in a picture of several, each pixel a square."""
    return max(1, 64 // images.shape[-1])


def grid(images: torch.Tensor, columns: int = 10, padding: int = 2, scale: int = 1) -> Image.Image:
    """Lay images `[B, C, H, W]` row by row into one picture.

    `padding` is the line between images in unscaled pixels; `scale` enlarges every pixel to `scale` ×
    `scale`.
    """
    if images.ndim != 4 or images.shape[0] == 0 or images.shape[1] not in (1, 3):
        raise InputError(
            f"pictures: images of shape {tuple(images.shape)} are given, [B, C, H, W] with B ≥ 1 and C = 1 "
            "or 3 is needed. Add the batch axis, or choose the channels to show."
        )
    if columns < 1 or padding < 0 or scale < 1:
        raise InputError(
            f"pictures: columns={columns}, padding={padding}, scale={scale} are given; columns ≥ 1, "
            "padding ≥ 0 and scale ≥ 1 are needed."
        )
    pixels = to_uint8(images).cpu().permute(0, 2, 3, 1).numpy()
    count, height, width, channels = pixels.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    canvas = np.full(
        (rows * (height + padding) + padding, columns * (width + padding) + padding, channels),
        BACKGROUND,
        dtype=np.uint8,
    )
    for index, image in enumerate(pixels):
        top = padding + (index // columns) * (height + padding)
        left = padding + (index % columns) * (width + padding)
        canvas[top : top + height, left : left + width] = image
    canvas = canvas.repeat(scale, axis=0).repeat(scale, axis=1)
    return Image.fromarray(canvas[..., 0] if channels == 1 else canvas)


def sheet(videos: torch.Tensor, scale: int = 1) -> Image.Image:
    """Lay evenly spaced frames of videos `[B, C, T, H, W]`, at most eight of each, into one picture: a row each."""
    chosen = torch.linspace(0, videos.shape[2] - 1, min(8, videos.shape[2])).round().long()
    frames = videos.detach()[:, :, chosen.to(videos.device)].transpose(1, 2).flatten(0, 1)
    return grid(frames, columns=len(chosen), scale=scale)


def write_moving(videos: torch.Tensor, path: Path, fps: float, scale: int = 1) -> None:
    """Write videos `[B, C, T, H, W]` side by side, four to a row, as one `.gif`, `.webp` or `.mp4`; one video fills it.

    Raises `InputError` as `tutelage.data.video.write` does.
    """
    padding = 2 if len(videos) > 1 else 0
    moments = (grid(moment, columns=4, padding=padding, scale=scale) for moment in videos.detach().unbind(2))
    video.write(path, np.stack([np.asarray(moment.convert("RGB")) for moment in moments]), fps)


def labelled_row(panels: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    """Put pictures side by side on white, each below its title.

    Pillow's own font draws Latin letters and digits; others show as boxes.
    """
    if not panels:
        raise InputError("pictures: no panels are given, at least one (title, picture) is needed.")
    font = ImageFont.load_default(_LETTERS)
    widths = [max(picture.width, int(np.ceil(font.getlength(title)))) for title, picture in panels]
    top = _GAP + _LETTERS + _GAP // 2
    height = top + max(picture.height for _, picture in panels) + _GAP
    row = Image.new("RGB", (sum(widths) + _GAP * (len(panels) + 1), height), "white")
    draw = ImageDraw.Draw(row)
    left = _GAP
    for (title, picture), width in zip(panels, widths, strict=True):
        draw.text((left, _GAP), title, fill="black", font=font)
        row.paste(picture, (left, top))
        left += width + _GAP
    return row


def png_bytes(image: Image.Image) -> bytes:
    """Encode as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def save(image: Image.Image, path: str | os.PathLike[str]) -> None:
    """Write the picture to `path` as PNG, whole or not at all."""
    atomic_write(path, png_bytes(image))


def save_animation(frames: Sequence[Image.Image], path: str | os.PathLike[str]) -> None:
    """Write pictures of one size as an endless GIF, forth and back, whole or not at all.

    GIF has 256 colours: for looking at, not for measuring.
    """
    if not frames:
        raise InputError("pictures: no frames are given, at least one is needed for an animation.")
    there_and_back = [*frames, *reversed(frames[1:-1])]
    first, *others = (frame.quantize(256) for frame in (f.convert("RGB") for f in there_and_back))
    buffer = io.BytesIO()
    first.save(buffer, format="GIF", save_all=True, append_images=others, duration=_MILLISECONDS, loop=0)
    atomic_write(path, buffer.getvalue())


_MOVING = (".gif", ".webp", ".mp4")


def check_target(out: Path, moving: bool = False, fps: float | None = None) -> None:
    """Refuse what is there already, a place that cannot be written to, and a file that `write_images` has no form for,
    of videos where they are `moving`.

    Raises `InputError`; nothing is written. With a rate `fps` also where a video cannot be written so, or not here.
    """
    forms = (".png", ".npy", *(_MOVING if moving else ()))
    if out.suffix not in ("", *forms):
        raise InputError(f"--out {out} ends in {out.suffix}; give a {', a '.join(forms)}, or a folder")
    if out.suffix:
        places.check_free(out)
    else:
        places.check_new(out)
    if fps is not None and out.suffix in _MOVING:
        video.check_writable(out, fps)


def write_images(images: torch.Tensor, out: Path, fps: float = 25.0) -> None:
    """Write images `[B, C, H, W]`: one grid (`.png`), uint8 `[B, H, W, C]` (`.npy`), or a folder of single PNGs.

    Videos `[B, C, T, H, W]` become one that moves, of all side by side (`.gif`, `.webp`, `.mp4`), a sheet of frames
    (`.png`), uint8 `[B, T, H, W, C]` (`.npy`), or a folder of single GIFs; they show `fps` frames per second (those in
    a folder as many as a GIF can).

    Raises `InputError` for any other ending, or a rate that a format cannot show.
    """
    moving = images.ndim == 5
    check_target(out, moving)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix in _MOVING:
        write_moving(images, out, fps)
    elif out.suffix == ".png":
        save(sheet(images) if moving else grid(images, padding=2 if len(images) > 1 else 0), out)
    elif out.suffix == ".npy":
        buffer = io.BytesIO()  # NumPy itself does not notice a disk that is full at the end of a file
        np.save(buffer, to_uint8(images).movedim(1, -1).cpu().numpy(), allow_pickle=False)
        atomic_write(out, buffer.getvalue())
    else:
        out.mkdir(exist_ok=True)
        for i in range(len(images)):
            one = images[i : i + 1]
            if moving:
                write_moving(one, out / f"{i:05d}.gif", min(fps, video.GIF_FASTEST))
            else:
                save(grid(one, columns=1, padding=0), out / f"{i:05d}.png")
