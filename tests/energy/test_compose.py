"""Tilting: the one place where the sign flips."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tutelage.energy import Gaussian, Tilt, Uniform
from tutelage.gradient import ByAutograd, prepared
from tutelage.rng import stream


def smooth(x: Tensor) -> Tensor:
    return torch.sin(2 * x).flatten(1).sum(1)


def skewed(x: Tensor) -> Tensor:
    return (x - x.pow(3) / 5).flatten(1).sum(1) ** 2


def images() -> Tensor:
    return torch.randn(5, 2, 3, 3, generator=stream(0, "images"), dtype=torch.float64)


def test_energy_is_the_reference_minus_the_potentials() -> None:
    x = images()
    torch.testing.assert_close(Tilt(Gaussian(0.5), smooth)(x), 2 * x.square().sum((1, 2, 3)) - smooth(x))
    assert Tilt(Gaussian(0.5), smooth, skewed)(x).shape == (5,)


def test_a_larger_potential_is_a_smaller_energy_and_the_gradient_leads_there() -> None:
    x = torch.zeros(1, 1, dtype=torch.float64)
    tilt = Tilt(Uniform(), lambda y: 3 * y.sum(1))
    assert tilt(x + 1) < tilt(x)
    assert prepared(tilt)(x).gradient.item() == -3


@pytest.mark.parametrize("reference", [Gaussian(0.7), Uniform()], ids=repr)
def test_tilting_twice_is_tilting_by_both(reference) -> None:
    x = images()
    together, nested = Tilt(reference, smooth, skewed), Tilt(Tilt(reference, smooth), skewed)
    torch.testing.assert_close(together(x), nested(x))
    for answer in (together, nested):
        value, gradient, _ = prepared(answer)(x)
        torch.testing.assert_close(value, together(x))
        torch.testing.assert_close(gradient, ByAutograd(together)(x).gradient)


def test_the_two_forces_are_told_apart() -> None:
    x = images()
    _, gradient, terms = prepared(Tilt(Gaussian(0.7), smooth, skewed))(x)
    torch.testing.assert_close(terms.reference, x / 0.49)
    torch.testing.assert_close(terms.potential, ByAutograd(lambda y: smooth(y) + skewed(y))(x).gradient)
    torch.testing.assert_close(gradient, terms.reference - terms.potential)


def test_without_potentials_the_reference_remains() -> None:
    x = images()
    value, gradient, _ = prepared(Tilt(Gaussian(0.7)))(x)
    torch.testing.assert_close(value, Gaussian(0.7)(x))
    torch.testing.assert_close(gradient, x / 0.49)


def test_an_image_in_a_batch_has_the_energy_it_has_alone() -> None:
    x, energy = images(), Tilt(Gaussian(0.7), smooth, skewed)
    together = prepared(energy)(x)
    for i in range(len(x)):
        alone = prepared(energy)(x[i : i + 1])
        torch.testing.assert_close(alone.value[0], together.value[i])
        torch.testing.assert_close(alone.gradient[0], together.gradient[i])
        torch.testing.assert_close(energy(x[i : i + 1])[0], together.value[i])


def test_it_prints_its_parts() -> None:
    assert repr(Tilt(Tilt(Gaussian(0.5), smooth), smooth)) == "Tilt(Tilt(Gaussian(std=0.5), function), function)"
    assert repr(Tilt(Uniform())) == "Tilt(Uniform())"
