"""Every table at toy size: tiny networks, 8x8 digits, no time at all."""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from idx_files import write_mnist
from tiny_recipes import tiny, tiny_images
from tutelage import data
from tutelage.apps.density_ratio import log_reference
from tutelage.apps.masks import squares
from tutelage.baselines.inpainting import Interpolation, biharmonic
from tutelage.baselines.mrf import GibbsMrf
from tutelage.checks import DivergenceError, InputError
from tutelage.data import Splits, idx
from tutelage.learn import igm
from tutelage.metrics.auroc import auroc
from tutelage.metrics.extractors import Extractor
from tutelage.metrics.pixel import recovery
from tutelage.reproduce.bench import Bench
from tutelage.reproduce.cells import Cells, filled
from tutelage.reproduce.contest import Contender
from tutelage.reproduce.faces import CONTENDERS as FACES
from tutelage.reproduce.faces import fig8
from tutelage.reproduce.house_numbers import CONTENDERS as HOUSES
from tutelage.reproduce.house_numbers import fig9
from tutelage.reproduce.outliers import MODEL, igm_outliers
from tutelage.reproduce.semisupervised import CONTENDERS as SETS
from tutelage.reproduce.semisupervised import igm_semisupervised
from tutelage.reproduce.table2 import CONTENDERS, QUOTED, table2
from tutelage.reproduce.table3 import CONTENDERS as CONTENDERS3
from tutelage.reproduce.table3 import table3
from tutelage.reproduce.table5 import CONTENDERS as FACES5
from tutelage.reproduce.table5 import _rows, _ways, table5
from tutelage.rng import stream
from tutelage.run import completing
from tutelage.run.folder import open_run
from tutelage.run.load import load
from tutelage.run.probing import networks_of, probed

CPU = torch.device("cpu")
DIGITS = {"data.kind": "digits"}


def names(path: Path) -> list[str]:
    return [entry["name"] for entry in json.loads(path.read_text())]


def numbers(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries, all of which have a number: no model failed."""
    found = list(entries)
    assert found and all(math.isfinite(entry["value"]) for entry in found)
    return found


def test_table2(bench: Bench) -> None:
    usual = [of for of in CONTENDERS if of.asked]
    whole = [of.recipe.name.removesuffix("-quick") for of in usual]
    contenders = [
        Contender(tiny("descriptor/mnist" if name == "pcd/mnist" else name, DIGITS), of.called)
        for name, of in zip(whole, usual, strict=True)
    ]
    judge: Any = tiny("classifier/mnist")
    entries = numbers(table2(bench, None, contenders, ["vae/mnist", "coopnets/mnist"], judge, samples=30, near=10))
    page = (bench.out / "table2.md").read_text()
    assert "| DCGAN | not run | not run | not run | not run |" in page
    rows = ("CoopNets generator", "CoopNets descriptor", "VAE")
    measures = ("parzen", "FD-classifier-mnist", "precision-classifier-mnist", "recall-classifier-mnist")
    expected = {f"{row} {measure}" for row in rows for measure in measures}
    assert expected | {"real images parzen", "real against real FD-classifier-mnist"} < {e["name"] for e in entries}
    assert {"GAN parzen (quoted)", "CoopNets descriptor parzen (paper)"} < set(names(bench.out / "table2.json"))
    assert len(QUOTED) == 6 and (bench.out / "table2.svg").exists()
    numbers(table2(bench, None, contenders, (), judge, samples=30, near=10))
    page = (bench.out / "table2.md").read_text()
    assert "not run" not in page and "| Persistent CD | " in page
    assert (bench.out / "models" / "classifier-mnist-seed0").is_dir()


def test_the_papers_networks_of_digits_are_run_where_they_are_named(bench: Bench) -> None:
    full = [of for of in CONTENDERS if not of.asked]
    alone = ["wgan-gp/mnist", "ebgan/mnist", "infogan/mnist", "deep-directed/mnist"]
    smaller = {of.recipe.name.removesuffix("-quick") for of in CONTENDERS if of.asked}
    assert {of.recipe.name for of in full} == smaller | {*alone}
    assert all(row.startswith("Full-size ") for of in full for row in of.rows)
    small = [Contender(tiny(of.recipe.name, DIGITS), of.called, asked=False) for of in full if of.recipe.name in alone]
    models, judge = [Contender(tiny("vae/mnist", DIGITS)), *small], tiny("classifier/mnist")
    numbers(table2(bench, None, models, (), judge, samples=30, near=10))
    assert "Full-size" not in (bench.out / "table2.md").read_text()
    numbers(table2(bench, None, models, alone, judge, samples=30, near=10))
    numbers(table2(bench, None, models, (), judge, samples=30, near=10))
    page = (bench.out / "table2.md").read_text()
    assert "not run" not in page and all(f"| {of.called} | " in page for of in small)


def test_fig8(bench: Bench) -> None:
    corner = Extractor("corner", "ab", 4, 8, lambda images: images[:, 0, :2, :2].flatten(1))
    assert [of.recipe.name for of in FACES if of.asked] == [
        "igm/faces64-quick",
        "igm/faces64-quick-single",
        "dcgan/faces64-quick",
        "coopnets/faces64-quick",
        "coopnets/faces64-quick-logistic",
        "vae/faces64-quick",
    ]
    with_generator = [of.recipe for of in FACES if of.asked and of.recipe.generator is not None]
    assert len(with_generator) == 4 and len({recipe.generator for recipe in with_generator}) == 1
    assert {of.recipe.name: of.rows for of in FACES if not of.asked} == {
        "igm/faces64": ("Full-size IGM",),
        "igm/faces64-single": ("Full-size IGM-single",),
        "dcgan/faces64": ("Full-size DCGAN",),
        "coopnets/faces64": ("Full-size CoopNets generator", "Full-size CoopNets descriptor"),
        "vae/faces64": ("Full-size VAE",),
    }
    whole = {"plan.patches": None, "plan.patches_per_image": None, "plan.rounds": 1, "plan.batch_size": 4}
    cascade = tiny("igm/texture", {**DIGITS, **whole, "data.size": [8, 8]})
    single = replace(cascade, name="igm/texture-single", plan=replace(cascade.plan, single=True))
    models = [Contender(recipe) for recipe in (cascade, single, tiny("dcgan/mnist", DIGITS))]
    models.append(Contender(tiny("coopnets/mnist", DIGITS)))
    found = {entry["name"] for entry in numbers(fig8(bench, corner, contenders=models[:3], samples=20, near=10))}
    assert {"IGM FD-corner", "IGM-single FD-corner", "DCGAN FD-corner"} <= found
    numbers(fig8(bench, corner, contenders=models, only=["coopnets/mnist"], samples=20, near=10))
    page = (bench.out / "fig8.md").read_text()
    assert "not run" not in page and "mirrored" not in page
    assert "| | FD-corner | KD-corner | precision | recall | FID of 128x128 pixels |" in page
    assert "| CoopNets descriptor (paper) |  |  |  |  | 16.65 |" in page and "the paper's Table 3, on CelebA's" in page
    assert "Least FD-corner first: " in page
    seeing = replace(models[3], recipe=replace(models[3].recipe, data=replace(models[3].recipe.data, flip=True)))
    elsewhere = replace(bench, out=bench.out.with_name("mirrored"))
    models[3] = seeing
    next(fig8(elsewhere, corner, contenders=models, only=["coopnets/mnist"], samples=20, near=10))
    assert "CoopNets saw mirrored images too." in " ".join((elsewhere.out / "fig8.md").read_text().split())


def test_fig9(bench: Bench) -> None:
    corner = Extractor("corner", "ab", 4, 8, lambda images: images[:, 0, :2, :2].flatten(1))
    quick, full = HOUSES[:3], HOUSES[3:]
    assert [of.recipe.name for of in quick] == ["igm/svhn32-quick", "igm/svhn32-quick-single", "dcgan/svhn32-quick"]
    assert [of.recipe.name for of in full] == ["igm/svhn32", "igm/svhn32-single", "dcgan/svhn32"]
    assert [of.asked for of in HOUSES] == [True] * 3 + [False] * 3
    assert {of.recipe.data.kind for of in HOUSES} == {"svhn"}
    assert all(of[2].recipe.classifier == of[0].recipe.classifier for of in (quick, full))
    whole = {"plan.patches": None, "plan.patches_per_image": None, "plan.rounds": 1, "plan.batch_size": 4}
    cascade = tiny("igm/texture", {**DIGITS, **whole, "data.size": [8, 8]})
    models = [Contender(cascade), Contender(tiny("dcgan/mnist", DIGITS))]
    numbers(fig9(bench, corner, contenders=models, only=["igm/texture"], samples=20, near=10))
    page = (bench.out / "fig9.md").read_text()
    assert "# House numbers (IGM, Fig. 9)" in page and "| DCGAN | not run | not run | not run | not run |" in page
    assert "| IGM | not run" not in page and "of 10 images each" in " ".join(page.split())


def test_igm_semisupervised(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [of.recipe.name for models in SETS.values() for of in models] == [
        *("igm/mnist28-quick", "dcgan/mnist28-quick", "igm/cifar32-quick", "dcgan/cifar32-quick"),
        *("igm/svhn32-quick", "dcgan/svhn32-quick"),
    ]
    assert [all(of.asked for of in models) for models in SETS.values()] == [True, True, False]
    for ours, other in SETS.values():
        assert (ours.recipe.data, ours.recipe.classifier) == (other.recipe.data, other.recipe.classifier)
    whole = {"plan.patches": None, "plan.patches_per_image": None, "plan.rounds": 2, "plan.batch_size": 4}
    whole |= {"classifier.channels": [4, 6, 8]}
    cascade = tiny("igm/texture", {**DIGITS, **whole, "data.size": [8, 8]})
    models = (Contender(cascade), Contender(tiny("dcgan/mnist", DIGITS)))
    absent = (Contender(replace(tiny("dcgan/mnist"), name="dcgan/absent")),)
    monkeypatch.delenv("TUTELAGE_DATA", raising=False)
    list(igm_semisupervised(bench, None, {"digits": models, "none": absent}, ["igm/texture"], (60,), 2))
    page = (bench.out / "igm-semisupervised.md").read_text()
    assert "| | error, 60 labels |" in page and "| DCGAN features on digits | not run |" in page
    found = {entry["name"]: entry for entry in json.loads((bench.out / "igm-semisupervised.json").read_text())}
    rows = [f"{row} on digits error of 60 labels" for row in ("IGM features", "untrained IGM features", "raw pixels")]
    assert len({found[row]["value"] for row in rows}) == 3 and all(found[row]["repeats"] == 2 for row in rows)
    assert all(found[row]["wall_seconds"] > 0 for row in rows)
    cascades = open_run(bench.out / "models" / "igm-texture-1min-seed0")
    one = sum(cascades.facts()["parameters"].values())
    assert (found[rows[0]]["rounds"], found[rows[0]]["parameters"]) == (2, one), "those that are probed"
    learned, untrained, _ = networks_of(cascades, data.load(cascade.data).train, bench.device)
    for row, network in zip(rows[:2], (learned, untrained), strict=True):
        score, _ = probed(network, data.load(cascade.data), data.class_labels(cascade.data), 60, 2, bench.seed)
        assert found[row]["value"] == score.error
    spec = cascade.data
    expected, _ = probed(None, data.load(spec), data.class_labels(spec), 60, 2, bench.seed)
    assert found[rows[2]]["value"] == expected.error < 0.5
    for row in ("raw pixels", "untrained DCGAN features"):
        assert f"| {row} on none | not run |" in page
    assert "| IGM features on SVHN (paper) | " in page


def test_igm_outliers(bench: Bench, tmp_path: Path) -> None:
    whole = {"plan.patches": None, "plan.patches_per_image": None, "plan.rounds": 2, "plan.batch_size": 4}
    model = Contender(tiny("igm/texture", {**DIGITS, **whole, "data.size": [8, 8]}))
    assert MODEL.recipe.name == "igm/mnist28-quick"
    fashion, textures = tmp_path / "fashion", tmp_path / "textures"
    write_mnist(fashion, side=8)
    for file in fashion.glob("train-*"):
        file.unlink()  # what is told apart is the test images
    write_mnist(tmp_path / "large", side=9)
    textures.mkdir()
    for i in range(3):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 30, 3), np.uint8)).save(textures / f"{i}.png")
    entries = {entry["name"]: entry for entry in igm_outliers(bench, [fashion, textures], None, model)}
    assert len(entries) == 6
    assert entries["ln p0 AUROC against fashion"]["outside_n"] == 10
    one = sum(open_run(bench.out / "models" / "igm-texture-1min-seed0").facts()["parameters"].values())
    assert entries["ln p0 AUROC against fashion"]["parameters"] == 2 * one, "those of both classifiers"
    assert entries["sum of the logits AUROC against textures"]["outside_n"] == 3
    digits, others = data.load(model.recipe.data).test, idx.images(idx.idx_file(fashion, idx.TEST_IMAGES), "fashion")
    assert digits is not None
    plan = model.recipe.plan
    assert isinstance(plan, igm.Plan)
    expected = auroc(*(log_reference(plan, some.batch(slice(None))) for some in (digits, others)))
    assert entries["ln p0 AUROC against fashion"]["value"] == pytest.approx(expected.value)
    page = (bench.out / "igm-outliers.md").read_text()
    assert "| | against fashion | against textures |" in page and "not run" not in page
    with pytest.raises(InputError, match=r"no outliers were given; give a folder .* with --outliers"):
        igm_outliers(bench, [])
    with pytest.raises(InputError, match=r"these are raw, raw; give paths that end in different names"):
        igm_outliers(bench, [tmp_path / "a" / "raw", tmp_path / "b" / "raw"], None, model)
    with pytest.raises(InputError, match=r"large are \(1, 9, 9\) \(channels, .* the model's \(1, 8, 8\); give"):
        igm_outliers(bench, [tmp_path / "large"], None, model)


def test_table5(bench: Bench) -> None:
    ours, short = ["coopnets/faces64-quick", "coopnets/faces64-quick-logistic"], FACES5[3:]
    assert [of.recipe.name for of in FACES5[:3]] == [*ours, "dcgan/faces64-quick"]
    assert [of.recipe.name for of in short] == ["coopnets/faces64-600", "dcgan/faces64-600"]
    assert [of.recipe.plan.iterations for of in short] == [600, 600] and all(of.own_length for of in short)
    assert all(getattr(of.recipe.plan, "ema_decay", 0) is None for of in short), "the paper averages no weights"
    models = [Contender(tiny(name, DIGITS)) for name in ("coopnets/mnist", "dcgan/mnist")]
    fills = {"inpaint-4": Interpolation(4), "MRF-l2, Gibbs": GibbsMrf(2, sweeps=2)}
    mean = "CoopNets, mean of 8"
    rows = ("CoopNets", "CoopNets, revised", mean, f"{mean}, revised")
    named = list(table5(bench, None, models, ["coopnets/mnist"], 22, 5, (3, 4), fills))
    cells = {f"{row} M{size} {what}" for row in rows for what in ("error", "PSNR") for size in (3, 4)}
    assert {entry["name"] for entry in named} == cells, "what was named, alone"
    assert "| inpaint-4 | not run | not run | not run | not run |" in (bench.out / "table5.md").read_text()
    entries = list(table5(bench, None, [models[0], replace(models[1], asked=False)], (), 22, 5, (3, 4), fills))
    found = {entry["name"]: entry for entry in entries}
    assert set(found) == cells | {
        f"{row} M{size} {what}" for row in fills for what in ("error", "PSNR") for size in (3, 4)
    }
    assert 0 < found["inpaint-4 M3 error"]["value"] < 0.5 and found["inpaint-4 M3 error"]["n"] == 22
    assert found["CoopNets M4 error"]["run"] == "coopnets-mnist-1min-seed0"
    assert found["CoopNets M4 error"]["latent_step_size"] in (0.1, 0.03, 0.02, 0.01)
    assert found["CoopNets M4 error"]["residual"] > 0 and found["CoopNets M4 error"]["inference_seconds"] > 0
    assert found["CoopNets, revised M4 error"]["revision_steps"] == models[0].recipe.plan.revision_steps
    assert "revision_steps" not in found["CoopNets M4 error"] and "inference_chains" not in found["CoopNets M4 error"]
    together = [found[f"{row} M3 PSNR"][what] for row in rows[2:4] for what in ("inference_chains", "inference_steps")]
    assert together == [8, 1, 8, 1] and found["CoopNets M3 PSNR"]["inference_steps"] == 5, "as many in all, rounded up"
    for size in (3, 4):
        assert found[f"{mean} M{size} error"]["value"] < found[f"CoopNets M{size} error"]["value"]
    assert not [row for of in short for way in _ways(of, 5) for row in _rows(of, way) if "mean" in row]
    assert found["CoopNets, revised M4 error"]["picture"] != found["CoopNets M4 error"]["picture"]
    assert found["inpaint-4 M3 error"]["wall_seconds"] > 0 and "inference_seconds" not in found["inpaint-4 M3 error"]
    page = (bench.out / "table5.md").read_text()
    assert "| DCGAN | not run | not run | not run | not run |" in page and "DCGAN, revised" not in page
    assert "| inpaint-3 (paper) |" in page
    assert "| inpaint-4, 3 | " in page, "how long it took"
    settings = "GibbsMrf(power=2, levels=32, beta=0.2, sweeps=2, first_beta=None, low=-1.0, high=1.0)"
    assert found["MRF-l2, Gibbs M3 PSNR"]["settings"] == settings
    with pytest.raises(InputError, match=r"table5.json has 'MRF-l2, Gibbs M3 error' with settings .* is asked for"):
        table5(bench, None, models, ["coopnets/mnist"], 22, 5, (3, 4), fills | {"MRF-l2, Gibbs": GibbsMrf(2, sweeps=3)})
    for count in (19, 20):
        panels = dict.fromkeys(("original", "occluded", "completed"), torch.zeros(count, 1, 8, 8))
        completing.save_panels(panels, bench.out / f"{count}.png")
    with Image.open(bench.out / "19.png") as fewer, Image.open(bench.out / "20.png") as twenty:
        assert twenty.height - fewer.height == (8 + 2) * 8, "a row each, at 8 times its size"
    for entry in entries:
        with Image.open(bench.out / entry["picture"]) as picture, Image.open(bench.out / "20.png") as twenty:
            assert picture.size == twenty.size
        assert f"({entry['picture']})" in page
    # the holes are the same for all, and drawn from the seed
    hole = squares(22, (8, 8), 3, stream(0, "mask", 3))
    digits = data.load(models[0].recipe.data)
    assert digits.test is not None
    faces = digits.test.batch(slice(0, 22))
    filled = torch.stack([Interpolation(4)(image, seen == 0) for image, seen in zip(faces, hole[:, 0], strict=True)])
    expected = recovery(filled.clamp(-1, 1), faces, hole).error.mean().item()
    assert found["inpaint-4 M3 error"]["value"] == pytest.approx(expected)


def test_table5_goes_on_without_what_is_not_installed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tutelage.reproduce.table5.find_spec", lambda package: None if package == "skimage" else 1)
    models = [Contender(tiny("coopnets/mnist", DIGITS))]
    fills = {"biharmonic": biharmonic, "inpaint-4": Interpolation(4)}
    entries = list(table5(bench, None, models, n=4, steps=1, sizes=(3,), fills=fills))
    rows = {"CoopNets", "CoopNets, revised", "CoopNets, mean of 8", "CoopNets, mean of 8, revised", "inpaint-4"}
    assert {entry["name"].partition(" M3")[0] for entry in entries} == rows
    page = (bench.out / "table5.md").read_text()
    assert "| biharmonic | not run | not run |" in page
    assert "Not installed, so not run: biharmonic; `pip install 'tutelage[inpainting]'`." in page


def test_table5_infers_by_the_steps_that_explain_training_faces_best(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete, seen = completing.complete, []

    def pretended(learner: Any, state: Any, images: Any, mask: Any, plan: Any, *rest: Any) -> completing.Completed:
        seen.append((images.name, len(images), plan.step_size))
        done = complete(learner, state, images, mask, plan, *rest)
        return done._replace(residual=torch.full_like(done.residual, abs(plan.step_size - 0.03)))

    monkeypatch.setattr(completing, "complete", pretended)
    models = [Contender(tiny("coopnets/mnist", DIGITS))]
    found = {entry["name"]: entry for entry in table5(bench, None, models, (), 6, 2, (3,), {})}
    assert found["CoopNets M3 error"]["latent_step_size"] == 0.03
    digits = data.load(models[0].recipe.data)
    assert digits.test is not None
    tried = [(digits.train.name, 10, size) for size in (0.1, 0.03, 0.02, 0.01)]
    assert seen == 2 * [*tried, (digits.test.name, 6, 0.03)], "by one chain, and by several"


def test_table5_revises_what_the_generator_completed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    complete, revised, seen = completing.complete, completing.revised, []

    def completed(*arguments: Any) -> completing.Completed:
        seen.append(complete(*arguments))
        return seen[-1]

    monkeypatch.setattr(completing, "complete", completed)
    models = [Contender(tiny("coopnets/mnist", DIGITS))]
    found = {entry["name"]: entry["value"] for entry in table5(bench, None, models, (), 6, 2, (3,), {})}
    learner, state = load(next((bench.out / "models").iterdir()))
    done, rng = seen[4], stream(0, "revision", 3)
    by_hand = revised(learner, state, done.completed, done.mask, learner.plan.revision_steps, rng)
    expected = completing.recovered(by_hand, done.original, done.mask)["error"].mean().item()
    assert found["CoopNets, revised M3 error"] == pytest.approx(expected)
    assert found["CoopNets M3 error"] != pytest.approx(expected)
    assert torch.equal(by_hand * done.mask, done.original * done.mask)


def test_table5_keeps_the_generators_numbers_where_the_revision_diverges(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverged(*_: Any) -> torch.Tensor:
        raise DivergenceError("it ran away")

    monkeypatch.setattr(completing, "revised", diverged)
    models = [Contender(tiny("coopnets/mnist", DIGITS))]
    found = {entry["name"]: entry for entry in table5(bench, None, models, (), 6, 2, (3,), {})}
    assert 0 < found["CoopNets M3 error"]["value"] < 1
    assert (found["CoopNets, revised M3 error"]["value"], found["CoopNets, revised M3 PSNR"]["value"]) == (None, None)
    assert found["CoopNets, revised M3 error"]["failed"] == "it ran away"


def test_table5_needs_images_that_were_held_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Splits(tiny_images(5))
    monkeypatch.setattr(data, "load", lambda *_: alone)
    with pytest.raises(InputError, match=r"hold no images out; .*add a folder test/ .*--held-out"):
        table5(bench)


def test_table3(bench: Bench) -> None:
    quick, full = CONTENDERS3[:5], CONTENDERS3[5:]
    assert [of.recipe.name for of in quick] == [f"{of.recipe.name}-quick" for of in full]
    assert all(of.asked for of in quick)
    assert not any(of.asked for of in full) and full[0].rows[1] == "Full-size CoopNets descriptor"
    recipes = [tiny(of.recipe.name.replace("cifar10", "mnist"), DIGITS) for of in full]
    corner = Extractor("corner", "ab", 4, 8, lambda images: images[:, 0, :2, :2].flatten(1))
    models = [Contender(recipe) for recipe in recipes]
    entries = numbers(table3(bench, corner, contenders=models, samples=20, near=10))
    rows = ("CoopNets generator", "CoopNets descriptor", "DCGAN", "WGAN-GP", "VAE", "Flow matching")
    found = {entry["name"] for entry in entries}
    assert {f"{row} {of}-corner" for row in rows for of in ("FD", "KD", "precision", "recall")} < found
    page = (bench.out / "table3.md").read_text()
    assert "| | FD-corner | KD-corner | precision | recall | FID |" in page
    assert "| DCGAN (paper) |  |  |  |  | 37.7 |" in page
    assert "VAE FID (paper)" in names(bench.out / "table3.json")


def test_a_page_keeps_what_earlier_sittings_measured_and_no_table_mixes_data(bench: Bench) -> None:
    models = [Contender(tiny(name, DIGITS)) for name in ("coopnets/mnist", "dcgan/mnist")]
    fills = {"inpaint-4": Interpolation(4)}
    for only in (["coopnets/mnist"], ["dcgan/mnist"], []):
        list(table5(bench, None, models, only, 6, 2, (3,), fills))
    page = (bench.out / "table5.md").read_text()
    assert "not run" not in page.partition("(paper)")[0]
    other = replace(bench, command="again")
    results = json.loads((bench.out / "table5.json").read_text())
    for entry in results:
        if entry["name"].startswith("DCGAN M3"):
            entry["data_sha256"] = "0" * 64
    (bench.out / "table5.json").write_text(json.dumps(results))
    with pytest.raises(InputError, match=r"has 'DCGAN M3 error' of other data than are given now; name another --out"):
        table5(other, None, models, ["coopnets/mnist"], 6, 2, (3,), fills)


def test_what_was_measured_before_a_divergence_stays(bench: Bench) -> None:
    def half() -> Iterator[dict[str, Any]]:
        yield {"name": "first", "value": 1.0, "seed": 0}
        raise DivergenceError("it ran away")

    bench.out.mkdir()
    results = bench.out / "some.json"
    for _ in range(2):
        found = list(filled(bench, results, [Cells({"first": {}, "second": {}}, half)]))
        assert [(entry["name"], entry["value"]) for entry in found] == [("first", 1.0), ("second", None)]
        assert found[1]["failed"] == "it ran away"
