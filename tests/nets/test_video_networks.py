"""Networks of videos are what `conv3d` and `conv_transpose3d` make of their weights, and stationary in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutelage.checks import InputError, validate_potential
from tutelage.energy import Posterior
from tutelage.gradient import ByAutograd, prepared
from tutelage.learn.calibration import calibrate
from tutelage.nets import (
    VideoConv,
    VideoDeconv,
    VideoDescriptor,
    VideoDescriptorSpec,
    VideoGenerator,
    VideoGeneratorSpec,
    video_presets,
)
from tutelage.nets.blocks import Precision, same_padding
from tutelage.rng import stream

FULL = VideoDescriptorSpec(
    (2, 9, 7, 6), (VideoConv(4, 5, 2, 5, 2), VideoConv(3, 5, 2, None), VideoConv(2, 5, 2, None)), 0.0, 0.3
)
DESCRIPTORS = [
    FULL,
    replace(FULL, shape=(2, 8, 6, 6), slope=0.2),
    replace(FULL, convs=(VideoConv(4, 3, 1, 4, 3), VideoConv(3, 4, 3, None)), slope=0.2),
    replace(FULL, convs=(VideoConv(3, 3, 2, None),)),
    replace(FULL, shape=(2, 9, 6, 8), average_pixels=True, around_mean_frame=True),
    replace(FULL, shape=(2, 6, 12, 8), average_pixels=True, convs=(VideoConv(4, 3, 1, 3, 2), VideoConv(3, 3, 1, 3, 2))),
    replace(FULL, convs=(VideoConv(4, 5, 2, 5, 2), VideoConv(3, 3, 1, 3, 1), VideoConv(2, 3, 2, 3, 2))),
]
UP = VideoGeneratorSpec(
    2,
    (3, 1, 1),
    (
        VideoDeconv(5, 5, 1, None, (1, 1)),
        VideoDeconv(4, 5, 2, None, (3, 2)),
        VideoDeconv(3, 5, 2, 5, (6, 4)),
        VideoDeconv(3, 2, 1, 5, (12, 8)),
    ),
    0.0,
    True,
    0.3,
)
ANY_SIZE = replace(
    UP, latent_size=(3, 2, 3), deconvs=(VideoDeconv(4, 4, 2, 4, (4, 6)), VideoDeconv(3, 3, 1, 3, (4, 6)))
)
GENERATORS = [
    UP,
    replace(UP, slope=0.2, batch_norm=False),
    replace(UP, deconvs=(VideoDeconv(4, 4, 3, None, (3, 3)), VideoDeconv(3, 1, 2, 3, (6, 6)))),
    replace(UP, repeat_pixels=True, around_mean_frame=True),
    ANY_SIZE,
]


def normal(*shape: int, name: str = "videos") -> Tensor:
    return torch.randn(shape, generator=stream(0, name), dtype=torch.float64)


def descriptor(spec: VideoDescriptorSpec) -> VideoDescriptor:
    network = VideoDescriptor(spec, stream(0, "weights")).double()
    with torch.no_grad():
        for bias in network.biases:
            bias.copy_(0.3 * torch.randn(bias.shape, generator=stream(0, "biases")))
    if spec.around_mean_frame:
        network.set_mean_frame(torch.rand((2, *spec.shape[2:]), generator=stream(0, "still")).double() * 2 - 1)
    return network


def generator(spec: VideoGeneratorSpec) -> VideoGenerator:
    network = VideoGenerator(spec, stream(0, "weights")).double()
    with torch.no_grad():
        for shift in network.shifts:
            shift.copy_(0.3 * torch.randn(shift.shape, generator=stream(0, "shifts")))
        for norm in network.norms:
            assert isinstance(norm, nn.BatchNorm3d)
            norm.running_mean.copy_(0.3 * torch.randn(norm.running_mean.shape, generator=stream(0, "means")))
            norm.running_var.copy_(0.5 + torch.rand(norm.running_var.shape, generator=stream(0, "variances")))
    if spec.around_mean_frame:
        network.set_mean_frame(torch.rand((3, *spec.shape[2:]), generator=stream(0, "still")).double() * 2 - 1)
    return network


def textbook_potential(network: VideoDescriptor, x: Tensor) -> Tensor:
    x = x - network.mean_frame if network.spec.around_mean_frame else x
    for i, (conv, weight, bias) in enumerate(zip(network.spec.convs, network.weights, network.biases, strict=True)):
        if i:
            x = F.leaky_relu(x, network.spec.slope)
        if conv.kernel is None:
            x = F.conv3d(x, weight.movedim(-1, 1), bias, (conv.frame_stride, 1, 1), padding=(conv.frames // 2, 0, 0))
        else:
            averages = network.spec.average_pixels and conv.stride > 1
            strides = (conv.frame_stride, *(2 * [1] if averages else 2 * [conv.stride]))
            pads = [same_padding(n, k, s) for n, k, s in zip(x.shape[2:], weight.shape[2:], strides, strict=True)]
            x = F.conv3d(F.pad(x, [p for pair in reversed(pads) for p in pair]), weight, bias, strides)
            x = F.avg_pool3d(x, (1, conv.stride, conv.stride)) if averages else x
    return x.sum((1, 2, 3, 4))


@pytest.mark.parametrize("frames", [4, 9, 12])
@pytest.mark.parametrize("spec", DESCRIPTORS)
def test_the_potential_is_the_textbooks_for_any_number_of_frames(spec: VideoDescriptorSpec, frames: int) -> None:
    network, x = descriptor(spec), normal(3, 2, frames, *spec.shape[2:])
    expected = ByAutograd(lambda videos: textbook_potential(network, videos))(x)
    torch.testing.assert_close(network(x), expected.value, rtol=1e-10, atol=1e-10)
    plain = ByAutograd(network)(x)
    torch.testing.assert_close(plain.gradient, expected.gradient, rtol=1e-10, atol=1e-10)
    fast = prepared(network)(x)
    torch.testing.assert_close(fast.value, expected.value, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(fast.gradient, expected.gradient, rtol=1e-10, atol=1e-10)
    assert expected.value.std() > 0.1, "numbers all alike would hide a mistake"


@pytest.mark.parametrize("spec", DESCRIPTORS)
def test_weights_learn_as_the_textbooks_do(spec: VideoDescriptorSpec) -> None:
    network, x = descriptor(spec), normal(3, *spec.shape)
    of_plain = torch.autograd.grad(network(x).sum(), list(network.parameters()))
    of_textbook = torch.autograd.grad(textbook_potential(network, x).sum(), list(network.parameters()))
    for plain, textbook in zip(of_plain, of_textbook, strict=True):
        torch.testing.assert_close(plain, textbook, rtol=1e-10, atol=1e-10)


def test_a_descriptor_is_a_potential_and_its_snapshot_follows_no_change() -> None:
    network = VideoDescriptor(FULL, stream(0, "weights"))
    validate_potential(network, FULL.shape)
    x = normal(2, *FULL.shape).float()
    snapshot, before = network.prepare(), network(x).detach()
    for weight in (*network.weights, *network.biases):
        weight.data.add_(1)
    torch.testing.assert_close(snapshot(x).value, before)


@pytest.mark.parametrize("smeared", [False, True], ids=["strides", "averages"])
def test_bfloat16_stays_close_to_float32(smeared: bool) -> None:
    down = replace(FULL, average_pixels=smeared, around_mean_frame=smeared)
    exact, low = (VideoDescriptor(down, stream(0), precision) for precision in ("float32", "bfloat16"))
    x = normal(4, *FULL.shape).float()
    right, plain, fast = ByAutograd(exact)(x), ByAutograd(low)(x), prepared(low)(x)
    assert plain.value.dtype == fast.value.dtype == torch.float32
    for other in (plain, fast):
        cosine = F.cosine_similarity(other.gradient.flatten(), right.gradient.flatten(), dim=0)
        assert 0.99 < cosine < 1 - 1e-7
    up = replace(UP, repeat_pixels=smeared, around_mean_frame=smeared)
    makers = [VideoGenerator(up, stream(0), precision).eval() for precision in ("float32", "bfloat16")]
    latents = normal(2, *UP.latent_shape).float()
    right, plain, fast = makers[0](latents), makers[1](latents), makers[1].snapshot()(latents)
    assert plain.dtype == torch.float32
    torch.testing.assert_close(fast, plain)
    cosine = F.cosine_similarity(plain.flatten(), right.flatten(), dim=0)
    assert 0.99 < cosine < 1 - 1e-7


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("repeat_pixels", [False, True])
def test_a_snapshot_of_a_generator_follows_no_change(repeat_pixels: bool, precision: Precision) -> None:
    network = VideoGenerator(replace(UP, repeat_pixels=repeat_pixels), stream(0), precision)
    x = normal(2, *UP.latent_shape).float()
    snapshot = network.snapshot()
    before = snapshot(x)
    for weight in network.weights:
        weight.data.add_(1)
    torch.testing.assert_close(snapshot(x), before)


def transposed_same(x: Tensor, weight: Tensor, strides: Sequence[int], size: Sequence[int]) -> Tensor:
    """The transpose of the convolution with "same" padding, by its derivative."""
    pads = [same_padding(n, k, s) for n, k, s in zip(size, weight.shape[2:], strides, strict=True)]
    below = torch.zeros(len(x), weight.shape[1], *size, dtype=x.dtype, requires_grad=True)
    padded = F.pad(below, [p for pair in reversed(pads) for p in pair])
    made = F.conv3d(padded, weight.detach(), stride=tuple(strides))
    return torch.autograd.grad(made, below, x)[0]


def textbook_video(network: VideoGenerator, x: Tensor, training: bool) -> Tensor:
    for i, (deconv, stride, weight) in enumerate(
        zip(network.spec.deconvs, network.spec.strides, network.weights, strict=True)
    ):
        if i:
            x = x.movedim(1, -1)
            if network.spec.batch_norm:
                norm = network.norms[i - 1]
                assert isinstance(norm, nn.BatchNorm3d)
                mean = x.mean((0, 1, 2, 3)) if training else norm.running_mean
                variance = x.var((0, 1, 2, 3), correction=0) if training else norm.running_var
                x = (x - mean) / (variance + 1e-3).sqrt()
            x = F.leaky_relu(x + network.shifts[i - 1], network.spec.slope).movedim(-1, 1)
        strides = (deconv.frame_stride, stride, stride)
        if deconv.kernel is None:
            full = F.conv_transpose3d(x, weight.movedim(-1, 1), None, strides)
            length = deconv.frame_stride * (x.shape[2] - 1 + -(-deconv.frames // deconv.frame_stride))
            x = F.pad(full, (0, 0, 0, 0, 0, length - full.shape[2]))
        elif network.spec.repeat_pixels:
            x = x.repeat_interleave(stride, 3).repeat_interleave(stride, 4)
            size = [deconv.frame_stride * x.shape[2], *x.shape[3:]]
            x = transposed_same(x, weight, [deconv.frame_stride, 1, 1], size)
        else:
            size = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
            x = transposed_same(x, weight, strides, size)
    still = torch.atanh(0.99 * network.mean_frame) if network.spec.around_mean_frame else 0.0
    return torch.tanh(x + network.shifts[-1].view(-1, 1, 1, 1) + still)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("spec", GENERATORS)
def test_the_video_is_the_textbooks(spec: VideoGeneratorSpec, training: bool) -> None:
    network, x = generator(spec).train(training), normal(3, *spec.latent_shape)
    expected = textbook_video(network, x, training).detach()
    made = network(x)
    assert made.shape == (3, *spec.shape) and made.dtype == torch.float64
    torch.testing.assert_close(made, expected, rtol=1e-9, atol=1e-9)
    assert expected.std() > 0.05
    if not training:
        torch.testing.assert_close(network.train().snapshot()(x), expected, rtol=1e-9, atol=1e-9)


def test_latents_shifted_by_one_are_frames_shifted_by_four() -> None:
    """Every frame is made by the same operator from the latents near it: T = 4 n + 24."""
    network, latents = generator(UP).eval(), normal(1, 2, 9, 1, 1)
    with torch.no_grad():
        whole, part = network(latents), network(latents[:, :, 1:])
    assert whole.shape[2] == 4 * 9 + 24 and part.shape[2] == 4 * 8 + 24
    edge = 25  # the first latent, which one of them lacks, reaches frames 0 to 28
    torch.testing.assert_close(whole[:, :, 4 + edge :], part[:, :, edge:], rtol=1e-9, atol=1e-9)
    assert not torch.allclose(whole[:, :, 5 + edge :], part[:, :, edge:-1], atol=1e-2), "shifted by another number"


def test_trimmed_at_both_ends_no_frame_is_unlike_the_others() -> None:
    trimmed, latents = generator(replace(UP, latent_size=(15, 1, 1), trim=26)).eval(), normal(1, 2, 15, 1, 1)
    with torch.no_grad():
        whole, part = trimmed(latents), trimmed(latents[:, :, 1:])
        torch.testing.assert_close(whole, generator(UP).eval()(latents)[:, :, 26:-26], rtol=1e-9, atol=1e-12)
    assert whole.shape[2] == trimmed.spec.shape[1] == trimmed.spec.frames(15) == 32
    # up to its first and last frame: shorter trims, and the latent that is missing would be seen
    torch.testing.assert_close(whole[:, :, 4:], part, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "spec",
    [
        UP,
        replace(UP, deconvs=UP.deconvs[:3]),
        replace(UP, deconvs=(VideoDeconv(4, 4, 3, None, (3, 3)), VideoDeconv(3, 2, 2, 3, (6, 6)))),
    ],
)
@pytest.mark.parametrize("trim", [1, 2, 5, 7])
def test_frames_that_are_left_out_are_not_made(spec: VideoGeneratorSpec, trim: int) -> None:
    """The video is the same, and the latents that count are those that change it, to the first and the last."""
    spec = replace(spec, latent_size=(9, 1, 1))
    whole, trimmed = generator(spec).eval(), generator(replace(spec, trim=trim)).eval()
    latents = normal(1, spec.latent_dim, 9, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(trimmed(latents), whole(latents)[:, :, trim:-trim], rtol=1e-9, atol=1e-12)
    first, last = trimmed.spec.heard(9)[0]
    for missing in (first, last - 1):  # the outermost latents that are heard do change the video
        other = latents.clone()
        other[:, :, missing] += 1
        assert not torch.equal(trimmed(other), trimmed(latents))


@pytest.mark.parametrize("trim", [-1, 18])
def test_a_trim_that_leaves_nothing_is_refused(trim: int) -> None:
    with pytest.raises(InputError, match=rf"a trim of {trim} frames at each end leaves .*; it needs to be 0 or more"):
        replace(UP, trim=trim)


@pytest.mark.parametrize(("latents", "frames"), [(10, 64), (58, 256), (1, 28)])
def test_the_papers_generator_makes_4_n_plus_24_frames(latents: int, frames: int) -> None:
    assert video_presets.VIDEO_GENERATOR.frames(latents) == frames


def test_a_descriptor_sees_how_far_videos_are_from_the_mean_frame() -> None:
    plain, around = (VideoDescriptor(replace(FULL, around_mean_frame=of), stream(0)) for of in (False, True))
    x, frame = normal(2, *FULL.shape).float(), 0.5 * torch.ones(2, 7, 6)
    torch.testing.assert_close(around(x), plain(x), msg="grey, until it is told")
    around.set_mean_frame(frame)
    snapshot = around.prepare()
    torch.testing.assert_close(around(x), plain(x - 0.5))
    around.set_mean_frame(0 * frame)
    torch.testing.assert_close(snapshot(x).value, plain(x - 0.5), msg="a snapshot follows no change")


def test_videos_are_made_around_the_mean_frame() -> None:
    network = VideoGenerator(replace(UP, around_mean_frame=True), stream(0)).eval()
    frame = torch.rand((3, 12, 8), generator=stream(0, "frame")) * 2 - 1
    network.set_mean_frame(frame)
    for weight in network.weights:
        weight.data.zero_()
    made = network(normal(2, *UP.latent_shape).float())
    torch.testing.assert_close(made, 0.99 * frame[None, :, None].expand_as(made))
    assert "mean_frame" in network.state_dict() and "mean_frame" not in dict(network.named_parameters())
    for wrong, words in (
        (frame.transpose(1, 2), r"of \(3, 8, 12\) .*needs to be of \(3, 12, 8\)"),
        (255 * frame, "up to 2"),
    ):
        with pytest.raises(InputError, match=words):
            network.set_mean_frame(wrong)
    with pytest.raises(InputError, match="has no mean frame; set around_mean_frame"):
        VideoGenerator(UP, stream(0)).set_mean_frame(frame)


def test_presets_fit_each_other() -> None:
    assert video_presets.VIDEO_GENERATOR.shape == video_presets.VIDEO_DESCRIPTOR.shape == (3, 64, 128, 128)
    assert video_presets.QUICK_VIDEO_GENERATOR.shape == video_presets.QUICK_VIDEO_DESCRIPTOR.shape == (3, 32, 64, 64)
    # §4.7: the maps that the fully connected layers take
    assert video_presets.VIDEO_DESCRIPTOR.map_sizes == [(128, 128), (64, 64), (1, 1)]
    assert video_presets.VIDEO_GENERATOR.strides == [1, 1, 2, 2]


def test_stationary_networks_take_any_size() -> None:
    network, made = descriptor(DESCRIPTORS[-1]), generator(ANY_SIZE).eval()(normal(1, 2, 5, 4, 4))
    assert made.shape == (1, 3, 10, 8, 8)
    assert network(normal(2, 2, 5, 8, 11)).shape == (2,)


def test_the_posterior_and_calibration_take_videos() -> None:
    network, x = generator(UP), normal(2, *UP.latent_shape)
    observed = normal(2, *UP.shape)
    evaluation = prepared(Posterior(network, observed, 0.3))(x)
    expected = ByAutograd(Posterior(network.eval(), observed, 0.3))(x)
    torch.testing.assert_close(evaluation.gradient, expected.gradient)
    single = VideoGenerator(UP, stream(0))
    norm = single.norms[0]
    assert isinstance(norm, nn.BatchNorm3d)
    before = norm.running_var.clone()
    calibrate(single, 20, UP.latent_shape, stream(0, "calibrate"))
    assert not torch.equal(norm.running_var, before) and not single.training


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match=r"takes videos of \(2, 9, 7, 6\).*not \(2, 9, 7, 7\)"):
        VideoDescriptor(FULL, stream(0))(torch.zeros(1, 2, 9, 7, 7))
    with pytest.raises(InputError, match=r"takes videos of .*not \(2, 7, 6\)"):
        VideoDescriptor(FULL, stream(0)).prepare()(torch.zeros(1, 2, 7, 6))
    with pytest.raises(InputError, match="stride of 2 there; it needs to be 1"):
        replace(FULL, convs=(VideoConv(3, 5, 2, None, 2),))
    with pytest.raises(InputError, match="1 latents make no frame that hears as many"):
        VideoGenerator(replace(UP, latent_size=(15, 1, 1), trim=26), stream(0))(torch.zeros(1, 2, 1, 1, 1))
    with pytest.raises(InputError, match="frames of a video descriptor is 0"):
        replace(FULL, convs=(VideoConv(3, 0, 2, None),))
    with pytest.raises(InputError, match=r"latents of shape \[B, 2, 3, 1, 1\] \(any length\), not \[1, 2, 3\]"):
        VideoGenerator(UP, stream(0))(torch.zeros(1, 2, 3))
    with pytest.raises(InputError, match=r"any length, height and width\), not \[1, 3, 3, 2, 2\]"):
        VideoGenerator(ANY_SIZE, stream(0))(torch.zeros(1, 3, 3, 2, 2))
    with pytest.raises(InputError, match=r"maps of \[2, 2\] above it; it needs 1x1"):
        replace(UP, latent_size=(3, 2, 2))
    with pytest.raises(InputError, match=r"no transposed convolution makes frames of \[7, 4\] from \[3, 2\]"):
        replace(UP, deconvs=(*UP.deconvs[:2], VideoDeconv(3, 5, 2, 5, (7, 4))))
    with pytest.raises(InputError, match="latent size of a video generator is 0"):
        replace(UP, latent_size=(0, 1, 1))
    with pytest.raises(InputError, match="takes frames of any size, and has no mean frame"):
        replace(ANY_SIZE, around_mean_frame=True)
    with pytest.raises(InputError, match="takes frames of any size, and has no mean frame"):
        replace(DESCRIPTORS[-1], around_mean_frame=True)
    with pytest.raises(InputError, match="has no mean frame; set around_mean_frame"):
        VideoDescriptor(FULL, stream(0)).set_mean_frame(torch.zeros(2, 7, 6))
