"""Scores of a run: of which function they are, in which order, and how they are shown."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tiny_recipes import learned_texture, tiny, tiny_images
from tutelage.apps.density_ratio import terms
from tutelage.apps.descriptor_density import PotentialTerms
from tutelage.baselines.deep_directed import experts_energy
from tutelage.checks import DivergenceError, InputError, UnfinishedError
from tutelage.data import from_array
from tutelage.energy import Gaussian, Tilt
from tutelage.rng import stream
from tutelage.run import pictures, scoring
from tutelage.run.build import build
from tutelage.run.given import Given
from tutelage.run.scoring import judge_of, score_images, summary

CPU = torch.device("cpu")
RUN = Path("runs/x")


def given(values: list[int]) -> Given:
    """A picture of 2x2 for each value, of that brightness."""
    pixels = np.array(values, np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 2), np.uint8)
    return Given(
        [f"{i}.png" for i in range(len(values))], from_array(pixels, "greys", layout="NCHW"), [(2, 2)] * len(values)
    )


def brightness(images: Tensor) -> PotentialTerms:
    """f = the sum of the pixels, without a reference."""
    total = images.double().flatten(1).sum(1)
    return PotentialTerms(total, 0 * total, total)


@pytest.mark.parametrize("name", ["coopnets/mnist", "descriptor/mnist"])
def test_a_descriptor_is_told_with_its_reference(name: str) -> None:
    learner = build(tiny(name), 10)
    state, x = learner.init(stream(0)), tiny_images().batch(slice(0, 3))
    found = judge_of(RUN, learner, state)(x)
    energy = Tilt(Gaussian(learner.plan.reference_std), state.descriptor)
    with torch.no_grad():
        torch.testing.assert_close(found.potential, state.descriptor(x).double())
        torch.testing.assert_close(found.total, -energy(x).double())


def test_a_uniform_reference_is_0() -> None:
    learner = build(tiny("descriptor/mnist", {"plan.reference_std": None}), 10)
    found = judge_of(RUN, learner, learner.init(stream(0)))(tiny_images().batch(slice(0, 3)))
    assert found.reference.tolist() == [0, 0, 0] and torch.equal(found.total, found.potential)


def test_a_product_of_experts_has_no_half_in_its_reference() -> None:
    learner = build(tiny("deep-directed/mnist"), 10)
    state, x = learner.init(stream(0)), tiny_images().batch(slice(0, 3))
    found, std = judge_of(RUN, learner, state)(x), learner.plan.energy_std
    torch.testing.assert_close(found.reference, -x.double().flatten(1).square().sum(1) / std**2)
    with torch.no_grad():
        torch.testing.assert_close(found.total, -experts_energy(std, state.descriptor)(x).double())


def test_a_cascade_is_told_by_its_three_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, state = learned_texture()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 1, 16, 16), dtype=np.uint8)
    images = from_array(pixels, "noise", layout="NCHW")
    expected, seen = terms(learner, state, images.batch(slice(None))), []
    judge = judge_of(RUN, learner, state)
    monkeypatch.setattr(scoring, "images_per_chunk", lambda *_: 2)
    done = score_images(lambda x: seen.append(len(x)) or judge(x), Given(list("abcde"), images, [(16, 16)] * 5), CPU)
    assert seen == [2, 2, 1] and list(done.parts) == ["ratio", "reference", "total"]
    assert done.order.tolist() == expected.total.argsort(descending=True).tolist()
    for name, part in done.parts.items():
        torch.testing.assert_close(part, getattr(expected, name)[done.order])
    with pytest.raises(UnfinishedError, match="finished no round yet"):
        judge_of(RUN, learner, replace(state, round=0))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("generator/mnist", "by Algorithm G and cannot score pictures: the density of a generator is an integral"),
        ("vae/mnist", "by VAE and cannot score pictures: the density of a generator is an integral"),
        ("texture-nets/quick", "by Texture net and cannot score pictures"),
        ("dcgan/mnist", "by DCGAN and cannot score pictures: a discriminator is no density"),
        ("wgan/mnist", "by WGAN and cannot score pictures: a discriminator is no density"),
        ("ebgan/mnist", "by EBGAN-PT and cannot score pictures: a discriminator is no density"),
        ("flow-matching/mnist", "by Flow matching and cannot score pictures: the density of a flow"),
        ("classifier/mnist", "by Supervised and cannot score pictures: what names classes has no density"),
    ],
)
def test_a_run_without_a_density_is_refused(name: str, message: str) -> None:
    learner = build(tiny(name), 10)
    with pytest.raises(InputError, match=rf"run runs/x learned {message}.*; give a run with a descriptor .*igm/"):
        judge_of(RUN, learner, None)


def test_a_descriptor_that_tells_observed_from_revised_images_is_no_density() -> None:
    learner = build(tiny("coopnets/mnist", {"plan.loss": "logistic", "plan.reference_std": None}), 10)
    with pytest.raises(
        InputError, match="learned by Logistic CoopNets and cannot score pictures: its f tells observed"
    ):
        judge_of(RUN, learner, None)


def test_the_likeliest_comes_first_and_equals_stay_in_their_order() -> None:
    done = score_images(brightness, given([9, 200, 9, 0, 200]), CPU)
    assert done.order.tolist() == [1, 4, 0, 2, 3]
    assert done.names == ["1.png", "4.png", "0.png", "2.png", "3.png"]
    expected = torch.tensor([200, 200, 9, 9, 0]).double() * 8 / 255 - 4
    torch.testing.assert_close(done.parts["total"], expected, atol=1e-6, rtol=0)


def test_numbers_that_are_not_finite_are_not_put_in_order() -> None:
    def diverged(images: Tensor) -> PotentialTerms:
        potential, reference, total = brightness(images)
        return PotentialTerms(potential, reference, total.where(images[:, 0, 0, 0] < 0, torch.nan))

    with pytest.raises(DivergenceError, match=r"of 2 of 3 pictures are not finite, 1\.png the first; .*smaller"):
        score_images(diverged, given([0, 200, 200]), CPU)


NAMES = ["plain.png", 'a, "b".png', " space .png", "two\nlines.png", "more/ü.png", "=1+2.png", "semi;colon.png"]


def test_a_name_is_read_from_the_table_as_it_was(tmp_path: Path) -> None:
    some = given(list(range(0, 210, 30)))._replace(names=NAMES)
    done = score_images(brightness, some, CPU)
    facts = {"seed": 0, "command": "c", "iteration": 6}
    scoring.write_scores(tmp_path / "out", some, done, tiny("descriptor/mnist"), facts, CPU)
    text = (tmp_path / "out" / "scores.csv").read_bytes().decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == ["file", "potential", "reference", "total"]
    assert [row[0] for row in rows] == NAMES[::-1]
    assert [[float(number) for number in row[1:]] for row in rows] == torch.stack([*done.parts.values()], 1).tolist()


def test_a_name_that_is_no_text_is_written_as_an_escape(tmp_path: Path) -> None:
    some = given([0])._replace(names=["\udcff.png"])
    done = score_images(brightness, some, CPU)
    facts = {"seed": 0, "command": "c", "iteration": 6}
    scoring.write_scores(tmp_path / "out", some, done, tiny("descriptor/mnist"), facts, CPU)
    assert "\\udcff.png" in (tmp_path / "out" / "scores.csv").read_text(encoding="utf-8")
    assert "'\\udcff.png'" in next(line for line in summary(done) if "png" in line)


def shown(n: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, list[float]]]:
    """The panels of a sheet of ``n`` ever darker pictures where 6 fit: title, and brightness of each picture."""
    panels, columns = [], []
    monkeypatch.setattr(scoring, "most_shown", lambda _: 6)
    grid, row = pictures.grid, pictures.labelled_row
    monkeypatch.setattr(pictures, "grid", lambda x, **more: columns.append(x[:, 0, 0, 0].tolist()) or grid(x, **more))
    monkeypatch.setattr(pictures, "labelled_row", lambda some: panels.extend(title for title, _ in some) or row(some))
    some = given([200 - 10 * i for i in range(n)])
    done = score_images(brightness, some, CPU)
    facts = {"seed": 0, "command": "c", "iteration": 6}
    scoring.write_scores(tmp_path / "out", some, done, tiny("descriptor/mnist"), facts, CPU)
    assert (tmp_path / "out" / "scores.png").is_file()
    return list(zip(panels, columns, strict=True))


@pytest.mark.parametrize(
    ("n", "panels"),
    [
        (1, {"1 picture": range(1)}),
        (6, {"6 pictures, likeliest first": range(6)}),
        (7, {"the 3 likeliest of 7": range(3), "the 3 least likely": range(4, 7)}),
    ],
)
def test_the_sheet_has_all_pictures_or_the_first_and_the_last(n, panels, monkeypatch, tmp_path) -> None:
    expected = [(title, [(200 - 10 * i) / 127.5 - 1 for i in which]) for title, which in panels.items()]
    for (title, values), (words, right) in zip(shown(n, monkeypatch, tmp_path), expected, strict=True):
        assert title == words and values == pytest.approx(right, abs=1e-6)


def test_the_sheet_has_100_pictures_at_most() -> None:
    assert scoring.most_shown((1, 28, 28)) == 100 and scoring.most_shown((3, 64, 64)) == 100


@pytest.mark.parametrize("n", [1, 6, 7])
def test_the_summary_names_the_first_and_the_last(n: int) -> None:
    done = score_images(brightness, given([200 - 10 * i for i in range(n)]), CPU)
    lines = list(summary(done))
    named = [line.rpartition("  ")[2] for line in lines if line.endswith(".png")]
    assert named == [f"{i}.png" for i in ((0, 1, 2, 4, 5, 6) if n == 7 else range(n))]
    heads = [line for line in lines if line.endswith(":")]
    assert heads == {1: ["1 picture:"], 6: ["6 pictures, likeliest first:"]}.get(
        n, ["The likeliest of 7 pictures:", "The least likely:"]
    )
    assert lines[1] == "  2.27451 = 2.27451 (potential) + 0 (ln p0)  0.png"
    assert lines[-1] == scoring.CAUTION and "compare pictures, not models" in lines[-1]
