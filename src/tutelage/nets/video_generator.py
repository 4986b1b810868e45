r"""Generators of videos: ``Y = g(X; α)`` from a sequence of latents to a video (CoopNets §4.7).

Transposed convolutions in time, "temporally deconvolutional", so that a longer sequence of latents makes a longer
video of the same kind. The upper layers are fully connected in space, the lower ones are transposed convolutions there
too; batch norm after each but the last, tanh at the bottom. n latents make T frames, layer by layer

    n → s · (n + ⌈K/s⌉ − 1)   fully connected in space, K frames up-sampled by s: every frame a latent reaches
    n → s · n                 local in space: "same" padding.

With the paper's layers T = 4 n + 24, so that 10 latents make 64 frames and 58 make 256. The first and last 25 of them
hear fewer latents than those between, so that a network which learns from one clip can tell where in it a frame is, and
repeat it. ``trim`` leaves such frames out: what remains has the same law at all times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..checks import InputError
from ..gradient import frozen_copy
from ..types import Images, Latents
from . import mean_frame
from .blocks import (
    Precision,
    activation,
    check_layers,
    compute_dtype,
    computing_in,
    frozen_dtype,
    same_conv_transpose,
    shifted_norm,
    smeared_in_space,
)
from .temporal import full_deconv

_INSIDE = 0.99
"""What a frame that videos are made around is multiplied by: tanh never gets to the ends of its range."""


@dataclass(frozen=True)
class VideoDeconv:
    """One layer: output channels, kernel size and up-sampling in time, kernel size in space, and the height and width
    it makes. ``kernel`` None: fully connected in space, from maps of 1x1."""

    channels: int
    frames: int
    frame_stride: int
    kernel: int | None
    size: tuple[int, int]


@dataclass(frozen=True)
class VideoGeneratorSpec:
    """What a generator of videos is made of.

    ``latent_dim`` is d of X; ``latent_size`` (length, height, width) of its sequence; ``deconvs`` from the latents
    down, the last making the video; ``slope`` of the leaky ReLU (0: ReLU); ``batch_norm`` after every layer but the
    last (a shift and no scale, eps 1e-3); weights start from N(0, ``init_std``²), biases from 0; ``trim`` frames are
    left out at each end. With ``repeat_pixels`` a local layer repeats each pixel ``stride`` times along both sides and
    then convolves: up-sampling leaves no grid. With ``around_mean_frame`` videos are made around a frame that does not
    learn: grey, until `VideoGenerator.set_mean_frame` (a run sets that of its clip).

    Raises ``InputError`` for counts below 1, a slope outside [0, 1), an ``init_std`` that is not positive, sizes that a
    layer cannot make from the maps above it, a trim below 0 or that leaves nothing, and a mean frame for frames of
    any size.
    """

    latent_dim: int
    latent_size: tuple[int, int, int]
    deconvs: tuple[VideoDeconv, ...]
    slope: float
    batch_norm: bool
    init_std: float
    trim: int = 0
    repeat_pixels: bool = False
    around_mean_frame: bool = False

    def __post_init__(self) -> None:
        counts = {"latent_dim": self.latent_dim, "latent size": min(self.latent_size)}
        check_layers("video generator", self.deconvs, counts, self.slope, self.init_std)
        above = self.latent_size[1:]
        for deconv in self.deconvs:
            (height, width), (rows, columns) = deconv.size, above
            if deconv.kernel is None and above != (1, 1):
                raise InputError(
                    f"a layer that is fully connected in space has maps of {list(above)} above it; it needs 1x1: give "
                    "it a kernel, or start from latents of 1x1"
                )
            stride = height // rows
            if deconv.kernel is not None and (not stride or (stride * rows, stride * columns) != (height, width)):
                raise InputError(
                    f"no transposed convolution makes frames of {[height, width]} from {list(above)}: both sides need "
                    "the same whole stride"
                )
            above = deconv.size
        if self.trim < 0 or self.shape[1] < 1:
            raise InputError(
                f"a trim of {self.trim} frames at each end leaves {self.shape[1]} frames; it needs to be 0 or more and "
                "to leave some: trim less, or give more latents"
            )
        mean_frame.check_one_size(self.around_mean_frame, self.any_size)

    @property
    def any_size(self) -> bool:
        """Whether latents may be of any height and width: no layer is fully connected in space."""
        return all(deconv.kernel is not None for deconv in self.deconvs)

    @property
    def strides(self) -> list[int]:
        """The up-sampling factor of each layer in space (1 for those fully connected there)."""
        heights = [self.latent_size[1], *(deconv.size[0] for deconv in self.deconvs)]
        return [
            1 if deconv.kernel is None else after // before
            for deconv, before, after in zip(self.deconvs, heights, heights[1:], strict=False)
        ]

    @property
    def smeared(self) -> VideoGeneratorSpec:
        """The same network with the kernels that it computes with: with ``repeat_pixels`` those are larger."""
        larger = [
            replace(deconv, kernel=deconv.kernel + stride - 1) if self.repeat_pixels and deconv.kernel else deconv
            for deconv, stride in zip(self.deconvs, self.strides, strict=True)
        ]
        return replace(self, deconvs=tuple(larger), repeat_pixels=False)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of one video's latents: ``(d, length, height, width)``."""
        return (self.latent_dim, *self.latent_size)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(channels, frames, height, width) of the videos made."""
        last = self.deconvs[-1]
        return last.channels, self.frames(self.latent_size[0]), *last.size

    def frames(self, length: int) -> int:
        """How many frames a sequence of ``length`` latents makes, those that are left out not counted."""
        return self._lengths(length)[-1] - 2 * self.trim

    def heard(self, length: int) -> list[tuple[int, int]]:
        """The first frame, and the one after the last, of each map that a video of ``length`` latents hears: from the
        latents down to the video itself, which hears what ``trim`` leaves of it."""
        lengths = self._lengths(length)
        start, stop = self.trim, lengths[-1] - self.trim
        spans = [(start, stop)]
        for deconv, above in zip(reversed(self.deconvs), reversed(lengths[:-1]), strict=True):
            stride, frames = deconv.frame_stride, deconv.frames
            low = 0 if deconv.kernel is None else max(frames - stride, 0) // 2
            # frame t hears each i of t = stride · i + k − low, 0 <= k < frames, and is made in the row of t // stride
            first = min(start // stride, -((frames - 1 - low - start) // stride))
            last = (stop - 1 + low) // stride
            start, stop = max(first, 0), min(last + 1, above)
            spans.append((start, stop))
        return spans[::-1]

    def _lengths(self, length: int) -> list[int]:
        """How many frames each map has, from ``length`` latents down to the video before it is trimmed."""
        lengths = [length]
        for deconv in self.deconvs:
            lengths.append(deconv.frame_stride * (lengths[-1] + _more(deconv)))
        return lengths


def _more(deconv: VideoDeconv) -> int:
    """How many rows of frames a layer makes beyond those that it has above it: J − 1 where it is fully connected."""
    return 0 if deconv.kernel is not None else -(-deconv.frames // deconv.frame_stride) - 1


class VideoGenerator(nn.Module):
    """``g: [B, *spec.latent_shape] -> [B, C, T, H, W]`` in (-1, 1), weights drawn from ``rng``.

    Modes and ``precision`` are those of `tutelage.nets.generator.Generator`. A local layer's weight is
    ``[in, out, frames, h, w]``, a full one's ``[in, frames, H, W, out]``.
    """

    mean_frame: Tensor

    def __init__(self, spec: VideoGeneratorSpec, rng: torch.Generator, precision: Precision = "float32") -> None:
        super().__init__()
        self.spec = spec
        self.dtype_of_convs = compute_dtype(precision)
        self.weights = nn.ParameterList()
        self.shifts = nn.ParameterList()
        self.norms = nn.ModuleList()
        channels = spec.latent_dim
        for i, deconv in enumerate(spec.deconvs, start=1):
            if deconv.kernel is None:
                shape = (channels, deconv.frames, *deconv.size, deconv.channels)
            else:
                shape = (channels, deconv.channels, deconv.frames, deconv.kernel, deconv.kernel)
            weight = torch.randn(shape, generator=rng, device=rng.device)
            self.weights.append(nn.Parameter(spec.init_std * weight))
            self.shifts.append(nn.Parameter(torch.zeros(deconv.channels, device=rng.device)))
            if spec.batch_norm and i < len(spec.deconvs):
                self.norms.append(nn.BatchNorm3d(deconv.channels, eps=1e-3, affine=False, device=rng.device))
            channels = deconv.channels
        if spec.around_mean_frame:
            mean_frame.make_room(self, spec.shape, rng.device)

    def set_mean_frame(self, frame: Tensor) -> None:
        """Make videos around ``frame`` ``[C, H, W]`` in [-1, 1] from now on: tanh(x + atanh(.99 frame)).

        Raises ``InputError`` as `tutelage.nets.mean_frame.put` does.
        """
        mean_frame.put(self, frame)

    def forward(self, latents: Latents) -> Images:
        """The video of each sequence of latents, of any length (and, without a layer that is fully connected in space,
        any height and width). Raises ``InputError`` for latents of another shape."""
        self._check(latents)
        with computing_in(self.dtype_of_convs, latents.device):
            heard = self.spec.heard(latents.shape[2])  # what is left out below is not made above
            x = latents[:, :, slice(*heard[0])]
            for i, (deconv, stride, weight) in enumerate(
                zip(self.spec.deconvs, self.spec.strides, self.kernels(), strict=True)
            ):
                made_from = deconv.frame_stride * heard[i][0]
                if deconv.kernel is None:
                    x = full_deconv(x.transpose(1, 2), weight, deconv.frame_stride).transpose(1, 2)
                else:
                    strides = (deconv.frame_stride, stride, stride)
                    size = tuple(n * s for n, s in zip(x.shape[2:], strides, strict=True))
                    x = same_conv_transpose(x, weight, None, strides, size)
                x = x[:, :, heard[i + 1][0] - made_from : heard[i + 1][1] - made_from]
                if i + 1 < len(self.weights):
                    x = self._settle(x, i)
            x = x.to(latents.dtype) + self.shifts[-1].view(-1, 1, 1, 1)
        return torch.tanh(x + torch.atanh(_INSIDE * self.mean_frame) if self.spec.around_mean_frame else x)

    def kernels(self) -> list[Tensor]:
        """What each layer is the transpose of: its weights, or with ``repeat_pixels`` those of local layers smeared."""
        local = [self.spec.repeat_pixels and deconv.kernel is not None for deconv in self.spec.deconvs]
        return [
            smeared_in_space(weight, stride) if smear else weight
            for weight, stride, smear in zip(self.weights, self.spec.strides, local, strict=True)
        ]

    def _settle(self, x: Tensor, i: int) -> Tensor:
        """Batch norm where there is any, the shift, and the activation of layer ``i``."""
        if not self.spec.batch_norm:
            return activation(x + self.shifts[i].view(-1, 1, 1, 1).to(x.dtype), self.spec.slope)
        return activation(shifted_norm(x, self.norms[i], None, self.shifts[i], self.training), self.spec.slope)

    def _check(self, latents: Latents) -> None:
        dim, (_, height, width) = self.spec.latent_dim, self.spec.latent_size
        any_size = self.spec.any_size
        fits = latents.ndim == 5 and latents.shape[1] == dim
        if not fits or not (any_size or tuple(latents.shape[3:]) == (height, width)):
            wanted = ", ".join(map(str, self.spec.latent_shape))
            free = "length, height and width" if any_size else "length"
            raise InputError(
                f"this generator takes latents of shape [B, {wanted}] (any {free}), not {list(latents.shape)}; draw "
                "them from N(0, 1) in that shape"
            )
        if self.spec.frames(latents.shape[2]) < 1:
            raise InputError(
                f"{latents.shape[2]} latents make no frame that hears as many of them as all others; give as many as "
                "`tutelage.apps.dynamics.latents_for` says"
            )

    def snapshot(self) -> VideoGenerator:
        """A frozen copy in evaluation mode, its weights cast to the precision of the layers once and for all."""
        frozen = frozen_copy(self)
        frozen.spec = self.spec.smeared
        dtype = frozen_dtype(self.dtype_of_convs, self.weights[0])
        for weight, kernel in zip(frozen.weights, self.kernels(), strict=True):
            weight.data = kernel.detach().to(dtype, copy=True)
        return frozen
