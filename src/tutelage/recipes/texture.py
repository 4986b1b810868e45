"""Textures from one picture (CoopNets §4.1): networks without a fully connected layer, which make any size."""

from __future__ import annotations

from dataclasses import replace

from ..baselines import texture_nets
from ..baselines.texture_maps import RandomFilters
from ..data import DataSpec
from ..learn import coopnets
from ..learn.updates import Adam
from ..nets import Conv, Deconv, DescriptorSpec, GeneratorSpec, PyramidSpec, presets
from .recipe import Recipe
from .sources import COMMON, COMMON_DEVIATIONS, LEAKY_IN_THE_GENERATOR

TEXTURE224 = Recipe(
    name="coopnets/texture224",
    data=DataSpec(kind="image", size=(224, 224), channels=3),
    descriptor=presets.TEXTURE_DESCRIPTOR,
    generator=presets.TEXTURE_GENERATOR,
    plan=coopnets.Plan(
        iterations=10_000,
        batch_size=1,
        chains=1,
        revision_steps=20,
        step_size=0.003,
        reference_std=0.012,
        noise_std=0.3,
        descriptor_update=Adam(lr=0.01, lr_final=0.0005),
        generator_update=Adam(lr=1e-3, lr_final=5e-5),
        ema_decay=0.99,
        calibration_draws=100,
    ),
    checkpoint_every=250,
    keep_every=2_500,
    picture_every=250,
    sources={
        **COMMON,
        "data": "§4.1: one picture, resized to 224x224",
        "descriptor": "§4.1: 100, 70, 30 filters of 15x15, 9x9, 7x7, sub-sampling 3, 1, 1; code: all responses summed",
        "descriptor.slope": "§4: ReLU",
        "generator": "§4.1: 7x7 latents, five layers of 5x5 kernels, up-sampling 2; code: 512 to 64 channels above 3",
        "plan.iterations": "§4.1: 10 000",
        "plan.batch_size": "§4.1: one picture",
        "plan.chains": "§4.1: 1 (6 for one example)",
        "plan.revision_steps": "§4.1: 20 or 30 (code: 30)",
        "plan.step_size": "§4.1: .003 (code: .0023)",
        "plan.reference_std": "§4.1: .012 (code: .00767)",
        "plan.descriptor_update": "ours: Adam .01 falling to 1/20 (§4.1: .01; code: gradient descent as updates.Sgd)",
        "plan.generator_update": "ours: Adam .001 falling to 1/20 (§4.1: 1e-6; code: gradient descent as updates.Sgd)",
    },
    deviations=(
        LEAKY_IN_THE_GENERATOR,
        "Adam instead of the gradient descent with caps of the authors' texture code (updates.Sgd).",
        "Learning rates fall along a cosine, and the generator's starts a thousand times higher than §4.1's 1e-6.",
        *COMMON_DEVIATIONS[3:],
    ),
)

TEXTURE_QUICK = replace(
    TEXTURE224,
    name="coopnets/texture-quick",
    data=DataSpec(kind="image", size=(64, 64), channels=3, crops=1_000, shorter=160),
    descriptor=DescriptorSpec(
        shape=(3, 64, 64),
        convs=(Conv(64, 7, 2), Conv(128, 5, 2), Conv(256, 5, 2)),
        outputs=None,
        slope=0.2,
        init_std=0.01,
    ),
    generator=GeneratorSpec(
        latent_dim=16,
        base=None,
        latent_size=(4, 4),
        deconvs=(Deconv(256, 5, (8, 8)), Deconv(128, 5, (16, 16)), Deconv(64, 5, (32, 32)), Deconv(3, 5, (64, 64))),
        slope=0.2,
        batch_norm=True,
        init_std=0.005,
    ),
    plan=replace(
        TEXTURE224.plan,
        iterations=2_800,
        batch_size=16,
        chains=16,
        revision_steps=10,
        step_size=0.003,
        reference_std=0.016,
        descriptor_update=Adam(lr=0.001, lr_final=0.0005),
        generator_update=Adam(lr=2e-3, lr_final=5e-4),
        reconstruction_updates=2,
        calibration_draws=1_000,
    ),
    sources={
        **COMMON,
        "data": "ours: 64x64 crops of one picture with a shorter side of 160, so that each shows several elements",
        "descriptor.slope": "ours: leaky ReLU .2 (§4 and code: ReLU)",
        "descriptor": "ours: three layers, sub-sampling 2, all responses summed as in the authors' texture code",
        "generator": "ours: 4x4 latents of 16 channels, four layers of 5x5 kernels, up-sampling 2",
        "plan.iterations": "ours: about a quarter of an hour on two cores",
        "plan.batch_size": "ours",
        "plan.chains": "ours",
        "plan.revision_steps": "§4.2: 10",
        "plan.step_size": "§4.1: .003",
        "plan.reference_std": "§4.2: .016",
        "plan.descriptor_update": "ours: Adam .001 falling to a half; .003 diverged, and below .0002 it lagged behind",
        "plan.reconstruction_updates": "ours: 2, so that the generator keeps up",
        "plan.generator_update": "ours: Adam .002 falling to a quarter",
    },
    deviations=(
        "A quick variant: smaller networks on 64x64 crops of the picture. No experiment of the paper is like it.",
        *(words.replace("ten times", "twenty times") for words in COMMON_DEVIATIONS),
    ),
)

TEXTURE_NET_QUICK = Recipe(
    name="texture-nets/quick",
    data=DataSpec(kind="image", size=(128, 128), channels=3, crops=64, shorter=160),
    generator=PyramidSpec(shape=(3, 128, 128)),
    plan=texture_nets.Plan(
        iterations=2_000,
        batch_size=1,
        made=4,
        maps=RandomFilters(sizes=(3, 5, 7, 11, 15, 23), count=32),
        update=Adam(lr=0.01, lr_final=0.001),
        ema_decay=0.99,
        calibration_draws=200,
    ),
    precision="float32",
    sources={
        "precision": "ours: float32, as the Gram loss is",
        "data": "ours: 128x128 crops of one picture with a shorter side of 160, as large elements as in igm/texture",
        "generator": "Ulyanov et al. 2016, §4.1: blocks of 3x3, 3x3 and 1x1, 8 channels a scale; 5 scales",
        "generator.slope": "Ulyanov et al. 2016, §4.1: leaky ReLU; the slope is ours",
        "plan.iterations": "Ulyanov et al. 2016: 2 000",
        "plan.batch_size": "ours: one crop an iteration",
        "plan.made": "ours: 4 (Ulyanov et al. 2016: 16)",
        "plan.maps": "ours: random filters, as Ustyuzhaninov et al. 2016, of which no weights are needed",
        "plan.update": "ours: Adam .01, β1 .5, falling to a tenth (Ulyanov et al. 2016: .1, times .7 every 200)",
        "plan.ema_decay": "ours: samples are drawn from an average of the generator's weights",
        "plan.calibration_draws": "ours: batch-norm statistics are fixed after learning",
    },
    deviations=(
        "ReLU is leaky, as in the paper; its slope is ours.",
        "Noise is N(0, 1) (authors' code: uniform on [0, 1]); Adam .01 falls along a cosine (.1, times .7 every 200).",
        "Maps are of random filters and not of VGG-19; plan.maps takes a file of its weights.",
        "The example is another crop of the picture in each iteration, where the paper has one picture.",
        "Fewer images an iteration, for two cores. Untuned.",
    ),
)
