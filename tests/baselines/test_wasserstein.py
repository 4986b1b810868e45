"""The Wasserstein game with critics whose slope is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tutelage.baselines.game import Made
from tutelage.baselines.wasserstein import Wasserstein, between, gradient_penalty
from tutelage.checks import InputError
from tutelage.rng import stream

OBSERVED, MADE = (torch.randn(6, 1, 2, 2, generator=stream(0, name), dtype=torch.float64) for name in "ab")


class Linear(nn.Module):
    """f(Y) = ⟨w, Y⟩, whose slope is |w| everywhere."""

    def __init__(self, *weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight


@pytest.mark.parametrize("weight", [(3.0, 0.0, 4.0, 0.0), (0.6, 0.0, 0.0, 0.8), (0.1, 0.1, 0.1, 0.1)])
def test_the_penalty_of_a_linear_critic_and_its_gradient(weight) -> None:
    critic = Linear(*weight)
    norm = math.hypot(*weight)
    penalty = gradient_penalty(critic, OBSERVED)
    assert penalty.item() == pytest.approx((norm - 1) ** 2, abs=1e-12)
    penalty.backward()
    torch.testing.assert_close(critic.weight.grad, 2 * (norm - 1) * critic.weight.detach() / norm)


def test_the_penalty_is_of_each_image_alone() -> None:
    """f = |Y|²/2 has the slope |Y|."""
    penalty = gradient_penalty(lambda images: images.flatten(1).square().sum(1) / 2, OBSERVED)  # type: ignore[arg-type]
    torch.testing.assert_close(penalty, (OBSERVED.flatten(1).norm(dim=1) - 1).square().mean())


def test_a_flat_critic_has_a_finite_gradient() -> None:
    critic = Linear(0.0, 0.0, 0.0, 0.0)
    gradient_penalty(critic, OBSERVED).backward()
    assert critic.weight.grad is not None and critic.weight.grad.isfinite().all()


def test_the_losses_estimate_the_distance() -> None:
    critic, made = Linear(1.0, -2.0, 0.5, 0.0), Made(torch.zeros(6, 1), MADE)
    distance = critic(OBSERVED).mean() - critic(MADE).mean()
    plain = Wasserstein().discriminator_loss(critic, OBSERVED, made, stream(0))
    torch.testing.assert_close(plain.loss, -distance)
    torch.testing.assert_close(plain.of_observed - plain.of_made, distance.detach())
    assert not plain.more
    punished = Wasserstein(10.0).discriminator_loss(critic, OBSERVED, made, stream(0))
    penalty = (math.sqrt(5.25) - 1) ** 2
    assert punished.more["gradient_penalty"].item() == pytest.approx(penalty)
    assert punished.loss.item() == pytest.approx(-distance.item() + 10 * penalty)
    torch.testing.assert_close(Wasserstein().generator_loss(critic, made), -critic(MADE).mean())


def test_points_between_are_uniform_on_segments() -> None:
    zeros = torch.zeros(4000, 1, 2, 2, dtype=torch.float64)
    shares = between(zeros + 1, zeros, stream(0)).flatten(1)
    assert (shares == shares[:, :1]).all(), "one share for all pixels of an image"
    grid = torch.linspace(0, 1, 4000, dtype=torch.float64)
    assert (shares[:, 0].sort().values - grid).abs().max() < 0.03
    ends = between(OBSERVED, MADE, stream(0))
    assert ((ends - MADE) * (OBSERVED - ends) >= 0).all()


def test_images_that_cannot_be_paired_are_refused() -> None:
    with pytest.raises(InputError, match="6 observed and 5 made images cannot be paired; give as many of both"):
        between(OBSERVED, MADE[:5], stream(0))


@pytest.mark.parametrize("penalty", [0.0, -1.0, math.inf, math.nan])
def test_a_penalty_that_is_none_is_refused(penalty) -> None:
    with pytest.raises(InputError, match=r"gradient_penalty is .*; it needs to be above 0, or none"):
        Wasserstein(penalty)


def test_the_penalty_is_taken_between_observed_and_made() -> None:
    def bowl(images: Tensor) -> Tensor:
        return images.flatten(1).square().sum(1) / 2

    found = Wasserstein(10.0).discriminator_loss(bowl, OBSERVED, Made(torch.zeros(6, 1), MADE), stream(0))  # type: ignore[arg-type]
    slopes = between(OBSERVED, MADE, stream(0)).flatten(1).norm(dim=1)
    torch.testing.assert_close(found.more["gradient_penalty"], (slopes - 1).square().mean())
