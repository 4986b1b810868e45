"""A chain is a kernel run on an energy: how often the energy is asked, what is left alone, and who stops when."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from tutelage.checks import InputError
from tutelage.energy import Gaussian
from tutelage.gradient import Fixed, prepared
from tutelage.rng import stream
from tutelage.sample import Ascent, CrossEntropyRule, EnoughSteps, Langevin, ProbabilityRule, advance, begin, run
from tutelage.types import Evaluation, Scored

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
        self.positions: list[Tensor] = []

    def __call__(self, x: Tensor) -> Tensor:
        raise AssertionError("a random energy is drawn before it is asked")

    def draw(self, position: Tensor, rng: torch.Generator):
        self.generators.append(rng)
        self.positions.append(position)
        self.widths.append(len(self.widths) + 1)
        self.diary.append("draw")
        energy = Gaussian(self.widths[-1])

        def evaluate(x: Tensor) -> Tensor:
            self.diary.append("step")
            return energy(x)

        return evaluate


class Told(NamedTuple):
    """What the classifiers of an energy tell."""

    scored: tuple[Scored, ...]


class Hill:
    """A potential that climbs to the right, ``[B, K]``: its K numbers are the logits of K patches."""

    def prepare(self):
        def evaluate(x: Tensor) -> Evaluation:
            return Evaluation(-x.sum(1), -torch.ones_like(x), Told((Scored(x),)))

        return evaluate


class Curved:
    """The same, bent: logits ``4 tanh x``. An Adam step on it depends on the steps before."""

    def prepare(self):
        def evaluate(x: Tensor) -> Evaluation:
            return Evaluation(-4 * x.tanh().sum(1), 4 * x.tanh().square() - 4, Told((Scored(4 * x.tanh()),)))

        return evaluate


class Shaken:
    """A random energy: the hill, steeper or flatter by chance. It counts its draws."""

    def __init__(self) -> None:
        self.draws = 0

    def __call__(self, x: Tensor) -> Tensor:
        raise AssertionError("a random energy is drawn before it is asked")

    def draw(self, position: Tensor, rng: torch.Generator):
        self.draws += 1
        slope = torch.rand(position.shape, generator=rng, dtype=position.dtype)
        return Fixed(lambda x: Evaluation(-(slope * x).sum(1), -slope, Told((Scored(x),))))


HALF = Langevin(1.0, temperature=0)
"""On the hill a step of exactly ½ to the right."""


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
    torch.testing.assert_close(energy.positions, [x, x * (1 - 1 / 2), x * (1 - 1 / 2) * (1 - 1 / 8)])
    torch.testing.assert_close(moved, x * (1 - 1 / 2) * (1 - 1 / 8) * (1 - 1 / 18))


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_a_chain_may_be_interrupted(kernel: Langevin) -> None:
    x, rng = start(4, 2), stream(0)
    whole, _ = run(kernel, Gaussian(0.7), x, 7, stream(0))
    half, _ = run(kernel, Gaussian(0.7), x, 3, rng)
    again, _ = run(kernel, Gaussian(0.7), half, 4, rng)
    assert torch.equal(again, whole)


def test_langevin_runs_on_a_random_energy() -> None:
    x, rng, energy = start(4, 2), stream(0), Shaken()
    moved, _ = run(Langevin(0.5), energy, x, 5, stream(0))
    expected = x
    for _ in range(5):
        slope = torch.rand(x.shape, generator=rng, dtype=x.dtype)
        expected = expected + slope / 8 + torch.randn(x.shape, generator=rng, dtype=x.dtype) / 2
    assert energy.draws == 5
    torch.testing.assert_close(moved, expected)


# --- rules


@pytest.mark.parametrize("kernel", [*KERNELS, Ascent(0.1)], ids=repr)
def test_a_chain_without_a_rule_is_a_fold_of_the_kernel(kernel) -> None:
    x, rng, mine = start(4, 2), stream(0), stream(0)
    state, chain = kernel.init(x), begin(kernel, x)
    for _ in range(6):
        state, _ = kernel.step(state, Gaussian(0.7), rng)
        chain, _ = advance(kernel, Gaussian(0.7), chain, mine)
    assert torch.equal(run(kernel, Gaussian(0.7), x, 6, stream(0))[0], state.position)
    assert torch.equal(chain.state.position, state.position)
    assert chain.steps == 6 and chain.rule is None and chain.stopped.tolist() == [False] * 4


@pytest.mark.parametrize(
    "rule",
    [CrossEntropyRule(), CrossEntropyRule(per_image=True), ProbabilityRule(window=3), EnoughSteps(4)],
    ids=repr,
)
@pytest.mark.parametrize("kernel", [Langevin(0.9), Ascent(0.4)], ids=repr)
@pytest.mark.parametrize("energy", [Hill, Shaken])
def test_a_run_with_a_rule_is_a_fold_of_advance(kernel, energy, rule) -> None:
    x, rng, mine, shaken = start(4, 2) - 2, stream(0), stream(0), energy()
    chain, folds = begin(kernel, x, rule), 0
    while not chain.stopped.all() and folds < 50:
        chain, info = advance(kernel, shaken, chain, rng, rule)
        folds += 1
    moved, told = run(kernel, energy(), x, 50, mine, rule)
    assert 1 < folds < 50 and chain.steps == folds
    assert torch.equal(moved, chain.state.position) and torch.equal(told.energy, info.energy)
    assert torch.equal(mine.get_state(), rng.get_state())


def test_a_rule_that_fires_at_once_leaves_the_position() -> None:
    x = 1 + start(4, 2).abs()
    for rule in (CrossEntropyRule(), ProbabilityRule(window=1), EnoughSteps(0)):
        moved, info = run(HALF, Hill(), x, 10, stream(0), rule)
        assert torch.equal(moved, x) and torch.equal(info.energy, -x.sum(1))


def test_no_move_is_made_past_the_boundary() -> None:
    # logits −½ and ½, with a mean cross-entropy of .72, are the first below .8; before them −1 and 0 give 1.00
    x = torch.tensor([[-2.5], [-1.5]], dtype=torch.float64)
    moved, _ = run(HALF, Hill(), x, 10, stream(0), CrossEntropyRule(0.8))
    assert torch.equal(moved, x + 2)


def test_a_mean_over_the_batch_stops_all_chains_at_once() -> None:
    x = torch.tensor([[-3.0], [1.0]], dtype=torch.float64)
    rule = CrossEntropyRule(0.7)
    chain = begin(HALF, x, rule)
    while not chain.stopped.any():
        chain, _ = advance(HALF, Hill(), chain, stream(0), rule)
    assert chain.stopped.tolist() == [True, True]
    assert torch.equal(chain.state.position, x + (chain.steps - 1) / 2) and chain.state.position[0] < 0


def test_a_stopped_chain_stays_while_others_move() -> None:
    x, rng, rule = torch.tensor([[-2.0], [0.25], [-1.0]], dtype=torch.float64), stream(0), CrossEntropyRule(0.7, True)
    chain, trace = begin(HALF, x, rule), []
    for _ in range(6):
        chain, _ = advance(HALF, Hill(), chain, rng, rule)
        trace.append([*chain.state.position.flatten().tolist(), chain.stopped.tolist()])
    assert trace == [
        [-1.5, 0.25, -0.5, [False, True, False]],
        [-1.0, 0.25, 0.0, [False, True, False]],
        [-0.5, 0.25, 0.0, [False, True, True]],
        [0.0, 0.25, 0.0, [False, True, True]],
        [0.0, 0.25, 0.0, [True, True, True]],
        [0.0, 0.25, 0.0, [True, True, True]],
    ]


def test_noise_does_not_move_a_stopped_chain() -> None:
    kernel, rule, rng = Langevin(0.9), CrossEntropyRule(0.5, per_image=True), stream(0)
    chain = begin(kernel, start(6, 2) - 1, rule)
    seen = set()
    for _ in range(20):
        before = chain
        chain, _ = advance(kernel, Hill(), chain, rng, rule)
        moved = (chain.state.position != before.state.position).all(1)
        assert torch.equal(moved, ~chain.stopped) and not (before.stopped & ~chain.stopped).any()
        seen.add(int(chain.stopped.sum()))
    assert len(seen) > 2, "the chains were to stop at different steps"


@pytest.mark.parametrize("rule", [CrossEntropyRule(0.3, True), ProbabilityRule(4, 0.7, True)], ids=repr)
@pytest.mark.parametrize("kernel", [Ascent(0.3), Langevin(0.5, temperature=0)], ids=repr)
def test_a_chain_alone_equals_the_chain_in_a_batch(kernel, rule) -> None:
    x = start(5, 3) - 1
    together, _ = run(kernel, Curved(), x, 100, stream(0), rule)
    alone = torch.cat([run(kernel, Curved(), one[None], 100, stream(0), rule)[0] for one in x])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)
    assert (Curved().prepare()(together).aux.scored[-1].logits.mean(1) > 0).all(), "all were to stop by themselves"


@pytest.mark.parametrize("kernel", [Langevin(0.5), Ascent(0.1)], ids=repr)
def test_enough_steps_are_so_many_moves(kernel) -> None:
    x = start(3, 2)
    stopped, _ = run(kernel, Curved(), x, 50, stream(0), EnoughSteps(7))
    assert torch.equal(stopped, run(kernel, Curved(), x, 7, stream(0))[0])


def test_the_steps_of_a_run_are_a_cap() -> None:
    x = start(3, 2) - 100
    moved, info = run(HALF, Hill(), x, 4, stream(0), CrossEntropyRule())
    assert torch.equal(moved, run(HALF, Hill(), x, 4, stream(0))[0]) and torch.isfinite(info.energy).all()
    untouched, nothing = run(HALF, Hill(), x, 0, stream(0), CrossEntropyRule())
    assert torch.equal(untouched, x) and nothing is None


def test_a_rule_asks_a_random_energy_once_a_step() -> None:
    energy, rule = Shaken(), EnoughSteps(4)
    run(HALF, energy, start(3, 2), 50, stream(0), rule)
    assert energy.draws == 5


def test_a_prepared_energy_may_be_advanced_on() -> None:
    energy, rng = Counting(), stream(0)
    fixed, chain = Fixed(prepared(energy)), begin(HALF, start(3, 2), EnoughSteps(9))
    for _ in range(4):
        chain, _ = advance(HALF, fixed, chain, rng, EnoughSteps(9))
    assert (energy.prepared, energy.evaluated) == (1, 4)


def test_a_rule_may_not_come_or_go() -> None:
    x, rule = start(3, 2), EnoughSteps(3)
    with pytest.raises(InputError, match="began without a stop rule and is advanced with one: give"):
        advance(HALF, Hill(), begin(HALF, x), stream(0), rule)
    with pytest.raises(InputError, match="began with a stop rule and is advanced without one: give"):
        advance(HALF, Hill(), begin(HALF, x, rule), stream(0))


def test_no_steps_prepare_nothing() -> None:
    energy, start = Counting(), torch.randn(3, 2, generator=stream(0))
    position, info = run(Langevin(0.5), energy, start, 0, stream(0))
    assert torch.equal(position, start) and info is None and energy.prepared == 0


def test_a_kernel_of_ones_own_may_call_the_energy_it_is_given() -> None:
    class Step(NamedTuple):
        position: Tensor

    class Info(NamedTuple):
        energy: Tensor
        aux: None = None

    class Downhill:
        """Goes down to 0 where that is better, by the energy's value alone."""

        def init(self, position: Tensor) -> Step:
            return Step(position)

        def step(self, state: Step, energy, rng: torch.Generator) -> tuple[Step, Info]:
            x, zero = state.position, torch.zeros_like(state.position)
            better = (energy(zero) < energy(x)).view(-1, 1)
            return Step(torch.where(better, zero, x)), Info(energy(x))

    start = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    ended, info = run(Downhill(), Gaussian(1.0), start, 1, stream(0))
    assert not ended.any() and info.energy.tolist() == [2.5, 0.0]
