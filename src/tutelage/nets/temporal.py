r"""Convolutions of videos ``[B, T, C, H, W]``, as products and as convolutions of single frames.

A layer that is fully connected in space and a convolution of K frames with stride s in time is one matrix product: with
the frames in rows of s, its weights become J = ⌈K/s⌉ matrices, each for one row,

    P[r, j] = W_j · row[r],      y[t] = Σ_j P[t + j − first, j],

and its transpose is the same, the other way round. A layer that is local in space is a convolution of single frames
whose channels are those of K neighbours in time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .blocks import same_padding


def beside(x: Tensor, frames: int, stride: int) -> Tensor:
    """The ``frames`` neighbours of every ``stride``-th frame as its channels: ``[B·T', C·frames, H, W]``, T' = ⌈T/s⌉,
    with "same" padding in time. A weight ``[out, C, frames, h, w]`` acts on them as ``weight.flatten(1, 2)``."""
    pads = same_padding(x.shape[1], frames, stride)
    windows = F.pad(x, (0, 0, 0, 0, 0, 0, *pads)).unfold(1, frames, stride)
    lasts = windows.permute(0, 1, 3, 4, 2, 5).flatten(4, 5).flatten(0, 1)  # channels last: one copy, as they are stored
    return lasts.permute(0, 3, 1, 2)


def rows_of_weight(weight: Tensor, stride: int) -> Tensor:
    """``[out, frames, H, W, C]`` as the matrix ``[out·J, s·H·W·C]`` that acts on rows of ``stride`` frames."""
    frames = weight.shape[1]
    first = -(frames // 2) % stride
    last = -(first + frames) % stride
    padded = F.pad(weight, (0, 0, 0, 0, 0, 0, first, last)) if first or last else weight
    return padded.reshape(len(weight) * (padded.shape[1] // stride), -1)


def full_conv(x: Tensor, rows: Tensor, bias: Tensor, stride: int, frames: int) -> Tensor:
    """Fully connected in space, a convolution in time with ⌊frames/2⌋ frames of padding at both ends.

    ``rows`` is ``rows_of_weight``, ``bias`` ``[out]``; the result is ``[B, T', out, 1, 1]``,
    T' = ⌊(T + 2⌊frames/2⌋ − frames) / s⌋ + 1.
    """
    batch, length, out = len(x), x.shape[1], len(bias)
    made = (length + 2 * (frames // 2) - frames) // stride + 1
    lines = x.permute(0, 1, 3, 4, 2).flatten(2)
    if length % stride:
        lines = F.pad(lines, (0, 0, 0, -length % stride))
    products = (lines.reshape(-1, rows.shape[1]) @ rows.T).view(batch, -1, out, len(rows) // out)
    steps, first = products.shape[3], -(-(frames // 2) // stride)
    padded = F.pad(products, (0, 0, 0, 0, first, made - 1 + steps - first - products.shape[1]))
    total = torch.stack([padded[:, j : j + made, :, j] for j in range(steps)]).sum(0)
    return (total + bias)[..., None, None]


def full_deconv(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The transpose of such a layer without padding: ``[B, n, C, 1, 1]`` to ``[B, s·(n + J − 1), out, H, W]``.

    ``weight`` is ``[C, frames, H, W, out]``. Every frame that some latent frame reaches is made, in whole rows of s.
    """
    batch, length = x.shape[:2]
    space = weight.shape[2:]
    padded = F.pad(weight, (0, 0, 0, 0, 0, 0, 0, -weight.shape[1] % stride))
    products = (x.flatten(2) @ padded.flatten(1)).view(batch, length, padded.shape[1] // stride, -1)
    steps = products.shape[2]
    lines = torch.stack([F.pad(products[:, :, j], (0, 0, j, steps - 1 - j)) for j in range(steps)]).sum(0)
    return lines.view(batch, -1, *space).permute(0, 1, 4, 2, 3)
