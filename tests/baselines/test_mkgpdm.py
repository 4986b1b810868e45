"""The multi-kernel GPDM: its likelihood is that of torch's densities, its kernels are those named, circles go on."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn import gaussian_process
from torch import Tensor
from torch.distributions import MultivariateNormal

from tutelage.baselines import mkgpdm
from tutelage.baselines.latent_kernels import KERNELS, kernels
from tutelage.baselines.mkgpdm import Parameters, Plan
from tutelage.checks import InputError
from tutelage.rng import stream


def drawn(*shape: int, name: str = "drawn") -> Tensor:
    return torch.randn(shape, generator=stream(0, name), dtype=torch.float64)


PARAMETERS = Parameters(
    drawn(9, 3), torch.tensor([0.3, -0.2, 1.0]).double(), torch.tensor(2.0).double(), drawn(7) / 2, drawn(6, name="w")
)


def ring(frames: int, period: int = 12) -> Tensor:
    """Light that goes around a ring of 12 pixels."""
    t, x = torch.arange(frames).double()[:, None], torch.arange(12).double()
    light = torch.exp(2 * torch.cos(2 * math.pi * (t / period - x / 12))) / 4
    return light.reshape(1, frames, 3, 4) - 0.5


def test_the_kernels_are_those_named() -> None:
    a, b, s = drawn(4, 3), drawn(5, 3, name="b"), (drawn(7) / 2).exp().tolist()
    found = dict(zip(KERNELS, kernels(a, b, drawn(7) / 2), strict=True))
    theirs = {
        "linear": gaussian_process.kernels.DotProduct(0.0),
        "squared exponential": gaussian_process.kernels.RBF(s[0] ** -0.5),
        "rational quadratic": gaussian_process.kernels.RationalQuadratic(s[4] ** -0.5, s[3]),
        "Matérn 3/2": gaussian_process.kernels.Matern(1 / s[6], nu=1.5),
    }
    for name, kernel in theirs.items():
        torch.testing.assert_close(found[name], torch.from_numpy(kernel(a.numpy(), b.numpy())), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(found["polynomial"], (s[1] * a @ b.T + s[2]) ** 2)
    # Williams (1998): inputs with a 1 in front, and weights of covariance diag(1, s, ..., s) / 2
    u, v = (torch.cat([torch.ones(len(x), 1), x * s[5] ** 0.5], 1).double() for x in (a, b))
    angles = (u @ v.T) / ((1 + u.square().sum(1))[:, None] * (1 + v.square().sum(1))).sqrt()
    torch.testing.assert_close(found["arcsine"], 2 / math.pi * angles.asin())


def test_the_likelihood_is_that_of_gaussian_processes() -> None:
    y, p = drawn(9, 20, name="y"), PARAMETERS
    beta, alpha, w = p.log_frames.exp(), p.log_precision.exp(), p.logits.softmax(0)
    x = p.latents
    of_frames = beta[1] * torch.exp(-beta[0] / 2 * torch.cdist(x, x) ** 2) + (1 / beta[2] + 1e-6) * torch.eye(9)
    of_latents = (w[:, None, None] * kernels(x[:-1], x[:-1], p.log_shapes)).sum(0)
    of_latents = of_latents + (1 / alpha + 1e-6) * torch.eye(8)
    density = MultivariateNormal(torch.zeros(9).double(), of_frames).log_prob(y.T).sum()
    density = density + MultivariateNormal(torch.zeros(8).double(), of_latents).log_prob(x[1:].T).sum()
    constant = math.log(2 * math.pi) / 2 * (9 * 20 + 8 * 3)
    prior = p.log_frames.sum() + p.log_precision + x[0].square().sum() / 2
    hyper = torch.cat([p.log_frames, p.log_precision[None], p.log_shapes])
    expected = -density - constant + prior + w.norm() + hyper.square().sum() / 18
    torch.testing.assert_close(mkgpdm.negative_log_likelihood(p, y), expected)


def test_it_has_a_gradient_in_everything() -> None:
    y = drawn(9, 20, name="y")
    leaves = [tensor.clone().requires_grad_(True) for tensor in PARAMETERS]
    assert torch.autograd.gradcheck(lambda *given: mkgpdm.negative_log_likelihood(Parameters(*given), y), leaves)


def test_it_starts_from_whitened_principal_components() -> None:
    y = drawn(9, 20, name="y")
    y = y - y.mean(0)
    begun = mkgpdm.initial(y, 4)
    torch.testing.assert_close(begun.latents.T @ begun.latents / 9, torch.eye(4).double())
    u = torch.linalg.svd(y).U[:, :4]
    torch.testing.assert_close(begun.latents @ begun.latents.T / 9, u @ u.T)
    assert begun.log_frames.exp().tolist() == pytest.approx([1 / 4, 1, 100])


def test_learning_lowers_the_negative_likelihood_and_moves_the_weights() -> None:
    models = [mkgpdm.fit(ring(30), Plan(2, iterations)) for iterations in (0, 5, 30)]
    none, few, more = (mkgpdm.negative_log_likelihood(model.parameters, model.frames).item() for model in models)
    begun = mkgpdm.initial(models[0].frames, 2)
    assert none == mkgpdm.negative_log_likelihood(begun, models[0].frames).item()
    assert more < few < none - 100
    before, _, after = (model.parameters.logits.softmax(0) for model in models)
    torch.testing.assert_close(before, torch.full((6,), 1 / 6).double())
    assert after.std() > 0.01


@pytest.mark.parametrize("start", ["first", "last"])
def test_the_mean_prediction_follows_a_circle(start) -> None:
    """Two rounds and a half are learned; two more are predicted."""
    model = mkgpdm.fit(ring(30), Plan(2, 60, start))
    made = model.synthesise(24, stream(0), noise=False)
    begin = 0 if start == "first" else 29
    expected = ring(begin + 24)[:, begin:].float()
    spread = (expected - expected.mean(1, keepdim=True)).square().mean()
    assert (made - expected).square().mean() < 0.02 * spread


def test_noise_is_shared_by_all_pixels_and_has_the_predictive_variance() -> None:
    model = mkgpdm.fit(ring(30), Plan(2, 30))
    quiet = model.synthesise(5, stream(0), noise=False)
    flicker = torch.stack([model.synthesise(5, stream(seed)) - quiet for seed in range(400)])
    torch.testing.assert_close(flicker, flicker[..., :1, :1].expand_as(flicker), rtol=0, atol=1e-5)
    p, x, new = model.parameters, model.parameters.latents, model.predicted(5)
    beta = p.log_frames.exp()
    every = torch.cat([x, new])
    joint = beta[1] * torch.exp(-beta[0] / 2 * torch.cdist(every, every) ** 2) + (1 / beta[2] + 1e-6) * torch.eye(35)
    a, b, c = joint[:30, :30], joint[:30, 30:], joint[30:, 30:]
    # the start is a latent that was learned, and a new frame of it has noise of its own
    a, c = a.clone(), c.clone()
    expected = (c - b.T @ torch.linalg.inv(a) @ b).diagonal() * model.scale**2
    found = flicker[:, 0, :, 0, 0].double().square().mean(0)
    torch.testing.assert_close(found, expected, rtol=0.3, atol=0)


def test_a_prediction_stays_as_near_as_what_was_learned() -> None:
    """A precise linear kernel of states that grow would leave for good."""
    model = mkgpdm.fit(ring(30), Plan(2, 0))
    growing = torch.stack([0.1 * 1.1 ** torch.arange(30.0), torch.zeros(30)], 1).double()
    only_linear = torch.tensor([50.0, 0, 0, 0, 0, 0]).double()
    parameters = model.parameters._replace(
        latents=growing, logits=only_linear, log_precision=torch.tensor(12.0).double()
    )
    model = model._replace(parameters=parameters)
    predicted = model.predicted(50)
    assert predicted.norm(dim=1).max() <= growing.norm(dim=1).max() * (1 + 1e-9)
    first = model._replace(start="first").predicted(20)
    torch.testing.assert_close(first, growing[:20], rtol=1e-2, atol=1e-2)


def test_a_covariance_without_a_factor_is_refused() -> None:
    alike = PARAMETERS._replace(latents=torch.zeros(9, 3).double(), log_frames=torch.tensor([0.0, 60, 60]).double())
    with pytest.raises(InputError, match=r"of 9 frames or latents has no Cholesky factor .* fewer latents or fewer it"):
        mkgpdm.negative_log_likelihood(alike, drawn(9, 20, name="y"))
