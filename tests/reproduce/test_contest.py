"""Contests: every model under every measure, kept as they are made, and told apart by budget and seed."""

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from tiny_recipes import tiny, tiny_images
from tutelage.checks import DivergenceError, InputError, UnfinishedError
from tutelage.data import Splits
from tutelage.reproduce import cells, faces, fig7, house_numbers, table1, table2, table3, table5
from tutelage.reproduce import contest as contests
from tutelage.reproduce.bench import Bench
from tutelage.reproduce.cells import filled, tabulate
from tutelage.reproduce.contest import Contender, chosen, contest, where_known
from tutelage.reproduce.page import Column, Quoted, Table
from tutelage.run.lock import in_use
from tutelage.run.measures import Measure

CPU = torch.device("cpu")
SPLITS = Splits(tiny_images(20))
COOPNETS, VAE = Contender(tiny("coopnets/mnist")), Contender(tiny("vae/mnist"), "Autoencoder")


def of(name: str, samples: int = 5) -> Measure[float]:
    def fields(score: float) -> dict[str, Any]:
        return {"value": score, "stderr": None, "n": samples}

    return Measure(name, samples, lambda images: images.mean().item(), {"white": lambda: 1.0}, fields)


MEASURES = [of("brightness"), of("light")]


@pytest.fixture
def bench(bench: Bench) -> Bench:
    bench.out.mkdir()
    return bench


def values(entries: list[Any]) -> dict[str, Any]:
    return {entry["name"]: entry["value"] for entry in entries}


def test_every_model_is_measured_and_what_stands_beside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    results = bench.out / "some.json"
    found = list(filled(bench, results, contest(bench, [COOPNETS, VAE], SPLITS, MEASURES)))
    rows = ("CoopNets generator", "CoopNets descriptor", "Autoencoder")
    assert list(values(found)) == ["white brightness", "white light"] + [
        f"{row} {measure}" for row in rows for measure in ("brightness", "light")
    ]
    assert all(entry["budget_minutes"] == 1 and entry["seed"] == 0 for entry in found)
    vae = found[-1]
    assert (vae["run"], vae["iteration"], vae["command"]) == ("vae-mnist-1min-seed0", 6, "reproduce it && reproduce it")
    assert vae["parameters"] > 100
    assert json.loads(results.read_text()) == found

    monkeypatch.setattr(contests, "trained", None)  # nothing is trained or measured again
    assert list(filled(bench, results, contest(bench, [COOPNETS, VAE], SPLITS, MEASURES))) == found
    unasked = [replace(COOPNETS, asked=False), VAE]
    assert list(filled(bench, results, contest(bench, unasked, SPLITS, MEASURES))) == found[:2] + found[-2:]


def test_a_contest_that_was_stopped_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    results = bench.out / "some.json"
    entries = filled(bench, results, contest(bench, [COOPNETS, VAE], SPLITS, MEASURES))
    for entry in entries:
        if entry["name"].startswith("CoopNets"):
            break
    entries.close()
    told = []
    really = contests.trained

    def noted(bench: Bench, recipe: Any, *rest: Any, **named: Any) -> Any:
        told.append(recipe.name)
        return really(bench, recipe, *rest, **named)

    monkeypatch.setattr(contests, "trained", noted)
    assert len(list(filled(bench, results, contest(bench, [COOPNETS, VAE], SPLITS, MEASURES)))) == 8
    assert told == ["vae/mnist"]


def held(folder: Any) -> bool:
    """Whether somebody holds the folder."""
    try:
        with in_use(folder):
            return False
    except InputError:
        return True


def test_who_writes_holds_what_is_written_to(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two commands on one folder would lose each other's rows, or mix their pages."""
    table, seen = Table("Light", "How bright.", VAE.rows, ("white",), (Column("brightness", "mean"),)), []

    def noted(name: str, really: Any, *given: Any) -> None:
        seen.append((name, held(bench.out)))
        really(*given)

    for name in ("write_results", "write"):
        monkeypatch.setattr(cells, name, partial(noted, name, getattr(cells, name)))

    def score(images: torch.Tensor) -> float:
        seen.append(("score", held(bench.out / "models" / "vae-mnist-1min-seed0")))
        assert not held(bench.out), "another may write meanwhile"
        return images.mean().item()

    measures = [replace(MEASURES[0], score=score)]
    list(tabulate(bench, "light", table, contest(bench, [VAE], SPLITS, measures)))
    assert seen == [(name, True) for name in ("write_results", "score", "write_results", "write_results", "write")]
    assert not held(bench.out) and not held(bench.out / "models" / "vae-mnist-1min-seed0")


def test_what_is_ahead_is_said(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    results, judge = bench.out / "some.json", replace(VAE, own_length=True)
    for asked, says in (
        ([VAE], "some: 1 model(s) of 1 min each to train, about 1 min, and their measuring\n"),
        ([COOPNETS, VAE], "some: 1 model(s) of 1 min each to train, about 1 min, and their measuring\n"),
        ([COOPNETS, VAE], ""),
    ):
        capsys.readouterr()
        list(filled(bench, results, contest(bench, asked, SPLITS, MEASURES[:1])))
        assert "".join(line for line in capsys.readouterr().err.splitlines(True) if line.startswith("some")) == says
    hours = replace(bench, out=bench.out / "new", minutes=15.0)
    named = [replace(COOPNETS, recipe=replace(COOPNETS.recipe, name=f"a{k}")) for k in range(7)]
    waiting = [*contest(hours, [*named, judge, replace(VAE, asked=False)], SPLITS, MEASURES)]
    says = "7 model(s) of 15 min each to train, about 1 h 45 min, 1 model(s) of their own length to train"
    assert cells._ahead(hours, waiting, {}) == says


def test_numbers_of_another_recipe_are_not_taken_for_this_ones(bench: Bench) -> None:
    results = bench.out / "some.json"
    list(filled(bench, results, contest(bench, [VAE], SPLITS, MEASURES)))
    other = Contender(replace(VAE.recipe, name="vae/other"), VAE.called)
    says = r"has 'Autoencoder brightness' by vae-mnist-1min-seed0, and vae-other-1min-seed0 is asked for; name another"
    with pytest.raises(InputError, match=says):
        filled(bench, results, contest(bench, [other], SPLITS, MEASURES))


def test_a_number_is_of_its_recipe_data_and_measure_or_refused(bench: Bench) -> None:
    results = bench.out / "some.json"
    list(filled(bench, results, contest(bench, [VAE], SPLITS, MEASURES)))
    assert VAE.recipe.generator is not None
    changed = replace(VAE, recipe=replace(VAE.recipe, generator=replace(VAE.recipe.generator, slope=0.5)))
    held_out = Splits(SPLITS.train, test=tiny_images(5))
    of_another = [replace(measure, facts={"extractor_sha256": "ab"}) for measure in MEASURES]
    for contenders, splits, measures, says in (
        ([changed], SPLITS, MEASURES, "'Autoencoder brightness' by another recipe than that of this name is now"),
        (
            [replace(changed, asked=False)],
            SPLITS,
            MEASURES,
            "'Autoencoder brightness' by another recipe than that of this name is now",
        ),
        ([VAE], Splits(tiny_images(21)), MEASURES, "'white brightness' of other data than are given now"),
        (
            [VAE],
            Splits(replace(SPLITS.train, pixels=255 - SPLITS.train.pixels)),
            MEASURES,
            "'white brightness' of these files, read in another way than they are now",
        ),
        (
            [VAE],
            Splits(replace(SPLITS.train, stretch=True)),
            MEASURES,
            "'white brightness' of these files, read in another way than they are now",
        ),
        ([VAE], held_out, MEASURES, "'white brightness' measured by other held-out images than are given now"),
        ([VAE], SPLITS, [of("brightness", 3)], "'white brightness' with samples 5, and 3 is asked for"),
        ([VAE], SPLITS, of_another, "'white brightness' by another extractor than is given now"),
    ):
        with pytest.raises(InputError, match=f"some.json has {says}; name another --out, or ask for the same"):
            filled(bench, results, contest(bench, contenders, splits, measures))
    retold = replace(VAE.recipe, deviations=("told otherwise",), checkpoint_every=1, seed=7)
    assert list(filled(bench, results, contest(bench, [replace(VAE, recipe=retold)], SPLITS, MEASURES)))


def test_what_failed_is_of_its_recipe_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DivergenceError("It grew.")

    monkeypatch.setattr(contests, "trained", fail)
    failed = list(filled(bench, bench.out / "some.json", contest(bench, [VAE], SPLITS, MEASURES)))[-1]
    assert failed["run"] == "vae-mnist-1min-seed0" and failed["seed"] == 0
    faster = replace(VAE.recipe, plan=replace(VAE.recipe.plan, batch_size=3))
    with pytest.raises(InputError, match="by another recipe"):
        filled(bench, bench.out / "some.json", contest(bench, [replace(VAE, recipe=faster)], SPLITS, MEASURES))


def test_a_damaged_table_is_refused(bench: Bench) -> None:
    for text in ("<<<<<<< ours", '{"name": 1}', "[1]", '[{"value": 1}]'):
        (bench.out / "some.json").write_text(text)
        with pytest.raises(
            InputError, match=r"some.json is damaged: it needs to be a list of results; repair or remove"
        ):
            filled(bench, bench.out / "some.json", [])


def test_another_budget_or_seed_is_another_contest(bench: Bench) -> None:
    results = bench.out / "some.json"
    list(filled(bench, results, contest(bench, [], SPLITS, MEASURES)))
    for other in (Bench(bench.out, 3.0, 0, CPU, ""), Bench(bench.out, 1.0, 1, CPU, "")):
        with pytest.raises(InputError, match=r"made within 1 minutes a model, seed 0, and .* name another --out"):
            filled(other, results, contest(other, [], SPLITS, MEASURES))


@pytest.mark.parametrize("why", [DivergenceError("It grew."), UnfinishedError("It grew.")])
def test_a_model_that_diverges_or_learned_too_little_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, why: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise why

    monkeypatch.setattr(contests, "trained", fail)
    found = list(filled(bench, bench.out / "some.json", contest(bench, [VAE], SPLITS, MEASURES[:1])))
    assert values(found) == {"white brightness": 1.0, "Autoencoder brightness": None}
    assert found[-1]["failed"] == "It grew."


def test_a_table_is_written_even_when_it_is_stopped(bench: Bench) -> None:
    rows = (*COOPNETS.rows, *VAE.rows)
    quoted = (Quoted("GAN", "brightness", 0.25, 0.5, "a paper"),)
    table = Table("Light", "How bright.", rows, ("white",), (Column("brightness", "mean"),), quoted)
    entries = tabulate(bench, "light", table, contest(bench, [COOPNETS, VAE], SPLITS, MEASURES[:1]))
    assert next(entries)["name"] == "white brightness"
    entries.close()
    page = (bench.out / "light.md").read_text()
    assert "| Autoencoder | not run |" in page and "| white | 1 |" in page and "| GAN (quoted) | 0.25 ± 0.5 |" in page
    list(tabulate(bench, "light", table, contest(bench, [COOPNETS, VAE], SPLITS, MEASURES[:1])))
    page = (bench.out / "light.md").read_text()
    assert "not run" not in page
    names = [entry["name"] for entry in json.loads((bench.out / "light.json").read_text())]
    assert "GAN brightness (quoted)" in names and "Autoencoder brightness" in names
    for picture in ("models/vae-mnist-1min-seed0/pictures/final_generator.png", "light.svg"):
        assert f"({picture})" in page and (bench.out / picture).exists()


def test_contenders_are_chosen_by_their_recipes() -> None:
    assert chosen([COOPNETS, VAE], []) == [COOPNETS, VAE]
    assert chosen([COOPNETS, VAE], ["vae/mnist"]) == [replace(COOPNETS, asked=False), VAE]
    waiting = replace(VAE, asked=False)
    assert chosen([COOPNETS, waiting], []) == [COOPNETS, waiting]
    assert chosen([COOPNETS, waiting], ["vae/mnist"]) == [replace(COOPNETS, asked=False), VAE]
    assert where_known([COOPNETS, waiting], chosen([COOPNETS, waiting], [])) == ("Autoencoder",)
    for names in (["vae/mnist"], ["coopnets/mnist", "vae/mnist"]):
        assert where_known([COOPNETS, waiting], chosen([COOPNETS, waiting], names)) == ()
    with pytest.raises(InputError, match="this table has no 'wgan'; it has coopnets/mnist, vae/mnist"):
        chosen([COOPNETS, VAE], ["wgan"])


@pytest.mark.parametrize("table", [table1, table2, table3, table5, fig7, faces, house_numbers])
def test_all_that_are_compared_learn_from_the_same_data(table: Any) -> None:
    """Mirrored or not is a model's own affair."""
    assert len({replace(contender.recipe.data, flip=False) for contender in table.CONTENDERS}) == 1
