"""One picture file becomes bytes ``[C, H, W]``, and nothing about it is changed without being asked for.

A picture is brought to one size: the shorter side (relative to the size asked for) is resized by Pillow's bicubic
filter, which averages when it shrinks, and the centre is cut out at whole pixels. ``centre`` cuts a square of so many
of its own pixels out of the middle before that. Nothing is enlarged unless ``enlarge`` says so. A rotation noted by a
camera (EXIF) is applied, and an alpha channel that hides nothing is dropped.

Whatever else does not fit is refused, or with ``convert`` converted: transparent pictures are laid on white; colour
becomes grey, and grey colour, by Pillow's ``convert`` (ITU-R 601: 0.299 R + 0.587 G + 0.114 B); 16 bits keep the high
byte; CMYK becomes RGB by Pillow's plain formula, without a colour profile.

What counts as grey: one channel, black and white, and palettes whose colours are all grey. RGB is colour, whatever its
pixels.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from ..checks import InputError, first_line

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM", "TIFF")
"""What is decoded at all. Pillow knows more, among them formats that start other programs."""

_GREY, _COLOUR = "L", "RGB"
_WHITE = (255, 255, 255, 255)
CONVERT = ("convert it", "pass --convert")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its orientation in EXIF."""
TOO_DEEP = "has more than 8 bits per channel, but 8 are needed"


@dataclass(frozen=True)
class Fit:
    """What pictures are brought to, and what is done with one that does not fit.

    Args:
        size: height and width to bring every picture to.
        channels: 1 (grey) or 3 (RGB).
        convert: convert colours, transparency and 16 bits instead of refusing them.
        enlarge: enlarge a picture that is smaller than ``size`` instead of refusing it.
        skip_bad: leave out a file that would be refused; a warning says which. Only where there are many files.
        varied: refuse also pictures of one colour, which cannot be stretched to a range.
        centre: cut the central square of so many pixels a side out of a picture before it is brought to ``size``, and
            refuse one that is smaller; with ``enlarge``, take the largest central square that it has instead.

    Raises:
        InputError: a size or a centre below 1, a number of channels other than 1 and 3, or a centre that is smaller
            than ``size`` and must not be enlarged.
    """

    size: tuple[int, int]
    channels: int
    convert: bool = False
    enlarge: bool = False
    skip_bad: bool = False
    varied: bool = False
    centre: int | None = None

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < 1:
            raise InputError(f"the image size is {self.size}; give a height and a width of at least 1")
        if self.channels not in (1, 3):
            raise InputError(f"the number of channels is {self.channels}; give 1 for grey or 3 for RGB")
        if self.centre is not None:
            self._check_centre(self.centre)

    def _check_centre(self, centre: int) -> None:
        height, width = self.size
        if centre < 1:
            raise InputError(f"a centre of {centre} pixels was asked for; give 1 or more, or none for whole pictures")
        if centre < max(self.size) and not self.enlarge:
            raise InputError(
                f"a centre of {centre} x {centre} pixels was asked for, smaller than the size, {height} x {width}; ask "
                "for a larger centre or a smaller size, or allow enlarging with --set data.enlarge=true"
            )

    def words(self) -> tuple[str, ...]:
        """What is done to a picture, in words that change whenever the result may: for the key of a cache."""
        height, width = self.size
        return (
            "exif rotation",
            "converted" if self.convert else "only what fits",
            "grey" if self.channels == 1 else "rgb",
            *((f"centre of {self.centre} x {self.centre}",) if self.centre is not None else ()),
            f"bicubic to cover {height} x {width}, centre cut at whole pixels",
            *(("enlarged where small",) if self.enlarge else ()),
            *(("none of one colour",) if self.varied else ()),
            *(("bad files left out",) if self.skip_bad else ()),
        )


class Refused(Exception):
    """A picture cannot be used: what it is and what is needed, and the ways out."""

    def __init__(self, reason: str, *remedies: str) -> None:
        super().__init__(reason)
        self.reason, self.remedies = reason, remedies

    def error(self, shown: str, *more: str) -> InputError:
        """The sentence for the user, with the name of the file and further ways out."""
        *some, last = (*self.remedies, *more)
        return InputError(f"{shown} {self.reason}; {', '.join(some)}{', or ' if some else ''}{last}")

    def alone(self, shown: str) -> InputError:
        """The sentence where nothing else was given, so that it has to be replaced and cannot be removed."""
        return Refused(self.reason, *(way.replace("remove it", "give another") for way in self.remedies)).error(shown)


def fitted(content: bytes, fit: Fit) -> np.ndarray:
    """A picture file as uint8 ``[channels, *size]``.

    Raises:
        Refused: the file is damaged, animated, smaller than ``size`` or ``centre``, or does not fit in another way.
    """
    return brought(opened(content, fit), fit)


def brought(picture: Image.Image, fit: Fit) -> np.ndarray:
    """A picture of mode L or RGB as uint8 ``[C, *size]``. Raises `Refused` as `fitted` does for its size and range."""
    pixels = planes(cropped(picture, fit))
    if fit.varied and pixels.min() == pixels.max():
        raise Refused("is of one colour, but per-image scaling needs a darkest and a brightest value", "remove it")
    return pixels


def opened(content: bytes, fit: Fit) -> Image.Image:
    """A picture file, decoded, upright, in mode L or RGB as ``fit.channels`` says, in its own size.

    Raises:
        Refused: as for `fitted`, apart from the size.
    """
    with decoding(content) as file:
        if (frames := frame_count(file)) > 1:
            raise Refused(f"is animated ({frames} frames)", "give one still image per file")
        return decoded(file, fit.channels, fit.convert)


@contextmanager
def decoding(content: bytes) -> Iterator[Image.Image]:
    """A picture file, opened for as long as the body runs; what decoding it raises there becomes `Refused`.

    What Pillow only warns of, without the name of the file, is not said: the picture is read all the same.
    """
    try:
        with _quiet(), Image.open(io.BytesIO(content), formats=FORMATS) as file:
            yield file
    except Refused:
        raise
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise Refused(
            f"has more than {most:.0f} megapixels, the most that are read of a picture", "shrink it"
        ) from error
    except UnidentifiedImageError as error:
        raise Refused("cannot be read as an image (it is in no known format)", "repair or remove it") from error
    except Exception as error:  # on damaged bytes Pillow's decoders raise almost anything
        raise Refused(f"cannot be read as an image ({first_line(error)})", "repair or remove it") from error


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def is_known(path: Path) -> bool:
    """Whether the first bytes of a file are those of a format that is decoded here; it may be damaged all the same."""
    try:
        with _quiet():
            Image.open(path, formats=FORMATS).close()
    except UnidentifiedImageError:
        return False
    except Exception:  # known, and so damaged that it cannot even be opened
        return True
    return True


def frame_count(file: Image.Image) -> int:
    """How many frames an opened file shows; more than 1 if it is animated."""
    # a camera's JPEG may carry a second, smaller view (MPO), which every viewer ignores
    return 1 if file.format == "MPO" else getattr(file, "n_frames", 1)


def decoded(file: Image.Image, channels: int, convert: bool, grey_as_colour: bool = False) -> Image.Image:
    """The frame that an opened file is at, upright, in mode L or RGB as ``channels`` says.

    ``grey_as_colour`` takes a grey picture where RGB is needed, as three equal channels.

    Raises:
        Refused: it does not fit, and ``convert`` is not set.
    """
    deep = _is_deep(file)
    picture = _upright(file)
    return _converted(picture, channels) if convert else _as_it_is(picture, channels, deep, grey_as_colour)


def cropped(picture: Image.Image, fit: Fit) -> Image.Image:
    """The centre of a picture, resized to ``fit.size``.

    The picture is resized just enough to cover the size and cut at whole pixels, so that one which covers it already is
    only cut. Of an odd margin the larger half is below, or on the right. What is cut away is not made first, since
    most of a long picture may be.

    Raises:
        Refused: the picture is smaller, and must not be enlarged.
    """
    picture = central(picture, fit)
    height, width = fit.size
    wide, high = _larger(picture, fit)
    left, top = (wide - width) // 2, (high - height) // 2
    box = (
        left * picture.width / wide,
        top * picture.height / high,
        (left + width) * picture.width / wide,
        (top + height) * picture.height / high,
    )
    return picture.resize((width, height), Image.Resampling.BICUBIC, box)


def central(picture: Image.Image, fit: Fit) -> Image.Image:
    """The central square of ``fit.centre`` pixels a side, or the whole picture where that is None.

    Of an odd margin the larger half is below, or on the right. Where enlarging is allowed a smaller picture gives the
    largest square that it has, which is what would be seen of it if it were enlarged first.

    Raises:
        Refused: it is smaller, and must not be enlarged.
    """
    if fit.centre is None:
        return picture
    if min(picture.size) < fit.centre and not fit.enlarge:
        raise _too_small(picture, "centre", (fit.centre, fit.centre))
    side = min(fit.centre, *picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def covering(picture: Image.Image, fit: Fit) -> Image.Image:
    """The picture if it covers ``fit.size``, else, where that is allowed, enlarged just enough to cover it.

    Raises:
        Refused: it is smaller, and must not be enlarged.
    """
    height, width = fit.size
    if picture.height >= height and picture.width >= width:
        return picture
    return picture.resize(_larger(picture, fit), Image.Resampling.BICUBIC)


def _larger(picture: Image.Image, fit: Fit) -> tuple[int, int]:
    """Width and height of the picture when it is resized just enough to cover ``fit.size``; `Refused` as `covering`."""
    height, width = fit.size
    if (picture.height < height or picture.width < width) and not fit.enlarge:
        raise _too_small(picture, "size", fit.size)
    factor = max(height / picture.height, width / picture.width)
    return max(width, round(picture.width * factor)), max(height, round(picture.height * factor))


def _too_small(picture: Image.Image, what: str, asked: tuple[int, int]) -> Refused:
    height, width = asked
    return Refused(
        f"is {picture.height} x {picture.width} (height x width), smaller than the {what} asked for, "
        f"{height} x {width}",
        "remove it",
        f"ask for a smaller {what}",
        "allow enlarging with --set data.enlarge=true",
    )


def planes(picture: Image.Image) -> np.ndarray:
    """A picture of mode L or RGB as uint8 ``[C, H, W]``."""
    pixels = np.asarray(picture)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _as_it_is(picture: Image.Image, channels: int, deep: bool, grey_as_colour: bool) -> Image.Image:
    """The picture if it fits as it is; every pixel of the result is a pixel of the file."""
    if deep:
        raise Refused(TOO_DEEP, *CONVERT)
    grey, needed = _is_grey(picture), "grey" if channels == 1 else "RGB"
    if not grey and picture.mode not in ("RGB", "RGBA", "RGBX", "P", "PA"):
        raise Refused(f"is in {picture.mode} colours, but {needed} is needed", *CONVERT)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        if picture.getchannel("A").getextrema() != (255, 255):
            raise Refused("has transparent pixels, but opaque ones are needed", *CONVERT)
    if grey != (channels == 1) and not (grey and grey_as_colour):
        raise Refused(f"is {'grey' if grey else 'in colour'}, but {needed} is needed", *CONVERT)
    return picture.convert(_GREY if channels == 1 else _COLOUR)


def _converted(picture: Image.Image, channels: int) -> Image.Image:
    """The picture made to fit, as the head of this module says."""
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        # Pillow's own conversion would clip 16-bit grey at 255 instead of scaling it
        picture = Image.fromarray((np.clip(np.asarray(picture), 0, 0xFFFF) >> 8).astype(np.uint8))
    elif picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, _WHITE), picture)
    return picture.convert(_GREY if channels == 1 else _COLOUR)


def _upright(file: Image.Image) -> Image.Image:
    """The frame turned as its EXIF says, as ``ImageOps.exif_transpose`` does.

    That also writes the rest of the EXIF anew, which fails where any of it is odd, and none of it is needed here.
    """
    file.load()
    turn = _TURNS.get(file.getexif().get(ExifTags.Base.Orientation, 1))
    return file if turn is None else file.transpose(turn)


def _is_grey(picture: Image.Image) -> bool:
    if picture.mode in ("P", "PA"):
        colours = np.array(picture.getpalette(), np.uint8).reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return picture.mode in ("1", "L", "LA")


def _is_deep(file: Image.Image) -> bool:
    """More than 8 bits per channel, which Pillow cuts off without a word where there are colours."""
    if file.mode == "F":
        raise Refused("has floating-point pixels, but bytes are needed", "save it with 8 bits per channel")
    if file.mode == "I" or file.mode.startswith("I;16"):
        return True
    tiles = getattr(file, "tile", None) or [(None, None, None, None)]
    arguments = tiles[0][3]
    if file.format == "PPM":
        return isinstance(arguments, tuple) and arguments[-1] > 255
    raw = arguments[0] if isinstance(arguments, tuple) else arguments
    return file.format in ("PNG", "TIFF") and ";16" in str(raw)
