"""Algorithm D with a potential of your own: any module that gives one number per image will do."""

from __future__ import annotations

import torch
from torch import nn

from tutelage import data
from tutelage.checks import validate_potential
from tutelage.learn.algorithm_d import AlgorithmD, Plan
from tutelage.learn.updates import Adam
from tutelage.rng import stream
from tutelage.run.loop import iterate


class Quadratic(nn.Module):
    """``f(Y) = w·Y − Y'diag(d)Y / 2``: with a uniform reference, a Gaussian with one mean and width per pixel."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.linear = nn.Parameter(torch.zeros(pixels))
        self.log_precision = nn.Parameter(torch.zeros(pixels))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        flat = images.flatten(1)
        return flat @ self.linear - flat.square() @ self.log_precision.exp() / 2


def main(iterations: int = 200) -> float:
    """Learn the mean and the width of every pixel; returns how far the means are off, in root mean square."""
    digits = data.digits((8, 8)).train
    potential = Quadratic(64)
    validate_potential(potential, (1, 8, 8))
    plan = Plan(
        iterations=iterations,
        batch_size=100,
        chains=100,
        revision_steps=20,
        step_size=0.3,
        reference_std=None,
        update=Adam(lr=0.1, lr_final=0.005),
        persistent=True,
    )
    learner, rng = AlgorithmD(plan, potential, (1, 8, 8)), stream(0, "learn")
    state = learner.init(rng)
    for state, record in iterate(learner, state, digits, rng, iterations=iterations, batch_size=100):  # noqa: B007
        pass
    learned = state.descriptor
    mean = learned.linear / learned.log_precision.exp()
    observed = digits.batch(slice(0, len(digits))).flatten(1).mean(0)
    error = (mean.detach() - observed).square().mean().sqrt().item()
    print(f"after {iterations} iterations the pixel means are off by {error:.3f} (images span [-1, 1])")
    return error


if __name__ == "__main__":
    main()
