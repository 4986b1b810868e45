"""Which images make up which batch."""

from __future__ import annotations

import pytest
import torch

from tutelage.checks import InputError
from tutelage.data import Batches
from tutelage.data.batches import _permutation
from tutelage.rng import stream


@pytest.mark.parametrize(("n", "size"), [(10, 5), (10, 3), (7, 7), (3, 10), (1, 4), (5, 1)])
def test_every_image_comes_once_per_epoch(n, size):
    batches = Batches(n, size, seed=1)
    whole = torch.cat([batches.indices(t) for t in range(n)])  # size epochs, exactly
    assert whole.dtype == torch.int64 and len(whole) == n * size
    for epoch, part in enumerate(whole.split(n)):
        assert sorted(part.tolist()) == list(range(n))
        assert torch.equal(part, torch.randperm(n, generator=stream(1, "data", "epoch", epoch)))


def test_a_batch_depends_on_the_iteration_alone():
    forward = [Batches(11, 4, 0).indices(t) for t in range(40)]
    _permutation.cache_clear()
    batches = Batches(11, 4, 0)
    backward = [batches.indices(t) for t in reversed(range(40))]
    assert all(torch.equal(a, b) for a, b in zip(forward, reversed(backward), strict=True))


def test_writing_into_the_indices_changes_no_later_batch():
    batches = Batches(8, 8, 0)
    before = batches.indices(0).clone()
    batches.indices(0).zero_()
    assert torch.equal(batches.indices(0), before)


def test_epochs_and_seeds_differ():
    first = Batches(100, 100, 0)
    assert not torch.equal(first.indices(0), first.indices(1))
    assert not torch.equal(first.indices(0), Batches(100, 100, 1).indices(0))


def test_the_permutation_is_made_once_per_epoch():
    _permutation.cache_clear()
    batches = Batches(100, 10, 0)
    for t in range(10):
        batches.indices(t)
    assert _permutation.cache_info().misses == 1


def test_the_epoch_counts_images():
    assert Batches(10, 5, 0).epoch(3) == 1.5


@pytest.mark.parametrize(("n", "size", "says"), [(0, 1, "number of images is 0"), (3, 0, "batch size is 0")])
def test_nothing_cannot_be_batched(n, size, says):
    with pytest.raises(InputError, match=f"{says}; it must be at least 1"):
        Batches(n, size, 0)


def test_iterations_count_from_zero():
    with pytest.raises(InputError, match="count from 0"):
        Batches(3, 1, 0).indices(-1)
