"""Langevin dynamics where the discrete chain is known in closed form: it catches a sign, a ½ or a √ out of place."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ess import effective_sample_size, standard_error
from toy_networks import LinearGenerator
from tutelage.energy import Gaussian, Posterior
from tutelage.rng import stream
from tutelage.sample import Langevin, run


def normal(*shape: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape, generator=stream(0, "positions", device=device), device=device, dtype=dtype)


def steep(x: Tensor) -> Tensor:
    """An energy without symmetry, whose gradient is ``4 x³ + 1``."""
    return (x**4 + x).flatten(1).sum(1)


def gumbel(x: Tensor) -> Tensor:
    """At temperature T, exp(−x) is Gamma distributed with shape and rate 1/T."""
    return (x + torch.exp(-x)).flatten(1).sum(1)


def gumbel_cumulants(temperature: float) -> tuple[float, float, float]:
    """Mean, variance and third central moment of ``exp(−gumbel/T)``: those of −log Gamma(1/T, 1/T)."""
    shape = torch.tensor(1 / temperature, dtype=torch.float64)
    return (
        -torch.special.digamma(shape).item() - math.log(temperature),
        torch.special.polygamma(1, shape).item(),
        -torch.special.polygamma(2, shape).item(),
    )


@pytest.mark.parametrize("temperature", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("step_size", [0.1, 0.5])
def test_a_step_is_the_papers_formula(step_size: float, temperature: float, device, dtype) -> None:
    x = normal(5, 2, 3, device=device, dtype=dtype)
    moved, _ = run(Langevin(step_size, temperature), steep, x, 1, stream(0, "noise", device=device))
    noise = torch.randn(x.shape, generator=stream(0, "noise", device=device), device=device, dtype=dtype)
    drift = -(step_size**2) / 2 * (4 * x**3 + 1)
    torch.testing.assert_close(moved, x + drift + step_size * math.sqrt(temperature) * noise)


@pytest.mark.parametrize(
    ("step_size", "std", "temperature"), [(1.2, 1.0, 1.0), (0.4, 0.25, 1.0), (1.0, 1.0, 0.3), (1.5, 0.8, 2.0)]
)
def test_stationary_variance_is_that_of_the_discrete_chain(step_size, std, temperature, device, dtype) -> None:
    chains, rng = 40_000, stream(0, "noise", device=device)
    rate = step_size**2 / (2 * std**2)
    steps = math.ceil(math.log(1e-4) / math.log(abs(1 - rate)))
    start = torch.zeros(chains, 1, device=device, dtype=dtype)
    x, _ = run(Langevin(step_size, temperature), Gaussian(std), start, steps, rng)
    discrete = temperature * std**2 / (1 - step_size**2 / (4 * std**2))
    # chains are independent: n v̂ / v has a chi-square distribution, of relative spread √(2/n)
    tolerance = 4 * math.sqrt(2 / chains)
    variance = x.square().mean().item()
    assert abs(variance / discrete - 1) < tolerance
    assert abs(variance / (temperature * std**2) - 1) > 5 * tolerance
    assert abs(x.mean().item()) < 4 * math.sqrt(discrete / chains)


@pytest.mark.parametrize("step_size", [0.3, 1.0, 1.9])
def test_without_noise_the_mean_decays_geometrically(step_size: float, device, dtype) -> None:
    x = normal(4, 3, device=device, dtype=dtype)
    rng = stream(0, "noise", device=device)
    before = rng.get_state()
    moved, info = run(Langevin(step_size, temperature=0), Gaussian(1.0), x, 7, rng)
    torch.testing.assert_close(moved, (1 - step_size**2 / 2) ** 7 * x)
    assert torch.equal(rng.get_state(), before), "temperature 0 draws no noise"
    torch.testing.assert_close(info.energy, Gaussian(1.0)((1 - step_size**2 / 2) ** 6 * x))
    assert info.acceptance is None


@pytest.mark.parametrize(("step_size", "grows"), [(0.9, False), (1.01, True), (1.2, True)])
def test_steps_of_twice_the_width_diverge(step_size: float, grows: bool, device, dtype) -> None:
    x = normal(100, 3, device=device, dtype=dtype)
    rng = stream(0, "noise", device=device)
    for kernel in (Langevin(step_size, temperature=0), Langevin(step_size)):
        moved, _ = run(kernel, Gaussian(0.5), x, 100, rng)
        assert (moved.square().mean() > 10 * x.square().mean()).item() is grows


def test_without_noise_latents_settle_on_the_posterior_mean(device, dtype) -> None:
    matrix = normal(5, 2, device=device, dtype=dtype)
    observed = normal(3, 1, 1, 5, device=device, dtype=dtype)
    energy = Posterior(LinearGenerator(matrix), observed, noise_std=0.5)
    start = torch.zeros(3, 2, device=device, dtype=dtype)
    settled, _ = run(Langevin(0.2, temperature=0), energy, start, 2000, stream(0, "noise", device=device))
    precision = torch.eye(2, device=device, dtype=dtype) + matrix.T @ matrix / 0.25
    mean = torch.linalg.solve(precision, matrix.T @ observed.view(3, 5).T / 0.25).T
    torch.testing.assert_close(settled, mean)


# --- the Metropolis correction


def trajectory(kernel: Langevin, energy, position: Tensor, steps: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Positions ``[steps, B]`` after each step of one-dimensional chains, and acceptances where there are some."""
    state, places, accepted = kernel.init(position), [], []
    for _ in range(steps):
        state, info = kernel.step(state, energy, rng)
        places.append(state.position.flatten())
        accepted.append(torch.ones(()) if info.acceptance is None else info.acceptance.mean())
    return torch.stack(places), torch.stack(accepted)


def errors_in_sigmas(draws: Tensor, temperature: float) -> list[float]:
    """How far mean, variance and skewness of ``draws`` are from the Gumbel target's, in standard errors."""
    mean, variance, third = gumbel_cumulants(temperature)
    standard = (draws - mean) / math.sqrt(variance)
    known = (0.0, 1.0, third / variance**1.5)
    return [
        abs(moment.mean().item() - value) / standard_error(moment)
        for moment, value in zip((standard, standard**2, standard**3), known, strict=True)
    ]


@pytest.mark.parametrize(("step_size", "temperature"), [(1.0, 1.0), (1.2, 0.5)])
def test_the_correction_leaves_an_asymmetric_target_invariant(step_size, temperature, device) -> None:
    start = torch.zeros(2000, 1, device=device, dtype=torch.float64)
    rng = stream(0, "noise", device=device)
    corrected, acceptance = trajectory(Langevin(step_size, temperature, metropolis=True), gumbel, start, 250, rng)
    plain, _ = trajectory(Langevin(step_size, temperature), gumbel, start, 250, rng)
    assert 0.4 < acceptance.mean() < 0.98, "a chain that accepts everything, or nothing, tests nothing"
    assert effective_sample_size(corrected[50:]) > 10_000
    assert max(errors_in_sigmas(corrected[50:], temperature)) < 4
    assert max(errors_in_sigmas(plain[50:], temperature)) > 12


def test_acceptance_is_the_metropolis_hastings_ratio(device) -> None:
    step_size, temperature = 0.7, 0.6
    x = normal(200, 3, device=device, dtype=torch.float64)

    def rng() -> torch.Generator:
        return stream(0, "noise", device=device)

    def log_proposal(to: Tensor, origin: Tensor) -> Tensor:
        mean = origin - step_size**2 / 2 * (4 * origin**3 + 1)
        return torch.distributions.Normal(mean, step_size * math.sqrt(temperature)).log_prob(to).sum(1)

    # the uncorrected kernel draws the same noise, so it makes the proposal
    proposal, _ = run(Langevin(step_size, temperature), steep, x, 1, rng())
    position, info = run(Langevin(step_size, temperature, metropolis=True), steep, x, 1, rng())
    log_ratio = (steep(x) - steep(proposal)) / temperature + log_proposal(x, proposal) - log_proposal(proposal, x)
    torch.testing.assert_close(info.acceptance, log_ratio.exp().clamp(max=1))

    after_noise = rng()
    torch.randn(x.shape, generator=after_noise, device=device, dtype=x.dtype)
    uniform = torch.rand(len(x), generator=after_noise, device=device, dtype=x.dtype)
    accepted = uniform < log_ratio.exp()
    assert 20 < accepted.sum() < 180
    assert torch.equal(position, torch.where(accepted[:, None], proposal, x))


def test_proposals_with_no_energy_are_refused(device) -> None:
    def walled(x: Tensor) -> Tensor:
        inside = x.square().flatten(1).sum(1) / 2
        return torch.where(x.flatten(1).amax(1) > 0.5, torch.nan, inside)

    x = torch.zeros(500, 2, device=device, dtype=torch.float64)
    proposal, _ = run(Langevin(1.0), walled, x, 1, stream(0, "noise", device=device))
    position, info = run(Langevin(1.0, metropolis=True), walled, x, 1, stream(0, "noise", device=device))
    beyond = proposal.amax(1) > 0.5
    assert 50 < beyond.sum() < 450
    assert info.acceptance[beyond].eq(0).all() and info.acceptance[~beyond].gt(0).all()
    assert torch.equal(position[beyond], x[beyond])
    assert not torch.equal(position[~beyond], x[~beyond])


# --- chains do not know of each other


@pytest.mark.parametrize(
    "kernel", [Langevin(0.6), Langevin(0.6, temperature=0), Langevin(0.9, metropolis=True)], ids=repr
)
def test_a_chain_alone_is_the_same_chain_in_a_batch(kernel: Langevin, monkeypatch: pytest.MonkeyPatch) -> None:
    chains, steps = 6, 12
    rng = stream(0, "noise")
    noise = torch.randn(steps, chains, 2, 3, generator=rng, dtype=torch.float64)
    uniform = torch.rand(steps, chains, generator=rng, dtype=torch.float64)
    x = torch.randn(chains, 2, 3, generator=rng, dtype=torch.float64)

    def chain(rows: slice) -> tuple[Tensor, list[Tensor]]:
        """The chains of ``rows``, fed with their own noise."""
        normals, uniforms = iter(noise[:, rows]), iter(uniform[:, rows])
        with monkeypatch.context() as patch:
            patch.setattr(torch, "randn", lambda *_, **__: next(normals).clone())
            patch.setattr(torch, "rand", lambda *_, **__: next(uniforms).clone())
            state, seen = kernel.init(x[rows]), []
            for _ in range(steps):
                state, info = kernel.step(state, gumbel, rng)
                seen.append(info.energy if info.acceptance is None else info.acceptance)
        return state.position, seen

    together, seen = chain(slice(None))
    for i in range(chains):
        alone, seen_alone = chain(slice(i, i + 1))
        torch.testing.assert_close(alone, together[i : i + 1])
        torch.testing.assert_close(torch.cat(seen_alone), torch.stack(seen)[:, i])
    if kernel.metropolis:
        moved = torch.stack(seen)
        assert (moved < 1).any() and (together != x).any()


def test_a_corrected_chain_never_leads_away_from_its_target() -> None:
    """Eq. (20) of CoopNets: KL(M q | p) ≤ KL(q | p), here of 16 bins of N(0, 1)."""
    images, edges = 1 + 0.3 * torch.randn(200_000, 1, generator=stream(0)), torch.linspace(-4, 4, 17)
    expected = torch.special.ndtr(edges).diff()
    divergences = []
    for step in range(6):
        share = torch.histogram(images.flatten(), edges).hist + 1e-3
        share = share / share.sum()
        divergences.append((share * (share / expected).log()).sum())
        images, _ = run(Langevin(0.8, metropolis=True), Gaussian(1.0), images, 1, stream(1, step))
    assert (torch.stack(divergences).diff() < 1e-3).all() and divergences[-1] < divergences[0] / 2
