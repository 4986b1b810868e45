"""Recognisers: the layers they are said to have, their features, their weights, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tutelage.checks import InputError
from tutelage.nets import Recogniser, RecogniserSpec
from tutelage.recipes import CLASSIFIER_MNIST
from tutelage.rng import stream

SPEC = RecogniserSpec(shape=(2, 9, 8), channels=(3, 4), features=5, classes=6)


def uniform(*shape: int) -> Tensor:
    return torch.rand(shape, generator=stream(1), dtype=torch.float64) * 2 - 1


def network() -> Recogniser:
    return Recogniser(SPEC, stream(0)).double()


def textbook(of: Recogniser) -> nn.Sequential:
    """The same network from torch's layers: 9x8, halved to 4x4 and to 2x2."""
    layers: list[nn.Module] = []
    for weight, norm in zip(of.weights, of.norms, strict=True):
        conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, bias=False)
        conv.weight = nn.Parameter(weight.detach())
        layers += [conv, norm, nn.ReLU(), nn.MaxPool2d(2)]
    hidden, top = nn.Linear(4 * 2 * 2, 5), nn.Linear(5, 6)
    hidden.weight, hidden.bias, top.weight, top.bias = of.hidden, of.hidden_bias, of.top, of.top_bias
    return nn.Sequential(*layers, nn.Flatten(), hidden, nn.ReLU(), top).double()


@pytest.mark.parametrize("training", [True, False])
def test_it_is_the_textbook_network(training: bool) -> None:
    net, images = network().train(training), uniform(5, 2, 9, 8)
    same = textbook(net).train(training)
    for norm in net.norms:
        assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None
        norm.running_mean += 0.3
    torch.testing.assert_close(net(images), same(images))
    maps = net.features(images)
    assert [tuple(x.shape) for x in maps] == [(5, 3, 4, 4), (5, 4, 2, 2), (5, 5)]
    torch.testing.assert_close(net.head(maps[-1]), net(images))
    assert (maps[-1] > 0).any() and (maps[-1] >= 0).all()


def test_images_of_a_batch_do_not_influence_each_other_in_evaluation_mode() -> None:
    net, images = network(), uniform(5, 2, 9, 8)
    alone = [net.eval()(images[:1]), net.train()(images[:2])[:1]]
    torch.testing.assert_close(net.eval()(images[:1]), net.eval()(images)[:1])
    assert not torch.allclose(alone[1], net.train()(images)[:1])


def test_weights_follow_the_seed_and_the_number_of_their_inputs() -> None:
    wide = Recogniser(RecogniserSpec((1, 8, 8), (64, 64), 200, 10), stream(0))
    again = Recogniser(wide.spec, stream(0)).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in wide.state_dict().items())
    assert not torch.equal(wide.top, Recogniser(wide.spec, stream(1)).top)
    for weight, inputs in ((wide.weights[1], 9 * 64), (wide.hidden, 4 * 64), (wide.top, 200)):
        assert weight.detach().std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.06)
    assert not wide.hidden_bias.any() and not wide.top_bias.any()


def test_precision_changes_the_convolutions_a_little() -> None:
    spec = CLASSIFIER_MNIST.recogniser
    assert spec is not None
    images = (torch.rand(4, 1, 28, 28, generator=stream(2)) * 2 - 1).contiguous()
    full, low = (Recogniser(spec, stream(0), precision).eval() for precision in ("float32", "bfloat16"))
    assert low(images).dtype == torch.float32
    assert not torch.equal(full(images), low(images))
    torch.testing.assert_close(full(images), low(images), rtol=0.05, atol=0.05)


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"takes images of \(2, 9, 8\) .*, not \(1, 9, 8\): resize"):
        network()(uniform(3, 1, 9, 8))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"shape": (9, 8)}, r"is \(9, 8\); it needs 3 numbers"),
        ({"channels": ()}, "needs one layer or more"),
        ({"channels": (3, 0)}, "channels of a recogniser is 0"),
        ({"features": 0}, "features of a recogniser is 0"),
        ({"classes": 1}, "1 classes was asked for; it needs 2 or more"),
        ({"channels": (3, 4, 5, 6)}, "images of 9 x 8 cannot be halved 4 times; give a recogniser fewer"),
    ],
)
def test_what_cannot_be_built_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        RecogniserSpec(**{"shape": (2, 9, 8), "channels": (3, 4), "features": 5, "classes": 6, **changes})
