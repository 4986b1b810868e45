"""The library's Langevin chain against the textbook loop, interleaved in one process.

    python bench/sampling.py [--repeats 5] [--device cpu]

Textbook: every parameter requires a gradient, ``energy.sum().backward()``, float32, default layout. Ours:
``sample.run`` on the prepared energy, with float32 and with bfloat16 convolutions. Both start from the same
images and use the same weights. One JSON line per case; ``ratio`` is the median of the pairwise ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch
from torch import Tensor, nn

from tutelage.energy import Gaussian, Tilt
from tutelage.nets import Descriptor, DescriptorSpec
from tutelage.nets.blocks import same_padding
from tutelage.nets.presets import CIFAR10_DESCRIPTOR, MNIST_DESCRIPTOR
from tutelage.rng import stream
from tutelage.sample import Langevin, run
from tutelage.tf32 import no_tf32

STEPS, STEP_SIZE, REFERENCE_STD = 10, 0.002, 0.016
CASES = (("MNIST", MNIST_DESCRIPTOR, 300), ("CIFAR-10", CIFAR10_DESCRIPTOR, 400))


def textbook_network(spec: DescriptorSpec, like: Descriptor) -> nn.Sequential:
    """The same network as anyone would write it, with the same weights."""
    layers: list[nn.Module] = []
    size = spec.shape[1]
    for conv, weight, bias in zip(spec.convs, like.weights, like.biases, strict=True):
        low, high = same_padding(size, conv.kernel, conv.stride)
        layer = nn.Conv2d(weight.shape[1], conv.channels, conv.kernel, conv.stride)
        layer.weight = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
        layer.bias = nn.Parameter(bias.detach().clone())
        layers += [nn.ZeroPad2d((low, high, low, high)), layer, nn.LeakyReLU(spec.slope)]
        size = -(-size // conv.stride)
    top = nn.Linear(like.top.shape[1], spec.outputs)
    top.weight, top.bias = nn.Parameter(like.top.detach().clone()), nn.Parameter(like.top_bias.detach().clone())
    return nn.Sequential(*layers, nn.Flatten(), top)


def textbook_chain(network: nn.Module, images: Tensor) -> Tensor:
    """Eq. (7) as in a tutorial."""
    x = images.clone()
    for _ in range(STEPS):
        x = x.detach().requires_grad_(True)
        energy = x.flatten(1).square().sum(1) / (2 * REFERENCE_STD**2) - network(x).sum(1)
        energy.sum().backward()
        assert x.grad is not None
        x = x - STEP_SIZE**2 / 2 * x.grad + STEP_SIZE * torch.randn_like(x)
    return x.detach()


def seconds(function, device: torch.device) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def measure(name: str, spec: DescriptorSpec, chains: int, precision, device: torch.device, repeats: int) -> dict:
    """One line of the table."""
    ours = Descriptor(spec, stream(0, "weights"), precision).to(device)
    theirs = textbook_network(spec, ours).to(device)
    images = (2 * torch.rand(chains, *spec.shape, generator=stream(0, "images")) - 1).to(device)
    kernel, rng = Langevin(STEP_SIZE), stream(0, "noise", device=device)
    energy = Tilt(Gaussian(REFERENCE_STD), ours)

    expected = theirs(images).sum(1)
    off = ((ours(images) - expected).norm() / expected.norm()).item()
    if off > (2e-2 if precision == "bfloat16" else 1e-4):
        raise SystemExit(f"{name}, {precision}: the two networks differ by {off:.1%}, so their times say nothing")

    pairs = []
    for repeat in range(repeats + 1):
        pair = (
            seconds(lambda: textbook_chain(theirs, images), device),
            seconds(lambda: run(kernel, energy, images, STEPS, rng), device),
        )
        if repeat:  # the first is a warm-up
            pairs.append(pair)
    return {
        "case": name,
        "chains": chains,
        "steps": STEPS,
        "precision": precision,
        "textbook_seconds": round(statistics.median(a for a, _ in pairs), 4),
        "tutelage_seconds": round(statistics.median(b for _, b in pairs), 4),
        "ratio": round(statistics.median(a / b for a, b in pairs), 2),
        "repeats": repeats,
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", type=torch.device, default="cpu")
    arguments = parser.parse_args()
    no_tf32(arguments.device)
    for name, spec, chains in CASES:
        for precision in ("float32", "bfloat16"):
            line = measure(name, spec, chains, precision, torch.device(arguments.device), arguments.repeats)
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
