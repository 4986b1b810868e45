r"""Filling a hole from its surroundings alone: what completion is compared with (CoopNets §4.6, Table 5).

``Interpolation(m)`` are methods 0 to 5 of J. D'Errico's inpaint_nans (the paper's [63]; its "inter-1" to "inter-5" are
five of them). Each writes linear equations that a smooth image would satisfy, moves the known pixels to the right-hand
side, and solves for the hidden ones; 0, 1, 3 and 4 have more equations than hidden pixels and are solved by least
squares. With Δ_r and Δ_c the second difference [1 −2 1] down the rows and along the columns:

    0  (Δ_r + Δ_c) u = 0 at hidden pixels and their 4 neighbours; Δ_r is left out in the first and last row, Δ_c in the
       first and last column
    1  the same at every pixel: as only equations that touch the hole tell anything, the same solution
    2  the same at hidden pixels alone, and in hidden corners of the image −2 u + (its two neighbours) = 0
    3  Δ² u = 0, by 13 pixels, at hidden pixels and those that the template reaches from them; in the second ring
       of the image Δ u, on its border the second difference along the border
    4  springs: u_p − u_q = 0 for each pair of 4-neighbours of which one or both are hidden
    5  Σ_q (u_q − u_p) = 0 at hidden pixels p, over those of their 8 neighbours that are in the image

0 and 1 are linear across the hole and 3 cubic, so they overshoot, 3 wildly where a hole is large; 2, 4 and 5 are
averages of their surroundings and never leave their range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import InputError, optional
from .holes import as_array, check_hole, filled, least_squares, of_the_hole, scipy_modules, solved, stencil

Weights = dict[tuple[int, int], float]

DOWN: Weights = {(-1, 0): 1, (0, 0): -2, (1, 0): 1}
ALONG: Weights = {(0, -1): 1, (0, 0): -2, (0, 1): 1}
CROSS: Weights = {(-1, 0): 1, (0, -1): 1, (0, 0): -4, (0, 1): 1, (1, 0): 1}
BIHARMONIC: Weights = {
    **{(row, column): 1 for row, column in ((-2, 0), (2, 0), (0, -2), (0, 2))},
    **{(row, column): -8 for row, column in ((-1, 0), (1, 0), (0, -1), (0, 1))},
    **{(row, column): 2 for row, column in ((-1, -1), (-1, 1), (1, -1), (1, 1))},
    (0, 0): 20,
}


@dataclass(frozen=True)
class Interpolation:
    """Method 0 to 5 of inpaint_nans, a `tutelage.baselines.holes.Fill`. Raises ``InputError`` for another number."""

    method: int

    def __post_init__(self) -> None:
        if self.method not in range(6):
            raise InputError(f"the method of interpolation is {self.method!r}; give a whole number from 0 to 5")

    def __call__(self, image: Tensor, hole: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """The image with the hole filled in; nothing is drawn.

        Raises ``InputError`` for an image or a hole that does not fit, too few known pixels, or without SciPy.
        """
        check_hole(image, hole)
        matrix, right = of_the_hole(self._equations(as_array(hole)), image, hole)
        square = self.method in (2, 5)
        return filled(image, hole, (solved if square else least_squares)(matrix, right).T)

    def _equations(self, hole: np.ndarray) -> Any:
        match self.method:
            case 0:
                return _laplace(reached(hole, CROSS))
            case 1:
                return _laplace(np.ones_like(hole))
            case 2:
                return _laplace(hole) + _corners(hole)
            case 3:
                return _biharmonic(reached(hole, BIHARMONIC))
            case 4:
                return springs(hole)
            case _:
                around = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0)]
                return differences(hole, around)


def biharmonic(image: Tensor, hole: Tensor, rng: torch.Generator | None = None) -> Tensor:
    """The hole filled in by scikit-image's biharmonic equations, a `tutelage.baselines.holes.Fill`; nothing is drawn.

    Equations stand at hidden pixels only, and values are clipped to the range of the known pixels of their colour.

    Raises ``InputError`` for an image or a hole that does not fit, or without scikit-image.
    """
    check_hole(image, hole)
    with optional("biharmonic inpainting needs scikit-image", "inpainting"):
        from skimage.restoration import inpaint_biharmonic
    known = torch.where(hole.cpu(), 0.0, image.detach().cpu().double()).numpy()
    result = inpaint_biharmonic(known, as_array(hole), channel_axis=0)
    return filled(image, hole, result[:, as_array(hole)])


def reached(hole: np.ndarray, template: Weights) -> np.ndarray:
    """The hole, and the pixels of the image that lie in ``template`` around a pixel of it: ``[H, W]`` bool."""
    everywhere = hole.copy()
    for row, column in template:
        everywhere |= _shifted(hole, row, column)
    return everywhere


def differences(where: np.ndarray, neighbours: list[tuple[int, int]]) -> Any:
    """At each pixel p of ``where`` the equation Σ_q (u_q − u_p) = 0 over its ``neighbours`` q inside the image."""
    inside = np.ones_like(where)
    parts = [
        stencil(where & _shifted(inside, -row, -column), {(row, column): 1, (0, 0): -1}) for row, column in neighbours
    ]
    return sum(parts[1:], parts[0])


def springs(hole: np.ndarray) -> Any:
    """One equation u_q − u_p = 0 for each pair of 4-neighbours in the image with a hidden pixel or two."""
    apart = []
    for row, column in ((0, 1), (1, 0)):
        pair = (hole | _shifted(hole, -row, -column)) & _shifted(np.ones_like(hole), -row, -column)
        apart.append(stencil(pair, {(row, column): 1, (0, 0): -1}))
    return scipy_modules().sparse.vstack(apart, format="csr")


def _laplace(where: np.ndarray) -> Any:
    """Δ_r + Δ_c at the pixels of ``where``, each where its three pixels are in the image."""
    inner_rows, inner_columns = np.zeros_like(where), np.zeros_like(where)
    inner_rows[1:-1], inner_columns[:, 1:-1] = True, True
    return stencil(where & inner_rows, DOWN) + stencil(where & inner_columns, ALONG)


def _corners(hole: np.ndarray) -> Any:
    """In each hidden corner of the image −2 u + its two neighbours."""
    height, width = hole.shape
    parts = []
    for row, inward in ((0, 1), (height - 1, -1)):
        for column, sideways in ((0, 1), (width - 1, -1)):
            corner = np.zeros_like(hole)
            corner[row, column] = hole[row, column]
            parts.append(stencil(corner, {(0, 0): -2, (inward, 0): 1, (0, sideways): 1}))
    return sum(parts[1:], parts[0])


def _biharmonic(where: np.ndarray) -> Any:
    """Δ² two pixels or more from the border, Δ in the second ring, and along the border its second difference."""
    second, third = _without_border(where, 1), _without_border(where, 2)
    along, down = where.copy(), where.copy()
    along[1:-1], along[:, [0, -1]] = False, False
    down[:, 1:-1], down[[0, -1]] = False, False
    inner = stencil(third, BIHARMONIC) + stencil(second & ~third, CROSS)
    return inner + stencil(along, ALONG) + stencil(down, DOWN)


def _without_border(where: np.ndarray, width: int) -> np.ndarray:
    inner = np.zeros_like(where)
    inner[width:-width, width:-width] = where[width:-width, width:-width]
    return inner


def _shifted(where: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """``where`` moved by so many rows down and columns right; what leaves the image is lost, False comes in."""
    height, width = where.shape
    padded = np.pad(where, ((abs(rows),) * 2, (abs(columns),) * 2))
    top, left = abs(rows) - rows, abs(columns) - columns
    return padded[top : top + height, left : left + width]
