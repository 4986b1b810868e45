r"""The latents that explain given images, or what is seen of them (CoopNets §2.2, step G1; §4.6).

    X ~ N(0, I), then  X ← X − (δ²/2) ∂/∂X [ |m · (Y − g(X))|² / (2σ²) + |X|²/2 ] + δ U         eq. (15)

with m = 1 where a pixel is observed. An image may have several chains, of which the one whose image is nearest to what
was observed is kept, or the mean of their images. Were the model true, one draw from the posterior would miss what is
hidden by 2 Var[g(X) | seen] in squares, and the mean of n draws by (1 + 1/n) Var. Chains do not know of each other: the
generator uses fixed batch-norm statistics.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ..checks import DivergenceError, InputError, check_counts, check_positive
from ..energy import Posterior
from ..gradient import Fixed, frozen_copy, prepared
from ..learn.chunks import generate
from ..sample import Chain, Langevin, Settled, advance, begin
from ..types import Images, Latents, Scores
from .masks import check_fits

NOISE_STD = 0.3
"""σ of ε (§4.1), for generators whose own learning has none."""
_STEP_SIZE, _VALUES = 0.1, 784
"""δ, the authors' default, and the values of an image of MNIST, that it is the default for."""


def step_size_for(values: int) -> float:
    """δ for generators whose own learning takes no steps of inference: .1, or .1 √(784 / values) if that is less.

    ``values`` C · H · W of an image. The rule is ours. The curvature of the energy is a sum over them, and the largest
    step that is stable falls with its root. At 64x64x3 it is .025: on training faces with a hole, of .1, .03, .02 and
    .01 it was .03 or .02 that left the least residual.
    """
    return _STEP_SIZE * min(1.0, (_VALUES / values) ** 0.5)


@dataclass(frozen=True)
class Plan:
    """How latents are inferred.

    ``noise_std`` σ of ε; ``step_size`` δ; ``steps`` at most, 1000 in §4.6; ``chains`` of each image, 1 in §4.6;
    ``stop`` ends a chain before (None: all steps are made). ``keep``: of several chains the "best", or the "mean" of
    their images, which errs less in what is hidden and is smoother than any image that the generator makes.

    Raises ``InputError`` for counts that are too small, a mean of one chain, a σ that is not above 0, and a δ that
    `Langevin` refuses.
    """

    noise_std: float
    step_size: float
    steps: int = 1000
    chains: int = 1
    stop: Settled | None = None
    keep: Literal["best", "mean"] = "best"

    def __post_init__(self) -> None:
        Langevin(self.step_size)
        check_counts(self, at_least_one=("chains",), at_least_zero=("steps",))
        check_positive(self, ("noise_std",))
        if self.keep == "mean" and self.chains == 1:
            raise InputError("the mean of 1 chain is that chain; make more (8, say), or keep the best")


class Inferred(NamedTuple):
    """Where inference has come to: of each image, the best of its chains, or the mean of what they make."""

    steps: int
    made: Tensor
    """``[B]`` int: how many steps the best chain had made when it stopped, or until now."""
    latents: Latents
    """``[B, d, ...]``, of the best chain."""
    images: Images
    """``[B, C, *space]``: g(X) of the best chain, or the mean of all."""
    residual: Scores
    """``[B]``: rms over the observed pixels of Y less ``images``, in image units."""


def infer(
    generator: nn.Module,
    observed: Images,
    mask: Tensor | None,
    latent_shape: tuple[int, ...],
    plan: Plan,
    rng: torch.Generator,
    every: int = 50,
) -> Iterator[Inferred]:
    """Latents for ``observed`` (``[B, C, *space]`` in [-1, 1]): one `Inferred` at the start, and one ``every`` steps.

    ``mask`` (``[B or 1, 1, *space]``, 1 = observed, 0 = hidden; None: all is observed) says what counts; hidden pixels
    are not looked at and may be NaN. The last one yielded is the result. The generator itself stays as it is.

    Raises:
        InputError: images of another shape than the generator makes, or not finite where they are observed; a mask
            that does not fit, or hides all of an image; an ``every`` below 1.
        DivergenceError: the chains left the finite numbers.
    """
    if every < 1:
        raise InputError(f"every is {every}; it needs to be 1 step or more")
    frozen = frozen_copy(generator)
    seen = torch.ones_like(observed[:1, :1], dtype=torch.bool) if mask is None else mask != 0
    with torch.no_grad():
        made = frozen(torch.zeros((1, *latent_shape), dtype=observed.dtype, device=rng.device))
    if observed.shape[1:] != made.shape[1:] or not len(observed):
        raise InputError(
            f"images {list(observed.shape)} were given to a generator of images {['n', *made.shape[1:]]}; resize or "
            "convert them"
        )
    if mask is not None:
        check_fits(mask, tuple(observed.shape))
    if not torch.where(seen, observed, 0.0).isfinite().all():
        raise InputError("observed pixels are not finite; repair them, or hide them by the mask")
    return _chains(frozen, observed, seen.expand(len(observed), *seen.shape[1:]), latent_shape, plan, rng, every)


def _chains(
    frozen: nn.Module,
    observed: Images,
    seen: Tensor,
    latent_shape: tuple[int, ...],
    plan: Plan,
    rng: torch.Generator,
    every: int,
) -> Iterator[Inferred]:
    observed, seen = (part.repeat_interleave(plan.chains, 0) for part in (observed, seen))
    start = torch.randn((len(observed), *latent_shape), generator=rng, device=rng.device, dtype=observed.dtype)
    energy = Fixed(prepared(Posterior(frozen, observed, plan.noise_std, seen)))
    kernel = Langevin(plan.step_size)
    chain = begin(kernel, start, plan.stop)
    made = torch.zeros(len(start), dtype=torch.int64, device=rng.device)
    while True:
        yield _kept(frozen, chain, made, observed, seen, plan)
        if chain.steps >= plan.steps or chain.stopped.all():
            return
        for _ in range(min(every, plan.steps - chain.steps)):
            chain, _ = advance(kernel, energy, chain, rng, plan.stop)
            made += ~chain.stopped  # a step that its rule called off was not made
            if plan.stop is not None and chain.stopped.all():
                break


def _kept(frozen: nn.Module, chain: Chain, made: Tensor, observed: Images, seen: Tensor, plan: Plan) -> Inferred:
    """Of each image's chains, which are neighbours in the batch, the one with the smallest residual, or their mean."""
    latents = chain.state.position
    images = generate(frozen, latents)
    residual = _residual(observed, images, seen)
    if not residual.isfinite().all():
        raise DivergenceError(
            f"inference left the finite numbers within {chain.steps} steps of size {plan.step_size:g}; make the steps "
            "smaller"
        )
    best = residual.view(-1, plan.chains).argmin(1)
    best = best + plan.chains * torch.arange(len(best), device=best.device)
    kept = Inferred(chain.steps, made[best], latents[best], images[best], residual[best])
    if plan.keep == "best":
        return kept
    mean = images.view(-1, plan.chains, *images.shape[1:]).mean(1)
    first = slice(None, None, plan.chains)
    return kept._replace(images=mean, residual=_residual(observed[first], mean, seen[first]))


def _residual(observed: Images, images: Images, seen: Tensor) -> Scores:
    """Rms over the observed pixels."""
    squares = torch.where(seen, observed - images, 0.0).square().flatten(1).sum(1)
    return (squares / seen.expand_as(images).flatten(1).sum(1)).sqrt()
