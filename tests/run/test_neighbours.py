"""Samples stand beside their nearest training images, and the two means tell copies from samples."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tiny_recipes import tiny_images
from tutelage.checks import InputError
from tutelage.data import from_array
from tutelage.rng import stream
from tutelage.run import neighbours
from tutelage.run.measures import as_pictures
from tutelage.run.neighbours import nearest_picture
from tutelage.run.pictures import grid

OBSERVED = tiny_images(20)
REAL = OBSERVED.batch(slice(None))
HELD_OUT = from_array(np.random.default_rng(1).integers(0, 256, (6, 1, 8, 8), dtype=np.uint8), layout="NCHW")
SAMPLES = 2 * torch.rand(12, 1, 8, 8, generator=stream(0)) - 1


def distances(a: Tensor, b: Tensor) -> Tensor:
    return (a[:, None] - b[None]).double().square().mean((2, 3, 4)).sqrt()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_VALUES", 7 * 64 + 1)


def test_each_row_is_a_sample_and_its_nearest_images() -> None:
    found = nearest_picture(2 * SAMPLES, OBSERVED, rows=3, k=2)
    drawn = as_pictures(2 * SAMPLES)
    expected, order = distances(drawn[:3], REAL).topk(2, largest=False)
    torch.testing.assert_close(found.distances, expected)
    panels = [image for sample, near in zip(drawn, order, strict=False) for image in (sample, *REAL[near])]
    picture = grid(torch.stack(panels), columns=3, scale=8)
    assert found.picture.size == (3 * 8 * 8 + 4 * 2 * 8, 3 * 8 * 8 + 4 * 2 * 8)
    assert found.picture.tobytes() == picture.tobytes()


def test_means_are_over_all_samples_and_held_out_images() -> None:
    found = nearest_picture(SAMPLES, OBSERVED, HELD_OUT, rows=2)
    assert found.samples == pytest.approx(distances(as_pictures(SAMPLES), REAL).amin(1).mean().item())
    assert found.real == pytest.approx(distances(HELD_OUT.batch(slice(None)), REAL).amin(1).mean().item())
    assert found.held_out and found.distances.shape == (2, 3)
    assert f"Samples are {found.samples:.3f}" in found.sentence
    assert found.sentence.endswith(f"held-out images are {found.real:.3f}.")


def test_without_held_out_images_training_images_are_compared_with_others() -> None:
    found = nearest_picture(SAMPLES, OBSERVED)
    others = distances(REAL, REAL).fill_diagonal_(torch.inf)
    assert found.real == pytest.approx(others.amin(1).mean().item())
    assert not found.held_out and "training images are from each other" in found.sentence


def test_copies_are_told() -> None:
    found = nearest_picture(REAL[[3, 8]], OBSERVED, HELD_OUT)
    assert found.samples == 0 and (found.distances[:, 0] == 0).all() and found.real > 0.1


def test_mirror_images_are_copies_too_where_learning_mirrored() -> None:
    turned = REAL[[3, 8]].flip(-1)
    found = nearest_picture(turned, OBSERVED, rows=2, k=1, mirrored=True)
    both = torch.cat([REAL, REAL.flip(-1)])
    others = distances(REAL, both)
    others[range(20), range(20)] = others[range(20), range(20, 40)] = torch.inf
    assert found.samples == 0 < nearest_picture(turned, OBSERVED).samples
    assert "from the nearest training image or its mirror image on average" in found.sentence
    assert found.real == pytest.approx(others.amin(1).mean().item())
    even = from_array((REAL + REAL.flip(-1)).numpy() / 2)
    assert nearest_picture(SAMPLES, even, mirrored=True).real > 0.1, "its own mirror image is no other"
    shown = grid(turned.repeat_interleave(2, 0), columns=2, scale=8)
    assert found.picture.tobytes() == shown.tobytes(), "each is beside the mirror image that it copies"


def test_counts_limit_what_is_looked_at_and_the_seed_decides_which() -> None:
    found = nearest_picture(SAMPLES, OBSERVED, rows=1, count=4)
    assert found.distances.shape == (1, 3)
    assert found.samples == pytest.approx(distances(as_pictures(SAMPLES[:4]), REAL).amin(1).mean().item())
    again = nearest_picture(SAMPLES, OBSERVED, rows=1, count=4)
    other = nearest_picture(SAMPLES, OBSERVED, rows=1, count=4, seed=1)
    assert again.real == found.real != other.real
    assert nearest_picture(SAMPLES, OBSERVED, rows=5, count=4).distances.shape == (5, 3)


@pytest.mark.parametrize(("size", "held_out", "k"), [(1, True, 1), (2, True, 2), (2, False, 1), (9, False, 3)])
def test_few_training_images_give_few_neighbours(size: int, held_out: bool, k: int) -> None:
    observed = OBSERVED.subset(0, size, "few")
    found = nearest_picture(SAMPLES, observed, HELD_OUT if held_out else None)
    assert found.distances.shape == (10, k)


@pytest.mark.parametrize(
    ("samples", "changed", "says"),
    [
        (SAMPLES[0], {}, r"samples \[1, 8, 8\], .* training images \[1, 8, 8\]; samples need"),
        (SAMPLES[:0], {}, r"samples \[0, 1, 8, 8\]"),
        (SAMPLES[:, :, :4], {}, r"samples \[12, 1, 4, 8\], .*of that size"),
        (SAMPLES, {"rows": 0}, "rows=0"),
        (SAMPLES, {"k": 0}, "k=0"),
        (SAMPLES, {"count": 0}, "count=0"),
        (SAMPLES / 0, {}, "not finite"),
    ],
)
def test_what_has_no_neighbours_is_refused(samples: Tensor, changed: dict[str, int], says: str) -> None:
    with pytest.raises(InputError, match=says):
        nearest_picture(samples, OBSERVED, **changed)


def test_one_image_alone_has_no_other() -> None:
    with pytest.raises(InputError, match="one training image and none held out"):
        nearest_picture(SAMPLES, OBSERVED.subset(0, 1, "one"))
