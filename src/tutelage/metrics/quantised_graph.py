r"""A convolutional network from one .npz file: eight-bit weights, and the graph that says how they are applied.

The file is what remains of a TensorFlow Lite network when its arithmetic is made floating-point again:

    spec     JSON as bytes: a list of operations, each ``{op, k, inp, out, ...}``; ``inp`` and ``out`` number tensors
    opK.w    int8 weights of operation k     opK.s   their scale, one a channel or one     opK.b   float32 bias

    weight = scale · integer,   so a layer is an ordinary convolution with 8-bit weights.

Operations are convolutions (also by channel), explicit padding, sums, a mean over positions, and a last linear
layer. ``act`` 3 bounds an output to [0, 6]; ``same`` pads as TensorFlow does: n pixels become ⌈n / stride⌉, and an
odd pixel of padding goes below and to the right. What the mean over positions gives are the features; what the
linear layer makes of them are the logits.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..checks import InputError, first_line
from . import weights as files

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, TypeError, AttributeError, RuntimeError)
UNREADABLE += (KeyError, IndexError)
"""What reading a damaged or foreign file may raise."""
PLAIN = ("PAD", "ADD", "MEAN", "QUANTIZE", "SOFTMAX")


@dataclass(frozen=True)
class Operation:
    """One node: ``kind`` with its weights, the numbers of the tensors it reads, and of the one it writes."""

    kind: str
    inputs: tuple[int, ...]
    output: int
    weight: Tensor | None = None
    bias: Tensor | None = None
    stride: int = 1
    same: bool = False
    bounded: bool = False
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Left, right, above, below; for PAD."""

    def __call__(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        if self.kind == "ADD":
            return x + inputs[1]
        if self.kind == "PAD":
            return functional.pad(x, self.padding)
        if self.kind == "MEAN":
            return x.mean((2, 3))
        if self.weight is None:  # QUANTIZE, SOFTMAX: arithmetic is floating-point here, and logits are wanted
            return x
        if self.kind == "FULLY_CONNECTED":
            return functional.linear(x, self.weight, self.bias)
        if self.same:
            x = functional.pad(x, same_padding(x.shape[-2:], self.weight.shape[-2:], self.stride))
        groups = self.weight.shape[0] if self.kind == "DEPTHWISE_CONV_2D" else 1
        y = functional.conv2d(x, self.weight, self.bias, self.stride, groups=groups)
        return functional.relu6(y) if self.bounded else y


@dataclass(frozen=True)
class Graph:
    """The operations in order, and the digest of the file they came from."""

    operations: tuple[Operation, ...]
    sha256: str

    def features(self, images: Tensor) -> Tensor:
        """``[B, d]``, what the mean over positions gives for ``[B, C, H, W]``."""
        return _run(self.operations[: self._mean + 1], images)

    def head(self, features: Tensor) -> Tensor:
        """``[B, classes]``, what the linear layer makes of features ``[B, d]``. Raises ``InputError`` without one."""
        after = self.operations[self._mean + 1 :]
        if not any(operation.kind == "FULLY_CONNECTED" for operation in after):
            raise InputError(
                "this network has no linear layer after its features, so it tells no classes; give the file of a "
                "whole classifier"
            )
        return _run(after, features)

    @property
    def _mean(self) -> int:
        return next(index for index, operation in enumerate(self.operations) if operation.kind == "MEAN")


def _run(operations: Sequence[Operation], x: Tensor) -> Tensor:
    """What the last of ``operations`` gives where the first is given ``x``."""
    known = {operations[0].inputs[0]: x}
    for operation in operations:
        known[operation.output] = operation(*(known[number] for number in operation.inputs))
    return known[operations[-1].output]


def same_padding(lengths: tuple[int, ...], kernel: tuple[int, ...], stride: int) -> tuple[int, int, int, int]:
    """Left, right, above, below: TensorFlow's padding of ``lengths`` = (H, W) for outputs of ⌈n / stride⌉."""
    above, left = (max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in zip(lengths, kernel, strict=True))
    return left // 2, left - left // 2, above // 2, above - above // 2


def read(path: Path | str, device: torch.device | str = "cpu") -> Graph:
    """The network in a file, its weights on ``device``.

    Raises ``InputError`` where the file is missing, damaged, or no such network.
    """
    found = files.read(path, "the .npz of a MobileNetV2 with eight-bit weights")
    try:
        with np.load(io.BytesIO(found.content), allow_pickle=False) as archive:
            nodes = json.loads(archive["spec"].tobytes().decode())
            operations = tuple(_operation(node, archive, device) for node in nodes)
        if not operations or not any(operation.kind == "MEAN" for operation in operations):
            raise ValueError("it has no features")
    except torch.OutOfMemoryError:
        raise
    except UNREADABLE as error:
        raise InputError(
            f"{found.path} cannot be read as a network with eight-bit weights ({first_line(error)}); give the .npz of "
            "a MobileNetV2, whole and unchanged"
        ) from None
    return Graph(operations, found.sha256)


def _operation(node: dict[str, Any], archive: Any, device: torch.device | str) -> Operation:
    kind, number = node["op"], node["k"]
    if kind not in WEIGHTED + PLAIN:
        raise ValueError(f"unknown operation {kind}")
    if node.get("act") not in (None, 0, 3):
        raise ValueError(f"unknown activation {node['act']}")
    weight = bias = None
    if kind in WEIGHTED:
        integers, scale, bias = (_numbers(archive, f"op{number}.{part}") for part in "wsb")
        weight = integers * scale.view(-1, *[1] * (integers.ndim - 1))
        weight, bias = weight.to(device), bias.to(device)
    (above, below), (left, right) = node["pads"][1:3] if kind == "PAD" else ((0, 0), (0, 0))
    return Operation(
        kind,
        inputs=tuple(int(tensor) for tensor in node["inp"]),
        output=int(node["out"]),
        weight=weight,
        bias=bias,
        stride=int(node.get("stride", 1)),
        same=bool(node.get("same", False)),
        bounded=node.get("act") == 3,
        padding=(left, right, above, below),
    )


def _numbers(archive: Any, name: str) -> Tensor:
    return torch.from_numpy(archive[name].astype(np.float32))
