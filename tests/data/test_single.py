"""One picture as a set: whole, or in pieces."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tutelage.checks import InputError
from tutelage.data import Fit, single_image

RNG = np.random.default_rng(0)


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_a_whole_picture(tmp_path):
    pixels = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    images = single_image(save(tmp_path / "a.png", pixels), Fit((6, 8), 3), cache=tmp_path / "cache")
    assert np.array_equal(images.pixels, pixels.transpose(2, 0, 1)[None])
    assert images.name == "a.png" and images.source == str(tmp_path / "a.png")


def test_a_name_says_nothing_about_the_format(tmp_path):
    save(tmp_path / "a.pgm", RNG.integers(0, 256, (6, 8), dtype=np.uint8)).rename(tmp_path / "picture")
    assert single_image(tmp_path / "picture", Fit((4, 4), 1), cache=tmp_path / "cache").shape == (1, 4, 4)


def test_crops_are_pieces_of_the_picture(tmp_path):
    pixels = np.arange(9 * 11, dtype=np.uint8).reshape(9, 11)  # every pixel says where it is
    path = save(tmp_path / "a.png", pixels)
    images = single_image(path, Fit((3, 4), 1), crops=300, cache=tmp_path / "cache")
    assert len(images) == 300
    corners = images.pixels[:, 0, 0, 0]
    rows, columns = corners // 11, corners % 11
    for piece, row, column in zip(images.pixels[:, 0], rows, columns, strict=True):
        assert np.array_equal(piece, pixels[row : row + 3, column : column + 4])
    assert set(rows) == set(range(7)) and set(columns) == set(range(8)), "to the very edges"


def test_crops_are_the_same_in_every_run(tmp_path):
    path = save(tmp_path / "a.png", RNG.integers(0, 256, (20, 20, 3), dtype=np.uint8))
    one = single_image(path, Fit((4, 4), 3), crops=9, cache=tmp_path / "one")
    two = single_image(path, Fit((4, 4), 3), crops=9, cache=tmp_path / "two")
    assert np.array_equal(one.pixels, two.pixels) and one.sha256 == two.sha256
    assert len(single_image(path, Fit((4, 4), 3), crops=8, cache=tmp_path / "one")) == 8


def test_a_small_picture_may_be_enlarged_first(tmp_path):
    path = save(tmp_path / "a.png", RNG.integers(0, 256, (5, 4), dtype=np.uint8))
    for crops in (0, 3):
        with pytest.warns(UserWarning, match="and is enlarged to 8 x 8; a larger picture"):
            found = single_image(path, Fit((8, 8), 1, enlarge=True), crops=crops, cache=tmp_path / "cache")
        assert found.pixels.shape == (max(crops, 1), 1, 8, 8)


@pytest.mark.parametrize("crops", [0, 3])
@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.full((8, 8, 3), 9, np.uint8), r"a\.png is of one colour, but a picture with something to learn is needed"),
        (np.tile(np.array([1, 2, 3], np.uint8), (8, 8, 1)), r"a\.png is of one colour"),
        (RNG.integers(0, 9, (3, 8, 3), np.uint8), r"a\.png is 3 x 8 \(height x width\), smaller than the size asked"),
        (RNG.integers(0, 9, (8, 8), np.uint8), r"a\.png is grey, but RGB is needed; convert it, or pass --convert$"),
        (RNG.integers(0, 9, (8, 8, 4), np.uint8), r"a\.png has transparent pixels, .*; convert it, or pass --convert$"),
        (b"no picture", r"a\.png cannot be read as an image .*; repair or give another$"),
        (None, r"a\.png cannot be read \(No such file or directory\); name a picture file"),
    ],
    ids=["black", "constant", "small", "grey", "alpha", "text", "missing"],
)
def test_what_cannot_be_used_is_refused(tmp_path, pixels, says, crops):
    if isinstance(pixels, bytes):
        (tmp_path / "a.png").write_bytes(pixels)
    elif pixels is not None:
        save(tmp_path / "a.png", pixels)
    with pytest.raises(InputError, match=says) as caught:
        single_image(tmp_path / "a.png", Fit((4, 4), 3), crops=crops, cache=tmp_path / "cache")
    assert "--skip-bad" not in str(caught.value), "there is no other picture to go on with"
    assert not (tmp_path / "cache").exists() or list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(("side", "warned"), [(16, False), (13, False), (12, True)])
def test_it_is_said_where_much_is_enlarged(tmp_path, recwarn, side, warned):
    save(tmp_path / "a.png", RNG.integers(0, 256, (side, 20, 3), np.uint8))
    warnings.simplefilter("always")
    for _ in range(2):  # made, and found again
        single_image(tmp_path / "a.png", Fit((16, 16), 3, enlarge=True), cache=tmp_path / "cache")
        says = [str(warning.message) for warning in recwarn.list]
        expected = f"{tmp_path / 'a.png'} is {side} x 20 (height x width) and is enlarged to 16 x 16"
        assert [said.startswith(expected) for said in says] == [True] * warned
        recwarn.clear()


@pytest.mark.parametrize("crops", [0, 3])
def test_one_picture_has_no_centre_cut_out(tmp_path, crops):
    path = save(tmp_path / "a.png", RNG.integers(0, 256, (8, 8), np.uint8))
    with pytest.raises(InputError, match=r"a centre of 6 pixels was asked of one picture, .*a\.png; give"):
        single_image(path, Fit((4, 4), 1, centre=6), crops=crops, cache=tmp_path / "cache")


def test_fewer_than_no_crops(tmp_path):
    with pytest.raises(InputError, match="-1 crops were asked for; give 0 for the whole picture"):
        single_image(tmp_path / "a.png", Fit((4, 4), 3), crops=-1)
