r"""An energy at zero temperature: the minimum near a start, by L-BFGS (Liu and Nocedal 1989).

    x ← x − t H ∇E(x),   H from the last differences of x and of ∇E, t by a line search (strong Wolfe conditions)

What Gatys et al. (2015) synthesise textures by, and what plenoptic recommends for Portilla-Simoncelli statistics. Each
image has a curvature H and a line search of its own, so that the images of a batch do not know of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import DivergenceError, check_counts, check_positive
from ..types import Energy, Images

_AT_ONCE = 20  # iterations between two records


@dataclass(frozen=True)
class Plan:
    """How an energy is descended: at most ``steps`` iterations of L-BFGS that remembers ``history`` differences, from
    noise N(0, ``start_std``²).

    Raises ``InputError`` for values that cannot work.
    """

    steps: int = 1000
    history: int = 20
    start_std: float = 0.3

    def __post_init__(self) -> None:
        check_counts(self, ("steps", "history"), ())
        check_positive(self, ("start_std",))


class Record(NamedTuple):
    """Where the descent of one image has come to."""

    steps: int
    energy: float
    position: Images
    """``[1, ...]``."""


Progress = Callable[[Iterable[Record]], Iterable[Record]]
"""What the records of a descent are passed through, for instance ``tqdm``; ``iter`` shows nothing."""


def from_noise(
    energy: Energy, shape: tuple[int, ...], n: int, plan: Plan, rng: torch.Generator, progress: Progress = iter
) -> Images:
    """``n`` minima of ``energy``, images of ``shape``, each from noise of its own: ``[n, *shape]`` on ``rng``'s device.

    Raises ``DivergenceError`` as `descend` does.
    """
    found = []
    for _ in range(n):
        start = plan.start_std * torch.randn((1, *shape), generator=rng, device=rng.device)
        *_, last = progress(descend(energy, start, plan))
        found.append(last.position)
    return torch.cat(found)


def descend(energy: Energy, start: Tensor, plan: Plan) -> Iterator[Record]:
    """Descend ``energy`` from ``start``, one image ``[1, ...]``, one `Record` after every 20 iterations.

    It ends after the plan's steps, or earlier where the gradient vanishes or no step goes down.

    Raises ``DivergenceError`` for an energy that is not finite.
    """
    position = start.detach().clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS(
        [position], 1.0, history_size=plan.history, tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    done, before = 0, float("inf")

    def value() -> Tensor:
        optimiser.zero_grad(set_to_none=True)
        result = energy(position).sum()
        if not result.isfinite():
            raise DivergenceError(
                f"the energy is {result.item()} after {done} steps of L-BFGS or a few more; it is too steep, or not "
                "finite at its start: give a smaller start_std"
            )
        (position.grad,) = torch.autograd.grad(result, position)
        return result.detach()

    while done < plan.steps:
        group = optimiser.param_groups[0]
        group["max_iter"] = min(_AT_ONCE, plan.steps - done)
        group["max_eval"] = 30 * group["max_iter"]  # a line search has what is left of them, at most
        optimiser.step(value)  # type: ignore[arg-type]
        now = float(energy(position.detach()).sum())
        steps = int(optimiser.state[position].get("n_iter", 0))
        still = steps == done or now >= before
        done, before = steps, now
        yield Record(done, now, position.detach().clone())
        if still:
            return
