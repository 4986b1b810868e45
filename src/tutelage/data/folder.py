"""A folder of image files, decoded once into a memory-mapped set.

Every image is brought to one size: the shorter side (relative to the size asked for) is resized by Pillow's bicubic
filter, which averages when it shrinks, and the centre is cut out. Nothing is ever enlarged. Transparent pictures are
laid on white. Colour becomes grey, and grey colour, by Pillow's ``convert`` (ITU-R 601: 0.299 R + 0.587 G + 0.114 B).
A rotation noted by a camera (EXIF) is applied.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from ..checks import InputError
from .cache import Key, cached
from .images import ImageSet, Splits

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"})

_CHUNK = 1 << 20


def folder_splits(folder: Path | str, size: tuple[int, int], channels: int, cache: Path | str | None = None) -> Splits:
    """A folder as `Splits`: all images are for training, unless it has subfolders that say otherwise.

    With a subfolder ``train``, the images in it are the training set, and those in ``validation`` (or ``val``) and
    ``test``, where there are such subfolders, are the other two.

    Raises:
        InputError: as for `folder_images`.
    """
    folder = Path(folder)
    if not (folder / "train").is_dir():
        return Splits(folder_images(folder, size, channels, cache))
    held_out = [folder / name for name in ("validation", "val") if (folder / name).is_dir()]
    return Splits(
        train=folder_images(folder / "train", size, channels, cache),
        validation=folder_images(held_out[0], size, channels, cache) if held_out else None,
        test=folder_images(folder / "test", size, channels, cache) if (folder / "test").is_dir() else None,
    )


def folder_images(
    folder: Path | str,
    size: tuple[int, int],
    channels: int,
    cache: Path | str | None = None,
    name: str | None = None,
) -> ImageSet:
    """All images in a folder and its subfolders, in the order of their relative paths, as ``[N, channels, *size]``.

    Args:
        folder: holds .png, .jpg, .jpeg, .webp, .bmp or .gif files; others, and hidden ones, are passed over.
        size: height and width to bring every image to.
        channels: 1 (grey) or 3 (RGB).
        cache: where the decoded images are kept; see `tutelage.data.cache.cache_folder`.
        name: what the set is called in reports; the folder's name unless given.

    Raises:
        InputError: the folder is missing or has no images, or a file is damaged, animated, or smaller than ``size``.
    """
    folder = Path(folder)
    paths = image_files(folder)
    sha256, total = _digest(folder, paths)
    height, width = size
    name = name or folder.resolve().name or "folder"
    key = Key(
        name="folder",
        source=str(folder),
        sha256=sha256,
        size=total,
        transforms=(
            "exif rotation",
            "alpha on white",
            "grey" if channels == 1 else "rgb",
            f"bicubic to cover {height} x {width}, centre crop",
        ),
        shape=(len(paths), channels, height, width),
    )

    def fill(pixels: np.ndarray) -> None:
        for index, path in enumerate(tqdm(paths, desc=f"reading {name}", unit="image", disable=None)):
            pixels[index] = read_image(path, size, channels)

    return ImageSet(cached(key, fill, cache), name, str(folder), sha256)


def image_files(folder: Path) -> list[Path]:
    """The image files below ``folder``, sorted by relative path; an `InputError` if there is no folder or no image."""
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {state}; name a folder of images")
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    paths = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if not paths:
        raise InputError(f"{folder} has no images ({', '.join(sorted(SUFFIXES))}); name a folder that has some")
    return sorted(paths, key=lambda path: path.relative_to(folder).as_posix())


def read_image(path: Path, size: tuple[int, int], channels: int) -> np.ndarray:
    """One image file as uint8 ``[channels, *size]``, treated as the head of this module says.

    Raises:
        InputError: the file is damaged, animated, or smaller than ``size``.
    """
    height, width = size
    try:
        with Image.open(path) as file:
            frames = getattr(file, "n_frames", 1)
            if frames > 1:
                raise InputError(f"{path} is animated ({frames} frames); give one still image per file")
            picture = _opaque(ImageOps.exif_transpose(file)).convert("L" if channels == 1 else "RGB")
    except InputError:
        raise
    except Exception as error:  # on damaged bytes Pillow's decoders raise almost anything
        raise InputError(f"{path} cannot be read as an image ({error}); repair or remove it") from error
    if picture.height < height or picture.width < width:
        raise InputError(
            f"{path} is {picture.height} x {picture.width} (height x width), smaller than the size asked for, "
            f"{height} x {width}; remove it, or ask for a smaller size"
        )
    fitted = ImageOps.fit(picture, (width, height), method=Image.Resampling.BICUBIC)
    pixels = np.asarray(fitted)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _opaque(picture: Image.Image) -> Image.Image:
    """The picture without transparency: laid on white."""
    if "I;16" in picture.mode:
        # Pillow's own conversion would clip 16-bit grey at 255 instead of scaling it
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, (255, 255, 255, 255)), picture)


def _digest(folder: Path, paths: list[Path]) -> tuple[str, int]:
    """SHA-256 over every relative name, length and content, and the number of bytes of content."""
    digest, total = hashlib.sha256(), 0
    for path in paths:
        try:
            size = path.stat().st_size
            digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
            with path.open("rb") as file:
                while piece := file.read(_CHUNK):
                    digest.update(piece)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror or error}); repair or remove it") from error
        total += size
    return digest.hexdigest(), total
