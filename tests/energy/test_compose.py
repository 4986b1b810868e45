"""Tilting: the one place where the sign flips."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tutelage.baselines.gram import GramEnergy
from tutelage.baselines.portilla_simoncelli import PAPER, StatisticsEnergy
from tutelage.checks import InputError
from tutelage.energy import Content, Gaussian, Held, Mix, Posterior, RandomMix, RandomTilt, Tilt, Uniform
from tutelage.gradient import ByAutograd, prepared
from tutelage.rng import stream
from tutelage.sample import Langevin, run
from tutelage.types import Evaluation, RandomEnergy, Scored


def smooth(x: Tensor) -> Tensor:
    return torch.sin(2 * x).flatten(1).sum(1)


def skewed(x: Tensor) -> Tensor:
    return (x - x.pow(3) / 5).flatten(1).sum(1) ** 2


class Told:
    """A potential with two patches, which tells their logits; counts how often it is prepared."""

    def __init__(self) -> None:
        self.snapshots = 0

    def __call__(self, x: Tensor) -> Tensor:
        return smooth(x)

    def prepare(self):
        self.snapshots += 1
        return lambda x: Evaluation(*ByAutograd(smooth)(x)[:2], Scored(x.flatten(1)[:, :2]))


class Shaken:
    """A random potential: a constant force, drawn afresh."""

    def draw(self, position: Tensor, rng: torch.Generator, /):
        force = torch.randn(position.shape, generator=rng, dtype=position.dtype)
        return lambda x: (force * x).flatten(1).sum(1)


def images() -> Tensor:
    return torch.randn(5, 2, 3, 3, generator=stream(0, "images"), dtype=torch.float64)


def test_the_terms_of_a_tilt_are_told_apart_where_their_difference_would_round_them_away() -> None:
    x = torch.ones(2, 3, 64, 64)
    faint = lambda y: 1e-3 * y.mean((1, 2, 3))  # noqa: E731
    energy = Tilt(Gaussian(0.016), faint, faint)
    reference, potential = energy.terms(x)
    torch.testing.assert_close(potential, torch.full((2,), 2e-3))
    torch.testing.assert_close(reference, Gaussian(0.016)(x))
    assert (reference - energy(x) == 0).all()  # 2.4e7 in float32


def test_energy_is_the_reference_minus_the_potentials() -> None:
    x = images()
    torch.testing.assert_close(Tilt(Gaussian(0.5), smooth)(x), 2 * x.square().sum((1, 2, 3)) - smooth(x))
    assert Tilt(Gaussian(0.5), smooth, skewed)(x).shape == (5,)


def test_a_larger_potential_is_a_smaller_energy_and_the_gradient_leads_there() -> None:
    x = torch.zeros(1, 1, dtype=torch.float64)
    tilt = Tilt(Uniform(), lambda y: 3 * y.sum(1))
    assert tilt(x + 1) < tilt(x)
    assert prepared(tilt)(x).gradient.item() == -3


@pytest.mark.parametrize("reference", [Gaussian(0.7), Uniform()], ids=repr)
def test_tilting_twice_is_tilting_by_both(reference) -> None:
    x = images()
    together, nested = Tilt(reference, smooth, skewed), Tilt(Tilt(reference, smooth), skewed)
    torch.testing.assert_close(together(x), nested(x))
    for answer in (together, nested):
        value, gradient, terms = prepared(answer)(x)
        torch.testing.assert_close(value, together(x))
        torch.testing.assert_close(gradient, ByAutograd(together)(x).gradient)
        # and they tell the same of the two forces and of the logits
        torch.testing.assert_close(terms.reference, ByAutograd(reference)(x).gradient)
        torch.testing.assert_close(terms.potential, gradient.neg() + terms.reference)
        assert [told.logits.tolist() for told in terms.scored] == [
            [[v] for v in f(x).tolist()] for f in (smooth, skewed)
        ]


def test_the_two_forces_are_told_apart() -> None:
    x = images()
    _, gradient, terms = prepared(Tilt(Gaussian(0.7), smooth, skewed))(x)
    assert len(terms.scored) == 2
    torch.testing.assert_close(terms.reference, x / 0.49)
    torch.testing.assert_close(terms.potential, ByAutograd(lambda y: smooth(y) + skewed(y))(x).gradient)
    torch.testing.assert_close(gradient, terms.reference - terms.potential)


def test_without_potentials_the_reference_remains() -> None:
    x = images()
    value, gradient, _ = prepared(Tilt(Gaussian(0.7)))(x)
    torch.testing.assert_close(value, Gaussian(0.7)(x))
    torch.testing.assert_close(gradient, x / 0.49)


def test_an_image_in_a_batch_has_the_energy_it_has_alone() -> None:
    x, energy = images(), Tilt(Gaussian(0.7), smooth, skewed)
    together = prepared(energy)(x)
    for i in range(len(x)):
        alone = prepared(energy)(x[i : i + 1])
        torch.testing.assert_close(alone.value[0], together.value[i])
        torch.testing.assert_close(alone.gradient[0], together.gradient[i])
        torch.testing.assert_close(energy(x[i : i + 1])[0], together.value[i])


def test_it_prints_its_parts() -> None:
    assert repr(Tilt(Tilt(Gaussian(0.5), smooth), smooth)) == "Tilt(Tilt(Gaussian(std=0.5), function), function)"
    assert repr(Tilt(Uniform())) == "Tilt(Uniform())"
    assert repr(RandomTilt(Uniform(), smooth, Shaken())) == "RandomTilt(Uniform(), function, Shaken)"


def test_potentials_that_tell_logits_are_heard_in_their_order() -> None:
    x, told = images(), Told()
    own, value = x.flatten(1)[:, :2], smooth(x)[:, None]
    for energy in (Tilt(Uniform(), told, smooth), Tilt(Tilt(Uniform(), told), smooth)):
        first, last = prepared(energy)(x).aux.scored
        assert torch.equal(first.logits, own) and first.coverage is None
        assert torch.equal(last.logits, value) and last.coverage is None
    # through a reference that is a mix as well
    mixed = prepared(Tilt(Mix(0.3, Gaussian(1.0), Tilt(Uniform(), told)), smooth))(x).aux
    assert [tuple(s.logits.shape) for s in mixed.scored] == [(5, 2), (5, 1)]
    assert prepared(Tilt(Gaussian(0.7)))(x).aux.scored == ()


def test_only_a_random_tilt_is_random() -> None:
    assert isinstance(RandomTilt(Uniform(), Shaken()), RandomEnergy)
    assert not isinstance(Tilt(Uniform(), smooth), RandomEnergy)
    for parts in ((Uniform(), smooth, Shaken()), (RandomTilt(Uniform()), smooth)):
        with pytest.raises(InputError, match=r"is drawn afresh before each step.* give the same parts to RandomTilt"):
            Tilt(*parts)


def test_a_random_tilt_draws_its_random_parts_and_no_others() -> None:
    x, told = images(), Told()
    energy = RandomTilt(Gaussian(0.7), told, Shaken())
    one, same = (energy.draw(x, stream(1)) for _ in range(2))
    assert isinstance(one, Tilt) and torch.equal(one(x), same(x))
    assert not torch.equal(one(x), energy.draw(x, stream(2))(x))
    expected = Tilt(Gaussian(0.7), told, Shaken().draw(x, stream(1)))
    for got, wanted in zip(prepared(one)(x)[:2], prepared(expected)(x)[:2], strict=True):
        assert torch.equal(got, wanted)
    # a random reference is drawn too, and its forces are told apart
    inside = RandomTilt(RandomTilt(Gaussian(0.7), Shaken()), told).draw(x, stream(1))
    torch.testing.assert_close(prepared(inside)(x).aux.reference, x / 0.49)


def test_what_is_not_random_is_prepared_once_for_a_whole_chain() -> None:
    told, rng = Told(), stream(0)
    moved, info = run(Langevin(0.1), RandomTilt(Gaussian(0.7), told, Shaken()), images(), 4, rng)
    assert told.snapshots == 1 and not torch.equal(moved, images())
    assert len(info.aux.scored) == 2


IMAGE = torch.zeros(1, 2, 2)


@pytest.mark.parametrize("tilt", [Tilt, RandomTilt])
@pytest.mark.parametrize(
    "energy",
    [
        Gaussian(1.0),
        Uniform(),
        Content(IMAGE),
        Tilt(Gaussian(1.0), smooth),
        Mix(0.3, Content(IMAGE), Gaussian(1.0)),
        RandomTilt(Gaussian(1.0), smooth),
        RandomMix(0.3, Content(IMAGE), RandomTilt(Gaussian(1.0), smooth)),
        Held(Gaussian(1.0), IMAGE[None], IMAGE > 0),
        Posterior(torch.nn.Flatten(), IMAGE[None], 0.3),
        StatisticsEnergy(torch.ones(1), PAPER),
    ],
    ids=lambda energy: type(energy).__name__,
)
def test_an_energy_where_a_potential_is_meant_is_refused(tilt, energy):
    """Its sign is the other: the chain would be pushed away from what it says is likely."""
    random = hasattr(energy, "draw") and tilt is Tilt
    words = "is drawn afresh" if random else rf"{type(energy).__name__} is an energy, .* stand first, {tilt.__name__}\("
    with pytest.raises(InputError, match=words):
        tilt(Gaussian(1.0), smooth, energy)


def test_an_energy_stands_first_or_is_turned_round():
    x = torch.randn(3, 1, 2, 2, generator=stream(0, "x"))
    first = Tilt(Content(IMAGE), smooth)
    turned = Tilt(Uniform(), smooth, lambda y: -Content(IMAGE)(y))
    torch.testing.assert_close(first(x), turned(x))
    torch.testing.assert_close(prepared(first)(x).gradient, prepared(turned)(x).gradient)


def test_energies_of_textures_point_down_too():
    assert GramEnergy.points_down and StatisticsEnergy.points_down
