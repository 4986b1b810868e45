"""Tiles of a descriptor's potential add up to that of the whole image, and so do their gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tutelage.checks import InputError
from tutelage.gradient import ByAutograd, prepared
from tutelage.nets import Conv, Descriptor, DescriptorSpec, Tiles
from tutelage.rng import stream

SPECS = {
    "stride 2, thrice": DescriptorSpec((3, 16, 16), (Conv(4, 7, 2), Conv(5, 5, 2), Conv(6, 5, 2)), None, 0.2, 0.2),
    "stride 3, then 1": DescriptorSpec((3, 16, 16), (Conv(4, 15, 3), Conv(5, 9, 1), Conv(3, 7, 1)), None, 0.0, 0.05),
    "even kernels": DescriptorSpec((1, 16, 16), (Conv(4, 4, 2), Conv(5, 6, 3)), None, 0.2, 0.2),
    "holes between kernels": DescriptorSpec((2, 16, 16), (Conv(4, 2, 3), Conv(5, 1, 2)), None, 0.2, 0.2),
    "averages": DescriptorSpec((2, 16, 16), (Conv(4, 3, 3), Conv(5, 3, 2)), None, 0.2, 0.2, average_pixels=True),
    "one layer": DescriptorSpec((1, 16, 16), (Conv(4, 3, 1),), None, 0.0, 0.2),
}


def descriptor(spec: DescriptorSpec, dtype: torch.dtype = torch.float64) -> Descriptor:
    """With biases that are not 0: then zeros around a map are not what the layer makes of zeros around the image."""
    network = Descriptor(spec, stream(0, "weights")).to(dtype)
    with torch.no_grad():
        for bias in network.biases:
            bias.copy_(0.3 * torch.randn(bias.shape, generator=stream(0, "biases")))
    return network


def images(spec: DescriptorSpec, height: int, width: int, n: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(n, spec.shape[0], height, width, generator=stream(0, "images"), dtype=dtype)


@pytest.mark.parametrize("tile", [1, 7, 16, 100])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (37, 50), (41, 23), (3, 64)])
@pytest.mark.parametrize("name", SPECS)
def test_tiles_are_the_whole(name: str, height: int, width: int, tile: int) -> None:
    network, x = descriptor(SPECS[name]), images(SPECS[name], height, width)
    if name == "one layer" and tile == 1:
        x = x[:, :, :9, :9]  # a tile for each pixel
    whole, (value, gradient, _) = ByAutograd(network)(x), prepared(Tiles(network, tile))(x)
    torch.testing.assert_close(value, whole.value, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, whole.gradient, rtol=1e-10, atol=1e-10)
    assert whole.gradient.std() > 1e-3, "a gradient of nothing would hide a mistake"


def test_no_tile_looks_at_more_than_itself_and_its_halo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The halo of three layers of 7, 5, 5 with stride 2 is at most 7 − 2 + 2 (5 − 2) + 4 (5 − 2) = 23 pixels."""
    spec, widest = SPECS["stride 2, thrice"], []
    convolve = nn.functional.conv2d

    def watched(x: Tensor, weight: Tensor, *rest) -> Tensor:
        widest.append((len(x), 2 * max(x.shape[2:]) if weight.shape[1] == 3 * 4 else 0))
        return convolve(x, weight, *rest)

    monkeypatch.setattr(nn.functional, "conv2d", watched)
    prepared(Tiles(descriptor(spec), 16))(images(spec, 80, 100))
    assert {count for count, _ in widest} == {1} and 16 + 23 <= max(side for _, side in widest) <= 16 + 23 + 2


def test_the_snapshot_follows_no_later_change_and_a_call_does() -> None:
    spec = SPECS["even kernels"]
    network, x = descriptor(spec), images(spec, 20, 31)
    tiles = Tiles(network, 8)
    snapshot, before = tiles.prepare(), network(x)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    torch.testing.assert_close(snapshot(x).value, before)
    assert torch.equal(tiles(x), network(x)) and not torch.allclose(tiles(x), before)


def test_bfloat16_computes_in_the_precision_of_the_untiled_snapshot() -> None:
    spec = SPECS["stride 2, thrice"]
    low = Descriptor(spec, stream(0, "weights"), "bfloat16")
    x = images(spec, 40, 33, dtype=torch.float32)
    of_tiles, whole = prepared(Tiles(low, 16))(x), prepared(low)(x)
    assert of_tiles.gradient.dtype == torch.float32 and of_tiles.value.dtype == torch.float32
    error = (of_tiles.gradient - whole.gradient).norm() / whole.gradient.norm()
    assert error < 0.02


def test_what_has_no_tiles_is_refused() -> None:
    spec = SPECS["one layer"]
    with pytest.raises(InputError, match=r"fully connected layer over images of 16x16 .*descriptor\.outputs=none"):
        Tiles(Descriptor(replace(spec, outputs=2), stream(0)))
    with pytest.raises(InputError, match="tile is 0; the side of a tile needs"):
        Tiles(descriptor(spec), 0)
    with pytest.raises(InputError, match="this descriptor takes images of"):
        prepared(Tiles(descriptor(spec)))(torch.zeros(1, 3, 20, 20))
