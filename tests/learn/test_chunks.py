"""Images are treated as many at a time as suit their size and the device."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tutelage.learn.chunks import generate, images_per_chunk


@pytest.mark.parametrize(
    ("shape", "on_cpu", "elsewhere"),
    [
        ((1, 28, 28), 500, 4_000),
        ((3, 32, 32), 325, 4_000),
        ((3, 64, 64), 81, 1_302),
        ((3, 256, 256), 5, 81),
        ((3, 64, 128, 128), 1, 5),
        ((3, 2_000, 20_000), 1, 1),
    ],
)
def test_a_chunk_suits_the_size_and_the_device(shape: tuple[int, ...], on_cpu: int, elsewhere: int) -> None:
    assert images_per_chunk(shape) == images_per_chunk(shape, "cpu") == on_cpu
    assert images_per_chunk(shape, "cuda") == images_per_chunk(shape, torch.device("cuda", 1)) == elsewhere


class Counting(nn.Module):
    """A generator of images of three pixels that notes how many it is asked for at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.gain = nn.Parameter(torch.tensor(2.0))

    def forward(self, latents: Tensor) -> Tensor:
        self.batches.append(len(latents))
        return self.gain * latents.view(-1, 1, 1, 3)


@pytest.mark.parametrize(("n", "batches"), [(1, [1]), (4, [1, 4]), (501, [1, 500, 1])])
def test_images_are_generated_in_chunks_and_one_alone_only_once(n: int, batches: list[int]) -> None:
    generator, latents = Counting(), torch.arange(3.0 * n).view(n, 3)
    made = generate(generator, latents)
    assert generator.batches == batches
    assert torch.equal(made, 2 * latents.view(n, 1, 1, 3)) and not made.requires_grad
