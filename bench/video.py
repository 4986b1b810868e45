"""Learning from one clip at full size: seconds of an iteration, and its layers against textbook 3-D convolutions.

    python bench/video.py [--repeats 2] [--device cpu] [--quick]

An iteration is one of ``video/dynamic-texture`` (128x128x64, two chains; ``--quick``: of ``video/quick``), with all its
Langevin steps. A Langevin step's gradient of the descriptor is then compared with that of the same network as anyone
would write it, by ``conv3d`` in float32 with parameters frozen: all of it, and the spatially full layer alone, which
here is one matrix product. One JSON line per case; ``ratio`` is the median of the pairwise ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tutelage.gradient import ByAutograd, prepared
from tutelage.nets import VideoDescriptor, VideoDescriptorSpec
from tutelage.nets.blocks import Precision, same_padding
from tutelage.recipes import Recipe, by_name
from tutelage.rng import stream
from tutelage.run.estimate import estimated_seconds
from tutelage.tf32 import no_tf32

CHAINS = 2


def textbook(spec: VideoDescriptorSpec, like: VideoDescriptor) -> Callable[[Tensor], Tensor]:
    """The potential by `conv3d`, with the same weights."""
    weights = [
        (weight.movedim(-1, 1) if conv.kernel is None else weight).detach().clone(memory_format=torch.contiguous_format)
        for conv, weight in zip(spec.convs, like.weights, strict=True)
    ]
    biases = [bias.detach() for bias in like.biases]

    def potential(x: Tensor) -> Tensor:
        x = x - like.mean_frame if spec.around_mean_frame else x
        for i, (conv, weight, bias) in enumerate(zip(spec.convs, weights, biases, strict=True)):
            x = F.leaky_relu(x, spec.slope) if i else x
            if conv.kernel is None:
                x = F.conv3d(x, weight, bias, (conv.frame_stride, 1, 1), padding=(conv.frames // 2, 0, 0))
            else:
                step, pool = (1, conv.stride) if spec.average_pixels else (conv.stride, 1)
                strides = (conv.frame_stride, step, step)
                pads = [same_padding(n, k, s) for n, k, s in zip(x.shape[2:], weight.shape[2:], strides, strict=True)]
                x = F.conv3d(F.pad(x, [p for pair in reversed(pads) for p in pair]), weight, bias, strides)
                x = F.avg_pool3d(x, (1, pool, pool)) if pool > 1 else x
        return x.sum((1, 2, 3, 4))

    return potential


def seconds(function: Callable[[], object], device: torch.device) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def measure(name: str, spec: VideoDescriptorSpec, precision: Precision, device: torch.device, repeats: int) -> dict:
    """Gradients of the descriptor ``spec``, as here and as in a textbook."""
    network = VideoDescriptor(spec, stream(0, "weights"), precision).to(device)
    ours, theirs = prepared(network), ByAutograd(textbook(spec, network))
    videos = (2 * torch.rand(CHAINS, *spec.shape, generator=stream(0, "videos")) - 1).to(device)
    expected = theirs(videos).gradient
    off = ((ours(videos).gradient - expected).norm() / expected.norm()).item()
    if off > (5e-2 if precision == "bfloat16" else 1e-3):
        raise SystemExit(f"{name}, {precision}: the two gradients differ by {off:.1%}, so their times say nothing")
    # the gradients above were the warm-up
    pairs = [(seconds(lambda: theirs(videos), device), seconds(lambda: ours(videos), device)) for _ in range(repeats)]
    return {
        "case": name,
        "precision": precision,
        "textbook_seconds": round(statistics.median(a for a, _ in pairs), 4),
        "tutelage_seconds": round(statistics.median(b for _, b in pairs), 4),
        "ratio": round(statistics.median(a / b for a, b in pairs), 2),
        **where(device),
    }


def full_layer(spec: VideoDescriptorSpec) -> VideoDescriptorSpec:
    """The first spatially full layer of ``spec`` alone, on maps of the size that it gets there."""
    number = next(i for i, conv in enumerate(spec.convs) if conv.kernel is None)
    frames = spec.shape[1]
    for conv in spec.convs[:number]:
        frames = -(-frames // conv.frame_stride)
    shape = (spec.convs[number - 1].channels, frames, *spec.map_sizes[number])
    return VideoDescriptorSpec(shape, (spec.convs[number],), spec.slope, spec.init_std)


def where(device: torch.device) -> dict[str, object]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return {"threads": torch.get_num_threads(), "device": name, "torch": torch.__version__}


def iteration(recipe: Recipe, device: torch.device) -> dict:
    """Seconds of one learning iteration, the faster of two after a warm-up."""
    return {"case": recipe.name, "iteration_seconds": round(estimated_seconds(recipe, device), 2), **where(device)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--device", type=torch.device, default="cpu")
    parser.add_argument("--quick", action="store_true", help="the smaller model of video/quick")
    arguments = parser.parse_args()
    device, recipe = (
        torch.device(arguments.device),
        by_name(f"video/{'quick' if arguments.quick else 'dynamic-texture'}"),
    )
    no_tf32(device)
    spec = recipe.descriptor
    assert isinstance(spec, VideoDescriptorSpec)
    for name, measured in (("descriptor", spec), ("spatially full layer", full_layer(spec))):
        for precision in ("float32", "bfloat16"):
            print(json.dumps(measure(name, measured, precision, device, arguments.repeats)), flush=True)
    print(json.dumps(iteration(recipe, device)), flush=True)


if __name__ == "__main__":
    main()
