"""The networks of CoopNets §4.7 for videos, as Specs. "Paper" is what is printed; "code" is what the authors ran."""

from __future__ import annotations

from .video_descriptor import VideoConv, VideoDescriptorSpec
from .video_generator import VideoDeconv, VideoGeneratorSpec

# 120 of 5x5x5, sub-sampling 2; 30 fully connected in space, 5 frames, sub-sampling 2; 10 of 1x1x5, sub-sampling 2.
# Code: ReLU but after the last, init .01
VIDEO_DESCRIPTOR = VideoDescriptorSpec(
    shape=(3, 64, 128, 128),
    convs=(VideoConv(120, 5, 2, 5, 2), VideoConv(30, 5, 2, None), VideoConv(10, 5, 2, None)),
    slope=0.0,
    init_std=0.01,
)
# 10 latents of 5 channels; 1x1x5, fully connected with 5 frames (code: up-sampling 2), 5x5x5 with up-sampling 2, 5x5x2
# with 2x2x1; channels "256, 128, 64, and 3". Code: ReLU
VIDEO_GENERATOR = VideoGeneratorSpec(
    latent_dim=5,
    latent_size=(10, 1, 1),
    deconvs=(
        VideoDeconv(256, 5, 1, None, (1, 1)),
        VideoDeconv(128, 5, 2, None, (32, 32)),
        VideoDeconv(64, 5, 2, 5, (64, 64)),
        VideoDeconv(3, 2, 1, 5, (128, 128)),
    ),
    slope=0.0,
    batch_norm=True,
    init_std=0.005,
)

# Ours, for one small clip in some minutes: layers of the same kinds, but no strides in time, whose gradient is a
# pattern in time and says nothing of movement; averages and repeated pixels, without a grid; around the mean frame of
# the clip. Frames at the ends are left out, which hear fewer latents
QUICK_VIDEO_DESCRIPTOR = VideoDescriptorSpec(
    shape=(3, 32, 64, 64),
    convs=(VideoConv(32, 3, 1, 5, 2), VideoConv(20, 5, 1, None), VideoConv(1, 5, 1, None)),
    slope=0.2,
    init_std=0.01,
    average_pixels=True,
    around_mean_frame=True,
)
QUICK_VIDEO_GENERATOR = VideoGeneratorSpec(
    latent_dim=5,
    latent_size=(48, 1, 1),
    deconvs=(
        VideoDeconv(64, 9, 1, None, (1, 1)),
        VideoDeconv(32, 5, 1, None, (16, 16)),
        VideoDeconv(24, 3, 1, 3, (32, 32)),
        VideoDeconv(3, 3, 1, 3, (64, 64)),
    ),
    slope=0.2,
    batch_norm=True,
    init_std=0.005,
    trim=14,
    repeat_pixels=True,
    around_mean_frame=True,
)
