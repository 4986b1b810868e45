"""What all ways of filling a hole share: what they refuse, and how they write and solve linear equations.

A hole is a set of hidden pixels. Every method here treats the colours one by one and reads nothing under the hole. Rows
of equations are for pixels in reading order, so that pixel (r, c) of an image W wide has number r · W + c.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..checks import InputError, optional

_SINGULAR = 1e-12  # smallest pivot over the largest; 2e-7 for the fourth differences of a hole of 50x50 in 64x64


class Fill(Protocol):
    """``image`` (``[C, H, W]``, floats) with its ``hole`` (``[H, W]``, bool, True = hidden) filled in.

    The rest comes back unchanged. What is under the hole is not looked at and may be NaN. Only methods that draw use
    ``rng``.
    """

    def __call__(self, image: Tensor, hole: Tensor, rng: torch.Generator, /) -> Tensor: ...


def check_hole(image: Tensor, hole: Tensor) -> None:
    """Refuse what cannot be filled in. Raises ``InputError``."""
    if image.ndim != 3 or not image.is_floating_point() or min(image.shape[1:]) < 2:
        raise InputError(
            f"an image {image.dtype} {list(image.shape)} was given; filling a hole needs floats [C, H, W], of 2 pixels "
            "or more each way"
        )
    if hole.dtype != torch.bool or hole.shape != image.shape[1:]:
        raise InputError(
            f"a hole {hole.dtype} {list(hole.shape)} was given for an image {list(image.shape)}; it needs to be bool "
            f"{list(image.shape[1:])}, True where a pixel is hidden"
        )
    if hole.all() or not hole.any():
        raise InputError(
            f"the hole hides {int(hole.sum())} of {hole.numel()} pixels; it needs to hide some and leave some: give "
            "another hole"
        )
    if not torch.isfinite(image[:, ~hole]).all():
        raise InputError("pixels outside the hole are not finite; repair them, or hide them too")


def filled(image: Tensor, hole: Tensor, values: Any) -> Tensor:
    """A copy of ``image`` with ``values`` (``[C, pixels of the hole in reading order]``) in the hole."""
    result = image.clone()
    result[:, hole] = torch.as_tensor(values, dtype=image.dtype, device=image.device)
    return result


def as_array(hole: Tensor) -> np.ndarray:
    """A hole as a NumPy array."""
    return hole.cpu().numpy()


def stencil(where: np.ndarray, weights: Mapping[tuple[int, int], float]) -> Any:
    """One equation for each pixel of ``where`` (``[H, W]`` bool): Σ weight · u(r + row, c + column).

    ``weights`` are by (row, column) from the pixel; all of them lie in the image. Returns a sparse ``[H·W, H·W]``, with
    nothing in the rows of other pixels.
    """
    at = np.flatnonzero(where)[:, None]
    columns = at + np.array([row * where.shape[1] + column for row, column in weights])
    values = np.broadcast_to(np.array(list(weights.values()), float), columns.shape)
    rows = np.broadcast_to(at, columns.shape)
    sparse = scipy_modules().sparse
    return sparse.csr_array((values.ravel(), (rows.ravel(), columns.ravel())), shape=(where.size, where.size))


def of_the_hole(equations: Any, image: Tensor, hole: Tensor) -> tuple[Any, np.ndarray]:
    """Those of ``equations`` (``[E, H·W]``, each = 0) that touch the hole, with known pixels on the right-hand side.

    Returns a sparse matrix ``[e, hidden]`` and a right-hand side ``[e, C]``, in float64.
    """
    hidden = as_array(hole).ravel()
    planes = image.detach().cpu().double().flatten(1).numpy().T
    equations = equations[np.diff(equations[:, hidden].indptr) > 0]
    return equations[:, hidden], -(equations[:, ~hidden] @ planes[~hidden])


def solved(matrix: Any, right: np.ndarray) -> np.ndarray:
    """``matrix⁻¹ right``, by a sparse factorisation and one step of refinement.

    Raises ``InputError`` where the matrix has no inverse: too little of the image is known.
    """
    scipy = scipy_modules()
    try:
        factors = scipy.sparse.linalg.splu(scipy.sparse.csc_array(matrix))
        pivots = np.abs(factors.U.diagonal())
        singular = pivots.min() < _SINGULAR * pivots.max()
    except RuntimeError:  # SciPy met a pivot of 0
        singular = True
    if singular:
        raise InputError(
            "the known pixels do not determine the hidden ones by this method; make the hole smaller, or take method 4"
        )
    solution = factors.solve(right)
    return solution + factors.solve(right - matrix @ solution)


def least_squares(matrix: Any, right: np.ndarray) -> np.ndarray:
    """The x of the smallest ``|matrix x − right|²``. Raises ``InputError`` as `solved` does."""
    return solved(matrix.T @ matrix, matrix.T @ right)


def scipy_modules() -> types.ModuleType:
    """SciPy, which only these baselines and one reader need. Raises ``InputError`` where it is not installed."""
    with optional("the inpainting baselines need SciPy", "inpainting"):
        import scipy.optimize
        import scipy.sparse.linalg
    return scipy
