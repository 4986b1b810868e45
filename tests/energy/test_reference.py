"""Reference energies and their draws."""

from __future__ import annotations

import pytest
import torch

from tutelage.checks import InputError
from tutelage.energy import Gaussian, Uniform
from tutelage.gradient import ByAutograd, prepared
from tutelage.rng import stream


def images(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=stream(0, "images"), dtype=torch.float64)


def test_a_gaussian_is_half_the_square_over_the_variance() -> None:
    x = torch.tensor([[[3.0, 4.0]], [[0.0, 1.0]]], dtype=torch.float64)
    assert Gaussian(0.5)(x).tolist() == [25 / 0.5, 1 / 0.5]


def test_its_energy_is_its_log_density_up_to_a_constant() -> None:
    x = images(5, 2, 3)
    log_density = torch.distributions.Normal(x.new_zeros(()), 0.3).log_prob(x).sum((1, 2))
    difference = Gaussian(0.3)(x) + log_density
    torch.testing.assert_close(difference, difference[:1].expand(5))


@pytest.mark.parametrize("energy", [Gaussian(0.3), Uniform()], ids=repr)
@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 3, 5), (4, 1, 2, 3, 3)])
def test_its_own_gradient_is_that_of_automatic_differentiation(energy, shape: tuple[int, ...]) -> None:
    x = images(*shape)
    value, gradient, _ = prepared(energy)(x)
    # the zero keeps the graph of a constant energy alive
    expected = ByAutograd(lambda y: energy(y) + 0 * y.flatten(1).sum(1))(x)
    assert value.shape == (4,) and value.dtype == x.dtype
    torch.testing.assert_close(value, expected.value)
    torch.testing.assert_close(gradient, expected.gradient)


def test_the_uniform_measure_has_no_force() -> None:
    value, gradient, _ = prepared(Uniform())(images(3, 2))
    assert value.tolist() == [0, 0, 0] and gradient.eq(0).all()


def test_draws_have_the_reference_moments() -> None:
    n = 40_000
    noise = Gaussian(0.3).sample((n,), stream(0))
    assert abs(noise.mean().item()) < 4 * 0.3 / n**0.5
    assert abs(noise.var().item() / 0.09 - 1) < 4 * (2 / n) ** 0.5
    flat = Uniform().sample((n,), stream(0))
    assert -1 <= flat.min() < -0.999 and 0.999 < flat.max() <= 1
    assert abs(flat.mean().item()) < 4 / (3 * n) ** 0.5


@pytest.mark.parametrize("energy", [Gaussian(0.3), Uniform()], ids=repr)
def test_draws_come_from_the_generator_given(energy) -> None:
    assert energy.sample((2, 1, 3), stream(1)).shape == (2, 1, 3)
    assert torch.equal(energy.sample((2, 3), stream(1)), energy.sample((2, 3), stream(1)))
    assert not torch.equal(energy.sample((2, 3), stream(1)), energy.sample((2, 3), stream(2)))


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan"), float("inf")])
def test_widths_that_cannot_be_are_refused(std: float) -> None:
    with pytest.raises(InputError, match=f"standard deviation above 0, not {std}"):
        Gaussian(std)
