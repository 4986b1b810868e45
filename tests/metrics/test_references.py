"""Floors and ceilings: what they keep of the images and what they do not."""

from __future__ import annotations

import pytest
import torch

from tutelage.checks import InputError
from tutelage.metrics.references import halves, shuffled_pixels, uniform_noise
from tutelage.rng import stream

IMAGES = torch.arange(3 * 2 * 5 * 4, dtype=torch.float32).view(3, 2, 5, 4)


def test_noise_is_uniform_in_the_range() -> None:
    noise = uniform_noise((4, 3, 40, 40), stream(0))
    assert noise.shape == (4, 3, 40, 40) and -1 <= noise.min() < -0.99 and 0.99 < noise.max() <= 1
    assert abs(noise.mean()) < 0.02 and noise.var().item() == pytest.approx(1 / 3, rel=0.02)
    assert torch.equal(noise, uniform_noise((4, 3, 40, 40), stream(0)))


def test_shuffling_moves_whole_pixels_within_their_image() -> None:
    shuffled = shuffled_pixels(IMAGES, stream(0))
    for before, after in zip(IMAGES.flatten(2), shuffled.flatten(2), strict=True):
        assert {tuple(p) for p in before.T.tolist()} == {tuple(p) for p in after.T.tolist()}
        assert not torch.equal(before, after)
    orders = (shuffled - IMAGES[:, :, :1, :1])[:, 0]  # both as offsets from the first pixel of their image
    assert not torch.equal(orders[0], orders[1])


def test_halves_of_a_set_and_of_one_image() -> None:
    first, second = halves(IMAGES)
    assert torch.equal(first, IMAGES[:1]) and torch.equal(second, IMAGES[2:])
    left, right = halves(IMAGES[:1])
    assert torch.equal(torch.cat([left, right], 3), IMAGES[:1])
    left, right = halves(IMAGES[:1, :, :, :3])
    assert torch.equal(left, IMAGES[:1, :, :, :1]) and torch.equal(right, IMAGES[:1, :, :, 2:3])


@pytest.mark.parametrize("images", [IMAGES[:0], IMAGES[:1, :, :, :1]])
def test_what_cannot_be_halved_is_refused(images: torch.Tensor) -> None:
    with pytest.raises(InputError, match="cannot be halved; give two or more"):
        halves(images)
