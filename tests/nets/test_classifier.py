"""A classifier is what a textbook would write; batch norm depends on the mode, and the snapshot on nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutelage.checks import InputError, validate_potential
from tutelage.gradient import ByAutograd, prepared
from tutelage.nets import Classifier, ClassifierSpec
from tutelage.nets.presets import IGM_CLASSIFIER_28, IGM_CLASSIFIER_32, IGM_CLASSIFIER_64
from tutelage.rng import stream

NORMED = ClassifierSpec((3, 27, 27), (4, 5, 6), init_std=0.2)
SPECS = [
    NORMED,
    ClassifierSpec((1, 28, 28), (4, 5, 6), init_std=0.2),
    ClassifierSpec((2, 9, 14), (4, 5), kernel=4, stride=3, slope=0.0, init_std=0.4),
    ClassifierSpec((3, 11, 8), (4, 5), kernel=3, stride=1, batch_norm=False, init_std=0.2),
    ClassifierSpec((1, 12, 12), (4,), init_std=0.2),
]


def classifier(spec: ClassifierSpec, dtype: torch.dtype = torch.float64, precision="float32") -> Classifier:
    """With biases, shifts, scales (of both signs) and running averages unlike their first values."""
    network, rng = Classifier(spec, stream(0, "weights"), precision).to(dtype), stream(0, "others")
    with torch.no_grad():
        for bias in (*network.biases, network.top_bias):
            bias.copy_(0.3 * torch.randn(bias.shape, generator=rng))
        for norm in network.norms:
            assert isinstance(norm, nn.BatchNorm2d)
            for tensor in (norm.weight, norm.bias, norm.running_mean):
                tensor.copy_(torch.randn(tensor.shape, generator=rng))
            norm.running_var.copy_(0.5 + 3 * torch.rand(norm.running_var.shape, generator=rng))
    return network


def images(spec: ClassifierSpec, n: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(n, *spec.shape, generator=stream(0, "images"), dtype=dtype)


def padded_conv(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    pads = []
    for size in (x.shape[3], x.shape[2]):  # F.pad counts from the last dimension
        total = max((-(-size // stride) - 1) * stride + weight.shape[-1] - size, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride)


def textbook(network: Classifier, x: Tensor, training: bool) -> tuple[Tensor, list[Tensor]]:
    """The logits, and the activations that lead to them."""
    maps = []
    for i, weight in enumerate(network.weights):
        x = padded_conv(x, weight, network.spec.stride)
        if network.spec.batch_norm and i > 0:
            norm = network.norms[i - 1]
            assert isinstance(norm, nn.BatchNorm2d)
            mean = x.mean((0, 2, 3)) if training else norm.running_mean
            variance = x.var((0, 2, 3), correction=0) if training else norm.running_var
            x = (x - mean.view(-1, 1, 1)) / (variance.view(-1, 1, 1) + 1e-5).sqrt()
            x = x * norm.weight.view(-1, 1, 1) + norm.bias.view(-1, 1, 1)
        else:
            x = x + network.biases[i].view(-1, 1, 1)
        x = torch.where(x > 0, x, network.spec.slope * x)
        maps.append(x)
    return torch.einsum("bi,i->b", x.reshape(len(x), -1), network.top[0]) + network.top_bias[0], maps


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("spec", SPECS)
def test_forward_and_features_are_the_textbook(spec: ClassifierSpec, training: bool) -> None:
    network, x = classifier(spec).train(training), images(spec)
    logits, maps = textbook(network, x, training)
    made = network(x)
    assert made.shape == (4,) and made.dtype == torch.float64
    torch.testing.assert_close(made, logits, rtol=1e-10, atol=1e-10)
    assert logits.std() > 0.05, "logits all alike would hide a mistake"
    assert network.spec.map_shapes == [tuple(one.shape[1:]) for one in maps]
    torch.testing.assert_close(network.features(x), maps, rtol=1e-10, atol=1e-10)


def test_odd_sizes_are_halved_upwards() -> None:
    assert SPECS[0].map_shapes == [(4, 14, 14), (5, 7, 7), (6, 4, 4)]
    assert SPECS[1].map_shapes == [(4, 14, 14), (5, 7, 7), (6, 4, 4)]
    assert SPECS[2].map_shapes == [(4, 3, 5), (5, 1, 2)]


@pytest.mark.parametrize("spec", SPECS)
def test_the_snapshot_is_forward_in_evaluation_mode(spec: ClassifierSpec) -> None:
    network, x = classifier(spec), images(spec)
    value, gradient, _ = prepared(network.train())(x)
    expected = ByAutograd(network.eval())(x)
    torch.testing.assert_close(value, expected.value, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradient, expected.gradient, rtol=1e-9, atol=1e-9)
    assert gradient.dtype == torch.float64 and not gradient.requires_grad
    assert gradient.abs().median() > 1e-4
    assert all(parameter.grad is None for parameter in network.parameters())


def test_evaluation_and_the_snapshot_treat_each_image_by_itself() -> None:
    network, x = classifier(NORMED), images(NORMED)
    for evaluate in (prepared(network.train()), ByAutograd(network.eval())):
        together = evaluate(x)
        for i in range(len(x)):
            alone = evaluate(x[i : i + 1])
            torch.testing.assert_close(alone.value[0], together.value[i], rtol=1e-10, atol=1e-10)
            torch.testing.assert_close(alone.gradient[0], together.gradient[i], rtol=1e-10, atol=1e-10)


def test_training_does_not() -> None:
    network, x = classifier(NORMED).train(), images(NORMED).requires_grad_(True)
    logits = network(x)
    assert (network(x[:2])[0] - logits[0]).abs() > 1e-3
    (gradient,) = torch.autograd.grad(logits[0], x)
    assert gradient[1:].abs().max() > 1e-3, "the first logit pulls on the other images"
    (with_fewer,) = torch.autograd.grad(network(x[:2])[0], x)
    assert (with_fewer[0] - gradient[0]).abs().max() > 1e-3


def test_it_is_a_potential_in_evaluation_mode_only() -> None:
    network = classifier(NORMED, torch.float32)
    validate_potential(network.eval(), NORMED.shape)
    with pytest.raises(InputError, match=r"put batch norm in evaluation mode"):
        validate_potential(network.train(), NORMED.shape)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_keeps_the_running_averages_of_torch(precision) -> None:
    """Whatever the convolutions compute in, their output is averaged in float32."""
    spec = ClassifierSpec((3, 16, 16), (4, 5), init_std=0.2)
    network, x = classifier(spec, torch.float32, precision).train(), images(spec, dtype=torch.float32)
    norm = network.norms[0]
    assert isinstance(norm, nn.BatchNorm2d)
    reference = nn.BatchNorm2d(5)
    reference.load_state_dict(norm.state_dict())
    below = network.features(x)[0]
    network.norms[0].load_state_dict(reference.state_dict())  # that call counted
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        above = padded_conv(below, network.weights[1], 2).float()
    old = reference.running_mean.clone()
    reference(above)
    network(x)
    torch.testing.assert_close(norm.running_mean, reference.running_mean, rtol=3e-6, atol=3e-6)
    torch.testing.assert_close(norm.running_var, reference.running_var, rtol=3e-6, atol=3e-6)
    torch.testing.assert_close(norm.running_mean, 0.9 * old + 0.1 * above.mean((0, 2, 3)), rtol=3e-6, atol=3e-6)
    assert (norm.running_mean - old).abs().min() > 1e-4


def test_the_snapshot_follows_no_later_change_and_makes_none() -> None:
    network, x = classifier(NORMED).train(), images(NORMED)
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    evaluate = network.prepare()
    before = evaluate(x)
    assert network.training and len(buffers) == 6
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in network.named_buffers())
    with torch.no_grad():
        for tensor in (*network.parameters(), *(buffer for buffer in network.buffers() if buffer.ndim)):
            tensor.mul_(1.5)
    after = evaluate(x)
    assert torch.equal(after.value, before.value) and torch.equal(after.gradient, before.gradient)
    assert not torch.allclose(network.prepare()(x).value, before.value)


def test_bfloat16_stays_close_to_float32() -> None:
    spec = ClassifierSpec((3, 32, 32), (8, 8, 8), init_std=0.1)
    x = images(spec, 8, torch.float32)
    exact = prepared(classifier(spec, torch.float32))(x)
    low = classifier(spec, torch.float32, "bfloat16").eval()
    for value, gradient, _ in (prepared(low)(x), ByAutograd(low)(x)):
        assert value.dtype == gradient.dtype == torch.float32
        # of the spread of the logits: single ones may be near 0
        assert (value - exact.value).abs().max() < 0.05 * exact.value.square().mean().sqrt()
        cosine = F.cosine_similarity(gradient.flatten(1), exact.gradient.flatten(1))
        assert 0.99 < cosine.min() < 1 - 1e-7, "close, and not the same precision after all"
    assert all(one.dtype == torch.float32 for one in low.features(x))


def test_learning_in_bfloat16_has_gradients_in_the_precision_of_the_weights() -> None:
    network = Classifier(NORMED, stream(0), "bfloat16")
    network(images(NORMED, dtype=torch.float32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in network.parameters())
    assert all(t.dtype == torch.float32 for t in (*network.parameters(), *network.buffers()) if t.ndim)


def test_weights_and_running_averages_survive_saving() -> None:
    network, x = classifier(NORMED), images(NORMED)
    copy = Classifier(NORMED, stream(1)).double()
    assert not torch.allclose(copy.eval()(x), network.eval()(x))
    copy.load_state_dict({name: value.contiguous() for name, value in network.state_dict().items()})
    torch.testing.assert_close(copy(x), network(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(copy.prepare()(x).gradient, network.prepare()(x).gradient, rtol=1e-12, atol=1e-12)


def test_weights_come_from_the_given_generator_only() -> None:
    before = torch.get_rng_state()
    one, same, other = (Classifier(NORMED, stream(seed)) for seed in (0, 0, 1))
    for a, b in zip(one.parameters(), same.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.top, other.top)
    assert torch.equal(torch.get_rng_state(), before)


def test_first_values() -> None:
    network = Classifier(ClassifierSpec((3, 16, 16), (8, 8, 8)), stream(0))
    for weight in (network.weights[1], network.weights[2]):
        n = weight.numel()
        assert abs(weight.mean().item()) < 5 * 0.02 / math.sqrt(n)
        assert abs(weight.std().item() / 0.02 - 1) < 5 / math.sqrt(2 * n)
    assert len(network.biases) == 1 and len(network.norms) == 2, "no bias where batch norm shifts"
    assert not network.biases[0].any() and not network.top_bias.any()
    for norm in network.norms:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.weight.eq(1).all() and norm.bias.eq(0).all() and (norm.eps, norm.momentum) == (1e-5, 0.1)


# --- the paper's networks

# channels · (channels below · taps), and a bias or a scale and a shift each; then one weight per feature and a bias
IGM_64 = (64 * 3 * 25 + 64) + (128 * 64 * 25 + 2 * 128) + (256 * 128 * 25 + 2 * 256) + (512 * 256 * 25 + 2 * 512)
IGM_64 += 512 * 4 * 4 + 1


def test_the_paper_s_classifier_has_the_parameters_that_its_table_implies() -> None:
    network = Classifier(IGM_CLASSIFIER_64, stream(0))
    assert sum(parameter.numel() for parameter in network.parameters()) == IGM_64
    assert [tuple(weight.shape) for weight in network.weights] == [
        (64, 3, 5, 5),
        (128, 64, 5, 5),
        (256, 128, 5, 5),
        (512, 256, 5, 5),
    ]


@pytest.mark.parametrize(("spec", "count"), [(IGM_CLASSIFIER_32, 14_336), (IGM_CLASSIFIER_28, 12_416)])
def test_the_last_three_layers_make_the_features_of_section_4_5(spec: ClassifierSpec, count: int) -> None:
    assert sum(math.prod(shape) for shape in spec.map_shapes[-3:]) == count
    narrow = replace(spec, channels=(2, 4, 8, 16))  # 1/32 of each
    maps = classifier(narrow, torch.float32).eval().features(images(narrow, 2, torch.float32))
    assert torch.cat([one.flatten(1) for one in maps[-3:]], 1).shape == (2, count // 32)


def test_the_defaults_are_the_papers() -> None:
    assert ClassifierSpec((3, 64, 64), (64, 128, 256, 512)) == IGM_CLASSIFIER_64


# --- what is refused


@pytest.mark.parametrize(
    "ask",
    [lambda network: network, lambda network: network.features, lambda network: network.prepare()],
    ids=["call", "features", "prepare"],
)
def test_images_of_another_shape_are_refused(ask) -> None:
    evaluate = ask(Classifier(NORMED, stream(0)))
    with pytest.raises(InputError, match=r"takes images of \(3, 27, 27\).*not \(1, 27, 27\): resize"):
        evaluate(torch.zeros(2, 1, 27, 27))
    with pytest.raises(InputError, match=r"not \(27, 27\)"):
        evaluate(torch.zeros(3, 27, 27))


def test_a_single_image_without_statistics_is_refused_in_training_mode_only() -> None:
    spec = ClassifierSpec((1, 4, 4), (2, 3))
    network, x = Classifier(spec, stream(0)), torch.zeros(2, 1, 4, 4)
    with pytest.raises(InputError, match=r"two values per channel, and has maps of \[1, 3, 1, 1\]: give a batch"):
        network(x[:1])
    assert network(x).shape == (2,)
    assert network.eval()(x[:1]).shape == network.prepare()(x[:1]).value.shape == (1,)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"shape": (28, 28)}, r"images is \(28, 28\); it needs 3 numbers"),
        ({"shape": (3, 0, 28)}, "image size of a classifier is 0; it needs to be 1 or more"),
        ({"channels": ()}, "a classifier needs one layer or more; none is given"),
        ({"channels": (4, 0)}, "channels of a classifier is 0"),
        ({"kernel": 0}, "kernel of a classifier is 0"),
        ({"stride": 0}, "stride of a classifier is 0"),
        ({"slope": -0.2}, "slope of a classifier is -0.2"),
        ({"slope": 1.0}, "slope of a classifier is 1.0"),
        ({"slope": math.nan}, "slope of a classifier is nan"),
        ({"init_std": 0.0}, "init_std of a classifier is 0.0"),
        ({"init_std": math.inf}, "init_std of a classifier is inf"),
    ],
)
def test_nonsense_is_refused(change: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        replace(NORMED, **change)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="precision is 'half'"):
        Classifier(NORMED, stream(0), "half")  # type: ignore[arg-type]
