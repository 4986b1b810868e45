"""The one place that turns an energy or a potential into value and gradient.

Sampling needs the gradient with respect to the position only. ``prepared`` asks the energy for its
own fast snapshot (``prepare()``), and falls back to automatic differentiation with a detached copy of
a network's parameters, so that nothing is remembered or computed for them. ``frozen_copy`` is the snapshot of a
network that offers none of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .checks import InputError
from .types import Energy, Evaluation, Potential, Preparable, Prepared, Scores

NetworkT = TypeVar("NetworkT", bound=nn.Module)


@dataclass(frozen=True)
class ByAutograd:
    """Value and gradient of ``function: [B, ...] -> [B]`` by automatic differentiation.

    The sum over the batch is differentiated, so row ``i`` of the gradient is that of value ``i``
    whenever the function treats its rows independently. Raises ``InputError`` for values of another shape.
    """

    function: Callable[[Tensor], Scores]

    def __call__(self, position: Tensor) -> Evaluation:
        with torch.enable_grad():
            x = position.detach().requires_grad_(True)
            value = self.function(x)
            if value.shape != x.shape[:1]:
                raise InputError(
                    f"a potential gave numbers of shape {list(value.shape)} for {len(x)} images; it needs to give one "
                    f"for each, [{len(x)}]: sum over what an image has, and flatten"
                )
            if not value.requires_grad:  # a constant, made without the position
                return Evaluation(value, torch.zeros_like(position))
            (gradient,) = torch.autograd.grad(value.sum(), x, materialize_grads=True)
        return Evaluation(value.detach(), gradient)


def slopes(values: Scores, positions: Tensor) -> Tensor:
    """The gradient of each of ``values`` ``[B]`` at its own of the ``positions`` ``[B, ...]`` that they were computed
    from; it can itself be differentiated, by a network's parameters."""
    (gradient,) = torch.autograd.grad(values.sum(), positions, create_graph=True)
    return gradient


def prepared(function: Energy | Potential | Preparable) -> Prepared:
    """A snapshot of ``function`` that answers with value and gradient.

    Uses ``function.prepare()`` where it is offered, and automatic differentiation otherwise.
    """
    if isinstance(function, Preparable):
        return function.prepare()
    if isinstance(function, nn.Module):
        live = (*function.named_parameters(), *function.named_buffers())
        frozen = {name: tensor.detach().clone() for name, tensor in live}
        return ByAutograd(lambda x: functional_call(function, frozen, (x,)))
    return ByAutograd(function)


def frozen_copy(network: NetworkT) -> NetworkT:
    """A copy of ``network`` in evaluation mode, whose parameters do not learn: rows of a batch do not influence each
    other, and later changes of the network do not reach it."""
    return copy.deepcopy(network).eval().requires_grad_(False)


@dataclass(frozen=True)
class Fixed:
    """A prepared energy that a kernel's ``step`` may ask to prepare again and again at no cost; or call."""

    evaluate: Prepared

    def __call__(self, position: Tensor) -> Scores:
        return self.evaluate(position).value

    def prepare(self) -> Prepared:
        return self.evaluate
