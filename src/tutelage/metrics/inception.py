r"""The Inception network of 2015 (Szegedy et al. 2016), whose features the Fréchet inception distance is taken in.

FID and the Inception Score are numbers of one network with one set of weights, a classifier of 1008 classes trained in
2015 with TensorFlow, and of its graph, which is that of Inception-v3 with two differences: an average over 3x3 pixels
counts none of the padding, and the very last block takes the largest of 3x3 pixels in the place of their average.

    levels 0 … 255, 299 x 299  →  (x − 128) / 128  →  stem  →  3 A, B, 4 C, D, 2 E  →  means over positions, [B, 2048]

What images go through before that is in the graph too, and counts: they are resized as TensorFlow 1 did by default,
bilinearly without half pixels (`as_tensorflow_1`), and larger ones are shrunk without antialiasing. Images in [−1, 1]
are 2 · level / 255 − 1. Published numbers are of whole levels, which measures see to (`tutelage.run.measures`); nothing
is rounded here. This module was written from the description of the graph. It has been run with random weights, and
**not** with the published ones, so compare a first number with one that is known before it is relied upon.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..checks import InputError
from ..tf32 import no_tf32
from ..types import Images
from . import weights as files
from .extractors import Extractor

FILES = ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth")
"""What the published file is called; one file under two names."""
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
FEATURES, CLASSES, SIZE, EPS = 2048, 1008, 299, 1e-3
_NEEDED = f"the state dict {FILES[0]}"


class Conv(NamedTuple):
    """A convolution with batch norm and ReLU: its name within the block, channels, kernel (height, width)."""

    name: str
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1


Pool = Literal["average", "largest", "largest, halved"]
Step = Conv | tuple[Conv, Conv] | Pool
"""Two convolutions side by side, each of the same input, are put together."""
Branch = tuple[Step, ...]


def _a(pool: int) -> tuple[Branch, ...]:
    return (
        (Conv("branch1x1", 64),),
        (Conv("branch5x5_1", 48), Conv("branch5x5_2", 64, (5, 5))),
        (Conv("branch3x3dbl_1", 64), Conv("branch3x3dbl_2", 96, (3, 3)), Conv("branch3x3dbl_3", 96, (3, 3))),
        ("average", Conv("branch_pool", pool)),
    )


def _b() -> tuple[Branch, ...]:
    return (
        (Conv("branch3x3", 384, (3, 3), 2),),
        (Conv("branch3x3dbl_1", 64), Conv("branch3x3dbl_2", 96, (3, 3)), Conv("branch3x3dbl_3", 96, (3, 3), 2)),
        ("largest, halved",),
    )


def _c(inner: int) -> tuple[Branch, ...]:
    row, column, double = (1, 7), (7, 1), "branch7x7dbl"
    return (
        (Conv("branch1x1", 192),),
        (Conv("branch7x7_1", inner), Conv("branch7x7_2", inner, row), Conv("branch7x7_3", 192, column)),
        (
            Conv(f"{double}_1", inner),
            Conv(f"{double}_2", inner, column),
            Conv(f"{double}_3", inner, row),
            Conv(f"{double}_4", inner, column),
            Conv(f"{double}_5", 192, row),
        ),
        ("average", Conv("branch_pool", 192)),
    )


def _d() -> tuple[Branch, ...]:
    return (
        (Conv("branch3x3_1", 192), Conv("branch3x3_2", 320, (3, 3), 2)),
        (
            Conv("branch7x7x3_1", 192),
            Conv("branch7x7x3_2", 192, (1, 7)),
            Conv("branch7x7x3_3", 192, (7, 1)),
            Conv("branch7x7x3_4", 192, (3, 3), 2),
        ),
        ("largest, halved",),
    )


def _e(pool: Pool) -> tuple[Branch, ...]:
    return (
        (Conv("branch1x1", 320),),
        (Conv("branch3x3_1", 384), (Conv("branch3x3_2a", 384, (1, 3)), Conv("branch3x3_2b", 384, (3, 1)))),
        (
            Conv("branch3x3dbl_1", 448),
            Conv("branch3x3dbl_2", 384, (3, 3)),
            (Conv("branch3x3dbl_3a", 384, (1, 3)), Conv("branch3x3dbl_3b", 384, (3, 1))),
        ),
        (pool, Conv("branch_pool", 192)),
    )


STEM: tuple[tuple[Conv | Pool, int], ...] = (
    (Conv("Conv2d_1a_3x3", 32, (3, 3), 2), 0),
    (Conv("Conv2d_2a_3x3", 32, (3, 3)), 0),
    (Conv("Conv2d_2b_3x3", 64, (3, 3)), 1),
    ("largest, halved", 0),
    (Conv("Conv2d_3b_1x1", 80), 0),
    (Conv("Conv2d_4a_3x3", 192, (3, 3)), 0),
    ("largest, halved", 0),
)
"""Each with the padding it has."""
BLOCKS: dict[str, tuple[Branch, ...]] = {
    "Mixed_5b": _a(32),
    "Mixed_5c": _a(64),
    "Mixed_5d": _a(64),
    "Mixed_6a": _b(),
    "Mixed_6b": _c(128),
    "Mixed_6c": _c(160),
    "Mixed_6d": _c(160),
    "Mixed_6e": _c(192),
    "Mixed_7a": _d(),
    "Mixed_7b": _e("average"),
    "Mixed_7c": _e("largest"),
}


def shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor of the network, by its name in the file."""
    found: dict[str, tuple[int, ...]] = {"fc.weight": (CLASSES, FEATURES), "fc.bias": (CLASSES,)}
    below = 3
    for conv, _ in STEM:
        if isinstance(conv, Conv):
            found |= _shapes(conv.name, conv, below)
            below = conv.channels
    for block, branches in BLOCKS.items():
        outputs = 0
        for branch in branches:
            channels = below
            for step in branch:
                convs = _convs(step)
                for conv in convs:
                    found |= _shapes(f"{block}.{conv.name}", conv, channels)
                channels = sum(conv.channels for conv in convs) or channels
            outputs += channels
        below = outputs
    return found


def _shapes(name: str, conv: Conv, below: int) -> dict[str, tuple[int, ...]]:
    return files.folded_shapes(f"{name}.conv", f"{name}.bn", (conv.channels, below, *conv.kernel))


def _convs(step: Step) -> tuple[Conv, ...]:
    if isinstance(step, str):
        return ()
    return (step,) if isinstance(step, Conv) else step


def folded(weights: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """Weight and bias of each convolution, batch norm folded in, by its whole name."""
    names = [name.removesuffix(".conv.weight") for name in weights if name.endswith(".conv.weight")]
    return {name: files.folded(weights, f"{name}.conv", f"{name}.bn", EPS) for name in names}


def features(convs: Mapping[str, tuple[Tensor, Tensor]], images: Images) -> Tensor:
    """``[B, 2048]`` of ``images`` ``[B, 3, H, W]``, (level − 128) / 128, of 75 pixels or more each way, by `folded`
    convolutions.
    """
    x = images
    for step, padding in STEM:
        x = _pooled(x, step) if isinstance(step, str) else _convolved(convs[step.name], x, step.stride, padding)
    for block, branches in BLOCKS.items():
        x = torch.cat([_branch(convs, block, branch, x) for branch in branches], 1)
    return x.mean((2, 3))


def _branch(convs: Mapping[str, tuple[Tensor, Tensor]], block: str, branch: Branch, x: Tensor) -> Tensor:
    for step in branch:
        if isinstance(step, str):
            x = _pooled(x, step)
        else:
            x = torch.cat([_same(convs[f"{block}.{conv.name}"], x, conv) for conv in _convs(step)], 1)
    return x


def _same(weights: tuple[Tensor, Tensor], x: Tensor, conv: Conv) -> Tensor:
    """Padded to keep height and width; one that halves them is not padded."""
    height, width = conv.kernel
    return _convolved(weights, x, conv.stride, (height // 2, width // 2) if conv.stride == 1 else 0)


def _convolved(weights: tuple[Tensor, Tensor], x: Tensor, stride: int, padding: int | tuple[int, int]) -> Tensor:
    return functional.relu(functional.conv2d(x, *weights, stride, padding))


def _pooled(x: Tensor, pool: Pool) -> Tensor:
    if pool == "average":
        return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return functional.max_pool2d(x, 3, 1, 1) if pool == "largest" else functional.max_pool2d(x, 3, 2)


def as_tensorflow_1(images: Images, size: int) -> Images:
    """Images ``[B, C, H, W]`` brought to ``[B, C, size, size]`` as TensorFlow 1's ``resize_bilinear`` does by default.

    Pixel i of a row or column is read at its place i · length / size, between the two pixels there (after the last: at
    the last), whether that enlarges or shrinks.
    """
    return _along(_along(images, 3, size), 2, size)


def _along(images: Images, dim: int, size: int) -> Images:
    length = images.shape[dim]
    place = torch.arange(size, dtype=torch.float32, device=images.device) * (length / size)
    before = place.long()
    weight = (place - before).to(images.dtype).view(-1, *[1] * (images.ndim - 1 - dim))
    after = (before + 1).clamp_(max=length - 1)
    return torch.lerp(images.index_select(dim, before), images.index_select(dim, after), weight)


def scaled(images: Images) -> Images:
    """Images in [−1, 1], 2 · level / 255 − 1, as (level − 128) / 128: in [−1, 127 / 128]."""
    return (images + 1) * (127.5 / 128) - 1


def inception_2015(path: Path | str | None = None, device: torch.device | str = "cpu") -> Extractor:
    """The 2048 features of the Inception network of 2015, and the logits of its 1008 classes.

    The logits are without the last layer's bias, as the Inception Score takes them (Salimans et al. 2016, their code);
    `Extractor.class_logits` adds it.
    The extractor is called ``inception-2015`` and its distance FID where the file is the published one, bit for bit;
    other weights of the same shapes are ``inception-`` and the first digits of their digest.

    Args:
        path: a file with the state dict (None: one of `FILES` in the folder where torch's hub keeps its downloads).
        device: where it computes.

    Raises:
        InputError: the file is missing, damaged, TorchScript, or of another network.
    """
    no_tf32(device)
    found = files.read(_in_hub() if path is None else path, _NEEDED)
    weights = files.state_dict(found, shapes(), _NEEDED, device)
    convs, top = folded(weights), weights["fc.weight"]
    published = found.sha256 == SHA256
    return Extractor(
        "inception-2015" if published else f"inception-{found.sha256[:8]}",
        found.sha256,
        FEATURES,
        SIZE,
        lambda images: features(convs, scaled(images)),
        torch.device(device),
        head=lambda vectors: functional.linear(vectors, top),
        published=published,
        bias=weights["fc.bias"],
        interpolate=as_tensorflow_1,
    )


def _in_hub() -> Path:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"{FILES[0]} is not in {folder}, where torch's hub keeps its downloads; put it there, or name the file"
    )
