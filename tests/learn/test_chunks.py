"""Images are treated as many at a time as suit their size and the device."""

from __future__ import annotations

import pytest
import torch

from tutelage.learn.chunks import images_per_chunk


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
