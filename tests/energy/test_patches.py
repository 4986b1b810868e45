"""The potential of a large image is the sum over its patches."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tutelage.checks import InputError
from tutelage.energy import AllPatches, LogProbability, Patches, RandomPatches, RandomTilt, Tilt, Uniform
from tutelage.energy import patches as module
from tutelage.energy.patches import gather, index_of, places_in, scatter
from tutelage.gradient import ByAutograd, prepared
from tutelage.rng import stream
from tutelage.sample import Langevin, run
from tutelage.types import RandomEnergy

SIZE = (3, 2)
WEIGHT = torch.randn(2, 3, 2, generator=stream(0, "weight"), dtype=torch.float64)
# two images, three patches each: overlapping ones, one drawn twice, and the last place of all
CORNERS = torch.tensor([[[0, 0], [1, 1], [1, 1]], [[2, 4], [1, 3], [0, 4]]])


def images(height: int = 5, width: int = 6, n: int = 2) -> Tensor:
    return torch.randn(n, 2, height, width, generator=stream(0, "images"), dtype=torch.float64)


def potential(patches: Tensor) -> Tensor:
    """One number for each patch of 3 x 2, and not linear."""
    assert patches.shape[1:] == (2, 3, 2)
    return torch.sin(patches * WEIGHT).flatten(1).sum(1) + 0.3 * patches.flatten(1).square().sum(1)


class Counted:
    """``potential``, which knows the sizes of the batches it saw and how often it was prepared."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.snapshots = 0

    def __call__(self, patches: Tensor) -> Tensor:
        self.batches.append(len(patches))
        return potential(patches)

    def prepare(self):
        self.snapshots += 1
        return ByAutograd(self)


def by_hand(x: Tensor, corners: Tensor) -> Tensor:
    """``[B, K]``: the potential of each patch alone."""
    rows = [
        torch.stack([potential(x[i : i + 1, :, r : r + 3, c : c + 2])[0] for r, c in own])
        for i, own in enumerate(corners.tolist())
    ]
    return torch.stack(rows)


def test_it_is_the_sum_over_the_patches_or_their_mean() -> None:
    x = images()
    torch.testing.assert_close(Patches(potential, SIZE, CORNERS)(x), by_hand(x, CORNERS).sum(1))
    torch.testing.assert_close(Patches(potential, SIZE, CORNERS, mean=True)(x), by_hand(x, CORNERS).mean(1))


@pytest.mark.parametrize("mean", [False, True], ids=["sum", "mean"])
def test_its_own_gradient_is_that_of_automatic_differentiation(mean: bool) -> None:
    x, patches = images(), Patches(potential, SIZE, CORNERS, mean=mean)
    value, gradient, told = prepared(patches)(x)
    expected = ByAutograd(patches)(x)
    torch.testing.assert_close(value, expected.value, rtol=0, atol=1e-12)
    torch.testing.assert_close(gradient, expected.gradient, rtol=0, atol=1e-12)
    torch.testing.assert_close(told.logits, by_hand(x, CORNERS))
    assert value.dtype == gradient.dtype == torch.float64 and not gradient.requires_grad


def test_it_counts_the_patches_that_cover_each_pixel() -> None:
    expected = torch.zeros(2, 1, 5, 6, dtype=torch.float64)
    for r in range(5):
        for c in range(6):
            for i in range(2):
                inside = [0 <= r - top < 3 and 0 <= c - left < 2 for top, left in CORNERS[i].tolist()]
                expected[i, 0, r, c] = sum(inside)
    coverage = prepared(Patches(potential, SIZE, CORNERS))(images()).aux.coverage
    assert torch.equal(coverage, expected) and coverage.max() == 3
    # no patch, no force
    gradient = prepared(Patches(potential, SIZE, CORNERS))(images()).gradient
    assert torch.equal((gradient == 0).all(1, keepdim=True), coverage == 0)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_an_index_takes_and_adds_what_slices_do(layout: torch.memory_format) -> None:
    x = images().to(memory_format=layout)
    where = torch.tensor([0, 0, 0, 1, 1, 1]), *CORNERS.flatten(0, 1).unbind(1)
    slices, index = places_in(x, *where, SIZE), index_of(*where, SIZE)
    assert slices == [(0, 0, 0), (0, 1, 1), (0, 1, 1), (1, 2, 4), (1, 1, 3), (1, 0, 4)]
    taken = gather(x, slices, SIZE)
    assert torch.equal(gather(x, index, SIZE), taken) and taken.shape == (6, 2, *SIZE)
    for patches in (taken, torch.ones_like(taken)):
        added, expected = x.clone(), x.clone()
        scatter(added, patches, index, SIZE)
        scatter(expected, patches, slices, SIZE)
        torch.testing.assert_close(added, expected, rtol=0, atol=1e-6)
        assert added.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("chunk", [4, 512])
def test_on_other_devices_than_the_cpu_an_index_gives_the_same_gradient(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, patches = images(), Patches(potential, SIZE, CORNERS.to(torch.int16), mean=True, chunk=chunk)
    expected, called = prepared(patches)(x), patches(x)
    monkeypatch.setattr(module, "places_in", lambda images, *where: index_of(*where))
    found = prepared(patches)(x)
    torch.testing.assert_close(found.value, expected.value)
    torch.testing.assert_close(found.gradient, expected.gradient, rtol=0, atol=1e-6)
    assert torch.equal(found.aux.coverage, expected.aux.coverage) and torch.equal(patches(x), called)
    torch.testing.assert_close(found.gradient, ByAutograd(patches)(x).gradient)


def test_an_image_of_the_size_of_a_patch_has_the_plain_potential() -> None:
    x = images(3, 2)
    plain = ByAutograd(potential)(x)
    once = Patches(potential, SIZE, torch.zeros(2, 1, 2, dtype=torch.int64))
    for patches in (once, replace(once, mean=True), RandomPatches(potential, SIZE, 1).draw(x, stream(0))):
        value, gradient, told = prepared(patches)(x)
        assert torch.equal(patches(x), plain.value) and torch.equal(value, plain.value)
        assert torch.equal(gradient, plain.gradient)
        assert torch.equal(told.logits, plain.value[:, None]) and told.coverage.eq(1).all()
    torch.testing.assert_close(prepared(AllPatches(potential, SIZE))(x).gradient, plain.gradient)


@pytest.mark.parametrize("chunk", [1, 2, 4, 6])
def test_chunks_change_nothing(chunk: int) -> None:
    x, inner = images(), Counted()
    patches = Patches(inner, SIZE, CORNERS, chunk=chunk)
    evaluate = prepared(patches)
    value, gradient, told = evaluate(x)
    assert max(inner.batches) <= chunk and sum(inner.batches) == 6 and inner.snapshots == 1
    whole = prepared(Patches(potential, SIZE, CORNERS))(x)
    torch.testing.assert_close(value, whole.value)
    torch.testing.assert_close(patches(x), whole.value)
    torch.testing.assert_close(gradient, whole.gradient)
    torch.testing.assert_close(told.logits, whole.aux.logits)
    assert torch.equal(told.coverage, whole.aux.coverage)


def test_an_image_in_a_batch_has_what_it_has_alone() -> None:
    x = images()
    together = prepared(Patches(potential, SIZE, CORNERS))(x)
    for i in range(2):
        alone = prepared(Patches(potential, SIZE, CORNERS[i : i + 1]))(x[i : i + 1])
        torch.testing.assert_close(alone.value[0], together.value[i])
        torch.testing.assert_close(alone.gradient[0], together.gradient[i])
        assert torch.equal(alone.aux.coverage[0], together.aux.coverage[i])


def test_the_logits_are_those_the_potential_tells_of() -> None:
    x, patches = images(), Patches(LogProbability(potential), SIZE, CORNERS)
    value, gradient, told = prepared(patches)(x)
    torch.testing.assert_close(told.logits, by_hand(x, CORNERS))
    torch.testing.assert_close(value, by_hand(x, CORNERS).sigmoid().log().sum(1))
    torch.testing.assert_close(gradient, ByAutograd(patches)(x).gradient)
    (passed_on,) = prepared(Tilt(Uniform(), patches))(x).aux.scored
    assert torch.equal(passed_on.logits, told.logits) and torch.equal(passed_on.coverage, told.coverage)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(5, 6), (6, 5), (3, 7), (3, 2)])
def test_the_grid_leaves_no_pixel_out(height: int, width: int, stride: int) -> None:
    x = images(height, width)
    rows = sorted({*range(0, height - 2, stride), height - 3})
    columns = sorted({*range(0, width - 1, stride), width - 2})
    corners = torch.tensor([[[r, c] for r in rows for c in columns]]).repeat(2, 1, 1)
    grid = AllPatches(potential, SIZE, stride)
    value, gradient, told = prepared(grid)(x)
    expected = prepared(Patches(potential, SIZE, corners))(x)
    torch.testing.assert_close(value, expected.value)
    torch.testing.assert_close(grid(x), expected.value)
    torch.testing.assert_close(gradient, expected.gradient)
    torch.testing.assert_close(told.logits, expected.aux.logits)
    assert told.coverage.min() >= 1
    if stride == 1:
        assert told.logits.shape[1] == (height - 2) * (width - 1)


def test_the_grid_takes_a_snapshot_when_prepared_and_images_of_any_size() -> None:
    inner = Counted()
    evaluate = prepared(AllPatches(inner, SIZE, mean=True))
    assert inner.snapshots == 1
    for side in (4, 5, 7):
        value, _, told = evaluate(images(side, side))
        torch.testing.assert_close(value, told.logits.mean(1))
    assert inner.snapshots == 1


def test_random_places_are_uniform_and_reach_every_corner() -> None:
    n = 6000
    corners = RandomPatches(potential, SIZE, n).draw(images(), stream(0)).corners
    assert corners.shape == (2, n, 2) and corners.device.type == "cpu"
    for own in corners:  # 3 rows and 5 columns of places in 5 x 6
        place, counts = (own @ torch.tensor([5, 1])).unique(return_counts=True)
        assert place.tolist() == list(range(15)) and own.amax(0).tolist() == [2, 4]
        expected = n / 15
        assert (counts - expected).abs().max() < 5 * expected**0.5
    assert not torch.equal(corners[0], corners[1])


def test_places_come_from_the_generator_given() -> None:
    drawing = RandomPatches(potential, SIZE, 4)
    rng = stream(1)
    first, fresh = drawing.draw(images(), rng).corners, drawing.draw(images(), rng).corners
    assert torch.equal(first, drawing.draw(images(), stream(1)).corners) and not torch.equal(first, fresh)


def test_random_patches_are_random_and_fixed_ones_are_not() -> None:
    assert isinstance(RandomPatches(potential, SIZE, 1), RandomEnergy)
    assert not isinstance(Patches(potential, SIZE, CORNERS), RandomEnergy)
    assert not isinstance(AllPatches(potential, SIZE), RandomEnergy)
    drawn = RandomPatches(potential, SIZE, 4, mean=True, chunk=3).draw(images(), stream(0))
    assert (drawn.mean, drawn.chunk, drawn.size) == (True, 3, SIZE)
    torch.testing.assert_close(drawn(images()), by_hand(images(), drawn.corners).mean(1))


def test_a_chain_on_random_patches_prepares_the_potential_once() -> None:
    inner = Counted()
    energy = RandomTilt(Uniform(), RandomPatches(inner, SIZE, 3))
    moved, info = run(Langevin(0.1), energy, images(), 5, stream(0))
    assert inner.snapshots == 1 and inner.batches == [6] * 5
    assert moved.shape == images().shape and info.aux.scored[-1].logits.shape == (2, 3)


def test_the_log_probability_is_minus_the_cross_entropy_to_label_one() -> None:
    def logit(x: Tensor) -> Tensor:
        return 40 * torch.sin(3 * x).flatten(1).sum(1)

    x = images(n=6)
    value, gradient, told = prepared(LogProbability(logit))(x)
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits(logit(x), x.new_ones(6), reduction="none")
    torch.testing.assert_close(value, -cross_entropy)
    torch.testing.assert_close(LogProbability(logit)(x), -cross_entropy)
    expected = ByAutograd(LogProbability(logit))(x).gradient
    torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-12)
    assert torch.equal(told.logits, logit(x)[:, None]) and told.coverage is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomPatches(potential, SIZE, 0), "per_image is 0; an image needs 1 patch or more"),
        (lambda: AllPatches(potential, SIZE, 0), "stride is 0; patches of 3 x 2 need a stride from 1 to 2"),
        (lambda: AllPatches(potential, SIZE, 3), "stride is 3; .* leave no pixel out"),
        (lambda: Patches(potential, (3, 0), CORNERS), r"size of a patch is \(3, 0\); it needs to be \(height, width\)"),
        (lambda: RandomPatches(potential, (3,), 1), r"size of a patch is \(3,\)"),
        (lambda: Patches(potential, SIZE, CORNERS, chunk=0), "chunk is 0; it needs to be 1 or more"),
        (lambda: Patches(potential, SIZE, CORNERS[0]), r"int64 \[3, 2\]; they need to be whole numbers \[B, K, 2\]"),
        (lambda: Patches(potential, SIZE, CORNERS[:, :0]), r"int64 \[2, 0, 2\]; they need .* K at least 1"),
        (lambda: Patches(potential, SIZE, CORNERS[..., :1]), r"int64 \[2, 3, 1\]; they need"),
        (lambda: Patches(potential, SIZE, CORNERS.double()), r"float64 \[2, 3, 2\]; they need to be whole"),
    ],
)
def test_sizes_and_corners_that_cannot_be_are_refused(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    "patches",
    [
        Patches(potential, SIZE, CORNERS),
        AllPatches(potential, SIZE),
        Patches(potential, SIZE, CORNERS).prepare(),
        AllPatches(potential, SIZE).prepare(),
        lambda x: RandomPatches(potential, SIZE, 2).draw(x, stream(0)),
    ],
    ids=["Patches", "AllPatches", "Patches prepared", "AllPatches prepared", "RandomPatches"],
)
def test_images_that_patches_do_not_fit_are_refused(patches) -> None:
    with pytest.raises(InputError, match="images are 2 x 6, smaller than a patch of 3 x 2; give images at least as"):
        patches(images(2, 6))
    with pytest.raises(InputError, match="images are 4 x 1, smaller than a patch of 3 x 2"):
        patches(images(4, 1))
    with pytest.raises(
        InputError, match=r"images are \[2, 5, 6\]; patches are cut from images of shape \[B, C, H, W\]"
    ):
        patches(images()[:, 0])


def test_corners_of_other_images_are_refused() -> None:
    patches = Patches(potential, SIZE, CORNERS)
    with pytest.raises(InputError, match="3 images were given for the corners of 2"):
        patches(images(n=3))
    for height, width in ((4, 6), (5, 5)):
        message = rf"lie in \[0, 0\] to \[2, 4\].* corners from \[0, 0\] to \[{height - 3}, {width - 2}\]"
        with pytest.raises(InputError, match=message):
            prepared(patches)(images(height, width))
    with pytest.raises(InputError, match=r"lie in \[-1, -1\]"):
        replace(patches, corners=CORNERS - 1)(images())
