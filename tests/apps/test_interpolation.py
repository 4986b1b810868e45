"""Walks between latents: straight, with both ends, row by row."""

import pytest
import torch
from torch import Tensor, nn

from tutelage.apps.interpolation import interpolate, linear
from tutelage.checks import InputError
from tutelage.rng import stream


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 5, 5)])
@pytest.mark.parametrize("frames", [2, 3, 9])
def test_straight_from_one_end_to_the_other(shape: tuple[int, ...], frames: int) -> None:
    start, end = torch.randn((2, *shape), generator=stream(0, "ends"), dtype=torch.float64)
    walk = linear(start, end, frames)
    assert walk.shape == (shape[0], frames, *shape[1:])
    assert torch.equal(walk[:, 0], start) and torch.equal(walk[:, -1], end)
    for k in range(frames):
        weight = k / (frames - 1)
        torch.testing.assert_close(walk[:, k], (1 - weight) * start + weight * end)


@pytest.mark.parametrize("frames", [1, 0, -3])
def test_fewer_than_two_frames_are_refused(frames: int) -> None:
    with pytest.raises(InputError, match=f"an interpolation needs 2 frames or more, not {frames}"):
        linear(torch.zeros(2, 3), torch.ones(2, 3), frames)


class AsImage(nn.Module):
    """Latents ``[B, 3]`` as images ``[B, 1, 1, 3]``, with a weight that would learn."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, latents: Tensor) -> Tensor:
        return self.weight * latents[:, None, None]


def test_rows_are_walks_between_draws_from_the_prior() -> None:
    images = interpolate(AsImage(), (3,), rows=5, frames=4, rng=stream(0, "walks"))
    ends = torch.randn((2, 5, 3), generator=stream(0, "walks"))
    assert images.shape == (20, 1, 1, 3) and not images.requires_grad
    walks = images.view(5, 4, 3)
    assert torch.equal(walks, linear(ends[0], ends[1], 4))
    assert torch.equal(images, interpolate(AsImage(), (3,), 5, 4, stream(0, "walks")))
    assert not torch.equal(images, interpolate(AsImage(), (3,), 5, 4, stream(1, "walks")))


def test_the_revision_is_applied_to_all_images_at_once() -> None:
    seen = []

    def revise(images: Tensor) -> Tensor:
        seen.append(images)
        return images + 1

    plain = interpolate(AsImage(), (3,), 5, 4, stream(0, "walks"))
    revised = interpolate(AsImage(), (3,), 5, 4, stream(0, "walks"), revise)
    assert len(seen) == 1 and torch.equal(seen[0], plain)
    assert torch.equal(revised, plain + 1)
