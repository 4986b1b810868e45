"""Table 6 at toy size: 20 frames of 8x8 (12x12 where structural similarity needs them)."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tiny_recipes import tiny
from tutelage.baselines import hosvd, lds
from tutelage.checks import DivergenceError, InputError
from tutelage.data import video
from tutelage.metrics.temporal import matched
from tutelage.reproduce import clips, movement, table6
from tutelage.reproduce.bench import Bench
from tutelage.reproduce.clips import clips_of, pixels_of
from tutelage.reproduce.contest import Contender
from tutelage.reproduce.movement import measures, own_nearest, scores
from tutelage.reproduce.table6 import CONTENDERS, FITS, QUOTED
from tutelage.run.lock import in_use

PLAN = lds.Plan(3)
LDS = {"LDS": partial(lds.fit, plan=PLAN)}
FULL = {"channels": 4, "frames": 5, "frame_stride": 2, "kernel": None, "size": [6, 6]}
LOCAL = {"channels": 3, "frames": 2, "frame_stride": 2, "kernel": 5, "size": [12, 12]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clips = tmp_path / "clips"
    for name, seed in (("a", 0), ("b", 1)):
        frames = np.random.default_rng(seed).integers(0, 256, (20, 12, 12, 3), np.uint8)
        video.write(clips / f"{name}.webp", frames)
    return clips


def small() -> Contender:
    sizes = {"data.size": [12, 12], "descriptor.shape": [3, 20, 12, 12], "generator.deconvs": [FULL, LOCAL]}
    return Contender(tiny("video/quick", sizes))


def test_it_measures_clips_and_their_means(bench: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models, asked, made, really = [small()], [], [], table6.dynamics.drafted_and_revised

    def noted(*arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(arguments[-1])
        made.append(really(*arguments))
        return made[-1]

    monkeypatch.setattr(table6.dynamics, "drafted_and_revised", noted)
    entries = list(table6.table6(bench, folder, models, sequences=2, fits=LDS))
    found = {entry["name"]: entry for entry in entries}
    rows = ("CoopNets", "CoopNets drafts", "LDS", "LDS, no noise", "mean frame")
    names = {f"{row} {measure}" for row in rows for measure in measures(row != "mean frame")}
    names.add("the clip itself nearest")
    assert set(found) == names | {f"{name} of {clip}" for name in names for clip in "ab"}
    both = [found[f"LDS PSNR of {clip}"]["value"] for clip in "ab"]
    mean = found["LDS PSNR"]
    assert mean["value"] == pytest.approx(sum(both) / 2) and mean["n"] == 2
    assert mean["stderr"] == pytest.approx(abs(both[0] - both[1]) / 2)
    spent = [found[f"LDS{row} PSNR of {clip}"]["wall_seconds"] for row in ("", ", no noise") for clip in "ab"]
    assert min(spent) > 0 and spent[:2] == spent[2:] and mean["wall_seconds"] == pytest.approx(sum(spent[:2]))
    assert found["CoopNets PSNR of a"]["run"] == "video-quick-a-1min-seed0"
    assert found["CoopNets PSNR of a"]["value"] != found["CoopNets drafts PSNR of a"]["value"]
    assert found["LDS, no noise PSNR of a"]["n"] == 1 and found["mean frame variance"]["value"] < 1e-9
    assert asked == [2, 2]
    pixels = pixels_of(clips_of(models[0].recipe.data, folder)["a"])
    for row, of in zip(("CoopNets drafts", "CoopNets"), made[0], strict=True):
        assert found[f"{row} variance of a"]["value"] == scores(list(of), pixels)["variance"].value
    page = (bench.out / "table6.md").read_text()
    assert "| CoopNets (paper) |  |  | 19.41 | 0.599 |" in page and "not run" not in page
    assert "\n| LDS of a | " in page and "\n| LDS of b | " in page, "how the time was spent"
    assert "(table6_a.png)" in page and (bench.out / "table6_b.png").exists() and (bench.out / "table6.svg").exists()
    known = {entry["name"]: entry["value"] for entry in json.loads((bench.out / "table6.json").read_text())}
    assert known["CoopNets PSNR (paper)"] == 19.407 and known["LDS SSIM (paper)"] == 0.5939
    again = list(table6.table6(bench, folder, models, sequences=2, fits=LDS))
    assert again == entries
    recipe = models[0].recipe
    changed = [Contender(replace(recipe, plan=replace(recipe.plan, batch_size=2)))]
    with pytest.raises(InputError, match=r"has 'CoopNets .* of a' by another recipe"):
        table6.table6(bench, folder, changed, sequences=2, fits=LDS)
    with pytest.raises(InputError, match=r"has 'LDS .* of a' with settings fit.plan=Plan.states=3.* is asked for"):
        table6.table6(bench, folder, models, sequences=2, fits={"LDS": partial(lds.fit, plan=lds.Plan(2))})
    with pytest.raises(InputError, match="with sequences 2, and 3 is asked for"):
        table6.table6(bench, folder, models, fits=LDS)


def test_what_was_not_asked_for_was_not_run(bench: Bench, folder: Path) -> None:
    models = [small(), Contender(tiny("video/dynamic-texture"), "another")]
    list(table6.table6(bench, folder / "a.webp", models, ["video/quick"], sequences=1, fits={}))
    page = (bench.out / "table6.md").read_text()
    assert "| another | not run |" in page and "| another drafts | not run |" in page and "1 clip(s) of 20" in page


def test_clips_are_read_as_the_model_that_is_asked_for_learns_them(bench: Bench, folder: Path) -> None:
    sizes = {"data.size": [12, 12], "data.frames": 16, "descriptor.shape": [3, 16, 12, 12]}
    sizes |= {"generator.latent_size": [2, 1, 1], "generator.deconvs": [FULL, LOCAL]}
    models = [small(), Contender(tiny("video/dynamic-texture", sizes), "Full-size CoopNets", asked=False)]
    both = ["video/quick", "video/dynamic-texture"]
    with pytest.raises(InputError, match=r"video/quick 20x12x12, video/dynamic-texture 16x12x12; name"):
        table6.table6(bench, folder, models, both)
    place = folder / "a.webp"
    entries = list(table6.table6(bench, place, models, both[1:], sequences=1, fits={}))
    made = [entry for entry in entries if entry["name"] == "Full-size CoopNets drafts PSNR of a"]
    assert made[0]["run"] == "video-dynamic-texture-a-1min-seed0" and made[0]["value"] is not None
    page = (bench.out / "table6.md").read_text()
    assert "1 clip(s) of 16 frames of 12x12" in page and "| CoopNets | not run |" in page
    with pytest.raises(InputError, match="of other data than are given now; name another --out"):
        table6.table6(bench, place, models, sequences=1, fits={})
    elsewhere = replace(bench, out=bench.out.with_name("elsewhere"))
    next(table6.table6(elsewhere, place, models, sequences=1, fits={}))
    page = (elsewhere.out / "table6.md").read_text()
    assert "1 clip(s) of 20 frames of 12x12" in page and "Full-size" not in page


def test_a_model_that_diverged_has_no_mean(bench: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverges(*_: object, **__: object) -> None:
        raise DivergenceError("it ran away")

    monkeypatch.setattr(table6, "trained", diverges)
    entries = {e["name"]: e for e in table6.table6(bench, folder, [small()], sequences=1, fits={})}
    assert entries["CoopNets PSNR"]["value"] is None and entries["CoopNets PSNR"]["failed"] == "it ran away"


class Strange:
    """A fit, and its model, whose sequences are ``value`` everywhere; or which takes no clip."""

    def __init__(self, value: float | None) -> None:
        self.value = value

    def __call__(self, clip: torch.Tensor) -> "Strange":
        if self.value is None:
            raise InputError("this clip will not do")
        self.clip = clip
        return self

    def synthesise(self, frames: int, rng: torch.Generator, noise: bool = True) -> torch.Tensor:
        assert self.value is not None
        return torch.full_like(self.clip[:, :frames], self.value)


def test_a_clip_that_a_fit_cannot_take_is_its_failure_and_the_others_go_on(bench: Bench, folder: Path) -> None:
    unasked, fits = [replace(small(), asked=False)], {"none": None, "nan": torch.nan, "grey": 0.0}
    strange: dict[str, Any] = {row: Strange(value) for row, value in fits.items()}
    entries = list(table6.table6(bench, folder / "a.webp", unasked, sequences=2, fits={**strange, **LDS}))
    found = {entry["name"]: entry for entry in entries}
    for row, says in (
        ("none", "this clip will not do"),
        ("nan", "2 of 2 sequences hold numbers that are not finite"),
        ("grey", "2 of 2 sequences stand still, and their model is one that moves"),
    ):
        assert found[f"{row} PSNR of a"]["failed"] == found[f"{row}, no noise PSNR"]["failed"] == says
    assert found["LDS PSNR"]["value"] > 0


def test_a_picture_that_cannot_be_written_is_no_failure_of_a_fit(
    bench: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table ends, and goes on there when there is room."""
    really = table6.save_strip

    def full(out: Path, name: str, title: str, clip: torch.Tensor) -> None:
        if title == "LDS":
            raise InputError("the disk is full")
        really(out, name, title, clip)

    monkeypatch.setattr(table6, "save_strip", full)
    unasked = [replace(small(), asked=False)]
    with pytest.raises(InputError, match="the disk is full"):
        list(table6.table6(bench, folder / "a.webp", unasked, sequences=1, fits=LDS))
    known = [entry["name"] for entry in json.loads((bench.out / "table6.json").read_text())]
    assert "mean frame PSNR of a" in known and "LDS PSNR of a" not in known


def test_a_strip_is_added_by_one_command_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really, saved = clips.pictures.save, []

    def noted(picture: Any, path: Path) -> None:
        with pytest.raises(InputError, match="is in use by"), in_use(tmp_path):
            pass
        saved.append(path.name)
        really(picture, path)

    monkeypatch.setattr(clips.pictures, "save", noted)
    clips.save_strip(tmp_path, "of", "row", torch.zeros(3, 4, 12, 12))
    assert saved == ["00 row.png", "of.png"]


def test_it_needs_clips_of_different_names(bench: Bench, folder: Path, tmp_path: Path) -> None:
    (folder / "a.webp").rename(folder / "b.gif")
    with pytest.raises(InputError, match=r"has clips of one name, b\.\w+, b\.\w+; rename or move all of them but one"):
        table6.table6(bench, folder, [small()])
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="has no clips; give a folder of clips"):
        table6.table6(bench, tmp_path / "none", [small()])
    still = np.repeat(np.random.default_rng(0).integers(0, 256, (1, 12, 12, 3), np.uint8), 20, 0)
    video.write(tmp_path / "still" / "rock.webp", still)
    with pytest.raises(InputError, match="Table 6, by rock, was given a clip whose 20 frames are all the same"):
        table6.table6(bench, tmp_path / "still", [small()])


def test_its_models_are_those_of_the_paper() -> None:
    assert {of.recipe.name: of.asked for of in CONTENDERS} == {"video/quick": True, "video/dynamic-texture": False}
    assert {quote.name for quote in QUOTED} == {"CoopNets", *FITS}
    clip = torch.rand(3, 24, 6, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    made, by_hand = table6.half_hosvd(clip), hosvd.fit(clip, hosvd.Plan(rows=3, columns=2))
    assert torch.equal(*(of.synthesise(5, torch.Generator().manual_seed(1)) for of in (made, by_hand)))


def test_a_copy_and_a_faint_copy_are_told() -> None:
    clip = torch.rand(3, 20, 12, 12, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    shifted, mean = clip.roll(5, 1), clip.mean(1, keepdim=True)
    copied = scores([shifted], clip)
    assert copied["nearest"].value < 0.5 * own_nearest(clip) and copied["variance"].value == pytest.approx(1)
    faint = scores([mean + 0.5 * (shifted - mean)], clip)
    assert faint["variance"].value == pytest.approx(0.25) and faint["PSNR"].value > copied["PSNR"].value + 1
    assert faint["matched PSNR"].value == pytest.approx(copied["matched PSNR"].value, abs=1e-4)
    for name in ("nearest", "matched SSIM"):
        assert faint[name].value == pytest.approx(copied[name].value, abs=1e-3)
    assert abs(faint["SSIM"].value - faint["matched SSIM"].value) > 0.01
    assert faint["spectrum"].value > 5 > copied["spectrum"].value
    assert tuple(faint) == movement.measures() and torch.allclose(matched(shifted, clip), shifted, atol=1e-5)
