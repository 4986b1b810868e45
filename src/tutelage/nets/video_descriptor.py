r"""Descriptors of videos: ``f: [B, C, T, H, W] -> [B]``, a convolution in time (CoopNets §4.7).

"Dynamic textures may have structured background that is not stationary in the spatial domain": one layer is fully
connected in space and a convolution in time. ``f`` is the sum of the responses of the last layer, which is linear (the
authors' code), over filters and positions, for videos of any number of frames. A descriptor without such a layer is a
convolution in space too, for textures that are stationary there, and takes frames of any size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..checks import InputError
from ..gradient import ByAutograd
from ..types import Images, Prepared, Scores
from . import mean_frame
from .blocks import (
    Precision,
    activation,
    check_layers,
    compute_dtype,
    computing_in,
    frozen_dtype,
    same_conv,
    smeared_in_space,
    space_to_depth_conv,
    space_to_depth_weight,
)
from .temporal import beside, full_conv, rows_of_weight


@dataclass(frozen=True)
class VideoConv:
    """One layer: output channels, kernel size and stride in time, kernel size and stride in space.

    ``kernel`` None: fully connected in space, ⌊frames/2⌋ frames of padding at both ends, and a stride of 1.
    """

    channels: int
    frames: int
    frame_stride: int
    kernel: int | None
    stride: int = 1


@dataclass(frozen=True)
class VideoDescriptorSpec:
    """What a descriptor of videos is made of.

    ``shape`` is (channels, frames, height, width); ``convs`` from the video up, ``slope`` of the leaky ReLU (0: ReLU)
    between them; weights start from N(0, ``init_std``²), biases from 0. With ``average_pixels`` a local layer convolves
    with stride 1 in space and averages squares of ``stride`` pixels (of sides that it divides), instead of skipping
    pixels: its gradient has no grid of the stride. With ``around_mean_frame`` the descriptor
    sees how far a video is from a frame that does not learn: grey, until `VideoDescriptor.set_mean_frame` (a run sets
    that of its clip).

    Raises ``InputError`` for counts below 1, a slope outside [0, 1), an ``init_std`` that is not positive, a stride
    in space of a layer that is fully connected there, and a mean frame for frames of any size.
    """

    shape: tuple[int, int, int, int]
    convs: tuple[VideoConv, ...]
    slope: float
    init_std: float
    average_pixels: bool = False
    around_mean_frame: bool = False

    def __post_init__(self) -> None:
        check_layers("video descriptor", self.convs, {"video size": min(self.shape)}, self.slope, self.init_std)
        for conv in self.convs:
            if conv.kernel is None and conv.stride != 1:
                raise InputError(
                    f"a layer that is fully connected in space has a stride of {conv.stride} there; it needs to be 1: "
                    "leave it out, or give the layer a kernel"
                )
        mean_frame.check_one_size(self.around_mean_frame, self.any_size)

    @property
    def any_size(self) -> bool:
        """Whether frames may be of any height and width: no layer is fully connected in space."""
        return all(conv.kernel is not None for conv in self.convs)

    @property
    def applied(self) -> tuple[VideoConv, ...]:
        """The layers as they are computed: with ``average_pixels`` kernels are larger by the stride less 1."""
        return tuple(
            replace(conv, kernel=conv.kernel + conv.stride - 1) if self.average_pixels and conv.kernel else conv
            for conv in self.convs
        )

    @property
    def reach(self) -> int:
        """How many frames before and after it the gradient of f at a frame depends on, at most: Σ (frames − 1) · the
        strides in time below. Nearer than that to the ends, it depends on where the video ends."""
        reach, step = 0, 1
        for conv in self.convs:
            reach, step = reach + (conv.frames - 1) * step, step * conv.frame_stride
        return reach

    @property
    def map_sizes(self) -> list[tuple[int, int]]:
        """(height, width) of the maps that each layer takes, from the frames up."""
        sizes = [self.shape[2:]]
        for conv in self.convs:
            height, width = sizes[-1]
            sizes.append((1, 1) if conv.kernel is None else (-(-height // conv.stride), -(-width // conv.stride)))
        return sizes[:-1]


class VideoDescriptor(nn.Module):
    """``f: [B, C, T, H, W] -> [B]`` for the given Spec and any T, its weights drawn from ``rng``.

    ``precision`` is that of the layers' arithmetic, as in `tutelage.nets.descriptor.Descriptor`. A local layer's weight
    is ``[out, in, frames, h, w]``, a full one's ``[out, frames, H, W, in]``, as its product reads it.
    """

    mean_frame: Tensor

    def __init__(self, spec: VideoDescriptorSpec, rng: torch.Generator, precision: Precision = "float32") -> None:
        super().__init__()
        self.spec = spec
        self.dtype_of_convs = compute_dtype(precision)
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        channels = spec.shape[0]
        for conv, size in zip(spec.convs, spec.map_sizes, strict=True):
            if conv.kernel is None:
                shape = (conv.channels, conv.frames, *size, channels)
            else:
                shape = (conv.channels, channels, conv.frames, conv.kernel, conv.kernel)
            weight = torch.randn(shape, generator=rng, device=rng.device)
            self.weights.append(nn.Parameter(spec.init_std * weight))
            self.biases.append(nn.Parameter(torch.zeros(conv.channels, device=rng.device)))
            channels = conv.channels
        if spec.around_mean_frame:
            mean_frame.make_room(self, spec.shape, rng.device)

    def forward(self, videos: Images) -> Scores:
        """The potential of each video, ``[B]``. Raises ``InputError`` for videos of another shape."""
        self._check(videos)
        with computing_in(self.dtype_of_convs, videos.device):
            x = (videos - self.mean_frame if self.spec.around_mean_frame else videos).transpose(1, 2)
            for i, (conv, weight, bias) in enumerate(zip(self.spec.convs, self.kernels(), self.biases, strict=True)):
                x = x if i == 0 else activation(x, self.spec.slope)
                if conv.kernel is None:
                    x = full_conv(x, rows_of_weight(weight, conv.frame_stride), bias, conv.frame_stride, conv.frames)
                else:
                    frames = beside(x, conv.frames, conv.frame_stride)
                    made = same_conv(frames, weight.flatten(1, 2), bias, conv.stride)
                    x = made.unflatten(0, (len(videos), -1))
        return x.flatten(1).sum(1, dtype=videos.dtype)

    def kernels(self) -> list[Tensor]:
        """What each of ``spec.applied`` convolves with: its weights, or with ``average_pixels`` those smeared."""
        averaged = [self.spec.average_pixels and conv.kernel is not None for conv in self.spec.convs]
        return [
            smeared_in_space(weight, conv.stride) / conv.stride**2 if smear else weight
            for conv, weight, smear in zip(self.spec.convs, self.weights, averaged, strict=True)
        ]

    def set_mean_frame(self, frame: Tensor) -> None:
        """See videos less ``frame``, ``[C, H, W]`` in [-1, 1], from now on.

        Raises ``InputError`` as `tutelage.nets.mean_frame.put` does.
        """
        mean_frame.put(self, frame)

    def prepare(self) -> Prepared:
        """A frozen snapshot: weights cast and laid out once, the last layer's filters summed to one, the first
        layer's stride turned into channels. Answers with the same values and gradients as ``forward``, up to
        rounding."""
        dtype = frozen_dtype(self.dtype_of_convs, self.weights[0])
        last = len(self.weights) - 1
        layers: list[tuple[VideoConv, Tensor, Tensor]] = []
        for i, (conv, live, live_bias) in enumerate(zip(self.spec.applied, self.kernels(), self.biases, strict=True)):
            weight, bias = live.detach(), live_bias.detach()
            if i == last:
                weight, bias = weight.sum(0, keepdim=True), bias.sum(0, keepdim=True)
            if conv.kernel is None:
                weight = rows_of_weight(weight, conv.frame_stride).to(dtype, copy=True)
            else:
                weight = weight.flatten(1, 2)
                weight = space_to_depth_weight(weight, conv.stride) if i == 0 else weight
                weight = weight.to(dtype, memory_format=torch.channels_last, copy=True)
            layers.append((conv, weight, bias.to(dtype, copy=True)))
        slope = self.spec.slope
        around = self.mean_frame.clone() if self.spec.around_mean_frame else None

        def potential(videos: Tensor) -> Scores:
            self._check(videos)
            x = (videos if around is None else videos - around).to(dtype).transpose(1, 2)
            for i, (conv, weight, bias) in enumerate(layers):
                x = x if i == 0 else activation(x, slope)
                if conv.kernel is None:
                    x = full_conv(x, weight, bias, conv.frame_stride, conv.frames)
                    continue
                frames = beside(x, conv.frames, conv.frame_stride)
                if i == 0:
                    made = space_to_depth_conv(frames, weight, bias, conv.stride, conv.kernel)
                else:
                    made = same_conv(frames, weight, bias, conv.stride)
                x = made.unflatten(0, (len(videos), -1))
            return x.flatten(1).sum(1, dtype=videos.dtype)

        return ByAutograd(potential)

    def _check(self, videos: Images) -> None:
        channels, _, height, width = self.spec.shape
        fits = videos.ndim == 5 and videos.shape[1] == channels
        if not fits or not (self.spec.any_size or tuple(videos.shape[3:]) == (height, width)):
            raise InputError(
                f"this descriptor takes videos of {self.spec.shape} (channels, frames, height, width; any number of "
                f"frames), not {tuple(videos.shape[1:])}: resize the frames, or build a descriptor of their shape"
            )
