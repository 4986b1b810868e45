"""Terms on which toy models are compared: they learn as long as their recipes say."""

from pathlib import Path

import pytest
import torch

from tutelage.reproduce import bench as benches
from tutelage.reproduce.bench import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("TUTELAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(benches, "within", lambda seconds, recipe, *_: recipe)
    return Bench(tmp_path / "out", 1.0, 0, torch.device("cpu"), "reproduce it")
