"""The command that measures tables again: what it hands on, what it says, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
import torch

from commands import Command
from tiny_weights import write_network
from tutelage.recipes import CLASSIFIER_MNIST
from tutelage.reproduce import (
    faces,
    fig7,
    house_numbers,
    outliers,
    semisupervised,
    table1,
    table2,
    table3,
    table5,
    table6,
    textures,
)
from tutelage.reproduce.bench import Bench
from tutelage.reproduce.contest import Contender


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the tables were given, which is what they take; their numbers are made up."""
    found: list[Any] = []

    def table(*arguments: Any, **more: Any) -> list[dict[str, Any]]:
        found.append((arguments, more))
        ours, theirs = {"name": "Ours parzen", "value": 12.3456}, {"name": "Theirs parzen", "value": None}
        return [ours, theirs | {"failed": "It grew."}]

    for module, name in (
        (table1, "table1"),
        (table2, "table2"),
        (table3, "table3"),
        (table5, "table5"),
        (table6, "table6"),
        (fig7, "fig7"),
        (faces, "fig8"),
        (house_numbers, "fig9"),
        (textures, "igm_textures"),
        (outliers, "igm_outliers"),
        (semisupervised, "igm_semisupervised"),
    ):
        monkeypatch.setattr(module, name, create_autospec(getattr(module, name), side_effect=table))
    return found


def test_a_table_is_handed_its_terms(tutelage: Command, given: list[Any], tmp_path: Path) -> None:
    code, out, _ = tutelage(
        "reproduce", "table2", "--budget", 1.5, "--out", tmp_path, "--seed", 7, "--only", "vae/mnist", "dcgan/mnist"
    )
    assert code == 0
    told = ["Ours parzen: 12.35", "Theirs parzen: failed: It grew.", f"Look at {tmp_path / 'table2.md'}"]
    assert out.splitlines() == told
    (bench, data), more = given[0]
    assert isinstance(bench, Bench) and (bench.out, bench.minutes, bench.seed) == (tmp_path, 1.5, 7)
    assert bench.command.startswith("tutelage reproduce table2 --budget 1.5")
    assert data is None and more == {
        "only": ["vae/mnist", "dcgan/mnist"],
        "contenders": [*table2.CONTENDERS],
        "judge": CLASSIFIER_MNIST,
    }


def test_dynamic_textures_are_handed_their_clips(tutelage: Command, given: list[Any], tmp_path: Path) -> None:
    assert tutelage("reproduce", "table6", "--budget", 1, "--out", tmp_path, "--data", tmp_path / "clips")[0] == 0
    (_, place), more = given[0]
    assert place == tmp_path / "clips" and more == {"only": [], "contenders": [*table6.CONTENDERS]}


@pytest.mark.parametrize(
    ("name", "usual"),
    [("table5", table5.CONTENDERS), ("fig8", faces.CONTENDERS), ("igm-textures", textures.CONTENDERS)],
)
def test_tables_of_ones_own_pictures_are_handed_their_terms(
    tutelage: Command, given: list[Any], tmp_path: Path, name: str, usual: tuple[Contender, ...]
) -> None:
    terms = ("--budget", 1, "--out", tmp_path, "--data", tmp_path / "mine", "--only", "x")
    more = ("--extractor", write_network(tmp_path / "weights.npz")) if name == "fig8" else ()
    assert (
        tutelage("reproduce", name, *terms, *more)[0] == tutelage("reproduce", name, *terms, *more, "--convert")[0] == 0
    )
    (plain, as_given), (_, converted) = given
    own = {"n": 100} if name == "table5" else {}
    if name == "igm-textures":
        assert list(as_given.pop("methods")) == list(textures.METHODS)
    assert plain[-1] == tmp_path / "mine" and as_given == {"only": ["x"], "contenders": [*usual], **own}
    assert all(contender.recipe.data.convert for contender in converted["contenders"])


def test_gram_matrices_are_of_the_network_that_is_named(tutelage: Command, given: list[Any], tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3), "features.0.bias": torch.zeros(64)}, tmp_path / "v.pth")
    terms = ("--budget", 1, "--out", tmp_path / "out")
    assert tutelage("reproduce", "igm-textures", *terms, "--data", "pictures", "--vgg", tmp_path / "v.pth")[0] == 0
    assert {name for name in given[0][1]["methods"] if "VGG" in name} == {"Gram matrices, VGG-19"}
    for name, file, says in (
        ("table5", "v.pth", "table5 takes no --vgg, which is for igm-textures; leave it out"),
        ("igm-textures", "w.pth", "w.pth"),
    ):
        code, _, said = tutelage("reproduce", name, *terms, "--vgg", tmp_path / file)
        assert code == 2 and says in said


def test_faces_are_as_many_as_asked(tutelage: Command, given: list[Any], tmp_path: Path) -> None:
    assert (
        tutelage("reproduce", "table5", "--budget", 1, "--out", tmp_path, "--held-out", 2000, "--completed", 1000)[0]
        == 0
    )
    assert given[0][1]["n"] == 1000
    assert {contender.recipe.data.held_out for contender in given[0][1]["contenders"]} == {2000}


def test_outliers_and_features_are_handed_their_terms(tutelage: Command, given: list[Any], tmp_path: Path) -> None:
    terms = ("--budget", 1, "--out", tmp_path, "--data", "digits")
    assert tutelage("reproduce", "igm-outliers", *terms, "--outliers", "a", "b")[0] == 0
    assert given[0][0][1:] == ([Path("a"), Path("b")], Path("digits")) and given[0][1] == {"model": outliers.MODEL}
    name = "igm/svhn32-quick"
    assert tutelage("reproduce", "igm-semisupervised", *terms, "--only", name)[0] == 0
    assert given[1][0][1:] == (Path("digits"),)
    sets = {of: [*models] for of, models in semisupervised.CONTENDERS.items()}
    sets |= {of: semisupervised.CONTENDERS[of] for of in ("MNIST", "CIFAR-10")}
    assert given[1][1] == {"only": [name], "contenders": sets}


@pytest.mark.parametrize(
    ("name", "usual", "field", "value"),
    [
        ("table1", table1.CONTENDERS, "centre", 108),
        ("table2", table2.CONTENDERS, "scaling", "per-image"),
        ("table3", table3.CONTENDERS, "scaling", "per-image"),
        ("table5", table5.CONTENDERS, "centre", 108),
        ("table6", table6.CONTENDERS, "enlarge", True),
        ("fig7", fig7.CONTENDERS, "enlarge", True),
        ("fig8", faces.CONTENDERS, "centre", 108),
        ("fig9", house_numbers.CONTENDERS, "extra", True),
        ("igm-textures", textures.CONTENDERS, "enlarge", True),
        ("igm-outliers", [outliers.MODEL], "scaling", "per-image"),
    ],
)
def test_all_models_read_the_data_as_they_are_asked_to(
    tutelage: Command, given: list[Any], tmp_path: Path, name: str, usual: Sequence[Contender], field: str, value: Any
) -> None:
    terms = ["--budget", 1, "--out", tmp_path / "out", "--data", "mine", "--set", f"data.{field}={json.dumps(value)}"]
    terms += ["--extractor", write_network(tmp_path / "weights.npz")] if name in ("table1", "table3") else []
    terms += ["--extractor", write_network(tmp_path / "weights.npz")] if name.startswith("fig") else []
    assert tutelage("reproduce", name, *terms)[0] == 0
    more = given[0][1]
    contenders = more["contenders"] if "contenders" in more else [more["model"]]
    for contender, before in zip(contenders, usual, strict=True):
        data = replace(before.recipe.data, **{field: value})
        told = {**before.recipe.sources, f"data.{field}": "given on the command line"}
        assert contender == replace(before, recipe=replace(before.recipe, data=data, sources=told))
    if name == "table2":
        assert more["judge"].data == replace(CLASSIFIER_MNIST.data, **{field: value})


def test_sets_that_are_not_asked_for_stay_as_they_are(tutelage: Command, given: list[Any], tmp_path: Path) -> None:
    terms = ("--budget", 1, "--out", tmp_path, "--only", "igm/svhn32-quick", "--set", "data.extra=true")
    assert tutelage("reproduce", "igm-semisupervised", *terms)[0] == 0
    sets = given[0][1]["contenders"]
    assert all(contender.recipe.data.extra for contender in sets["SVHN"])
    usual = semisupervised.CONTENDERS
    assert {of: sets[of] for of in ("MNIST", "CIFAR-10")} == {of: usual[of] for of in ("MNIST", "CIFAR-10")}


@pytest.mark.parametrize(("flag", "field"), [("--convert", "convert"), ("--skip-bad", "skip_bad")])
def test_pictures_that_do_not_fit_are_converted_or_left_out_for_all_models(
    tutelage: Command, given: list[Any], tmp_path: Path, flag: str, field: str
) -> None:
    terms = ("--budget", 1, "--out", tmp_path, "--extractor", write_network(tmp_path / "weights.npz"), flag)
    for number, (name, usual) in enumerate((("table1", table1.CONTENDERS), ("fig7", fig7.CONTENDERS))):
        assert tutelage("reproduce", name, *terms)[0] == 0
        contenders = given[number][1]["contenders"]
        for contender, before in zip(contenders, usual, strict=True):
            assert getattr(contender.recipe.data, field) and not getattr(before.recipe.data, field)
            assert replace(contender.recipe.data, **{field: False}) == before.recipe.data
            assert (contender.recipe.plan, contender.called) == (before.recipe.plan, before.called)


def test_distances_need_an_extractor(tutelage: Command, given: list[Any], tmp_path: Path) -> None:
    weights = write_network(tmp_path / "weights.npz")
    for number, name in enumerate(("table3", "fig9")):
        code, _, _ = tutelage("reproduce", name, "--budget", 1, "--out", tmp_path, "--extractor", weights)
        assert code == 0 and given[number][0][1].name == "mobilenetv2-128" and given[number][1]["only"] == []


@pytest.mark.parametrize("name", ["table1", "fig7"])
def test_few_images_have_their_categories(tutelage: Command, given: list[Any], tmp_path: Path, name: str) -> None:
    terms = (name, "--budget", 1, "--out", tmp_path, "--extractor", write_network(tmp_path / "weights.npz"))
    code, out, _ = tutelage("reproduce", *terms)
    assert code == 0 and out.endswith(f"Look at {tmp_path / name}.md\n")
    photos = tmp_path / "photos"
    more = ("--categories", "lemon=3", "alp", "--training-images", 5, "--only", "vae/scene64", "--data", photos)
    assert tutelage("reproduce", *terms, *more)[0] == 0
    usual = [*(table1 if name == "table1" else fig7).CONTENDERS]
    assert given[0][0][2:] == (None, []) and given[0][1] == {"only": [], "sizes": [50, 500], "contenders": usual}
    (_, extractor, data, categories), named = given[1]
    assert (extractor.name, data, categories) == ("mobilenetv2-128", photos, ["lemon=3", "alp"])
    assert named == {"only": ["vae/scene64"], "sizes": [5], "contenders": usual}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        *(
            (("table2", "--budget", minutes), f"--budget is {minutes} minutes; it needs to be a number of minutes abo")
            for minutes in ("0", "nan", "inf")
        ),
        (("table3", "--budget", 1), "table3 needs --extractor, which measures by its features; name a file"),
        (("table2", "--budget", 1, "--data", "nowhere"), "MNIST was not found (looked in: nowhere"),
        *(
            ((name, "--budget", 1, "--data", "."), "lies in ., where the data are, and its pictures would be taken")
            for name in ("table5", "table6", "igm-textures")
        ),
        (
            ("igm-outliers", "--budget", 1, "--outliers", "nowhere", "."),
            "lies in ., where the data are, and its pictures would be taken",
        ),
        (("table5", "--budget", 1, "--completed", 0), "--completed is 0; it needs to be 1 or more"),
        (
            ("igm-textures", "--budget", 1, "--skip-bad"),
            "igm-textures has a part for each file that it is given; leave",
        ),
        (("table6", "--budget", 1, "--skip-bad"), "table6 has a part for each file that it is given; leave out --skip"),
        (("table2", "--budget", 1, "--convert"), "table2 is of data in files of their own; leave out --convert and"),
        (
            ("table2", "--budget", 1, "--set", "plan.chains=5"),
            "--set plan.chains is not of the data, and table2 compares its recipes as they are; set fields of the data",
        ),
        (("table2", "--budget", 1, "--set", "data"), "--set 'data' has no '='; write FIELD=VALUE, for example data.ce"),
        (
            ("table2", "--budget", 1, "--set", "data.extra=true"),
            "extra images were asked of data of kind mnist; only svhn has some: leave out data.extra",
        ),
        (("table2", "--budget", 1, "--set", "data.centr=9"), "no field 'data.centr' (did you mean 'centre'?)"),
        (("table1", "--budget", 1, "--set", "data.each=9"), "table1 sets data.each itself; leave it out, and use --tr"),
        (
            ("fig7", "--budget", 1, "--set", "data.subset=alp"),
            "fig7 sets data.subset itself; leave it out, and use --c",
        ),
    ],
)
def test_what_is_refused(
    tutelage: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[object, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = tutelage("reproduce", *arguments, "--out", tmp_path / "out")
    assert code == 2 and says in err and len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("table2", "--extractor", "vgg16"), "table2 takes no --extractor, which is for table1, table3, fig7"),
        (("igm-outliers", "--only", "igm/mnist28-quick"), "igm-outliers takes no --only, which is for table1"),
        (("fig8", "--completed", "5"), "fig8 takes no --completed, which is for table5; leave it out"),
        (("table2", "--held-out", "5"), "table2 takes no --held-out, which is for table5, fig8; leave it out"),
        (("table3", "--categories", "lemon"), "table3 takes no --categories, which is for table1, fig7; leave it out"),
        (
            ("table2", "--training-images", "5"),
            "table2 takes no --training-images, which is for table1, fig7; leave it",
        ),
        (("table2", "--outliers", "there"), "table2 takes no --outliers, which is for igm-outliers; leave it out"),
    ],
)
def test_what_a_table_does_not_take_is_refused(
    given: list[Any], tutelage: Command, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    code, out, said = tutelage("reproduce", *arguments, "--budget", 1, "--out", tmp_path / "out")
    assert code == 2 and not out and words in said and not given
