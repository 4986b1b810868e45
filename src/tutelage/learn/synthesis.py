"""Step 3 of IGM's Algorithm 1: images from the classifiers learned so far, in learning and afterwards alike.

Chains start where they are put and descend an energy of the classifiers, eqs. (9) to (11) and (14), until a rule stops
them; what they come to is rounded to bytes. `tutelage.learn.igm` says what its plan means, and calls this.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from ..checks import DivergenceError
from ..data import from_uint8, to_uint8
from ..energy import Gaussian, LogProbability, RandomPatches, RandomTilt, Tilt, Uniform
from ..gradient import Fixed, prepared
from ..sample import Chain, advance, begin
from ..types import Images

if TYPE_CHECKING:
    from .igm import Plan


class Synthesis(NamedTuple):
    """What a synthesis step made of a batch of images."""

    images: Images
    """``[B, C, *space]``, rounded to what 8 bits can say."""
    steps: int
    crossed: Tensor
    """``[B]`` bool: which chains the rule stopped."""


def initial_noise(shape: Sequence[int], std: float, rng: torch.Generator) -> Images:
    """``shape`` draws from p_0 = N(0, ``std``²), clipped to [-1, 1] and rounded to 8 bits (§4.1; authors' code)."""
    return from_uint8(to_uint8(Gaussian(std).sample(shape, rng)))


def synthesis_energy(plan: Plan, classifiers: Sequence[nn.Module], patch: Sequence[int], per_image: int | None) -> Any:
    """What synthesis descends, with the newest classifier last.

    As practised: ``Tilt(Uniform, logit)``; exactly: ``Tilt(Gaussian, logit, ..., logit)``, eqs. (9), (14). With
    ``per_image`` patches of size ``patch`` each logit is summed over as many places, drawn afresh in each step.
    ``classifiers`` need to be in evaluation mode.
    """
    used = classifiers if plan.exact else classifiers[-1:]
    potentials = [LogProbability(logit) if plan.objective == "log-probability" else logit for logit in used]
    reference = Gaussian(plan.reference_std) if plan.exact else Uniform()
    if per_image is None:
        return Fixed(prepared(Tilt(reference, *potentials)))
    height, width = patch
    return RandomTilt(reference, *(RandomPatches(f, (height, width), per_image) for f in potentials))


def start_synthesis(plan: Plan, images: Images) -> Chain:
    """Chains at ``images``, about to climb."""
    return begin(plan.stepping(), images, plan.stop)


def advance_synthesis(plan: Plan, energy: Any, chain: Chain, rng: torch.Generator) -> tuple[Chain, Any, bool]:
    """One step of synthesis. Also returns whether it was the last: all chains stopped, or time is up."""
    chain, info = advance(plan.stepping(), energy, chain, rng, plan.stop)
    return chain, info, chain.steps >= plan.synthesis_steps or bool(chain.stopped.all())


def finished(chain: Chain) -> Synthesis:
    """What came of a chain: its images, rounded as they are kept. Raises ``DivergenceError`` as `rounded` does."""
    return Synthesis(rounded(chain.state.position, chain.steps), chain.steps, chain.stopped)


def rounded(images: Images, steps: int) -> Images:
    """``images`` that ``steps`` of synthesis led to, rounded to what 8 bits can say.

    Raises ``DivergenceError`` where they are not finite, which bytes would hide.
    """
    wild = ~images.isfinite().flatten(1).all(1)
    if wild.any():
        raise DivergenceError(
            f"synthesis left the finite numbers within {steps} steps, in {int(wild.sum())} of {len(wild)} images. The "
            "likely cause is a classifier whose learning rate (plan.update.lr) is too large, or a kernel whose steps "
            "(plan.kernel) are: train with smaller ones.",
            numbers={"images": math.nan},
            smaller=("plan.update.lr",),
        )
    return from_uint8(to_uint8(images))


def synthesis_step(plan: Plan, energy: Any, images: Images, rng: torch.Generator) -> Synthesis:
    """Step 3 of Algorithm 1 for a batch of images: in learning, and in making new images from what was learned."""
    chain, done = start_synthesis(plan, images), False
    while not done:
        chain, _, done = advance_synthesis(plan, energy, chain, rng)
    return finished(chain)


def ends(batches: Iterable[Iterator[tuple[int, Synthesis]]]) -> Images:
    """What the last round of each batch made, one batch after the other, without keeping the rounds before it."""
    return torch.cat([deque(rounds, maxlen=1)[0][1].images for rounds in batches])


def chain_dict(chain: Chain) -> dict[str, Any]:
    """A chain as it is saved."""
    return {"state": list(chain.state), "rule": chain.rule, "stopped": chain.stopped, "steps": chain.steps}


def chain_from(fresh: Chain, saved: dict[str, Any]) -> Chain:
    """A chain like ``fresh`` with the numbers that ``saved`` holds."""
    rule = None if saved["rule"] is None else type(fresh.rule)(saved["rule"])
    return Chain(type(fresh.state)(*saved["state"]), rule, saved["stopped"], saved["steps"])
