"""The neighbours found are those of all pairs, whatever the chunks; copies are at distance 0."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tutelage.checks import InputError
from tutelage.metrics.nearest import nearest
from tutelage.rng import stream


def uniform(*shape: int, name: str = "images") -> Tensor:
    return torch.rand(shape, generator=stream(0, name)) * 2 - 1


IMAGES, SET = uniform(4, 3, 2, 5), uniform(23, 3, 2, 5, name="set")
RMS = np.sqrt(((IMAGES[:, None] - SET[None]).double() ** 2).mean((2, 3, 4)).numpy())


@pytest.mark.parametrize("chunk", [1, 2, 7, 23, 100])
@pytest.mark.parametrize("k", [1, 3, 23])
def test_they_are_those_of_all_pairs(chunk: int, k: int) -> None:
    found = nearest(IMAGES, SET.split(chunk), k)
    order = RMS.argsort(1)[:, :k]
    assert found.indices.tolist() == order.tolist()
    assert found.distances.dtype == torch.float64
    np.testing.assert_allclose(found.distances.numpy(), np.take_along_axis(RMS, order, 1), rtol=1e-12)


def test_a_copy_is_at_zero_and_a_shift_at_its_size() -> None:
    copies = SET[[5, 11]]
    found = nearest(copies, SET.split(4))
    assert found.indices.tolist() == [[5], [11]] and (found.distances == 0).all()
    found = nearest(copies + 0.01, SET.split(4))
    assert found.indices.tolist() == [[5], [11]]
    torch.testing.assert_close(found.distances, torch.full((2, 1), 0.01, dtype=torch.float64), rtol=1e-5, atol=0)


@pytest.mark.parametrize("chunk", [1, 4, 23])
def test_an_image_of_the_set_is_not_its_own_neighbour(chunk: int) -> None:
    twice = torch.cat([SET, SET[5:6]])
    exclude = torch.tensor([5, 11, -1])
    found = nearest(twice[[5, 11, 11]], twice.split(chunk), 2, exclude)
    assert found.indices[0, 0] == 23 and found.distances[0, 0] == 0  # its twin is found
    assert 11 not in found.indices[1] and found.distances[1, 0] > 0
    assert found.indices[2, 0] == 11 and found.distances[2, 0] == 0


def test_only_one_chunk_is_asked_for_at_a_time() -> None:
    def chunks():
        for start in range(0, 23, 5):
            chunk = SET[start : start + 5].clone()
            yield chunk
            chunk.fill_(float("nan"))  # nothing of it may be needed any more

    assert nearest(IMAGES, chunks(), 3).indices.tolist() == RMS.argsort(1)[:, :3].tolist()


@pytest.mark.parametrize(
    ("images", "chunks", "k", "says"),
    [
        (IMAGES, [SET], 0, r"the 0 nearest of images \[4, 3, 2, 5\]"),
        (IMAGES[:0], [SET], 1, r"images \[0, 3, 2, 5\] were asked for"),
        (IMAGES / 0, [SET], 1, "images that are finite"),
        (IMAGES, [SET[:, :1]], 1, r"images \[1, 2, 5\] are in the set .* images \[3, 2, 5\]; .*resize"),
        (IMAGES, [SET[:3]], 4, "4 neighbours of each image were asked for among 3 images"),
        (IMAGES, [], 1, "among 0 images"),
        (IMAGES, [SET[:2] * float("nan")], 2, "among 2 images that are finite"),
    ],
)
def test_what_has_no_neighbours_is_refused(images: Tensor, chunks: list[Tensor], k: int, says: str) -> None:
    with pytest.raises(InputError, match=says):
        nearest(images, chunks, k)


def test_the_last_but_itself_is_no_neighbour() -> None:
    with pytest.raises(InputError, match="ask for fewer, or give more"):
        nearest(SET[:2], [SET[:2]], 2, torch.tensor([0, 1]))
