"""Tensors that come in parts, put together where they are."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def put_together(parts: Iterable[Tensor], n: int) -> Tensor:
    """Parts ``[b, ...]`` that make up at most ``[n, ...]``, where they are, without a second copy of them all."""
    result, start = torch.empty(0), 0
    for part in parts:
        if start == 0:
            result = part.new_empty(n, *part.shape[1:])
        result[start : start + len(part)] = part
        start += len(part)
    return result[:start]
