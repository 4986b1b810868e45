"""What textures are looked at with: shapes, seeds, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from random_weights import random_weights
from tutelage.baselines import texture_maps
from tutelage.baselines.texture_maps import RandomFilters, VggMaps
from tutelage.checks import InputError
from tutelage.metrics.vgg import Vgg
from tutelage.rng import stream


def test_random_filters_are_convolutions_of_every_size_and_have_their_seed() -> None:
    filters, x = RandomFilters(sizes=(1, 3), count=5), torch.rand(2, 3, 7, 9, generator=stream(0))
    maps = filters(x)
    assert [layer.shape for layer in maps] == [(2, 5, 7, 9)] * 2 and all((layer >= 0).all() for layer in maps)
    assert all(torch.equal(a, b) for a, b in zip(maps, RandomFilters(sizes=(1, 3), count=5)(x), strict=True))
    assert not torch.equal(maps[0], RandomFilters(sizes=(1, 3), count=5, seed=1)(x)[0])
    weight = torch.randn((5, 3, 1, 1), generator=stream(0, "filters")) / 3**0.5
    torch.testing.assert_close(maps[0], torch.einsum("oc,bchw->bohw", weight[:, :, 0, 0], x).relu())


@pytest.mark.parametrize("changes", [{"sizes": ()}, {"sizes": (0, 3)}, {"count": 0}])
def test_filters_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"random filters of sizes .* were asked for; give one size or more"):
        RandomFilters(**changes)


def two_convolutions() -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    """Those of a VGG-16 before its first pool, with 4 channels."""
    shapes = {"1.weight": (4, 3, 3, 3), "1.bias": (4,), "2.weight": (4, 4, 3, 3), "2.bias": (4,)}
    drawn = random_weights(shapes)
    return (drawn["1.weight"], drawn["1.bias"]), (drawn["2.weight"], drawn["2.bias"])


def test_maps_come_in_the_order_asked_for_and_are_pooled_as_the_plan_says(monkeypatch: pytest.MonkeyPatch) -> None:
    (first, one), (second, two) = two_convolutions()
    monkeypatch.setattr(texture_maps, "load_vgg16", lambda *_: Vgg(((first, one), (second, two)), "ab"))
    texture_maps.vgg_of.cache_clear()
    images = 2 * torch.rand(2, 3, 8, 8, generator=stream(0)) - 1
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = ((images + 1) / 2 - mean[:, None, None]) / std[:, None, None]
    lower = F.conv2d(x, first, one, padding=1).relu()
    squares = F.conv2d(lower, second, two, padding=1).relu().unflatten(3, (4, 2)).unflatten(2, (4, 2))
    layers = ("pool1", "relu1_1")
    for maps, pooled in (
        (VggMaps(layers), squares.mean((3, 5))),
        (VggMaps(layers, pooling="average"), squares.mean((3, 5))),
        (VggMaps(layers, pooling="max"), squares.amax((3, 5))),
    ):
        above, below = maps(images)
        torch.testing.assert_close(above, pooled)
        torch.testing.assert_close(below, lower)
    texture_maps.vgg_of.cache_clear()


def test_maps_of_a_network_are_its_layers_and_grey_is_repeated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network = Vgg(two_convolutions(), "ab")
    given: list[Any] = []
    for name in ("load_vgg16", "load_vgg19"):
        monkeypatch.setattr(texture_maps, name, lambda *of, name=name: given.append((name, *of)) or network)
    texture_maps.vgg_of.cache_clear()
    grey = torch.rand(2, 1, 8, 8, generator=stream(0))
    (found,) = VggMaps(layers=("relu1_1",))(grey)
    assert given == [("load_vgg16", None, "cpu")]
    assert torch.equal(found, network.maps(grey.repeat(1, 3, 1, 1), ["relu1_1"])["relu1_1"]) and len(given) == 1
    VggMaps(layers=("relu1_1",), weights="a")(grey.repeat(1, 3, 1, 1))
    VggMaps(layers=("relu1_1",), network="vgg19", weights="b")(grey)
    assert given[1:] == [("load_vgg16", "a", "cpu"), ("load_vgg19", "b", "cpu")]
    texture_maps.vgg_of.cache_clear()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"network": "vgg11"}, "maps of network 'vgg11' with pooling 'average' were asked for"),
        ({"pooling": "least"}, "the pooling 'max' or 'average'"),
        ({"layers": ("relu3_4",)}, "vgg16 has no layer relu3_4; name some of relu1_1"),
        ({"layers": ()}, r"vgg16 has no layer \(none given\)"),
        ({"network": "vgg19"}, "no package has the weights of vgg19; give weights"),
    ],
)
def test_maps_that_are_not_there_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        VggMaps(**changes)
