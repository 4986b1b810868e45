"""The papers' networks, as Specs. "Paper" is what is printed; "code" is what the authors ran."""

from __future__ import annotations

from dataclasses import replace

from .descriptor import Conv, DescriptorSpec
from .generator import Deconv, GeneratorSpec

# CoopNets §4.4: 64, 128, 256 filters of 4x4, sub-sampling 2, then 100 outputs. Code: leaky ReLU .2, init .01
MNIST_DESCRIPTOR = DescriptorSpec(
    shape=(1, 28, 28),
    convs=(Conv(64, 4, 2), Conv(128, 4, 2), Conv(256, 4, 2)),
    outputs=100,
    slope=0.2,
    init_std=0.01,
)
# CoopNets §4: "initialized from a zero-centered Normal distribution with standard deviation 0.001", ReLU
MNIST_DESCRIPTOR_PAPER = replace(MNIST_DESCRIPTOR, slope=0.0, init_std=0.001)

# CoopNets §4.4: 4x4 kernels, up-sampling 1, 2, 2, 2, channels 512, 256, 128 and (printed: 3) 1; 100 latents
MNIST_GENERATOR = GeneratorSpec(
    latent_dim=100,
    base=(512, 4, 4),
    deconvs=(Deconv(256, 4, (7, 7)), Deconv(128, 4, (14, 14)), Deconv(1, 4, (28, 28))),
    slope=0.2,
    batch_norm=True,
    init_std=0.005,
)
MNIST_GENERATOR_PAPER = replace(MNIST_GENERATOR, slope=0.0, init_std=0.001)

# CoopNets §4.5, CIFAR-10; sub-sampling {2, 2, 2} is printed, {2, 2, 1} is run
CIFAR10_DESCRIPTOR = DescriptorSpec(
    shape=(3, 32, 32),
    convs=(Conv(64, 5, 2), Conv(128, 3, 2), Conv(256, 3, 1)),
    outputs=100,
    slope=0.2,
    init_std=0.01,
)
