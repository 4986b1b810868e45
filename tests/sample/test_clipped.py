"""A clipped kernel is the kernel, and then a clip."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tutelage.checks import InputError
from tutelage.energy import Gaussian, Tilt, Uniform
from tutelage.rng import stream
from tutelage.sample import Ascent, Clipped, Langevin, run


def start(*shape: int) -> Tensor:
    return torch.randn(shape, generator=stream(0, "start"), dtype=torch.float64)


@pytest.mark.parametrize("kernel", [Langevin(0.8), Ascent(0.3)], ids=repr)
def test_every_step_is_clipped(kernel) -> None:
    x, rng, mine = start(5, 4), stream(0), stream(0)
    clipped = Clipped(kernel, -0.5, 1.0)
    state, expected = clipped.init(x), kernel.init(x)
    assert torch.equal(state.position, x), "where a chain begins is left as it is"
    for _ in range(5):
        state, info = clipped.step(state, Gaussian(1.0), mine)
        expected, told = kernel.step(expected, Gaussian(1.0), rng)
        expected = expected._replace(position=expected.position.clamp(-0.5, 1.0))
        assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(state, expected, strict=True))
        assert torch.equal(info.energy, told.energy)
    assert state.position.min() >= -0.5 and state.position.max() <= 1.0


def test_a_range_that_is_never_left_changes_nothing() -> None:
    free, _ = run(Langevin(0.3), Gaussian(1.0), start(5, 4), 6, stream(0))
    clipped, _ = run(Clipped(Langevin(0.3), -math.inf, math.inf), Gaussian(1.0), start(5, 4), 6, stream(0))
    assert torch.equal(free, clipped)


def test_images_are_kept_in_the_range_of_the_data() -> None:
    energy = Tilt(Uniform(), lambda images: images.flatten(1).sum(1))
    moved, _ = run(Clipped(Ascent(0.1)), energy, start(2, 3).clamp(-1, 1), 40, stream(0))
    assert torch.equal(moved, torch.ones_like(moved))


def test_what_is_not_a_number_is_not_hidden() -> None:
    state, _ = Clipped(Ascent(0.1)).step(Ascent(0.1).init(start(2, 3)), lambda x: (x * math.nan).sum(1), stream(0))
    assert state.position.isnan().all()


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (1.0, -1.0), (math.nan, 1.0)])
def test_an_empty_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(InputError, match=f"low below high, not low={low} and high={high}"):
        Clipped(Ascent(0.1), low, high)


def test_a_metropolis_correction_is_refused() -> None:
    with pytest.raises(InputError, match="acceptance was computed for the proposal before clipping; give"):
        Clipped(Langevin(0.1, metropolis=True))
