"""The command line trains a recogniser of the bundled digits, resumes it, and measures it and by it."""

from __future__ import annotations

from pathlib import Path

from commands import Command, settings


def tiny(recipe: str) -> list[str]:
    return settings(recipe, data__kind="digits", data__size="[8, 8]")


def test_from_training_to_measuring_by_it(tutelage: Command, tmp_path: Path) -> None:
    judge, model = tmp_path / "judge", tmp_path / "model"
    code, out, _ = tutelage("train", "classifier/mnist", "--dry-run", "--out", judge, *tiny("classifier/mnist"))
    assert code == 0 and "recogniser: " in out and "estimated time" in out
    assert tutelage("train", "classifier/mnist", "--out", judge, *tiny("classifier/mnist"))[0] == 0
    assert tutelage("resume", judge)[0] == 0
    code, out, err = tutelage("evaluate", judge, "--metric", "accuracy")
    assert (code, err) == (0, "") and out.startswith("Supervised accuracy at iteration 6: 0.")
    assert "Supervised accuracy" in (judge / "report.html").read_text()

    assert tutelage("train", "generator/mnist", "--out", model, *tiny("generator/mnist"))[0] == 0
    code, out, _ = tutelage("evaluate", model, "--metric", "fd", "--extractor", judge, "--samples", 12)
    assert code == 0 and "Algorithm G FD-classifier-mnist at iteration 6: " in out
    for arguments, says in (
        (("evaluate", model, "--metric", "accuracy"), "learned no classes"),
        (("evaluate", judge, "--metric", "parzen", "--samples", 6), "makes none; measure it with --metric accuracy"),
        (("sample", judge, "--out", tmp_path / "a.png"), "makes none; measure it with --metric accuracy"),
        (("evaluate", model, "--metric", "fd", "--extractor", model), "learned no classes"),
        (("evaluate", model, "--metric", "fd", "--extractor", "no.pth"), "there is no file no.pth"),
    ):
        code, _, err = tutelage(*arguments)
        assert code == 2 and says in err and len(err.splitlines()) == 1
