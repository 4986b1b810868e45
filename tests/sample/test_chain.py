"""A chain is a kernel run on an energy: how often the energy is asked, and what is left alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tutelage.checks import InputError
from tutelage.energy import Gaussian
from tutelage.rng import stream
from tutelage.sample import Langevin, run
from tutelage.types import Evaluation

KERNELS = [Langevin(0.5), Langevin(0.5, temperature=0), Langevin(0.5, metropolis=True)]


class Counting:
    """A Gaussian energy that remembers how often it was prepared and evaluated."""

    def __init__(self) -> None:
        self.prepared = self.evaluated = 0

    def prepare(self):
        self.prepared += 1

        def evaluate(x: Tensor) -> Evaluation:
            self.evaluated += 1
            return Evaluation(x.flatten(1).square().sum(1) / 2, x, aux=self.evaluated)

        return evaluate


class Drawn:
    """A random energy: Gaussians of width 1, 2, 3, … in turn. It writes down what happens to it."""

    def __init__(self) -> None:
        self.widths: list[int] = []
        self.diary: list[str] = []
        self.generators: list[torch.Generator] = []

    def __call__(self, x: Tensor) -> Tensor:
        raise AssertionError("a random energy is drawn before it is asked")

    def draw(self, rng: torch.Generator):
        self.generators.append(rng)
        self.widths.append(len(self.widths) + 1)
        self.diary.append("draw")
        energy = Gaussian(self.widths[-1])

        def evaluate(x: Tensor) -> Tensor:
            self.diary.append("step")
            return energy(x)

        return evaluate


def start(*shape: int) -> Tensor:
    return torch.randn(shape, generator=stream(0, "start"), dtype=torch.float64)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_no_steps_change_nothing(kernel: Langevin) -> None:
    x, rng = start(3, 2), stream(0)
    before = rng.get_state()
    position, info = run(kernel, Gaussian(1.0), x, 0, rng)
    assert torch.equal(position, x) and info is None
    assert torch.equal(rng.get_state(), before)


def test_negative_steps_are_refused() -> None:
    with pytest.raises(InputError, match="0 or more steps, not -1"):
        run(Langevin(0.5), Gaussian(1.0), start(3, 2), -1, stream(0))


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_the_given_position_is_left_alone(kernel: Langevin) -> None:
    x = start(3, 2)
    before = x.clone()
    moved, _ = run(kernel, Gaussian(1.0), x, 3, stream(0))
    assert torch.equal(x, before) and not torch.equal(moved, x)


@pytest.mark.parametrize(("kernel", "evaluations"), [(KERNELS[0], 5), (KERNELS[1], 5), (KERNELS[2], 10)], ids=repr)
def test_an_energy_is_prepared_once_a_chain(kernel: Langevin, evaluations: int) -> None:
    energy = Counting()
    run(kernel, energy, start(3, 2), 5, stream(0))
    assert (energy.prepared, energy.evaluated) == (1, evaluations)


def test_what_an_energy_tells_of_itself_reaches_the_info() -> None:
    _, info = run(Langevin(0.5), Counting(), start(3, 2), 5, stream(0))
    assert info.aux == 5


def test_a_random_energy_is_drawn_before_each_step() -> None:
    energy, x, rng = Drawn(), start(3, 2), stream(0)
    moved, _ = run(Langevin(1.0, temperature=0), energy, x, 3, rng)
    assert energy.diary == ["draw", "step"] * 3
    assert all(given is rng for given in energy.generators)
    torch.testing.assert_close(moved, x * (1 - 1 / 2) * (1 - 1 / 8) * (1 - 1 / 18))


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_a_chain_may_be_interrupted(kernel: Langevin) -> None:
    x, rng = start(4, 2), stream(0)
    whole, _ = run(kernel, Gaussian(0.7), x, 7, stream(0))
    half, _ = run(kernel, Gaussian(0.7), x, 3, rng)
    again, _ = run(kernel, Gaussian(0.7), half, 4, rng)
    assert torch.equal(again, whole)
