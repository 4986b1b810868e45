"""CoopNets' theory where every divergence is a finite sum (§3.2, eqs. 18 to 20): where MCMC teaching leads.

Prints the numbers; `python examples/teaching.py docs` draws the figure of docs/theory.md, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from tutelage.energy import Tilt, Uniform
from tutelage.learn.updates import Sgd, descend
from tutelage.rng import stream
from tutelage.run.charts import line_chart

STATES = torch.eye(24, dtype=torch.float64).view(24, 24, 1, 1)
Student = Callable[[Tensor], Tensor]
"""Eq. (19): from the distribution of the revised drafts, the nearest that the generator can be."""


class Table(nn.Module):
    """The potential of any distribution: a number for each state."""

    def __init__(self) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(24, dtype=torch.float64))

    def forward(self, states: Tensor) -> Tensor:
        return states.flatten(1) @ self.values


def kl(q: Tensor, p: Tensor) -> float:
    """``KL(q | p)``, nats."""
    return float(q @ (q.log() - p.log()))


def metropolis(p: Tensor) -> Tensor:
    """M of a random walk on a ring, corrected so that it keeps ``p``: ``M[x, y]`` leads from y to x."""
    ring = (torch.eye(24, dtype=p.dtype).roll(1, 0) + torch.eye(24, dtype=p.dtype).roll(-1, 0)) / 2
    leads = ring * (p[:, None] / p).clamp(max=1)
    return leads + torch.diag(1 - leads.sum(0))


def whole(revised: Tensor) -> Tensor:
    """A generator that can be any distribution."""
    return revised


def coarse(revised: Tensor) -> Tensor:
    """One that only knows eight arcs of three states: the nearest to ``revised`` spreads each arc's mass evenly."""
    return revised.view(8, 3).mean(1).repeat_interleave(3)


def cooperate(
    observed: Tensor, student: Student, iterations: int, steps: int = 1
) -> tuple[list[float], list[float], list[float]]:
    """Algorithm 3 in expectation: KL(data | p_t), KL(q_t | p_t) and KL(M q_t | p_t), for t = 0 … ``iterations`` − 1."""
    descriptor, q, curves = Table(), torch.full_like(observed, 1 / 24), ([], [], [])
    energy, optimiser = Tilt(Uniform(), descriptor), Sgd(0.5, momentum=0.0, weight_decay=0.0).init(descriptor)
    for _ in range(iterations):
        p = (-energy(STATES).detach()).softmax(0)
        revised = torch.linalg.matrix_power(metropolis(p), steps) @ q  # D1
        for curve, pair in zip(curves, ((observed, p), (q, p), (revised, p)), strict=True):
            curve.append(kl(*pair))
        descend(optimiser, energy(STATES) @ (observed - revised))  # D2, down −V of eq. (9)
        q = student(revised)  # G2
    return curves


def main(folder: Path | None = None) -> dict[str, tuple[list[float], list[float], list[float]]]:
    observed = torch.randn(24, generator=stream(0, "observed"), dtype=torch.float64).softmax(0)
    found, iterations = {}, 1000
    for name, student, steps in (
        ("any generator, 1 step", whole, 1),
        *((f"a coarse one, {steps} step{'s' * (steps > 1)}", coarse, steps) for steps in (1, 10, 100)),
    ):
        found[name] = of_data, of_q, of_revised = cooperate(observed, student, iterations, steps)
        shown = "; ".join(
            f"KL({what}) {curve[0]:.3g} to {curve[-1]:.3g}"
            for what, curve in (("data | p", of_data), ("q | p", of_q), ("Mq | p", of_revised))
        )
        print(f"{name}: {shown}")
    if folder:
        series = {name: (range(0, iterations, 10), of_data[::10]) for name, (of_data, *_) in found.items()}
        title = "KL(data | p_t) while descriptor and generator learn"
        chart = line_chart(series, title, "iteration t", "nats", log_y=True, standalone=True)
        (folder / "theory_teaching.svg").write_text(chart, encoding="utf-8")
    return found


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
