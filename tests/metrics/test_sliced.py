"""The sliced distance where it is known: shifts, equal sets, one dimension; and what it is blind to."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from tutelage.checks import InputError
from tutelage.metrics.references import shuffled_pixels, uniform_noise
from tutelage.metrics.sliced import SlicedDistance, directions, draw_patches, patch_sliced_wasserstein
from tutelage.rng import stream

SMALL = {"patch": 3, "patches": 500, "scales": (1, 2)}


def noise(*shape: int, name: str = "images") -> Tensor:
    return uniform_noise(shape, stream(0, name))


def distance(a: Tensor, b: Tensor, seed: int = 0, **changed) -> SlicedDistance:
    return patch_sliced_wasserstein(a, b, stream(seed, "patches"), **(SMALL | changed))


def test_a_shift_of_colour_is_at_its_mean_square() -> None:
    images = noise(3, 3, 12, 16) / 2
    shift = torch.tensor([0.5, -0.25, 0.1]).view(1, 3, 1, 1)
    expected = shift.square().mean().item()
    for a in (images, torch.zeros(3, 3, 12, 16)):
        found = distance(a, a + shift)
        assert found.scales == pytest.approx((expected, expected), rel=1e-4)
        assert found.value == pytest.approx(expected, rel=1e-4)


def test_constant_images_need_not_be_as_many_or_as_large() -> None:
    a, b = torch.full((2, 1, 12, 16), -0.25), torch.full((5, 1, 20, 9), 0.5)
    assert distance(a, b).value == pytest.approx(0.75**2, rel=1e-4)


def test_on_a_line_it_is_the_distance_of_the_distributions() -> None:
    # patches of one grey pixel have one direction, ±1; for a shift by a constant W₂² is W₁²
    a, b = noise(1, 1, 5, 6), noise(1, 1, 5, 6, name="others")
    found = distance(a, b, patch=1, patches=30, scales=(1,)).value
    pairs = np.sort(a.flatten().numpy()) - np.sort(b.flatten().numpy())
    assert found == pytest.approx(np.square(pairs).mean(), rel=1e-5)
    assert found >= wasserstein_distance(a.flatten().numpy(), b.flatten().numpy()) ** 2
    a = a / 2
    shifted = distance(a, a + 0.3, patch=1, patches=30, scales=(1,)).value
    assert shifted == pytest.approx(wasserstein_distance(a.flatten().numpy(), a.flatten().numpy() + 0.3) ** 2, rel=1e-5)


def test_equal_sets_are_at_zero_and_two_of_a_kind_near_it() -> None:
    a, b = noise(20, 1, 16, 16), noise(20, 1, 16, 16, name="others")
    assert distance(a, a).scales == (0, 0)
    far = distance(a, 0.5 * a).value
    assert 0 < distance(a, b).value < far / 10


def test_it_is_symmetric_to_the_last_bit() -> None:
    a, b = noise(3, 3, 12, 16), 0.5 * noise(5, 3, 20, 9, name="others")
    assert distance(a, b) == distance(b, a)


def test_the_order_of_the_images_does_not_matter() -> None:
    # every place once: 6 · 10 · 10 patches at scale 1
    a, b = noise(6, 1, 12, 12), 0.5 * noise(6, 1, 12, 12, name="others")
    every = {"patches": 600, "scales": (1,)}
    assert distance(a.flip(0), b, **every).value == pytest.approx(distance(a, b, **every).value, rel=1e-5)
    # some of them: equal within sampling
    assert distance(a.flip(0), b).value == pytest.approx(distance(a, b).value, rel=0.2)


def test_arrangement_is_seen_and_places_are_not() -> None:
    # waves of 8 pixels; 50 columns have 48 places for a patch of 3, six whole waves
    waves = torch.sin(torch.arange(50) * math.pi / 4).expand(2, 1, 50, 50)
    displaced = torch.sin((torch.arange(50) + 3) * math.pi / 4).expand(2, 1, 50, 50)
    shuffled = shuffled_pixels(waves, stream(0))
    within = {"scales": (1,), "patches": 2000}
    assert distance(waves, displaced, **within).value < 0.01
    assert distance(waves, shuffled, patch=1, **within).value < 0.01
    assert distance(waves, shuffled, **within).value > 0.1


def test_scales_are_averages_of_pixels() -> None:
    a, b = noise(3, 1, 16, 16), noise(3, 1, 16, 16, name="others")
    halved = [images.view(3, 1, 8, 2, 8, 2).mean((3, 5)) for images in (a, b)]
    coarse = distance(a, b, scales=(2,)).scales[0]
    assert coarse == pytest.approx(distance(*halved, scales=(1,)).value, rel=1e-5)
    both = distance(a, b)
    assert both.value == pytest.approx(sum(both.scales) / 2)


def test_directions_are_a_new_orthonormal_basis_each_time() -> None:
    rng = stream(0)
    first, second = directions(6, rng), directions(6, rng)
    for basis in (first, second):
        torch.testing.assert_close(basis.T @ basis, torch.eye(6), atol=1e-5, rtol=0)
    assert not torch.allclose(first, second)


def test_each_place_is_drawn_once_where_there_are_as_many() -> None:
    images = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).view(2, 3, 4, 5)
    within = torch.rand(2 * 3 * 4, generator=stream(0), dtype=torch.float64)
    expected = torch.stack(
        [
            image[:, i : i + 2, j : j + 2].permute(1, 2, 0).flatten()
            for image in images
            for i in range(3)
            for j in range(4)
        ]
    )
    assert torch.equal(draw_patches(images, 2, within), expected)


@pytest.mark.parametrize("count", [1, 5, 100])
def test_draws_are_spread_evenly_over_the_images(count: int) -> None:
    images = torch.arange(10.0).view(10, 1, 1, 1).expand(10, 1, 3, 3)
    for within in (torch.zeros(count).double(), torch.full((count,), 1 - 2**-20, dtype=torch.float64)):
        found = torch.bincount(draw_patches(images, 2, within)[:, 0].long(), minlength=10)
        assert found.sum() == count and found.max() - found.min() <= 1


GOOD = noise(2, 3, 12, 16)


@pytest.mark.parametrize(
    ("bad", "changed", "says"),
    [
        (GOOD[0], {}, r"\[3, 12, 16\] was given beside"),
        (GOOD[:0], {}, r"\[0, 3, 12, 16\] was given beside"),
        (GOOD[:, :1], {}, r"\[2, 1, 12, 16\] was given beside \[2, 3, 12, 16\]; .*as many channels"),
        (GOOD.byte(), {}, r"torch.uint8 .*convert one of them"),
        (GOOD / 0, {}, "not finite; it needs finite ones"),
        (GOOD * math.nan, {}, "not finite; it needs finite ones"),
        (127.5 * (1 + GOOD), {}, r"patch-sliced distance was given .*it needs them in \[-1, 1\]"),
        (GOOD[:, :, :5], {}, r"5 x 16 are 2 pixels wide or high at scale 1/2 and hold no patch of 3 x 3"),
        (GOOD, {"patch": 7}, r"12 x 16 are 6 pixels .*a smaller patch"),
        (GOOD, {"patch": 0}, r"patch=0.*1 or more"),
        (GOOD, {"patches": 0}, r"patches=0.*1 or more"),
        (GOOD, {"scales": ()}, r"scales=\[\].*1 or more"),
        (GOOD, {"scales": (1, 0)}, r"scales=\[1, 0\].*1 or more"),
    ],
)
def test_what_holds_no_patches_is_refused(bad: Tensor, changed: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        distance(GOOD, bad, **changed)
