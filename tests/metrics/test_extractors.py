"""Extractors: what they do to images before the network sees them, what they are called, what they refuse."""

from __future__ import annotations

import hashlib
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tiny_weights import CLASSES, FEATURES, write_network
from tutelage.checks import InputError
from tutelage.metrics import extractors
from tutelage.metrics.extractors import Extractor, mobilenet_v2
from tutelage.rng import stream


def uniform(*shape: int) -> Tensor:
    return torch.rand(shape, generator=stream(0)) * 2 - 1


def corner(images: Tensor) -> Tensor:
    """As features the three channels of the first pixel."""
    return images[:, :, 0, 0].double()


EXTRACTOR = Extractor("corner", "ab", 3, 4, corner)


def test_images_of_the_right_size_reach_the_network_as_they_are() -> None:
    images = uniform(5, 3, 4, 4)
    features = EXTRACTOR(images)
    assert features.dtype == torch.float32
    assert torch.equal(features, images[:, :, 0, 0])
    assert torch.equal(EXTRACTOR(images[:, :1]), images[:, :1, 0, 0].expand(5, 3))


@pytest.mark.parametrize("shape", [(8, 8), (3, 5)])
def test_resizing_keeps_constants_and_the_range(shape: tuple[int, int]) -> None:
    constant = torch.tensor([-1.0, 1.0, 0.25]).view(1, 3, 1, 1).expand(1, 3, *shape)
    torch.testing.assert_close(extractors.antialiased(constant, 4), constant[:, :, :1, :1].expand(1, 3, 4, 4))
    hard = (torch.arange(shape[0] * shape[1]) % 2).view(1, 1, *shape) * 2.0 - 1
    assert extractors.antialiased(hard, 16).abs().max() <= 1


def test_resizing_has_known_answers() -> None:
    two = torch.tensor([-1.0, 1.0]).expand(1, 3, 2, 2)
    torch.testing.assert_close(extractors.antialiased(two, 4)[0, 0, 0], torch.tensor([-1.0, -0.5, 0.5, 1.0]))
    spot = torch.full((1, 1, 9, 9), -1.0)
    spot[..., 0, 0] = 1  # shrinking takes tents of 3 pixels to either side: 2/3 + 1 + 2/3 + 1/3 of what is there
    weight = (2 / 3 / (2 / 3 + 1 + 2 / 3 + 1 / 3)) ** 2
    assert extractors.antialiased(spot, 3)[0, 0, 0, 0].item() == pytest.approx(2 * weight - 1, abs=1e-6)


def test_chunks_change_nothing() -> None:
    images = uniform(2 * extractors.CHUNK + 3, 3, 4, 4)
    assert [len(part) for part in EXTRACTOR.chunks(images)] == [extractors.CHUNK, extractors.CHUNK, 3]
    assert torch.equal(EXTRACTOR(images), images[:, :, 0, 0])


def test_the_features_of_a_few_chunks_are_held_beside_those_of_all() -> None:
    held: list[weakref.ref[Tensor]] = []

    def watched(images: Tensor) -> Tensor:
        assert sum(chunk() is not None for chunk in held) <= 2
        features = corner(images).float()
        held.append(weakref.ref(features))
        return features

    images = uniform(6 * extractors.CHUNK, 3, 4, 4)
    assert torch.equal(Extractor("watched", "ab", 3, 4, watched)(images), images[:, :, 0, 0]) and len(held) == 6


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (uniform(2, 3, 4), r"float32 \[2, 3, 4\].*convert them"),
        (uniform(2, 2, 4, 4), r"\[2, 2, 4, 4\].*C = 1 or 3"),
        (uniform(0, 3, 4, 4), r"\[0, 3, 4, 4\].*one image or more"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), r"torch.uint8.*needs floats"),
        (uniform(2, 3, 4, 4) + 1.5, r"needs them in \[-1, 1\]: clamp"),
        (torch.full((2, 3, 4, 4), 127.0), r"\[127, 127\].*needs them in \[-1, 1\]"),
        (torch.full((2, 3, 4, 4), float("nan")), r"not finite; it needs finite ones in \[-1, 1\]"),
    ],
)
def test_what_is_no_images_is_refused(images: Tensor, says: str) -> None:
    with pytest.raises(InputError, match=f"the extractor corner was given .*{says}"):
        EXTRACTOR(images)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: x[:, 0, 0], r"of shape \[2, 4\] for 2 images; it needs to give \[2, 3\]: check"),
        (lambda x: corner(x)[:1], r"of shape \[1, 3\] for 2 images; it needs to give \[2, 3\]: check"),
        (lambda x: corner(x).log(), "that are NaN or infinite for 1 of 2 images; it needs to give finite ones: check"),
    ],
)
def test_features_that_cannot_be_are_refused(function, says: str) -> None:
    images = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    with pytest.raises(InputError, match=f"the extractor broken gave features {says} its weights"):
        Extractor("broken", "ab", 3, 4, function)(images)


def test_mobilenet_has_its_size_in_its_name_and_its_file_in_its_digest(tmp_path: Path) -> None:
    path = write_network(tmp_path / "weights.npz")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    found = {size: mobilenet_v2(path, size) for size in (32, 224)}
    assert [extractor.name for extractor in found.values()] == ["mobilenetv2-32", "mobilenetv2"]
    assert {(e.sha256, e.dimension) for e in found.values()} == {(digest, FEATURES)}
    assert mobilenet_v2(path).name == "mobilenetv2-128" and mobilenet_v2(path).size == 128
    images = uniform(3, 1, 20, 28)
    assert found[32](images).shape == (3, FEATURES)
    assert not torch.allclose(found[32](images), found[224](images))


@pytest.mark.parametrize("size", [0, 31, 100, -32])
def test_sizes_that_do_not_halve_five_times_are_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(InputError, match=f"is {size}; it needs to be a multiple of 32"):
        mobilenet_v2(tmp_path / "weights.npz", size)


def test_a_network_that_does_not_fit_images_is_refused(tmp_path: Path) -> None:
    one_channel = np.ones((4, 1, 3, 3), np.int8)
    path = write_network(tmp_path / "grey.npz", **{"op1.w": one_channel})
    with pytest.raises(
        InputError, match=r"grey\.npz holds a network that cannot be run on images of 128 x 128 .*; give"
    ):
        mobilenet_v2(path)


def test_a_classifier_gives_logits_of_its_features(tmp_path: Path) -> None:
    network = mobilenet_v2(write_network(tmp_path / "weights.npz"), 32)
    features = network(uniform(3, 3, 32, 32))
    assert network.logits(features).shape == (3, CLASSES)
    torch.testing.assert_close(network.logits(features)[1:], network.logits(features[1:]))
    with pytest.raises(InputError, match="the extractor corner is no classifier, so it has no classes; use inception"):
        EXTRACTOR.logits(torch.zeros(2, 3))


def test_a_network_of_grey_images_takes_no_colours() -> None:
    grey = Extractor("grey", "ab", 1, 4, lambda images: images[:, :, 0, 0], channels=1)
    images = uniform(2, 3, 4, 4)
    assert torch.equal(grey(images[:, :1]), images[:, :1, 0, 0])
    with pytest.raises(InputError, match=r"the extractor grey takes grey images alone and was given \[2, 3, 4, 4\]"):
        grey(images)


def test_only_the_published_network_gives_a_distance_its_name() -> None:
    assert EXTRACTOR.distance == "FD-corner"
    assert Extractor("inception-2015", "ab", 3, 4, corner, published=True).distance == "FID"
