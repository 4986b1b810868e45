"""Each recipe says where its numbers come from, and builds the networks it promises."""

import dataclasses
from typing import Any

import pytest

from tutelage.checks import InputError
from tutelage.learn import algorithm_d
from tutelage.recipes import RECIPES, Recipe, by_name
from tutelage.recipes.adversarial import ADVERSARIAL
from tutelage.recipes.demo import DEMO
from tutelage.run.build import build, parameter_counts

EVERY = pytest.mark.parametrize("recipe", [*RECIPES, DEMO], ids=lambda recipe: recipe.name)
PUBLISHED = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)

NETWORKS = ("descriptor", "generator", "classifier", "recogniser", "encoder", "velocity")
# networks have tables of their own (tests/nets/test_presets.py); here is which recipe has which
MNIST_D, MNIST_G, DCGAN = 1_066_532, 3_443_585, 5_125_763
QUICK_D, QUICK_G = 94_721, 797_441
QUICK_CIFAR_D, QUICK_CIFAR_G = 662_977, 798_019
COUNTS = {
    "coopnets/mnist": {"descriptor": MNIST_D, "generator": MNIST_G},
    "coopnets/mnist-quick": {"descriptor": QUICK_D, "generator": QUICK_G},
    "descriptor/mnist": {"descriptor": MNIST_D},
    "generator/mnist": {"generator": MNIST_G},
    "generator/mnist-quick": {"generator": QUICK_G},
    "coopnets/texture-quick": {"descriptor": 1_033_856, "generator": 1_131_651},
    "coopnets/texture224": {"descriptor": 737_600, "generator": 4_319_363},
    "coopnets/small-objects": {"descriptor": 298_178, "generator": 4_322_947},
    "coopnets/small-objects-quick": {"descriptor": 390_273, "generator": 436_099},
    "coopnets/object64": {"descriptor": 6_927_588, "generator": DCGAN},
    "coopnets/scene64": {"descriptor": 6_927_588, "generator": DCGAN},
    "coopnets/scene-quick": {"descriptor": 675_265, "generator": 804_739},
    "coopnets/cifar10": {"descriptor": 2_012_388, "generator": 1_438_851},
    "coopnets/cifar10-quick": {"descriptor": QUICK_CIFAR_D, "generator": QUICK_CIFAR_G},
    "coopnets/celeba128": {"descriptor": 26_588_388, "generator": DCGAN},
    "coopnets/lsun256": {"descriptor": 6_994_058, "generator": 17_413_763},
    "coopnets/faces64": {"descriptor": 1_953_330, "generator": DCGAN},
    "coopnets/faces64-quick": {"descriptor": 694_241, "generator": 1_497_075},
    "coopnets/faces64-quick-logistic": {"descriptor": 694_241, "generator": 1_497_075},
    "classifier/mnist": {"recogniser": 241_770},
    "igm/texture": {"classifier": 265_089},
    "igm/texture-medium": {"classifier": 1_087_745},
    "igm/texture-paper": {"classifier": 4_315_649},
    "igm/faces64": {"classifier": 4_315_649},
    "igm/svhn32": {"classifier": 4_309_505},
    "igm/cifar32": {"classifier": 4_309_505},
    "igm/mnist28": {"classifier": 4_306_305},
    "igm/faces64-quick": {"classifier": 1_082_625},
    "igm/svhn32-quick": {"classifier": 1_079_553},
    "igm/cifar32-quick": {"classifier": 1_079_553},
    "igm/mnist28-quick": {"classifier": 1_077_953},
}
COUNTS |= {
    "vae/mnist": {"generator": MNIST_G, "encoder": MNIST_D + 100 * (256 * 4 * 4 + 1)},
    "vae/mnist-quick": {"generator": QUICK_G, "encoder": QUICK_D + 199 * (128 * 4 * 4 + 1)},
    "vae/cifar10": {"generator": 1_438_851, "encoder": 2_012_388 + 100 * (256 * 8 * 8 + 1)},
    "vae/cifar10-quick": {"generator": QUICK_CIFAR_G, "encoder": QUICK_CIFAR_D + 199 * (256 * 4 * 4 + 1)},
    "vae/scene64": {"generator": DCGAN, "encoder": 6_927_588 + 100 * (256 * 16 * 16 + 1)},
    "vae/scene-quick": {"generator": 804_739, "encoder": 675_265 + 199 * (256 * 8 * 8 + 1)},
    "flow-matching/mnist": {"velocity": 887_713},
    "flow-matching/mnist-quick": {"velocity": 305_105},
    "flow-matching/cifar10": {"velocity": 3_135_043},
    "flow-matching/cifar10-quick": {"velocity": 888_867},
    "deep-directed/mnist": {"descriptor": MNIST_D + 28 * 28, "generator": MNIST_G + 512 + 256 + 128},
    "pcd/mnist": {"descriptor": MNIST_D},
    "pcd/mnist-quick": {"descriptor": QUICK_D},
    "dcgan/mnist": {"generator": MNIST_G, "discriminator": 661_313},
    "dcgan/mnist-quick": {"generator": QUICK_G, "discriminator": 166_817},
    "wgan/mnist": {"generator": MNIST_G, "discriminator": 661_313},
    "wgan/mnist-quick": {"generator": QUICK_G, "discriminator": 166_817},
    "wgan-gp/mnist": {"generator": MNIST_G, "discriminator": 660_929},
    "ebgan/mnist": {"generator": MNIST_G, "discriminator": 4_510_117},
    "infogan/mnist": {"generator": MNIST_G, "discriminator": 1_187_405},
    "dcgan/cifar10": {"generator": 1_438_851, "discriminator": 1_033_729},
    "wgan-gp/cifar10": {"generator": 1_438_851, "discriminator": 390_273},
    "dcgan/cifar10-quick": {"generator": QUICK_CIFAR_G, "discriminator": 1_033_729},
    "wgan-gp/cifar10-quick": {"generator": QUICK_CIFAR_G, "discriminator": QUICK_CIFAR_D},
    "dcgan/scene64": {"generator": DCGAN, "discriminator": 4_315_649},
    "dcgan/scene-quick": {"generator": 804_739, "discriminator": 1_082_625},
    "dcgan/faces64-quick": {"generator": 1_497_075, "discriminator": 1_082_625},
    "dcgan/texture-quick": {"generator": 1_131_651, "discriminator": 1_082_625},
    "texture-nets/quick": {"generator": 71_203},
    "video/dynamic-texture": {
        "descriptor": (120 * 3 * 125 + 120) + (30 * 120 * 5 * 64**2 + 30) + (10 * 30 * 5 + 10),
        "generator": (256 * 5 * 5 + 256) + (128 * 256 * 5 * 32**2 + 128) + (64 * 128 * 125 + 64) + (3 * 64 * 50 + 3),
    },
    "video/quick": {
        "descriptor": (32 * 3 * 75 + 32) + (20 * 32 * 5 * 32**2 + 20) + (20 * 5 + 1),
        "generator": (64 * 5 * 9 + 64) + (32 * 64 * 5 * 16**2 + 32) + (24 * 32 * 27 + 24) + (3 * 24 * 27 + 3),
    },
}
_CASCADES_ONLY = ("igm/texture-medium", "igm/texture-paper")
COUNTS |= {
    f"{name}-single": counts
    for name, counts in COUNTS.items()
    if name.startswith("igm/") and name not in _CASCADES_ONLY
}


def test_the_table_is_of_the_recipes() -> None:
    assert {recipe.name for recipe in RECIPES} == COUNTS.keys()


@EVERY
def test_every_recipe_builds_what_it_counts(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    learner: Any = build(recipe, observations=3)
    assert learner.plan is recipe.plan
    monkeypatch.setattr("tutelage.run.build.build", lambda *_: learner)  # large ones are slow to build
    counts = parameter_counts(recipe)
    assert counts == COUNTS.get(recipe.name, counts)
    for name, count in counts.items():
        network = getattr(learner, name)
        assert sum(parameter.numel() for parameter in network.parameters()) == count
        if hasattr(network, "spec") and hasattr(recipe, name):
            assert network.spec is getattr(recipe, name)


def fields(value: Any, prefix: str = "") -> set[str]:
    """The dotted names of all fields of a tree of dataclasses."""
    names = set()
    for field in dataclasses.fields(value):
        item, name = getattr(value, field.name), prefix + field.name
        names |= {name} | (fields(item, f"{name}.") if dataclasses.is_dataclass(item) else set())
    return names


@EVERY
def test_every_source_names_a_field_and_says_something(recipe: Recipe) -> None:
    assert recipe.sources.keys() <= fields(recipe)
    assert all(text.strip() for text in recipe.sources.values())
    assert recipe.deviations and all(text.strip() for text in recipe.deviations)


@PUBLISHED
def test_every_number_of_a_plan_and_every_network_has_a_source(recipe: Recipe) -> None:
    networks = {name for name in NETWORKS if getattr(recipe, name) is not None}
    assert {f"plan.{field.name}" for field in dataclasses.fields(recipe.plan)} <= recipe.sources.keys()
    assert networks | {"data", "precision"} <= recipe.sources.keys()


@pytest.mark.parametrize("recipe", ADVERSARIAL, ids=lambda recipe: recipe.name)
def test_a_baseline_has_the_generator_of_our_recipe_but_for_its_first_weights(recipe: Recipe) -> None:
    ours = by_name(f"coopnets/{recipe.name.partition('/')[2]}")
    assert recipe.generator is not None and recipe.generator.init_std == 0.02 and recipe.data == ours.data
    assert ours.generator is not None
    assert recipe.generator == dataclasses.replace(ours.generator, init_std=0.02)
    assert ours.name in recipe.sources["generator"] and getattr(recipe.plan, "ema_decay", 0) == ours.plan.ema_decay


@pytest.mark.parametrize("recipe", [r for r in RECIPES if r not in ADVERSARIAL], ids=lambda recipe: recipe.name)
def test_what_departs_from_the_paper_in_a_network_is_listed(recipe: Recipe) -> None:
    deviations = " ".join(recipe.deviations)
    of_coopnets = recipe.descriptor is not None or recipe.generator is not None  # IGM's is leaky on paper too
    assert ("ReLU is leaky" in deviations) == (
        of_coopnets and recipe.name != "video/dynamic-texture"  # plain in code too
    )
    assert ("one channel" in deviations) == (recipe.generator is not None and recipe.data.channels == 1)


def test_names_are_found_and_near_misses_are_helped() -> None:
    assert [by_name(recipe.name) for recipe in RECIPES] == list(RECIPES)
    with pytest.raises(
        InputError, match=r"no recipe 'coopnets/mnits' \(did you mean coopnets/mnist\?\).*tutelage list"
    ):
        by_name("coopnets/mnits")
    with pytest.raises(InputError, match=r"no recipe 'q'; `tutelage list` shows them all: coopnets/mnist"):
        by_name("q")


def test_what_is_compared_has_the_generator_and_the_work_of_the_cooperative_recipe() -> None:
    names = ("vae/mnist", "vae/cifar10", "vae/scene64", "flow-matching/mnist", "flow-matching/cifar10")
    quick = [f"{algorithm}/{data}-quick" for algorithm in ("vae", "flow-matching") for data in ("mnist", "cifar10")]
    for name in (*names, *quick, "deep-directed/mnist"):
        recipe, ours = by_name(name), by_name(f"coopnets/{name.partition('/')[2]}")
        assert (recipe.data, recipe.precision) == (ours.data, ours.precision)
        assert (recipe.plan.iterations, recipe.plan.batch_size) == (ours.plan.iterations, ours.plan.batch_size)
        if recipe.generator is not None and ours.generator is not None:
            assert dataclasses.replace(recipe.generator, batch_norm_scale=False) == ours.generator
    for data in ("mnist", "mnist-quick"):
        chains, ours = by_name(f"pcd/{data}").plan, by_name(f"coopnets/{data}").plan
        assert isinstance(chains, algorithm_d.Plan) and chains.persistent
        assert (chains.start, chains.pool) == (("noise", 1_000) if data == "mnist-quick" else ("data", None))
        assert (chains.iterations, chains.batch_size) == (ours.iterations, ours.batch_size) and chains.chains == (
            chains.batch_size
        )


@pytest.mark.parametrize(
    ("name", "network"),
    [("vae/mnist", "encoder"), ("flow-matching/mnist", "velocity"), ("deep-directed/mnist", "descriptor")],
)
def test_a_plan_asks_for_its_networks(name: str, network: str) -> None:
    with pytest.raises(InputError, match=f"recipe {name} has no {network}; its algorithm needs one"):
        dataclasses.replace(by_name(name), **{network: None})


def test_an_encoder_that_does_not_fit_the_latents_is_refused() -> None:
    recipe = by_name("vae/mnist")
    assert recipe.encoder is not None
    with pytest.raises(InputError, match="the encoder has 100 outputs; a generator of 100 latents needs 200"):
        dataclasses.replace(recipe, encoder=dataclasses.replace(recipe.encoder, outputs=100))


@pytest.mark.parametrize("name", ["descriptor", "generator"])
def test_a_clip_with_a_mean_frame_is_not_mirrored(name: str) -> None:
    quick = by_name("video/quick")
    around = {name: dataclasses.replace(getattr(quick, name), around_mean_frame=True)}
    with pytest.raises(InputError, match=r"mirrors clips at random.*; set data.flip=false"):
        dataclasses.replace(quick, data=dataclasses.replace(quick.data, flip=True), **around)


def test_a_video_is_learned_by_networks_of_videos() -> None:
    video, pictures = by_name("video/quick"), by_name("generator/mnist")
    with pytest.raises(InputError, match=r"made for images of .3, 32, 64, 64. \(channels, frames, height, width\)"):
        dataclasses.replace(video, data=dataclasses.replace(video.data, frames=28))
    with pytest.raises(InputError, match="learns from a video by an algorithm that has no networks of videos"):
        dataclasses.replace(video, plan=by_name("wgan/mnist").plan)
    assert dataclasses.replace(video, plan=pictures.plan).generator is video.generator, "Algorithm G takes it"
