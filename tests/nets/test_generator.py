"""A generator is what a textbook would write; batch norm depends on the mode, and the snapshot on nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutelage.checks import InputError
from tutelage.nets import Deconv, Generator, GeneratorSpec
from tutelage.nets.blocks import Precision, same_conv_transpose
from tutelage.nets.presets import MNIST_GENERATOR, TEXTURE_GENERATOR
from tutelage.rng import stream

SPECS = [
    GeneratorSpec(6, (5, 4, 4), (Deconv(4, 4, (7, 7)), Deconv(3, 4, (14, 14)), Deconv(1, 4, (28, 28))), 0.2, True, 0.3),
    GeneratorSpec(6, (5, 3, 4), (Deconv(4, 5, (3, 4)), Deconv(2, 3, (8, 11))), 0.0, True, 0.3),
    GeneratorSpec(6, (5, 3, 3), (Deconv(4, 3, (6, 6)), Deconv(3, 5, (12, 11))), 0.2, False, 0.3),
]
MAPS = [
    GeneratorSpec(2, None, (Deconv(4, 5, (6, 8)), Deconv(3, 5, (12, 16))), 0.2, True, 0.3, latent_size=(3, 4)),
    GeneratorSpec(2, None, (Deconv(4, 4, (6, 8)), Deconv(3, 3, (6, 8))), 0.0, False, 0.3, latent_size=(3, 4)),
]
SCALED = replace(SPECS[0], batch_norm_scale=True)
SPECS.append(SCALED)
NORMED = SPECS[0]


def generator(spec: GeneratorSpec, dtype: torch.dtype = torch.float64) -> Generator:
    """With shifts and running statistics unlike their first values."""
    network = Generator(spec, stream(0, "weights")).to(dtype)
    with torch.no_grad():
        for shift in network.shifts:
            shift.copy_(0.3 * torch.randn(shift.shape, generator=stream(0, "shifts")))
        for scale in network.scales:
            scale.copy_(1 + 0.3 * torch.randn(scale.shape, generator=stream(0, "scales")))
        for norm in network.norms:
            assert isinstance(norm, nn.BatchNorm2d)
            norm.running_mean.copy_(torch.randn(norm.running_mean.shape, generator=stream(0, "means")))
            norm.running_var.copy_(0.5 + torch.rand(norm.running_var.shape, generator=stream(0, "variances")))
    return network


def latents(n: int = 5, d: int = 6, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(n, d, generator=stream(0, "latents"), dtype=dtype)


def transposed(y: Tensor, weight: Tensor, size: tuple[int, int]) -> Tensor:
    """The transpose of the padded convolution from ``size`` down to ``y``: its vector-Jacobian product at ``y``."""
    stride = -(-size[0] // y.shape[2])
    pads = []
    for n, out in ((size[1], y.shape[3]), (size[0], y.shape[2])):
        total = (out - 1) * stride + weight.shape[-1] - n
        pads += [total // 2, total - total // 2]
    x = torch.zeros(len(y), weight.shape[1], *size, dtype=y.dtype, requires_grad=True)
    return torch.autograd.grad(F.conv2d(F.pad(x, pads), weight, stride=stride), x, y)[0]


@torch.no_grad()
def textbook(network: Generator, latent: Tensor, training: bool) -> Tensor:
    channels, height, width = network.spec.base
    x = (latent @ network.first).reshape(-1, height, width, channels).movedim(3, 1)
    for i, (deconv, weight) in enumerate(zip(network.spec.deconvs, network.weights, strict=True)):
        if network.spec.batch_norm:
            norm = network.norms[i]
            assert isinstance(norm, nn.BatchNorm2d)
            mean = x.mean((0, 2, 3)) if training else norm.running_mean
            variance = x.var((0, 2, 3), correction=0) if training else norm.running_var
            x = (x - mean.view(-1, 1, 1)) / (variance.view(-1, 1, 1) + 1e-3).sqrt()
        if network.spec.batch_norm_scale:
            x = x * network.scales[i].view(-1, 1, 1)
        x = x + network.shifts[i].view(-1, 1, 1)
        x = torch.where(x > 0, x, network.spec.slope * x)
        with torch.enable_grad():
            x = transposed(x, weight.detach(), deconv.size)
    return torch.tanh(x + network.shifts[-1].view(-1, 1, 1))


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("spec", SPECS)
def test_forward_is_the_textbook(spec: GeneratorSpec, training: bool) -> None:
    network, x = generator(spec).train(training), latents()
    expected = textbook(network, x, training)
    made = network(x)
    assert made.shape == (5, *spec.shape) and made.dtype == torch.float64
    torch.testing.assert_close(made, expected, rtol=1e-10, atol=1e-10)
    assert expected.std() > 0.05, "images all alike would hide a mistake"


def test_pixels_are_repeated_and_then_convolved() -> None:
    spec = replace(SPECS[2], repeat_pixels=True, deconvs=(Deconv(3, 3, (6, 6)), Deconv(2, 5, (18, 18))))
    network, x = generator(spec), latents()
    made = network(x)
    assert spec.base is not None and network.first is not None
    channels, height, width = spec.base
    expected = (x @ network.first).view(-1, height, width, channels).movedim(3, 1)
    for shift, weight, stride in zip(network.shifts, network.weights, spec.strides, strict=False):
        expected = F.leaky_relu(expected + shift.view(-1, 1, 1), spec.slope)
        expected = expected.repeat_interleave(stride, 2).repeat_interleave(stride, 3)
        expected = F.conv2d(expected, weight.transpose(0, 1).flip(2, 3), padding="same")
    torch.testing.assert_close(made, torch.tanh(expected + network.shifts[-1].view(-1, 1, 1)), rtol=1e-10, atol=1e-10)


def test_images_stay_between_minus_one_and_one() -> None:
    network = generator(NORMED)
    network.weights[-1].data.mul_(100)
    made = network(latents())
    assert made.abs().max() <= 1 and made.abs().median() > 0.99


def test_evaluation_makes_each_image_by_itself_and_training_does_not() -> None:
    network, x = generator(NORMED), latents()
    network.eval()
    torch.testing.assert_close(network(x[2:3]), network(x)[2:3])
    network.train()
    assert not torch.allclose(network(x[2:3]), network(x)[2:3], atol=1e-3)


def test_training_keeps_running_averages_and_evaluation_leaves_them() -> None:
    network, x = generator(NORMED), latents()
    norm = network.norms[0]
    assert isinstance(norm, nn.BatchNorm2d)
    old_mean, old_variance = norm.running_mean.clone(), norm.running_var.clone()
    network.eval()(x)
    assert torch.equal(norm.running_mean, old_mean) and torch.equal(norm.running_var, old_variance)
    network.train()(x)
    channels, height, width = NORMED.base
    base = (x @ network.first.detach()).view(-1, height, width, channels)
    torch.testing.assert_close(norm.running_mean, 0.9 * old_mean + 0.1 * base.mean((0, 1, 2)))
    torch.testing.assert_close(norm.running_var, 0.9 * old_variance + 0.1 * base.var((0, 1, 2)))


def test_the_snapshot_is_frozen_and_follows_no_later_change() -> None:
    network, x = generator(NORMED).train(), latents()
    snapshot = network.snapshot()
    expected = textbook(network, x, training=False)
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.add_(1)
    torch.testing.assert_close(snapshot(x), expected, rtol=1e-10, atol=1e-10)
    assert not snapshot.training and not any(parameter.requires_grad for parameter in snapshot.parameters())
    assert network.training and all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_bfloat16_stays_close_to_float32(training: bool) -> None:
    x = latents(16, 100, torch.float32)
    exact, low = (Generator(MNIST_GENERATOR, stream(0), precision) for precision in ("float32", "bfloat16"))
    exact.train()(x)  # running statistics that fit the weights
    low.load_state_dict(exact.state_dict())
    made, expected = low.train(training)(x), exact.train(training)(x)
    assert made.dtype == torch.float32
    cosine = F.cosine_similarity(made.flatten(1), expected.flatten(1))
    assert 0.99 < cosine.min() < 1 - 1e-7, "close, and not the same precision after all"
    assert (made.norm() / expected.norm() - 1).abs() < 0.02


@pytest.mark.parametrize("repeat_pixels", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_snapshot_makes_the_same_images(precision: Precision, repeat_pixels: bool) -> None:
    spec = replace(NORMED, repeat_pixels=repeat_pixels)
    network, x = Generator(spec, stream(0), precision), latents(dtype=torch.float32)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    made = network.snapshot()(x)
    assert made.dtype == torch.float32
    torch.testing.assert_close(made, network.eval()(x))
    for name, value in network.state_dict().items():
        assert value.dtype == before[name].dtype and torch.equal(value, before[name])


def test_weights_come_from_the_given_generator_only() -> None:
    before = torch.get_rng_state()
    one, same, other = (Generator(NORMED, stream(seed)) for seed in (0, 0, 1))
    for a, b in zip(one.parameters(), same.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.first, other.first)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shape", [(5, 7), (5,), (5, 6, 1)])
def test_latents_of_another_dimension_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"latents of shape \[B, 6\], not \[5"):
        Generator(NORMED, stream(0))(torch.zeros(shape))


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="precision is 'half'"):
        Generator(NORMED, stream(0), "half")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(7, 9), (9, 9), (8, 3)])
def test_sizes_that_no_stride_makes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="no transposed convolution makes"):
        GeneratorSpec(3, (2, 4, 4), (Deconv(1, 4, size),), 0.2, False, 0.1)


def test_latent_maps_make_whole_multiples_of_their_size_only() -> None:
    """Any height and width may come, so no size can be rounded."""
    with pytest.raises(InputError, match=r"makes \[7, 7\] pixels from \[4, 4\]: .* with size / s the size before"):
        GeneratorSpec(3, None, (Deconv(1, 4, (7, 7)),), 0.2, False, 0.1, latent_size=(4, 4))
    with pytest.raises(InputError, match="size of a generator is 0"):
        GeneratorSpec(3, (2, 4, 4), (Deconv(1, 4, (0, 0)),), 0.2, False, 0.1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("spec", MAPS)
def test_latent_maps_go_straight_into_the_transposed_convolutions(spec: GeneratorSpec, training: bool) -> None:
    network = generator(spec).train(training)
    x = torch.randn(5, *spec.latent_shape, generator=stream(0, "latents"), dtype=torch.float64)
    first, second = network.weights
    hidden = transposed(x, first, spec.deconvs[0].size)
    if spec.batch_norm:
        norm = network.norms[0]
        assert isinstance(norm, nn.BatchNorm2d) and len(network.norms) == 1
        mean = hidden.mean((0, 2, 3)) if training else norm.running_mean
        variance = hidden.var((0, 2, 3), correction=0) if training else norm.running_var
        hidden = (hidden - mean.view(-1, 1, 1)) / (variance.view(-1, 1, 1) + 1e-3).sqrt()
    hidden = hidden + network.shifts[0].view(-1, 1, 1)
    hidden = torch.where(hidden > 0, hidden, spec.slope * hidden)
    expected = (transposed(hidden, second, spec.deconvs[1].size) + network.shifts[1].view(-1, 1, 1)).tanh()
    made = network(x)
    assert made.shape == (5, *spec.shape)
    torch.testing.assert_close(made, expected, rtol=1e-9, atol=1e-9)


def test_a_larger_map_makes_a_larger_image_of_the_same_texture() -> None:
    """Far from the border, the image depends on the latents above it alone."""
    network = generator(MAPS[0]).eval()
    large = torch.randn(1, 2, 7, 9, generator=stream(0, "latents"), dtype=torch.float64)
    with torch.no_grad():
        whole, part = network(large), network(large[:, :, 1:])
    assert whole.shape == (1, 3, 28, 36)
    torch.testing.assert_close(whole[:, :, 12:], part[:, :, 8:], rtol=1e-9, atol=1e-9)
    snapshot = network.snapshot()
    torch.testing.assert_close(snapshot(large), whole)


@pytest.mark.parametrize("shape", [(5, 2), (5, 3, 3, 4), (5, 2, 3)])
def test_latent_maps_of_another_kind_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"latents of shape \[B, 2, 3, 4\] \(any height and width\), not \[5"):
        generator(MAPS[0])(torch.zeros(shape, dtype=torch.float64))


@pytest.mark.parametrize(("base", "size"), [(None, None), ((5, 4, 4), (4, 4))])
def test_a_generator_starts_from_a_base_or_from_maps(base, size) -> None:
    with pytest.raises(InputError, match="it needs one of them"):
        GeneratorSpec(2, base, (Deconv(3, 5, (8, 8)),), 0.2, True, 0.3, latent_size=size)


def terms(network: Generator) -> dict[str, int]:
    """Of each parameter of a layer, by name, what its gradient sums up to where all maps and gradients are ones: for a
    weight in the middle of a kernel, which no border cuts off, the number of its terms."""
    spec, x = network.spec, torch.ones(1, *network.spec.first_map, dtype=torch.float64)
    maps: list[Tensor] = [x] if spec.base else []
    counts: dict[str, int] = {}
    for i, (deconv, stride, kernel) in enumerate(zip(spec.deconvs, spec.strides, network.kernels(), strict=True)):
        made = same_conv_transpose(x, kernel, None, stride, deconv.size)
        (gradient,) = torch.autograd.grad(made.sum(), network.weights[i])
        counts[f"weights.{i}"] = round(gradient.max().item())
        x = torch.ones_like(made)
        maps.append(x)
    return counts | {f"{kind}.{i}": x[0, 0].numel() for kind in ("shifts", "scales") for i, x in enumerate(maps)}


@pytest.mark.parametrize("repeat_pixels", [False, True])
@pytest.mark.parametrize("spec", [NORMED, SCALED, MAPS[0]], ids=["vectors", "scaled", "maps"])
def test_positions_are_the_number_of_terms_in_a_gradient(spec: GeneratorSpec, repeat_pixels: bool) -> None:
    network = generator(replace(spec, repeat_pixels=repeat_pixels))
    counts = terms(network)
    assert network.positions() == {name: counts.get(name, 1) for name, _ in network.named_parameters()}


def test_a_weight_of_a_transposed_convolution_meets_what_its_layer_takes() -> None:
    """Maps of 4x4, 7x7, 14x14 and 28x28: each weight adds every pixel above once, and every repeated pixel."""
    plain, repeated = (generator(replace(NORMED, repeat_pixels=repeat)).positions() for repeat in (False, True))
    assert [plain[f"weights.{i}"] for i in range(3)] == [16, 49, 196]
    assert [repeated[f"weights.{i}"] for i in range(3)] == [49, 196, 784]
    for positions in (plain, repeated):
        assert [positions[f"shifts.{i}"] for i in range(4)] == [16, 49, 196, 784] and positions["first"] == 1


def test_scales_start_from_one_and_change_nothing_until_they_learn() -> None:
    plain, scaled = (Generator(spec, stream(0)) for spec in (NORMED, SCALED))
    assert [scale.shape for scale in scaled.scales] == [(5,), (4,), (3,)]
    assert torch.equal(plain(latents().float()), scaled(latents().float()))
    assert not any(name.startswith("scales") for name in plain.state_dict())
    positions = {name: count for name, count in scaled.positions().items() if name.startswith("scales")}
    assert positions == {"scales.0": 16, "scales.1": 49, "scales.2": 196}


def test_a_scale_without_batch_norm_is_refused() -> None:
    with pytest.raises(InputError, match=r"batch_norm_scale but no batch_norm.*set batch_norm=true"):
        replace(SCALED, batch_norm=False)


def test_the_smallest_map_of_latents_that_covers_a_size() -> None:
    """CoopNets §4.1: 7x7 latents make 224x224, every deconvolution doubling them; so 20x30 would make 640x960."""
    shapes = {(224, 224): (1, 7, 7), (640, 960): (1, 20, 30), (225, 224): (1, 8, 7), (256, 257): (1, 8, 9)}
    assert {size: TEXTURE_GENERATOR.latent_shape_for(size) for size in shapes} == shapes
    with pytest.raises(InputError, match="a size of 300x223 is smaller than the images of 224x224"):
        TEXTURE_GENERATOR.latent_shape_for((300, 223))
    with pytest.raises(InputError, match="starts from latent vectors and makes images of 28x28 only"):
        MNIST_GENERATOR.latent_shape_for((56, 56))
