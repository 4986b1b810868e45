"""From a recipe to a learner: one ``match`` over the Plans."""

from __future__ import annotations

from typing import Any

import torch

from ..checks import InputError
from ..learn import algorithm_d, algorithm_g, coopnets
from ..nets import Descriptor, Generator
from ..recipes import Recipe
from ..rng import stream
from ..types import Learner


def build(recipe: Recipe, observations: int, device: torch.device | str = "cpu") -> Learner[Any]:
    """The learner of ``recipe`` on a data set of ``observations`` images, its networks on ``device``.

    Weights are drawn on the CPU from the recipe's seed, so that they are the same on every device.
    """
    descriptor = generator = None
    if recipe.descriptor is not None:
        descriptor = Descriptor(recipe.descriptor, stream(recipe.seed, "init", "descriptor"), recipe.precision).to(
            device
        )
    if recipe.generator is not None:
        generator = Generator(recipe.generator, stream(recipe.seed, "init", "generator"), recipe.precision).to(device)
    match recipe.plan, descriptor, generator:
        case coopnets.Plan() as plan, Descriptor(), Generator():
            return coopnets.CoopNets(plan, descriptor, generator, generator.spec.latent_shape)
        case algorithm_d.Plan() as plan, Descriptor(), _:
            return algorithm_d.AlgorithmD(plan, descriptor, descriptor.spec.shape)
        case algorithm_g.Plan() as plan, _, Generator():
            return algorithm_g.AlgorithmG(plan, generator, generator.spec.latent_shape, observations)
        case _:
            raise InputError(f"recipe {recipe.name} has no network for its plan; give the networks its algorithm needs")


def parameter_counts(recipe: Recipe) -> dict[str, int]:
    """Learnable parameters of each network of ``recipe``."""
    learner = build(recipe, 1)
    networks = {name: getattr(learner, name, None) for name in ("descriptor", "generator")}
    return {
        name: sum(parameter.numel() for parameter in network.parameters())
        for name, network in networks.items()
        if network is not None
    }
