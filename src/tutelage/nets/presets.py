"""The papers' networks, as Specs. "Paper" is what is printed; "code" is what the authors ran."""

from __future__ import annotations

from dataclasses import replace

from .classifier import ClassifierSpec
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

# CoopNets §4.4: 4x4 kernels, up-sampling 1, 2, 2, 2, channels 512, 256, 128 and (printed: 3) 1; 100 latents
MNIST_GENERATOR = GeneratorSpec(
    latent_dim=100,
    base=(512, 4, 4),
    deconvs=(Deconv(256, 4, (7, 7)), Deconv(128, 4, (14, 14)), Deconv(1, 4, (28, 28))),
    slope=0.2,
    batch_norm=True,
    init_std=0.005,
)

# Ours, for a quarter of an hour: half the filters, averages and repeated pixels, one output, and one more layer of
# 28x28 (as QUICK_SMALL_OBJECT below)
QUICK_MNIST_DESCRIPTOR = replace(
    MNIST_DESCRIPTOR, convs=(Conv(32, 3, 2), Conv(64, 3, 2), Conv(128, 3, 2)), outputs=1, average_pixels=True
)
QUICK_MNIST_GENERATOR = replace(
    MNIST_GENERATOR,
    base=(256, 4, 4),
    deconvs=(Deconv(128, 3, (7, 7)), Deconv(64, 3, (14, 14)), Deconv(32, 3, (28, 28)), Deconv(1, 3, (28, 28))),
    repeat_pixels=True,
)

# --- §4.1: textures. No fully connected layer on either side, so that size is free

# CoopNets §4.1: 100 filters of 15x15, sub-sampling 3, then 70 of 9x9, 30 of 7x7; code: f is the sum of all 30·75·75
TEXTURE_DESCRIPTOR = DescriptorSpec(
    shape=(3, 224, 224),
    convs=(Conv(100, 15, 3), Conv(70, 9, 1), Conv(30, 7, 1)),
    outputs=None,
    slope=0.0,
    init_std=0.01,
)
# CoopNets §4.1: 7x7 latents, five layers of 5x5 kernels, up-sampling 2; code: one channel of latents, 512 to 64 above 3
TEXTURE_GENERATOR = GeneratorSpec(
    latent_dim=1,
    base=None,
    latent_size=(7, 7),
    deconvs=(
        Deconv(512, 5, (14, 14)),
        Deconv(256, 5, (28, 28)),
        Deconv(128, 5, (56, 56)),
        Deconv(64, 5, (112, 112)),
        Deconv(3, 5, (224, 224)),
    ),
    slope=0.2,
    batch_norm=True,
    init_std=0.005,
)

# --- §4.2 and §4.3: objects and scenes, 64x64

# CoopNets §4.2, unaligned objects, and §4.3: 64 of 5x5, 128 and 256 of 3x3, sub-sampling 2, 2, 1; 100 outputs
SCENE_DESCRIPTOR = DescriptorSpec(
    shape=(3, 64, 64),
    convs=(Conv(64, 5, 2), Conv(128, 3, 2), Conv(256, 3, 1)),
    outputs=100,
    slope=0.2,
    init_std=0.01,
)
# the generator of DCGAN, as the authors run it: 100 latents, 512 channels of 4x4, 5x5 kernels, up-sampling 2
SCENE_GENERATOR = GeneratorSpec(
    latent_dim=100,
    base=(512, 4, 4),
    deconvs=(Deconv(256, 5, (8, 8)), Deconv(128, 5, (16, 16)), Deconv(64, 5, (32, 32)), Deconv(3, 5, (64, 64))),
    slope=0.2,
    batch_norm=True,
    init_std=0.005,
)

# Ours, for hundreds of photographs in half an hour. Kernels of 4x4, whose strides leave no pixel out more than another;
# one output, so that the layer that knows positions does not learn a hundred times faster than the filters
QUICK_SCENE_DESCRIPTOR = replace(
    SCENE_DESCRIPTOR, convs=(Conv(64, 4, 2), Conv(128, 4, 2), Conv(256, 4, 2)), outputs=1, init_std=None
)
# repeated pixels instead of transposed convolutions, which can learn a grid; half the channels, one more layer at full
# size, and the first weights of DCGAN
QUICK_SCENE_GENERATOR = replace(
    SCENE_GENERATOR,
    base=(256, 4, 4),
    deconvs=(
        Deconv(128, 3, (8, 8)),
        Deconv(64, 3, (16, 16)),
        Deconv(32, 3, (32, 32)),
        Deconv(24, 3, (64, 64)),
        Deconv(3, 3, (64, 64)),
    ),
    repeat_pixels=True,
    init_std=0.02,
)
# for about ten images: averages instead of strides, smaller first weights and a tenth of the latents
QUICK_SMALL_OBJECT_DESCRIPTOR = replace(
    SCENE_DESCRIPTOR, convs=(Conv(64, 5, 2), Conv(128, 3, 2), Conv(256, 3, 2)), outputs=1, average_pixels=True
)
QUICK_SMALL_OBJECT_GENERATOR = replace(QUICK_SCENE_GENERATOR, latent_dim=10, init_std=SCENE_GENERATOR.init_std)
# four layers, so that what is at the top sees most of a face: 46 pixels of 64; half the channels of the three above
QUICK_FACES_DESCRIPTOR = replace(
    QUICK_SCENE_DESCRIPTOR, convs=(Conv(32, 4, 2), Conv(64, 4, 2), Conv(128, 4, 2), Conv(256, 4, 2))
)
# wider by half, but for the last hidden layer: faces are completed from its latents alone
QUICK_FACES_GENERATOR = replace(
    QUICK_SCENE_GENERATOR,
    base=(384, 4, 4),
    deconvs=(
        Deconv(192, 3, (8, 8)),
        Deconv(96, 3, (16, 16)),
        Deconv(48, 3, (32, 32)),
        Deconv(24, 3, (64, 64)),
        Deconv(3, 3, (64, 64)),
    ),
)

# §4.2, about ten aligned images. Code: 64 of 4x4, 128 of 2x2, 2 outputs, ReLU (printed: 100 of 4x4, 64 of 2x2, one)
SMALL_OBJECT_DESCRIPTOR = DescriptorSpec(
    shape=(3, 64, 64),
    convs=(Conv(64, 4, 2), Conv(128, 2, 1)),
    outputs=2,
    slope=0.0,
    init_std=0.01,
)
# code: two latents, so that all images made lie on one surface
SMALL_OBJECT_GENERATOR = replace(SCENE_GENERATOR, latent_dim=2)

# --- §4.5: benchmark sets

# CIFAR-10; sub-sampling 2, 2, 2 is printed, 2, 2, 1 is run
CIFAR10_DESCRIPTOR = replace(SCENE_DESCRIPTOR, shape=(3, 32, 32))
# channels 256, 128, 64, 3, kernels 4, 5, 5, 5, up-sampling 1, 2, 2, 2
CIFAR10_GENERATOR = GeneratorSpec(
    latent_dim=100,
    base=(256, 4, 4),
    deconvs=(Deconv(128, 5, (8, 8)), Deconv(64, 5, (16, 16)), Deconv(3, 5, (32, 32))),
    slope=0.2,
    batch_norm=True,
    init_std=0.005,
)
# ours, for half an hour: the descriptor of QUICK_SCENE; repeated pixels, and one more layer of 32x32
QUICK_CIFAR10_DESCRIPTOR = replace(QUICK_SCENE_DESCRIPTOR, shape=(3, 32, 32))
QUICK_CIFAR10_GENERATOR = replace(
    CIFAR10_GENERATOR,
    deconvs=(Deconv(128, 3, (8, 8)), Deconv(64, 3, (16, 16)), Deconv(32, 3, (32, 32)), Deconv(3, 3, (32, 32))),
    repeat_pixels=True,
    init_std=0.02,
)

# CelebA: 64 of 5x5, 128 and 256 of 3x3, sub-sampling 2, 2, 1; 100 outputs
CELEBA_DESCRIPTOR = replace(SCENE_DESCRIPTOR, shape=(3, 128, 128))
# channels 512, 256, 128, 64, 3, kernels 4, 5, 5, 5, 5, up-sampling 1, 2, 4, 2, 2
CELEBA_GENERATOR = replace(
    SCENE_GENERATOR,
    deconvs=(Deconv(256, 5, (8, 8)), Deconv(128, 5, (32, 32)), Deconv(64, 5, (64, 64)), Deconv(3, 5, (128, 128))),
)

# LSUN bedrooms: channels 64 to 512, kernels 5, 5, 5, 5, 3, sub-sampling 2 throughout; 10 outputs
LSUN_DESCRIPTOR = replace(
    SCENE_DESCRIPTOR,
    shape=(3, 256, 256),
    convs=(Conv(64, 5, 2), Conv(128, 5, 2), Conv(256, 5, 2), Conv(512, 5, 2), Conv(512, 3, 2)),
    outputs=10,
)
# channels 512, 256, 128, 64, 3, kernels 16, 5, 5, 5, 5, up-sampling 1, 2, 2, 2, 2: the first map is 16x16
LSUN_GENERATOR = replace(
    SCENE_GENERATOR,
    base=(512, 16, 16),
    deconvs=(Deconv(256, 5, (32, 32)), Deconv(128, 5, (64, 64)), Deconv(64, 5, (128, 128)), Deconv(3, 5, (256, 256))),
)

# --- §4.6: faces, 64x64, for completion

# 96, 128 and 256 of 5x5, sub-sampling 2; 50 outputs
FACES_DESCRIPTOR = replace(SCENE_DESCRIPTOR, convs=(Conv(96, 5, 2), Conv(128, 5, 2), Conv(256, 5, 2)), outputs=50)
# "the same as in" DCGAN; of half its channels, as the authors' code for scenes
FACES_GENERATOR = SCENE_GENERATOR

# --- IGM: classifiers

# IGM §4: the discriminator of DCGAN, 64x64 RGB patches, 64, 128, 256, 512 channels of 5x5, sub-sampling 2 (DCGAN's),
# batch norm after all but the first, leaky ReLU .2; printed: no initial weights, so DCGAN's std .02
IGM_CLASSIFIER_64 = ClassifierSpec(
    shape=(3, 64, 64),
    channels=(64, 128, 256, 512),
    kernel=5,
    stride=2,
    slope=0.2,
    batch_norm=True,
    init_std=0.02,
)
# IGM §4.4 and §4.5, SVHN: "no modifications made for a specific task"; its last three layers make 14 336 features
IGM_CLASSIFIER_32 = replace(IGM_CLASSIFIER_64, shape=(3, 32, 32))
# the same layers for MNIST's images, which IGM does not have; the last three make 12 416 features
IGM_CLASSIFIER_28 = replace(IGM_CLASSIFIER_64, shape=(1, 28, 28))
