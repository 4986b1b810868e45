"""Markov random fields of neighbours: their minima, and draws whose distribution is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.stats import chisquare
from torch import Tensor

from tutelage.baselines.inpainting import Interpolation
from tutelage.baselines.mrf import ExactMrf, GibbsMrf
from tutelage.checks import InputError
from tutelage.rng import stream

HEIGHT, WIDTH = 7, 8


def hole_of(rows: slice, columns: slice) -> Tensor:
    hole = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    hole[rows, columns] = True
    return hole


HOLES = {
    "inside": hole_of(slice(2, 5), slice(3, 6)),
    "in a corner": hole_of(slice(0, 4), slice(5, 8)),
    "scattered": torch.rand((HEIGHT, WIDTH), generator=stream(1, "hole")) < 0.4,
}
every_hole = pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES.keys())
both_powers = pytest.mark.parametrize("power", [1, 2])


def noise(channels: int = 2) -> Tensor:
    image = torch.rand((channels, HEIGHT, WIDTH), generator=stream(0, "image"), dtype=torch.float64)
    return image * 2 - 1


def energy_by_hand(image: Tensor, hole: Tensor, power: int) -> float:
    """Σ |I_p − I_q|^ρ of one colour, pair by pair."""
    total = 0.0
    for r, c in itertools.product(range(HEIGHT), range(WIDTH)):
        for a, b in ((r + 1, c), (r, c + 1)):
            if a < HEIGHT and b < WIDTH and (hole[r, c] or hole[a, b]):
                total += abs(float(image[r, c] - image[a, b])) ** power
    return total


def pair_energy(image: Tensor, hole: Tensor, power: int) -> Tensor:
    """``E(I)`` of each colour of ``image`` ``[C, H, W]``: ``[C]``, in the units of the image to the power ρ."""
    energy = image.new_zeros(len(image))
    for axis in (1, 2):
        touched = hole | hole.roll(-1, axis - 1)
        apart = (image.diff(dim=axis)).abs().pow(power)
        energy = energy + (apart * touched.narrow(axis - 1, 0, hole.shape[axis - 1] - 1)).flatten(1).sum(1)
    return energy


@every_hole
@both_powers
def test_the_energy_is_over_pairs_with_a_hidden_end(hole: Tensor, power: int) -> None:
    image = noise()
    expected = [energy_by_hand(colour, hole, power) for colour in image]
    torch.testing.assert_close(pair_energy(image, hole, power), torch.tensor(expected).double())


@every_hole
def test_the_quadratic_minimum_is_that_of_the_springs(hole: Tensor) -> None:
    image = noise()
    best = ExactMrf(2)(image, hole)
    torch.testing.assert_close(best, Interpolation(4)(image, hole))
    # and a minimum: its gradient is zero
    moved = best.clone().requires_grad_(True)
    pair_energy(moved, hole, 2).sum().backward()
    assert moved.grad is not None and moved.grad[:, hole].abs().max() < 1e-12


@every_hole
def test_the_absolute_minimum_is_that_of_the_primal_programme(hole: Tensor) -> None:
    image, hidden = noise(), hole.numpy()
    best = pair_energy(ExactMrf(1)(image, hole), hole, 1)
    number = np.cumsum(hidden.ravel()).reshape(hidden.shape) - 1
    for colour, found in zip(image.numpy(), best, strict=True):
        # min Σ t over hidden x and t ≥ |I_p − I_q|, one t for each pair
        above, bounds, pairs = [], [], []
        for r, c in itertools.product(range(HEIGHT), range(WIDTH)):
            for a, b in ((r + 1, c), (r, c + 1)):
                if a < HEIGHT and b < WIDTH and (hidden[r, c] or hidden[a, b]):
                    pairs.append(((r, c), (a, b)))
        unknowns = hidden.sum()
        for k, pair in enumerate(pairs):
            for sign in (1, -1):
                row, known = np.zeros(unknowns + len(pairs)), 0.0
                row[unknowns + k] = -1
                for pixel, direction in zip(pair, (sign, -sign), strict=True):
                    if hidden[pixel]:
                        row[number[pixel]] += direction
                    else:
                        known += direction * colour[pixel]
                above.append(row)
                bounds.append(-known)
        cost = np.concatenate([np.zeros(unknowns), np.ones(len(pairs))])
        primal = linprog(cost, A_ub=np.stack(above), b_ub=bounds, bounds=(None, None))
        assert primal.fun == pytest.approx(float(found), abs=1e-9)


def test_a_failed_programme_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failed:
        success, message = False, "time is up"

    monkeypatch.setattr("scipy.optimize.linprog", lambda *_, **__: Failed())
    with pytest.raises(InputError, match=r"was not solved \(time is up\); take another method"):
        ExactMrf(1)(noise(), HOLES["inside"])


@both_powers
def test_one_hidden_pixel_is_drawn_from_its_conditional(power: int) -> None:
    """4000 copies as colours: one sweep forgets what it began with."""
    image, hole = noise(1).expand(4000, -1, -1), hole_of(slice(3, 4), slice(3, 4))
    sampler = GibbsMrf(power, levels=6, beta=0.4, sweeps=1)
    drawn = sampler(image, hole, stream(0, "draws"))[:, 3, 3]
    level = ((image[0] + 1) / 2 * 5).round()
    around = torch.stack([level[2, 3], level[4, 3], level[3, 2], level[3, 4]])
    energy = (torch.arange(6)[:, None] - around).abs().pow(power).sum(1)
    expected = torch.softmax(-0.4 * energy, 0)
    counts = torch.bincount(((drawn + 1) / 2 * 5).round().long(), minlength=6)
    assert chisquare(counts, expected * 4000).pvalue > 0.001


@both_powers
def test_three_hidden_pixels_are_drawn_from_their_joint(power: int) -> None:
    """Two neighbours and a corner, whose joint distribution is a sum over 4³ states."""
    hole = hole_of(slice(3, 4), slice(3, 5)) | hole_of(slice(0, 1), slice(0, 1))
    image = noise(1).expand(3000, -1, -1)
    drawn = GibbsMrf(power, levels=4, beta=0.3, sweeps=12)(image, hole, stream(0, "draws"))
    level = ((image[0] + 1) / 2 * 3).round()
    states = torch.cartesian_prod(*[torch.arange(4).double()] * 3)
    every = level.expand(64, -1, -1).clone()
    every[:, hole] = states
    expected = torch.softmax(-0.3 * pair_energy(every, hole, power), 0)
    found = ((drawn[:, hole] + 1) / 2 * 3).round() @ torch.tensor([16.0, 4.0, 1.0]).double()
    counts = torch.bincount(found.long(), minlength=64)
    assert chisquare(counts, expected * 3000).pvalue > 0.001


@every_hole
@both_powers
def test_a_cold_field_comes_near_the_minimum(power: int, hole: Tensor) -> None:
    image = (noise() * 16).round() / 16  # known pixels are levels, so that quantising changes nothing
    cold = GibbsMrf(power, levels=33, beta=4.0, sweeps=150, first_beta=0.02)
    found = pair_energy(cold(image, hole, stream(0, "draws")), hole, power)
    least = pair_energy(ExactMrf(power)(image, hole), hole, power)
    assert (found >= least - 1e-9).all() and (found < 1.1 * least).all()
    warm = pair_energy(GibbsMrf(power, 33, 1e-3, 3)(image, hole, stream(0, "draws")), hole, power)
    assert (warm > 1.15 * least).all()


def test_a_field_is_annealed_in_equal_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(GibbsMrf, "_drawn", lambda self, field, where, beta, rng: seen.append(beta) or field)
    GibbsMrf(1, beta=0.8, sweeps=4, first_beta=0.1)(noise(), HOLES["inside"], stream(0))
    assert seen == pytest.approx(np.repeat([0.1, 0.2, 0.4, 0.8], 2))
    seen.clear()
    GibbsMrf(1, beta=0.8, sweeps=1)(noise(), HOLES["inside"], stream(0))
    assert seen == [0.8, 0.8]


@both_powers
def test_draws_are_levels_in_the_hole_and_come_from_the_generator(power: int) -> None:
    image, hole = noise().float(), HOLES["in a corner"]
    sampler = GibbsMrf(power, levels=5, low=-1.0, high=1.0)
    drawn = sampler(image, hole, stream(0, "draws"))
    assert drawn.dtype == torch.float32 and torch.equal(drawn[:, ~hole], image[:, ~hole])
    assert set(drawn[:, hole].flatten().tolist()) <= {-1.0, -0.5, 0.0, 0.5, 1.0}
    assert torch.equal(drawn, sampler(image, hole, stream(0, "draws")))
    assert not torch.equal(drawn, sampler(image, hole, stream(1, "draws")))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"power": 3}, "power of a Markov random field is 3; give 1 or 2"),
        ({"levels": 1}, "a field of 1 levels and 100 sweeps"),
        ({"sweeps": 0}, "a field of 32 levels and 0 sweeps"),
        ({"low": 1.0}, "range of grey levels is 1.0 to 1.0"),
        ({"beta": 0.0}, "^beta of a Markov random field is 0.0; it needs to be above 0"),
        ({"first_beta": float("inf")}, "^first_beta of a Markov random field is inf"),
    ],
)
def test_fields_that_cannot_work_are_refused(fields: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        GibbsMrf(**({"power": 1} | fields))


def test_an_exact_minimum_of_another_power_is_refused() -> None:
    with pytest.raises(InputError, match="give 1 or 2"):
        ExactMrf(3)  # pyright: ignore[reportArgumentType]
