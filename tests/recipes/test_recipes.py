"""Each recipe says where its numbers come from, and builds the networks it promises."""

import dataclasses
from typing import Any

import pytest

from tutelage.checks import InputError
from tutelage.recipes import RECIPES, Recipe, by_name
from tutelage.recipes.demo import DEMO
from tutelage.run.build import build, parameter_counts

EVERY = pytest.mark.parametrize("recipe", [*RECIPES, DEMO], ids=lambda recipe: recipe.name)
PUBLISHED = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)

# from §4.4: three convolutions and a fully connected layer, with biases
DESCRIPTOR = 4 * 4 * (1 * 64 + 64 * 128 + 128 * 256) + (64 + 128 + 256) + 256 * 4 * 4 * 100 + 100
# from §4.4: a fully connected layer and three transposed convolutions, with a shift for every map
GENERATOR = 100 * 512 * 4 * 4 + 4 * 4 * (512 * 256 + 256 * 128 + 128 * 1) + (512 + 256 + 128 + 1)


def test_parameter_counts() -> None:
    assert {recipe.name: parameter_counts(recipe) for recipe in RECIPES} == {
        "coopnets/mnist": {"descriptor": DESCRIPTOR, "generator": GENERATOR},
        "descriptor/mnist": {"descriptor": DESCRIPTOR},
        "generator/mnist": {"generator": GENERATOR},
    }


@EVERY
def test_every_recipe_builds_what_it_counts(recipe: Recipe) -> None:
    learner: Any = build(recipe, observations=3)
    assert learner.plan is recipe.plan
    for name, count in parameter_counts(recipe).items():
        network = getattr(learner, name)
        assert sum(parameter.numel() for parameter in network.parameters()) == count
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
    networks = {name for name in ("descriptor", "generator") if getattr(recipe, name) is not None}
    assert {f"plan.{field.name}" for field in dataclasses.fields(recipe.plan)} <= recipe.sources.keys()
    assert networks | {"data", "precision"} <= recipe.sources.keys()


@PUBLISHED
def test_what_departs_from_the_paper_in_a_network_is_listed(recipe: Recipe) -> None:
    deviations = " ".join(recipe.deviations)
    assert "ReLU is leaky" in deviations
    assert ("one channel" in deviations) == (recipe.generator is not None)


def test_names_are_found_and_near_misses_are_helped() -> None:
    assert [by_name(recipe.name) for recipe in RECIPES] == list(RECIPES)
    with pytest.raises(
        InputError, match=r"no recipe 'coopnets/mnits' \(did you mean coopnets/mnist\?\).*tutelage list"
    ):
        by_name("coopnets/mnits")
    with pytest.raises(InputError, match=r"no recipe 'q'; `tutelage list` shows them all: coopnets/mnist"):
        by_name("q")
