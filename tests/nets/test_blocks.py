"""Padding, transposition and space-to-depth: identities that hold for every size, kernel and stride."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tutelage.checks import InputError
from tutelage.nets import (
    Conv,
    Deconv,
    DescriptorSpec,
    Generator,
    GeneratorSpec,
    Pyramid,
    PyramidSpec,
    VelocitySpec,
    presets,
    video_presets,
)
from tutelage.nets.blocks import (
    Precision,
    activation,
    arithmetic,
    compute_dtype,
    same_conv,
    same_conv_transpose,
    same_padding,
    shifted_norm,
    space_to_depth_conv,
    space_to_depth_weight,
)
from tutelage.rng import stream

quickly = settings(max_examples=60, deadline=None, derandomize=True, database=None)
sizes = st.tuples(st.integers(1, 13), st.integers(1, 13))
kernels = st.integers(1, 5)
strides = st.integers(1, 3)
channels = st.integers(1, 3)


def normal(*shape: int, name: str = "images") -> Tensor:
    return torch.randn(shape, generator=stream(0, name), dtype=torch.float64)


def by_definition(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """``y[i, j] = Σ w[a, b] x[i stride + a − low, j stride + b − low]``, pixels outside being 0."""
    _, _, height, width = x.shape
    kernel = weight.shape[-1]
    out = [-(-size // stride) for size in (height, width)]
    low = [max((n - 1) * stride + kernel - size, 0) // 2 for n, size in zip(out, (height, width), strict=True)]
    y = x.new_zeros(len(x), len(weight), *out)
    for i in range(out[0]):
        for j in range(out[1]):
            for a in range(kernel):
                for b in range(kernel):
                    row, column = i * stride + a - low[0], j * stride + b - low[1]
                    if 0 <= row < height and 0 <= column < width:
                        y[:, :, i, j] += x[:, :, row, column] @ weight[:, :, a, b].T
    return y


# as the authors' framework pads: the odd pixel at the end
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (28, 4, 2, (1, 1)),
        (14, 4, 2, (1, 1)),
        (7, 4, 2, (1, 2)),
        (32, 5, 2, (1, 2)),
        (16, 3, 2, (0, 1)),
        (8, 3, 1, (1, 1)),
        (8, 4, 1, (1, 2)),
        (224, 9, 3, (3, 4)),
        (5, 1, 2, (0, 0)),
    ],
)
def test_padding(size: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride) == expected


@pytest.mark.parametrize(
    ("size", "kernel", "stride"),
    [((7, 6), 4, 2), ((5, 8), 3, 2), ((6, 6), 5, 3), ((4, 5), 2, 1), ((5, 7), 1, 3), ((20, 19), 19, 1)],
)
def test_same_convolution_is_its_definition(size: tuple[int, int], kernel: int, stride: int) -> None:
    x, weight = normal(2, 2, *size), normal(3, 2, kernel, kernel, name="weight")
    bias = normal(3, name="bias")
    expected = by_definition(x, weight, stride)
    torch.testing.assert_close(same_conv(x, weight, None, stride), expected)
    torch.testing.assert_close(same_conv(x, weight, bias, stride), expected + bias.view(3, 1, 1))


@quickly
@given(size=sizes, wider=st.integers(0, 3), stride=strides, below=channels, above=channels)
def test_the_transposed_convolution_is_the_transpose(size, wider, stride, below, above) -> None:
    kernel = stride + wider
    x, weight = normal(2, below, *size), normal(above, below, kernel, kernel, name="weight")
    y = same_conv(x, weight, None, stride)
    z = normal(*y.shape, name="z")
    back = same_conv_transpose(z, weight, None, stride, size)
    assert back.shape == x.shape
    torch.testing.assert_close((y * z).sum((1, 2, 3)), (x * back).sum((1, 2, 3)))


@pytest.mark.parametrize(("size", "kernel", "stride"), [((5, 6), 1, 2), ((6, 6), 2, 3)])
def test_a_kernel_smaller_than_its_stride_leaves_empty_pixels(size, kernel: int, stride: int) -> None:
    x, weight = normal(2, 2, *size), normal(3, 2, kernel, kernel, name="weight")
    y = same_conv(x, weight, None, stride)
    back = same_conv_transpose(y, weight, None, stride, size)
    assert back.shape == x.shape
    torch.testing.assert_close(y.square().sum(), (x * back).sum())


@quickly
@given(size=sizes, kernel=kernels, stride=strides, below=channels, above=channels)
def test_space_to_depth_changes_no_number(size, kernel, stride, below, above) -> None:
    x, weight = normal(2, below, *size), normal(above, below, kernel, kernel, name="weight")
    bias = normal(above, name="bias")
    folded = space_to_depth_weight(weight, stride)
    assert folded.shape == (above, below * stride**2, -(-kernel // stride), -(-kernel // stride))
    unfolded = same_conv(x, weight, bias, stride)
    torch.testing.assert_close(space_to_depth_conv(x, folded, bias, stride, kernel), unfolded)


def test_the_slope_of_the_activation() -> None:
    x = torch.tensor([-2.0, 0.0, 3.0])
    torch.testing.assert_close(activation(x, 0.2), torch.tensor([-0.4, 0.0, 3.0]))
    torch.testing.assert_close(activation(x, 0.0), F.relu(x))


def test_precisions() -> None:
    assert (compute_dtype("float32"), compute_dtype("bfloat16")) == (torch.float32, torch.bfloat16)
    with pytest.raises(InputError, match=r"'float16'.*one of float32, bfloat16"):
        compute_dtype("float16")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("precision", "device", "capabilities", "library", "expected"),
    [
        ("bfloat16", "cpu", {"avx512_bf16": True}, True, "bfloat16"),
        ("bfloat16", "cpu", {"avx512_bf16": False, "amx_bf16": True}, True, "bfloat16"),
        ("bfloat16", "cpu", {"bf16": True, "neon": True}, True, "bfloat16"),
        ("bfloat16", "cpu", {"avx512_f": True, "avx2": True, "avx512_bf16": False}, True, "float32"),
        ("bfloat16", "cpu", {}, True, "float32"),
        ("bfloat16", "cpu", {"bf16": True}, False, "float32"),
        ("bfloat16", "cuda", {}, False, "bfloat16"),
        ("float32", "cpu", {"avx512_bf16": True}, True, "float32"),
        ("float32", "cuda", {}, True, "float32"),
    ],
)
def test_arithmetic_follows_the_processor(
    monkeypatch: pytest.MonkeyPatch,
    precision: Precision,
    device: str,
    capabilities: dict[str, bool],
    library: bool,
    expected: str,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: library)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert arithmetic(precision, device) == arithmetic(precision, torch.device(device)) == expected


@pytest.mark.parametrize(
    ("capability", "hip", "there", "expected"),
    [
        ((7, 5), None, True, "float32"),
        ((8, 0), None, True, "bfloat16"),
        ((9, 0), None, True, "bfloat16"),
        ((7, 5), "6.2", True, "bfloat16"),
        ((7, 5), None, False, "bfloat16"),
    ],
)
def test_arithmetic_follows_the_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], hip: str | None, there: bool, expected: str
) -> None:
    asked = []
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda where: asked.append(where) or capability)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.version, "hip", hip)
    assert arithmetic("bfloat16", "cuda:1") == expected
    assert asked == ([torch.device("cuda:1")] if there and hip is None else [])
    assert arithmetic("bfloat16", "mps") == "bfloat16" and arithmetic("float32", "cuda") == "float32"


def test_arithmetic_of_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="'float16'"):
        arithmetic("float16", "cpu")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"init_std": 0.0}, "init_std of a .* is 0.0; it needs to be a number above 0"),
        ({"init_std": float("nan")}, "init_std of a .* is nan"),
        ({"slope": 1.0}, r"slope of a .* is 1.0; it needs to be 0 \(ReLU\) or more, and below 1"),
    ],
)
@pytest.mark.parametrize(
    "spec",
    [
        presets.MNIST_DESCRIPTOR,
        presets.MNIST_GENERATOR,
        video_presets.QUICK_VIDEO_DESCRIPTOR,
        video_presets.QUICK_VIDEO_GENERATOR,
    ],
    ids=lambda spec: type(spec).__name__,
)
def test_weights_that_cannot_learn_and_slopes_that_do_not_bend_are_refused(
    spec: Any, changes: dict[str, float], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        replace(spec, **changes)


def test_a_shift_without_a_scale_has_a_scale_of_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch shapes the gradient of the shift after the scale on a GPU, and fails where there is none."""
    plain, scales = F.batch_norm, []

    def watched(x: Tensor, mean: Tensor, variance: Tensor, scale: Tensor, *rest: Tensor) -> Tensor:
        scales.append(scale)
        return plain(x, mean, variance, scale, *rest)

    monkeypatch.setattr(F, "batch_norm", watched)
    x, shift = torch.randn((5, 3, 4, 4), generator=stream(0)), torch.randn(3, generator=stream(1))
    for scale in (None, torch.tensor([0.5, 1.0, 2.0])):
        found = shifted_norm(x, nn.BatchNorm2d(3, eps=1e-3), scale, shift, training=True)
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
        by = 1.0 if scale is None else scale.view(-1, 1, 1)
        torch.testing.assert_close(found, (x - mean) / (variance + 1e-3).sqrt() * by + shift.view(-1, 1, 1))
    assert torch.equal(scales[0], torch.ones(3))


OF_TWO_NUMBERS = {
    "descriptor's images is (9, 8)": lambda: DescriptorSpec((9, 8), (Conv(2, 3, 1),), 1, 0.2, 0.1),
    "velocity field's images is (9, 8)": lambda: VelocitySpec((9, 8), (8,)),
    "multi-scale generator's images is (16, 16)": lambda: PyramidSpec((16, 16)),
    "base of a generator is (8, 4)": lambda: GeneratorSpec(3, (8, 4), (Deconv(1, 4, (8, 8)),), 0.2, False, 0.1),
    "size of a transposed convolution is (8,)": lambda: GeneratorSpec(
        3, (8, 4, 4), (Deconv(1, 4, (8,)),), 0.2, False, 0.1
    ),
}


@pytest.mark.parametrize("what", OF_TWO_NUMBERS)
def test_shapes_of_too_few_numbers_are_refused(what: str) -> None:
    with pytest.raises(InputError) as refusal:
        OF_TWO_NUMBERS[what]()
    number = 2 if "transposed" in what else 3
    assert what in str(refusal.value) and f"it needs {number} numbers: " in str(refusal.value)


def test_one_value_of_a_channel_is_no_statistics() -> None:
    spec = GeneratorSpec(3, (8, 1, 1), (Deconv(1, 4, (2, 2)),), 0.2, True, 0.1)
    pyramid = PyramidSpec((3, 16, 16))
    for network, latents in (
        (Generator(spec, stream(0)), torch.zeros(2, 3)),
        (Pyramid(pyramid, stream(0)), torch.zeros(2, *pyramid.latent_shape)),
    ):
        with pytest.raises(InputError, match=r"needs two values per channel, and has maps of \[1, \d+, 1, 1\]: give a"):
            network(latents[:1])
        assert len(network(latents)) == 2 and len(network.eval()(latents[:1])) == 1
