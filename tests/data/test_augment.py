"""Mirrored images are a function of the seed and the iteration."""

from __future__ import annotations

import torch

from tutelage.data import flip


def batch(count: int = 64) -> torch.Tensor:
    return torch.arange(count * 12, dtype=torch.float32).view(count, 2, 2, 3)


def test_each_image_is_itself_or_its_mirror_image():
    images = batch(2000)
    before = images.clone()
    found = flip(images, 3, 7)
    mirrored = (found == images.flip(-1)).flatten(1).all(1)
    kept = (found == images).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert 900 < int(mirrored.sum()) < 1100
    assert torch.equal(images, before), "the batch that was given stays as it was"


def test_the_same_seed_and_iteration_flip_the_same():
    assert torch.equal(flip(batch(), 3, 7), flip(batch(), 3, 7))
    assert not torch.equal(flip(batch(), 3, 7), flip(batch(), 3, 8))
    assert not torch.equal(flip(batch(), 3, 7), flip(batch(), 4, 7))


def test_no_state_is_touched():
    before = torch.random.get_rng_state()
    flip(batch(), 0, 0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_on_any_device(device):
    found = flip(batch().to(device), 0, 0)
    assert found.device.type == device.type and torch.equal(found.cpu(), flip(batch(), 0, 0))
