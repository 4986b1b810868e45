"""A recipe: data, networks and plan of one experiment, with where each number came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ..baselines import adversarial, deep_directed, flow_matching, texture_nets, vae
from ..checks import InputError
from ..data import DataSpec
from ..learn import algorithm_d, algorithm_g, coopnets, igm, supervised
from ..nets import (
    ClassifierSpec,
    DescriptorSpec,
    GeneratorSpec,
    PyramidSpec,
    RecogniserSpec,
    VelocitySpec,
    VideoDescriptorSpec,
    VideoGeneratorSpec,
)
from ..nets.blocks import Precision, compute_dtype

Plan: TypeAlias = (
    coopnets.Plan
    | algorithm_d.Plan
    | algorithm_g.Plan
    | igm.Plan
    | supervised.Plan
    | vae.Plan
    | flow_matching.Plan
    | deep_directed.Plan
    | adversarial.Plan
    | texture_nets.Plan
)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a run computes, but the machine it runs on.

    ``precision`` is that of the layers' arithmetic; weights, images and chains are float32. ``seed`` decides every
    random number. ``checkpoint_every``, ``keep_every`` (checkpoints that are never pruned; None: only the
    latest are kept) and ``picture_every`` are in iterations; a checkpoint that takes seconds waits for a pause of ten
    times as long, unless it is one to keep. ``sources`` says where each number came from,
    ``deviations`` where it is not the paper's.

    Raises ``InputError`` where the parts do not fit each other.
    """

    name: str
    data: DataSpec
    plan: Plan
    descriptor: DescriptorSpec | VideoDescriptorSpec | None = None
    generator: GeneratorSpec | PyramidSpec | VideoGeneratorSpec | None = None
    classifier: ClassifierSpec | None = None
    recogniser: RecogniserSpec | None = None
    encoder: DescriptorSpec | None = None
    velocity: VelocitySpec | None = None
    seed: int = 0
    precision: Precision = "bfloat16"
    checkpoint_every: int = 500
    keep_every: int | None = None
    picture_every: int = 500
    sources: Mapping[str, str] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        compute_dtype(self.precision)
        # the discriminator of an adversarial game is a descriptor or a classifier, whichever its paper's is most like
        objective = getattr(self.plan, "objective", None)
        wasserstein = isinstance(objective, adversarial.Wasserstein)
        clipped = wasserstein and objective.gradient_penalty is None
        critic_is_classifier = clipped and self.descriptor is None  # else it is a descriptor
        needs_descriptor = (
            isinstance(self.plan, coopnets.Plan | algorithm_d.Plan | deep_directed.Plan)
            or isinstance(objective, adversarial.EnergyBased)
            or (wasserstein and not critic_is_classifier)
        )
        needs_generator = isinstance(
            self.plan,
            coopnets.Plan | algorithm_g.Plan | vae.Plan | deep_directed.Plan | adversarial.Plan | texture_nets.Plan,
        )
        needs_classifier = (
            isinstance(self.plan, igm.Plan)
            or isinstance(objective, adversarial.NonSaturating | adversarial.Information)
            or critic_is_classifier
        )
        for name, spec, needed in (
            ("descriptor", self.descriptor, needs_descriptor),
            ("generator", self.generator, needs_generator),
            ("classifier", self.classifier, needs_classifier),
            ("recogniser", self.recogniser, isinstance(self.plan, supervised.Plan)),
            ("encoder", self.encoder, isinstance(self.plan, vae.Plan)),
            ("velocity", self.velocity, isinstance(self.plan, flow_matching.Plan)),
        ):
            if needed and spec is None:
                raise InputError(f"recipe {self.name} has no {name}; its algorithm needs one")
            shape = self.data.shape
            in_patches = isinstance(self.plan, igm.Plan) and self.plan.patches is not None
            if in_patches and spec is not None:
                _check_patches(self.name, spec.shape, shape)
            elif spec is not None and spec.shape != shape:
                raise InputError(
                    f"recipe {self.name}: the {name} is made for images of {spec.shape} (channels, "
                    f"{'frames, ' if self.data.frames else ''}height, width), the data are {shape}; change one of them"
                )
        if self.data.frames is not None and not isinstance(
            self.plan, coopnets.Plan | algorithm_d.Plan | algorithm_g.Plan
        ):
            raise InputError(
                f"recipe {self.name} learns from a video by an algorithm that has no networks of videos; take a plan "
                "of CoopNets, Algorithm D or Algorithm G, or pictures"
            )
        if self.encoder is not None and isinstance(self.generator, GeneratorSpec):
            wanted = 2 * self.generator.latent_dim
            if self.encoder.outputs != wanted or self.generator.base is None:
                raise InputError(
                    f"recipe {self.name}: the encoder has {self.encoder.outputs} outputs; a generator of "
                    f"{self.generator.latent_dim} latents needs {wanted}, and a base for latent vectors: change them"
                )
        outputs = getattr(self.descriptor, "outputs", None)
        if isinstance(objective, adversarial.EnergyBased) and outputs is not None:
            raise InputError(
                f"recipe {self.name}: the descriptor is EBGAN's encoder, from whose last map a code is made, and needs "
                f"no outputs, not {outputs}; set descriptor.outputs=none"
            )
        kernel = getattr(self.plan, "kernel", self.plan)
        if getattr(kernel, "metropolis", False) and self.precision != "float32":
            raise InputError(
                f"recipe {self.name} asks for a Metropolis correction with precision {self.precision}, in which "
                "energies carry three digits; set precision=float32"
            )
        if isinstance(self.plan, algorithm_d.Plan) and self.plan.start == "given":
            raise InputError(
                f"recipe {self.name} starts its chains from given images, which a recipe cannot hold; choose "
                "start=noise, zeros or data, or give them to learn.algorithm_d.AlgorithmD from Python"
            )
        if isinstance(self.plan, algorithm_g.Plan) and self.data.flip:
            raise InputError(
                f"recipe {self.name} mirrors images at random, but Algorithm G keeps latents for each image as it is; "
                "set data.flip=false"
            )
        around = any(getattr(spec, "around_mean_frame", False) for spec in (self.descriptor, self.generator))
        if around and self.data.flip:
            raise InputError(
                f"recipe {self.name} mirrors clips at random, and its networks have the mean frame of the clip as it "
                "is; set data.flip=false"
            )
        for name in ("checkpoint_every", "picture_every", "keep_every"):
            every = getattr(self, name)
            if every is not None and every < 1:
                raise InputError(f"{name} is {every}; it needs to be 1 or more iterations")


def _check_patches(recipe: str, patch: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if patch[0] != shape[0] or any(part > whole for part, whole in zip(patch[1:], shape[1:], strict=True)):
        raise InputError(
            f"recipe {recipe}: the classifier takes patches of {patch} (channels, height, width), the data are "
            f"{shape}; patches need the same channels and cannot be larger: change one of them"
        )
