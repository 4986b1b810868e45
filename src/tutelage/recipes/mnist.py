"""Handwritten digits (CoopNets §4.4): both networks together, and each alone."""

from __future__ import annotations

from dataclasses import replace

from ..data import DataSpec
from ..learn import algorithm_d, algorithm_g, coopnets
from ..learn.updates import Adam
from ..nets.presets import MNIST_DESCRIPTOR, MNIST_GENERATOR, QUICK_MNIST_DESCRIPTOR, QUICK_MNIST_GENERATOR
from .recipe import Recipe
from .sources import COMMON_DEVIATIONS

_DATA = DataSpec(kind="mnist", size=(28, 28), channels=1)

_COMMON_SOURCES = {
    "data": "§4.4; 50 000 to learn from and 10 000 to choose by (the paper learns from 55 000)",
    "precision": "ours: layers compute in bfloat16; weights, images and chains stay float32",
    "plan.batch_size": "authors' code: 100",
}
_DESCRIPTOR_SOURCES = {
    "descriptor": "§4.4: 64, 128, 256 filters of 4x4, sub-sampling 2, then 100 outputs, summed",
    "descriptor.slope": "authors' code: leaky ReLU .2 (§4: ReLU)",
    "descriptor.init_std": "authors' code: .01 (§4: .001)",
    "plan.chains": "ours: 100 (code: 144)",
    "plan.revision_steps": "§4.2, §4.5: 10 (code: 10 to 15)",
    "plan.step_size": "authors' code and §4.2, unaligned objects: .002",
    "plan.reference_std": "authors' code and §4.2: .016",
    "plan.noise_until": "§2.1: the noise stays on (§4.5 switches it off for CelebA alone)",
    "plan.metropolis": "§2.1: may be added; the authors' code does without",
    "plan.gradient_penalty": "none in the paper, or in the authors' code",
}
_GENERATOR_SOURCES = {
    "generator": "§4.4: 4x4 kernels, up-sampling 1, 2, 2, 2, channels 512, 256, 128; 100 latents",
    "generator.slope": "authors' code: leaky ReLU .2 (§4: ReLU)",
    "generator.init_std": "authors' code: .005 (§4: .001)",
    "generator.batch_norm": "§4; a shift but no scale, eps 1e-3: authors' code",
    "plan.noise_std": "§4.1: .3",
    "plan.latent_step_size": "the paper gives none; the authors' default elsewhere: .1 with σ = .3",
    "plan.reconstruction_updates": "authors' code: 1 (§3.1 allows several)",
    "plan.ema_decay": "ours: samples are drawn from an average of the generator's weights",
    "plan.calibration_draws": "ours: batch-norm statistics are fixed after learning (code: the batch's, at test too)",
}
_NETWORK_DEVIATIONS = (
    "Weights start from N(0, .01²) and N(0, .005²) instead of N(0, .001²), and ReLU is leaky: the authors' code.",
    "The generator makes one channel; §4.4 prints 3.",
    COMMON_DEVIATIONS[1],
    "Learns from 50 000 images, and 10 000 are left to choose by; the paper learns from 55 000.",
)

COOPNETS_MNIST = Recipe(
    name="coopnets/mnist",
    data=_DATA,
    descriptor=MNIST_DESCRIPTOR,
    generator=MNIST_GENERATOR,
    plan=coopnets.Plan(
        iterations=12_000,
        batch_size=100,
        chains=100,
        revision_steps=10,
        step_size=0.002,
        reference_std=0.016,
        noise_std=0.3,
        inference_steps=0,
        descriptor_update=Adam(lr=0.007, lr_final=0.00035),
        generator_update=Adam(lr=1e-3, lr_final=5e-5),
        ema_decay=0.995,
    ),
    checkpoint_every=250,
    keep_every=1500,
    picture_every=500,
    sources={
        **_COMMON_SOURCES,
        **_DESCRIPTOR_SOURCES,
        "plan.loss": "§2.1, eq. (8): maximum likelihood",
        **_GENERATOR_SOURCES,
        "plan.inference_steps": "§4: l_q = 0",
        "plan.add_noise": "authors' code: no ε on the drafts (§3.1 adds it)",
        "plan.iterations": "ours: 24 epochs, what two cores do in about an hour",
        "plan.descriptor_update": "authors' code: Adam .007, β1 .5; the cosine decay to 1/20 is ours",
        "plan.generator_update": "Adam, β1 .5: authors' code; .001 (code: .0001) and the decay to 1/20 are ours",
    },
    deviations=(
        *_NETWORK_DEVIATIONS,
        "Learning rates fall along a cosine, and the generator's starts ten times higher than in the authors' code.",
        "Samples are drawn from an average of the generator's weights.",
        "No noise ε is added to the drafts (authors' code; §3.1 adds it).",
    ),
)

QUICK_NETWORKS = {
    "descriptor": "ours: half the filters of §4.4, of 3x3",
    "descriptor.average_pixels": "ours: averages instead of strides, whose gradients have a grid",
    "descriptor.outputs": "ours: 1; all outputs learn alike, so their sum learns as many times faster (§4.4: 100)",
    "generator": "ours: half the channels of §4.4, and one more layer of 28x28",
    "generator.deconvs": "ours: kernels of 3x3 on repeated pixels (§4.4: transposed, 4x4)",
    "generator.repeat_pixels": "ours: transposed convolutions can learn a grid, and did",
}
"""Sources of the networks of all recipes of digits in a quarter of an hour."""
COOPNETS_MNIST_QUICK = replace(
    COOPNETS_MNIST,
    name="coopnets/mnist-quick",
    descriptor=QUICK_MNIST_DESCRIPTOR,
    generator=QUICK_MNIST_GENERATOR,
    plan=replace(
        COOPNETS_MNIST.plan,
        iterations=4_500,
        batch_size=50,
        chains=50,
        revision_steps=5,
        step_size=2.0,
        reference_std=None,
        noise_until=0,
        gradient_penalty=1.0,
        descriptor_update=Adam(lr=1e-3, lr_final=2e-4),
        generator_update=Adam(lr=1e-3, lr_final=1e-4),
    ),
    checkpoint_every=250,
    keep_every=None,
    picture_every=250,
    sources={
        **COOPNETS_MNIST.sources,
        **QUICK_NETWORKS,
        "plan.iterations": "ours: a quarter of an hour on two cores",
        "plan.batch_size": "ours: 50 (code: 100)",
        "plan.chains": "ours: 50 (code: 144)",
        "plan.revision_steps": "ours: 5",
        "plan.step_size": "ours: 2 without noise, as coopnets/scene-quick",
        "plan.reference_std": "ours: a uniform reference, as coopnets/scene-quick",
        "plan.noise_until": "§2.1: zero temperature; the noise of such large steps would be all that is seen",
        "plan.gradient_penalty": "ours: 1; without, steps overshoot after some 4 800 iterations, and f bursts",
        "plan.descriptor_update": "ours: Adam .001 falling to a fifth along half a cosine",
        "plan.generator_update": "ours: Adam .001 falling to a tenth (code: .0001)",
    },
    deviations=(
        "A quick variant for a quarter of an hour: smaller networks, 50 images and chains, 5 steps of revision, rates "
        "of its own.",
        "The reference is uniform and the temperature zero: revision is gradient ascent on f, held back by a penalty.",
        "Averages instead of strides, repeated pixels instead of transposed convolutions, 1 output instead of 100.",
        *COOPNETS_MNIST.deviations,
    ),
)

DESCRIPTOR_MNIST = Recipe(
    name="descriptor/mnist",
    data=_DATA,
    descriptor=MNIST_DESCRIPTOR,
    generator=None,
    plan=algorithm_d.Plan(
        iterations=7_500,
        batch_size=100,
        chains=100,
        revision_steps=10,
        step_size=0.002,
        reference_std=0.016,
        update=Adam(lr=0.007, lr_final=0.00035),
        start="data",
        persistent=True,
    ),
    checkpoint_every=250,
    keep_every=1500,
    sources={
        **_COMMON_SOURCES,
        **_DESCRIPTOR_SOURCES,
        "plan.persistent": "§2.1, §4.3: persistent contrastive divergence",
        "plan.pool": "§2.1, Algorithm 1: all chains move in every iteration",
        "plan.start": "§4.3: chains start from the observed examples and go on (persistent contrastive divergence)",
        "plan.update": "as coopnets/mnist",
        "plan.iterations": "ours: about half an hour on two cores",
    },
    deviations=(
        _NETWORK_DEVIATIONS[0],
        *_NETWORK_DEVIATIONS[2:],
        "The learning rate falls along a cosine.",
        "The paper reports no descriptor alone on digits; these are the settings of its cooperative run.",
    ),
)

GENERATOR_MNIST = Recipe(
    name="generator/mnist",
    data=_DATA,
    descriptor=None,
    generator=MNIST_GENERATOR,
    plan=algorithm_g.Plan(
        iterations=2_100,
        batch_size=100,
        inference_steps=10,
        latent_step_size=0.1,
        noise_std=0.3,
        update=Adam(lr=1e-3, lr_final=5e-5),
        ema_decay=0.995,
    ),
    checkpoint_every=250,
    keep_every=500,
    sources={
        **_COMMON_SOURCES,
        **_GENERATOR_SOURCES,
        "plan.inference_steps": "ours; the paper gives none for digits",
        "plan.update": "as coopnets/mnist",
        "plan.iterations": "ours: about half an hour on two cores",
    },
    deviations=(
        *_NETWORK_DEVIATIONS,
        "The learning rate falls along a cosine, and samples are drawn from an average of the generator's weights.",
        "The paper reports no generator alone on digits; these are the settings of its cooperative run.",
    ),
)

GENERATOR_MNIST_QUICK = replace(
    GENERATOR_MNIST,
    name="generator/mnist-quick",
    generator=QUICK_MNIST_GENERATOR,
    plan=replace(GENERATOR_MNIST.plan, iterations=4_500, batch_size=50),
    keep_every=None,
    sources={
        **GENERATOR_MNIST.sources,
        **{name: text for name, text in QUICK_NETWORKS.items() if name.startswith("generator")},
        "plan.iterations": "as coopnets/mnist-quick",
        "plan.batch_size": "as coopnets/mnist-quick: 50",
    },
    deviations=(
        *GENERATOR_MNIST.deviations,
        "A quick variant: half the channels, one more layer, repeated pixels.",
    ),
)
