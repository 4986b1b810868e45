"""From a recipe to a learner: one ``match`` over the Plans."""

from __future__ import annotations

import math
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
            return coopnets.CoopNets(plan, descriptor, generator, (generator.spec.latent_dim,))
        case algorithm_d.Plan() as plan, Descriptor(), _:
            return algorithm_d.AlgorithmD(plan, descriptor, descriptor.spec.shape)
        case algorithm_g.Plan() as plan, _, Generator():
            return algorithm_g.AlgorithmG(plan, generator, (generator.spec.latent_dim,), observations)
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


def estimated_bytes(recipe: Recipe, observations: int) -> int:
    """Peak memory of learning from ``observations`` images, estimated.

    On top of it come the interpreter and its libraries, about 300 MB. The state is counted, with two moments
    and a gradient for each parameter, and twice more while a checkpoint is written. What automatic
    differentiation keeps is measured on a few images, for each network; the two networks take turns, and the
    descriptor sees observed and revised images at once. The images are counted as bytes, memory-mapped.
    """
    learner = build(recipe, observations)
    rng = stream(recipe.seed, "estimate")
    state = learner.init(rng)
    chains = getattr(recipe.plan, "chains", recipe.plan.batch_size)
    kept, gradients, activations = _bytes_of(learner.state_dict(state)), 0, 0
    for name, images in (("descriptor", chains + recipe.plan.batch_size), ("generator", chains)):
        network = getattr(state, name, None)
        if network is not None:
            parameters = _bytes_of(list(network.parameters()))
            kept += 2 * parameters
            gradients += parameters
            few, more = (_kept_for_gradients(network, _inputs(recipe, name, count, rng)) for count in (2, 4))
            activations = max(activations, (more - few) // 2 * images)
    pixels = observations * recipe.data.channels * math.prod(recipe.data.size)
    return pixels + kept + gradients + max(activations, 2 * kept)


def _inputs(recipe: Recipe, network: str, count: int, rng: torch.Generator) -> torch.Tensor:
    if network == "generator" and recipe.generator is not None:
        return torch.randn(count, recipe.generator.latent_dim, generator=rng)
    return torch.zeros(count, recipe.data.channels, *recipe.data.size)


def _kept_for_gradients(network: torch.nn.Module, inputs: torch.Tensor) -> int:
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = network(inputs)
    del result
    return sum(kept.values())


def _bytes_of(nested: Any) -> int:
    if isinstance(nested, torch.Tensor):
        return nested.numel() * nested.element_size()
    if isinstance(nested, dict):
        return sum(_bytes_of(value) for value in nested.values())
    if isinstance(nested, list | tuple):
        return sum(_bytes_of(value) for value in nested)
    return 0
