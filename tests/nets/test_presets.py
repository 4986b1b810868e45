"""The papers' networks have the number of parameters that their tables imply."""

from __future__ import annotations

import math

import pytest
import torch

from tutelage.nets import Descriptor, DescriptorSpec, Generator, GeneratorSpec
from tutelage.nets.presets import (
    CIFAR10_DESCRIPTOR,
    MNIST_DESCRIPTOR,
    MNIST_DESCRIPTOR_PAPER,
    MNIST_GENERATOR,
    MNIST_GENERATOR_PAPER,
)
from tutelage.rng import stream

# filters · (channels below · taps) + biases, layer by layer; then outputs · (channels · height · width) + biases
MNIST_D = (64 * 1 * 16 + 64) + (128 * 64 * 16 + 128) + (256 * 128 * 16 + 256) + (100 * 256 * 4 * 4 + 100)
CIFAR10_D = (64 * 3 * 25 + 64) + (128 * 64 * 9 + 128) + (256 * 128 * 9 + 256) + (100 * 256 * 8 * 8 + 100)
# latents · (channels · height · width) + shifts; then channels above · channels below · taps + shifts
MNIST_G = (100 * 512 * 4 * 4 + 512) + (512 * 256 * 16 + 256) + (256 * 128 * 16 + 128) + (128 * 1 * 16 + 1)


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("spec", "count", "top"),
    [
        (MNIST_DESCRIPTOR, MNIST_D, (256, 4, 4)),
        (MNIST_DESCRIPTOR_PAPER, MNIST_D, (256, 4, 4)),
        (CIFAR10_DESCRIPTOR, CIFAR10_D, (256, 8, 8)),
    ],
)
def test_descriptors(spec: DescriptorSpec, count: int, top: tuple[int, int, int]) -> None:
    network = Descriptor(spec, stream(0))
    assert parameters(network) == count and spec.top_shape == top
    assert network(torch.zeros(2, *spec.shape)).shape == (2,)


@pytest.mark.parametrize("spec", [MNIST_GENERATOR, MNIST_GENERATOR_PAPER])
def test_generators(spec: GeneratorSpec) -> None:
    network = Generator(spec, stream(0))
    assert parameters(network) == MNIST_G and spec.shape == (1, 28, 28)
    assert network(torch.zeros(2, 100)).shape == (2, 1, 28, 28)


def test_the_counts_are_those_of_the_authors() -> None:
    assert (MNIST_D, MNIST_G) == (1_066_532, 3_443_585)


@pytest.mark.parametrize(
    ("code", "paper", "std"),
    [(MNIST_DESCRIPTOR, MNIST_DESCRIPTOR_PAPER, 0.01), (MNIST_GENERATOR, MNIST_GENERATOR_PAPER, 0.005)],
    ids=["descriptor", "generator"],
)
def test_code_and_paper_differ_in_slope_and_initial_weights(code, paper, std: float) -> None:
    assert (code.slope, code.init_std) == (0.2, std)
    assert (paper.slope, paper.init_std) == (0.0, 0.001)


@pytest.mark.parametrize("spec", [MNIST_DESCRIPTOR, MNIST_GENERATOR], ids=["descriptor", "generator"])
def test_weights_start_with_the_stated_spread_and_biases_from_zero(spec) -> None:
    make = Descriptor if isinstance(spec, DescriptorSpec) else Generator
    for parameter in make(spec, stream(0)).parameters():
        if parameter.ndim == 1:
            assert parameter.eq(0).all()
        else:
            n = parameter.numel()
            assert abs(parameter.mean().item()) < 5 * spec.init_std / math.sqrt(n)
            assert abs(parameter.std().item() / spec.init_std - 1) < 5 / math.sqrt(2 * n)
