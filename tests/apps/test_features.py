"""Features are the last layers' responses side by side, in evaluation mode, and the network is left as it was."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tutelage.apps.features import features_of, raw_pixels
from tutelage.checks import InputError
from tutelage.data import ImageSet, from_uint8
from tutelage.nets import Classifier, ClassifierSpec, Conv, Descriptor, DescriptorSpec
from tutelage.rng import stream

CLASSIFIER = ClassifierSpec((1, 8, 12), (3, 4, 5, 6))
DESCRIPTOR = DescriptorSpec((1, 8, 12), (Conv(3, 3, 1), Conv(4, 3, 2)), 2, 0.2, 0.2)
LENGTH = 4 * 2 * 3 + 5 * 1 * 2 + 6 * 1 * 1
"""Of the last three maps of the classifier."""


def bytes_of(n: int = 7) -> np.ndarray:
    drawn = torch.randint(256, (n, 1, 8, 12), generator=stream(0, "images"), dtype=torch.uint8)
    return drawn.numpy()


SET = ImageSet(bytes_of(), "some", "here", "0")
IMAGES = from_uint8(torch.from_numpy(bytes_of()))


def classifier() -> Classifier:
    """Whose running averages are not those it began with."""
    network = Classifier(CLASSIFIER, stream(0, "weights"))
    network(2 * IMAGES + 0.5)
    return network


def test_they_are_the_last_layers_from_the_lowest_to_the_top() -> None:
    network = classifier()
    found = features_of(network, IMAGES)
    maps = copy.deepcopy(network).eval().features(IMAGES)
    assert found.shape == (7, LENGTH) and found.dtype == torch.float32 and not found.requires_grad
    torch.testing.assert_close(found, torch.cat([x.detach().reshape(7, -1) for x in maps[1:]], 1))
    torch.testing.assert_close(features_of(network, IMAGES, layers=1), found[:, -6:])


def test_a_descriptor_has_them_too() -> None:
    network = Descriptor(DESCRIPTOR, stream(0, "weights"))
    found = features_of(network, IMAGES, layers=2)
    assert found.shape == (7, 3 * 8 * 12 + 4 * 4 * 6)
    torch.testing.assert_close(found, torch.cat([x.detach().reshape(7, -1) for x in network.features(IMAGES)], 1))


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
@pytest.mark.parametrize("images", [SET, IMAGES], ids=["set", "tensor"])
def test_the_chunk_changes_nothing(images: ImageSet | Tensor, chunk: int) -> None:
    network = classifier()  # in training mode, where batch norm would depend on the chunk
    torch.testing.assert_close(features_of(network, images, chunk=chunk), features_of(network, IMAGES))


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was(training: bool) -> None:
    network = classifier().train(training)
    network.norms[0].eval()  # a mode of its own
    modes = [module.training for module in network.modules()]
    before = copy.deepcopy(network.state_dict())
    features_of(network, IMAGES, chunk=2)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())


def test_half_precision_halves_the_memory() -> None:
    network = classifier()
    found = features_of(network, IMAGES, dtype=torch.float16)
    assert found.dtype == torch.float16
    torch.testing.assert_close(found.float(), features_of(network, IMAGES), rtol=1e-3, atol=1e-4)


def test_a_network_of_another_precision_gets_images_of_its_own() -> None:
    network = classifier()
    double = features_of(network.double(), IMAGES)
    torch.testing.assert_close(double, features_of(network.float(), IMAGES), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("images", [SET, IMAGES], ids=["set", "tensor"])
def test_raw_pixels_are_the_images(images: ImageSet | Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tutelage.apps.features.images_per_chunk", lambda shape, device: 3)
    assert torch.equal(raw_pixels(images), IMAGES.reshape(7, 96))


class Odd(nn.Module):
    """Features of whatever kind one likes."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer

    def features(self, images: Tensor):
        return self.answer(images)


@pytest.mark.parametrize(
    ("network", "given", "message"),
    [
        (nn.Conv2d(1, 2, 3), {}, r"Conv2d has no features; .* method features\(images\)"),
        (Odd(lambda x: x), {}, "features of Odd are not a list of tensors with a row for each of 7 images"),
        (Odd(lambda x: [x[:3]]), {"layers": 1}, "not a list of tensors with a row"),
        (Odd(lambda x: [x, x]), {}, "3 layers of Odd were asked for, which has 2"),
        (
            Odd(lambda x: [1e6 * x]),
            {"layers": 1, "dtype": torch.float16},
            "not finite in torch.float16; ask for float32",
        ),
        (Odd(lambda x: [x]), {"layers": 0}, "0 layers in torch.float32"),
        (Odd(lambda x: [x]), {"dtype": torch.uint8}, "layers in torch.uint8 .* a type of floats"),
        (Odd(lambda x: [x]), {"chunk": 0}, "chunk is 0"),
        (Odd(lambda x: [x]), {"images": IMAGES[:0]}, r"images torch.float32 \[0, 1, 8, 12\] were given"),
        (Odd(lambda x: [x]), {"images": torch.from_numpy(bytes_of())}, "images torch.uint8 .*from_uint8"),
    ],
)
def test_what_has_no_features_is_refused(network: nn.Module, given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        features_of(network, **({"images": IMAGES} | given))
