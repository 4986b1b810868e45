"""A recipe file names a base and changes fields; everything else is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutelage.checks import InputError
from tutelage.recipes import COOPNETS_MNIST, by_name
from tutelage.recipes.custom import customised, from_toml, resolve
from tutelage.recipes.describe import describe
from tutelage.sample import EnoughSteps


def write(path: Path, text: str) -> Path:
    file = path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_fields_are_changed_all_at_once_and_say_where_from(tmp_path: Path) -> None:
    text = """
        base = "coopnets/mnist"
        name = "mine"
        seed = 3
        plan.noise_until = 50
        plan.ema_decay = "none"
        data.size = [16, 16]
        descriptor.shape = [1, 16, 16]
        [generator]
        deconvs = [{channels = 8, kernel = 4, size = [8, 8]}, {channels = 1, kernel = 4, size = [16, 16]}]
        [plan.descriptor_update]
        lr = 1
    """
    recipe = from_toml(write(tmp_path, text))
    assert (recipe.name, recipe.seed, recipe.data.size) == ("mine", 3, (16, 16))
    assert (recipe.plan.noise_until, recipe.plan.ema_decay, recipe.plan.descriptor_update.lr) == (50, None, 1.0)
    assert recipe.generator is not None and recipe.generator.shape == (1, 16, 16)
    assert recipe.plan.chains == COOPNETS_MNIST.plan.chains
    assert recipe.sources["plan.noise_until"] == "mine.toml"
    assert recipe.sources["plan.chains"] == COOPNETS_MNIST.sources["plan.chains"]
    assert "50                       mine.toml" in describe(recipe)


def test_a_part_of_several_kinds_is_changed_whole(tmp_path: Path) -> None:
    text = """
        base = "igm/mnist28-quick"
        [plan.stop]
        kind = "stopping.EnoughSteps"
        steps = 7
    """
    recipe = from_toml(write(tmp_path, text))
    assert recipe.plan.stop == EnoughSteps(7) and recipe.sources["plan.stop"] == "mine.toml"


def test_a_part_that_is_changed_whole_keeps_no_source_of_what_was_in_it(tmp_path: Path) -> None:
    base, plan = by_name("coopnets/scene-quick"), "plan.inference_steps"
    text = """
        base = "coopnets/scene-quick"
        descriptor = "none"
        data.flip = false
        [plan]
        kind = "algorithm_g.Plan"
        iterations = 5
        batch_size = 2
        inference_steps = 3
        latent_step_size = 0.1
        noise_std = 0.3
        [plan.update]
        kind = "updates.Sgd"
        lr = 0.1
    """
    recipe = from_toml(write(tmp_path, text))
    assert recipe.plan.inference_steps == 3 and recipe.descriptor is None
    assert plan in base.sources and plan not in recipe.sources and recipe.sources["plan"] == "mine.toml"
    assert recipe.sources["generator"] == base.sources["generator"]


def test_a_file_that_changes_nothing_is_its_base(tmp_path: Path) -> None:
    assert from_toml(write(tmp_path, 'base = "coopnets/scene64"')) == by_name("coopnets/scene64")
    assert customised(COOPNETS_MNIST, {}, "nowhere") is COOPNETS_MNIST


def test_names_and_files_are_told_apart(tmp_path: Path) -> None:
    assert resolve("coopnets/mnist") is COOPNETS_MNIST
    assert resolve(str(write(tmp_path, 'base = "coopnets/mnist"\nseed = 4'))).seed == 4
    with pytest.raises(InputError, match=r"there is no recipe file .*absent\.toml; name a TOML file with a base"):
        resolve(str(tmp_path / "absent.toml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 3", r"names no base; begin it with, for example, base = 'coopnets/mnist'"),
        ("base = 3", "names no base"),
        (f"base = {'9' * 5000}", "is no valid TOML .*; mend that line"),
        (
            'base = "coopnets/mnist"\n[plan.generator_update]\nkind = ["updates.Adam"]\nlr = 0.1',
            r"generator_update has kind \['updates\.Adam'\]; it needs to be one of updates\.Adam",
        ),
        ('base = "coopnets/mnits"', r"no recipe 'coopnets/mnits' \(did you mean coopnets/mnist\?\)"),
        ('base = "coopnets/mnist"\nseed = ', "is no valid TOML.*mend that line"),
        ('base = "coopnets/mnist"\nseed = "three"', "seed is 'three'; it needs to be a whole number"),
        ('base = "coopnets/mnist"\nplan.chain = 5', r"no field 'plan.chain' \(did you mean 'chains'\?\)"),
        ('base = "coopnets/mnist"\nplan = 5', "plan is 5"),
        ('base = "coopnets/mnist"\n[seed]\nx = 1', "'seed.x': seed has no fields of its own"),
        ('base = "coopnets/mnist"\nplan.step_size = 0.05', "step_size 0.05 with reference_std 0.016.*diverges"),
        ('base = "coopnets/mnist"\nprecision = "float16"', "precision is 'float16'; it needs to be one of"),
        ('base = "coopnets/mnist"\ndata.size = [32, 32]', r"made for images of \(1, 28, 28\)"),
        ('base = "coopnets/mnist"\ndeviations = ["none"]', "sets deviations, which belongs to the base; leave it out"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_files_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"(?s)recipe file .*mine\.toml.*{message}"):
        from_toml(write(tmp_path, text))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"cannot be read.*it needs to be a text file in TOML"):
        from_toml(file)
