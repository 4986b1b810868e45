"""The evidence bound of linear networks in closed form; a VAE that learns factor analysis; the learner's contract."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tiny_recipes import same
from toy_networks import LinearGenerator
from tutelage.baselines.vae import Plan, Vae, evidence_bound, prior_divergence
from tutelage.checks import InputError
from tutelage.learn.updates import Adam
from tutelage.nets import Conv, Deconv, DescriptorSpec, Encoder, Generator, GeneratorSpec
from tutelage.rng import stream
from tutelage.types import Batch

PLAN = Plan(iterations=10, batch_size=5, noise_std=0.3, update=Adam(lr=0.01), ema_decay=0.9, calibration_draws=20)
NOISE_STD = 0.5
# orthogonal columns: the posterior's covariance is diagonal, as the encoder's
MATRIX = torch.tensor([[1.0, 0.4], [0.5, -1.0], [0.2, 0.5]], dtype=torch.float64)


class LinearEncoder(nn.Module):
    """μ = Y Aᵀ, ln v of its own."""

    def __init__(self, matrix: Tensor, log_variance: Tensor) -> None:
        super().__init__()
        self.matrix, self.log_variance = nn.Parameter(matrix.clone()), nn.Parameter(log_variance.clone())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        flat = images.flatten(1)
        return flat @ self.matrix.T, self.log_variance.expand(len(flat), -1)


def normal(*shape: int, name: str = "draws") -> Tensor:
    return torch.randn(*shape, generator=stream(0, name), dtype=torch.float64)


def posterior() -> LinearEncoder:
    """The exact one of ``MATRIX`` and ``NOISE_STD``."""
    assert (MATRIX.T @ MATRIX)[0, 1].abs() < 1e-12
    precision = torch.eye(2, dtype=torch.float64) + MATRIX.T @ MATRIX / NOISE_STD**2
    return LinearEncoder(torch.linalg.solve(precision, MATRIX.T / NOISE_STD**2), -precision.diagonal().log())


def test_the_divergence_from_the_prior_is_that_of_two_gaussians():
    mean, log_variance = normal(6, 4), normal(6, 4, name="variances")
    mine = torch.distributions.Normal(mean, (log_variance / 2).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(mine, prior).sum(1)
    torch.testing.assert_close(prior_divergence(mean, log_variance), expected)
    assert not prior_divergence(torch.zeros(2, 3), torch.zeros(2, 3)).any()


def test_with_the_exact_posterior_the_bound_is_the_log_likelihood():
    """One image, many draws: the mean bound is ln N(Y; 0, W Wᵀ + σ² I)."""
    image = torch.tensor([0.7, -0.4, 1.1], dtype=torch.float64)
    many = image.expand(40_000, 1, 1, 3)
    bound = evidence_bound(posterior(), LinearGenerator(MATRIX), many, NOISE_STD, stream(0)).value
    covariance = MATRIX @ MATRIX.T + NOISE_STD**2 * torch.eye(3, dtype=torch.float64)
    zero = torch.zeros(3, dtype=torch.float64)
    exact = torch.distributions.MultivariateNormal(zero, covariance).log_prob(image)
    assert abs(bound.mean() - exact) < 4 * bound.std() / 200


def test_with_any_linear_encoder_the_bound_is_what_the_integral_says():
    encoder = LinearEncoder(normal(2, 3, name="encoder"), normal(2, name="variance"))
    image = torch.tensor([0.7, -0.4, 1.1], dtype=torch.float64)
    bound = evidence_bound(encoder, LinearGenerator(MATRIX), image.expand(40_000, 1, 1, 3), NOISE_STD, stream(0))
    mean, variance = encoder.matrix @ image, encoder.log_variance.exp()
    squares = (image - MATRIX @ mean).square().sum() + (MATRIX.square() @ variance).sum()
    prior = torch.distributions.Normal(torch.zeros(2).double(), 1.0)
    divergence = torch.distributions.kl_divergence(torch.distributions.Normal(mean, variance.sqrt()), prior).sum()
    error = torch.distributions.Normal(torch.zeros(3).double(), NOISE_STD)
    exact = error.log_prob(torch.zeros(3)).sum() - squares / (2 * NOISE_STD**2) - divergence
    assert abs(bound.value.mean() - exact) < 4 * bound.value.std() / 200
    torch.testing.assert_close(bound.prior_divergence, divergence.expand(40_000))


def test_without_variance_the_bound_needs_no_chance():
    encoder = LinearEncoder(normal(2, 3, name="encoder"), torch.full((2,), -80.0, dtype=torch.float64))
    images = normal(7, 1, 1, 3, name="images")
    bound = evidence_bound(encoder, LinearGenerator(MATRIX), images, NOISE_STD, stream(0))
    mean = images.flatten(1) @ encoder.matrix.T
    decoder = torch.distributions.Normal(mean @ MATRIX.T, NOISE_STD)
    expected = decoder.log_prob(images.flatten(1)).sum(1) - prior_divergence(mean, torch.full_like(mean, -80.0))
    torch.testing.assert_close(bound.value, expected)
    assert bound.value.shape == (7,)


def test_the_gradient_is_that_of_finite_differences():
    encoder, generator = posterior(), LinearGenerator(MATRIX)
    images, small = normal(7, 1, 1, 3, name="images"), 1e-6

    def value() -> Tensor:
        return evidence_bound(encoder, generator, images, NOISE_STD, stream(0)).value.mean()

    parameters = [encoder.matrix, encoder.log_variance, generator.matrix]
    for parameter, gradient in zip(parameters, torch.autograd.grad(value(), parameters), strict=True):
        with torch.no_grad():
            first = parameter[(slice(1),) * parameter.ndim]
            first += small
            above = value()
            first -= 2 * small
            below = value()
            first += small
        torch.testing.assert_close((above - below) / (2 * small), gradient.flatten()[0], rtol=1e-5, atol=1e-6)


def test_it_learns_factor_analysis():
    """The marginal covariance of a linear generator is W Wᵀ + σ² I: it must become that of the data."""
    n, noise_std = 2000, 0.4
    loadings = torch.tensor([[1.0], [0.5], [-0.8]], dtype=torch.float64)
    observed = normal(n, 1, name="factors") @ loadings.T + noise_std * normal(n, 3, name="noise")
    plan = Plan(iterations=400, batch_size=n, noise_std=noise_std, update=Adam(lr=0.03, lr_final=0.001))
    encoder = LinearEncoder(torch.full((1, 3), 0.1).double(), torch.zeros(1).double())
    learner = Vae(plan, encoder, LinearGenerator(torch.full((3, 1), 0.1).double()), (1,))
    rng = stream(0, "learn")
    state, record = learner.init(rng), None
    for _ in range(plan.iterations):
        state, record = learner.step(state, Batch(observed.view(n, 1, 1, 3), torch.arange(n)), rng)
    learned: Any = state.generator.matrix.detach()
    identity = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(
        learned @ learned.T + noise_std**2 * identity, observed.T.cov(), atol=0.07, rtol=0, check_dtype=False
    )
    data = torch.distributions.MultivariateNormal(torch.zeros(3).double(), observed.T.cov())
    assert record.bound.item() == pytest.approx(data.log_prob(observed).mean().item(), abs=0.05)


# --- the learner


ENCODER = DescriptorSpec((1, 8, 8), (Conv(4, 3, 2),), 6, 0.2, 0.1)
GENERATOR = GeneratorSpec(3, (6, 2, 2), (Deconv(4, 4, (4, 4)), Deconv(1, 4, (8, 8))), 0.2, True, 0.1)


def learner(**changes: Any) -> Vae:
    encoder = Encoder(ENCODER, stream(0, "encoder"))
    return Vae(replace(PLAN, **changes), encoder, Generator(GENERATOR, stream(0, "generator")), (3,))


def batch(name: object = 0) -> Batch:
    return Batch(2 * torch.rand(5, 1, 8, 8, generator=stream(0, "observed", name)) - 1, torch.arange(5))


def test_a_step_climbs_the_bound_with_both_networks():
    algorithm = learner(update=Adam(lr=1e-3))
    state = algorithm.init(stream(0, "learn"))
    bounds = []
    for k in range(40):
        state, record = algorithm.step(state, batch(), stream(0, "same"))
        bounds.append(record.bound.item())
        assert record.lr == 1e-3 and state.iteration == k + 1
    assert bounds[-1] > bounds[0] + 1
    for name in ("encoder", "generator"):
        live, given = getattr(state, name).parameters(), getattr(algorithm, name).parameters()
        assert not any(torch.equal(a, b) for a, b in zip(live, given, strict=True))
    parts = evidence_bound(state.encoder, state.generator, batch().images, 0.3, stream(0, "same"))
    _, record = algorithm.step(state, batch(), stream(0, "same"))
    assert torch.equal(record.bound, parts.value.mean()) and torch.equal(record.latents, parts.latents)
    assert torch.equal(record.residual, parts.residual.square().mean().sqrt())


def test_finish_changes_nothing_that_learns():
    algorithm, rng = learner(), stream(0, "learn")
    state = algorithm.init(rng)
    for _ in range(3):
        state, _ = algorithm.step(state, batch(), rng)
    before = copy.deepcopy(algorithm.state_dict(state))
    state = algorithm.finish(state, stream(0, "calibrate"))
    after = algorithm.state_dict(state)
    assert [name for name in before if not same(before[name], after[name])] == ["average"]
    drawn = algorithm.sample(state, 11, stream(1))["generator"]
    assert drawn.shape == (11, 1, 8, 8) and not drawn.requires_grad


def test_pictures_change_nothing_and_show_pairs():
    algorithm = learner()
    state, record = algorithm.step(algorithm.init(stream(0)), batch(), stream(0))
    before = copy.deepcopy(algorithm.state_dict(state))
    shown = algorithm.pictures(state, record)
    assert torch.equal(shown["observed"], batch().images) and shown["reconstructed"].shape == (5, 1, 8, 8)
    assert same(before, algorithm.state_dict(state))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"iterations": -1}, "iterations is -1"),
        ({"noise_std": 0.0}, "noise_std is 0.0; it needs to be above 0"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0; it needs to be at least 0 and below 1"),
        ({"calibration_draws": 0}, "calibration_draws is 0"),
    ],
)
def test_plans_that_cannot_work_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(PLAN, **changes)
