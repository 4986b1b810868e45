"""Interpolation across holes, against the equations written out one by one and solved densely."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from tutelage.baselines.inpainting import Interpolation, biharmonic
from tutelage.baselines.mrf import ExactMrf
from tutelage.checks import InputError
from tutelage.rng import stream

SIZE = 8, 9
DETERMINISTIC = [*(Interpolation(method) for method in range(6)), ExactMrf(1), ExactMrf(2), biharmonic]

every_method = pytest.mark.parametrize("method", range(6))


def holed(*blocks: tuple[slice, slice]) -> Tensor:
    hole = torch.zeros(SIZE, dtype=torch.bool)
    for rows, columns in blocks:
        hole[rows, columns] = True
    return hole


HOLES = {
    "inside": holed((slice(3, 6), slice(3, 7))),
    "one pixel": holed((slice(2, 3), slice(5, 6))),
    "at a side": holed((slice(0, 3), slice(2, 6))),
    "in a corner": holed((slice(5, 8), slice(6, 9))),
    "in three corners": holed((slice(0, 1), slice(0, 1)), (slice(0, 2), slice(8, 9)), (slice(7, 8), slice(0, 2))),
    "two pieces": holed((slice(1, 3), slice(1, 3)), (slice(4, 7), slice(5, 8))),
    "scattered": torch.rand(SIZE, generator=stream(1, "hole")) < 0.4,
}
every_hole = pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES.keys())


def noise(channels: int = 2) -> Tensor:
    return torch.rand((channels, *SIZE), generator=stream(0, "image"), dtype=torch.float64) * 2 - 1


def equations_by_hand(method: int, hole: np.ndarray) -> np.ndarray:
    """The rows of a method, each with a weight for every pixel, one pixel after the other as its description reads."""
    height, width = hole.shape
    rows: list[np.ndarray] = []

    def inside(r: int, c: int) -> bool:
        return 0 <= r < height and 0 <= c < width

    def near(r: int, c: int, template: list[tuple[int, int]]) -> bool:
        """Is the pixel hidden, or one that a hidden pixel's template reaches?"""
        return any(inside(r + a, c + b) and hole[r + a, c + b] for a, b in [(0, 0), *template])

    cross = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    diagonal = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    far = [(-2, 0), (2, 0), (0, -2), (0, 2)]
    for r in range(height):
        for c in range(width):
            row = np.zeros((height, width))

            def second_difference(a: int, b: int, row=row, r=r, c=c) -> None:
                row[r + a, c + b] += 1
                row[r - a, c - b] += 1
                row[r, c] -= 2

            within_rows, within_columns = 0 < r < height - 1, 0 < c < width - 1
            if method in (0, 1, 2):
                wanted = {0: near(r, c, cross), 1: True, 2: hole[r, c]}[method]
                if wanted and within_rows:
                    second_difference(1, 0)
                if wanted and within_columns:
                    second_difference(0, 1)
                if method == 2 and wanted and not within_rows and not within_columns:
                    row[r, c] = -2
                    row[r, c + (1 if c == 0 else -1)] = row[r + (1 if r == 0 else -1), c] = 1
            elif method == 3 and near(r, c, cross + diagonal + far):
                if 2 <= r < height - 2 and 2 <= c < width - 2:
                    for offsets, weight in ((cross, -8), (diagonal, 2), (far, 1), ([(0, 0)], 20)):
                        for a, b in offsets:
                            row[r + a, c + b] = weight
                elif within_rows and within_columns:
                    second_difference(1, 0)
                    second_difference(0, 1)
                elif within_columns:
                    second_difference(0, 1)
                elif within_rows:
                    second_difference(1, 0)
            elif method == 4:
                for a, b in ((0, 1), (1, 0)):
                    if inside(r + a, c + b) and (hole[r, c] or hole[r + a, c + b]):
                        pair = np.zeros((height, width))
                        pair[r, c], pair[r + a, c + b] = -1, 1
                        rows.append(pair)
            elif method == 5 and hole[r, c]:
                for a, b in cross + diagonal:
                    if inside(r + a, c + b):
                        row[r + a, c + b] += 1
                        row[r, c] -= 1
            rows.append(row)
    matrix = np.stack(rows).reshape(len(rows), -1)
    return matrix[np.abs(matrix[:, hole.ravel()]).sum(1) > 0]


@every_hole
@every_method
def test_the_solution_is_that_of_the_equations_written_out(method: int, hole: Tensor) -> None:
    image, hidden = noise(), hole.numpy().ravel()
    matrix = equations_by_hand(method, hole.numpy())
    planes = image.flatten(1).numpy().T
    right = -matrix[:, ~hidden] @ planes[~hidden]
    assert np.linalg.matrix_rank(matrix[:, hidden]) == hidden.sum()
    if method in (2, 5):
        assert len(matrix) == hidden.sum()
    expected = np.linalg.lstsq(matrix[:, hidden], right)[0].T

    result = Interpolation(method)(image, hole)
    np.testing.assert_allclose(result[:, hole].numpy(), expected, rtol=1e-9, atol=1e-10)
    assert torch.equal(result[:, ~hole], image[:, ~hole])


@every_hole
def test_equations_that_do_not_touch_the_hole_change_nothing(hole: Tensor) -> None:
    torch.testing.assert_close(Interpolation(0)(noise(), hole), Interpolation(1)(noise(), hole), rtol=0, atol=1e-10)


RAMP = torch.arange(8.0).double()[:, None] * 0.11 - torch.arange(9.0).double() * 0.07 + 0.2
REPRODUCED = [(method, name) for method in (0, 1, 3) for name in HOLES]
REPRODUCED += [(2, name) for name in ("inside", "one pixel", "at a side", "two pieces")]
REPRODUCED += [(method, name) for method in (4, 5) for name in ("inside", "one pixel", "two pieces")]


@pytest.mark.parametrize(("method", "name"), REPRODUCED)
def test_a_ramp_is_continued(method: int, name: str) -> None:
    torch.testing.assert_close(Interpolation(method)(RAMP[None], HOLES[name])[0], RAMP)


@pytest.mark.parametrize(("method", "name"), [(2, "in a corner"), (4, "at a side"), (5, "at a side")])
def test_others_level_a_ramp_off_at_the_border(method: int, name: str) -> None:
    assert (Interpolation(method)(RAMP[None], HOLES[name])[0] - RAMP).abs().max() > 0.01


@pytest.mark.parametrize("method", [0, 1, 2, 4, 5])
@pytest.mark.parametrize("harmonic", [lambda y, x: x * x - y * y, lambda y, x: x * y])
def test_a_harmonic_function_is_reproduced_inside(method: int, harmonic) -> None:
    y, x = torch.meshgrid(torch.arange(8.0).double(), torch.arange(9.0).double(), indexing="ij")
    image = harmonic(y, x)[None] / 50
    torch.testing.assert_close(Interpolation(method)(image, HOLES["inside"]), image)


def test_a_biharmonic_function_is_reproduced_by_the_fourth_differences() -> None:
    y, x = torch.meshgrid(torch.arange(13.0).double(), torch.arange(14.0).double(), indexing="ij")
    image = (x**3 - 2 * y**2 * x + y**2)[None] / 1000
    hole = torch.zeros(13, 14, dtype=torch.bool)
    hole[4:8, 5:9] = True
    torch.testing.assert_close(Interpolation(3)(image, hole), image)
    assert (Interpolation(4)(image, hole) - image).abs().max() > 0.01


@every_hole
@pytest.mark.parametrize("fill", DETERMINISTIC, ids=str)
def test_a_constant_stays_one_and_nothing_is_read_under_the_hole(fill, hole: Tensor) -> None:
    if fill is biharmonic:
        pytest.importorskip("skimage")
    constant = torch.tensor([0.3, -0.8]).double().view(2, 1, 1).expand(2, *SIZE).clone()
    torch.testing.assert_close(fill(constant, hole, stream(0)), constant)
    image, spoilt = noise(), noise()
    spoilt[:, hole] = torch.nan
    result = fill(image, hole, stream(0))
    assert torch.equal(fill(spoilt, hole, stream(0)), result) and torch.equal(image, noise())
    # the colours do not know of each other
    torch.testing.assert_close(fill(image[1:], hole, stream(0)), result[1:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_and_gradients_stay_outside(dtype: torch.dtype) -> None:
    image = noise().to(dtype).requires_grad_(True)
    result = Interpolation(2)(image.detach(), HOLES["inside"])
    assert result.dtype == dtype and not result.requires_grad


def test_biharmonic_is_scikit_images() -> None:
    restoration = pytest.importorskip("skimage.restoration")
    image, hole = noise(), HOLES["two pieces"]
    expected = restoration.inpaint_biharmonic(image.numpy(), hole.numpy(), channel_axis=0)
    torch.testing.assert_close(biharmonic(image, hole), torch.from_numpy(expected))


IMAGE, HOLE = noise(), HOLES["inside"]


@pytest.mark.parametrize(
    ("image", "hole", "words"),
    [
        (IMAGE[0], HOLE, r"image torch.float64 \[8, 9\] was given; filling a hole needs floats"),
        (IMAGE.to(torch.uint8), HOLE, r"image torch.uint8 \[2, 8, 9\]"),
        (IMAGE[:, :1], HOLE[:1], r"of 2 pixels or more each way"),
        (IMAGE, HOLE[1:], r"a hole torch.bool \[7, 9\] was given for an image \[2, 8, 9\]; .*bool \[8, 9\]"),
        (IMAGE, HOLE.float(), "a hole torch.float32"),
        (IMAGE, HOLE & False, "hides 0 of 72 pixels; it needs to hide some and leave some"),
        (IMAGE, HOLE | True, "hides 72 of 72 pixels"),
        (torch.full_like(IMAGE, torch.nan), HOLE, "outside the hole are not finite"),
    ],
)
@pytest.mark.parametrize("fill", [Interpolation(4), ExactMrf(1), biharmonic], ids=str)
def test_what_cannot_be_filled_is_refused(fill, image: Tensor, hole: Tensor, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fill(image, hole)


@pytest.mark.parametrize("method", [-1, 6, 2.5])
def test_there_are_six_methods(method) -> None:
    with pytest.raises(InputError, match=f"the method of interpolation is {method}; give a whole number from 0 to 5"):
        Interpolation(method)


@pytest.mark.parametrize("method", [0, 3])
def test_too_little_that_is_known_is_refused(method: int) -> None:
    hole = torch.ones(SIZE, dtype=torch.bool)
    hole[4, 4] = False  # any plane through the one known pixel would do
    with pytest.raises(InputError, match="the known pixels do not determine the hidden ones by this method"):
        Interpolation(method)(noise(), hole)
    nothing = torch.zeros(1, 2, 2, dtype=torch.float64)
    with pytest.raises(InputError, match="do not determine the hidden ones"):
        Interpolation(method)(nothing, torch.tensor([[True, False], [False, False]]))


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.restoration", None)
    with pytest.raises(InputError, match=r"needs scikit-image.*pip install 'tutelage\[inpainting\]'"):
        biharmonic(IMAGE, HOLE)
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(InputError, match=r"need SciPy.*pip install 'tutelage\[inpainting\]'"):
        Interpolation(4)(IMAGE, HOLE)
