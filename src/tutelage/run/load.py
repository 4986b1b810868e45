"""A trained run, opened to be sampled from.

learner, state = load("runs/mnist")
images = learner.sample(state, 16, stream(0, "sample"))["descriptor"]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..checks import InputError
from ..nets.blocks import Precision
from ..recipes.codec import replace_fields
from .build import build
from .folder import open_run
from .restore import trained


def load(
    path: Path | str,
    device: torch.device | str = "cpu",
    revision_steps: int | None = None,
    precision: Precision | None = None,
) -> tuple[Any, Any]:
    """The learner of the run at ``path`` and its newest state, on ``device``.

    ``learner.sample(state, n, rng)`` draws images ``[n, C, H, W]`` by the name of what made them. They are about
    [-1, 1], which chains may leave (``.clamp(-1, 1)`` for a metric). The networks are fields of ``state``
    (``state.descriptor``, ``state.average``: the averaged generator). With ``revision_steps`` the descriptor takes that
    many Langevin steps instead of the recipe's; with ``precision`` layers compute in that (weights are float32 in
    either case).

    Raises ``InputError`` where ``path`` is no run, has no checkpoint yet, or has no descriptor to revise by.
    """
    run, where = open_run(Path(path)), torch.device(device)
    recipe = run.recipe()
    if revision_steps is not None:
        if not hasattr(recipe.plan, "revision_steps"):
            raise InputError(f"run {path} has no descriptor to revise by; leave out --revision-steps")
        recipe = replace_fields(recipe, {"plan.revision_steps": revision_steps})
    learner = build(recipe, run.facts()["observations"], where, run.path, precision=precision)
    state, _ = trained(run.latest(), recipe, learner, where)
    return learner, state
