"""What a few steps of revision without noise teach: to first order in δ² a penalty on the slope of f at the drafts, and
where f bends more than a step allows, to bend still more."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tutelage.energy import Tilt, Uniform
from tutelage.gradient import slopes
from tutelage.learn.algorithm_d import density_shifting, langevin_revision
from tutelage.learn.algorithm_g import reconstruction
from tutelage.rng import stream
from tutelage.sample import Langevin

STEPS = 5
SMALL = 0.02  # δ, of slopes near 1


def normal(*shape: int, name: str) -> Tensor:
    return torch.randn(*shape, generator=stream(0, name), dtype=torch.float64)


OBSERVED, DRAFTS = normal(30, 1, 2, 3, name="observed") + 1, normal(20, 1, 2, 3, name="drafts")


class Smooth(nn.Module):
    """f of two layers, smooth in images and weights."""

    def __init__(self) -> None:
        super().__init__()
        self.below = nn.Parameter(0.5 * normal(6, 8, name="below"))
        self.above = nn.Parameter(0.5 * normal(8, name="above"))

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(images.flatten(1) @ self.below) @ self.above


def moved(observed: Tensor, revised: Tensor) -> Tensor:
    """By how much step D2 moves the weights, at a rate of 1: the gradient of V."""
    potential = Smooth()
    before = nn.utils.parameters_to_vector(potential.parameters()).detach().clone()
    density_shifting(Tilt(Uniform(), potential), torch.optim.SGD(potential.parameters(), lr=1.0), observed, revised)
    return nn.utils.parameters_to_vector(potential.parameters()).detach() - before


def revised(step_size: float) -> Tensor:
    kernel = Langevin(step_size, temperature=0)
    return langevin_revision(Tilt(Uniform(), Smooth()), DRAFTS, kernel, STEPS, stream(0))[0].detach()


def penalised(step_size: float) -> Tensor:
    """The gradient of E f(Y) − E f(Ŷ) − (l δ²/4) E|∂f/∂Y(Ŷ)|²."""
    potential, drafts = Smooth(), DRAFTS.clone().requires_grad_()
    of_drafts = potential(drafts)
    squares = slopes(of_drafts, drafts).square().flatten(1).sum(1)
    value = potential(OBSERVED).mean() - of_drafts.mean() - STEPS * step_size**2 / 4 * squares.mean()
    return torch.cat([part.flatten() for part in torch.autograd.grad(value, list(potential.parameters()))])


def test_the_descriptor_learns_as_a_critic_with_a_penalty_on_its_slope_at_the_drafts() -> None:
    """What is left out is of order δ⁴: it falls sixteenfold where δ is halved; without the penalty only fourfold."""
    whole, half = SMALL, SMALL / 2
    left_out = [(moved(OBSERVED, revised(size)) - penalised(size)).norm().item() for size in (whole, half)]
    penalty = [(moved(OBSERVED, revised(size)) - moved(OBSERVED, DRAFTS)).norm().item() for size in (whole, half)]
    assert penalty[0] / penalty[1] == pytest.approx(4, rel=0.01)
    assert left_out[0] / left_out[1] == pytest.approx(16, rel=0.01)
    assert left_out[0] < 0.01 * penalty[0]


def test_the_generator_is_taught_the_slope_of_f_at_its_drafts() -> None:
    """A generator of Ŷ = α is moved by l δ²/(2 σ² ñ) ∂f/∂Y(Ŷ) at a rate of 1, up to order δ⁴."""

    class Drafts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.images = nn.Parameter(DRAFTS.clone())

        def forward(self, latents: Tensor) -> Tensor:
            return self.images

    drafts = DRAFTS.clone().requires_grad_()
    slope, noise_std = slopes(Smooth()(drafts), drafts).detach(), 0.3
    generator = Drafts()
    optimiser = torch.optim.SGD(generator.parameters(), lr=1.0)
    reconstruction(generator, optimiser, normal(20, 1, name="latents"), revised(SMALL), noise_std)
    taught = generator.images.detach() - DRAFTS
    expected = STEPS * SMALL**2 / (2 * noise_std**2 * len(DRAFTS)) * slope
    torch.testing.assert_close(taught, expected, rtol=0.01, atol=1e-3 * expected.abs().max().item())


@pytest.mark.parametrize("step_size", [0.3, 2.0])
def test_a_settled_revision_closes_the_gap_whatever_the_step_and_small_steps_settle_slower(step_size: float) -> None:
    """f = w·Y: revision adds a w, a = l δ²/2, and what is left of the gap falls by 1 − a · rate in each iteration."""

    class Slope(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(6, dtype=torch.float64))

        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1) @ self.weight

    potential, rate, a = Slope(), 0.05, STEPS * step_size**2 / 2
    energy, optimiser = Tilt(Uniform(), potential), torch.optim.SGD(potential.parameters(), lr=rate)
    gap, kernel = OBSERVED.mean(0) - DRAFTS.mean(0), Langevin(step_size, temperature=0)
    for iteration in range(12):
        made = langevin_revision(energy, DRAFTS, kernel, STEPS, stream(0))[0].detach()
        left = OBSERVED.mean(0) - made.mean(0)
        torch.testing.assert_close(left, (1 - a * rate) ** iteration * gap)
        density_shifting(energy, optimiser, OBSERVED, made)


class Bowl(nn.Module):
    """f = −L |Y|² / 2."""

    def __init__(self, bend: float) -> None:
        super().__init__()
        self.bend = nn.Parameter(torch.tensor(bend, dtype=torch.float64))

    def forward(self, images: Tensor) -> Tensor:
        return -self.bend / 2 * images.square().flatten(1).sum(1)


def bent(bend: float, step_size: float, gradient_penalty: float, rate: float = 0.01) -> tuple[float, float, Tensor]:
    """L after a pass of D1 and D2 with all data at 0, what the formula says of it, and the revised drafts."""
    potential = Bowl(bend)
    energy, kernel = Tilt(Uniform(), potential), Langevin(step_size, temperature=0)
    made = langevin_revision(energy, DRAFTS, kernel, STEPS, stream(0))[0].detach()
    optimiser = torch.optim.SGD(potential.parameters(), lr=rate)
    density_shifting(energy, optimiser, torch.zeros_like(OBSERVED), made, gradient_penalty)
    squares = made.square().flatten(1).sum(1).mean().item()
    return potential.bend.item(), bend + rate * squares * (0.5 - gradient_penalty * bend), made


@pytest.mark.parametrize("gradient_penalty", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("bend", [0.2, 0.9, 1.1])
def test_f_bends_ever_more_where_no_penalty_says_how_much(bend: float, gradient_penalty: float) -> None:
    """L moves by η E|Ỹ|² (1/2 − γ L): up without a penalty, and towards 1 / (2γ) with one."""
    step_size = 2.0
    now, expected, made = bent(bend, step_size, gradient_penalty)
    assert now == pytest.approx(expected, rel=1e-9)
    torch.testing.assert_close(made, (1 - bend * step_size**2 / 2) ** STEPS * DRAFTS)
    assert (made.norm() > DRAFTS.norm()) == (bend > 4 / step_size**2), "overshooting"
    assert (now > bend) == (gradient_penalty == 0 or bend < 1 / (2 * gradient_penalty))


@pytest.mark.parametrize(("gradient_penalty", "overshoots"), [(0.0, True), (0.4, True), (0.6, False), (1.0, False)])
def test_a_penalty_above_an_eighth_of_the_squared_step_keeps_steps_from_overshooting(
    gradient_penalty: float, overshoots: bool
) -> None:
    """The bend that f comes to rest at is below 4 / δ², where steps begin to overshoot, just where γ > δ² / 8."""
    step_size, bend, made = 2.0, 0.99, DRAFTS
    for _ in range(200):
        bend, _, made = bent(bend, step_size, gradient_penalty)
        if made.norm() > 100 * DRAFTS.norm():
            break
    assert (bend > 4 / step_size**2) == overshoots
    assert (made.norm() > DRAFTS.norm()) == overshoots
