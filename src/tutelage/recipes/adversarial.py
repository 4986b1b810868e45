"""Adversarial baselines on the generators of our recipes: DCGAN, WGAN, WGAN-GP, EBGAN, InfoGAN."""

from __future__ import annotations

from dataclasses import replace

from ..baselines import adversarial
from ..learn.updates import Adam, RMSprop
from ..nets import ClassifierSpec, GeneratorSpec, presets
from .benchmarks import CIFAR10, CIFAR10_QUICK
from .mnist import COOPNETS_MNIST, COOPNETS_MNIST_QUICK
from .objects import FACES_QUICK, SCENE64, SCENE_QUICK
from .recipe import Recipe
from .texture import TEXTURE_QUICK

_INIT = 0.02  # DCGAN §4: all weights from N(0, .02²)
_GENERATOR = replace(presets.MNIST_GENERATOR, init_std=_INIT)

_COMMON = {
    "precision": "ours: layers compute in bfloat16; weights and images stay float32",
    "generator": "as coopnets/mnist",
    "generator.slope": "as coopnets/mnist: leaky ReLU .2 (DCGAN: ReLU)",
    "generator.init_std": "DCGAN §4: .02",
    "plan.generator_every": "DCGAN: the players take turns",
    "plan.generator_updates": "DCGAN: 1 (as IGM ran it: 2)",
    "plan.ema_decay": "as our recipe for these data: samples are drawn from an average of the generator's weights",
    "plan.calibration_draws": "ours: batch-norm statistics are fixed after learning",
}
_DEVIATIONS = (
    "The generator is that of our recipe for these data, so that the same network is compared.",
    "Latents are N(0, I), as for our models; DCGAN and InfoGAN draw noise from U(−1, 1).",
    "Samples are drawn from an average of the generator's weights, with fixed batch-norm statistics, as for ours.",
    "Each update of either player sees images of its own; DCGAN's code shares one batch of noise between both.",
)
_OF_QUICK_CRITICS = (*_DEVIATIONS[:3], "The critic is our descriptor's network, without batch norm.")
_FULL = "ours: float32, since the critic's loss is a small difference of large sums"

DCGAN_MNIST = Recipe(
    name="dcgan/mnist",
    data=COOPNETS_MNIST.data,
    generator=_GENERATOR,
    classifier=ClassifierSpec(shape=(1, 28, 28), channels=(64, 128, 256), kernel=4, init_std=_INIT),
    plan=adversarial.Plan(
        iterations=12_000,
        batch_size=128,
        objective=adversarial.NonSaturating(),
        discriminator_update=Adam(lr=2e-4, beta1=0.5),
        generator_update=Adam(lr=2e-4, beta1=0.5),
        ema_decay=0.995,
    ),
    checkpoint_every=250,
    keep_every=1_500,
    sources={
        **_COMMON,
        "data": "as coopnets/mnist",
        "classifier": "the filters of coopnets/mnist's descriptor; batch norm after all but the first; one logit",
        "classifier.slope": "DCGAN §4: leaky ReLU .2",
        "classifier.batch_norm": "DCGAN §3: in all layers of the discriminator but the first",
        "classifier.init_std": "DCGAN §4: .02",
        "plan.iterations": "as coopnets/mnist",
        "plan.batch_size": "DCGAN §4: 128",
        "plan.objective": "DCGAN: the non-saturating loss",
        "plan.discriminator_update": "DCGAN §4: Adam .0002, β1 .5",
        "plan.generator_update": "DCGAN §4: Adam .0002, β1 .5",
    },
    deviations=_DEVIATIONS,
)

_QUICK_GENERATOR = replace(presets.QUICK_MNIST_GENERATOR, init_std=_INIT)


def _as(ours: Recipe) -> dict[str, str]:
    """Sources of what a quick baseline shares with our recipe."""
    return {
        "generator": f"as {ours.name}",
        "generator.slope": f"as {ours.name}: leaky ReLU .2 (DCGAN: ReLU)",
        "plan.iterations": f"as {ours.name}",
        "plan.batch_size": f"as {ours.name}: {ours.plan.batch_size}",
    }


DCGAN_MNIST_QUICK = replace(
    DCGAN_MNIST,
    name="dcgan/mnist-quick",
    generator=_QUICK_GENERATOR,
    classifier=ClassifierSpec(shape=(1, 28, 28), channels=(32, 64, 128), kernel=4, init_std=_INIT),
    plan=replace(DCGAN_MNIST.plan, iterations=4_500, batch_size=50),
    keep_every=None,
    sources={
        **DCGAN_MNIST.sources,
        **_as(COOPNETS_MNIST_QUICK),
        "classifier": "half the filters of dcgan/mnist's; batch norm after all but the first; one logit",
    },
)

DCGAN_CIFAR10 = replace(
    DCGAN_MNIST,
    name="dcgan/cifar10",
    data=CIFAR10.data,
    generator=replace(presets.CIFAR10_GENERATOR, init_std=_INIT),
    classifier=ClassifierSpec(shape=(3, 32, 32), channels=(64, 128, 256), kernel=5, init_std=_INIT),
    plan=replace(DCGAN_MNIST.plan, iterations=40_000, ema_decay=0.999),
    checkpoint_every=500,
    keep_every=10_000,
    picture_every=1_000,
    sources={
        **DCGAN_MNIST.sources,
        "data": "as coopnets/cifar10",
        "generator": "as coopnets/cifar10",
        "generator.slope": "as coopnets/cifar10: leaky ReLU .2 (DCGAN: ReLU)",
        "classifier": "DCGAN: the generator turned round: 64, 128, 256 filters of 5x5, sub-sampling 2; one logit",
        "plan.iterations": "ours: 100 epochs",
    },
)

DCGAN_CIFAR10_QUICK = replace(
    DCGAN_CIFAR10,
    name="dcgan/cifar10-quick",
    generator=presets.QUICK_CIFAR10_GENERATOR,
    plan=replace(DCGAN_CIFAR10.plan, iterations=4_500, batch_size=50, ema_decay=0.995),
    checkpoint_every=250,
    keep_every=None,
    picture_every=250,
    sources={**DCGAN_CIFAR10.sources, **_as(CIFAR10_QUICK)},
)

DCGAN_SCENE64 = replace(
    DCGAN_MNIST,
    name="dcgan/scene64",
    data=SCENE64.data,
    generator=replace(presets.SCENE_GENERATOR, init_std=_INIT),
    classifier=presets.IGM_CLASSIFIER_64,
    plan=replace(DCGAN_MNIST.plan, iterations=20_000),
    checkpoint_every=500,
    keep_every=5_000,
    sources={
        **DCGAN_MNIST.sources,
        "data": "as coopnets/scene64: a folder or a zip of pictures",
        "generator": "as coopnets/scene64: DCGAN's with half the filters",
        "generator.slope": "as coopnets/scene64: leaky ReLU .2 (DCGAN: ReLU)",
        "classifier": "DCGAN: 64, 128, 256, 512 filters of 5x5, sub-sampling 2; one logit",
        "plan.iterations": "as coopnets/scene64",
    },
)

DCGAN_SCENE_QUICK = replace(
    DCGAN_SCENE64,
    name="dcgan/scene-quick",
    data=SCENE_QUICK.data,
    generator=presets.QUICK_SCENE_GENERATOR,
    classifier=replace(presets.IGM_CLASSIFIER_64, channels=(32, 64, 128, 256)),
    plan=replace(DCGAN_SCENE64.plan, iterations=5_400, batch_size=32),
    keep_every=None,
    sources={
        **DCGAN_SCENE64.sources,
        **_as(SCENE_QUICK),
        "data": "as coopnets/scene-quick: mirrored at random",
        "classifier": "half the filters of DCGAN's: 32, 64, 128, 256 of 5x5, sub-sampling 2; one logit",
    },
)

DCGAN_FACES_QUICK = replace(
    DCGAN_SCENE_QUICK,
    name="dcgan/faces64-quick",
    data=FACES_QUICK.data,
    generator=presets.QUICK_FACES_GENERATOR,
    plan=replace(DCGAN_SCENE_QUICK.plan, iterations=FACES_QUICK.plan.iterations),
    sources={
        **DCGAN_SCENE_QUICK.sources,
        **_as(FACES_QUICK),
        "data": "as coopnets/faces64-quick: mirrored at random",
    },
)

_TEXTURE_GENERATOR = TEXTURE_QUICK.generator
assert isinstance(_TEXTURE_GENERATOR, GeneratorSpec)
DCGAN_TEXTURE = replace(
    DCGAN_SCENE_QUICK,
    name="dcgan/texture-quick",
    data=TEXTURE_QUICK.data,
    generator=replace(_TEXTURE_GENERATOR, init_std=_INIT),
    plan=replace(DCGAN_SCENE_QUICK.plan, iterations=2_800, ema_decay=0.99),
    sources={
        **DCGAN_SCENE_QUICK.sources,
        **_as(TEXTURE_QUICK),
        "data": "as coopnets/texture-quick: crops of one picture",
        "plan.batch_size": DCGAN_SCENE_QUICK.sources["plan.batch_size"],
    },
)

WGAN_MNIST = replace(
    DCGAN_MNIST,
    name="wgan/mnist",
    plan=adversarial.Plan(
        iterations=60_000,
        batch_size=64,
        objective=adversarial.Wasserstein(),
        discriminator_update=RMSprop(lr=5e-5, clip=0.01),
        generator_update=RMSprop(lr=5e-5),
        generator_every=5,
        ema_decay=0.995,
    ),
    checkpoint_every=1_000,
    keep_every=7_500,
    picture_every=2_500,
    sources={
        **DCGAN_MNIST.sources,
        "classifier": "as dcgan/mnist: WGAN's code has DCGAN's discriminator, with batch norm, for its critic",
        "plan.iterations": "ours: as many updates of the generator as coopnets/mnist has",
        "plan.batch_size": "WGAN, Algorithm 1: 64",
        "plan.objective": "WGAN, Algorithm 1: no penalty, clipped weights",
        "plan.discriminator_update": "WGAN, Algorithm 1: RMSprop .00005, weights within ±.01; decay .99: authors' code",
        "plan.generator_update": "WGAN, Algorithm 1: RMSprop .00005",
        "plan.generator_every": "WGAN, Algorithm 1: n_critic 5 (code: 100 in the first 25 turns and in every 500th)",
        "plan.generator_updates": "WGAN, Algorithm 1: 1",
    },
    deviations=(
        *_DEVIATIONS[:3],
        "All that the critic learns is clipped, the scales and shifts of its batch norm too (as in the authors' code).",
    ),
)

WGAN_MNIST_QUICK = replace(
    WGAN_MNIST,
    name="wgan/mnist-quick",
    generator=_QUICK_GENERATOR,
    classifier=DCGAN_MNIST_QUICK.classifier,
    plan=replace(
        WGAN_MNIST.plan,
        iterations=22_500,
        batch_size=50,
        discriminator_update=RMSprop(lr=5e-4, clip=0.01),
        generator_update=RMSprop(lr=5e-4),
    ),
    keep_every=None,
    sources={
        **WGAN_MNIST.sources,
        **_as(COOPNETS_MNIST_QUICK),
        "classifier": "as dcgan/mnist-quick",
        "plan.iterations": "ours: as many updates of the generator as coopnets/mnist-quick has",
        "plan.discriminator_update": "ours: ten times WGAN's .00005, for a budget of few moves; weights within ±.01",
        "plan.generator_update": "ours: ten times WGAN's .00005, for a budget of few moves",
    },
    deviations=(*WGAN_MNIST.deviations, "Both rates are ten times the paper's: the budget holds few moves."),
)

WGAN_GP_MNIST = replace(
    WGAN_MNIST,
    name="wgan-gp/mnist",
    classifier=None,
    descriptor=replace(presets.MNIST_DESCRIPTOR, outputs=1, init_std=None),
    plan=replace(
        WGAN_MNIST.plan,
        objective=adversarial.Wasserstein(gradient_penalty=10.0),
        discriminator_update=Adam(lr=1e-4, beta1=0.0, beta2=0.9),
        generator_update=Adam(lr=1e-4, beta1=0.0, beta2=0.9),
    ),
    precision="float32",
    sources={
        **_COMMON,
        "precision": _FULL,
        "data": "as coopnets/mnist",
        "descriptor": "the filters of coopnets/mnist, and one output instead of the sum of 100",
        "descriptor.slope": "DCGAN §4: leaky ReLU .2",
        "descriptor.init_std": "ours: N(0, 2/n), as WGAN-GP's code starts its convolutions (DCGAN §4: .02)",
        "plan.iterations": WGAN_MNIST.sources["plan.iterations"],
        "plan.batch_size": "WGAN-GP, authors' code: 64 (50 for MNIST)",
        "plan.objective": "WGAN-GP, Algorithm 1: λ 10",
        "plan.discriminator_update": "WGAN-GP, Algorithm 1: Adam .0001, β1 0 (code for MNIST: .5), β2 .9",
        "plan.generator_update": "WGAN-GP, Algorithm 1: Adam .0001, β1 0 (code for MNIST: .5), β2 .9",
        "plan.generator_every": "WGAN-GP, Algorithm 1: n_critic 5",
        "plan.generator_updates": "WGAN-GP, Algorithm 1: 1",
    },
    deviations=(
        *_DEVIATIONS[:3],
        "The critic has one output, where our descriptor sums 100, which makes the same functions; no batch norm.",
    ),
)

WGAN_GP_CIFAR10 = replace(
    WGAN_GP_MNIST,
    name="wgan-gp/cifar10",
    data=CIFAR10.data,
    generator=DCGAN_CIFAR10.generator,
    descriptor=replace(presets.CIFAR10_DESCRIPTOR, outputs=1, init_std=None),
    plan=replace(WGAN_GP_MNIST.plan, iterations=200_000, ema_decay=0.999),
    checkpoint_every=2_500,
    keep_every=50_000,
    picture_every=5_000,
    sources={
        **WGAN_GP_MNIST.sources,
        "data": "as coopnets/cifar10",
        "generator": "as coopnets/cifar10",
        "generator.slope": "as coopnets/cifar10: leaky ReLU .2 (DCGAN: ReLU)",
        "descriptor": "the filters of coopnets/cifar10, and one output instead of the sum of 100",
        "plan.iterations": "ours: as many updates of the generator as dcgan/cifar10 has",
        "plan.batch_size": "WGAN-GP, authors' code: 64",
    },
)

WGAN_GP_CIFAR10_QUICK = replace(
    WGAN_GP_CIFAR10,
    name="wgan-gp/cifar10-quick",
    generator=DCGAN_CIFAR10_QUICK.generator,
    descriptor=replace(presets.QUICK_CIFAR10_DESCRIPTOR, init_std=None),
    plan=replace(WGAN_GP_CIFAR10.plan, iterations=22_500, batch_size=50, ema_decay=0.995),
    checkpoint_every=1_000,
    keep_every=None,
    picture_every=2_500,
    sources={
        **WGAN_GP_CIFAR10.sources,
        **_as(CIFAR10_QUICK),
        "descriptor": "as coopnets/cifar10-quick",
        "plan.iterations": "ours: as many updates of the generator as coopnets/cifar10-quick has",
    },
    deviations=_OF_QUICK_CRITICS,
)

EBGAN_MNIST = replace(
    DCGAN_MNIST,
    name="ebgan/mnist",
    classifier=None,
    descriptor=replace(presets.MNIST_DESCRIPTOR, outputs=None, init_std=_INIT),
    plan=replace(
        DCGAN_MNIST.plan,
        objective=adversarial.EnergyBased(margin=10.0, pulling_away=0.1),
        discriminator_update=Adam(lr=1e-3, beta1=0.5),
        generator_update=Adam(lr=1e-3, beta1=0.5),
    ),
    sources={
        **_COMMON,
        "data": "as coopnets/mnist",
        "descriptor": "the filters of coopnets/mnist: the encoder, with a linear layer to a code of 100 numbers",
        "descriptor.slope": "DCGAN §4: leaky ReLU .2",
        "descriptor.init_std": "DCGAN §4: .02",
        "generator": "as coopnets/mnist; the decoder has the same architecture",
        "plan.iterations": "as coopnets/mnist",
        "plan.batch_size": "as dcgan/mnist",
        "plan.objective": "EBGAN, digits: margin 10; the pulling-away term with weight .1",
        "plan.discriminator_update": "EBGAN: Adam .001; β1 .5 as DCGAN",
        "plan.generator_update": "EBGAN: Adam .001; β1 .5 as DCGAN",
    },
    deviations=(
        *_DEVIATIONS,
        "The encoder is the descriptor's convolutions, the decoder the generator's; the paper's for digits are "
        "fully connected.",
    ),
)

INFOGAN_MNIST = replace(
    DCGAN_MNIST,
    name="infogan/mnist",
    plan=replace(
        DCGAN_MNIST.plan,
        objective=adversarial.Information(categories=10, numbers=2),
        generator_update=Adam(lr=1e-3, beta1=0.5),
    ),
    sources={
        **DCGAN_MNIST.sources,
        "plan.objective": "InfoGAN §7.2: a category of 10 and two numbers in (−1, 1); λ 1, for numbers .1 (§6: less)",
        "plan.batch_size": "InfoGAN, authors' code: 128",
        "plan.discriminator_update": "InfoGAN, appendix C: Adam .0002, β1 .5",
        "plan.generator_update": "InfoGAN, appendix C: Adam .001, β1 .5",
    },
    deviations=(
        *_DEVIATIONS,
        "12 of the 100 latents become codes, as functions of N(0, 1) with the paper's laws; the paper adds 12 to 62.",
        "Q is a layer of 128 and a linear one on the last map of the convolutions; the paper shares one layer more.",
    ),
)

ADVERSARIAL: tuple[Recipe, ...] = (
    DCGAN_MNIST,
    DCGAN_MNIST_QUICK,
    WGAN_MNIST,
    WGAN_MNIST_QUICK,
    WGAN_GP_MNIST,
    EBGAN_MNIST,
    INFOGAN_MNIST,
    DCGAN_CIFAR10,
    DCGAN_CIFAR10_QUICK,
    WGAN_GP_CIFAR10,
    WGAN_GP_CIFAR10_QUICK,
    DCGAN_SCENE64,
    DCGAN_SCENE_QUICK,
    DCGAN_FACES_QUICK,
    DCGAN_TEXTURE,
)
"""Every recipe of this kind."""
