"""A chain: a kernel run on an energy, until it has made its steps or a stop rule ends it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from ..checks import InputError
from ..gradient import Fixed, prepared
from ..types import Energy, Preparable, RandomEnergy
from .stopping import StopRule

StateT = TypeVar("StateT")


class Kernel(Protocol[StateT]):
    """A frozen value whose fields are its hyper-parameters; energy and chance are arguments of ``step``.

    Its state is a named tuple with a ``position``; its info has an ``energy``, ``[B]``, and an ``aux``, both
    at the position the step started from. ``energy(position)`` is its value, ``[B]``, and
    ``tutelage.gradient.prepared(energy)(position)`` its value, gradient and aux, at no cost but the evaluation.
    """

    def init(self, position: Tensor) -> StateT: ...

    def step(self, state: StateT, energy: Any, rng: torch.Generator) -> tuple[StateT, Any]: ...


class Chain(NamedTuple):
    """A batch of chains that may stop: what the next step needs."""

    state: Any
    """The kernel's."""
    rule: Any
    """The stop rule's; None without a rule."""
    stopped: Tensor
    """``[B]`` bool: the chains that stay where they are from now on."""
    steps: int
    """How many steps have been taken, one that a rule called off included."""


def begin(kernel: Kernel, position: Tensor, rule: StopRule | None = None) -> Chain:
    """Chains of ``kernel`` at ``position`` (``[B, ...]``), none of them stopped."""
    stopped = torch.zeros(len(position), dtype=torch.bool, device=position.device)
    return Chain(kernel.init(position), None if rule is None else rule.init(), stopped, 0)


def advance(
    kernel: Kernel,
    energy: Energy | Preparable | RandomEnergy,
    chain: Chain,
    rng: torch.Generator,
    rule: StopRule | None = None,
) -> tuple[Chain, Any]:
    """One step of every chain that has not stopped (IGM §3.2.2), with the kernel and the rule it began with.

    A random energy is drawn first; one that is costly to prepare may be given as ``Fixed(prepared(energy))``.
    Then ``rule`` is asked, about the position the step started from. Chains it stops keep that position, and
    chains that were stopped keep theirs; the rest of the kernel's state goes on for all. A rule that
    answers for the whole batch stops all chains at once. Chance is used for stopped chains too. How many
    steps to take at most is the caller's affair. No value leaves the device, unless an energy's draw takes it.

    Returns the chains and the kernel's info, which tells of a stopped chain's position as it stays.

    Raises ``InputError`` where the chain began without the rule and is asked with one, or the other way round.
    """
    if (rule is None) != (chain.rule is None):
        began, asked = ("without", "with") if chain.rule is None else ("with", "without")
        raise InputError(
            f"the chain began {began} a stop rule and is advanced {asked} one: give begin and advance the same rule"
        )
    before = chain.state.position
    state, info = _step(kernel, energy, chain.state, rng)
    remembered, stopped = chain.rule, chain.stopped
    if rule is not None:
        remembered, stop = rule.observe(chain.rule, info)
        stopped = stopped | stop
    held = stopped.view(-1, *[1] * (before.ndim - 1))
    state = state._replace(position=torch.where(held, before, state.position))
    return Chain(state, remembered, stopped, chain.steps + 1), info


def run(
    kernel: Kernel,
    energy: Energy | Preparable | RandomEnergy,
    position: Tensor,
    steps: int,
    rng: torch.Generator,
    rule: StopRule | None = None,
) -> tuple[Tensor, Any]:
    """``steps`` steps of ``kernel`` on ``energy`` from ``position`` (``[B, ...]``), or fewer where ``rule`` ends them.

    The energy is prepared once, or drawn afresh before each step where it is random. ``position`` is
    not changed. Returns the last position, and the info of the last step (None where ``steps`` is 0).
    Without a rule no value leaves the device inside the chain, unless an energy's draw takes it. With one it is
    ``advance``, again and again until all chains have stopped, and one scalar leaves the device each step: whether
    they have.

    Raises ``InputError`` where ``steps`` is negative.
    """
    if steps < 0:
        raise InputError(f"a chain needs 0 or more steps, not {steps}")
    if steps == 0:  # an energy may be costly to prepare
        return kernel.init(position).position, None
    if not isinstance(energy, RandomEnergy):
        energy = Fixed(prepared(energy))
    if rule is None:
        state, info = kernel.init(position), None
        for _ in range(steps):
            state, info = _step(kernel, energy, state, rng)
        return state.position, info
    chain, info = begin(kernel, position, rule), None
    for _ in range(steps):
        chain, info = advance(kernel, energy, chain, rng, rule)
        if chain.stopped.all():
            break
    return chain.state.position, info


def _step(
    kernel: Kernel, energy: Energy | Preparable | RandomEnergy, state: Any, rng: torch.Generator
) -> tuple[Any, Any]:
    """One step of the kernel, on a fresh draw of the energy where it is random."""
    if isinstance(energy, RandomEnergy):
        energy = energy.draw(state.position, rng)
    return kernel.step(state, energy, rng)
