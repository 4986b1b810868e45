"""One picture becomes bytes of one size, and is never changed in silence."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from tutelage.checks import InputError
from tutelage.data import Fit
from tutelage.data.picture import Refused, fitted

GREY, RGB = Fit((8, 8), 1), Fit((8, 8), 3)
TO_GREY, TO_RGB = Fit((8, 8), 1, convert=True), Fit((8, 8), 3, convert=True)


def encoded(mode: str, color=0, size: tuple[int, int] = (8, 8), kind: str = "PNG", **options) -> bytes:
    """A picture file of one colour; ``size`` is (height, width)."""
    return saved(Image.new(mode, (size[1], size[0]), color), kind, **options)


def saved(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


def deep_png(colour_type: int, channels: int) -> bytes:
    """An 8 x 8 PNG with 16 bits per channel, each 0x80FF."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = (b"\0" + b"\x80\xff" * channels * 8) * 8
    head = struct.pack(">IIBBBBB", 8, 8, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def palette(colours: list[int], kind: str = "PNG", **options) -> bytes:
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette(colours)
    return saved(picture, kind, **options)


# --- what fits is taken as it is


def test_channels_come_first():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(fitted(saved(Image.fromarray(pixels)), RGB), pixels.transpose(2, 0, 1))
    assert np.array_equal(fitted(saved(Image.fromarray(pixels[..., 0])), GREY), pixels[None, ..., 0])


@pytest.mark.parametrize(
    ("content", "fit", "colour"),
    [
        (encoded("RGBA", (9, 8, 7, 255)), RGB, (9, 8, 7)),
        (encoded("LA", (9, 255)), GREY, (9,)),
        (encoded("1", 1), GREY, (255,)),
        (encoded("RGB", (5, 5, 5)), RGB, (5, 5, 5)),
        (palette([0, 0, 0, 10, 20, 30]), RGB, (10, 20, 30)),
        (palette([0, 0, 0, 40, 40, 40]), GREY, (40,)),
        (palette([0, 0, 0, 10, 20, 30, 1, 1, 1], transparency=2), RGB, (10, 20, 30)),
        (palette([0, 0, 0, 40, 40, 40, 1, 1, 1], transparency=2), GREY, (40,)),
        (encoded("L", 40, transparency=41), GREY, (40,)),
    ],
    ids=["opaque-rgba", "opaque-la", "bits", "grey-rgb", "palette", "grey-palette", "unused", "unused-grey", "trns"],
)
def test_what_loses_nothing_is_taken(content, fit, colour):
    found = fitted(content, fit)
    assert (found == np.array(colour).reshape(-1, 1, 1)).all() and found.shape == (fit.channels, 8, 8)


def test_a_camera_s_second_view_is_passed_over():
    first, second = Image.new("RGB", (8, 8), (90, 90, 90)), Image.new("RGB", (8, 8))
    content = saved(first, "MPO", save_all=True, append_images=[second])
    assert np.abs(fitted(content, RGB).astype(int) - 90).max() <= 2


# --- what does not fit is refused, or converted when asked

HALF = (0, 100, 200, 128)
MISFITS = {
    "grey": (encoded("L", 77), 3, "is grey, but RGB is needed", (77, 77, 77)),
    "bits": (encoded("1", 1), 3, "is grey, but RGB is needed", (255, 255, 255)),
    "grey-palette": (palette([0, 0, 0, 40, 40, 40]), 3, "is grey, but RGB is needed", (40, 40, 40)),
    "colour": (encoded("RGB", (200, 100, 50)), 1, "is in colour, but grey is needed", (124,)),
    "grey-in-rgb": (encoded("RGB", (5, 5, 5)), 1, "is in colour, but grey is needed", (5,)),
    "palette": (palette([0, 0, 0, 200, 100, 50]), 1, "is in colour, but grey is needed", (124,)),
    "cmyk": (encoded("CMYK", (0, 0, 0, 0), kind="JPEG"), 3, "is in CMYK colours, but RGB is needed", (255,) * 3),
    "cmyk-grey": (encoded("CMYK", (0, 0, 0, 0), kind="JPEG"), 1, "is in CMYK colours, but grey is needed", (255,)),
    "deep-grey": (deep_png(0, 1), 1, "has more than 8 bits per channel, but 8 are needed", (0x80,)),
    "deep-colour": (deep_png(2, 3), 3, "has more than 8 bits per channel, but 8 are needed", (0x80,) * 3),
    "deep-pgm": (b"P5 8 8 65535\n" + b"\x80\xff" * 64, 1, "has more than 8 bits per channel", (0x80,)),
    "deep-ppm": (b"P6 8 8 65535\n" + b"\x80\xff" * 192, 3, "has more than 8 bits per channel", (0x80,) * 3),
    "alpha": (encoded("RGBA", HALF), 3, "has transparent pixels, but opaque ones are needed", (127, 177, 227)),
    "alpha-webp": (
        encoded("RGBA", HALF, kind="WEBP", lossless=True),
        3,
        "has transparent pixels, but opaque ones are needed",
        (127, 177, 227),
    ),
    "grey-alpha": (encoded("LA", (0, 0)), 1, "has transparent pixels, but opaque ones are needed", (255,)),
    "trns": (encoded("L", 40, transparency=40), 1, "has transparent pixels, but opaque ones", (255,)),
    "trns-colour": (encoded("RGB", (1, 2, 3), transparency=(1, 2, 3)), 3, "has transparent pixels", (255,) * 3),
    "clear-palette": (palette([0, 0, 0, 9, 8, 7], transparency=1), 3, "has transparent pixels", (255,) * 3),
    "clear-gif": (palette([0, 0, 0, 9, 8, 7], "GIF", transparency=1), 3, "has transparent pixels", (255,) * 3),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_picture_that_does_not_fit(name):
    content, channels, says, colour = MISFITS[name]
    with pytest.raises(Refused, match=says) as caught:
        fitted(content, Fit((8, 8), channels))
    assert str(caught.value.error("a.png", "give up")).endswith("; convert it, pass --convert, or give up")
    found = fitted(content, Fit((8, 8), channels, convert=True)).astype(int)
    assert found.shape == (channels, 8, 8)
    assert np.abs(found - np.array(colour).reshape(-1, 1, 1)).max() <= 1


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (8, 8), (value, 0, 0)) for value in (0, 120, 250)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


NOISE = saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)), "JPEG")
HOPELESS = {
    "gif": (animated("GIF"), r"is animated \(3 frames\)"),
    "apng": (animated("PNG"), r"is animated \(3 frames\)"),
    "webp": (animated("WEBP"), r"is animated \(3 frames\)"),
    "cut": (NOISE[: len(NOISE) // 2], r"cannot be read as an image \(.*truncated"),
    "empty": (b"", r"cannot be read as an image \(it is in no known format\)"),
    "text": (b"no image at all", r"cannot be read as an image \(it is in no known format\)"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "cannot be read as an image"),
    "floats": (encoded("F", 1.0, kind="TIFF"), "has floating-point pixels, but bytes are needed"),
    "short": (encoded("RGB", size=(7, 8)), r"is 7 x 8 \(height x width\), smaller than the size asked for, 8 x 8"),
    "narrow": (encoded("RGB", size=(8, 7)), r"is 8 x 7 \(height x width\), smaller than the size asked for, 8 x 8"),
}


@pytest.mark.parametrize("fit", [RGB, TO_RGB], ids=["strict", "convert"])
@pytest.mark.parametrize("name", HOPELESS)
def test_what_nothing_converts(name, fit):
    content, says = HOPELESS[name]
    with pytest.raises(Refused, match=says) as caught:
        fitted(content, fit)
    assert "0x" not in str(caught.value), "no address of an object in a message"


def test_a_picture_of_one_colour_has_no_range():
    assert fitted(encoded("L", 9), GREY).max() == 9
    with pytest.raises(Refused, match="is of one colour, but per-image scaling needs a darkest and a brightest value"):
        fitted(encoded("L", 9), Fit((8, 8), 1, varied=True))


def test_a_refusal_names_every_way_out():
    assert str(Refused("is grey", "mend it").error("a.png")) == "a.png is grey; mend it"
    assert str(Refused("is grey", "mend it").error("a.png", "go")) == "a.png is grey; mend it, or go"


# --- size


@pytest.mark.parametrize("size", [(4, 12), (12, 4)])
def test_the_centre_is_cut_out(size):
    # black, then the middle third white, then black, along the longer side
    pixels = np.zeros(size, np.uint8)
    pixels[(slice(None), slice(4, 8)) if size[0] == 4 else slice(4, 8)] = 255
    assert (fitted(saved(Image.fromarray(pixels)), Fit((4, 4), 1)) == 255).all()


@pytest.mark.parametrize("size", [(9, 8), (8, 11), (8, 8), (8, 12)])
def test_a_picture_that_covers_the_size_is_only_cut(size):
    # of an odd margin the larger half is below, or on the right
    pixels = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    top, left = (size[0] - 8) // 2, (size[1] - 8) // 2
    assert np.array_equal(fitted(saved(Image.fromarray(pixels)), GREY)[0], pixels[top : top + 8, left : left + 8])


@pytest.mark.parametrize("size", [(67, 101), (101, 67), (40, 21), (5, 7), (7, 5), (6, 31)])
def test_a_picture_is_cut_where_its_resized_whole_would_be(size):
    pixels = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    factor = 8 / min(size)
    height, width = (round(side * factor) for side in size)
    whole = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    top, left = (height - 8) // 2, (width - 8) // 2
    found = fitted(saved(Image.fromarray(pixels)), Fit((8, 8), 1, enlarge=True))[0]
    assert np.abs(found - whole[top : top + 8, left : left + 8]).max() <= 1


def test_what_is_cut_away_is_not_enlarged_first(monkeypatch):
    made = []
    resize = Image.Image.resize

    def resized(self, size, *arguments, **options):
        made.append(size)
        return resize(self, size, *arguments, **options)

    monkeypatch.setattr(Image.Image, "resize", resized)
    pixels = (np.arange(2000) // 1000 * 255).astype(np.uint8)[None]
    found = fitted(saved(Image.fromarray(pixels)), Fit((64, 64), 1, enlarge=True))[0]
    assert made == [(64, 64)] and (found == found[0]).all() and (np.diff(found[0].astype(int)) >= -20).all()
    assert found[0, 0] < 128 < found[0, -1]


def test_shrinking_averages():
    checkers = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)
    inner = fitted(saved(Image.fromarray(checkers)), GREY)[0, 1:-1, 1:-1].astype(int)
    assert np.abs(inner - 127).max() <= 2


@pytest.mark.parametrize("size", [(4, 4), (4, 16), (16, 4), (7, 9), (3, 5)])
def test_enlarging_only_when_allowed(size):
    assert (fitted(encoded("L", 50, size), Fit((8, 8), 1, enlarge=True)) == 50).all()
    assert fitted(encoded("L", 50, size), Fit((8, 8), 1, enlarge=True)).shape == (1, 8, 8)
    with pytest.raises(Refused) as caught:
        fitted(encoded("L", 50, size), GREY)
    assert str(caught.value.error("a.png", "go")).endswith(
        "; remove it, ask for a smaller size, allow enlarging with --set data.enlarge=true, or go"
    )


@pytest.mark.parametrize(
    ("height", "width", "top", "left"), [(21, 17, 6, 4), (22, 18, 6, 4), (9, 30, 0, 10), (9, 9, 0, 0)]
)
def test_a_centre_is_cut_out_pixel_by_pixel(height, width, top, left):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = fitted(saved(Image.fromarray(pixels)), Fit((9, 9), 3, centre=9))
    assert np.array_equal(found, pixels[top : top + 9, left : left + 9].transpose(2, 0, 1))


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (8, 6)])
def test_only_the_centre_is_brought_to_the_size(size):
    # a white square of 16 in the middle of black, as faces are of hair: seen alone, at any size
    pixels = np.zeros((40, 30), np.uint8)
    pixels[12:28, 7:23] = 255
    content = saved(Image.fromarray(pixels))
    assert (fitted(content, Fit(size, 1, centre=16)) == 255).all()
    assert (fitted(content, Fit(size, 1, centre=18))[:, [0, -1]] < 255).all()
    assert fitted(content, Fit(size, 1)).min() < 64


def test_the_centre_is_that_of_the_picture_as_it_is_seen():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it as it was taken
    pixels = np.arange(5 * 8, dtype=np.uint8).reshape(5, 8)
    found = fitted(saved(Image.fromarray(pixels), exif=exif), Fit((4, 4), 1, centre=4))
    assert np.array_equal(found[0], np.rot90(pixels, -1)[2:6, 0:4])


def test_a_picture_smaller_than_the_centre():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12), dtype=np.uint8)
    content = saved(Image.fromarray(pixels))
    with pytest.raises(Refused) as caught:
        fitted(content, Fit((6, 6), 1, centre=10))
    assert str(caught.value.error("a.png", "go")) == (
        "a.png is 8 x 12 (height x width), smaller than the centre asked for, 10 x 10; remove it, ask for a smaller "
        "centre, allow enlarging with --set data.enlarge=true, or go"
    )
    # with enlarging the largest square that there is; one of the size asked for loses nothing
    assert np.array_equal(fitted(content, Fit((8, 8), 1, enlarge=True, centre=10))[0], pixels[:, 2:10])
    assert np.array_equal(
        fitted(content, Fit((16, 16), 1, enlarge=True, centre=10)),
        fitted(saved(Image.fromarray(pixels[:, 2:10])), Fit((16, 16), 1, enlarge=True)),
    )
    # a centre that is smaller than the size is enlarged too
    assert np.array_equal(
        fitted(content, Fit((8, 8), 1, enlarge=True, centre=4)),
        fitted(saved(Image.fromarray(pixels[2:6, 4:8])), Fit((8, 8), 1, enlarge=True)),
    )


def test_the_camera_held_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it as it was taken
    assert fitted(encoded("RGB", size=(4, 8), exif=exif), Fit((8, 4), 3)).shape == (3, 8, 4)


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_every_orientation_is_seen_as_viewers_show_it(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {}
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    content = saved(Image.fromarray(pixels), kind, exif=exif, **lossless)
    with Image.open(io.BytesIO(content)) as file:
        usual = np.asarray(ImageOps.exif_transpose(file))
    assert np.array_equal(fitted(content, RGB), usual.transpose(2, 0, 1))


def test_what_pillow_warns_of_is_not_said(monkeypatch, recwarn):
    entry = struct.pack(">HHIHH", 0x0128, 3, 2, 2, 2)  # ResolutionUnit, twice
    exif = b"Exif\0\0MM\0\x2a\0\0\0\x08" + struct.pack(">H", 1) + entry + bytes(4)
    assert fitted(saved(Image.new("L", (8, 8)), "JPEG", exif=exif), GREY).shape == (1, 8, 8)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    assert fitted(encoded("L"), GREY).shape == (1, 8, 8)
    assert [*recwarn] == []


def test_a_picture_of_too_many_pixels_has_to_be_shrunk(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2_000_000)
    with pytest.raises(Refused, match="has more than 4 megapixels, the most that are read of a picture") as caught:
        fitted(encoded("1", size=(2001, 2000)), GREY)
    assert caught.value.remedies == ("shrink it",)


def test_odd_exif_is_no_reason_to_refuse_a_picture():
    # big-endian: Orientation (short) is 6, and ResolutionUnit, which has to be a short as well, is four bytes
    entries = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack(">HHI4s", 0x0128, 7, 4, b"abcd")
    exif = b"Exif\0\0MM\0\x2a\0\0\0\x08" + struct.pack(">H", 2) + entries + bytes(4)
    pixels = np.repeat(np.repeat(np.random.default_rng(0).integers(0, 256, (4, 8), dtype=np.uint8), 8, 0), 8, 1)
    plain, odd = (saved(Image.fromarray(pixels), "JPEG", **more) for more in ({}, {"exif": exif}))
    fits = [Fit(size, 1) for size in ((32, 64), (64, 32))]
    assert np.array_equal(fitted(odd, fits[1])[0], np.rot90(fitted(plain, fits[0])[0], -1))


# --- what is asked for


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (((0, 4), 1), r"the image size is \(0, 4\)"),
        (((4,), 1), r"the image size is \(4,\)"),
        (((4, 4), 2), "the number of channels is 2; give 1 for grey or 3 for RGB"),
        (((4, 4), 1, {"centre": 0}), "a centre of 0 pixels was asked for; give 1 or more, or none for whole pictures"),
        (
            ((4, 6), 1, {"centre": 5}),
            "a centre of 5 x 5 pixels was asked for, smaller than the size, 4 x 6; .*data.enlarge=true",
        ),
    ],
)
def test_an_impossible_fit_is_refused(fields, says):
    size, channels, *more = fields
    with pytest.raises(InputError, match=says):
        Fit(size, channels, **(more[0] if more else {}))


def test_every_choice_has_other_words():
    choices = [GREY, RGB, Fit((8, 9), 1), TO_GREY, TO_RGB, Fit((8, 8), 1, enlarge=True)]
    choices += [Fit((8, 8), 1, skip_bad=True), Fit((8, 8), 1, varied=True)]
    choices += [Fit((8, 8), 1, centre=8), Fit((8, 8), 1, centre=9)]
    assert len({fit.words() for fit in choices}) == len(choices)


def test_the_words_of_before_are_those_of_now():
    plain = ("exif rotation", "only what fits", "rgb", "bicubic to cover 64 x 48, centre cut at whole pixels")
    assert Fit((64, 48), 3).words() == plain
    assert Fit((8, 8), 1, True, True, True, True).words() == (
        *("exif rotation", "converted", "grey", "bicubic to cover 8 x 8, centre cut at whole pixels"),
        *("enlarged where small", "none of one colour", "bad files left out"),
    )
