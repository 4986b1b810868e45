r"""Dynamic textures (CoopNets §4.7) longer than those learned from, which the paper does not do.

    X = (x_1, …, x_n),  x_t ~ N(0, I),      Y = g(X; α)

A generator of videos is a convolution in time, so a longer sequence of latents makes a longer video, in one shot and
without a seam. A sequence makes whole numbers of frames only (the paper's layers 4 n + 24): the shortest that makes
enough is drawn, and the frames beyond those asked for are cut off at the end.

The descriptor pads videos in time, so that its gradient near the ends knows how far away they are and, with one clip,
how that clip begins and ends. What is revised is therefore the middle of a longer draft.
"""

from __future__ import annotations

import bisect
from typing import Any

import torch

from ..checks import InputError
from ..learn.chunks import generate
from ..nets import VideoDescriptor, VideoGenerator, VideoGeneratorSpec
from ..types import Images

_MOST = 1_000_000  # frames


def latents_for(spec: VideoGeneratorSpec, frames: int) -> int:
    """Length of the shortest sequence of latents that makes ``frames`` frames or more.

    Raises ``InputError`` for fewer than 1 frame.
    """
    if frames < 1:
        raise InputError(f"{frames} frames were asked for; ask for 1 or more")
    most = frames + 2 * spec.trim  # no map has fewer frames than the one above it
    return 1 + bisect.bisect_left(range(1, most + 1), frames, key=spec.frames)


def margin(descriptor: Any, steps: int) -> int:
    """Frames that are revised on either side of those asked for: as far as ``steps`` of the descriptor's gradient
    carry what the ends are, two steps at most (beyond, it is faint). 0 for descriptors that are not of this library."""
    return descriptor.spec.reach * min(steps, 2) if isinstance(descriptor, VideoDescriptor) else 0


def synthesise(learner: Any, state: Any, frames: int, n: int, rng: torch.Generator, revision_steps: int = 0) -> Images:
    """``n`` new videos of ``frames`` frames, ``[n, C, frames, H, W]``, by the averaged generator.

    With ``revision_steps``, all frames that the latents make are then revised together by the descriptor, in so many
    steps of Langevin dynamics, with a `margin` of frames on either side that is cut off. ``learner`` and ``state`` are
    those of CoopNets or, without revision, of Algorithm G.

    Raises ``InputError`` for other than 1 to a million frames, fewer than 0 steps, and where there is no generator of
    videos, or no descriptor to revise by.
    """
    return drafted_and_revised(learner, state, frames, n, rng, revision_steps)[1]


def drafted_and_revised(
    learner: Any, state: Any, frames: int, n: int, rng: torch.Generator, revision_steps: int
) -> tuple[Images, Images]:
    """The same frames of drafts, and of what `synthesise`, whose arguments these are, makes of these drafts."""
    generator = getattr(state, "average", None)
    if not isinstance(generator, VideoGenerator):
        raise InputError("there is no generator of videos to synthesise by; give a run of a video/ recipe")
    if not 1 <= frames <= _MOST:
        raise InputError(f"{frames} frames were asked for; ask for 1 to {_MOST:,}")
    if revision_steps < 0:
        raise InputError(f"{revision_steps} revision steps were asked for; ask for 0 or more")
    if revision_steps and not hasattr(learner, "revise"):
        raise InputError("there is no descriptor to revise by; leave out the revision steps")
    beside = margin(getattr(state, "descriptor", None), revision_steps)
    length = latents_for(generator.spec, frames + 2 * beside)
    shape = (n, generator.spec.latent_dim, length, *generator.spec.latent_size[1:])
    drafts = generate(generator, torch.randn(shape, generator=rng, device=rng.device))
    revised = learner.revise(state, drafts, revision_steps, rng) if revision_steps else drafts
    return drafts[:, :, beside : beside + frames], revised[:, :, beside : beside + frames]
