"""Dynamic textures from one clip (CoopNets §4.7): networks that are convolutions in time, which make any length."""

from __future__ import annotations

from dataclasses import replace

from ..data import DataSpec
from ..learn import coopnets
from ..learn.updates import Adam
from ..nets import video_presets
from .recipe import Recipe
from .sources import COMMON

DYNAMIC_TEXTURE = Recipe(
    name="video/dynamic-texture",
    data=DataSpec(kind="video", size=(128, 128), channels=3, scaling="per-image", frames=64),
    descriptor=video_presets.VIDEO_DESCRIPTOR,
    generator=video_presets.VIDEO_GENERATOR,
    plan=coopnets.Plan(
        iterations=1_000,
        batch_size=1,
        chains=2,
        revision_steps=10,
        step_size=0.002,
        reference_std=0.016,
        noise_std=1.0,
        descriptor_update=Adam(lr=0.01),
        generator_update=Adam(lr=2e-4),
        calibration_draws=20,
    ),
    checkpoint_every=100,
    picture_every=100,
    sources={
        **COMMON,
        "data": "§4.7: one clip of 128x128 pixels and 64 frames for each category",
        "data.scaling": "ours: the range of the clip (code: of each frame, data.scaling=per-frame, which may flicker)",
        "descriptor": "§4.7: 120 of 5x5x5, 30 fully connected in space of 5 frames, 10 of 1x1x5; sub-sampling 2",
        "descriptor.slope": "authors' code: ReLU, but none after the last layer",
        "generator": "§4.7: 10 latents of 5 channels; 1x1x5, fully connected in space of 5 frames, 5x5x5, 5x5x2",
        "generator.deconvs": "§4.7: 256, 128, 64, 3 channels; up-sampling of the second layer in time: authors' code",
        "generator.slope": "§4.7: ReLU",
        "generator.batch_norm": "§4.7; a shift but no scale, eps 1e-3: authors' code",
        "plan.iterations": "authors' code: 1000",
        "plan.batch_size": "§4.7: one training video",
        "plan.chains": "§4.7: 2",
        "plan.revision_steps": "authors' code: 10",
        "plan.step_size": "authors' code: .002",
        "plan.reference_std": "authors' code: .016",
        "plan.noise_std": "authors' code: 1",
        "plan.descriptor_update": "§4.7: Adam; β1 .5 and .01: authors' code",
        "plan.generator_update": "§4.7: Adam; β1 .5 and .0002: authors' code",
        "plan.ema_decay": "none, as in the authors' code",
        "plan.calibration_draws": "ours, after learning; 20 videos are 1 280 frames (code: the batch's statistics)",
    },
    deviations=(
        "Weights start from N(0, .01²) and N(0, .005²) instead of N(0, .001²): the authors' code.",
        "Bytes are scaled by the range of the whole clip, not of each frame, so that brightness does not flicker.",
        "No noise ε is added to the drafts (authors' code; §3.1 adds it).",
        "The generator's loss is a sum over values (eq. 16; code: the mean, a factor that Adam does not see).",
    ),
)

QUICK = replace(
    DYNAMIC_TEXTURE,
    name="video/quick",
    data=replace(DYNAMIC_TEXTURE.data, size=(64, 64), frames=32),
    descriptor=video_presets.QUICK_VIDEO_DESCRIPTOR,
    generator=video_presets.QUICK_VIDEO_GENERATOR,
    plan=replace(
        DYNAMIC_TEXTURE.plan,
        iterations=1_000,
        revision_steps=5,
        step_size=2.0,
        reference_std=None,
        noise_until=0,
        gradient_penalty=1.0,
        descriptor_update=Adam(lr=3e-4, lr_final=3e-5),
        generator_update=Adam(lr=3e-4, lr_final=3e-5),
        ema_decay=0.98,
    ),
    sources={
        **DYNAMIC_TEXTURE.sources,
        "data": "ours: the first 32 frames of one clip, at 64x64 pixels",
        "descriptor": "ours: 32 filters of 3x5x5, 20 fully connected in space of 5 frames, 1 of 1x1x5",
        "descriptor.convs": "ours: sub-sampling in space alone; strides in time see a pattern in time, whatever moves",
        "descriptor.slope": "ours: leaky ReLU .2",
        "descriptor.average_pixels": "ours: averages instead of strides, whose gradients have a grid",
        "descriptor.around_mean_frame": "ours: f sees what moves, and not what stands still",
        "generator": "ours: 64, 32, 24, 3 channels; 1x1x9, fully connected of 5 frames, then 3x3x3 on repeated pixels",
        "generator.deconvs": "ours: 64, 32, 24, 3 channels, and no up-sampling in time",
        "generator.slope": "ours: leaky ReLU .2",
        "generator.trim": "ours: all frames hear as many latents, so that none tells where in the clip it is",
        "generator.repeat_pixels": "ours: transposed convolutions can learn a grid, and did",
        "generator.around_mean_frame": "ours: what stands still needs not be learned",
        "plan.iterations": "ours",
        "plan.revision_steps": "ours: 5",
        "plan.step_size": "ours: 2 without noise, as in coopnets/scene-quick",
        "plan.reference_std": "ours: a uniform reference; a narrow one pulls all that moves to grey until f holds it",
        "plan.noise_until": "§2.1: zero temperature; the noise of such large steps would be all that is seen",
        "plan.gradient_penalty": "ours: 1; without, steps overshoot where the clip stands still, and f bursts",
        "plan.descriptor_update": "ours: Adam .0003 falling to a tenth along half a cosine",
        "plan.generator_update": "ours: Adam .0003 falling to a tenth along half a cosine",
        "plan.ema_decay": COMMON["plan.ema_decay"],
        "plan.calibration_draws": "ours, after learning; 20 videos are 640 frames (code: the batch's statistics)",
    },
    deviations=(
        "A quick variant: smaller networks on half the frames at half the size. No experiment of the paper is like it.",
        "No strides in time; averages and repeated pixels instead of strides in space; 1 output instead of 10; ReLU is "
        "leaky.",
        "5 steps of revision of size 2 instead of 10 of .002.",
        "Both networks are around the mean frame of the clip, which is given to them before they learn.",
        "The reference is uniform and the temperature zero: revision is gradient ascent on f.",
        "A gradient penalty holds back how steep f gets (Mescheder et al. 2018).",
        *DYNAMIC_TEXTURE.deviations,
        "Frames at both ends, which hear fewer latents, are made and left out: the generator cannot tell where in the "
        "clip a frame is.",
        "Learning rates fall along a cosine.",
        "Samples are drawn from an average of the generator's weights.",
    ),
)

VIDEO = (DYNAMIC_TEXTURE, QUICK)
