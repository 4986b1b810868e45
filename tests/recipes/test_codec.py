"""Recipes go to JSON and come back equal; nothing unknown or misshapen is let through."""

import json
from typing import Any

import pytest

from tiny_recipes import from_texts
from tutelage.checks import InputError
from tutelage.learn import algorithm_d, coopnets
from tutelage.nets import Conv
from tutelage.recipes import COOPNETS_MNIST, DESCRIPTOR_MNIST, GENERATOR_MNIST, RECIPES, Recipe, by_name, codec
from tutelage.recipes.demo import DEMO


@pytest.mark.parametrize("recipe", [*RECIPES, DEMO], ids=lambda recipe: recipe.name)
def test_every_recipe_comes_back_equal(recipe: Recipe) -> None:
    text = json.dumps(codec.encode(recipe))
    assert codec.decode(Recipe, json.loads(text)) == recipe


def test_the_form_on_disk() -> None:
    encoded = codec.encode(COOPNETS_MNIST)
    assert encoded["kind"] == "recipe.Recipe"
    described = {"kind": "mnist", "size": [28, 28], "channels": 1, "value_range": [-1.0, 1.0]}
    assert encoded["data"].items() >= described.items()
    assert encoded["plan"]["kind"] == "coopnets.Plan"
    assert encoded["plan"]["generator_update"]["kind"] == "updates.Adam"
    assert encoded["descriptor"]["convs"][0] == {"kind": "descriptor.Conv", "channels": 64, "kernel": 4, "stride": 2}


def put(tree: Any, dotted: str, value: Any) -> Any:
    """Set the entry ``dotted`` of nested tables and lists; ``...`` removes it."""
    *path, last = dotted.split(".")
    inner = tree
    for name in path:
        inner = inner[int(name) if isinstance(inner, list) else name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return tree


WRONG = [
    ("plan.chian", 3, r"recipe\.plan has an unknown field 'chian' \(did you mean 'chains'\?\)"),
    ("sede", 3, r"recipe has an unknown field 'sede' \(did you mean 'seed'\?\)"),
    ("descriptor.convs.1.strode", 2, r"recipe\.descriptor\.convs\[1\] has an unknown field 'strode'.*'stride'"),
    ("zzz", 3, r"recipe has an unknown field 'zzz'$"),
    ("plan.step_size", ..., r"recipe\.plan lacks step_size"),
    ("data.kind", ..., r"recipe\.data lacks kind"),
    ("data", ..., r"recipe lacks data"),
    ("plan.chains", "many", r"recipe\.plan\.chains is 'many'; it needs to be a whole number"),
    ("plan.chains", 4.0, r"recipe\.plan\.chains is 4\.0; it needs to be a whole number"),
    ("plan.chains", True, r"recipe\.plan\.chains is True; it needs to be a whole number"),
    ("plan.chains", None, r"recipe\.plan\.chains is None; it needs to be a whole number"),
    ("plan.step_size", "0.002", r"recipe\.plan\.step_size is '0\.002'; it needs to be a number"),
    ("plan.noise_until", "soon", r"recipe\.plan\.noise_until is 'soon'; it needs to be a whole number"),
    ("plan.metropolis", 1, r"recipe\.plan\.metropolis is 1; it needs to be true or false"),
    (
        "plan.descriptor_update",
        0.1,
        r"recipe\.plan\.descriptor_update is 0\.1; it needs to be a table of kind updates\.Adam or",
    ),
    ("plan.kind", "coopnets.Plane", r"recipe\.plan has kind 'coopnets\.Plane'; it needs to be one of coopnets\.Plan"),
    ("plan.kind", ..., r"recipe\.plan has kind None"),
    ("plan", 3, r"recipe\.plan is 3; it needs to be"),
    ("kind", "recipe.Cake", r"recipe has kind 'recipe\.Cake'; it needs to be recipe\.Recipe"),
    ("descriptor.kind", "generator.GeneratorSpec", r"recipe\.descriptor has kind 'generator\.GeneratorSpec'"),
    (
        "plan.generator_update.kind",
        "updates.Lion",
        r"generator_update has kind 'updates\.Lion'.*updates\.Adam, updates\.Sgd",
    ),
    ("descriptor", "big", r"recipe\.descriptor is 'big'"),
    ("descriptor.convs", 3, r"recipe\.descriptor\.convs is 3; it needs to be a list"),
    ("descriptor.shape", [1, 28], r"recipe\.descriptor\.shape has 2 entries; it needs 3"),
    ("descriptor.shape", [1, 28, "x"], r"recipe\.descriptor\.shape\[2\] is 'x'; it needs to be a whole number"),
    ("data.kind", "mnits", r"recipe\.data\.kind is 'mnits'; it needs to be one of 'mnist', 'folder'"),
    ("precision", "float16", r"recipe\.precision is 'float16'; it needs to be one of"),
    ("sources", [], r"recipe\.sources is \[\]; it needs to be a table"),
    ("sources.plan", 4, r"recipe\.sources\.plan is 4; it needs to be a word"),
    ("name", None, r"recipe\.name is None; it needs to be a word"),
]


@pytest.mark.parametrize(("dotted", "value", "message"), WRONG)
def test_what_does_not_belong_is_refused_by_name(dotted: str, value: Any, message: str) -> None:
    encoded = json.loads(json.dumps(codec.encode(COOPNETS_MNIST)))
    with pytest.raises(InputError, match=message):
        codec.decode(Recipe, put(encoded, dotted, value))


@pytest.mark.parametrize("value", [3, "recipe", None, []])
def test_what_is_no_table_is_no_recipe(value: Any) -> None:
    with pytest.raises(InputError, match=r"recipe is .*; it needs to be a table of fields"):
        codec.decode(Recipe, value)


def test_fields_with_defaults_may_be_left_out() -> None:
    encoded = json.loads(json.dumps(codec.encode(COOPNETS_MNIST)))
    for dotted in ("seed", "plan.inference_steps", "plan.descriptor_update.beta2", "kind", "descriptor.convs.0.kind"):
        put(encoded, dotted, ...) if dotted != "descriptor.convs.0.kind" else encoded["descriptor"]["convs"][0].pop(
            "kind"
        )
    assert codec.decode(Recipe, encoded) == COOPNETS_MNIST


@pytest.mark.parametrize(("name", "field", "value"), [("igm/faces64", "centre", 108), ("igm/svhn32", "extra", True)])
def test_recipes_of_before_the_data_had_this_field_are_read(name: str, field: str, value: Any) -> None:
    recipe = by_name(name)
    encoded = json.loads(json.dumps(codec.encode(recipe)))
    assert codec.decode(Recipe, put(encoded, f"data.{field}", ...)) == recipe
    asked = from_texts(recipe, {f"data.{field}": json.dumps(value)})
    assert getattr(asked.data, field) == value
    assert codec.decode(Recipe, json.loads(json.dumps(codec.encode(asked)))) == asked != recipe
    assert any(f"--set data.{field}={json.dumps(value)}" in text for text in recipe.deviations)


CHANGES = [
    ("plan.chains", "50", 50),
    ("plan.step_size", "0.003", 0.003),
    ("plan.step_size", "3e-3", 0.003),
    ("plan.step_size", ".003", 0.003),
    ("plan.noise_std", "1.", 1.0),
    ("name", ".", "."),
    ("plan.noise_std", "1", 1.0),
    ("plan.reference_std", "none", None),
    ("plan.ema_decay", "None", None),
    ("plan.ema_decay", "null", None),
    ("plan.noise_until", "100", 100),
    ("plan.add_noise", "true", True),
    ("plan.generator_update.lr", "0.5", 0.5),
    ("precision", "float32", "float32"),
    ("data.kind", "folder", "folder"),
    ("data.each", "none", None),
    ("descriptor.convs", '[{"channels": 8, "kernel": 3, "stride": 2}]', (Conv(8, 3, 2),)),
    ("keep_every", "none", None),
    ("name", "mine", "mine"),
]


@pytest.mark.parametrize(("dotted", "text", "expected"), CHANGES)
def test_one_field_changes_and_nothing_else(dotted: str, text: str, expected: Any) -> None:
    changed = from_texts(COOPNETS_MNIST, {dotted: text})
    value: Any = changed
    for name in dotted.split("."):
        value = getattr(value, name)
    assert value == expected and type(value) is type(expected)
    rest, original = codec.encode(changed), codec.encode(COOPNETS_MNIST)
    put(rest, dotted, None)
    put(original, dotted, None)
    assert rest == original


def test_fields_that_only_fit_together_change_together() -> None:
    both = from_texts(DESCRIPTOR_MNIST, {"plan.chains": "8", "plan.batch_size": "8"})
    assert isinstance(both.plan, algorithm_d.Plan)
    assert (both.plan.chains, both.plan.batch_size) == (8, 8)
    resized = from_texts(DESCRIPTOR_MNIST, {"data.size": "[14, 14]", "descriptor.shape": "[1, 14, 14]"})
    assert resized.descriptor is not None and resized.descriptor.shape == (1, 14, 14)


def test_a_field_may_be_a_word_or_several() -> None:
    for text, expected in (("cats", "cats"), ('["cats", "dogs"]', ("cats", "dogs")), ("none", None)):
        data = from_texts(COOPNETS_MNIST, {"data.kind": "folder", "data.subset": text}).data
        assert data.subset == expected and codec.decode(type(data), codec.encode(data)) == data
    with pytest.raises(InputError, match=r"data\.subset\[0\] is 3; it needs to be a word"):
        from_texts(COOPNETS_MNIST, {"data.kind": "folder", "data.subset": "[3]"})
    with pytest.raises(InputError, match=r"data\.subset is 3; it needs to be a word"):
        from_texts(COOPNETS_MNIST, {"data.kind": "folder", "data.subset": "3"})


def test_a_field_of_a_table_given_in_the_same_breath_wins() -> None:
    for order in (1, -1):
        changes = [
            ("plan.generator_update", '{"kind": "updates.Adam", "lr": 0.1}'),
            ("plan.generator_update.beta1", "0.25"),
        ][::order]
        plan = from_texts(COOPNETS_MNIST, dict(changes)).plan
        assert isinstance(plan, coopnets.Plan)
        assert (plan.generator_update.lr, plan.generator_update.beta1) == (0.1, 0.25)
        assert plan.generator_update.lr_final is None


REFUSED = [
    (COOPNETS_MNIST, "plan.chian", "50", r"no field 'plan\.chian' \(did you mean 'chains'\?\); it has iterations,"),
    (COOPNETS_MNIST, "plam.chains", "50", r"no field 'plam\.chains' \(did you mean 'plan'\?\)"),
    (COOPNETS_MNIST, "plan.generator_update.rate", "50", r"no field 'plan\.generator_update\.rate'"),
    (COOPNETS_MNIST, "", "50", r"no field ''"),
    (COOPNETS_MNIST, "seed.first", "50", r"'seed\.first': seed has no fields of its own; it is 0"),
    (COOPNETS_MNIST, "plan.chains.x", "50", r"'plan\.chains\.x': plan\.chains has no fields of its own; it is 100"),
    (DESCRIPTOR_MNIST, "generator.slope", "0.1", r"'generator\.slope': generator has no fields of its own; it is None"),
    (COOPNETS_MNIST, "plan.chains", "true", r"plan\.chains is True; it needs to be a whole number"),
    (COOPNETS_MNIST, "plan.chains", "4.5", r"plan\.chains is 4\.5; it needs to be a whole number"),
    (COOPNETS_MNIST, "plan.chains", "none", r"plan\.chains is None; it needs to be a whole number"),
    (COOPNETS_MNIST, "plan.chains", "many", r"plan\.chains is 'many'; it needs to be a whole number"),
    (COOPNETS_MNIST, "plan.noise_std", "false", r"plan\.noise_std is False; it needs to be a number"),
    (COOPNETS_MNIST, "plan.metropolis", "1", r"plan\.metropolis is 1; it needs to be true or false"),
    (COOPNETS_MNIST, "name", "5", r"name is 5; it needs to be a word"),
    (COOPNETS_MNIST, "plan.step_size", "0.05", r"step_size 0\.05 with reference_std 0\.016.*< 2 \* reference_std"),
    (COOPNETS_MNIST, "plan.reference_std", "0.001", r"step_size 0\.002 with reference_std 0\.001"),
    (COOPNETS_MNIST, "plan.step_size", "NaN", r"step_size is nan; it needs to be above 0"),
    (COOPNETS_MNIST, "plan.chains", "0", r"chains is 0; it needs to be a whole number of 1 or more"),
    (COOPNETS_MNIST, "plan.generator_update.lr", "0", r"lr is 0\.0; a learning rate needs to be above 0"),
    (COOPNETS_MNIST, "data.channels", "3", r"the descriptor is made for images of \(1, 28, 28\).*the data are \(3, 28"),
    (COOPNETS_MNIST, "descriptor", "none", r"recipe coopnets/mnist has no descriptor; its algorithm needs one"),
    (GENERATOR_MNIST, "generator", "none", r"recipe generator/mnist has no generator; its algorithm needs one"),
    (COOPNETS_MNIST, "checkpoint_every", "0", r"checkpoint_every is 0; it needs to be 1 or more"),
]


@pytest.mark.parametrize(("recipe", "dotted", "text", "message"), REFUSED)
def test_a_change_that_cannot_be_is_refused(recipe: Recipe, dotted: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_texts(recipe, {dotted: text})


def test_the_edge_of_the_step_size() -> None:
    assert from_texts(COOPNETS_MNIST, {"plan.step_size": "0.0319"}).plan != COOPNETS_MNIST.plan
    with pytest.raises(InputError, match=r"step_size 0\.032 with reference_std 0\.016"):
        from_texts(COOPNETS_MNIST, {"plan.step_size": "0.032"})
    from_texts(COOPNETS_MNIST, {"plan.step_size": "0.05", "plan.reference_std": "none"})
