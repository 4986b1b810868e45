"""A few minutes on two cores: the digits of ``coopnets/mnist`` with networks half as wide, on a bundled sample."""

from __future__ import annotations

from ..data import DataSpec
from ..learn import coopnets
from ..learn.updates import Adam
from ..nets import Conv, Deconv, DescriptorSpec, GeneratorSpec
from .recipe import Recipe

DEMO = Recipe(
    name="coopnets/demo",
    data=DataSpec(kind="digits", size=(16, 16), channels=1),
    descriptor=DescriptorSpec(
        shape=(1, 16, 16),
        convs=(Conv(32, 4, 2), Conv(64, 4, 2), Conv(128, 4, 2)),
        outputs=100,
        slope=0.2,
        init_std=0.01,
    ),
    generator=GeneratorSpec(
        latent_dim=50,
        base=(128, 4, 4),
        deconvs=(Deconv(64, 4, (8, 8)), Deconv(1, 4, (16, 16))),
        slope=0.2,
        batch_norm=True,
        init_std=0.005,
    ),
    plan=coopnets.Plan(
        iterations=5_000,
        batch_size=64,
        chains=64,
        revision_steps=10,
        step_size=0.002,
        reference_std=0.016,
        noise_std=0.3,
        descriptor_update=Adam(lr=0.007, lr_final=0.00035),
        generator_update=Adam(lr=1e-3, lr_final=5e-5),
        ema_decay=0.99,
    ),
    checkpoint_every=1000,
    picture_every=500,
    sources={
        "data": "bundled: UCI optical digits, 8x8, enlarged to 16x16",
        "descriptor": "§4.4 with half the channels",
        "generator": "§4.4 without its last doubling, a quarter of the channels, half the latents",
        "plan": "as coopnets/mnist, with smaller batches, fewer iterations and a shorter average of weights",
    },
    deviations=(
        "A demonstration: small networks, 1 500 training images, a few minutes. No figure of the paper applies.",
    ),
)
