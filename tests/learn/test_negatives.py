"""What is drawn from, and how often."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tutelage.checks import InputError
from tutelage.learn.negatives import InMemory, draw_negatives, draw_patches, recency_weights
from tutelage.rng import stream


def test_every_round_is_half_as_likely_as_the_one_after_it():
    assert recency_weights(4, 0.5).tolist() == pytest.approx([1 / 15, 2 / 15, 4 / 15, 8 / 15])


def test_recency_one_draws_from_all_alike_and_zero_from_the_newest_alone():
    assert recency_weights(3, 1.0).tolist() == pytest.approx([1 / 3] * 3)
    assert recency_weights(3, 0.0).tolist() == [0, 0, 1]


def _numbered(rounds: int, counts: list[int]) -> InMemory:
    """Every pixel of round r, image i says 10 r + i."""
    store = InMemory()
    for number in range(rounds):
        values = torch.arange(counts[number], dtype=torch.uint8).view(-1, 1, 1, 1) + 10 * number
        store.save_negatives(number, values.expand(-1, 1, 4, 4))
    return store


def test_rounds_and_images_are_drawn_as_often_as_their_weights_say():
    store, count = _numbered(3, [5, 2, 4]), 20_000
    drawn = draw_negatives(store, 3, 5, 0, count, (4, 4), 0.5, stream(0, "draw"))
    values = ((drawn[:, 0, 0, 0] + 1) * 127.5).round().long()
    for number, weight, images in ((0, 1 / 7, 5), (1, 2 / 7, 2), (2, 4 / 7, 4)):
        for image in range(images):
            expected = weight / images
            seen = float((values == 10 * number + image).double().mean())
            assert abs(seen - expected) < 5 * (expected / count) ** 0.5


@pytest.mark.parametrize("rounds", [1, 3])
def test_negatives_of_ones_own_keep_their_share_however_many_rounds_come(rounds: int):
    store, count = _numbered(3, [5, 2, 4]), 20_000  # of the five of round 0 the last two are one's own
    drawn = draw_negatives(store, rounds, 3, 2, count, (4, 4), 0.5, stream(0, "draw"))
    values = ((drawn[:, 0, 0, 0] + 1) * 127.5).round()
    own, noise = (float(sum((values == i).double().mean() for i in images)) for images in ((3, 4), (0, 1, 2)))
    assert abs(own - 2 / 5) < 5 * (0.24 / count) ** 0.5
    expected = 3 / 5 * {1: 1, 3: 1 / 7}[rounds]
    assert abs(noise - expected) < 5 * (expected * (1 - expected) / count) ** 0.5


def test_all_places_of_a_patch_are_reached_and_only_those():
    images = torch.arange(20.0).view(1, 1, 4, 5)
    patches = draw_patches(images, 2_000, (2, 3), stream(1, "draw"))
    corners = patches[:, 0, 0, 0].long()
    assert set(corners.tolist()) == {5 * row + column for row in range(3) for column in range(3)}
    assert torch.equal(patches[:, 0, 1, 2].long(), corners + 7)


def test_negatives_are_cut_at_all_places():
    store = InMemory()
    store.save_negatives(0, torch.arange(20, dtype=torch.uint8).view(1, 1, 4, 5))
    pixels = ((draw_negatives(store, 1, 1, 0, 2_000, (2, 3), 0.5, stream(0)) + 1) * 127.5).round().long()
    corners = pixels[:, 0, 0, 0]
    assert set(corners.tolist()) == {5 * row + column for row in range(3) for column in range(3)}
    assert torch.equal(pixels[:, 0, 1, 2], corners + 7)


def test_image_row_and_column_are_drawn_one_after_the_other():
    images, rng = torch.randn(5, 2, 6, 7, generator=stream(0, "images")), stream(2, "draw")
    fractions = [torch.rand(9, generator=rng, dtype=torch.float64) for _ in range(3)]
    places = [(part * choices).long().tolist() for part, choices in zip(fractions, (5, 5, 5), strict=True)]
    expected = [images[i, :, y : y + 2, x : x + 3] for i, y, x in zip(*places, strict=True)]
    again = stream(2, "draw")
    assert torch.equal(draw_patches(images, 9, (2, 3), again), torch.stack(expected))
    assert torch.equal(again.get_state(), rng.get_state())


def test_a_patch_of_the_size_of_the_image_is_the_image():
    images = torch.randn(3, 2, 4, 4)
    patches = draw_patches(images, 50, (4, 4), stream(0, "draw"))
    assert all(any(torch.equal(patch, image) for image in images) for patch in patches)


def test_a_store_in_memory_keeps_copies():
    store, pixels, weights = InMemory(), torch.zeros(1, 1, 2, 2, dtype=torch.uint8), {"w": torch.ones(2)}
    store.save_negatives(0, pixels)
    store.save_round(1, weights, {"seed": 3})
    pixels += 1
    weights["w"] += 1
    assert np.array_equal(store.negatives(0), np.zeros((1, 1, 2, 2), np.uint8))
    nested, facts = store.load_round(1)
    assert nested["w"].tolist() == [1, 1] and facts == {"seed": 3}


def test_a_round_that_memory_does_not_hold_is_refused():
    for ask in (InMemory().load_round, InMemory().negatives):
        with pytest.raises(InputError, match="round 3 is not kept in memory, which holds 0"):
            ask(3)
