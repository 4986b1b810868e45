"""The generator of texture nets: a torus, any size, its parameters by hand, and both modes of batch norm."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tutelage.checks import InputError
from tutelage.nets import Pyramid, PyramidSpec
from tutelage.rng import stream

SPEC = PyramidSpec(shape=(3, 16, 24), scales=3, channels=4, noise=2)


def network(**changes: Any) -> Pyramid:
    return Pyramid(SPEC, stream(0, "weights"), **changes)


def noise(n: int, height: int = 4, width: int = 6) -> Tensor:
    return torch.randn(n, SPEC.latent_shape[0], height, width, generator=stream(1, "noise"))


def test_the_noise_of_all_scales_is_one_tensor() -> None:
    assert SPEC.of_scales == [2, 8, 32] and SPEC.period == 4 and SPEC.latent_shape == (42, 4, 6)
    assert network()(noise(2)).shape == (2, 3, 16, 24)


@pytest.mark.parametrize("training", [True, False])
def test_noise_that_is_rolled_makes_an_image_that_is_rolled(training: bool) -> None:
    generator = network().double().train(training)
    z = noise(2).double()
    with torch.no_grad():
        image, rolled = generator(z), generator(z.roll((1, -2), (2, 3)))
    torch.testing.assert_close(rolled, image.roll((4, -8), (2, 3)))
    assert not torch.allclose(rolled, image)


def test_noise_of_another_size_makes_an_image_of_another_size() -> None:
    assert network().eval()(noise(1, 3, 9)).shape == (1, 3, 12, 36)


def test_every_scale_of_the_noise_counts() -> None:
    generator, z = network().eval(), noise(1)
    image = generator(z)
    for start in (0, 2, 10):  # the first value of each scale
        moved = z.clone()
        moved[:, start] += 1
        assert not torch.allclose(generator(moved), image)


def test_parameters_by_hand() -> None:
    def block(below: int, channels: int) -> int:
        norms = 3 * 2 * channels
        return 9 * below * channels + 9 * channels**2 + channels**2 + norms

    expected = 3 * block(2, 4) + block(8, 8) + block(12, 12) + 2 * (8 + 12) + (12 * 3 + 3)
    assert sum(parameter.numel() for parameter in network().parameters()) == expected


def test_in_training_an_image_depends_on_its_batch_and_in_evaluation_it_does_not() -> None:
    generator, z = network(), noise(3)
    with torch.no_grad():
        generator.train()
        assert not torch.allclose(generator(z)[:1], generator(z[:1]))
        generator.eval()
        torch.testing.assert_close(generator(z)[:1], generator(z[:1]))


def test_low_precision_is_near() -> None:
    with torch.no_grad():
        full, low = network().eval()(noise(1)), network(precision="bfloat16").eval()(noise(1))
    assert low.dtype == torch.float32 and not torch.equal(full, low)
    torch.testing.assert_close(low, full, rtol=0.1, atol=0.1 * float(full.abs().max()))


@pytest.mark.parametrize("shape", [(1, 41, 4, 6), (42, 4, 6)])
def test_other_noise_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"takes noise of shape \[B, 42, 4, 6\] \(any height and width\)"):
        network()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"scales": 0}, "scales of a multi-scale generator is 0; it needs"),
        ({"slope": 2.0}, "slope of a multi-scale generator is 2"),
        ({"shape": (3, 10, 16)}, "of 3 scales makes sides that are multiples of 4, not 10x16; change the size"),
    ],
)
def test_specs_that_cannot_work_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        PyramidSpec(**{"shape": (3, 16, 16), "scales": 3, **changes})
