"""Algorithms D and G, CoopNets and IGM on a plain tensor of images, with networks of your own, ten lines each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tutelage import data
from tutelage.learn import algorithm_d, algorithm_g, coopnets, igm
from tutelage.learn.negatives import InMemory
from tutelage.learn.updates import Adam
from tutelage.rng import stream
from tutelage.sample import Ascent, CrossEntropyRule
from tutelage.types import Batch

SHAPE, LATENTS = (1, 8, 8), (4,)
CHAINS = {"batch_size": 16, "chains": 16, "revision_steps": 10, "step_size": 0.1, "reference_std": 0.5}


def potential() -> nn.Module:
    """Images ``[B, 1, 8, 8]`` to one number each, ``[B]``: a descriptor's f, or a classifier's logit."""
    return nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.SiLU(), nn.Flatten(), nn.Linear(256, 1), nn.Flatten(0))


def generator() -> nn.Module:
    """Latents ``[B, 4]`` to images ``[B, 1, 8, 8]`` in (-1, 1)."""
    return nn.Sequential(nn.Linear(*LATENTS, 64), nn.SiLU(), nn.Linear(64, 64), nn.Tanh(), nn.Unflatten(1, SHAPE))


def learned(learner, images: Tensor, steps: int, rng: torch.Generator):
    """The state after so many steps, each on 16 images drawn at random."""
    state = learner.init(rng)
    for _ in range(steps):
        state, _ = learner.step(state, drawn(images, rng), rng)
    return learner.finish(state, rng)


def drawn(images: Tensor, rng: torch.Generator) -> Batch:
    indices = torch.randint(len(images), (16,), generator=rng)
    return Batch(images[indices], indices)


def by_descriptor(images: Tensor, steps: int, rng: torch.Generator) -> Tensor:
    plan = algorithm_d.Plan(iterations=steps, update=Adam(1e-3), **CHAINS)
    learner = algorithm_d.AlgorithmD(plan, potential(), SHAPE)
    return learner.sample(learned(learner, images, steps, rng), 8, rng)["descriptor"]


def by_generator(images: Tensor, steps: int, rng: torch.Generator) -> Tensor:
    plan = algorithm_g.Plan(
        iterations=steps, batch_size=16, inference_steps=10, latent_step_size=0.1, noise_std=0.3, update=Adam(1e-3)
    )
    learner = algorithm_g.AlgorithmG(plan, generator(), LATENTS, observations=len(images))
    return learner.sample(learned(learner, images, steps, rng), 8, rng)["generator"]


def by_both(images: Tensor, steps: int, rng: torch.Generator) -> Tensor:
    rates = {"descriptor_update": Adam(1e-3), "generator_update": Adam(1e-3)}
    plan = coopnets.Plan(iterations=steps, noise_std=0.3, **rates, **CHAINS)
    learner = coopnets.CoopNets(plan, potential(), generator(), LATENTS)
    return learner.sample(learned(learner, images, steps, rng), 8, rng)["descriptor"]


def by_introspection(images: Tensor, steps: int, rng: torch.Generator) -> Tensor:
    plan = igm.Plan(
        rounds=2,
        batch_size=16,
        negatives_per_round=16,
        patches=None,
        patches_per_image=None,
        update=Adam(1e-2),
        kernel=Ascent(0.05),
        stop=CrossEntropyRule(0.62),
        classified=0.2,
        classification_steps=steps,
        synthesis_steps=50,
        synthesis_batch=16,
    )
    learner = igm.Igm(plan, potential(), SHAPE, SHAPE[1:], InMemory())  # on disk: tutelage.run.rounds.OnDisk
    state = learner.init(rng)
    while state.ended is None:
        state, _ = learner.step(state, drawn(images, rng), rng)
    return learner.sample(state, 8, rng)["cascade"]


def main(steps: int = 20) -> None:
    images = data.digits((8, 8)).train.batch(slice(0, 200))  # any float tensor [N, C, H, W] in [-1, 1]
    for algorithm in (by_descriptor, by_generator, by_both, by_introspection):
        made = algorithm(images, steps, stream(0, algorithm.__name__))
        print(f"{algorithm.__name__}: {list(made.shape)}, pixels of mean {made.mean():.2f} and std {made.std():.2f}")


if __name__ == "__main__":
    main()
