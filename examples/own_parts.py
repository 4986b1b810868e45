"""One formula with parts of your own: a reference, a weighted potential and a kernel, each a few lines, and composed.

p(Y) ∝ exp[w · f(Y) − E(Y)] · p0(Y): f points up, energies point down, and any kernel samples the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from tutelage.energy import Content, Gaussian, Tilt
from tutelage.gradient import prepared
from tutelage.rng import stream
from tutelage.sample import Langevin, run

TARGET = torch.full((1, 4, 4), 0.8)


@dataclass(frozen=True)
class Laplace:
    """A reference: ``E(Y) = |Y|₁ / b``, one number for each image. Its gradient is found by differentiation."""

    scale: float

    def __call__(self, images: Tensor) -> Tensor:
        return images.flatten(1).abs().sum(1) / self.scale


def near_target(images: Tensor) -> Tensor:
    """A potential, larger = more like the data. A trained network's place."""
    return -(images - TARGET).flatten(1).square().sum(1) / 2


class Walked(NamedTuple):
    position: Tensor


class Seen(NamedTuple):
    energy: Tensor
    aux: None = None


@dataclass(frozen=True)
class RandomWalk:
    """A kernel: Metropolis's random walk, which asks for the energy alone and for no gradient."""

    step_size: float

    def init(self, position: Tensor) -> Walked:
        return Walked(position)

    def step(self, state: Walked, energy, rng: torch.Generator) -> tuple[Walked, Seen]:
        here = energy(state.position)
        proposed = state.position + self.step_size * torch.randn(state.position.shape, generator=rng)
        accepted = torch.rand(len(here), generator=rng).log() < here - energy(proposed)
        return Walked(torch.where(accepted.view(-1, 1, 1, 1), proposed, state.position)), Seen(here)


def main(chains: int = 2_000, steps: int = 400) -> float:
    """Sample three compositions; returns how far the mean of one with a known answer is off."""
    weighted = lambda images: 0.5 * near_target(images)  # noqa: E731
    start = torch.zeros(chains, *TARGET.shape)

    # w · f on a Gaussian reference is Gaussian: its mean is w · target / (w + 1)
    energy = Tilt(Gaussian(1.0), weighted)
    exact, means = 0.5 * 0.8 / 1.5, {}
    for kernel in (Langevin(0.3), RandomWalk(0.3)):
        made, _ = run(kernel, energy, start, steps, stream(0, "chains"))
        means[type(kernel).__name__] = made.mean().item()
    told = ", ".join(f"{mean:.3f} by {kernel}" for kernel, mean in means.items())
    print(f"on a Gaussian reference the mean is {told}; {exact:.3f} is exact")

    # an energy of the library stands first, or turns round to be a potential
    grey = Content(torch.zeros_like(TARGET))
    for name, composed in {
        "on a Laplace reference": Tilt(Laplace(0.5), weighted),
        "drawn to grey as well": Tilt(Laplace(0.5), weighted, lambda images: -8 * grey(images)),
    }.items():
        made, _ = run(Langevin(0.3), composed, start, steps, stream(0, "chains"))
        force = prepared(composed)(made).gradient.square().mean().sqrt()
        print(f"{name} it is {made.mean():.3f}; rms of ∂E/∂Y {force:.2f}")
    return max(abs(mean - exact) for mean in means.values())


if __name__ == "__main__":
    main()
