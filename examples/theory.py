"""IGM's Theorem 1 where every divergence is a finite sum: when KL(p⁺ | p_t) falls, and when it rises.

Prints the numbers; `python examples/theory.py docs` draws the figures of docs/theory.md, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tutelage.energy import Gaussian, Tilt, Uniform
from tutelage.learn.updates import Adam, descend
from tutelage.rng import stream
from tutelage.run.charts import line_chart
from tutelage.types import Energy, Potential

Fit = Callable[[Tensor, Tensor, Tensor, Generator], Potential]
"""A classification step: from all states, how frequent positives and negatives are in each, and chance."""


def cascade(
    states: Tensor, observed: Tensor, reference: Energy, fit: Fit, rounds: int, samples: int | None
) -> list[float]:
    """``KL(p⁺ | p_t)`` for t = 0 … ``rounds``. Classifiers see p⁺ and p_{t-1}, or so many exact draws from each."""
    energy, divergences = reference, []
    rng, chance = stream(0, "classifiers"), stream(0, "samples", samples)
    positives = draw(observed, samples, chance)  # S₊, the same in every round
    for t in range(rounds + 1):
        log_p = (-energy(states)).log_softmax(0)  # eq. (9), normalised over all states
        divergences.append(float(observed @ (observed.log() - log_p)))
        if t < rounds:
            energy = Tilt(energy, fit(states, positives, draw(log_p.exp(), samples, chance), rng))
    return divergences


def draw(p: Tensor, samples: int | None, rng: Generator) -> Tensor:
    """How frequent each state is among so many draws; None: in the long run."""
    if samples is None:
        return p
    return torch.multinomial(p, samples, True, generator=rng).bincount(minlength=len(p)).double() / samples


def cells(states: Tensor, positives: Tensor, negatives: Tensor, rng: Generator) -> Potential:
    """Logistic regression on which of four random cells a state (one-hot) lies in; its optimum is known."""
    member = F.one_hot(torch.randperm(len(states), generator=rng) % 4).double()
    table = member @ ((positives @ member).log() - (negatives @ member).log())
    return lambda images: images.flatten(1) @ table


def network(states: Tensor, positives: Tensor, negatives: Tensor, rng: Generator) -> Potential:
    """A perceptron with two hidden layers and 100 updates on all samples; equal odds, as in eq. (2)."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise((2, 32, 32, 1)):
        linear = nn.utils.skip_init(nn.Linear, inputs, outputs, dtype=torch.float64)
        layers += [linear, nn.Tanh()]
        scale = float(outputs > 1)  # the first answer is 0 everywhere: cannot tell
        nn.init.normal_(linear.weight, std=scale * inputs**-0.5, generator=rng)
        nn.init.normal_(linear.bias, std=scale, generator=rng)
    classifier = nn.Sequential(*layers[:-1], nn.Flatten(0))
    seen, optimiser = positives + negatives > 0, Adam(0.02, beta1=0.9).init(classifier)
    for _ in range(100):
        logits = classifier(states[seen])
        descend(optimiser, positives[seen] @ F.softplus(-logits) + negatives[seen] @ F.softplus(logits))
    return classifier.requires_grad_(False)


def main(folder: Path | None = None) -> None:
    one_hot = torch.eye(24, dtype=torch.float64).view(24, 24, 1, 1)
    observed = torch.randn(24, generator=stream(0, "observed"), dtype=torch.float64).softmax(0)
    axis = (torch.arange(64, dtype=torch.float64) + 0.5) / 8 - 4
    plane = torch.cartesian_prod(axis, axis).view(-1, 2, 1, 1)
    rings = (-((plane.flatten(1).norm(dim=1) - torch.tensor([[1.0], [2.5]])) ** 2) / (2 * 0.3**2)).exp().sum(0)

    for name, title, space, fit, rounds, sizes in (
        ("discrete", "24 states", (one_hot, observed, Uniform()), cells, 20, (None, 10_000, 100)),
        ("toy", "two rings", (plane, rings / rings.sum(), Gaussian(1.0)), network, 8, (30_000, 3000, 300)),
    ):
        curves = {f"{n} samples" if n else "Bayes-optimal": cascade(*space, fit, rounds, n) for n in sizes}
        for curve, values in curves.items():
            rises = [t for t, (before, after) in enumerate(pairwise(values), 1) if after > before]
            print(f"{title}, {curve}: {' '.join(f'{value:.3g}' for value in values)}; KL rises in rounds {rises}")
        if folder:
            series = {curve: (range(rounds + 1), values) for curve, values in curves.items()}
            chart = line_chart(series, f"KL(p⁺ | p_t), {title}", "round t", "nats", log_y=True, standalone=True)
            (folder / f"theory_{name}.svg").write_text(chart, encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
