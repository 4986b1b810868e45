r"""Multi-kernel Gaussian process dynamical models (Zhu et al. 2016, after Wang, Fleet and Hertzmann 2008; Table 6).

Frames Y (τ × D, their mean removed) and latents X (τ × Q) are Gaussian processes, of which both are learned:

    K_Y = β₂ exp(−β₁/2 |x − x'|²) + β₃⁻¹ I                        frames, over latents
    K_X = Σ_k w_k K_k(X_{1:τ−1}) + α⁻¹ I                          the next latent, over latents

    NLL = D/2 ln |K_Y| + ½ tr K_Y⁻¹ Y Yᵀ + Q/2 ln |K_X| + ½ tr K_X⁻¹ X_{2:τ} X_{2:τ}ᵀ
          + Σ ln β + ln α + ½ |x_1|² + |w| + ½ Σ (ln h / 3)²      without the constants

where w ≥ 0 sum to 1, and the six kernels have shapes s (`latent_kernels`). Latents and frames are predicted by means,

    x_{t+1} = X_{2:τ}ᵀ K_X⁻¹ k_X(x_t),   y_t = Yᵀ K_Y⁻¹ k_Y(x_t) + mean,

and noise is one draw from the predictive covariance of the frames, shared by all pixels, as in the author's
demonstration: frames flicker as a whole, and their movement is the mean's. That may come to rest, or repeat the clip;
`tutelage.metrics.temporal` tells which.

Where this deviates from the paper, which moves X with the hyper-parameters and then w, in turn, by scaled conjugate
gradients, and clips and normalises w:

- Everything moves together, by L-BFGS, and w is a softmax. It stops after 100 iterations, where the author's
  demonstration has 25 times 20 of each kind; the likelihood still rises after 1000, and what is synthesised changes
  with it.
- There are 10 latents, where the demonstration has 20.
- The logarithms of all hyper-parameters h = β, α, s have a normal prior of standard deviation 3. Without it the NLL has
  no lower bound: where a clip has no use for a kernel, Σ ln β falls for good, and shapes drift.
- Y is divided by its standard deviation, which changes the units of β₂ and β₃ alone; 10⁻⁶ is added to both diagonals.
- A predicted latent that is further from 0 than all those learned is brought back to that distance. The linear and the
  polynomial kernel have no bound, and a long synthesis could leave for good.

Fitting is one call of an optimiser, in float64, and no learner: it draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import InputError
from ..metrics.temporal import check_clip
from .dynamics import Start, check_frames, check_start, check_states
from .latent_kernels import KERNELS, SHAPES, kernels, squared_distances

_PRIOR = 3.0  # standard deviation of the logarithms of hyper-parameters
_JITTER = 1e-6  # variance that neither process may fall below


@dataclass(frozen=True)
class Plan:
    """How a model is fitted: ``latents`` is Q, ``iterations`` those of L-BFGS, ``start`` where a synthesis starts.

    The author's demonstration has 20 latents for 250 frames, and 25 times 20 iterations of each kind. The
    defaults are for 64 frames and are tuned on nothing: learning has not come to its end in them.

    Raises ``InputError`` for values that cannot work.
    """

    latents: int = 10
    iterations: int = 100
    start: Start = "last"

    def __post_init__(self) -> None:
        if self.latents < 1 or self.iterations < 0:
            raise InputError(
                f"{self.latents} latents and {self.iterations} iterations were asked for; give 1 latent or more, and 0 "
                "iterations or more"
            )
        check_start(self.start)


class Parameters(NamedTuple):
    """What is learned, float64."""

    latents: Tensor
    """``[τ, Q]``, X."""
    log_frames: Tensor
    """``[3]``, ln β."""
    log_precision: Tensor
    """``[]``, ln α."""
    log_shapes: Tensor
    """``[7]``, ln s: of `KERNELS`, those that have one or two."""
    logits: Tensor
    """``[6]``, of which w is the softmax."""


class Model(NamedTuple):
    """A `tutelage.baselines.dynamics.DynamicTexture`."""

    parameters: Parameters
    frames: Tensor
    """``[τ, D]``, float64: Y, standardised."""
    mean: Tensor
    """``[D]``."""
    scale: Tensor
    """``[]``, by which Y was divided."""
    size: tuple[int, int, int]
    """Channels, height and width."""
    start: Start

    def synthesise(self, frames: int, rng: torch.Generator, noise: bool = True) -> Tensor:
        """A clip ``[C, frames, H, W]``, as `tutelage.baselines.dynamics.DynamicTexture` says."""
        check_frames(frames)
        known = self.parameters.latents
        x = self.predicted(frames)
        root = _root(_frame_covariance(self.parameters))
        across = _frame_kernel(known, x, self.parameters)
        y = across.T @ torch.cholesky_solve(self.frames, root)
        if noise:
            own = _frame_kernel(x, x, self.parameters) + _frame_noise(self.parameters) * _identity(x)
            covariance = own - across.T @ torch.cholesky_solve(across, root)
            drawn = torch.randn((frames, 1), generator=rng, dtype=torch.float64, device=rng.device)
            y = y + _root(covariance) @ drawn.to(y.device)
        return (y * self.scale + self.mean).reshape(frames, *self.size).transpose(0, 1).float()

    def predicted(self, frames: int) -> Tensor:
        """Latents ``[frames, Q]`` from the start on, each the mean prediction from the one before."""
        known = self.parameters.latents
        pull = torch.cholesky_solve(known[1:], _root(_latent_covariance(self.parameters)))
        furthest = known.norm(dim=1).max()
        x = known[:1] if self.start == "first" else known[-1:]
        latents = [x]
        for _ in range(frames - 1):
            x = _latent_kernel(x, known[:-1], self.parameters) @ pull
            x = x * (furthest / x.norm()).clamp(max=1)
            latents.append(x)
        return torch.cat(latents)


def fit(clip: Tensor, plan: Plan) -> Model:
    """The model of a clip ``[C, τ, H, W]``, float in any units.

    Raises ``InputError`` for what is no such clip, does not move, or has fewer frames than latents need, and where a
    covariance becomes singular in learning: of clips with less in them than the model has latents.
    """
    check_clip(clip, "a Gaussian process dynamical model", least=3)
    channels, frames, height, width = clip.shape
    y = clip.detach().double().transpose(0, 1).reshape(frames, -1)
    check_states(plan.latents, *y.shape)
    mean = y.mean(0)
    scale = (y - mean).square().mean().sqrt()
    y = (y - mean) / scale
    parameters = _optimised(initial(y, plan.latents), y, plan.iterations)
    return Model(parameters, y, mean, scale, (channels, height, width), plan.start)


def initial(y: Tensor, latents: int) -> Parameters:
    """Where learning starts: whitened principal components of frames ``[τ, D]``, equal weights, shapes of 1.

    β₁ = 1/Q, since whitened latents are √(2 Q) apart; β₂ = 1, the variance of Y; noises are 1/100 of it.
    """
    u, _, _ = torch.linalg.svd(y, full_matrices=False)
    x = u[:, :latents].contiguous() * len(y) ** 0.5
    log_frames = x.new_tensor([1 / latents, 1.0, 100.0]).log()
    return Parameters(x, log_frames, x.new_tensor(100.0).log(), x.new_zeros(SHAPES), x.new_zeros(len(KERNELS)))


def negative_log_likelihood(parameters: Parameters, y: Tensor) -> Tensor:
    """NLL of standardised frames ``[τ, D]``, ``[]``."""
    x = parameters.latents
    frames = _process(_frame_covariance(parameters), y)
    latents = _process(_latent_covariance(parameters), x[1:])
    prior = parameters.log_frames.sum() + parameters.log_precision + x[0].square().sum() / 2
    weights = parameters.logits.softmax(0).norm()
    hyper = torch.cat([parameters.log_frames, parameters.log_precision[None], parameters.log_shapes])
    return frames + latents + prior + weights + (hyper / _PRIOR).square().sum() / 2


def _optimised(begun: Parameters, y: Tensor, iterations: int) -> Parameters:
    """Parameters after so many iterations of L-BFGS from ``begun``."""
    leaves = Parameters(*(tensor.clone().requires_grad_(True) for tensor in begun))
    optimiser = torch.optim.LBFGS(
        list(leaves),
        max_iter=iterations,
        max_eval=30 * iterations,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = negative_log_likelihood(leaves, y)
        loss.backward()
        return loss

    if iterations:
        optimiser.step(closure)
    return Parameters(*(tensor.detach() for tensor in leaves))


def _process(covariance: Tensor, values: Tensor) -> Tensor:
    """−ln N(values; 0, covariance) of the columns of values ``[τ, D]``, summed, without the constant."""
    root = _root(covariance)
    fit = torch.linalg.solve_triangular(root, values, upper=False).square().sum()
    return values.shape[1] * root.diagonal().log().sum() + fit / 2


def _root(covariance: Tensor) -> Tensor:
    """The Cholesky factor. Raises ``InputError`` where rounding has left none."""
    root, failed = torch.linalg.cholesky_ex(covariance)
    if failed:
        raise InputError(
            f"a covariance of {len(covariance)} frames or latents has no Cholesky factor any more; the clip has less "
            "in it than the model: fit it with fewer latents or fewer iterations"
        )
    return root


def _frame_covariance(parameters: Parameters) -> Tensor:
    x = parameters.latents
    return _frame_kernel(x, x, parameters) + _frame_noise(parameters) * _identity(x)


def _frame_kernel(a: Tensor, b: Tensor, parameters: Parameters) -> Tensor:
    beta = parameters.log_frames.exp()
    return beta[1] * (-beta[0] / 2 * squared_distances(a, b)).exp()


def _frame_noise(parameters: Parameters) -> Tensor:
    return (-parameters.log_frames[2]).exp() + _JITTER


def _latent_covariance(parameters: Parameters) -> Tensor:
    x = parameters.latents[:-1]
    return _latent_kernel(x, x, parameters) + ((-parameters.log_precision).exp() + _JITTER) * _identity(x)


def _latent_kernel(a: Tensor, b: Tensor, parameters: Parameters) -> Tensor:
    weights = parameters.logits.softmax(0)
    return torch.einsum("k,kij->ij", weights, kernels(a, b, parameters.log_shapes))


def _identity(x: Tensor) -> Tensor:
    return torch.eye(len(x), dtype=x.dtype, device=x.device)
