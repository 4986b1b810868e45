"""EBGAN's margin, its pulling-away term, and the autoencoder that judges."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tutelage.baselines.energy_based import Autoencoder, EnergyBased, pulling_away
from tutelage.baselines.game import Made
from tutelage.checks import InputError
from tutelage.rng import stream


class Flat(nn.Module):
    """A trunk of one layer: the images themselves."""

    def features(self, images: Tensor) -> list[Tensor]:
        return [images]


class Scaled(nn.Module):
    """Half of the first code everywhere."""

    def forward(self, codes: Tensor) -> Tensor:
        return codes[:, :1, None, None].expand(-1, 1, 2, 2) / 2


def autoencoder() -> Autoencoder:
    return Autoencoder(Flat(), Scaled(), 4, (3,), stream(0)).double()


IMAGES = torch.randn(5, 1, 2, 2, generator=stream(1), dtype=torch.float64)


class Known(nn.Module):
    """An energy that is the first pixel."""

    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0, 0, 0]

    def encode(self, images: Tensor) -> Tensor:
        return images[:, 0, 0]

    def energy(self, images: Tensor, codes: Tensor) -> Tensor:
        return self(images)


def images(*energies: float) -> Tensor:
    return torch.tensor(energies).view(-1, 1, 1, 1).expand(-1, 1, 1, 2)


def test_made_images_above_the_margin_are_left_alone() -> None:
    shown, observed = images(1.0, 3.0, 7.0).clone().requires_grad_(True), images(0.5, 1.5)
    found = EnergyBased(margin=4.0).discriminator_loss(Known(), observed, Made(torch.zeros(3), shown), stream(0))
    assert found.loss.item() == pytest.approx(1.0 + (3 + 1 + 0) / 3)
    assert found.of_observed.item() == 1.0 and found.of_made.item() == pytest.approx(11 / 3)
    (gradient,) = torch.autograd.grad(found.loss, shown)
    torch.testing.assert_close(gradient[:, 0, 0, 0], torch.tensor([-1 / 3, -1 / 3, 0.0]))


def test_the_generator_descends_the_energy_and_pulls_away_where_asked() -> None:
    made = Made(torch.zeros(2), images(1.0, 3.0))  # whose codes point the same way
    assert EnergyBased(4.0).generator_loss(Known(), made).item() == 2.0
    assert EnergyBased(4.0, pulling_away=0.1).generator_loss(Known(), made).item() == pytest.approx(2.1)


def test_pulling_away_is_the_mean_squared_cosine_of_pairs() -> None:
    codes = torch.randn(4, 3, generator=stream(2), dtype=torch.float64)
    cosine = torch.nn.functional.cosine_similarity
    pairs = [cosine(codes[i], codes[j], dim=0).square() for i in range(4) for j in range(4) if i != j]
    torch.testing.assert_close(pulling_away(codes), torch.stack(pairs).mean())
    torch.testing.assert_close(pulling_away(codes.view(4, 3, 1, 1)), pulling_away(7 * codes))


@pytest.mark.parametrize(("codes", "expected"), [(torch.eye(3), 0.0), (torch.ones(3, 2), 1.0), (torch.ones(1, 2), 0.0)])
def test_pulling_away_of_orthogonal_equal_and_single_codes(codes, expected) -> None:
    assert pulling_away(codes).item() == pytest.approx(expected, abs=1e-6)


def test_the_autoencoder_judges_by_the_length_of_its_error() -> None:
    network = autoencoder()
    codes = IMAGES.flatten(1) @ network.weight.T + network.bias
    torch.testing.assert_close(network.encode(IMAGES), codes)
    expected = (codes[:, :1] / 2 - IMAGES.flatten(1)).square().sum(1).sqrt()
    torch.testing.assert_close(network(IMAGES), expected)
    torch.testing.assert_close(network.energy(IMAGES, codes), expected)
    assert torch.equal(network.features(IMAGES)[0], IMAGES)


def test_the_weights_to_the_codes_begin_by_their_inputs() -> None:
    drawn = torch.randn(3, 4, generator=stream(0))
    assert torch.equal(autoencoder().weight, (drawn / 2).double())


def test_latent_maps_are_codes_too() -> None:
    assert Autoencoder(Flat(), Scaled(), 4, (3, 2, 2), stream(0)).encode(IMAGES.float()).shape == (5, 3, 2, 2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"margin": 0.0}, "margin is 0.0; it needs to be above 0"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"margin": 1.0, "pulling_away": -0.1}, r"pulling_away is -0.1; it needs to be 0 \(none\) or more"),
    ],
)
def test_numbers_that_cannot_work_are_refused(fields, message) -> None:
    with pytest.raises(InputError, match=message):
        EnergyBased(**fields)
