"""Results in their one form, and scores that use the right images."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_recipes import tiny_images
from tutelage import __version__
from tutelage.checks import InputError
from tutelage.data import Splits
from tutelage.metrics.parzen import ParzenScore, parzen
from tutelage.run import evaluate

CPU = torch.device("cpu")
SCORE = ParzenScore(mean=226.0, stderr=2.1, n=10_000, width=0.2, at_edge=False)
COMMON: dict[str, Any] = {"seed": 3, "command": "c", "wall_seconds": 1.5, "data_sha256": "ab", "device": CPU}


def entry(name: str, **more: Any) -> dict[str, Any]:
    return {**evaluate.result(name, SCORE, **COMMON), **more}


def test_a_result_has_the_projects_fields() -> None:
    result = entry("CoopNets generator parzen")
    assert list(result) == [
        *("name", "value", "stderr", "n", "seed", "command", "wall_seconds", "threads", "device"),
        *("data_sha256", "version", "width"),
    ]
    assert (result["value"], result["stderr"], result["n"], result["width"]) == (226.0, 2.1, 10_000, 0.2)
    assert (result["seed"], result["command"], result["wall_seconds"], result["data_sha256"]) == (3, "c", 1.5, "ab")
    assert result["version"] == __version__ and result["threads"] == torch.get_num_threads()
    assert result["device"].startswith("cpu (")


def test_a_result_of_the_same_name_and_iteration_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    evaluate.write_results(path, [entry("a"), entry("b", iteration=1), entry("b", iteration=2)])
    evaluate.write_results(path, [entry("b", iteration=1, value=7.0), entry("a", value=8.0), entry("c")])
    found = [(result["name"], result.get("iteration"), result["value"]) for result in json.loads(path.read_text())]
    assert found == [("a", None, 8.0), ("b", 1, 7.0), ("b", 2, 226.0), ("c", None, 226.0)]


@pytest.mark.parametrize("content", ["[{", "3", "[3]", '[{"value": 3}]', "\ufffd"])
def test_a_damaged_results_file_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"results\.json is damaged.*repair or remove it"):
        evaluate.write_results(path, [entry("a")])
    assert path.read_text() == content


class Drawing:
    """A learner whose two models draw what they are told to; remembers how many were asked for."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images, self.asked = images, []

    def sample(self, state: object, n: int, rng: torch.Generator) -> dict[str, torch.Tensor]:
        self.asked.append(n)
        noise = torch.randn((n, 1, 8, 8), generator=rng)
        return {"generator": self.images[:n], "descriptor": 3 * noise}


def splits() -> Splits:
    images = tiny_images(30)
    return Splits(images.subset(0, 10, "train"), images.subset(10, 20, "validation"), images.subset(20, 30, "test"))


def unit(images: torch.Tensor) -> torch.Tensor:
    return (images.clamp(-1, 1) + 1) / 2


def test_samples_are_scored_on_held_out_images_in_the_unit_range() -> None:
    data, everything = splits(), tiny_images(30).batch(slice(0, 30))
    learner = Drawing(torch.linspace(-2, 2, 5 * 64).view(5, 1, 8, 8))
    scores = evaluate.parzen_of_samples(learner, None, data, 5, 0, CPU)
    validation, test = unit(everything[10:20]), unit(everything[20:])
    assert learner.asked == [5] and list(scores) == ["generator", "descriptor"]
    assert scores["generator"] == parzen(unit(learner.images), validation, test)
    again = evaluate.parzen_of_samples(learner, None, data, 5, 0, CPU)
    other = evaluate.parzen_of_samples(learner, None, data, 5, 1, CPU)
    assert again["descriptor"] == scores["descriptor"] != other["descriptor"]


def test_real_images_are_the_first_of_the_training_set() -> None:
    everything = tiny_images(30).batch(slice(0, 30))
    score = evaluate.parzen_of_real_images(splits(), 4, CPU)
    assert score == parzen(unit(everything[:4]), unit(everything[10:20]), unit(everything[20:]))


@pytest.mark.parametrize("missing", ["validation", "test"])
def test_data_that_keep_nothing_out_are_refused_before_anything_is_drawn(missing: str) -> None:
    whole = splits()
    data = Splits(whole.train, None if missing == "validation" else whole.validation, None)
    learner = Drawing(torch.zeros(5, 1, 8, 8))
    with pytest.raises(InputError, match=f"the data have no {missing} images.*evaluate on a set that has them"):
        evaluate.parzen_of_samples(learner, None, data, 5, 0, CPU)
    assert learner.asked == []
