"""Results in their one form, and the file they are kept in."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tutelage import __version__
from tutelage.checks import InputError
from tutelage.run.results import result, write_results

COMMON: dict[str, Any] = {"seed": 3, "command": "c", "wall_seconds": 1.5, "data_sha256": "ab"}
COMMON |= {"device": torch.device("cpu")}


def entry(name: str, **more: Any) -> dict[str, Any]:
    return {**result(name, 226.0, 2.1, 10_000, **COMMON), **more}


def test_a_result_has_the_projects_fields() -> None:
    found = result("CoopNets generator parzen", 226.0, 2.1, 10_000, **COMMON, width=0.2)
    assert list(found) == [
        *("name", "value", "stderr", "n", "seed", "command", "wall_seconds", "threads", "device"),
        *("data_sha256", "version", "width"),
    ]
    assert (found["value"], found["stderr"], found["n"], found["width"]) == (226.0, 2.1, 10_000, 0.2)
    assert (found["seed"], found["command"], found["wall_seconds"], found["data_sha256"]) == (3, "c", 1.5, "ab")
    assert found["version"] == __version__ and found["threads"] == torch.get_num_threads()
    assert found["device"].startswith("cpu (")


def test_a_result_of_the_same_name_and_iteration_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, [entry("a"), entry("b", iteration=1), entry("b", iteration=2)])
    write_results(path, [entry("b", iteration=1, value=7.0), entry("a", value=8.0), entry("c", stderr=None)])
    found = [(result["name"], result.get("iteration"), result["value"]) for result in json.loads(path.read_text())]
    assert found == [("a", None, 8.0), ("b", 1, 7.0), ("b", 2, 226.0), ("c", None, 226.0)]


@pytest.mark.parametrize("content", ["[{", "3", "[3]", '[{"value": 3}]', "\ufffd"])
def test_a_damaged_results_file_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"results\.json is damaged.*repair or remove it"):
        write_results(path, [entry("a")])
    assert path.read_text() == content
