"""On a GPU float32 means float32, in extractors too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tutelage.checks import InputError
from tutelage.metrics.efficientnet_lite import efficientnet_lite0
from tutelage.metrics.extractors import mobilenet_v2
from tutelage.metrics.inception import inception_2015
from tutelage.metrics.vgg import load_vgg19, vgg16
from tutelage.tf32 import no_tf32


@pytest.mark.parametrize(("device", "left"), [("cpu", True), ("cuda:1", False), (torch.device("cuda"), False)])
def test_only_a_gpu_needs_it(device: torch.device | str, left: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    no_tf32(device)
    assert torch.backends.cudnn.allow_tf32 is left


@pytest.mark.parametrize("make", [inception_2015, efficientnet_lite0, mobilenet_v2, vgg16, load_vgg19])
def test_an_extractor_does_not_depend_on_what_was_built_before(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    for device, left in (("cpu", True), ("cuda", False)):
        with pytest.raises(InputError):
            make(tmp_path / "missing", device=device)
        assert torch.backends.cudnn.allow_tf32 is left
