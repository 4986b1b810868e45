"""A texture net learns to make what the Gram loss asks for, and calibration fixes its statistics."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from tiny_recipes import same
from tutelage.baselines.gram import GramEnergy
from tutelage.baselines.texture_maps import RandomFilters
from tutelage.baselines.texture_nets import Plan, TextureNet
from tutelage.checks import InputError
from tutelage.learn.updates import Adam
from tutelage.nets import Pyramid, PyramidSpec
from tutelage.rng import stream
from tutelage.types import Batch

PLAN = Plan(
    iterations=60, batch_size=2, made=3, maps=RandomFilters(sizes=(3, 5), count=6), update=Adam(lr=0.02),
    ema_decay=0.5, calibration_draws=12,
)  # fmt: skip
SPEC = PyramidSpec(shape=(1, 16, 16), scales=2, channels=3, noise=2)
STRIPES = (torch.arange(16.0) * torch.pi / 4).sin().expand(2, 1, 16, 16)
BATCH = Batch(STRIPES, torch.arange(2))


def learner(**changes: Any) -> TextureNet:
    return TextureNet(replace(PLAN, **changes), Pyramid(SPEC, stream(0, "weights")), SPEC.latent_shape)


def test_its_loss_is_the_gram_loss_of_what_it_makes_and_falls() -> None:
    net, rng = learner(), stream(0, "learn")
    state, losses = net.init(rng), []
    energy = GramEnergy(STRIPES, PLAN.maps)
    for k in range(PLAN.iterations):
        state, record = net.step(state, BATCH, rng)
        torch.testing.assert_close(record.gram_loss, energy(record.made).mean())
        assert record.made.shape == (3, 1, 16, 16) and record.lr == 0.02 and state.iteration == k + 1
        losses.append(record.gram_loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    assert net.pictures(state, record)["made"] is record.made


def test_without_an_average_samples_are_of_the_live_generator() -> None:
    net = learner(ema_decay=None)
    state, _ = net.step(net.init(stream(0)), BATCH, stream(0))
    average, live = dict(state.average.named_parameters()), dict(state.generator.named_parameters())
    assert all(torch.equal(average[name], live[name]) for name in live)
    made = net.sample(state, 5, stream(1))["generator"]
    assert made.shape == (5, 1, 16, 16) and not made.requires_grad


def test_finishing_fixes_the_statistics_of_the_average_alone() -> None:
    net = learner()
    state, _ = net.step(net.init(stream(0)), BATCH, stream(0))
    before = copy.deepcopy(net.state_dict(state))
    after = net.state_dict(net.finish(state, stream(1)))
    assert [name for name in before if not same(before[name], after[name])] == ["average"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"made": 0}, "made is 0"),
        ({"iterations": -1}, "iterations is -1"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0"),
        ({"calibration_draws": 0}, "calibration_draws is 0"),
    ],
)
def test_plans_that_cannot_work_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        replace(PLAN, **changes)
