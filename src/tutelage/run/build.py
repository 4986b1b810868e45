"""From a recipe to a learner: one ``match`` over the Plans."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from ..baselines import adversarial, deep_directed, flow_matching, texture_nets, vae
from ..baselines.energy_based import Autoencoder
from ..baselines.information import Coded, Reader
from ..checks import InputError
from ..data import ImageSet
from ..learn import algorithm_d, algorithm_g, coopnets, igm, supervised
from ..learn.negatives import InMemory
from ..nets import (
    Classifier,
    Descriptor,
    DescriptorSpec,
    Encoder,
    Experts,
    Generator,
    GeneratorSpec,
    Pyramid,
    PyramidSpec,
    Recogniser,
    Velocity,
    VideoDescriptor,
    VideoDescriptorSpec,
    VideoGenerator,
    VideoGeneratorSpec,
)
from ..nets.blocks import Precision, arithmetic
from ..recipes import Recipe
from ..rng import stream
from ..tf32 import no_tf32
from ..types import Learner
from .rounds import OnDisk


def build(
    recipe: Recipe,
    observations: int,
    device: torch.device | str = "cpu",
    path: Path | None = None,
    initial: torch.Tensor | None = None,
    labels: torch.Tensor | None = None,
    precision: Precision | None = None,
) -> Learner[Any]:
    """The learner of ``recipe`` on a data set of ``observations`` images, its networks on ``device``.

    ``path`` is the run folder, for learners that keep rounds there (None: in memory); ``initial`` the
    negatives that an introspective model begins with (None: noise); ``labels`` the classes of the images, for learning
    with them (None: it is not gone on with). Weights are drawn on the CPU from the recipe's seed, so that they are the
    same on every device.

    Layers compute in ``precision`` (None: what `tutelage.nets.arithmetic` says of the recipe's); on a GPU this
    process's convolutions in float32 no longer round to TF32.

    Raises ``InputError`` where the recipe lacks a network, or ``initial`` or ``labels`` do not fit.
    """
    precision = precision or arithmetic(recipe.precision, device)
    no_tf32()  # whatever the device: a network may be moved
    descriptor = generator = classifier = recogniser = None
    if recipe.descriptor is not None:
        descriptor = _descriptor(recipe.descriptor, recipe.seed, precision).to(device)
    if recipe.generator is not None:
        generator = _generator(recipe.generator, recipe.seed, precision).to(device)
    if recipe.classifier is not None:
        classifier = Classifier(recipe.classifier, stream(recipe.seed, "init", "classifier"), precision).to(device)
    if recipe.recogniser is not None:
        recogniser = Recogniser(recipe.recogniser, stream(recipe.seed, "init", "recogniser"), precision).to(device)
    match recipe.plan, descriptor, generator, classifier:
        case coopnets.Plan() as plan, Descriptor() | VideoDescriptor(), Generator() | VideoGenerator(), _:
            return coopnets.CoopNets(plan, descriptor, generator, generator.spec.latent_shape)
        case algorithm_d.Plan() as plan, Descriptor() | VideoDescriptor(), _, _:
            return algorithm_d.AlgorithmD(plan, descriptor, descriptor.spec.shape)
        case algorithm_g.Plan() as plan, _, Generator() | VideoGenerator(), _:
            return algorithm_g.AlgorithmG(plan, generator, generator.spec.latent_shape, observations)
        case igm.Plan() as plan, _, _, Classifier():
            shape = recipe.data.shape
            store = InMemory() if path is None else OnDisk(path, device)
            return igm.Igm(plan, classifier, shape, classifier.spec.shape[1:], store, initial)
        case supervised.Plan() as plan, _, _, _ if recogniser is not None:
            if labels is not None:
                supervised.check_labels(labels, observations, recogniser.spec.classes)
                labels = labels.to(device, torch.long)
            return supervised.Supervised(plan, recogniser, labels)
        case vae.Plan() as plan, _, Generator(), _ if recipe.encoder is not None:
            encoder = Encoder(recipe.encoder, stream(recipe.seed, "init", "encoder"), precision).to(device)
            return vae.Vae(plan, encoder, generator, generator.spec.latent_shape)
        case flow_matching.Plan() as plan, _, _, _ if recipe.velocity is not None:
            velocity = Velocity(recipe.velocity, stream(recipe.seed, "init", "velocity"), precision).to(device)
            return flow_matching.FlowMatching(plan, velocity, velocity.spec.shape)
        case deep_directed.Plan() as plan, _, Generator(), _ if isinstance(recipe.descriptor, DescriptorSpec):
            experts = Experts(recipe.descriptor, stream(recipe.seed, "init", "descriptor"), precision)
            return deep_directed.DeepDirected(plan, experts.to(device), generator, generator.spec.latent_shape)
        case texture_nets.Plan() as plan, _, Generator() | Pyramid(), _:
            return texture_nets.TextureNet(plan, generator, generator.spec.latent_shape)
        case adversarial.Plan(objective=adversarial.NonSaturating()) as plan, _, Generator(), Classifier():
            return adversarial.Adversarial(plan, classifier, generator, generator.spec.latent_shape)
        case adversarial.Plan(objective=adversarial.Wasserstein()) as plan, Descriptor(), Generator(), _:
            return adversarial.Adversarial(plan, descriptor, generator, generator.spec.latent_shape)
        case adversarial.Plan(objective=adversarial.Wasserstein()) as plan, None, Generator(), Classifier():
            return adversarial.Adversarial(plan, classifier, generator, generator.spec.latent_shape)
        case adversarial.Plan(objective=adversarial.EnergyBased()) as plan, Descriptor(), Generator(), _:
            decoder = Generator(generator.spec, stream(recipe.seed, "init", "decoder"), precision)
            values, shape = math.prod(descriptor.spec.top_shape), generator.spec.latent_shape
            autoencoder = Autoencoder(descriptor, decoder, values, shape, stream(recipe.seed, "init", "encoder"))
            return adversarial.Adversarial(plan, autoencoder.to(device), generator, shape)
        case adversarial.Plan(objective=adversarial.Information() as objective) as plan, _, Generator(), Classifier():
            values = math.prod(classifier.spec.map_shapes[-1])
            reader = Reader(classifier, values, objective.codes, stream(recipe.seed, "init", "reader"))
            coded = Coded(generator, objective, generator.spec.latent_shape)
            return adversarial.Adversarial(plan, reader.to(device), coded, generator.spec.latent_shape)
        case _:
            raise InputError(f"recipe {recipe.name} has no network for its plan; give the networks its algorithm needs")


def _descriptor(
    spec: DescriptorSpec | VideoDescriptorSpec, seed: int, precision: Precision
) -> Descriptor | VideoDescriptor:
    rng = stream(seed, "init", "descriptor")
    if isinstance(spec, VideoDescriptorSpec):
        return VideoDescriptor(spec, rng, precision)
    return Descriptor(spec, rng, precision)


def _generator(
    spec: GeneratorSpec | PyramidSpec | VideoGeneratorSpec, seed: int, precision: Precision
) -> Generator | Pyramid | VideoGenerator:
    rng = stream(seed, "init", "generator")
    if isinstance(spec, VideoGeneratorSpec):
        return VideoGenerator(spec, rng, precision)
    if isinstance(spec, PyramidSpec):
        return Pyramid(spec, rng, precision)
    return Generator(spec, rng, precision)


def give_mean_frame(learner: Learner[Any], observed: ImageSet) -> None:
    """Before it learns: networks of videos that see or make them around a mean frame are given that of ``observed``.
    Checkpoints keep it."""
    networks = [getattr(learner, name, None) for name in ("descriptor", "generator")]
    of_videos = [network for network in networks if isinstance(network, VideoDescriptor | VideoGenerator)]
    around = [network for network in of_videos if network.spec.around_mean_frame]
    if around:
        means = [observed.batch(slice(i, i + 1)).mean((0, 2), dtype=torch.float32) for i in range(len(observed))]
        for network in around:
            network.set_mean_frame(torch.stack(means).mean(0))


_NETWORKS = ("descriptor", "generator", "classifier", "recogniser", "encoder", "velocity", "discriminator")


def parameter_counts(recipe: Recipe) -> dict[str, int]:
    """Learnable parameters of each network of ``recipe``."""
    learner = build(recipe, 1)
    networks = {name: getattr(learner, name, None) for name in _NETWORKS}
    return {
        name: sum(parameter.numel() for parameter in network.parameters())
        for name, network in networks.items()
        if network is not None
    }
