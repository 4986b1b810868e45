"""From a recipe to a learner: one ``match`` over the Plans."""

from __future__ import annotations

from typing import Any

import torch

from ..checks import InputError
from ..learn import algorithm_d, algorithm_g, coopnets
from ..nets import Descriptor, Generator
from ..recipes import Recipe
from ..rng import stream
from ..types import Images, Learner


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
    """Peak memory of learning, estimated: what one iteration leaves behind, and what it holds meanwhile.

    States are counted; activations are measured by running one iteration on two images in float32 and
    counting what automatic differentiation keeps. The interpreter and its libraries come on top (about 400 MB).
    """
    learner = build(recipe, observations)
    rng = stream(recipe.seed, "estimate")
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    probe = 2
    images = torch.zeros(probe, recipe.data.channels, *recipe.data.size)
    state = learner.init(rng)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        _one_gradient(state, images, rng)
    chains = getattr(recipe.plan, "chains", 0)
    per_image = sum(kept.values()) / probe
    return int(_state_bytes(learner.state_dict(state)) * 2 + per_image * (chains + recipe.plan.batch_size))


def _one_gradient(state: Any, images: Images, rng: torch.Generator) -> None:
    for name in ("descriptor", "generator"):
        network = getattr(state, name, None)
        if isinstance(network, Generator):
            network.eval()(torch.randn(len(images), network.spec.latent_dim, generator=rng)).sum().backward()
        elif network is not None:
            network(images).sum().backward()


def _state_bytes(nested: Any) -> int:
    if isinstance(nested, torch.Tensor):
        return nested.numel() * nested.element_size()
    if isinstance(nested, dict):
        return sum(_state_bytes(value) for value in nested.values())
    if isinstance(nested, list | tuple):
        return sum(_state_bytes(value) for value in nested)
    return 0
