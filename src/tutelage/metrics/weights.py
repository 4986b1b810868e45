"""Published weights: found, told apart by their digest, and read without running anything.

State dicts are read by torch's own restricted reader (``weights_only=True``), which builds tensors and nothing else. A
TorchScript file is a program, so none is read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..checks import InputError, first_line


class Weights(NamedTuple):
    """The bytes of a file, and their SHA-256 in hexadecimal."""

    path: Path
    content: bytes
    sha256: str


def installed(package: str, file: str, advice: str) -> Path:
    """The ``file`` of an installed package, which is not imported. Raises ``InputError`` with ``advice`` without it."""
    found = importlib.util.find_spec(package)
    for place in (found.submodule_search_locations or ()) if found else ():
        if (Path(place) / file).is_file():
            return Path(place) / file
    raise InputError(f"{package} is not installed, which holds the weights of this extractor; {advice}")


def read(path: Path | str, needed: str) -> Weights:
    """The whole file. Raises ``InputError`` where there is none; ``needed`` says which is."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; give the weights of the extractor, {needed}")
    content = path.read_bytes()
    return Weights(path, content, hashlib.sha256(content).hexdigest())


def check_published(weights: Weights, sha256: str, needed: str) -> None:
    """Refuse a file that is not the published one, bit for bit. Raises ``InputError``."""
    if weights.sha256 != sha256:
        raise InputError(
            f"{weights.path} is not the published file of {len(weights.content)} bytes that it should be (SHA-256 "
            f"{weights.sha256[:12]}..., not {sha256[:12]}...), so it is damaged or another; give {needed}"
        )


def state_dict(
    weights: Weights, shapes: Mapping[str, tuple[int, ...]], needed: str, device: torch.device | str = "cpu"
) -> dict[str, Tensor]:
    """The float32 tensors of ``shapes`` from a file of a state dict; what else is in it is left out.

    Raises ``InputError`` where the file is damaged, TorchScript, no state dict, or of another network.
    """
    return of_shapes(weights, tensors(weights, needed, device), shapes, needed)


def tensors(weights: Weights, needed: str, device: torch.device | str = "cpu") -> Mapping[str, Any]:
    """All that is in a file of a state dict, by name.

    Raises ``InputError`` where the file is damaged, TorchScript, or no state dict.
    """
    try:
        found = torch.load(io.BytesIO(weights.content), map_location=device, weights_only=True)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # damaged bytes raise almost anything
        raise InputError(
            f"{weights.path} cannot be read as a state dict ({first_line(error)}); give {needed}, whole and unchanged, "
            "and no TorchScript, which is a program"
        ) from None
    if not isinstance(found, Mapping):
        raise InputError(f"{weights.path} holds a {type(found).__name__} and no state dict; give {needed}")
    return found


def of_shapes(
    weights: Weights, found: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], needed: str
) -> dict[str, Tensor]:
    """Those of `tensors` that ``shapes`` names, as float32. Raises ``InputError`` for other shapes and missing ones."""
    for name, shape in shapes.items():
        tensor = found.get(name)
        given = tuple(tensor.shape) if isinstance(tensor, Tensor) else None
        if given != shape:
            words = "is missing" if given is None else f"has shape {list(given)}, not {list(shape)}"
            raise InputError(f"{weights.path} holds another network ({name} {words}); give {needed}")
    return {name: found[name].to(torch.float32) for name in shapes}


def folded(weights: Mapping[str, Tensor], conv: str, norm: str, eps: float) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution that equals ``conv`` followed by the batch norm ``norm`` in inference mode."""
    scale = weights[f"{norm}.weight"] * (weights[f"{norm}.running_var"] + eps).rsqrt()
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return weights[f"{conv}.weight"] * scale.view(-1, 1, 1, 1), bias


def folded_shapes(conv: str, norm: str, shape: tuple[int, int, int, int]) -> dict[str, tuple[int, ...]]:
    """What `folded` needs for a convolution of ``shape``."""
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{conv}.weight": shape} | {f"{norm}.{part}": shape[:1] for part in parts}
