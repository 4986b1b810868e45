"""From a recipe to a learner: the right algorithm, the same weights everywhere, and an honest estimate of memory."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from tiny_recipes import same, tiny
from tutelage.baselines.adversarial import Adversarial
from tutelage.baselines.deep_directed import DeepDirected
from tutelage.baselines.energy_based import Autoencoder
from tutelage.baselines.flow_matching import FlowMatching
from tutelage.baselines.information import Coded, Reader
from tutelage.baselines.texture_nets import TextureNet
from tutelage.baselines.vae import Vae
from tutelage.checks import InputError
from tutelage.learn.algorithm_d import AlgorithmD
from tutelage.learn.algorithm_g import AlgorithmG
from tutelage.learn.coopnets import CoopNets
from tutelage.nets import Classifier, Descriptor
from tutelage.recipes import Recipe, codec
from tutelage.recipes.algorithm import algorithm_of
from tutelage.rng import stream
from tutelage.run.build import build, parameter_counts
from tutelage.run.estimate import estimated_bytes

LEARNERS = {
    "coopnets/mnist": CoopNets,
    "descriptor/mnist": AlgorithmD,
    "generator/mnist": AlgorithmG,
    "vae/mnist": Vae,
    "flow-matching/mnist": FlowMatching,
    "deep-directed/mnist": DeepDirected,
}
# 3x3 to 4 maps of 4x4, then 3 outputs; 3 latents to 4 maps of 2x2, then 3 maps, then 1, with a shift for every map
DESCRIPTOR = 3 * 3 * 4 + 4 + 4 * 4 * 4 * 3 + 3
GENERATOR = 3 * 4 * 2 * 2 + 4 * 4 * (4 * 3 + 3 * 1) + (4 + 3 + 1)


@pytest.mark.parametrize("name", LEARNERS)
def test_the_plan_chooses_the_learner(name: str) -> None:
    recipe = tiny(name)
    learner: Any = build(recipe, observations=7)
    assert type(learner) is LEARNERS[name] and learner.plan == recipe.plan
    state = learner.init(stream(0, "learn"))
    if name == "descriptor/mnist":
        assert state.chains.shape == (4, 1, 8, 8)
    elif name == "flow-matching/mnist":
        assert learner.shape == (1, 8, 8)
    else:
        assert learner.latent_shape == (3,)
    if name == "generator/mnist":
        assert state.latents.shape == (7, 3)


GAMES = {
    "dcgan/mnist": (Classifier, "DCGAN"),
    "wgan/mnist": (Classifier, "WGAN"),
    "wgan-gp/mnist": (Descriptor, "WGAN-GP"),
    "ebgan/mnist": (Autoencoder, "EBGAN-PT"),
    "infogan/mnist": (Reader, "InfoGAN"),
}


@pytest.mark.parametrize("name", GAMES)
def test_the_objective_chooses_the_discriminator(name: str) -> None:
    recipe, (network, called) = tiny(name), GAMES[name]
    learner: Any = build(recipe, 7)
    assert type(learner) is Adversarial and type(learner.discriminator) is network
    assert algorithm_of(recipe.plan) == called and learner.latent_shape == (3,)
    assert isinstance(learner.generator, Coded) == (name == "infogan/mnist")
    assert estimated_bytes(recipe, 7) > 0


def test_an_autoencoder_decodes_by_weights_of_its_own() -> None:
    learner: Any = build(tiny("ebgan/mnist"), 7)
    assert learner.discriminator.decoder.spec == learner.generator.spec
    assert not torch.equal(learner.discriminator.decoder.first, learner.generator.first)
    without = tiny("ebgan/mnist", {"plan.objective.pulling_away": 0.0})
    assert algorithm_of(without.plan) == "EBGAN"


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("dcgan/mnist", "classifier"),
        ("infogan/mnist", "classifier"),
        ("wgan/mnist", "classifier"),
        ("wgan-gp/mnist", "descriptor"),
        ("ebgan/mnist", "descriptor"),
        ("dcgan/mnist", "generator"),
    ],
)
def test_a_game_without_a_player_is_refused(name: str, network: str) -> None:
    with pytest.raises(InputError, match=f"recipe {name} has no {network}; its algorithm needs one"):
        replace(tiny(name), **{network: None})


def test_a_critic_that_is_clipped_may_be_a_descriptor_and_one_with_a_penalty_no_classifier() -> None:
    of_two: dict[str, Any] = {"descriptor": tiny("wgan-gp/mnist").descriptor, "classifier": None}
    learner: Any = build(replace(tiny("wgan/mnist"), **of_two), 7)
    assert type(learner) is Adversarial and type(learner.discriminator) is Descriptor
    with pytest.raises(InputError, match="recipe wgan-gp/mnist has no descriptor; its algorithm needs one"):
        replace(tiny("wgan-gp/mnist"), descriptor=None, classifier=tiny("wgan/mnist").classifier)


def test_an_encoder_with_outputs_to_sum_is_refused() -> None:
    with pytest.raises(InputError, match=r"descriptor is EBGAN's encoder.* no outputs.*set descriptor\.outputs=none"):
        tiny("ebgan/mnist", {"descriptor.outputs": 3})


def test_codes_that_do_not_fit_the_latents_are_refused() -> None:
    with pytest.raises(InputError, match=r"latents of shape \[3\] and the codes are 4"):
        build(tiny("infogan/mnist", {"plan.objective.numbers": 2}), 7)


@pytest.mark.usefixtures("bfloat16")
def test_weights_follow_the_seed_and_nothing_else() -> None:
    def weights(**changes: Any) -> dict[str, Any]:
        learner: Any = build(tiny("coopnets/mnist", changes), 7)
        return {"descriptor": learner.descriptor.state_dict(), "generator": learner.generator.state_dict()}

    assert same(weights(), weights(precision="bfloat16"))
    other = weights(seed=1)
    assert not torch.equal(weights()["descriptor"]["top"], other["descriptor"]["top"])
    assert not torch.equal(weights()["generator"]["first"], other["generator"]["first"])
    alone: Any = build(tiny("generator/mnist"), 7)
    assert same(alone.generator.state_dict(), weights()["generator"])


def dtypes_of(precision: str) -> set[torch.dtype]:
    learner: Any = build(tiny("coopnets/mnist", {"precision": precision}), 7)
    return {learner.descriptor.dtype_of_convs, learner.generator.dtype_of_convs}


@pytest.mark.usefixtures("bfloat16")
def test_the_precision_reaches_both_networks() -> None:
    assert (dtypes_of("float32"), dtypes_of("bfloat16")) == ({torch.float32}, {torch.bfloat16})


def test_labels_are_where_the_network_is() -> None:
    learner: Any = build(tiny("classifier/mnist"), 10, "meta", labels=torch.arange(10, dtype=torch.uint8))
    assert learner.labels.device.type == "meta" and learner.labels.dtype == torch.int64


def test_float32_is_float32_on_a_gpu_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    dtypes_of("float32")
    assert torch.backends.cudnn.allow_tf32 is False


def test_a_processor_without_bfloat16_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False})
    assert dtypes_of("bfloat16") == {torch.float32}


def test_parameters_are_counted() -> None:
    assert parameter_counts(tiny("coopnets/mnist")) == {"descriptor": DESCRIPTOR, "generator": GENERATOR}
    assert parameter_counts(tiny("descriptor/mnist")) == {"descriptor": DESCRIPTOR}
    assert parameter_counts(tiny("generator/mnist")) == {"generator": GENERATOR}
    # three more outputs; a scale for every map of a batch norm, and a bias for every pixel
    assert parameter_counts(tiny("vae/mnist")) == {"encoder": DESCRIPTOR + 3 * 4 * 4 * 4 + 3, "generator": GENERATOR}
    experts = {"descriptor": DESCRIPTOR + 8 * 8, "generator": GENERATOR + 4 + 3}
    assert parameter_counts(tiny("deep-directed/mnist")) == experts


def test_a_plan_without_its_network_is_refused() -> None:
    recipe = tiny("coopnets/mnist")
    object.__setattr__(recipe, "generator", None)
    with pytest.raises(InputError, match="recipe coopnets/mnist has no network for its plan"):
        build(recipe, 7)


@pytest.mark.parametrize("name", ["coopnets/mnist", "descriptor/mnist"])
def test_slopes_that_are_differentiated_need_memory(name: str) -> None:
    plain, steep = (
        estimated_bytes(tiny(name, {"plan.chains": 1000, "plan.batch_size": 1000, "plan.gradient_penalty": of}), 7)
        for of in (0.0, 1.0)
    )
    assert steep > plain + 2000 * 4 * 64, "at least a gradient for each pixel"


def test_memory_grows_with_the_chains_and_the_batch() -> None:
    def estimate(chains: int, batch_size: int) -> int:
        return estimated_bytes(tiny("coopnets/mnist", {"plan.chains": chains, "plan.batch_size": batch_size}), 7)

    small, one_more, many = estimate(1000, 1000), estimate(1001, 1000), estimate(1100, 1000)
    assert many - small == pytest.approx(100 * (one_more - small), rel=0.01)
    assert estimate(1000, 1100) == many
    # what one image leaves behind for the descriptor's gradient: at least itself and its maps
    assert one_more - small >= 4 * (64 + 64)


def test_memory_counts_the_images_and_the_latents_of_each() -> None:
    recipe = tiny("generator/mnist")
    more = estimated_bytes(recipe, 10_007) - estimated_bytes(recipe, 7)
    image = recipe.data.size[0] * recipe.data.size[1]
    # the latents once, and twice more while a checkpoint is written
    assert more == 10_000 * (image + 3 * 3 * 4)


def test_networks_that_are_differentiated_through_together_are_counted_together() -> None:
    """A large batch of a VAE keeps what its encoder and its generator keep; an estimate of a field is there at all."""

    def grown(name: str, *sizes: str) -> float:
        small, large = (estimated_bytes(tiny(name, dict.fromkeys(sizes, n)), 7) for n in (1000, 1100))
        return (large - small) / 100

    generator = grown("generator/mnist", "plan.batch_size")
    assert grown("vae/mnist", "plan.batch_size") > generator + 4 * 64
    assert grown("deep-directed/mnist", "plan.batch_size") > generator
    assert grown("flow-matching/mnist", "plan.batch_size") > 4 * 64 * 4


def test_a_texture_net_has_the_noise_of_its_scales_or_of_a_plain_generator() -> None:
    recipe = tiny("texture-nets/quick")
    learner: Any = build(recipe, 7)
    assert type(learner) is TextureNet and learner.latent_shape == (3 + 12, 4, 4)
    assert algorithm_of(recipe.plan) == "Texture net" and estimated_bytes(recipe, 7) > 0
    plain: Any = build(replace(recipe, generator=tiny("dcgan/mnist").generator), 7)
    assert plain.latent_shape == (3,)
    assert codec.decode(Recipe, json.loads(json.dumps(codec.encode(recipe)))) == recipe
