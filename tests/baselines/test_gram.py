"""Gram matrices in closed form, the gradient of their loss by finite differences, and histograms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tutelage.baselines.descent import Plan
from tutelage.baselines.gram import GramEnergy, gram, matched, synthesise
from tutelage.baselines.texture_maps import RandomFilters
from tutelage.checks import InputError
from tutelage.rng import stream

FILTERS = RandomFilters(sizes=(3, 5), count=4)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(shape, generator=stream(seed, "noise"), dtype=torch.float64) - 1


def test_of_constant_maps_it_is_their_outer_product() -> None:
    values = torch.tensor([1.0, -2.0, 3.0])
    maps = values.view(1, 3, 1, 1).expand(2, 3, 4, 5)
    torch.testing.assert_close(gram(maps), torch.outer(values, values).expand(2, 3, 3))


def test_the_energy_is_the_papers_formula() -> None:
    example, x = noise(1, 8, 8), noise(2, 1, 8, 8, seed=1)
    expected = torch.zeros(2, dtype=torch.float64)
    for of_example, layer in zip(FILTERS(example[None]), FILTERS(x), strict=True):
        scale, count = of_example.mean(), layer.shape[1]
        wanted, found = (torch.einsum("bihw,bjhw->bij", m / scale, m / scale) / 64 for m in (of_example, layer))
        expected += (found - wanted).square().sum((1, 2)) / (4 * count**2)
    torch.testing.assert_close(GramEnergy(example, FILTERS)(x), expected)


def test_it_is_0_on_the_example_and_of_several_the_mean_counts() -> None:
    examples = noise(2, 1, 8, 8)
    energy = GramEnergy(examples[0], FILTERS)
    assert energy(examples[:1]).item() == pytest.approx(0, abs=1e-20) and energy(examples[1:]).item() > 1e-3
    torch.testing.assert_close(GramEnergy(examples[:1].repeat(3, 1, 1, 1), FILTERS).targets, energy.targets)
    assert "RandomFilters(sizes=(3, 5)" in repr(energy)


def test_the_gradient_is_that_of_finite_differences() -> None:
    energy, x = GramEnergy(noise(1, 8, 8), FILTERS), noise(1, 1, 8, 8, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(energy, (x,), eps=1e-6, atol=1e-6)


def test_a_layer_that_sees_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"of 2 layers of maps, those of numbers \[0, 1\] are 0 all over"):
        GramEnergy(torch.zeros(1, 8, 8), FILTERS)
    with pytest.raises(InputError, match=r"of 0 layers of maps"):
        GramEnergy(torch.ones(1, 8, 8), lambda images: [])


def test_matching_gives_exactly_the_examples_values_in_the_same_order() -> None:
    example, images = noise(3, 6, 5), noise(2, 3, 5, 6, seed=1)
    found = matched(images, example)
    torch.testing.assert_close(found.flatten(2).sort().values, example.flatten(1).sort().values.expand(2, -1, -1))
    assert torch.equal(found.flatten(2).argsort(), images.flatten(2).argsort())


def test_matching_another_size_takes_quantiles() -> None:
    example = torch.arange(4.0).view(1, 2, 2)
    found = matched(torch.arange(8.0).view(1, 1, 2, 4), example)
    assert found.flatten().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert matched(torch.tensor([[[[5.0, 3.0]]]]), example).flatten().tolist() == [3, 1]


def test_a_synthesised_texture_is_nearer_than_noise_and_has_the_examples_values() -> None:
    across = torch.arange(16.0) * torch.pi / 4
    example = across.sin().expand(1, 16, 16)
    energy, start = GramEnergy(example, FILTERS), noise(2, 1, 16, 16).float()
    made = synthesise(example, (16, 16), FILTERS, Plan(steps=40), stream(3), 2)
    assert (energy(made) < 0.3 * energy(matched(start, example))).all() and not torch.equal(made[0], made[1])
    torch.testing.assert_close(made.flatten(2).sort().values, example.flatten(1).sort().values.expand(2, -1, -1))
    again = synthesise(example, (16, 16), FILTERS, Plan(steps=40), stream(3), 2)
    assert torch.equal(again, made)
    assert synthesise(example, (8, 12), FILTERS, Plan(steps=2), stream(3)).shape == (1, 1, 8, 12)


@pytest.mark.parametrize(
    "texture", [torch.zeros(8, 8), torch.zeros(0, 8, 8), torch.full((1, 8, 8), 2.0), torch.full((1, 8, 8), torch.nan)]
)
def test_what_is_no_texture_is_refused(texture: Tensor) -> None:
    with pytest.raises(InputError, match=r"a texture of shape .* was given, or one outside \[-1, 1\]; give one"):
        synthesise(texture, (8, 8), FILTERS, Plan(), stream(0))
