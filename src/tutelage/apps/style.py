r"""A photograph in the style of a picture that a model has learned (IGM §4.2).

    −ln p(I_style | I)  ∝  α · ‖I_style − I‖₂ − (1 − α) · ln p_style(I_style)

No other network is used: the cascade that learned the style image is run as in synthesis, with the content as a
second force. The paper leaves open, and here it is so:

- the chain starts from noise, as the cascade learned to, and each round descends the mix with its own classifier. From
  the photograph it would keep all of its drawing and take on no more than the style's colours: the classifiers of
  early rounds tell noise from the style, and say nothing of a photograph;
- the photograph is framed by its mirror image, so that its border lies in half as many patches, each way, as
  its middle, and not in a few;
- the style's term is the mean over patches of ``ln p(y = +1)`` (or of the logit, as the plan's objective says), the
  content's the mean over patches of ½ |difference|² · ``CONTENT_SCALE`` (§4.2 prints the norm without its square, whose
  gradient is as long near the photograph as far from it): both are of one patch, so that α means the
  same for any size of photograph and any number of patches;
- each round has at most so many steps, because the stop rule may never fire.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch.nn import functional as F

from ..checks import InputError, by
from ..energy import Content, LogProbability, RandomMix, RandomPatches, RandomTilt, Uniform
from ..learn.igm import Igm, State, check_learned
from ..learn.synthesis import initial_noise, rounded
from ..sample import Ascent, run
from ..types import Images

CONTENT_SCALE = 0.02
"""Of the content's term, in units of what a Gaussian of standard deviation 1 would say.

Chosen by looking at one picture: with five times as much the style did not show at α = .3, with a seventh the content
did not."""


class Stylised(NamedTuple):
    """A photograph after a round."""

    round: int
    images: Images
    """``[1, C, height, width]`` in [-1, 1]."""
    content_error: float
    """rms of its difference from the photograph, in image units."""


def stylise(
    learner: Igm, state: State, photo: Images, content_weight: float, rng: torch.Generator, steps: int | None = None
) -> Iterator[Stylised]:
    """``photo`` (``[C, height, width]`` in [-1, 1]) in the style that was learned, one `Stylised` after each round.

    ``content_weight`` α in [0, 1]: 0 is the style alone, and at 1 the photograph alone draws (§4.2: .3). ``steps`` of
    the plan's kernel in each round (None: 25, or all that the plan has for a single classifier), or fewer where its
    rule stops it. Each round has the newest classifier alone: the plan's ``exact`` has no say here.

    Raises ``DivergenceError`` where the picture leaves the finite numbers, and ``InputError`` where the photograph has
    other channels than the style or is smaller than its patches, α is outside [0, 1], or the model has finished no
    round, is one of whole images, or learned with Langevin dynamics or averaged overlaps.
    """
    if not 0 <= content_weight <= 1:
        raise InputError(
            f"content_weight is {content_weight}; it needs to lie in [0, 1]: 0 is the style alone, 1 the photograph"
        )
    check_learned(state)
    if learner.plan.patches is None:
        raise InputError(
            f"style needs a model of patches, and this one knows whole images of {by(learner.patch)}; train "
            "igm/texture on a style image"
        )
    if photo.shape[0] != learner.shape[0]:
        raise InputError(
            f"the photograph has {photo.shape[0]} channels and the style {learner.shape[0]}; convert one of them"
        )
    if any(whole < part for whole, part in zip(photo.shape[1:], learner.patch, strict=True)):
        raise InputError(
            f"a photograph of {by(photo.shape[1:])} is smaller than the patches of {by(learner.patch)} that this style "
            "knows; give a larger one"
        )
    if not isinstance(learner.plan.kernel, Ascent) or learner.plan.kernel.average_overlaps:
        raise InputError(
            f"the mix of style and content is known up to a factor, and the run's kernel is {learner.plan.kernel}: to "
            "Langevin noise the factor matters, and averaged overlaps would change it from pixel to pixel. Train the "
            "style with plan.kernel of kind ascent.Ascent, and average_overlaps=false"
        )
    enough = learner.plan.synthesis_steps if learner.plan.single else 25  # all the way from noise, or a round's part
    return _rounds(learner, state, photo, content_weight, rng, enough if steps is None else steps)


def _rounds(
    learner: Igm, state: State, photo: Images, content_weight: float, rng: torch.Generator, steps: int
) -> Iterator[Stylised]:
    (top, left), (height, width) = learner.margin, photo.shape[1:]
    framed = F.pad(photo.unsqueeze(0), (left, left, top, top), mode="reflect")
    per_image, plan = learner.patches_for((height, width)), learner.plan
    images = initial_noise(framed.shape, plan.reference_std, rng)
    assert per_image is not None and isinstance(plan.kernel, Ascent)
    plan = replace(plan, kernel=replace(plan.kernel, eps=1e-20))  # gradients of means are tiny, and as good as others
    for number in learner.numbers(state):
        energy = style_energy(learner, learner.load(number, photo.device), framed[0], content_weight, per_image)
        images, _ = run(plan.stepping(), energy, images, steps, rng, plan.stop)
        images = rounded(images, steps)
        inner = images[:, :, top : top + height, left : left + width]
        yield Stylised(number, inner, float((inner[0] - photo).square().mean().sqrt()))


def style_energy(
    learner: Igm, logit: torch.nn.Module, photo: Images, content_weight: float, per_image: int
) -> RandomMix:
    """The loss of §4.2 for one round: ``α · content + (1 − α) · (−ln p_style)``, fresh patches in each step.

    Up to a common factor, to which Adam is blind, so that the two weights add up to one.
    """
    style = LogProbability(logit) if learner.plan.objective == "log-probability" else logit
    height, width = learner.patch
    patches = RandomPatches(style, (height, width), per_image, mean=True)
    content = CONTENT_SCALE / 2 * learner.shape[0] * math.prod(learner.patch) * content_weight
    return RandomMix(content / (content + 1 - content_weight), Content(photo), RandomTilt(Uniform(), patches))
