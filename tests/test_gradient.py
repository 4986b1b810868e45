"""Value and gradient of anything that maps [B, ...] to [B]."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tutelage.checks import InputError
from tutelage.gradient import ByAutograd, Fixed, frozen_copy, prepared
from tutelage.types import Evaluation


def cubic(x: Tensor) -> Tensor:
    return x.flatten(1).pow(3).sum(1)


def positions(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Scored(nn.Module):
    """Any user's network: a batch of images to one number each."""

    def __init__(self) -> None:
        super().__init__()
        self.learns: list[bool] = []
        self.body = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)).double()

    def forward(self, x: Tensor) -> Tensor:
        self.learns.append(self.body[0].weight.requires_grad)
        return self.body(x).squeeze(1)


class WithPrepare(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("its own prepare() knows better")

    def prepare(self):
        return lambda x: Evaluation(x.sum(1), torch.full_like(x, 7.0))


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 3, 5), (4, 1, 2, 3, 3)])
def test_automatic_differentiation_gives_each_row_its_own_gradient(shape: tuple[int, ...]) -> None:
    x = positions(*shape)
    value, gradient, aux = prepared(cubic)(x)
    assert torch.allclose(value, x.flatten(1).pow(3).sum(1)) and aux is None
    assert torch.allclose(gradient, 3 * x**2)
    alone = prepared(cubic)(x[2:3])
    assert torch.equal(alone.value, value[2:3]) and torch.equal(alone.gradient, gradient[2:3])
    assert not (value.requires_grad or gradient.requires_grad or x.requires_grad)


def test_gradients_are_found_where_the_caller_has_switched_them_off() -> None:
    x = positions(2, 3)
    with torch.no_grad():
        assert torch.allclose(prepared(cubic)(x).gradient, 3 * x**2)


@pytest.mark.parametrize(
    "constant",
    [
        lambda x: 0 * x.flatten(1).sum(1),
        lambda x: x.new_full((len(x),), 2.0),
        lambda x: torch.zeros(len(x), requires_grad=True),
    ],
    ids=["connected", "unconnected", "learnt"],
)
def test_a_constant_has_a_gradient_of_zeros(constant) -> None:
    x = positions(2, 3, 4)
    value, gradient, _ = ByAutograd(constant)(x)
    assert value.shape == (2,) and torch.equal(gradient, torch.zeros_like(x))


@pytest.mark.parametrize(("shape", "said"), [((), r"\[\]"), ((3, 1), r"\[3, 1\]"), ((2,), r"\[2\]")])
def test_one_number_for_each_image_is_needed(shape, said) -> None:
    function = lambda x: x.sum().expand(shape)  # noqa: E731
    with pytest.raises(
        InputError, match=rf"numbers of shape {said} for 3 images; it needs to give one for each, \[3\]"
    ):
        ByAutograd(function)(torch.zeros(3, 2))


def test_a_module_is_differentiated_without_touching_its_parameters() -> None:
    network, x = Scored(), positions(4, 3)
    value, gradient, _ = prepared(network)(x)
    assert network.learns == [False], "nothing is remembered for the parameters"
    leaf = x.clone().requires_grad_(True)
    (expected,) = torch.autograd.grad(network(leaf).sum(), leaf)
    assert torch.allclose(gradient, expected, rtol=1e-12) and torch.allclose(value, network(x))
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())


def test_a_prepared_module_follows_no_later_change_of_its_weights() -> None:
    network, x = Scored(), positions(4, 3)
    evaluate = prepared(network)
    before = evaluate(x).value
    with torch.no_grad():
        network.body[2].bias.add_(1)
    torch.testing.assert_close(evaluate(x).value, before)


def test_a_prepared_module_has_statistics_of_its_own() -> None:
    """Batch norm in training mode counts what it sees; sampling is not to be counted, and later counts not seen."""
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1, bias=False), nn.Flatten(0)).double()
    norm, x = network[0], positions(4, 3)
    evaluate = prepared(network)
    evaluate(x)
    assert norm.num_batches_tracked == 0 and torch.equal(norm.running_mean, torch.zeros(3).double())
    evaluate = prepared(network.eval())
    before = evaluate(x).value
    norm.running_mean.add_(1)
    torch.testing.assert_close(evaluate(x).value, before)


def test_own_prepare_is_used_where_it_is_offered() -> None:
    assert prepared(WithPrepare())(positions(2, 3)).gradient.eq(7).all()


def test_a_prepared_energy_is_not_prepared_again() -> None:
    evaluate = prepared(cubic)
    assert prepared(Fixed(evaluate)) is evaluate


def test_a_frozen_copy_evaluates_learns_nothing_and_follows_nothing() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).train()
    frozen = frozen_copy(network)
    assert not any(module.training for module in frozen.modules())
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert network.training and all(parameter.requires_grad for parameter in network.parameters())
    before = frozen[0].weight.clone()
    nn.init.zeros_(network[0].weight)
    assert torch.equal(frozen[0].weight, before)
