"""How parameters move: optimisers as values, learning-rate schedules, averages of weights.

An update is a frozen value: ``init(network)`` makes its optimiser, ``rate(t, T)`` is γ_t. ``Adam`` is what
the authors' later code uses, ``Sgd`` the rule of their code for textures, ``RMSprop`` that of WGAN's critic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..checks import InputError, check_counts

_MEMORIES = 20  # of an average of weights, that fit into what was learned so far


@dataclass(frozen=True)
class Adam:
    """Adam, with the learning rate γ_t of iteration t.

    ``lr`` at the start; with ``lr_final`` it falls to that along half a cosine over the plan's
    iterations, and without it stays. ``beta1`` is .5 in the authors' code. With ``amsgrad`` steps are divided by
    the largest average of squares so far and not by the present one, so they do not grow again after a burst of large
    gradients (S. J. Reddi, S. Kale and S. Kumar, "On the convergence of Adam and beyond", ICLR 2018).

    Raises ``InputError`` for rates that are not positive.
    """

    lr: float
    lr_final: float | None = None
    beta1: float = 0.5
    beta2: float = 0.999
    amsgrad: bool = False

    def __post_init__(self) -> None:
        _check_rates(self.lr, self.lr_final)
        _check_fractions(beta1=self.beta1, beta2=self.beta2)

    def init(self, network: nn.Module) -> torch.optim.Adam:
        """An optimiser with empty moments, over the parameters that learn."""
        learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
        return torch.optim.Adam(learning, lr=self.lr, betas=(self.beta1, self.beta2), amsgrad=self.amsgrad, fused=True)

    def rate(self, iteration: int, iterations: int) -> float:
        """γ_t: ``lr`` at iteration 0, ``lr_final`` (where given) from ``iterations`` on."""
        if self.lr_final is None:
            return self.lr
        progress = min(iteration / max(iterations, 1), 1.0)
        return self.lr_final + (self.lr - self.lr_final) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class Sgd:
    """Gradient descent with momentum, as in the authors' code for textures (CoopNets §4.1).

    ``lr`` at the start; with ``lr_final`` it falls to that geometrically over the plan's iterations (the code:
    to a hundredth), and without it stays. Before each step every gradient is divided by the number of
    positions it is a sum over, ``positions()`` of the network, where ``per_position`` says so (the code: H·W of its
    layer, in the descriptor alone); then it is scaled down to a largest entry of ``cap`` (None: no cap).
    ``weight_decay`` is added, as wd · parameter, after the cap.

    Raises ``InputError`` for values that cannot work.
    """

    lr: float
    lr_final: float | None = None
    momentum: float = 0.5
    weight_decay: float = 1e-4
    cap: float | None = None
    per_position: bool = False

    def __post_init__(self) -> None:
        _check_rates(self.lr, self.lr_final)
        _check_fractions(momentum=self.momentum)
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise InputError(f"weight_decay is {self.weight_decay}; it needs to be 0 or more")
        if self.cap is not None and not (math.isfinite(self.cap) and self.cap > 0):
            raise InputError(f"cap is {self.cap}; it needs to be above 0, or none")

    def init(self, network: nn.Module) -> torch.optim.SGD:
        """An optimiser with empty momenta, over the parameters that learn.

        Raises ``InputError`` where ``per_position`` is asked of a network without ``positions()``.
        """
        learning = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
        divisors = dict.fromkeys(learning, 1)
        if self.per_position:
            if not hasattr(network, "positions"):
                raise InputError(
                    f"per_position needs a network that offers positions(), and {type(network).__name__} does not; "
                    "give it one (parameter name to number of positions), or set per_position=false"
                )
            divisors |= network.positions()  # type: ignore[operator]
        optimiser = torch.optim.SGD(
            learning.values(), lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay, foreach=True
        )
        scaled = [(parameter, divisors[name]) for name, parameter in learning.items()]
        optimiser.register_step_pre_hook(lambda *_: scale_gradients(scaled, self.cap))
        return optimiser

    def rate(self, iteration: int, iterations: int) -> float:
        """γ_t: ``lr`` at iteration 0, ``lr_final`` (where given) from ``iterations`` on."""
        if self.lr_final is None:
            return self.lr
        progress = min(iteration / max(iterations, 1), 1.0)
        return self.lr * (self.lr_final / self.lr) ** progress


@dataclass(frozen=True)
class RMSprop:
    """RMSprop, as WGAN moves its networks (Arjovsky et al. 2017, Algorithm 1).

    ``lr`` at every iteration; ``decay`` of the mean squared gradient (.99 in the authors' code). With ``clip`` c, every
    parameter is brought back into [-c, c] after each step (None: left where it is).

    Raises ``InputError`` for values that cannot work.
    """

    lr: float
    decay: float = 0.99
    clip: float | None = None

    def __post_init__(self) -> None:
        _check_rates(self.lr, None)
        _check_fractions(decay=self.decay)
        if self.clip is not None and not 0 < self.clip < math.inf:
            raise InputError(f"clip is {self.clip}; it needs to be above 0, or none")

    def init(self, network: nn.Module) -> torch.optim.RMSprop:
        """An optimiser with empty moments, over the parameters that learn."""
        learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
        optimiser = torch.optim.RMSprop(learning, lr=self.lr, alpha=self.decay, foreach=True)
        if (clip := self.clip) is not None:
            optimiser.register_step_post_hook(lambda *_: clip_parameters(learning, clip))
        return optimiser

    def rate(self, iteration: int, iterations: int) -> float:
        """γ_t: ``lr``, whatever the iteration."""
        return self.lr


Update: TypeAlias = Adam | Sgd | RMSprop


@torch.no_grad()
def clip_parameters(parameters: Sequence[nn.Parameter], most: float) -> None:
    """Bring every entry into [-``most``, ``most``], in place."""
    for parameter in parameters:
        parameter.clamp_(-most, most)


@torch.no_grad()
def scale_gradients(divisors: Sequence[tuple[nn.Parameter, int]], cap: float | None) -> None:
    """Divide each parameter's gradient by its number, then shrink it to a largest entry of ``cap``, in place."""
    for parameter, divisor in divisors:
        if parameter.grad is None:
            continue
        parameter.grad.div_(divisor)
        if cap is not None:
            largest = parameter.grad.abs().amax()
            parameter.grad.mul_(torch.clamp(cap / largest, max=1.0))  # 0/0 cannot be: cap is above 0


def _check_rates(lr: float, lr_final: float | None) -> None:
    for name, value in (("lr", lr), ("lr_final", lr_final)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}; a learning rate needs to be above 0")


def _check_fractions(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < 1:
            raise InputError(f"{name} is {value}; it needs to be at least 0 and below 1")


def check_ema_decay(decay: float | None) -> None:
    """Refuse a decay of ``average_towards`` that averages nothing. Raises ``InputError``."""
    if decay is not None and not 0 <= decay < 1:
        raise InputError(f"ema_decay is {decay}; it needs to be at least 0 and below 1, or none")


def check_average(plan: Any) -> None:
    """Refuse a plan whose generator cannot be averaged or calibrated. Raises ``InputError``."""
    check_ema_decay(plan.ema_decay)
    check_counts(plan, ("calibration_draws",), ())


def load_optimiser(optimiser: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Restore an optimiser's state, each moment in the memory layout of its parameter.

    A file keeps no layout, and a fused update takes both as flat memory: without this, the moments of a
    channels-last weight would be applied to the wrong elements.
    """
    optimiser.load_state_dict(saved)
    for parameter, moments in optimiser.state.items():
        for name, moment in moments.items():
            if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter, dtype=moment.dtype).copy_(moment).detach()


def descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of ``optimiser`` down the gradient of ``loss`` (0-dim), taken for its own parameters and no others.

    What else the loss runs through, a generator's the discriminator for instance, neither needs nor gets a gradient.
    """
    optimiser.zero_grad(set_to_none=True)
    loss.backward(inputs=[parameter for group in optimiser.param_groups for parameter in group["params"]])
    optimiser.step()


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> float:
    """Give every parameter group the learning rate ``rate``, and return it."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    return rate


@torch.no_grad()
def average_towards(average: nn.Module, live: nn.Module, decay: float | None, moves: int) -> None:
    """Exponential moving average: ``average ← d · average + (1 − d) · live``, for the ``moves``-th time.

    d is ``decay``, and early on moves / (moves + 20), where that is less: an average never remembers more than about a
    twentieth of what was learned so far, so one of few moves is not of the weights that nothing was learned by. Buffers
    (running statistics) are copied. A decay of 0 or None copies everything.
    """
    averages, now = tuple(average.parameters()), tuple(live.parameters())
    if averages:  # all at once, where the device can
        get_ema_multi_avg_fn(min(decay or 0.0, moves / (moves + _MEMORIES)))(averages, now, None)
    for mine, theirs in zip(average.buffers(), live.buffers(), strict=True):
        mine.copy_(theirs)
