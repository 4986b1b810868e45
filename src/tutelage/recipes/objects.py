"""Objects, scenes and faces of 64x64 pixels (CoopNets §4.2, §4.3, §4.6)."""

from __future__ import annotations

from dataclasses import replace

from ..data import DataSpec
from ..learn import coopnets
from ..learn.updates import Adam
from ..nets import presets
from .recipe import Recipe
from .sources import COMMON, COMMON_DEVIATIONS, HALF_OF_DCGAN, LEAKY_IN_THE_GENERATOR

_DATA = DataSpec(kind="folder", size=(64, 64), channels=3)

OBJECT64 = Recipe(
    name="coopnets/object64",
    data=_DATA,
    descriptor=presets.SCENE_DESCRIPTOR,
    generator=presets.SCENE_GENERATOR,
    plan=coopnets.Plan(
        iterations=1_000,
        batch_size=100,
        chains=100,
        revision_steps=10,
        step_size=0.002,
        reference_std=0.016,
        noise_std=0.3,
        descriptor_update=Adam(lr=0.007, lr_final=0.00035),
        generator_update=Adam(lr=1e-3, lr_final=5e-5),
        ema_decay=0.98,
    ),
    checkpoint_every=100,
    picture_every=100,
    sources={
        **COMMON,
        "data": "§4.2: unaligned objects of one class, any number; a folder or a zip of pictures",
        "descriptor": "§4.2: 64, 128, 256 filters of 5x5, 3x3, 3x3, sub-sampling 2, 2, 1; 100 outputs",
        "generator": "§4.2: as in DCGAN, of half its channels (code): 100 latents, 512 maps of 4x4, 5x5 kernels",
        "plan.iterations": "§4.2: 1 000",
        "plan.batch_size": "§4.2: 100",
        "plan.chains": "ours: as many as images (the paper gives none; code: 144)",
        "plan.revision_steps": "§4.2: 10",
        "plan.step_size": "§4.2, unaligned objects: .002",
        "plan.reference_std": "§4.2, aligned objects, and code: .016",
    },
    deviations=(*COMMON_DEVIATIONS, HALF_OF_DCGAN),
)

SCENE64 = replace(
    OBJECT64,
    name="coopnets/scene64",
    plan=replace(OBJECT64.plan, iterations=20_000, ema_decay=0.995),
    checkpoint_every=500,
    keep_every=5_000,
    picture_every=500,
    sources={
        **OBJECT64.sources,
        "data": "§4.3: one class of scenes, or several mixed; a folder or a zip of pictures",
        "descriptor": "§4.3: as for unaligned objects",
        "generator": "§4.3: as for unaligned objects",
        "plan.iterations": "ours: 200 epochs of 10 000 images (code: 300 to 1 000 epochs)",
        "plan.batch_size": "§4.2: 100; code: 100",
        "plan.chains": "ours: 100 (code: 144)",
        "plan.revision_steps": "§4.2: 10 (code: 10 to 15)",
        "plan.step_size": "§4.2: .002; code: .002",
        "plan.reference_std": "code: .016",
    },
)

QUICK_DEVIATIONS = (
    *(words for words in COMMON_DEVIATIONS if "ten times" not in words),
    "Learning rates fall along a cosine; the generator's starts twice as high as in the authors' code.",
)
FIRST_WEIGHTS_AND_RATES = (
    "Weights start from N(0, 2/n) in the descriptor, n of them to an output, and from N(0, .02²) in the generator, "
    "instead of N(0, .001²); ReLU is leaky: the authors' code.",
    *(words for words in QUICK_DEVIATIONS if "Weights start" not in words),
)
SCENE_QUICK = replace(
    SCENE64,
    name="coopnets/scene-quick",
    data=replace(SCENE64.data, flip=True),
    descriptor=presets.QUICK_SCENE_DESCRIPTOR,
    generator=presets.QUICK_SCENE_GENERATOR,
    plan=replace(
        SCENE64.plan,
        iterations=5_400,
        batch_size=32,
        chains=32,
        revision_steps=5,
        step_size=2.0,
        reference_std=None,
        noise_until=0,
        descriptor_update=Adam(lr=5e-4, lr_final=1e-4, beta1=0.0, beta2=0.99),
        generator_update=Adam(lr=2e-4, lr_final=5e-5),
    ),
    checkpoint_every=500,
    keep_every=None,
    picture_every=250,
    sources={
        **SCENE64.sources,
        "data": "ours: one class of some hundred pictures, or several, mirrored at random",
        "descriptor": "ours: 64, 128, 256 filters of 4x4 (§4.3: 5x5, 3x3, 3x3), sub-sampling 2, as §4.3 but for the "
        "last 2",
        "descriptor.init_std": "ours: by each layer's inputs; with .01 features shrink two hundredfold on their way "
        "up, and what it shows is learned several times as late",
        "descriptor.outputs": "ours: 1; all outputs learn alike, so their sum learns as many times faster (§4.3: 100)",
        "generator": "ours: half the channels of coopnets/scene64, and one more layer of 64x64",
        "generator.deconvs": "ours: kernels of 3x3 on repeated pixels (code: transposed, 5x5)",
        "generator.repeat_pixels": "ours: transposed convolutions can learn a grid, and did",
        "generator.init_std": "DCGAN §4: .02; batch norm undoes the size of weights, and Adam turns small ones faster",
        "plan.iterations": "ours: half an hour on two cores",
        "plan.batch_size": "ours",
        "plan.chains": "ours",
        "plan.revision_steps": "ours: 5",
        "plan.step_size": "ours: 2 without noise; with .3 the revision moved images so little that both networks "
        "swung, and with 4 a model of 500 pictures diverged",
        "plan.reference_std": "ours: a uniform reference; a narrow one pulls every detail to grey until f holds it",
        "plan.noise_until": "§2.1: zero temperature; the noise of such large steps would be all that is seen",
        "plan.descriptor_update": "ours: Adam .0005 falling to a fifth along half a cosine, without momentum (β1 0, β2 "
        ".99)",
        "plan.generator_update": "ours: Adam .0002 falling to a quarter (code: .0001)",
    },
    deviations=(
        "A quick variant for half an hour: 32 chains, and rates of its own.",
        "The reference is uniform and the temperature zero: revision is gradient ascent on f.",
        "Kernels of 4x4 in the descriptor, sub-sampling 2 in all its layers, and Adam without momentum.",
        "Repeated pixels instead of transposed convolutions, 1 output instead of 100.",
        "Half the generator's channels, and one more layer.",
        "5 steps of revision instead of 10; pictures are mirrored at random.",
        *FIRST_WEIGHTS_AND_RATES,
    ),
)

SMALL_OBJECTS = Recipe(
    name="coopnets/small-objects",
    data=_DATA,
    descriptor=presets.SMALL_OBJECT_DESCRIPTOR,
    generator=presets.SMALL_OBJECT_GENERATOR,
    plan=coopnets.Plan(
        iterations=3_000,
        batch_size=10,
        chains=10,
        revision_steps=10,
        step_size=0.005,
        reference_std=0.016,
        noise_std=0.3,
        descriptor_update=Adam(lr=0.007, lr_final=0.00035),
        generator_update=Adam(lr=1e-3, lr_final=5e-5),
        ema_decay=0.99,
        calibration_draws=1_000,
    ),
    checkpoint_every=250,
    picture_every=250,
    sources={
        **COMMON,
        "data": "§4.2: about ten aligned images of one object",
        "descriptor": "authors' code: 64 of 4x4, sub-sampling 2, 128 of 2x2, 2 outputs (§4.2: 100, 64, 1)",
        "descriptor.slope": "§4: ReLU",
        "generator": "§4.2: as in DCGAN, of half its channels (code); code: 2 latents",
        "plan.iterations": "§4.2: 3 000",
        "plan.batch_size": "§4.2: all of about ten images",
        "plan.chains": "ours: as many as images",
        "plan.revision_steps": "§4.2: 10 (after learning 10 to 50: `tutelage sample --revision-steps`)",
        "plan.step_size": "§4.2: .005",
        "plan.reference_std": "§4.2: .016",
    },
    deviations=(
        "The descriptor has 64 and 128 filters and 2 outputs, and there are 2 latents: the authors' code. §4.2 prints "
        "100 and 64 filters and one output.",
        LEAKY_IN_THE_GENERATOR,
        *COMMON_DEVIATIONS[1:],
        HALF_OF_DCGAN,
    ),
)

SMALL_OBJECTS_QUICK = replace(
    SCENE_QUICK,
    name="coopnets/small-objects-quick",
    data=_DATA,
    descriptor=presets.QUICK_SMALL_OBJECT_DESCRIPTOR,
    generator=presets.QUICK_SMALL_OBJECT_GENERATOR,
    plan=replace(
        SCENE_QUICK.plan,
        iterations=2_400,
        batch_size=10,
        chains=10,
        gradient_penalty=1.0,
        descriptor_update=Adam(lr=3e-4, lr_final=3e-5),
        generator_update=Adam(lr=2e-4, lr_final=2e-5),
        calibration_draws=1_000,
    ),
    checkpoint_every=200,
    picture_every=200,
    sources={
        **SCENE_QUICK.sources,
        "data": "§4.2: about ten aligned images of one object",
        "descriptor": "ours: 64, 128, 256 filters of 5x5, 3x3, 3x3, sub-sampling 2 (§4.2: 100 of 4x4, 64 of 2x2)",
        "descriptor.slope": "ours: leaky ReLU .2 (§4 and code: ReLU)",
        "descriptor.average_pixels": "ours: averages instead of strides, whose gradients have a grid",
        "descriptor.init_std": SCENE64.sources["descriptor.init_std"],
        "descriptor.outputs": "§4.2: 1",
        "generator": "ours: that of coopnets/scene-quick, of 10 latents (code: 2)",
        "generator.init_std": SCENE64.sources["generator.init_std"],
        "plan.iterations": "ours: a quarter of an hour on two cores without bfloat16 (§4.2: 3 000)",
        "plan.batch_size": "§4.2: all of about ten images",
        "plan.chains": "ours: as many as images",
        "plan.revision_steps": "ours: 5 (§4.2: 10)",
        "plan.gradient_penalty": "ours: 1; f of so few images gets steep, and without it diverged",
        "plan.descriptor_update": "ours: Adam .0003 falling to a tenth along half a cosine",
        "plan.generator_update": "ours: Adam .0002 falling to a tenth along half a cosine",
    },
    deviations=(
        "A quick variant: a descriptor of 64, 128 and 256 filters, the generator of coopnets/scene-quick with 10 "
        "latents and the first weights of the authors' code, 5 steps of revision instead of 10, rates of its own, "
        "2 400 iterations instead of 3 000.",
        "The reference is uniform and the temperature zero: revision is gradient ascent on f.",
        "A gradient penalty holds back how steep f gets (Mescheder et al. 2018).",
        "Averages instead of strides, repeated pixels instead of transposed convolutions.",
        *QUICK_DEVIATIONS,
    ),
)

FACES64 = replace(
    OBJECT64,
    name="coopnets/faces64",
    descriptor=presets.FACES_DESCRIPTOR,
    generator=presets.FACES_GENERATOR,
    plan=replace(OBJECT64.plan, iterations=6_000, ema_decay=0.995),
    checkpoint_every=250,
    keep_every=1_500,
    picture_every=250,
    sources={
        **OBJECT64.sources,
        "data": "§4.6: 10 000 faces of CelebA, resized; a folder or a zip of pictures",
        "descriptor": "§4.6: 96, 128, 256 filters of 5x5, sub-sampling 2; 50 outputs",
        "generator": "§4.6: as in DCGAN, of half its channels (code): 100 latents, 512 maps of 4x4, 5x5 kernels",
        "plan.iterations": "ours: 60 epochs (§4.6: 600 iterations)",
        "plan.batch_size": "ours: 100, as §4.2 (§4.6 gives none)",
        "plan.revision_steps": "§4.6: 10",
        "plan.step_size": "§4.6: .002",
        "plan.reference_std": "code for scenes: .016 (§4.6 gives none)",
    },
    deviations=(*COMMON_DEVIATIONS, HALF_OF_DCGAN, "6 000 iterations; §4.6 prints 600."),
)

FACES_QUICK = replace(
    SCENE_QUICK,
    name="coopnets/faces64-quick",
    descriptor=presets.QUICK_FACES_DESCRIPTOR,
    generator=presets.QUICK_FACES_GENERATOR,
    plan=replace(SCENE_QUICK.plan, iterations=7_000, latent_step_size=0.02),
    checkpoint_every=250,
    sources={
        **SCENE_QUICK.sources,
        "data": "§4.6: 10 000 faces of CelebA; mirrored at random: ours",
        "descriptor": "ours: 32, 64, 128, 256 filters of 4x4 (§4.6: 96, 128, 256 of 5x5), sub-sampling 2; what is at "
        "the top sees 46 pixels, not 22",
        "descriptor.outputs": "ours: 1 (§4.6: 50)",
        "generator": "ours: three quarters of the channels of coopnets/faces64, and one more layer of 64x64, of 24",
        "generator.deconvs": "ours: kernels of 3x3 on repeated pixels (§4.6: 5x5)",
        "plan.iterations": "ours: half an hour on two cores (§4.6: 600)",
        "plan.revision_steps": "ours: 5 (§4.6: 10)",
        "plan.latent_step_size": "ours: .02, which left the least residual on training faces with a hole, of .1 to .01",
    },
    deviations=(
        "A quick variant for half an hour: smaller networks, 32 chains, 5 steps of revision instead of 10, rates of "
        "its own, 7 000 iterations instead of 600.",
        "The reference is uniform and the temperature zero: revision is gradient ascent on f.",
        "Four layers of 4x4 in the descriptor instead of three of 5x5, and Adam without momentum.",
        "Repeated pixels instead of transposed convolutions, 1 output instead of 50.",
        "Faces are mirrored at random.",
        *FIRST_WEIGHTS_AND_RATES,
    ),
)

FACES_QUICK_LOGISTIC = replace(
    FACES_QUICK,
    name="coopnets/faces64-quick-logistic",
    plan=replace(FACES_QUICK.plan, loss="logistic"),
    sources={
        **FACES_QUICK.sources,
        "plan.loss": "IGM §3.2.1: logistic regression of observed against revised images (§2.1: eq. (8))",
    },
    deviations=(
        *FACES_QUICK.deviations,
        "f is learned by logistic regression of observed against revised images, as IGM's classifiers are, not by "
        "maximum likelihood.",
    ),
)
