"""What the papers' models are set beside, and that learns without an adversary: the rows VAE, "the method of [29]" and
persistent CD of CoopNets Table 1, and flow matching, which is younger than both papers.

Each has the generator of the cooperative recipe of the same data where it has one at all.
"""

from __future__ import annotations

from dataclasses import replace

from ..baselines import deep_directed, flow_matching, vae
from ..learn import algorithm_d, coopnets
from ..learn.updates import Adam
from ..nets import VelocitySpec
from ..nets.presets import (
    CIFAR10_DESCRIPTOR,
    MNIST_DESCRIPTOR,
    MNIST_GENERATOR,
    QUICK_CIFAR10_DESCRIPTOR,
    QUICK_MNIST_DESCRIPTOR,
    QUICK_SCENE_DESCRIPTOR,
    SCENE_DESCRIPTOR,
)
from .benchmarks import CIFAR10, CIFAR10_QUICK
from .mnist import COOPNETS_MNIST, COOPNETS_MNIST_QUICK, DESCRIPTOR_MNIST
from .objects import SCENE64, SCENE_QUICK
from .recipe import Recipe

_NO_SETTINGS = "CoopNets' authors print no settings of what they compare with."
_COMMON = ("data", "precision")
_GENERATOR = ("generator", "generator.slope", "generator.init_std", "generator.batch_norm")


def _sources_of(recipe: Recipe, *fields: str) -> dict[str, str]:
    return {field: recipe.sources[field] for field in fields}


def _as(ours: Recipe) -> dict[str, str]:
    """Sources of the work that a quick variant shares with the cooperative recipe."""
    return {
        "plan.iterations": f"as many as {ours.name}",
        "plan.batch_size": f"as {ours.name}: {ours.plan.batch_size}",
    }


_AVERAGED = ("plan.ema_decay", "plan.calibration_draws")
_VAE_SOURCES = {
    "encoder": "ours: the layers of the cooperative descriptor, with a mean and a log variance for each latent",
    "encoder.slope": "as the descriptor's",
    "encoder.init_std": "ours: N(0, 2/n), without which an encoder that has no batch norm shrinks what it sees",
    "plan.iterations": "as many as the cooperative recipe's",
    "plan.noise_std": "as the cooperative recipe's σ: .3",
    "plan.update": "Adam at its authors' default .001, as Kingma and Ba recommend for such models; the decay is ours",
}

VAE_MNIST = Recipe(
    name="vae/mnist",
    data=COOPNETS_MNIST.data,
    generator=COOPNETS_MNIST.generator,
    encoder=replace(MNIST_DESCRIPTOR, outputs=200, init_std=None),
    plan=vae.Plan(
        iterations=12_000,
        batch_size=100,
        noise_std=0.3,
        update=Adam(lr=1e-3, lr_final=5e-5, beta1=0.9),
        ema_decay=0.995,
    ),
    checkpoint_every=250,
    keep_every=1500,
    picture_every=500,
    sources={
        **_sources_of(COOPNETS_MNIST, *_COMMON, *_GENERATOR, *_AVERAGED, "plan.batch_size"),
        **_VAE_SOURCES,
    },
    deviations=(
        _NO_SETTINGS,
        "ReLU is leaky, in both networks; the generator makes one channel, where CoopNets §4.4 prints 3.",
        "Samples are the decoder's mean, by an average of its weights.",
    ),
)

_QUICK_GENERATOR = ("generator", "generator.deconvs", "generator.repeat_pixels", "generator.init_std")
VAE_MNIST_QUICK = replace(
    VAE_MNIST,
    name="vae/mnist-quick",
    generator=COOPNETS_MNIST_QUICK.generator,
    encoder=replace(QUICK_MNIST_DESCRIPTOR, outputs=200, init_std=None),
    plan=replace(VAE_MNIST.plan, iterations=4_500, batch_size=50),
    keep_every=None,
    sources={**VAE_MNIST.sources, **_sources_of(COOPNETS_MNIST_QUICK, *_QUICK_GENERATOR), **_as(COOPNETS_MNIST_QUICK)},
)

VAE_CIFAR10 = replace(
    VAE_MNIST,
    name="vae/cifar10",
    data=CIFAR10.data,
    generator=CIFAR10.generator,
    encoder=replace(CIFAR10_DESCRIPTOR, outputs=200, init_std=None),
    plan=replace(VAE_MNIST.plan, iterations=80_000, batch_size=300, ema_decay=0.999),
    checkpoint_every=500,
    keep_every=10_000,
    picture_every=1_000,
    sources={
        **_sources_of(CIFAR10, *_COMMON, *_GENERATOR, *_AVERAGED, "plan.batch_size"),
        **_VAE_SOURCES,
    },
    deviations=(
        _NO_SETTINGS,
        "ReLU is leaky, in both networks.",
        "Samples are the decoder's mean, by an average of its weights.",
    ),
)

VAE_CIFAR10_QUICK = replace(
    VAE_CIFAR10,
    name="vae/cifar10-quick",
    generator=CIFAR10_QUICK.generator,
    encoder=replace(QUICK_CIFAR10_DESCRIPTOR, outputs=200, init_std=None),
    plan=replace(VAE_CIFAR10.plan, iterations=4_500, batch_size=50, ema_decay=0.995),
    checkpoint_every=250,
    keep_every=None,
    picture_every=250,
    sources={
        **VAE_CIFAR10.sources,
        **_sources_of(CIFAR10_QUICK, *_QUICK_GENERATOR),
        **_as(CIFAR10_QUICK),
    },
)

VAE_SCENE64 = replace(
    VAE_CIFAR10,
    name="vae/scene64",
    data=SCENE64.data,
    generator=SCENE64.generator,
    encoder=replace(SCENE_DESCRIPTOR, outputs=200, init_std=None),
    plan=replace(VAE_MNIST.plan, iterations=20_000),
    keep_every=5_000,
    picture_every=500,
    sources={
        **_sources_of(SCENE64, *_COMMON, *_GENERATOR, *_AVERAGED, "plan.batch_size"),
        **_VAE_SOURCES,
    },
)

VAE_SCENE_QUICK = replace(
    VAE_SCENE64,
    name="vae/scene-quick",
    data=SCENE_QUICK.data,
    generator=SCENE_QUICK.generator,
    encoder=replace(QUICK_SCENE_DESCRIPTOR, outputs=200, init_std=None),
    plan=replace(VAE_SCENE64.plan, iterations=5_400, batch_size=32),
    keep_every=None,
    sources={
        **VAE_SCENE64.sources,
        **_sources_of(SCENE_QUICK, "data", *_QUICK_GENERATOR),
        **_as(SCENE_QUICK),
    },
)

_FLOW_SOURCES = {
    "velocity": "ours: a U-Net small enough that an iteration costs about what a cooperative one does",
    "plan.iterations": "as many as the cooperative recipe's",
    "plan.update": "ours: Adam .001 falling to 1/20 along a cosine",
    "plan.steps": "ours: 25 steps of Heun's rule, 50 evaluations of the field an image",
    "plan.solver": "ours: Heun's rule, of second order",
    "plan.ema_decay": "ours: samples are drawn from an average of the field's weights",
}

FLOW_MNIST = Recipe(
    name="flow-matching/mnist",
    data=COOPNETS_MNIST.data,
    velocity=VelocitySpec(shape=(1, 28, 28), channels=(32, 64, 128)),
    plan=flow_matching.Plan(
        iterations=12_000,
        batch_size=100,
        update=Adam(lr=1e-3, lr_final=5e-5, beta1=0.9),
        steps=25,
        solver="heun",
        ema_decay=0.995,
    ),
    checkpoint_every=250,
    keep_every=1500,
    picture_every=500,
    sources={**_sources_of(COOPNETS_MNIST, *_COMMON, "plan.batch_size"), **_FLOW_SOURCES},
    deviations=("Neither paper has flow matching: it is a present method of like cost, for orientation.",),
)

FLOW_MNIST_QUICK = replace(
    FLOW_MNIST,
    name="flow-matching/mnist-quick",
    velocity=VelocitySpec(shape=(1, 28, 28), channels=(16, 32, 64)),
    plan=replace(FLOW_MNIST.plan, iterations=4_500, batch_size=50),
    keep_every=None,
    sources={**FLOW_MNIST.sources, **_as(COOPNETS_MNIST_QUICK)},
)

FLOW_CIFAR10 = replace(
    FLOW_MNIST,
    name="flow-matching/cifar10",
    data=CIFAR10.data,
    velocity=VelocitySpec(shape=(3, 32, 32), channels=(64, 128, 256)),
    plan=replace(FLOW_MNIST.plan, iterations=80_000, batch_size=300, ema_decay=0.999),
    checkpoint_every=500,
    keep_every=10_000,
    picture_every=1_000,
    sources={**_sources_of(CIFAR10, *_COMMON, "plan.batch_size"), **_FLOW_SOURCES},
)

FLOW_CIFAR10_QUICK = replace(
    FLOW_CIFAR10,
    name="flow-matching/cifar10-quick",
    velocity=VelocitySpec(shape=(3, 32, 32), channels=(32, 64, 128)),
    plan=replace(FLOW_CIFAR10.plan, iterations=4_500, batch_size=50, ema_decay=0.995),
    checkpoint_every=250,
    keep_every=None,
    picture_every=250,
    sources={**FLOW_CIFAR10.sources, **_as(CIFAR10_QUICK)},
)

DEEP_DIRECTED_MNIST = Recipe(
    name="deep-directed/mnist",
    data=COOPNETS_MNIST.data,
    descriptor=MNIST_DESCRIPTOR,
    generator=replace(MNIST_GENERATOR, batch_norm_scale=True),
    plan=deep_directed.Plan(
        iterations=12_000,
        batch_size=100,
        energy_std=10.0,
        gradient_penalty=1.0,
        descriptor_update=Adam(lr=2e-4),
        generator_update=Adam(lr=2e-4),
        ema_decay=0.995,
    ),
    checkpoint_every=250,
    keep_every=1500,
    picture_every=500,
    sources={
        **_sources_of(COOPNETS_MNIST, *_COMMON, *_GENERATOR, *_AVERAGED, "plan.batch_size"),
        "descriptor": "the features and experts of coopnets/mnist's descriptor: its 100 outputs, one expert each",
        "generator.batch_norm_scale": "Kim and Bengio 2016: the entropy is a sum over batch-norm scales",
        "plan.iterations": "as many as coopnets/mnist",
        "plan.energy_std": "ours: 10; with 1 the black of a digit costs 700 nats, and grey images win",
        "plan.gradient_penalty": "ours: 1, as coopnets/mnist-quick",
        "plan.entropy_weight": "ours: 1 (not checked against Kim and Bengio 2016)",
        "plan.descriptor_update": "ours: Adam .0002, β1 .5, as DCGAN",
        "plan.generator_update": "ours: Adam .0002, β1 .5, as DCGAN",
    },
    deviations=(
        "The networks are CoopNets' and not Kim and Bengio's, so that the same work is compared.",
        "ReLU is leaky, in both networks; the generator makes one channel, where CoopNets §4.4 prints 3.",
        "The entropy counts each channel's scale once, not once a position.",
        "Samples are drawn from an average of the generator's weights.",
        "Untuned: looked at for 104 iterations alone, when its images were strokes of many kinds.",
    ),
)

PCD_MNIST = replace(
    DESCRIPTOR_MNIST,
    name="pcd/mnist",
    plan=replace(DESCRIPTOR_MNIST.plan, iterations=12_000),
    sources={**DESCRIPTOR_MNIST.sources, "plan.iterations": "as many as coopnets/mnist"},
)

_OF_DESCRIPTOR = (
    *("data", "precision", "descriptor", "descriptor.average_pixels", "descriptor.outputs", "descriptor.slope"),
    *("descriptor.init_std", "plan.revision_steps", "plan.step_size", "plan.reference_std", "plan.noise_until"),
    "plan.metropolis",
)
_QUICK = COOPNETS_MNIST_QUICK.plan
assert isinstance(_QUICK, coopnets.Plan)
PCD_MNIST_QUICK = replace(
    PCD_MNIST,
    name="pcd/mnist-quick",
    descriptor=QUICK_MNIST_DESCRIPTOR,
    plan=algorithm_d.Plan(
        iterations=_QUICK.iterations,
        batch_size=_QUICK.batch_size,
        chains=_QUICK.chains,
        pool=1_000,
        revision_steps=_QUICK.revision_steps,
        step_size=_QUICK.step_size,
        reference_std=_QUICK.reference_std,
        noise_until=_QUICK.noise_until,
        gradient_penalty=_QUICK.gradient_penalty,
        update=_QUICK.descriptor_update,
        start="noise",
        persistent=True,
    ),
    keep_every=None,
    sources={
        **_sources_of(COOPNETS_MNIST_QUICK, *_OF_DESCRIPTOR),
        **_as(COOPNETS_MNIST_QUICK),
        "plan.chains": "ours: 50, as coopnets/mnist-quick",
        "plan.gradient_penalty": "ours: 1, as coopnets/mnist-quick",
        "plan.pool": "ours: 1 000 chains, of which 50 move in an iteration: 50 chains are 50 samples",
        "plan.start": "ours: noise; without noise in its steps a chain may stay with the example it starts from (§4.3)",
        "plan.persistent": PCD_MNIST.sources["plan.persistent"],
        "plan.update": "as coopnets/mnist-quick's descriptor",
    },
    deviations=(
        "The descriptor, revision and rate are coopnets/mnist-quick's: chains of its own stand where that has drafts.",
        "Chains start from noise (§4.3: from the observed examples), and move in turns.",
        "The reference is uniform and the temperature zero: chains move by gradient ascent on f.",
        "Averages instead of strides and 1 output instead of 100; ReLU is leaky (the authors' code).",
    ),
)

LIKELIHOOD: tuple[Recipe, ...] = (
    VAE_MNIST,
    VAE_MNIST_QUICK,
    VAE_CIFAR10,
    VAE_CIFAR10_QUICK,
    VAE_SCENE64,
    VAE_SCENE_QUICK,
    FLOW_MNIST,
    FLOW_MNIST_QUICK,
    FLOW_CIFAR10,
    FLOW_CIFAR10_QUICK,
    DEEP_DIRECTED_MNIST,
    PCD_MNIST,
    PCD_MNIST_QUICK,
)
