"""Squares that hide a part of an image, and masks that do not fit."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import chisquare

from tutelage.apps.masks import check_fits, check_mask, squares
from tutelage.checks import InputError
from tutelage.rng import stream


@pytest.mark.parametrize(("space", "size"), [((8, 8), 3), ((8, 8), 7), ((6, 9), 6), ((9, 6), 1)])
def test_every_mask_hides_one_square_inside_the_image(space: tuple[int, int], size: int) -> None:
    masks = squares(50, space, size, stream(0, "mask"))
    assert masks.shape == (50, 1, *space) and set(masks.unique().tolist()) == {0.0, 1.0}
    for mask in masks[:, 0]:
        rows, columns = (torch.nonzero((mask == 0).any(axis)).flatten() for axis in (1, 0))
        assert len(rows) == len(columns) == size
        assert rows[-1] - rows[0] == columns[-1] - columns[0] == size - 1
        assert (mask == 0).sum() == size * size


def test_every_place_is_equally_likely_and_independent_of_how_many_there_are() -> None:
    masks = squares(4000, (4, 5), 2, stream(0, "mask"))
    place = (masks == 0).flatten(1).int().argmax(1)  # the upper left pixel
    counts = torch.bincount(place, minlength=20).view(4, 5)
    assert counts[:3, :4].sum() == 4000 and chisquare(counts[:3, :4].flatten()).pvalue > 0.001
    assert torch.equal(squares(7, (4, 5), 2, stream(0, "mask")), masks[:7])
    assert not torch.equal(squares(7, (4, 5), 2, stream(1, "mask")), masks[:7])


@pytest.mark.parametrize(
    ("space", "size", "most"), [((8, 8), 0, 7), ((8, 8), 8, 7), ((8, 8), 9, 7), ((6, 9), 7, 6), ((9, 6), -1, 6)]
)
def test_squares_that_hide_nothing_or_everything_are_refused(space: tuple[int, int], size: int, most: int) -> None:
    words = (
        f"a square of {size} pixels was asked for in images of {space[0]}x{space[1]}; it needs to be from 1 to {most}$"
    )
    with pytest.raises(InputError, match=words):
        squares(2, space, size, stream(0))


HALF = torch.ones(2, 1, 4, 5)
HALF[..., 2:] = 0


def test_masks_that_fit() -> None:
    check_mask(HALF, (2, 3, 4, 5))
    check_mask(HALF[:1].bool(), (2, 3, 4, 5))


def test_masks_that_do_not_fit_are_refused() -> None:
    everything, nothing = HALF.clone(), HALF.clone()
    everything[1], nothing[1] = 0, 1
    for mask, words in (
        (
            HALF[0],
            r"a mask \[1, 4, 5\] was given for images \[2, 3, 4, 5\]; it needs to be \[2, 1, 4, 5\], or \[1, 1, 4, 5\]",
        ),
        (HALF[..., 1:], r"a mask \[2, 1, 4, 4\] was given"),
        (HALF.expand(2, 3, 4, 5), r"a mask \[2, 3, 4, 5\] was given"),
        (HALF.repeat(2, 1, 1, 1)[:3], r"a mask \[3, 1, 4, 5\] was given"),
        (HALF * 0.5, "numbers other than 0 and 1"),
        (HALF * torch.nan, "numbers other than 0 and 1"),
        (everything, "mask of image 1 hides every pixel"),
        (nothing, "mask of image 1 hides no pixel"),
    ):
        with pytest.raises(InputError, match=words):
            check_mask(mask, (2, 3, 4, 5))
        if mask is not nothing:
            with pytest.raises(InputError, match=words):
                check_fits(mask, (2, 3, 4, 5))
    check_fits(nothing, (2, 3, 4, 5))
