"""Longer videos from longer sequences of latents: how many latents, one operator throughout, and what is refused."""

from __future__ import annotations

import pytest
import torch

from tiny_recipes import tiny, tiny_clip, tiny_images
from tutelage.apps import dynamics
from tutelage.checks import InputError
from tutelage.nets import video_presets
from tutelage.rng import stream
from tutelage.run.build import build
from tutelage.types import Batch


def learned(name: str = "video/quick", **changes):
    learner, rng = build(tiny(name, changes), 1), stream(0, "learn")
    state = learner.init(rng)
    images = tiny_clip() if name.startswith("video") else tiny_images(4)
    for _ in range(2):
        state, _ = learner.step(state, Batch(images.batch(slice(None)), torch.arange(len(images))), rng)
    return learner, learner.finish(state, rng)


@pytest.mark.parametrize(
    ("frames", "length"), [(1, 1), (28, 1), (29, 2), (64, 10), (65, 11), (68, 11), (255, 58), (256, 58), (257, 59)]
)
def test_the_shortest_sequence_that_makes_enough_frames(frames: int, length: int) -> None:
    assert dynamics.latents_for(video_presets.VIDEO_GENERATOR, frames) == length


@pytest.mark.parametrize(("frames", "length"), [(1, 17), (16, 32), (32, 48), (256, 272)])
def test_frames_that_are_left_out_at_the_ends_are_made_as_well(frames: int, length: int) -> None:
    spec = video_presets.QUICK_VIDEO_GENERATOR
    assert dynamics.latents_for(spec, frames) == length
    assert spec.frames(length) >= frames > spec.frames(length - 1)


def test_no_frames_need_no_latents() -> None:
    with pytest.raises(InputError, match="0 frames were asked for; ask for 1 or more"):
        dynamics.latents_for(video_presets.VIDEO_GENERATOR, 0)


@pytest.mark.parametrize("frames", [1, 20, 24, 33])
def test_a_video_of_any_length_is_g_of_one_sequence(frames: int) -> None:
    learner, state = learned()
    videos = dynamics.synthesise(learner, state, frames, 2, stream(0, "synthesise"))
    assert videos.shape == (2, 3, frames, 8, 8)
    length = max(1, -(-(frames - 8) // 4))  # 4 n + 8 frames
    latents = torch.randn((2, 2, length, 1, 1), generator=stream(0, "synthesise"))
    with torch.no_grad():
        torch.testing.assert_close(videos, state.average(latents)[:, :, :frames])


@pytest.mark.parametrize(("frames", "steps"), [(1, 0), (20, 0), (33, 0), (20, 1), (20, 3)])
def test_as_many_frames_as_asked_for_where_the_generator_leaves_some_out(frames: int, steps: int) -> None:
    learner, state = learned(**{"generator.trim": 2, "generator.latent_size": [4, 1, 1]})
    beside = dynamics.margin(state.descriptor, steps)
    assert dynamics.synthesise(learner, state, frames, 1, stream(0), steps).shape == (1, 3, frames, 8, 8)
    made = state.average.spec.frames(dynamics.latents_for(state.average.spec, frames + 2 * beside))
    assert made >= frames + 2 * beside, "the margin is whole at both ends"


def test_revision_is_the_descriptors_on_the_middle_of_a_longer_draft() -> None:
    learner, state = learned()
    assert state.descriptor.spec.reach == 4 + 4 * 2  # two layers of 5 frames, the first with a stride of 2
    assert [dynamics.margin(state.descriptor, steps) for steps in (0, 1, 2, 3)] == [0, 12, 24, 24]
    rng = stream(0, "synthesise")
    drafts = state.average(torch.randn((1, 2, 16, 1, 1), generator=rng))  # 16 latents make 72 frames, 70 are needed
    revised = dynamics.synthesise(learner, state, 22, 1, stream(0, "synthesise"), 3)
    torch.testing.assert_close(revised, learner.revise(state, drafts, 3, rng)[:, :, 24:46])
    assert not torch.allclose(revised, drafts[:, :, 24:46])
    both = dynamics.drafted_and_revised(learner, state, 22, 1, stream(0, "synthesise"), 3)
    torch.testing.assert_close(both, (drafts[:, :, 24:46], revised))


def test_frames_kept_do_not_know_where_the_revised_video_ends() -> None:
    """Two steps carry the ends two reaches far: the middle is that of a video that goes on for longer."""
    learner, state = learned()
    beside = dynamics.margin(state.descriptor, 2)
    longer = torch.rand(1, 3, 20 + 4 * beside, 8, 8, generator=stream(1)) * 2 - 1
    inner = longer[:, :, beside:-beside]  # 24 frames: a whole number of the descriptor's steps in time
    revise = lambda videos: learner.revise(state, videos, 2, stream(0))  # noqa: E731
    middle = revise(longer)[:, :, 2 * beside : -2 * beside]
    torch.testing.assert_close(revise(inner)[:, :, beside:-beside], middle)
    assert not torch.allclose(revise(inner[:, :, beside:-beside]), middle)


def test_what_is_refused() -> None:
    learner, state = learned()
    for frames in (0, 10**12):
        with pytest.raises(InputError, match=f"{frames} frames were asked for; ask for 1 to 1,000,000"):
            dynamics.synthesise(learner, state, frames, 1, stream(0))
    with pytest.raises(InputError, match="-1 revision steps were asked for; ask for 0 or more"):
        dynamics.synthesise(learner, state, 9, 1, stream(0), -1)
    of_generator = object()
    with pytest.raises(InputError, match="no descriptor to revise by; leave out the revision steps"):
        dynamics.synthesise(of_generator, state, 9, 1, stream(0), 2)
    with pytest.raises(InputError, match="no generator of videos to synthesise by; give a run of a video/ recipe"):
        dynamics.synthesise(*learned("coopnets/mnist"), 9, 1, stream(0))
