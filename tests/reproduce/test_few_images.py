"""Tables against the number of training images, at toy size: a folder of pictures of noise for each class."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tiny_recipes import tiny
from tutelage.checks import DivergenceError, InputError
from tutelage.data import DataSpec, load
from tutelage.metrics.average import average
from tutelage.metrics.class_scores import class_scores
from tutelage.metrics.extractors import Extractor
from tutelage.reproduce import contest as contests
from tutelage.reproduce.bench import Bench
from tutelage.reproduce.categories import folders_of, word_net
from tutelage.reproduce.contest import Contender
from tutelage.reproduce.fig7 import CONTENDERS as OBJECT_MODELS
from tutelage.reproduce.fig7 import OBJECTS, fig7
from tutelage.reproduce.table1 import CONTENDERS as SCENE_MODELS
from tutelage.reproduce.table1 import QUOTED, SCENES, table1
from tutelage.run.folder import open_run

CPU = torch.device("cpu")
LEMON, LIFEBOAT, ALP = "n07749582_lemon", "n03662601_lifeboat", "n09193705_alp"
SIZE = {"data.kind": "folder", "data.size": [12, 12]}
_DECONVS = [{"channels": 3, "kernel": 4, "size": [6, 6]}, {"channels": 1, "kernel": 4, "size": [12, 12]}]
GENERATOR = {"generator.base": [4, 3, 3], "generator.deconvs": _DECONVS}
MODELS = (
    Contender(tiny("coopnets/mnist", SIZE | GENERATOR | {"descriptor.shape": [1, 12, 12]})),
    Contender(tiny("dcgan/mnist", SIZE | GENERATOR | {"classifier.shape": [1, 12, 12]})),
)
DCGAN = ["dcgan/mnist"]


def corner(images: torch.Tensor) -> torch.Tensor:
    return images[:, 0, :3, :3].flatten(1)


CORNER = Extractor("corner", "ab", 9, 12, corner, head=lambda x: 3 * x)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Six pictures of each of three categories; lemons are coloured."""
    rng = np.random.default_rng(0)
    for category in (LEMON, LIFEBOAT, ALP):
        folder = tmp_path / "pictures" / "train" / category
        folder.mkdir(parents=True)
        for number in range(6):
            shape = (12, 12, 3) if category == LEMON else (12, 12)
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "pictures"


def found(bench: Bench, name: str) -> dict[str, Any]:
    return {entry["name"]: entry for entry in json.loads((bench.out / f"{name}.json").read_text())}


def runs(bench: Bench) -> dict[str, Any]:
    return {path.name: open_run(path) for path in (bench.out / "models").iterdir()}


# --- Table 1


def test_table1(bench: Bench, pictures: Path) -> None:
    names = {of.recipe.name: of.asked for of in SCENE_MODELS}
    quick, full = ([f"{of}/{size}" for of in ("coopnets", "dcgan", "vae")] for size in ("scene-quick", "scene64"))
    assert names == dict.fromkeys(quick, True) | dict.fromkeys(full, False)
    assert len(SCENES) == 10 and len(QUOTED) == 9 * 7
    entries = list(table1(bench, CORNER, pictures, ["alp", "lemon"], MODELS, DCGAN, (5, 2), 50))
    assert [entry["name"] for entry in entries] == [
        *(f"{row} IS-corner n={n}" for n in (2, 5) for row in ("real images", "noise")),
        *("DCGAN IS-corner n=2", "DCGAN IS-corner n=5"),
    ]
    # all categories mixed, the first of each, and as many samples of all as there are real images
    for n in (2, 5):
        run = runs(bench)[f"dcgan-mnist-{n}-1min-seed0"]
        assert run.facts()["observations"] == 2 * n
        assert run.recipe().deviations[-1].startswith(f"The first {n} pictures of a category")
        data = run.recipe().data
        assert (data.subset, data.each, data.convert) == ((ALP, LEMON), n, True)
    assert {entry["n"] for entry in entries} == {10}
    table = found(bench, "table1")
    assert table["real images IS-corner n=2"]["value"] == table["real images IS-corner n=5"]["value"] > 1
    assert table["DCGAN IS-corner n=5"]["categories"] == [ALP, LEMON]
    page = (bench.out / "table1.md").read_text()
    assert "| | IS-corner, n = 2 | IS-corner, n = 5 |" in page and "(paper)" not in page
    assert "| CoopNets generator | not run | not run |" in page and "each of 2 categories, mixed: n09193705_alp" in page
    assert "IS-corner against training images of each category" in (bench.out / "table1.svg").read_text()


def test_table1_goes_on_where_it_stopped(bench: Bench, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = table1(bench, CORNER, pictures, ["alp"], MODELS, (), (2, 6), 50)
    for entry in entries:
        if entry["name"] == "CoopNets descriptor IS-corner n=2":
            break
    entries.close()  # type: ignore[attr-defined]
    assert "| DCGAN | not run | not run |" in (bench.out / "table1.md").read_text()
    told, really = [], contests.trained

    def noted(bench: Bench, recipe: Any, *rest: Any, **named: Any) -> Any:
        told.append(recipe.name)
        return really(bench, recipe, *rest, **named)

    monkeypatch.setattr(contests, "trained", noted)
    list(table1(bench, CORNER, pictures, ["alp"], MODELS, (), (2, 6), 50))
    assert told == ["dcgan/mnist-2", "coopnets/mnist-6", "dcgan/mnist-6"]
    assert "not run" not in (bench.out / "table1.md").read_text()


@pytest.mark.parametrize("published", [False, True])
def test_the_papers_scores_have_a_column_of_their_own(bench: Bench, tmp_path: Path, published: bool) -> None:
    folder = tmp_path / "pictures" / "alp"
    folder.mkdir(parents=True)
    for number in range(50):
        Image.fromarray(np.full((12, 12), 5 * number, np.uint8)).save(folder / f"{number}.png")
    extractor = replace(CORNER, name="inception-2015" if published else "corner", published=published)
    next(table1(bench, extractor, folder.parent, ["alp"], MODELS, DCGAN, (50,), 20))
    page = (bench.out / "table1.md").read_text().splitlines()
    if published:
        assert "| | IS, n = 50 |" in page and "| CoopNets (paper) | 2.66 ± 0.13 |" in page
    else:
        assert "| | IS-corner, n = 50 | Inception Score, n = 50 |" in page
        assert "| CoopNets (paper) |  | 2.66 ± 0.13 |" in page and "| Persistent CD (paper) |  | 1.3 ± 0.08 |" in page


def test_table1_refuses(bench: Bench, pictures: Path) -> None:
    def given(categories: Any = ("alp",), extractor: Extractor = CORNER, sizes: Any = (4,)) -> Any:
        return table1(bench, extractor, pictures, categories, MODELS, DCGAN, sizes, 10)

    for terms, says in (
        (
            {"categories": ["alp", "lime"]},
            f"lime is not one of the folders of the data; they have {LIFEBOAT}, {LEMON}, {ALP}: name",
        ),
        (
            {"categories": ["lemmon"]},
            r"lemmon is not one of the folders of the data \(did you mean lemon\?\); they",
        ),
        ({"categories": []}, "n09246464 is not one of the folders"),
        ({"extractor": Extractor("blind", "ab", 9, 12, corner)}, "the extractor blind is no classifier"),
        ({"sizes": (2, 7)}, "n09193705_alp holds 6 of the 7 images that were asked of each folder; ask for fewer"),
        ({"sizes": ()}, "no number of training images was given"),
    ):
        with pytest.raises(InputError, match=says):
            given(**terms)
    assert not bench.out.exists()
    next(given())
    with pytest.raises(
        InputError, match=rf"table1.json has .* with categories \['{ALP}'\], and \['{LEMON}'\] is asked for; name"
    ):
        given(categories=["lemon"])
    with pytest.raises(InputError, match=r"table1.json has .* (of other data|with samples 4, and 6 is asked for)"):
        given(sizes=(4, 6))  # six real images


def test_folders_are_called_by_their_ids_and_by_what_follows(tmp_path: Path) -> None:
    for folder in ("n02012849_crane", "n03126707_crane", "n09246464_cliff", "n03042490_cliff_dwelling", "n1_odd", "x"):
        (tmp_path / folder).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / folder / "1.png")
    names = ["cliff", "cliff_dwelling", "n03126707_crane", "n02012849", "x", "n1_odd"]
    expected = ["n09246464_cliff", "n03042490_cliff_dwelling", "n03126707_crane", "n02012849_crane"]
    assert folders_of(names, tmp_path) == (*expected, "x", "n1_odd")
    assert folders_of(["n09246464"], tmp_path) == ("n09246464_cliff",)
    assert [word_net(folder) for folder in ("n09246464_cliff", "n09246464", "n1_odd")] == ["n09246464"] * 2 + ["n1_odd"]
    for unclear in ("odd", "n1"):  # no id
        with pytest.raises(InputError, match=f"^{unclear} is not one of the folders"):
            folders_of([unclear], tmp_path)
    with pytest.raises(InputError, match=r"^crane names several folders of the data, n02012849_crane, n03126707"):
        folders_of(["crane"], tmp_path)
    with pytest.raises(InputError, match=r"^n09246464_cliff is named twice by --categories; name each folder once"):
        folders_of(["cliff", "x", "n09246464"], tmp_path)
    shutil.copy(tmp_path / "x" / "1.png", tmp_path / "1.png")
    with pytest.raises(InputError, match="they have none: name some"):
        folders_of(["a"], tmp_path / "x")


# --- Fig. 7

TWO = ["lemon=3", "lifeboat=8"]


def test_fig7(bench: Bench, pictures: Path) -> None:
    names = {of.recipe.name: of.asked for of in OBJECT_MODELS}
    quick, full = ([f"{of}/{size}" for of in ("coopnets", "dcgan", "vae")] for size in ("object-quick", "object64"))
    assert names == dict.fromkeys(quick, True) | dict.fromkeys(full, False)
    list(fig7(bench, CORNER, pictures, TWO, MODELS, DCGAN, (6, 2), 20))
    table, learned = found(bench, "fig7"), runs(bench)
    assert sorted(learned) == [
        f"dcgan-mnist-{category}-{n}-1min-seed0" for category in (LIFEBOAT, LEMON) for n in (2, 6)
    ]
    assert all(run.facts()["observations"] == run.recipe().data.each for run in learned.values())
    for n in (2, 6):
        for measure in ("class-probability-corner", "top-5-error-corner", "pairwise-SSIM"):
            parts = [table[f"DCGAN {measure} n={n} of {category}"] for category in (LEMON, LIFEBOAT)]
            mean = table[f"DCGAN {measure} n={n}"]
            assert mean["value"] == pytest.approx(sum(part["value"] for part in parts) / 2)
            assert mean["stderr"] == pytest.approx(math.hypot(*(part["stderr"] for part in parts)) / 2)
            assert (mean["n"], mean["categories"]) == (12, [LEMON, LIFEBOAT])
            assert mean["data_sha256"] == ", ".join(part["data_sha256"] for part in parts) and mean["threads"] > 0
            assert mean["wall_seconds"] == pytest.approx(sum(part["wall_seconds"] for part in parts))
            assert mean.get("extractor") == (None if measure == "pairwise-SSIM" else "corner")
            assert [part["training_images"] for part in parts] == [n, n]
    # of all six real lemons, asked for class 3, whatever n is
    lemons = load(DataSpec("folder", (12, 12), 1, subset=LEMON, convert=True), pictures).train.batch(slice(None))
    logits = 3 * corner(lemons)
    real = table[f"real images class-probability-corner of {LEMON}"]
    assert real["value"] == pytest.approx(class_scores(logits, 3).probability.value) and real["class_index"] == 3
    assert real["stderr"] == pytest.approx(average(logits.double().softmax(1)[:, 3]).stderr)
    assert table["real images pairwise-SSIM n=2"]["value"] == table["real images pairwise-SSIM n=6"]["value"]
    page = (bench.out / "fig7.md").read_text()
    heads = [f"{head}, n = {n}" for head in ("class probability", "top-5 error", "pairwise SSIM") for n in (2, 6)]
    assert f"| | {' | '.join(heads)} |" in page
    assert (
        f"| CoopNets descriptor |{' not run |' * 6}" in page and "Averages over 2 categories: n07749582_lemon" in page
    )
    for chart in ("fig7.svg", "fig7_2.svg", "fig7_3.svg"):
        assert f"({chart})" in page and (bench.out / chart).exists()
    list(fig7(bench, CORNER, pictures, TWO, MODELS, ["coopnets/mnist"], (6, 2), 20))
    assert "not run" not in (bench.out / "fig7.md").read_text(), "earlier numbers are shown"
    assert found(bench, "fig7")["DCGAN pairwise-SSIM n=2"] == table["DCGAN pairwise-SSIM n=2"]


def test_fig7_of_other_categories_is_another_figure(bench: Bench, pictures: Path) -> None:
    next(fig7(bench, CORNER, pictures, TWO, MODELS, DCGAN, (2,), 20))
    with pytest.raises(InputError, match=r"fig7.json has .* with categories .* is asked for; name another --out"):
        fig7(bench, CORNER, pictures, TWO[:1], MODELS, DCGAN, (2,), 20)
    with pytest.raises(InputError, match=r"fig7.json has .* (of other data|with samples 2, and 6 is asked for)"):
        fig7(bench, CORNER, pictures, TWO, MODELS, DCGAN, (2, 6), 20)


def test_fig7_says_where_a_model_diverged(bench: Bench, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = contests.trained

    def diverge(bench: Bench, recipe: Any, *rest: Any, **named: Any) -> Any:
        if LIFEBOAT in recipe.name:
            raise DivergenceError("It grew.", {}, ())
        return really(bench, recipe, *rest, **named)

    monkeypatch.setattr(contests, "trained", diverge)
    list(fig7(bench, CORNER, pictures, TWO, MODELS, DCGAN, (2,), 20))
    mean = found(bench, "fig7")["DCGAN pairwise-SSIM n=2"]
    assert mean["value"] is None and mean["failed"] == f"{LIFEBOAT}: It grew."
    assert "| DCGAN | failed | failed | failed |" in (bench.out / "fig7.md").read_text()


def test_fig7_of_two_images_has_no_errors_for_their_pair(bench: Bench, pictures: Path) -> None:
    list(fig7(bench, CORNER, pictures, TWO, MODELS, DCGAN, (2,), 2))
    assert found(bench, "fig7")["DCGAN pairwise-SSIM n=2"]["stderr"] is None


def test_fig7_knows_the_papers_categories(bench: Bench, pictures: Path) -> None:
    lemon, lifeboat, strawberry, school_bus, zebra = 951, 625, 949, 779, 340  # ids in order, 1000 of them
    by_id = {"n02391049": zebra, "n03662601": lifeboat, "n04146614": school_bus}
    assert by_id | {"n07745940": strawberry, "n07749582": lemon} == OBJECTS
    assert [OBJECTS[wnid] for wnid in sorted(OBJECTS)] == sorted(OBJECTS.values())
    thousand = replace(CORNER, head=lambda x: torch.nn.functional.pad(x, (0, 991)))
    next(fig7(bench, thousand, pictures, ["lemon", "lifeboat"], MODELS, DCGAN, (2,), 20))
    assert found(bench, "fig7")[f"real images class-probability-corner of {LEMON}"]["class_index"] == 951


@pytest.mark.parametrize(
    ("categories", "says"),
    [
        (["lemon"], "the class of n07749582_lemon among the 9 of the extractor corner is not known; .*lemon=INDEX"),
        (["alp="], "the class of n09193705_alp among the 9 "),
        (
            ["alp=9"],
            "the class of n09193705_alp is '9', and the extractor corner has those from 0 to 8; give its index",
        ),
        (["alp=-1"], "is '-1', and"),
        ([], "n07745940 is not one of the folders of the data"),
        (["lime=1"], "lime is not one of the folders"),
    ],
)
def test_fig7_refuses(bench: Bench, pictures: Path, categories: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        fig7(bench, CORNER, pictures, categories, MODELS)
    with pytest.raises(InputError, match="the extractor blind is no classifier"):
        fig7(bench, Extractor("blind", "ab", 9, 12, corner), pictures, TWO, MODELS)
    assert not bench.out.exists()


def test_of_many_folders_some_are_told(tmp_path: Path) -> None:
    for number in range(15):
        (tmp_path / f"kind{number:02}").mkdir()
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / f"kind{number:02}" / "a.png")
    with pytest.raises(InputError, match=r"they have kind00, .*, kind11 and 3 more: name some of them"):
        folders_of(["grass"], tmp_path)
