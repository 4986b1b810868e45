"""Walks between latents: straight, with both ends, row by row."""

import pytest
import torch
from torch import Tensor, nn

from tutelage.apps.interpolation import interpolate, linear, spherical
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


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 5, 5)])
def test_the_arc_goes_in_even_angles_and_lengths(shape: tuple[int, ...]) -> None:
    start, end = torch.randn((2, *shape), generator=stream(0, "ends"), dtype=torch.float64)
    walk = spherical(start, end, 5).flatten(2)
    assert torch.equal(walk[:, 0], start.flatten(1)) and torch.equal(walk[:, -1], end.flatten(1))
    lengths = walk.norm(dim=2)
    torch.testing.assert_close(lengths.diff(dim=1), (lengths[:, -1:] - lengths[:, :1]).expand(-1, 4) / 4)
    units = walk / lengths.unsqueeze(2)
    steps = (units[:, 1:] * units[:, :-1]).sum(2).acos()
    torch.testing.assert_close(steps, steps.mean(1, keepdim=True).expand_as(steps), rtol=1e-6, atol=1e-8)
    # a quarter circle, by hand
    quarter = spherical(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 3)
    torch.testing.assert_close(quarter[0, 1], torch.tensor([0.5**0.5, 0.5**0.5]))


def test_an_arc_between_ends_on_one_line_is_that_line() -> None:
    start = torch.tensor([[1.0, 2.0], [1.0, 0.0]])
    end = torch.tensor([[2.0, 4.0], [-1.0, 0.0]])
    assert torch.equal(spherical(start, end, 4), linear(start, end, 4))


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


def test_a_walk_may_follow_the_arc() -> None:
    ends = torch.randn((2, 5, 3), generator=stream(0, "walks"))
    images = interpolate(AsImage(), (3,), 5, 4, stream(0, "walks"), path=spherical)
    assert torch.equal(images.view(5, 4, 3), spherical(ends[0], ends[1], 4))


def test_the_revision_is_applied_to_all_images_at_once() -> None:
    seen = []

    def revise(images: Tensor) -> Tensor:
        seen.append(images)
        return images + 1

    plain = interpolate(AsImage(), (3,), 5, 4, stream(0, "walks"))
    revised = interpolate(AsImage(), (3,), 5, 4, stream(0, "walks"), revise)
    assert len(seen) == 1 and torch.equal(seen[0], plain)
    assert torch.equal(revised, plain + 1)
