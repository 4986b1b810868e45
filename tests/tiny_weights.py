"""A network of seven layers in the file format of extractors, for images of any size that 4 divides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FEATURES, CLASSES = 6, 5


def tiny_network(classes: int = CLASSES) -> dict[str, np.ndarray]:
    """Arrays by name: two strided convolutions, a sum around one of them, the mean, and a linear layer."""
    rng = np.random.default_rng(0)
    nodes: list[dict[str, Any]] = [
        {"op": "QUANTIZE", "k": 0, "inp": [0], "out": 10},
        {"op": "CONV_2D", "k": 1, "inp": [10], "out": 11, "stride": 2, "same": 1, "act": 3},
        {"op": "DEPTHWISE_CONV_2D", "k": 2, "inp": [11], "out": 12, "stride": 1, "same": 1, "act": 3},
        {"op": "CONV_2D", "k": 3, "inp": [12], "out": 13, "stride": 1, "same": 1, "act": 0},
        {"op": "ADD", "k": 4, "inp": [13, 11], "out": 14, "act": 0},
        {"op": "PAD", "k": 5, "inp": [14], "out": 15, "pads": [[0, 0], [0, 1], [0, 1], [0, 0]]},
        {"op": "DEPTHWISE_CONV_2D", "k": 6, "inp": [15], "out": 16, "stride": 2, "same": 0, "act": 3},
        {"op": "CONV_2D", "k": 7, "inp": [16], "out": 17, "stride": 1, "same": 0, "act": 3},
        {"op": "MEAN", "k": 8, "inp": [17], "out": 18},
        {"op": "FULLY_CONNECTED", "k": 9, "inp": [18], "out": 19},
        {"op": "SOFTMAX", "k": 10, "inp": [19], "out": 20},
    ]
    shapes = {1: (4, 3, 3, 3), 2: (4, 1, 3, 3), 3: (4, 4, 1, 1), 6: (4, 1, 3, 3), 7: (FEATURES, 4, 1, 1)}
    arrays = {"spec": np.frombuffer(json.dumps(nodes).encode(), np.uint8)}
    for k, shape in (shapes | {9: (classes, FEATURES)}).items():
        arrays[f"op{k}.w"] = rng.integers(-127, 128, shape, dtype=np.int8)
        arrays[f"op{k}.s"] = rng.uniform(0.004, 0.01, 1 if k == 9 else shape[0]).astype(np.float32)
        arrays[f"op{k}.b"] = rng.uniform(0.5, 1, shape[0]).astype(np.float32)
    return arrays


def write_network(path: Path, **changed: np.ndarray) -> Path:
    """Write the tiny network to ``path``, with some of its arrays replaced."""
    np.savez(path, allow_pickle=False, **(tiny_network() | changed))
    return path
