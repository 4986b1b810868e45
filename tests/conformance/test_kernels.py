"""What every kernel promises. A new kernel is one more line in the table."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tutelage.sample
from tutelage.energy import Gaussian, Tilt, Uniform
from tutelage.rng import stream
from tutelage.sample import Ascent, Clipped, Langevin, run

KERNELS = [
    Langevin(0.3),
    Langevin(0.3, temperature=0.0),
    Langevin(0.3, temperature=0.5),
    Langevin(0.8, metropolis=True),
    Ascent(0.1),
    Clipped(Langevin(0.3), low=-2.0, high=2.0),
    Clipped(Ascent(0.1)),
]
SHAPES = [(5, 3), (5, 2, 4, 3), (5, 1, 3, 4, 2)]

every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=repr)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=["Bd", "BCHW", "BCTHW"])
both_precisions = pytest.mark.parametrize("precision", [torch.float32, torch.float64], ids=["float32", "float64"])


class Learnt(nn.Module):
    """A potential with a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.weight * x).flatten(1).sum(1)


def plain(x: Tensor) -> Tensor:
    """An energy that is only a function."""
    return (x.square() / 2 - torch.cos(2 * x)).flatten(1).sum(1)


def base(kernel: Any) -> Any:
    """The kernel inside one that wraps another."""
    return base(kernel.kernel) if isinstance(kernel, Clipped) else kernel


def positions(shape: tuple[int, ...], device: torch.device, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=stream(0, "positions", device=device), device=device, dtype=dtype)


def tensors(values: Any) -> list[Tensor]:
    """Every tensor in a state or info."""
    return [value for value in values if isinstance(value, Tensor)]


@every_kernel
def test_a_kernel_is_a_frozen_value_that_prints_itself(kernel) -> None:
    assert dataclasses.is_dataclass(kernel)
    assert eval(repr(kernel), vars(tutelage.sample)) == kernel and hash(kernel) == hash(dataclasses.replace(kernel))
    name = dataclasses.fields(kernel)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(kernel, name, 1.0)


@every_kernel
@every_shape
@both_precisions
def test_a_step_keeps_shape_precision_and_place(kernel, shape, precision, device) -> None:
    x, rng = positions(shape, device, precision), stream(0, "noise", device=device)
    state = kernel.init(x)
    assert torch.equal(state.position, x)
    for energy in (plain, Gaussian(1.0), Tilt(Uniform(), Learnt().to(device, precision))):
        before = state.position.clone()
        given = state
        state, info = kernel.step(state, energy, rng)
        assert torch.equal(given.position, before), "the state given is left alone"
        assert state.position.shape == x.shape and not torch.equal(state.position, before)
        assert state.position.dtype == precision and state.position.device == x.device
        assert info.energy.shape == (5,) and info.energy.dtype == precision
        torch.testing.assert_close(info.energy, energy(before).detach())


@every_kernel
@every_shape
def test_nothing_is_left_to_differentiate(kernel, shape, device) -> None:
    potential = Learnt().to(device, torch.float64)
    x = positions(shape, device).requires_grad_(True)
    state = kernel.init(x)
    for _ in range(2):
        state, info = kernel.step(state, Tilt(Gaussian(1.0), potential), stream(0, device=device))
    assert not any(tensor.requires_grad for tensor in (*tensors(state), *tensors(info), *tensors(info.aux)))
    assert x.grad is None and potential.weight.grad is None and potential.weight.requires_grad


@pytest.mark.parametrize("kernel", [kernel for kernel in KERNELS if not isinstance(base(kernel), Ascent)], ids=repr)
def test_a_state_holds_nothing_of_an_energy(kernel, device) -> None:
    x = positions((5, 2, 3), device)
    state, _ = kernel.step(kernel.init(x), plain, stream(0, device=device))
    assert all(tensor.shape == x.shape for tensor in tensors(state))
    # Ascent is not here: Adam's memory of earlier gradients is what its state is for
    # were the old gradient kept, the first step on another energy would differ from a fresh chain's
    continued, told = kernel.step(state, Gaussian(0.8), stream(1, device=device))
    fresh, expected = kernel.step(kernel.init(state.position), Gaussian(0.8), stream(1, device=device))
    assert torch.equal(continued.position, fresh.position) and torch.equal(told.energy, expected.energy)


@every_kernel
def test_chance_comes_from_the_generator_only(kernel, device) -> None:
    x, before = positions((5, 2, 3), device), torch.get_rng_state()
    one, _ = run(kernel, plain, x, 4, stream(0, device=device))
    same, _ = run(kernel, plain, x, 4, stream(0, device=device))
    other, _ = run(kernel, plain, x, 4, stream(1, device=device))
    assert torch.equal(one, same) and torch.equal(one, other) == (getattr(base(kernel), "temperature", 0) == 0)
    assert torch.equal(torch.get_rng_state(), before)


@every_kernel
def test_a_chain_goes_down_from_a_bad_place(kernel, device) -> None:
    x = 5 + positions((200, 2), device)
    state = kernel.init(x)
    rng = stream(0, device=device)
    for _ in range(10):
        state, _ = kernel.step(state, Gaussian(1.0), rng)
    assert Gaussian(1.0)(state.position).mean() < 0.9 * Gaussian(1.0)(x).mean()
