"""The large benchmark sets of CoopNets §4.5: CIFAR-10, CelebA and LSUN bedrooms."""

from __future__ import annotations

from dataclasses import replace

from ..data import DataSpec
from ..learn.updates import Adam
from ..nets import presets
from .objects import FACES_QUICK, FIRST_WEIGHTS_AND_RATES, OBJECT64
from .recipe import Recipe
from .sources import COMMON, COMMON_DEVIATIONS

_CHAINS = "§4.5: 400"
_BATCH = "§4.5: 300"

CIFAR10 = Recipe(
    name="coopnets/cifar10",
    data=DataSpec(kind="cifar10", size=(32, 32), channels=3),
    descriptor=presets.CIFAR10_DESCRIPTOR,
    generator=presets.CIFAR10_GENERATOR,
    plan=replace(
        OBJECT64.plan,
        iterations=80_000,
        batch_size=300,
        chains=400,
        descriptor_update=Adam(lr=0.007, lr_final=0.00035),
        ema_decay=0.999,
    ),
    checkpoint_every=500,
    keep_every=10_000,
    picture_every=1_000,
    sources={
        **COMMON,
        "data": "§4.5: 32x32; the official training images (the paper learns from all 60 000)",
        "descriptor": "authors' code: 64, 128, 256 of 5x5, 3x3, 3x3, sub-sampling 2, 2, 1 (§4.5: 2, 2, 2); 100 outputs",
        "generator": "§4.5: channels 256, 128, 64, 3, kernels 4, 5, 5, 5, up-sampling 1, 2, 2, 2; 100 latents",
        "plan.iterations": "ours: 480 epochs (code: 500)",
        "plan.batch_size": _BATCH,
        "plan.chains": f"{_CHAINS} (code: 900)",
        "plan.revision_steps": "§4.5: 10",
        "plan.step_size": "§4.2: .002 (§4.5 gives none; code: .001)",
        "plan.reference_std": "§4.2: .016 (§4.5 gives none)",
        "plan.descriptor_update": "as coopnets/mnist (code: .003)",
        "plan.noise_until": "§2.1: the noise stays on (code: off)",
    },
    deviations=(
        *COMMON_DEVIATIONS,
        "Learns from the 50 000 training images; the paper from all 60 000, which leaves none to measure by.",
        "Sub-sampling 2, 2, 1 in the descriptor, as in the authors' code; §4.5 prints 2, 2, 2.",
    ),
)

CIFAR10_QUICK = replace(
    FACES_QUICK,
    name="coopnets/cifar10-quick",
    data=CIFAR10.data,
    descriptor=presets.QUICK_CIFAR10_DESCRIPTOR,
    generator=presets.QUICK_CIFAR10_GENERATOR,
    plan=replace(FACES_QUICK.plan, iterations=4_500, batch_size=50, chains=50, step_size=4.0),
    sources={
        **FACES_QUICK.sources,
        "data": CIFAR10.sources["data"],
        "descriptor": "ours: 64, 128, 256 filters of 4x4 (§4.5: 5x5, 3x3, 3x3), sub-sampling 2, 2, 2, as printed there",
        "descriptor.outputs": "ours: 1 (code: 100)",
        "generator": "§4.5: channels 256, 128, 64; one more layer of 32x32, of 32, is ours",
        "generator.deconvs": "ours: kernels of 3x3 on repeated pixels (§4.5: transposed, 4x4, then 5x5)",
        "plan.iterations": "ours: half an hour on two cores without bfloat16",
        "plan.batch_size": "ours: 50 (§4.5: 300)",
        "plan.chains": "ours: 50 (§4.5: 400)",
        "plan.revision_steps": "ours: 5 (§4.5: 10)",
        "plan.step_size": "ours: 4 without noise, which came nearer than 2 in a trial",
        "plan.latent_step_size": "ours: .02, as coopnets/faces64-quick; not tried on these images",
    },
    deviations=(
        "A quick variant for half an hour: 50 images and 50 chains instead of 300 and 400, 5 steps of revision instead "
        "of 10, rates of its own.",
        "The reference is uniform and the temperature zero: revision is gradient ascent on f.",
        "Kernels of 4x4 in the descriptor, and Adam without momentum.",
        "Repeated pixels instead of transposed convolutions, one more layer in the generator, 1 output instead of 100.",
        CIFAR10.deviations[-2],
        *FIRST_WEIGHTS_AND_RATES,
    ),
)

CELEBA128 = replace(
    CIFAR10,
    name="coopnets/celeba128",
    data=DataSpec(kind="folder", size=(128, 128), channels=3),
    descriptor=presets.CELEBA_DESCRIPTOR,
    generator=presets.CELEBA_GENERATOR,
    plan=replace(CIFAR10.plan, iterations=100_000, batch_size=100, chains=100, noise_until=50_000),
    sources={
        **COMMON,
        "data": "§4.5: CelebA, 128x128; a folder or a zip of pictures",
        "descriptor": "§4.5: 64, 128, 256 filters of 5x5, 3x3, 3x3, sub-sampling 2, 2, 1; 100 outputs",
        "generator": "§4.5: channels 512, 256, 128, 64, 3, kernels 4, 5, 5, 5, 5, up-sampling 1, 2, 4, 2, 2",
        "plan.iterations": "ours: 50 epochs of 200 000 images (the paper gives none)",
        "plan.batch_size": "ours: 100 (§4.5 gives none but for CIFAR-10: 300)",
        "plan.chains": "ours: 100 (§4.5 gives none but for CIFAR-10: 400)",
        "plan.revision_steps": "§4.5, CIFAR-10, and §4.2: 10",
        "plan.step_size": "§4.2: .002 (§4.5 gives none)",
        "plan.reference_std": "§4.2: .016 (§4.5 gives none)",
        "plan.noise_until": "§4.5: the second half learns without noise",
    },
    deviations=(
        *COMMON_DEVIATIONS,
        "Batches of 100 and 100 chains, a third and a quarter of what the paper has for CIFAR-10; it gives none here.",
    ),
)

LSUN256 = replace(
    CELEBA128,
    name="coopnets/lsun256",
    data=DataSpec(kind="folder", size=(256, 256), channels=3),
    descriptor=presets.LSUN_DESCRIPTOR,
    generator=presets.LSUN_GENERATOR,
    plan=replace(CELEBA128.plan, noise_until=None, descriptor_update=Adam(lr=0.001, lr_final=5e-5)),
    sources={
        **CELEBA128.sources,
        "data": "§4.5: LSUN bedrooms, 256x256; a folder or a zip of pictures",
        "descriptor": "§4.5: channels 64, 128, 256, 512, 512, kernels 5, 5, 5, 5, 3, sub-sampling 2; 10 outputs",
        "generator": "§4.5: channels 512, 256, 128, 64, 3, kernels 16, 5, 5, 5, 5, up-sampling 1, 2, 2, 2, 2",
        "plan.iterations": "ours: 3 epochs of 3 033 000 images (the paper gives none)",
        "plan.noise_until": COMMON["plan.noise_until"],
        "plan.descriptor_update": "ours: Adam .001 falling to 1/20; six layers diverged at .007 within ten iterations",
    },
)
