"""Algorithms D, G and 3 where the answer is known without running them."""

from __future__ import annotations

import math

import pytest
import torch

from toy_networks import LinearGenerator, LinearPotential
from tutelage.energy import Gaussian, Posterior, Tilt, Uniform
from tutelage.learn import algorithm_d, algorithm_g
from tutelage.learn.igm import classification_step
from tutelage.learn.updates import Adam
from tutelage.rng import stream
from tutelage.sample import Langevin, run
from tutelage.types import Batch


def normal(*shape: int, name: str = "data") -> torch.Tensor:
    return torch.randn(*shape, generator=stream(0, name), dtype=torch.float64)


def test_density_shifting_moves_a_linear_potential_by_the_difference_of_feature_means():
    observed, revised = normal(50, 1, 2, 3), 0.5 * normal(70, 1, 2, 3, name="revised") + 1
    potential = LinearPotential(6)
    optimiser = torch.optim.SGD(potential.parameters(), lr=1.0)
    algorithm_d.density_shifting(Tilt(Gaussian(0.5), potential), optimiser, observed, revised)
    expected = potential.features(observed).mean(0) - potential.features(revised).mean(0)
    torch.testing.assert_close(potential.weight.detach(), expected)


def test_a_gradient_penalty_is_paid_for_the_slopes_at_observed_and_revised_images():
    """f = w·Y + v·Y² has slopes w + 2 v Y, whose squares' derivatives are known."""
    observed, revised, gamma = normal(5, 1, 1, 3), normal(7, 1, 1, 3, name="revised") - 1, 0.4
    potential, start = LinearPotential(3), normal(6, name="weight")
    with torch.no_grad():
        potential.weight.copy_(start)
    optimiser = torch.optim.SGD(potential.parameters(), lr=1.0)
    energy = Tilt(Uniform(), potential)
    value, _ = algorithm_d.density_shifting(energy, optimiser, observed, revised, gamma)
    moved = potential.features(observed).mean(0) - potential.features(revised).mean(0)
    torch.testing.assert_close(value, moved @ start)
    for images in (observed.flatten(1), revised.flatten(1)):
        slopes = start[:3] + 2 * start[3:] * images
        moved = moved - gamma * torch.cat([slopes.mean(0), (2 * images * slopes).mean(0)])
    torch.testing.assert_close(potential.weight.detach(), start + moved)


@pytest.mark.parametrize("gamma", [0.0, 0.4])
def test_logistic_regression_weighs_each_image_by_the_chance_that_it_is_taken_for_the_other_kind(gamma):
    observed, revised, start = normal(5, 1, 1, 3), normal(7, 1, 1, 3, name="revised") - 1, normal(6, name="weight")
    potential = LinearPotential(3)
    with torch.no_grad():
        potential.weight.copy_(start)
    optimiser, energy = torch.optim.SGD(potential.parameters(), lr=1.0), Tilt(Uniform(), potential)
    features, made = potential.features(observed), potential.features(revised)
    value, _ = algorithm_d.density_shifting(energy, optimiser, observed, revised, gamma, loss="logistic")
    torch.testing.assert_close(value, (features.mean(0) - made.mean(0)) @ start)
    doubt, belief = 1 / (1 + (features @ start).exp()), 1 / (1 + (-made @ start).exp())
    moved = (doubt[:, None] * features).mean(0) - (belief[:, None] * made).mean(0)
    for images in (observed.flatten(1), revised.flatten(1)):
        slopes = start[:3] + 2 * start[3:] * images
        moved = moved - gamma * torch.cat([slopes.mean(0), (2 * images * slopes).mean(0)])
    torch.testing.assert_close(potential.weight.detach(), start + moved)


def test_logistic_regression_is_a_classification_step_of_igm_twice_as_long():
    observed, revised = normal(6, 1, 1, 3), normal(6, 1, 1, 3, name="revised") - 1
    ours, igms = LinearPotential(3), LinearPotential(3)
    step, twice = (torch.optim.SGD(one.parameters(), lr=rate) for one, rate in ((ours, 0.2), (igms, 0.4)))
    for _ in range(3):
        algorithm_d.density_shifting(Tilt(Uniform(), ours), step, observed, revised, loss="logistic")
        classification_step(igms, twice, observed, revised)
    torch.testing.assert_close(ours.weight, igms.weight)
    assert ours.weight.abs().min() > 0


@pytest.mark.parametrize("loss", ["likelihood", "logistic"])
def test_logistic_regression_comes_to_rest_at_the_log_ratio_of_densities_and_equation_8_never_does(loss):
    """Of N(m, 1) and N(−m, 1) it is 2 m·Y; the gradient of eq. (8) is 2 m wherever f is."""
    m = torch.tensor([0.5, -0.3, 0.0], dtype=torch.float64)
    spread = normal(20_000, 1, 1, 3)
    potential = LinearPotential(3)
    optimiser, energy = torch.optim.SGD(potential.parameters(), lr=0.5), Tilt(Uniform(), potential)
    for _ in range(200):
        algorithm_d.density_shifting(energy, optimiser, spread + m, -spread - m, loss=loss)
    if loss == "logistic":
        torch.testing.assert_close(potential.weight[:3].detach(), 2 * m, rtol=0, atol=0.03)
    else:
        torch.testing.assert_close(potential.weight[:3].detach(), 200 * 0.5 * 2 * (m + spread.mean((0, 1, 2))))
    assert potential.weight[3:].abs().max() < 1e-9, "mirrored images tell squares nothing"


def test_value_is_equation_9_and_density_shifting_raises_it():
    observed, revised = normal(20, 1, 1, 4), normal(30, 1, 1, 4, name="revised") - 0.7
    potential = LinearPotential(4)
    with torch.no_grad():
        potential.weight.copy_(normal(8, name="weight"))
    energy = Tilt(Gaussian(0.8), potential)

    def by_hand() -> torch.Tensor:
        def energies(images):
            return images.flatten(1).square().sum(1) / (2 * 0.8**2) - potential(images)

        return (energies(revised).mean() - energies(observed).mean()).detach()

    before = by_hand()
    optimiser = torch.optim.SGD(potential.parameters(), lr=1e-3)
    size = potential(observed).abs().mean().detach()
    value, mean_f = algorithm_d.density_shifting(energy, optimiser, observed, revised)
    torch.testing.assert_close(value, before)
    assert by_hand() > before
    torch.testing.assert_close(mean_f, size)


def test_langevin_revision_lowers_the_value_at_temperature_zero():
    potential = LinearPotential(4)
    with torch.no_grad():
        potential.weight.copy_(normal(8, name="weight"))
        potential.weight[4:] = -1.0
    energy, start = Tilt(Gaussian(1.0), potential), normal(10, 1, 1, 4)
    revised, _ = algorithm_d.langevin_revision(energy, start, Langevin(0.1, temperature=0), 20, stream(0))
    assert (energy(revised) < energy(start)).all()


def test_algorithm_d_on_a_gaussian_family_matches_the_moments_of_the_data():
    observed = torch.tensor([0.5, -1.0], dtype=torch.float64) + normal(4000, 1, 1, 2) * torch.tensor([0.6, 1.2])
    potential = LinearPotential(2)
    with torch.no_grad():
        potential.weight[2:] = -0.5  # N(0, 1) to begin with
    plan = algorithm_d.Plan(
        iterations=600,
        batch_size=4000,
        chains=4000,
        revision_steps=5,
        step_size=0.35,
        reference_std=None,
        update=Adam(lr=0.05, lr_final=0.001),
        start="given",
        persistent=True,
        metropolis=True,
    )
    learner = algorithm_d.AlgorithmD(plan, potential, (1, 1, 2), given=normal(4000, 1, 1, 2, name="chains"))
    rng = stream(0, "learn")
    state = learner.init(rng)
    for _ in range(plan.iterations):
        state, _ = learner.step(state, Batch(observed, torch.arange(4000)), rng)
    linear, quadratic = state.descriptor.weight.detach().view(2, 2)
    variance = -1 / (2 * quadratic)
    mean = variance * linear
    flat = observed.flatten(1)
    torch.testing.assert_close(mean, flat.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(variance, flat.var(0), atol=0, rtol=0.06)


NOISE_STD, STEP = 0.5, 0.3
MATRIX = torch.tensor([[1.0, 0.3], [-0.4, 0.8], [0.2, 0.5]], dtype=torch.float64)


def posterior_moments(observed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean, and the covariance of the discrete chain: (P (I − δ² P / 4))⁻¹ for precision P."""
    precision = torch.eye(2, dtype=torch.float64) + MATRIX.T @ MATRIX / NOISE_STD**2
    mean = torch.linalg.solve(precision, MATRIX.T @ observed / NOISE_STD**2)
    discrete = precision @ (torch.eye(2, dtype=torch.float64) - STEP**2 / 4 * precision)
    return mean, torch.linalg.inv(discrete)


def test_langevin_inference_draws_from_the_posterior_of_a_linear_generator():
    observed, chains = torch.tensor([0.7, -0.2, 1.1], dtype=torch.float64), 20_000
    latents = algorithm_g.langevin_inference(
        LinearGenerator(MATRIX),
        observed.expand(chains, 1, 1, 3),
        normal(chains, 2, name="latents"),
        NOISE_STD,
        STEP,
        60,
        stream(0, "inference"),
    )
    mean, covariance = posterior_moments(observed)
    # independent chains: five standard errors
    error = 5 * covariance.diagonal().sqrt() / math.sqrt(chains)
    assert ((latents.mean(0) - mean).abs() < error).all()
    spread = covariance.diagonal()
    got = latents.T.cov()
    assert ((got - covariance).abs() < 5 * torch.outer(spread, spread).sqrt() * math.sqrt(2 / chains)).all()
    exact = torch.linalg.inv(torch.eye(2, dtype=torch.float64) + MATRIX.T @ MATRIX / NOISE_STD**2)
    assert ((got - exact).diagonal() > 0.05 * exact.diagonal()).all()  # the step is large enough to tell them apart


@pytest.mark.parametrize(("value", "expected"), [(1.0, "posterior"), (0.0, "prior")])
def test_a_mask_of_ones_is_the_posterior_and_of_zeros_the_prior(value: float, expected: str):
    observed, start = normal(5000, 1, 1, 3), normal(5000, 2, name="latents")
    masked = Posterior(LinearGenerator(MATRIX), observed, NOISE_STD, mask=torch.full((1, 1, 3), value))
    got, _ = run(Langevin(STEP), masked, start, 20, stream(0, "mask"))
    if expected == "posterior":
        unmasked = Posterior(LinearGenerator(MATRIX), observed, NOISE_STD)
        plain, _ = run(Langevin(STEP), unmasked, start, 20, stream(0, "mask"))
        assert torch.equal(got, plain)
    else:
        prior, _ = run(Langevin(STEP), Gaussian(1.0), start, 20, stream(0, "mask"))
        torch.testing.assert_close(got, prior)


def test_hidden_pixels_may_be_anything():
    observed, latents = normal(4, 1, 1, 3), normal(4, 2, name="latents")
    mask = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    spoilt = torch.where(mask == 0, math.nan, observed)
    clean, holed = (Posterior(LinearGenerator(MATRIX), images, NOISE_STD, mask) for images in (observed, spoilt))
    torch.testing.assert_close(holed(latents), clean(latents))
    torch.testing.assert_close(holed.prepare()(latents).gradient, clean.prepare()(latents).gradient)


def test_reconstruction_follows_equation_16():
    latents, target = normal(40, 2), normal(40, 1, 1, 3, name="target")
    generator = LinearGenerator(MATRIX)
    optimiser = torch.optim.SGD(generator.parameters(), lr=1.0)
    loss, residual = algorithm_g.reconstruction(generator, optimiser, latents, target, NOISE_STD)
    error = target.view(40, 3) - latents @ MATRIX.T
    torch.testing.assert_close(loss, error.square().sum(1).mean() / (2 * NOISE_STD**2))
    torch.testing.assert_close(residual, error.square().mean().sqrt())
    torch.testing.assert_close(generator.matrix.detach(), MATRIX + error.T @ latents / 40 / NOISE_STD**2)


def test_algorithm_g_learns_factor_analysis():
    """The marginal covariance of a linear generator is W Wᵀ + σ² I: it must become that of the data."""
    n, noise_std = 2000, 0.4
    loadings = torch.tensor([[1.0], [0.5], [-0.8]], dtype=torch.float64)
    observed = normal(n, 1, name="factors") @ loadings.T + noise_std * normal(n, 3, name="noise")
    plan = algorithm_g.Plan(
        iterations=500,
        batch_size=n,
        inference_steps=10,
        latent_step_size=0.1,  # at .2 the chain's discretisation already widens the posterior by 15 %
        noise_std=noise_std,
        update=Adam(lr=0.03, lr_final=0.001),
    )
    generator = LinearGenerator(torch.full((3, 1), 0.1, dtype=torch.float64))
    learner = algorithm_g.AlgorithmG(plan, generator, (1,), n)
    rng = stream(0, "learn")
    state = learner.init(rng)
    state.latents = state.latents.double()
    batch = Batch(observed.view(n, 1, 1, 3), torch.arange(n))
    for _ in range(plan.iterations):
        state, _ = learner.step(state, batch, rng)
    learned = state.generator.matrix.detach()
    expected = observed.T.cov() - noise_std**2 * torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(learned @ learned.T, expected, atol=0.07, rtol=0)


def test_revising_under_a_uniform_reference_follows_the_potential_alone():
    potential = LinearPotential(2)
    with torch.no_grad():
        potential.weight[:2] = torch.tensor([3.0, -2.0])
    start = normal(4, 1, 1, 2)
    energy = Tilt(Uniform(), potential)
    revised, info = algorithm_d.langevin_revision(energy, start, Langevin(0.1, temperature=0), 1, stream(0))
    torch.testing.assert_close(revised - start, (0.1**2 / 2 * torch.tensor([3.0, -2.0]).double()).expand_as(start))
    assert algorithm_d.drift_ratio(info, start).isnan()
