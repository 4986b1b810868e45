"""A descriptor's numbers are f and ln p0 of eqs. (2) and (3), and where f makes a Gaussian, its log-density."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from toy_networks import LinearPotential
from tutelage.apps.descriptor_density import terms
from tutelage.checks import InputError
from tutelage.energy import Gaussian, Tilt, Uniform
from tutelage.rng import stream


def images(n: int = 5, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(n, 1, 2, 3, generator=stream(0, "images"), dtype=dtype) * 2 - 1


def linear(first: Tensor | float, second: Tensor | float) -> LinearPotential:
    """f(Y) = Σ (first Y + second Y²)."""
    potential = LinearPotential(6)
    with torch.no_grad():
        potential.weight[:6], potential.weight[6:] = first, second
    return potential


def test_the_parts_are_those_of_the_equations() -> None:
    x, s = images(), 0.3
    found = terms(linear(2.0, -0.5), Gaussian(s), x)
    flat = x.flatten(1)
    torch.testing.assert_close(found.potential, (2 * flat - 0.5 * flat**2).sum(1))
    torch.testing.assert_close(found.reference, -flat.square().sum(1) / (2 * s**2))
    torch.testing.assert_close(found.total, found.potential + found.reference)
    assert found._fields == ("potential", "reference", "total")
    assert all(part.shape == (5,) and part.dtype == torch.float64 and not part.requires_grad for part in found)


def test_the_sum_is_minus_the_energy_of_the_tilt() -> None:
    potential, x = linear(2.0, -0.5), images()
    torch.testing.assert_close(terms(potential, Gaussian(0.3), x).total, -Tilt(Gaussian(0.3), potential)(x))


def test_a_potential_that_makes_a_gaussian_gives_its_log_density_up_to_a_constant() -> None:
    """f − E_0 = −(Y − μ)² / (2 σ²) + constant where f = μ Y / σ² + (1 / s² − 1 / σ²) Y² / 2."""
    s, std, mean = 0.5, 0.2, torch.linspace(-0.4, 0.6, 6, dtype=torch.float64)
    potential, x = linear(mean / std**2, (1 / s**2 - 1 / std**2) / 2), images(20)
    density = torch.distributions.Normal(mean, std).log_prob(x.flatten(1)).sum(1)
    constant = terms(potential, Gaussian(s), x).total - density
    torch.testing.assert_close(constant, constant[:1].expand(20))


def test_the_uniform_measure_adds_nothing() -> None:
    found = terms(linear(1.0, 0.0), Uniform(), images())
    assert torch.equal(found.total, found.potential)
    assert found.reference.tolist() == [0.0] * 5 and not found.reference.signbit().any()


def test_a_narrow_reference_does_not_swallow_the_potential() -> None:
    """|Y|² / (2 · .016²) is some thousands: in float32 it has three decimals."""
    x = images(dtype=torch.float32)
    potential = lambda some: 1e-5 * some.flatten(1).sum(1)  # noqa: E731
    found = terms(potential, Gaussian(0.016), x)
    torch.testing.assert_close(found.total - found.reference, potential(x).double(), atol=1e-9, rtol=0)


class WithBatchNorm(nn.Module):
    """Whose answers would depend on the batch while it learns."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(images).flatten(1).sum(1)


@pytest.mark.parametrize("chunk", [None, 1, 2])
def test_an_image_counts_the_same_alone_and_among_others(chunk: int | None) -> None:
    network, x = WithBatchNorm(), images(dtype=torch.float32)
    found = terms(network, Gaussian(0.3), x, chunk)
    torch.testing.assert_close(found.total, torch.cat([terms(network, Gaussian(0.3), one[None]).total for one in x]))
    assert network.training and network.norm.num_batches_tracked == 0, "it is left as it was"


@pytest.mark.parametrize(
    ("x", "chunk", "message"),
    [
        (
            torch.zeros(2, 1, 2, 3, dtype=torch.uint8),
            None,
            r"images are torch.uint8 \[2, .*; floats .*from_uint8",
        ),
        (torch.zeros(2, 6), None, r"images are torch.float32 \[2, 6\]; floats \[B, C, \*space\]"),
        (torch.zeros(0, 1, 2, 3), None, "B of 1 or more"),
        (images(), 0, "chunk is 0; it needs to be 1 or more"),
    ],
)
def test_what_are_no_images_is_refused(x: Tensor, chunk: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        terms(linear(1.0, 0.0), Gaussian(0.3), x, chunk)


def test_a_potential_needs_one_number_for_each_image() -> None:
    with pytest.raises(InputError, match=r"function gave numbers of shape \[5, 6\] for 5 images; .* for each, \[5\]"):
        terms(lambda x: x.flatten(1), Gaussian(0.3), images())
