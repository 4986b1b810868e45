"""Optimisers, schedules and averages of weights."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tutelage.checks import InputError
from tutelage.learn.updates import Adam, RMSprop, Sgd, average_towards, load_optimiser, set_rate
from tutelage.rng import stream


@pytest.mark.parametrize(
    ("iteration", "expected"),
    [(0, 0.08), (25, 0.02 + 0.06 * (1 + math.sqrt(0.5)) / 2), (50, 0.05), (100, 0.02), (130, 0.02)],
)
def test_the_rate_falls_along_half_a_cosine(iteration: int, expected: float) -> None:
    assert Adam(0.08, lr_final=0.02).rate(iteration, 100) == pytest.approx(expected, rel=1e-12)


def test_the_rate_stays_without_a_final_one() -> None:
    assert [Adam(0.08).rate(i, 100) for i in (0, 50, 100)] == [0.08] * 3


def test_no_iterations_are_over_before_they_begin() -> None:
    assert Adam(0.08, lr_final=0.02).rate(0, 0) == 0.08
    assert Adam(0.08, lr_final=0.02).rate(1, 0) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lr": 0.0}, "lr is 0.0.*above 0"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"lr": 0.1, "lr_final": 0.0}, "lr_final is 0.0"),
        ({"lr": 0.1, "beta1": 1.0}, "beta1 is 1.0.*below 1"),
        ({"lr": 0.1, "beta2": -0.1}, "beta2 is -0.1.*at least 0"),
    ],
)
def test_rates_that_cannot_work_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Adam(**fields)


def test_an_optimiser_has_the_plans_numbers_and_only_what_learns() -> None:
    network = nn.Linear(3, 2)
    network.bias.requires_grad_(False)
    optimiser = Adam(0.01, beta1=0.4, beta2=0.9).init(network)
    (group,) = optimiser.param_groups
    assert (group["lr"], group["betas"]) == (0.01, (0.4, 0.9))
    assert len(group["params"]) == 1 and group["params"][0] is network.weight


def test_what_the_recipes_leave_unsaid_is_what_the_authors_run() -> None:
    assert (Adam(1.0).beta1, Adam(1.0).beta2, Adam(1.0).amsgrad) == (0.5, 0.999, False)
    assert (Sgd(1.0).momentum, Sgd(1.0).weight_decay) == (0.5, 1e-4)


@pytest.mark.parametrize("amsgrad", [False, True])
def test_after_a_burst_steps_stay_small_only_with_amsgrad(amsgrad: bool) -> None:
    network = nn.Linear(1, 1, bias=False)
    optimiser = Adam(0.01, beta1=0.0, beta2=0.5, amsgrad=amsgrad).init(network)
    for gradient in [100.0] + [1.0] * 40:
        network.weight.grad = torch.full((1, 1), gradient)
        before = network.weight.detach().clone()
        optimiser.step()
    step = (network.weight.detach() - before).abs().item()
    largest = 100 * math.sqrt(0.5)  # the average of squares after the burst
    assert step == pytest.approx(0.01 / largest if amsgrad else 0.01, rel=1e-3)


def test_the_rate_reaches_every_group() -> None:
    a, b = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    optimiser = torch.optim.SGD([{"params": [a], "lr": 1.0}, {"params": [b], "lr": 2.0}])
    assert set_rate(optimiser, 0.25) == 0.25
    a.grad, b.grad = torch.ones(2), torch.ones(2)
    optimiser.step()
    assert a.tolist() == b.tolist() == [-0.25, -0.25]


def test_the_first_step_of_adam_is_the_rate() -> None:
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimiser = Adam(0.1).init(nn.ParameterList([weight]))
    weight.grad = torch.tensor([3.0, -0.5])
    optimiser.step()
    torch.testing.assert_close(weight.detach(), torch.tensor([0.9, -1.9]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lr": -1.0}, "lr is -1.0.*above 0"),
        ({"lr": 0.1, "lr_final": math.inf}, "lr_final is inf"),
        ({"lr": 0.1, "momentum": 1.0}, "momentum is 1.0.*below 1"),
        ({"lr": 0.1, "weight_decay": -1e-4}, "weight_decay is -0.0001.*0 or more"),
        ({"lr": 0.1, "cap": 0.0}, "cap is 0.0.*above 0, or none"),
    ],
)
def test_gradient_descent_that_cannot_work_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sgd(**fields)


def test_the_rate_of_gradient_descent_falls_geometrically() -> None:
    update = Sgd(1.0, lr_final=0.01)
    assert [update.rate(t, 100) for t in (0, 50, 100, 120)] == pytest.approx([1.0, 0.1, 0.01, 0.01])
    assert Sgd(0.3).rate(7, 10) == 0.3


class Spread(nn.Module):
    """Two parameters: the gradient of one is a sum over six positions."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Parameter(torch.tensor([1.0, -2.0]))
        self.single = nn.Parameter(torch.tensor([3.0]))

    def positions(self) -> dict[str, int]:
        return {"wide": 6, "single": 1}


def test_gradient_descent_by_hand() -> None:
    """Two steps of the rule in the order of the texture code: divide, cap, decay, momentum, rate."""
    network = Spread()
    optimiser = Sgd(0.1, momentum=0.5, weight_decay=0.01, cap=0.5, per_position=True).init(network)
    buffers = {"wide": torch.zeros(2), "single": torch.zeros(1)}
    expected = {name: value.detach().clone() for name, value in network.named_parameters()}
    for wide, single in (([12.0, -3.0], [0.2]), ([0.6, 1.2], [-4.0])):
        network.wide.grad, network.single.grad = torch.tensor(wide), torch.tensor(single)
        capped = {"wide": torch.tensor(wide) / 6, "single": torch.tensor(single)}
        for name, gradient in capped.items():
            gradient = gradient * min(1.0, 0.5 / gradient.abs().max().item())
            buffers[name] = 0.5 * buffers[name] + gradient + 0.01 * expected[name]
            expected[name] = expected[name] - 0.1 * buffers[name]
        optimiser.step()
    for name, value in network.named_parameters():
        torch.testing.assert_close(value.detach(), expected[name])


def test_a_gradient_of_nothing_stays_nothing_under_a_cap() -> None:
    network = Spread()
    optimiser = Sgd(0.1, weight_decay=0.0, cap=0.5).init(network)
    network.wide.grad = torch.zeros(2)
    optimiser.step()
    assert network.wide.tolist() == [1.0, -2.0] and network.single.tolist() == [3.0]


def test_a_cap_hides_no_divergence() -> None:
    network = Spread()
    network.wide.grad = torch.tensor([math.nan, 1.0])
    Sgd(0.1, cap=0.5).init(network).step()
    assert network.wide.isnan().any()


def test_dividing_by_positions_needs_a_network_that_knows_them() -> None:
    with pytest.raises(
        InputError, match=r"per_position needs a network that offers positions\(\), and Linear does not"
    ):
        Sgd(0.1, per_position=True).init(nn.Linear(2, 2))


def test_rmsprop_by_hand() -> None:
    """Two steps: the mean square of the gradient, the step over its root, and the clip."""
    network = Spread()
    optimiser = RMSprop(0.3, decay=0.9, clip=2.9).init(network)
    squares = {"wide": torch.zeros(2), "single": torch.zeros(1)}
    expected = {"wide": torch.tensor([1.0, -2.0]), "single": torch.tensor([3.0])}
    for wide, single in (([12.0, -3.0], [-0.2]), ([0.6, 1.2], [-4.0])):
        network.wide.grad, network.single.grad = torch.tensor(wide), torch.tensor(single)
        for name, gradient in {"wide": torch.tensor(wide), "single": torch.tensor(single)}.items():
            squares[name] = 0.9 * squares[name] + 0.1 * gradient.square()
            expected[name] = (expected[name] - 0.3 * gradient / (squares[name].sqrt() + 1e-8)).clamp(-2.9, 2.9)
        optimiser.step()
    for name, value in network.named_parameters():
        torch.testing.assert_close(value.detach(), expected[name])
    assert network.single.item() == pytest.approx(2.9), "clipped"


def test_rmsprop_leaves_weights_where_they_are_without_a_clip_and_its_rate_stays() -> None:
    network = Spread()
    network.single.requires_grad_(False)
    optimiser = RMSprop(0.1).init(network)
    network.wide.grad = torch.tensor([-100.0, 0.0])
    optimiser.step()
    torch.testing.assert_close(network.wide.detach(), torch.tensor([2.0, -2.0]))
    assert [len(group["params"]) for group in optimiser.param_groups] == [1]
    assert [RMSprop(0.1).rate(t, 10) for t in (0, 5, 20)] == [0.1] * 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lr": 0.0}, "lr is 0.0.*above 0"),
        ({"lr": 0.1, "decay": 1.0}, "decay is 1.0.*below 1"),
        ({"lr": 0.1, "clip": 0.0}, "clip is 0.0; it needs to be above 0, or none"),
        ({"lr": 0.1, "clip": math.inf}, "clip is inf"),
    ],
)
def test_rmsprop_that_cannot_work_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RMSprop(**fields)


def gradients(parameters: list[nn.Parameter], step: int) -> None:
    for i, parameter in enumerate(parameters):
        noise = torch.randn(parameter.shape, generator=stream(0, "gradient", step, i))
        parameter.grad = torch.empty_like(parameter).copy_(noise)


def from_a_file(value):
    """As a file gives it back: the same numbers, laid out row by row."""
    if isinstance(value, Tensor):
        return value.clone(memory_format=torch.contiguous_format)
    if isinstance(value, dict):
        return {key: from_a_file(part) for key, part in value.items()}
    return [from_a_file(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("update", [Adam(0.01), Sgd(0.01), RMSprop(0.01, clip=1.0)], ids=repr)
def test_a_restored_optimiser_goes_on_bit_for_bit_whatever_the_memory_layout(update) -> None:
    shapes = [(6, 4, 3, 3), (5, 1, 4, 4), (7, 3, 1, 1), (9,), ()]
    parameters = []
    for i, shape in enumerate(shapes):
        values = torch.randn(shape, generator=stream(0, "parameter", i))
        layout = torch.channels_last if values.ndim == 4 else torch.contiguous_format
        parameters.append(nn.Parameter(values.contiguous(memory_format=layout)))
    optimiser = update.init(nn.ParameterList(parameters))
    for step in range(3):
        gradients(parameters, step)
        optimiser.step()

    resumed = copy.deepcopy(parameters)
    restored = replace(update, lr=0.5).init(nn.ParameterList(resumed))
    load_optimiser(restored, from_a_file(optimiser.state_dict()))
    for step in range(3, 6):
        for mine, chance in ((parameters, optimiser), (resumed, restored)):
            gradients(mine, step)
            chance.step()
    for one, other in zip(parameters, resumed, strict=True):
        assert torch.equal(one, other) and one.stride() == other.stride()
    assert all(
        moment.stride() == parameter.stride() and not moment.requires_grad
        for parameter, moments in restored.state.items()
        for name, moment in moments.items()
        if name != "step"
    )


def test_restoring_does_not_hold_on_to_what_was_saved() -> None:
    weight = nn.Parameter(torch.ones(4))
    optimiser = Adam(0.01).init(nn.ParameterList([weight]))
    gradients([weight], 0)
    optimiser.step()
    saved = from_a_file(optimiser.state_dict())
    before = copy.deepcopy(saved)
    load_optimiser(optimiser, saved)
    gradients([weight], 1)
    optimiser.step()
    assert torch.equal(saved["state"][0]["exp_avg"], before["state"][0]["exp_avg"])


def networks() -> tuple[nn.Module, nn.Module]:
    made = []
    for i in range(2):
        network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=stream(i, "weights")))
            network(torch.randn(5, 3, generator=stream(i, "images")))
        made.append(network)
    return made[0], made[1]


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.999])
def test_the_average_moves_by_the_formula(decay: float) -> None:
    average, live = networks()
    before, kept = copy.deepcopy(average), copy.deepcopy(live)
    average_towards(average, live, decay, 10_000_000)
    for new, old, target in zip(average.parameters(), before.parameters(), live.parameters(), strict=True):
        torch.testing.assert_close(new, decay * old + (1 - decay) * target)
        if decay == 0:
            assert torch.equal(new, target)
    for new, target in zip(average.buffers(), live.buffers(), strict=True):
        assert torch.equal(new, target) and new is not target
    for now, then in zip(live.state_dict().values(), kept.state_dict().values(), strict=True):
        assert torch.equal(now, then)
    assert all(parameter.requires_grad and parameter.grad is None for parameter in average.parameters())


@pytest.mark.parametrize(("decay", "left"), [(0.999, 1 / math.comb(120, 20)), (0.5, 0.5**80 / math.comb(40, 20))])
def test_an_average_forgets_early_what_nothing_was_learned_by(decay: float, left: float) -> None:
    """Of the first weights Π move / (move + 20) is left, and with a decay of .5 halves from the 20th move on."""
    average, live = nn.Linear(1, 1), nn.Linear(1, 1)
    with torch.no_grad():
        average.weight.fill_(1.0)
        live.weight.fill_(0.0)
    for move in range(1, 101):
        average_towards(average, live, decay, move)
    assert average.weight.item() == pytest.approx(left, rel=1e-4, abs=0)


def test_no_decay_copies_from_the_first_move() -> None:
    average, live = networks()
    average_towards(average, live, None, 1)
    for new, target in zip(average.parameters(), live.parameters(), strict=True):
        assert torch.equal(new, target)
