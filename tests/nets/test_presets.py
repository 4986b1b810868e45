"""The papers' networks have the number of parameters that their tables imply."""

from __future__ import annotations

import math

import pytest
import torch

from tutelage.gradient import prepared
from tutelage.nets import Descriptor, DescriptorSpec, Generator, GeneratorSpec, presets
from tutelage.nets.presets import MNIST_DESCRIPTOR, MNIST_GENERATOR
from tutelage.rng import stream

# filters · (channels below · taps) + biases, layer by layer; then outputs · (channels · height · width) + biases
MNIST_D = (64 * 1 * 16 + 64) + (128 * 64 * 16 + 128) + (256 * 128 * 16 + 256) + (100 * 256 * 4 * 4 + 100)
QUICK_CONVS = (64 * 3 * 16 + 64) + (128 * 64 * 16 + 128) + (256 * 128 * 16 + 256)
SCENE_CONVS = (64 * 3 * 25 + 64) + (128 * 64 * 9 + 128) + (256 * 128 * 9 + 256)
DESCRIPTORS = {
    "MNIST_DESCRIPTOR": (MNIST_D, (256, 4, 4)),
    "QUICK_MNIST_DESCRIPTOR": ((32 * 9 + 32) + (64 * 32 * 9 + 64) + (128 * 64 * 9 + 128) + 128 * 16 + 1, (128, 4, 4)),
    "TEXTURE_DESCRIPTOR": ((100 * 3 * 225 + 100) + (70 * 100 * 81 + 70) + (30 * 70 * 49 + 30), (30, 75, 75)),
    "SCENE_DESCRIPTOR": (SCENE_CONVS + 100 * 256 * 16 * 16 + 100, (256, 16, 16)),
    "QUICK_SCENE_DESCRIPTOR": (QUICK_CONVS + 256 * 8 * 8 + 1, (256, 8, 8)),
    "QUICK_FACES_DESCRIPTOR": (
        (32 * 3 * 16 + 32) + (64 * 32 * 16 + 64) + (128 * 64 * 16 + 128) + (256 * 128 * 16 + 256) + 256 * 4 * 4 + 1,
        (256, 4, 4),
    ),
    "QUICK_SMALL_OBJECT_DESCRIPTOR": (SCENE_CONVS + 256 * 8 * 8 + 1, (256, 8, 8)),
    "SMALL_OBJECT_DESCRIPTOR": ((64 * 3 * 16 + 64) + (128 * 64 * 4 + 128) + 2 * 128 * 32 * 32 + 2, (128, 32, 32)),
    "CIFAR10_DESCRIPTOR": (SCENE_CONVS + 100 * 256 * 8 * 8 + 100, (256, 8, 8)),
    "QUICK_CIFAR10_DESCRIPTOR": (QUICK_CONVS + 256 * 4 * 4 + 1, (256, 4, 4)),
    "CELEBA_DESCRIPTOR": (SCENE_CONVS + 100 * 256 * 32 * 32 + 100, (256, 32, 32)),
    "LSUN_DESCRIPTOR": (
        (64 * 3 * 25 + 64)
        + (128 * 64 * 25 + 128)
        + (256 * 128 * 25 + 256)
        + (512 * 256 * 25 + 512)
        + (512 * 512 * 9 + 512)
        + (10 * 512 * 8 * 8 + 10),
        (512, 8, 8),
    ),
    "FACES_DESCRIPTOR": (
        (96 * 3 * 25 + 96) + (128 * 96 * 25 + 128) + (256 * 128 * 25 + 256) + (50 * 256 * 8 * 8 + 50),
        (256, 8, 8),
    ),
}
# latents · (channels · height · width) + shifts; then channels above · channels below · taps + shifts
MNIST_G = (100 * 512 * 4 * 4 + 512) + (512 * 256 * 16 + 256) + (256 * 128 * 16 + 128) + (128 * 1 * 16 + 1)
DCGAN_DECONVS = (512 * 256 * 25 + 256) + (256 * 128 * 25 + 128) + (128 * 64 * 25 + 64) + (64 * 3 * 25 + 3)
DCGAN = (100 * 512 * 4 * 4 + 512) + DCGAN_DECONVS
GENERATORS = {
    "MNIST_GENERATOR": (MNIST_G, (100,), (1, 28, 28)),
    "QUICK_MNIST_GENERATOR": (
        (100 * 256 * 16 + 256) + (256 * 128 * 9 + 128) + (128 * 64 * 9 + 64) + (64 * 32 * 9 + 32) + (32 * 9 + 1),
        (100,),
        (1, 28, 28),
    ),
    "TEXTURE_GENERATOR": ((1 * 512 * 25 + 512) + DCGAN_DECONVS, (1, 7, 7), (3, 224, 224)),
    "SCENE_GENERATOR": (DCGAN, (100,), (3, 64, 64)),
    "QUICK_SCENE_GENERATOR": (
        (100 * 256 * 4 * 4 + 256)
        + (256 * 128 * 9 + 128)
        + (128 * 64 * 9 + 64)
        + (64 * 32 * 9 + 32)
        + (32 * 24 * 9 + 24)
        + (24 * 3 * 9 + 3),
        (100,),
        (3, 64, 64),
    ),
    "QUICK_SMALL_OBJECT_GENERATOR": (
        (10 * 256 * 4 * 4 + 256)
        + (256 * 128 * 9 + 128)
        + (128 * 64 * 9 + 64)
        + (64 * 32 * 9 + 32)
        + (32 * 24 * 9 + 24)
        + (24 * 3 * 9 + 3),
        (10,),
        (3, 64, 64),
    ),
    "QUICK_FACES_GENERATOR": (
        (100 * 384 * 4 * 4 + 384)
        + (384 * 192 * 9 + 192)
        + (192 * 96 * 9 + 96)
        + (96 * 48 * 9 + 48)
        + (48 * 24 * 9 + 24)
        + (24 * 3 * 9 + 3),
        (100,),
        (3, 64, 64),
    ),
    "SMALL_OBJECT_GENERATOR": (2 * 512 * 4 * 4 + 512 + DCGAN_DECONVS, (2,), (3, 64, 64)),
    "CIFAR10_GENERATOR": (
        (100 * 256 * 4 * 4 + 256) + (256 * 128 * 25 + 128) + (128 * 64 * 25 + 64) + (64 * 3 * 25 + 3),
        (100,),
        (3, 32, 32),
    ),
    "QUICK_CIFAR10_GENERATOR": (
        (100 * 256 * 4 * 4 + 256) + (256 * 128 * 9 + 128) + (128 * 64 * 9 + 64) + (64 * 32 * 9 + 32) + (32 * 3 * 9 + 3),
        (100,),
        (3, 32, 32),
    ),
    "CELEBA_GENERATOR": (DCGAN, (100,), (3, 128, 128)),
    "LSUN_GENERATOR": ((100 * 512 * 16 * 16 + 512) + DCGAN_DECONVS, (100,), (3, 256, 256)),
    "FACES_GENERATOR": (DCGAN, (100,), (3, 64, 64)),
}


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_every_preset_is_in_the_tables() -> None:
    named = {name for name, value in vars(presets).items() if isinstance(value, DescriptorSpec | GeneratorSpec)}
    assert named == DESCRIPTORS.keys() | GENERATORS.keys()


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_descriptors(name: str) -> None:
    spec, (count, top) = getattr(presets, name), DESCRIPTORS[name]
    network = Descriptor(spec, stream(0))
    assert parameters(network) == count and spec.top_shape == top
    observed = torch.rand(2, *spec.shape, generator=stream(0, "images"))
    scores = network(observed)
    assert scores.shape == (2,)
    scores.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert prepared(network)(observed).gradient.shape == observed.shape


@pytest.mark.parametrize("name", GENERATORS)
def test_generators(name: str) -> None:
    spec, (count, latent_shape, shape) = getattr(presets, name), GENERATORS[name]
    network = Generator(spec, stream(0))
    assert parameters(network) == count
    assert (spec.latent_shape, spec.shape) == (latent_shape, shape)
    images = network(torch.randn(2, *latent_shape, generator=stream(0, "latents")))
    assert images.shape == (2, *shape)
    images.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_the_counts_are_those_of_the_authors() -> None:
    assert (MNIST_D, MNIST_G) == (1_066_532, 3_443_585)


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
