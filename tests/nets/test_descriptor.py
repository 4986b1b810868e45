"""A descriptor is what a textbook would write, and its fast snapshot answers the same."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tutelage.checks import InputError
from tutelage.gradient import ByAutograd, prepared
from tutelage.nets import Conv, Descriptor, DescriptorSpec
from tutelage.nets.presets import CIFAR10_DESCRIPTOR, MNIST_DESCRIPTOR
from tutelage.rng import stream

SPECS = [
    DescriptorSpec((1, 28, 28), (Conv(5, 4, 2), Conv(6, 4, 2)), 4, 0.2, 0.2),
    DescriptorSpec((1, 27, 31), (Conv(5, 5, 3), Conv(6, 3, 2), Conv(7, 4, 1)), 4, 0.2, 0.2),
    DescriptorSpec((3, 27, 31), (Conv(5, 4, 2), Conv(6, 5, 1)), 1, 0.0, 0.2),
    DescriptorSpec((2, 9, 14), (Conv(5, 3, 1),), 3, 0.0, 0.2),
    DescriptorSpec((3, 16, 16), (Conv(5, 5, 2), Conv(6, 3, 2), Conv(7, 3, 1)), 3, 0.2, 0.2),
    DescriptorSpec((3, 20, 17), (Conv(5, 6, 3), Conv(6, 3, 1)), None, 0.0, 0.2),
    DescriptorSpec((3, 18, 24), (Conv(5, 5, 3), Conv(6, 3, 2), Conv(7, 3, 1)), 3, 0.2, 0.2, average_pixels=True),
]


def descriptor(spec: DescriptorSpec, dtype: torch.dtype = torch.float64) -> Descriptor:
    """With biases that are not 0, so that losing one shows."""
    network = Descriptor(spec, stream(0, "weights")).to(dtype)
    with torch.no_grad():
        for bias in (*network.biases, *([] if network.top_bias is None else [network.top_bias])):
            bias.copy_(0.3 * torch.randn(bias.shape, generator=stream(0, "biases")))
    return network


def images(spec: DescriptorSpec, n: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(n, *spec.shape, generator=stream(0, "images"), dtype=dtype)


def textbook(network: Descriptor, x: Tensor) -> Tensor:
    """Pad, convolve, bend; at the top one linear layer, and the sum of its outputs."""
    averages = network.spec.average_pixels
    for conv, weight, bias in zip(network.spec.convs, network.weights, network.biases, strict=True):
        skipped, averaged = (1, conv.stride) if averages else (conv.stride, 1)
        pads = []
        for size in (x.shape[3], x.shape[2]):  # F.pad counts from the last dimension
            out = -(-size // skipped)
            total = max((out - 1) * skipped + conv.kernel - size, 0)
            pads += [total // 2, total - total // 2]
        x = F.avg_pool2d(F.conv2d(F.pad(x, pads), weight, stride=skipped), averaged) + bias.view(-1, 1, 1)
        x = torch.where(x > 0, x, network.spec.slope * x)
    if network.top is None:
        return x.sum((1, 2, 3))
    return torch.einsum("bi,oi->bo", x.reshape(len(x), -1), network.top).sum(1) + network.top_bias.sum()


@pytest.mark.parametrize("spec", SPECS)
def test_forward_is_the_textbook(spec: DescriptorSpec) -> None:
    network, x = descriptor(spec), images(spec)
    scores = network(x)
    assert scores.shape == (4,) and scores.dtype == torch.float64
    torch.testing.assert_close(scores, textbook(network, x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("spec", SPECS)
def test_the_snapshot_is_forward_with_automatic_differentiation(spec: DescriptorSpec) -> None:
    network, x = descriptor(spec), images(spec)
    value, gradient, _ = prepared(network)(x)
    expected = ByAutograd(network)(x)
    torch.testing.assert_close(value, expected.value, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, expected.gradient, rtol=1e-10, atol=1e-10)
    assert gradient.dtype == torch.float64 and not gradient.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("spec", [MNIST_DESCRIPTOR, CIFAR10_DESCRIPTOR], ids=["mnist", "cifar10"])
def test_bfloat16_stays_close_to_float32(spec: DescriptorSpec) -> None:
    x = images(spec, 8, torch.float32)
    exact = prepared(Descriptor(spec, stream(0)))(x)
    low = Descriptor(spec, stream(0), "bfloat16")
    for value, gradient, _ in (prepared(low)(x), ByAutograd(low)(x)):
        assert value.dtype == gradient.dtype == torch.float32
        # of the spread of the scores: single ones may be near 0
        assert (value - exact.value).abs().max() < 0.02 * exact.value.square().mean().sqrt()
        cosine = F.cosine_similarity(gradient.flatten(1), exact.gradient.flatten(1))
        assert 0.99 < cosine.min() < 1 - 1e-7, "close, and not the same precision after all"


def test_learning_in_bfloat16_has_gradients_in_the_precision_of_the_weights() -> None:
    network = Descriptor(SPECS[0], stream(0), "bfloat16")
    network(images(SPECS[0], dtype=torch.float32)).sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in network.parameters())
    assert all(p.dtype == torch.float32 for p in network.parameters())


def test_the_snapshot_follows_no_later_change() -> None:
    network, x = descriptor(SPECS[1]), images(SPECS[1])
    evaluate = network.prepare()
    before = evaluate(x)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    after = evaluate(x)
    torch.testing.assert_close(after.value, before.value)
    torch.testing.assert_close(after.gradient, before.gradient)
    assert not torch.allclose(network.prepare()(x).value, before.value)


def test_an_image_in_a_batch_scores_what_it_scores_alone() -> None:
    network, x = descriptor(SPECS[1]), images(SPECS[1])
    together = prepared(network)(x)
    for i in range(len(x)):
        alone = prepared(network)(x[i : i + 1])
        torch.testing.assert_close(alone.value[0], together.value[i])
        torch.testing.assert_close(alone.gradient[0], together.gradient[i])


def test_weights_come_from_the_given_generator_only() -> None:
    before = torch.get_rng_state()
    one, same, other = (Descriptor(SPECS[0], stream(seed)) for seed in (0, 0, 1))
    for a, b in zip(one.parameters(), same.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.top, other.top)
    assert torch.equal(torch.get_rng_state(), before)


def test_features_keep_their_size_on_the_way_up_where_weights_start_by_their_inputs() -> None:
    """He et al. 2015, eq. (10), of ReLU: the mean square of a feature is that of a pixel, in every layer."""
    spec = DescriptorSpec((8, 12, 12), (Conv(800, 3, 1), Conv(800, 3, 1)), 500, 0.0, None)
    network, x = Descriptor(spec, stream(0, "weights")), torch.randn(3, 8, 12, 12, generator=stream(0, "images"))
    inside = [x[..., 3:-3, 3:-3].square().mean() for x in network.features(x)]
    torch.testing.assert_close(torch.stack(inside), torch.ones(2), rtol=0.1, atol=0.1)
    assert network.top is not None
    assert network.top.std().item() == pytest.approx((2 / network.top.shape[1]) ** 0.5, rel=0.01)
    narrow = Descriptor(replace(spec, init_std=0.01), stream(0, "weights"))
    for wide, weight in zip(network.weights, narrow.weights, strict=True):
        torch.testing.assert_close(wide * 0.01 / (2 / weight[0].numel()) ** 0.5, weight)


def test_weights_survive_saving() -> None:
    network = descriptor(SPECS[1])
    copy = Descriptor(SPECS[1], stream(1)).double()
    copy.load_state_dict({name: value.contiguous() for name, value in network.state_dict().items()})
    torch.testing.assert_close(copy(images(SPECS[1])), network(images(SPECS[1])))


@pytest.mark.parametrize("ask", [lambda network: network, lambda network: network.prepare()], ids=["call", "prepare"])
def test_images_of_another_shape_are_refused(ask) -> None:
    evaluate = ask(Descriptor(SPECS[0], stream(0)))
    with pytest.raises(InputError, match=r"takes images of \(1, 28, 28\).*not \(3, 28, 28\): resize"):
        evaluate(torch.zeros(2, 3, 28, 28))
    with pytest.raises(InputError, match=r"not \(28, 28\)"):
        evaluate(torch.zeros(2, 28, 28))
    any_size = ask(Descriptor(replace(SPECS[0], outputs=None), stream(0)))
    with pytest.raises(InputError, match=r"not \(1, 5, 28, 28\)"):
        any_size(torch.zeros(2, 1, 5, 28, 28))


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="precision is 'half'"):
        Descriptor(SPECS[0], stream(0), "half")  # type: ignore[arg-type]


def test_without_a_top_layer_images_may_have_any_size() -> None:
    """The potential of a texture is a sum over positions: away from the border, equal pieces add equal parts."""
    spec = DescriptorSpec((1, 12, 12), (Conv(3, 3, 2), Conv(2, 3, 1)), None, 0.2, 0.3)
    network, tile = descriptor(spec), images(spec, 2)
    wide = [network(tile.repeat(1, 1, 1, n)) for n in (2, 3, 4)]
    torch.testing.assert_close(wide[2] - wide[1], wide[1] - wide[0], rtol=1e-10, atol=1e-10)
    assert (wide[1] - wide[0]).abs().min() > 1e-3
    large = tile.repeat(1, 1, 3, 2)
    torch.testing.assert_close(prepared(network)(large).value, network(large), rtol=1e-10, atol=1e-10)
    with pytest.raises(InputError, match=r"takes images of \(1, 12, 12\)"):
        network(torch.zeros(2, 3, 12, 12, dtype=torch.float64))


@pytest.mark.parametrize("outputs", [3, None])
def test_positions_are_the_number_of_terms_in_a_gradient(outputs: int | None) -> None:
    spec = DescriptorSpec((1, 13, 16), (Conv(2, 3, 2), Conv(3, 3, 1)), outputs, 0.2, 0.2)
    expected = {"weights.0": 56, "weights.1": 56, "biases.0": 56, "biases.1": 56}
    network = descriptor(spec)
    assert network.positions() == expected | ({} if outputs is None else {"top": 1, "top_bias": 1})
    # the bias of the last convolution: with all responses positive, each position adds 1 to f
    if outputs is None:
        with torch.no_grad():
            network.biases[1].fill_(1e6)
        (gradient,) = torch.autograd.grad(network(images(spec, 1)).sum(), [network.biases[1]])
        assert gradient.tolist() == [56.0] * 3


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_features_are_the_layers_that_forward_goes_through(spec: DescriptorSpec, precision) -> None:
    network = Descriptor(spec, stream(0, "weights"), precision)
    x = images(spec, dtype=torch.float32)
    maps = network.features(x)
    assert [tuple(one.shape[1:]) for one in maps] == spec.map_shapes
    assert all(one.dtype == getattr(torch, precision) for one in maps)
    for conv, weight, bias, below, above in zip(
        spec.convs, network.weights, network.biases, [x, *maps], maps, strict=False
    ):
        alone = replace(spec, shape=tuple(below.shape[1:]), convs=(conv,), outputs=None)
        layer = Descriptor(alone, stream(0), precision)
        layer.weights[0], layer.biases[0] = weight, bias
        torch.testing.assert_close(layer(below.float()), above.flatten(1).sum(1, dtype=torch.float32))
    top = maps[-1].flatten(1)
    if network.top is not None and network.top_bias is not None:
        top = F.linear(top, network.top.to(top.dtype), network.top_bias.to(top.dtype))
    assert torch.equal(network(x), top.sum(1, dtype=torch.float32))


@pytest.mark.parametrize("spec", SPECS)
def test_the_potential_is_the_sum_of_the_responses(spec: DescriptorSpec) -> None:
    network, x = descriptor(spec), images(spec)
    responses = network.responses(x)
    assert responses.shape == (4, spec.outputs or math.prod(spec.top_shape))
    torch.testing.assert_close(responses.sum(1), textbook(network, x))
