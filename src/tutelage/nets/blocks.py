"""Convolutions with the padding of the authors' framework, and what freezing them makes possible.

"Same" padding there means: a convolution of stride s maps n pixels to ⌈n/s⌉, with the odd pixel of
padding at the end; the transposed convolution is exactly its transpose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import InputError

Precision: TypeAlias = Literal["float32", "bfloat16"]
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""What processors with arithmetic in bfloat16 call it: the first two of x86, the others of ARM."""
_PADDED_INSIDE = 8  # pixels, of a convolution that pads by itself


def compute_dtype(precision: Precision) -> torch.dtype:
    """The dtype that layers compute in; weights, images and chains stay float32 whatever it is.

    Raises ``InputError`` for a name that is not known.
    """
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if precision not in known:
        raise InputError(f"precision is {precision!r}; it needs to be one of {', '.join(known)}")
    return known[precision]


def frozen_dtype(of_convs: torch.dtype, weight: Tensor) -> torch.dtype:
    """What a snapshot's weights are cast to: the dtype that layers compute in, and for float32 the ``weight``'s own."""
    return of_convs if of_convs != torch.float32 else weight.dtype


def arithmetic(precision: Precision, device: torch.device | str) -> Precision:
    """What layers best compute in on ``device`` where ``precision`` is wished for.

    That is ``precision``, but float32 instead of bfloat16 on a processor that has to emulate it (of x86 any without
    AVX-512 BF16 or AMX): a convolution takes some twenty times as long there as in float32. NVIDIA's GPUs emulate it
    below compute capability 8.0; of a GPU that is not there to be asked the best is believed.

    Raises ``InputError`` for a name that is not known.
    """
    if compute_dtype(precision) == torch.float32:
        return precision
    where = torch.device(device)
    native = _native_on_cpu() if where.type == "cpu" else _native_on_gpu(where)
    return precision if native else "float32"


def _native_on_cpu() -> bool:
    known = torch.cpu.get_capabilities()
    return torch.backends.mkldnn.is_available() and any(known.get(name, False) for name in _BFLOAT16)


def _native_on_gpu(where: torch.device) -> bool:
    if where.type != "cuda" or torch.version.hip is not None or not torch.cuda.is_available():
        return True
    return torch.cuda.get_device_capability(where) >= (8, 0)


def computing_in(dtype: torch.dtype, device: torch.device) -> torch.autocast:
    """Where layers on ``device`` compute in ``dtype``, which is bfloat16, or float32 and leaves them as they are."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype != torch.float32)


def check_shape(what: str, shape: tuple[int, ...], images: Tensor, mend: str = "resize the images") -> None:
    """Refuse images ``[B, *shape]`` of another shape than a ``what`` takes; ``mend`` is what else can be done.

    Raises ``InputError``.
    """
    if tuple(images.shape[1:]) != shape:
        raise InputError(
            f"this {what} takes images of {shape} (channels, height, width), not {tuple(images.shape[1:])}: {mend}, or "
            f"build a {what} of their shape"
        )


def check_layers(
    what: str, layers: Sequence[Any], counts: Mapping[str, int], slope: float = 0.0, init_std: float | None = None
) -> None:
    """Refuse a Spec without layers, with a count below 1, a slope outside [0, 1), or weights that all begin alike.

    Raises ``InputError``.
    """
    if not layers:
        raise InputError(f"a {what} needs one layer or more; none is given")
    names = ("channels", "kernel", "stride", "frames", "frame_stride")
    of_layers = [(name, getattr(layer, name, 1)) for layer in layers for name in names]
    for name, count in [*counts.items(), *of_layers]:
        if count is not None and count < 1:
            raise InputError(f"{name} of a {what} is {count}; it needs to be 1 or more")
    if not 0 <= slope < 1:
        raise InputError(f"slope of a {what} is {slope}; it needs to be 0 (ReLU) or more, and below 1")
    if init_std is not None and not 0 < init_std < math.inf:
        raise InputError(f"init_std of a {what} is {init_std}; it needs to be a number above 0")


def check_sizes(what: str, sizes: tuple[int, ...], of: str = "channels, height, width") -> None:
    """Raises ``InputError`` where ``sizes`` are not as many numbers as ``of`` has words."""
    if len(sizes) != len(of.split(", ")):
        raise InputError(f"{what} is {sizes}; it needs {len(of.split(', '))} numbers: {of}")


def check_statistics(x: Tensor) -> None:
    """Raises ``InputError`` for maps ``[B, C, *space]`` of one value a channel, of which batch norm can learn none."""
    if x.numel() < 2 * x.shape[1]:
        raise InputError(
            f"batch norm in training mode needs two values per channel, and has maps of {list(x.shape)}: "
            "give a batch of two or more, or put the network in evaluation mode with eval()"
        )


def initial_std(weight: Tensor, std: float | None) -> float:
    """``std``, or where it is None √(2/n), of a layer's weights ``[outputs, ...]``, n of them to an output."""
    return math.sqrt(2 / weight[0].numel()) if std is None else std


def shifted_norm(x: Tensor, norm: nn.Module, scale: Tensor | None, shift: Tensor, training: bool) -> Tensor:
    """Batch norm of ``x`` by the statistics of ``norm``, with a ``shift`` [C] that learns, and a ``scale`` or none.

    None is a scale of ones: on a GPU, torch shapes the gradient of the shift after the scale, and needs one.

    Raises ``InputError`` as `check_statistics` does, in training.
    """
    if training:
        check_statistics(x)
    assert isinstance(norm, nn.BatchNorm2d | nn.BatchNorm3d) and norm.momentum is not None
    scale = torch.ones_like(shift) if scale is None else scale
    return F.batch_norm(x, norm.running_mean, norm.running_var, scale, shift, training, norm.momentum, norm.eps)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels added before and after, so that ``size`` becomes ``⌈size / stride⌉``."""
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def same_conv(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """Convolution of ``[B, C, *space]`` images with "same" padding.

    Large kernels see an image that was padded before: with AVX2 alone, oneDNN takes four hundred times as long where it
    is to pad by 17 pixels or more.
    """
    pads = [same_padding(n, k, stride) for n, k in zip(x.shape[2:], weight.shape[2:], strict=True)]
    if all(low == high <= _PADDED_INSIDE for low, high in pads):
        return F.conv2d(x, weight, bias, stride, padding=tuple(low for low, _ in pads))
    return F.conv2d(F.pad(x, [p for pair in reversed(pads) for p in pair]), weight, bias, stride)


def same_conv_transpose(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int | tuple[int, ...], size: tuple[int, ...]
) -> Tensor:
    """The transpose of ``same_conv``: images of ``x``'s size times ``stride``, cut to ``size``, which is (height,
    width) or (frames, height, width); the stride may be another along each."""
    strides = (stride,) * len(size) if isinstance(stride, int) else stride
    low = tuple(same_padding(n, k, s)[0] for n, k, s in zip(size, weight.shape[2:], strides, strict=True))
    transpose = F.conv_transpose2d if len(size) == 2 else F.conv_transpose3d
    full = transpose(x, weight, bias, strides, padding=low)
    short = [max(n - m, 0) for n, m in zip(size, full.shape[2:], strict=True)]
    if any(short):  # padding by nothing would still copy the map
        full = F.pad(full, [p for n in reversed(short) for p in (0, n)])
    return full[(..., *map(slice, size))]


def space_to_depth_weight(weight: Tensor, stride: int) -> Tensor:
    """The stride-1 kernel that acts on ``pixel_unshuffle(x, stride)`` as ``weight`` acts on ``x``.

    A first layer's gradient with respect to the image is several times faster in this form.
    """
    out, channels, height, width = weight.shape
    padded = F.pad(weight, (0, -width % stride, 0, -height % stride))
    rows, columns = padded.shape[2] // stride, padded.shape[3] // stride
    split = padded.reshape(out, channels, rows, stride, columns, stride)
    return split.permute(0, 1, 3, 5, 2, 4).reshape(out, channels * stride**2, rows, columns)


def space_to_depth_conv(x: Tensor, folded: Tensor, bias: Tensor | None, stride: int, kernel: int) -> Tensor:
    """``same_conv`` of ``x`` by a kernel folded with ``space_to_depth_weight``."""
    pads: list[int] = []
    for size, taps in zip(reversed(x.shape[2:]), reversed(folded.shape[2:]), strict=True):
        low, _ = same_padding(size, kernel, stride)
        wanted = (-(-size // stride) - 1 + taps) * stride
        pads += [low, wanted - size - low]
    return F.conv2d(F.pixel_unshuffle(F.pad(x, pads), stride), folded, bias)


def smeared(weight: Tensor, stride: int) -> Tensor:
    """The kernel of a transposed convolution that repeats each pixel ``stride`` times along both sides and then
    convolves with ``weight``: ``weight`` summed over a square of ``stride`` pixels, larger by the stride less 1. As the
    kernel of a convolution, over ``stride²``, it convolves with stride 1 and averages squares of ``stride`` pixels.

    Each of its phases has the same sum, so what is constant stays constant: no grid comes of the up-sampling itself
    (A. Odena, V. Dumoulin and C. Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016).
    """
    return F.avg_pool2d(F.pad(weight, (stride - 1,) * 4), stride, 1, divisor_override=1) if stride > 1 else weight


def smeared_in_space(weight: Tensor, stride: int) -> Tensor:
    """`smeared` of the kernel of each frame, for weights ``[n, m, frames, h, w]``."""
    return smeared(weight.flatten(1, 2), stride).unflatten(1, weight.shape[1:3])


def activation(x: Tensor, slope: float) -> Tensor:
    """Leaky ReLU of the given slope; ReLU where the slope is 0."""
    return F.leaky_relu(x, slope) if slope else F.relu(x)
