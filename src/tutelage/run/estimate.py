"""What a run will need, before it is started: memory by counting, time by trying a few images."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import torch

from ..checks import InputError
from ..data import load
from ..energy.patches import CHUNK
from ..gradient import slopes
from ..learn import coopnets, igm
from ..nets import arithmetic
from ..recipes import Recipe
from ..recipes.describe import describe
from ..rng import stream
from ..types import Batch
from .build import build, parameter_counts
from .page import duration


def estimate(recipe: Recipe, path: Path | None, device: torch.device, minutes: float | None = None) -> str:
    """What a dry run says, line by line: the recipe, its parameters, its data, and the memory and time that it takes.

    Data that are not named and not found are not counted; those at ``path`` that cannot be learned from are refused, as
    in training. Raises ``InputError``.
    """
    observed, note = None, ""
    try:
        observed = load(recipe.data, path).train
    except InputError as error:
        if path is not None:
            raise
        note = f" (not counting the data: {error})"
    lines = [describe(recipe)]
    lines += [f"{name}: {count:,} parameters" for name, count in parameter_counts(recipe).items()]
    if observed is not None:
        lines.append(f"learns from {len(observed):,} image(s): {observed.source}")
    needed = estimated_bytes(recipe, 0 if observed is None else len(observed), device) / 1e6
    lines.append(f"estimated memory: {needed:,.0f} MB, on top of about 300 MB for Python and torch{note}")
    seconds = estimated_seconds(recipe, device)
    whole, most = duration(seconds * recipe.plan.iterations), hasattr(recipe.plan, "rounds")
    limit = "" if minutes is None else f"; --minutes ends it after {minutes:g}"
    lines.append(f"estimated time: {seconds:.3g} s an iteration, {'at most ' if most else ''}{whole} in all{limit}")
    return "\n".join(lines)


def estimated_bytes(recipe: Recipe, observations: int, device: torch.device | str = "cpu") -> int:
    """Peak memory of learning from ``observations`` images on ``device``, estimated without it.

    On top of it come the interpreter and its libraries, about 300 MB. The state is counted, with two moments
    and a gradient for each parameter, and twice more while a checkpoint is written. What automatic
    differentiation keeps is measured on a few images, for each network; cooperating networks take turns, others are
    differentiated through together, and a descriptor (or discriminator) sees observed and revised (or made) images at
    once. The images are counted as bytes, memory-mapped.
    """
    if isinstance(recipe.plan, igm.Plan):
        return _introspective_bytes(recipe, recipe.plan, observations, device)
    learner = build(recipe, observations, precision=arithmetic(recipe.precision, device))
    rng = stream(recipe.seed, "estimate")
    state = learner.init(rng)
    batch = recipe.plan.batch_size
    chains = getattr(recipe.plan, "chains", batch)
    kept, gradients, activations = _bytes_of(learner.state_dict(state)), 0, []
    sizes = {"descriptor": chains + batch, "discriminator": chains + batch, "generator": chains}
    sizes |= {name: batch for name in ("recogniser", "encoder", "velocity")}
    for name, images in sizes.items():
        network = getattr(state, name, None)
        if network is not None:
            parameters = _bytes_of(list(network.parameters()))
            kept += 2 * parameters
            gradients += parameters
            steep = name == "descriptor" and getattr(recipe.plan, "gradient_penalty", 0.0) > 0
            few, more = (
                _kept_for_gradients(network, *_inputs(recipe, name, count, rng), steep=steep) for count in (2, 4)
            )
            activations.append((more - few) // 2 * images)
    at_once = max(activations) if isinstance(recipe.plan, coopnets.Plan) else sum(activations)
    pixels = observations * math.prod(recipe.data.shape)
    return pixels + kept + gradients + max(at_once, 2 * kept)


def _introspective_bytes(recipe: Recipe, plan: igm.Plan, observations: int, device: torch.device | str) -> int:
    """The classifier with its gradient, momentum and snapshot, and where synthesis is exact those of all rounds; what
    differentiation keeps of the patches of an update or of a step of synthesis, whichever are more; chains with Adam's
    moments; and the images, as bytes.
    """
    learner = build(recipe, observations, precision=arithmetic(recipe.precision, device))
    assert isinstance(learner, igm.Igm)
    parameters = _bytes_of(list(learner.classifier.parameters()))
    few, more = (
        _kept_for_gradients(learner.classifier, torch.zeros(count, recipe.data.channels, *learner.patch))
        for count in (2, 4)
    )
    image, patch = (recipe.data.channels * math.prod(size) for size in (recipe.data.size, learner.patch))
    in_update = 2 * (plan.patches or plan.batch_size)
    in_step = (
        min(CHUNK, plan.synthesis_batch * plan.patches_per_image) if plan.patches_per_image else plan.synthesis_batch
    )
    patches = max(in_update, in_step)
    chains = 6 * 4 * plan.synthesis_batch * image  # before and after, two moments, gradient, and one in the making
    kept = plan.negatives_per_round * image + observations * image
    cascade = plan.rounds if plan.exact and not plan.single else 0
    return (4 + cascade) * parameters + ((more - few) // 2 + 4 * 2 * patch) * patches + chains + kept


def _inputs(recipe: Recipe, network: str, count: int, rng: torch.Generator) -> list[torch.Tensor]:
    if network == "generator" and recipe.generator is not None:
        return [torch.randn(count, *recipe.generator.latent_shape, generator=rng)]
    images = torch.zeros(count, *recipe.data.shape)
    return [images, torch.zeros(count)] if network == "velocity" else [images]


def _kept_for_gradients(network: torch.nn.Module, *inputs: torch.Tensor, steep: bool = False) -> int:
    """Bytes that differentiation keeps of ``inputs``; where ``steep``, of the slopes at the first of them as well."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = network(*(x.requires_grad_(steep) for x in inputs))
        more = slopes(result, inputs[0]) if steep else None
    del result, more
    return sum(kept.values())


def _bytes_of(nested: Any) -> int:
    if isinstance(nested, torch.Tensor):
        return nested.numel() * nested.element_size()
    if isinstance(nested, dict):
        return sum(_bytes_of(value) for value in nested.values())
    if isinstance(nested, list | tuple):
        return sum(_bytes_of(value) for value in nested)
    return 0


def estimated_seconds(recipe: Recipe, device: torch.device | str = "cpu") -> float:
    """Seconds of one iteration on this machine, from a few iterations, on a CPU on few images.

    There the time of an iteration is taken as a fixed part and a part that grows with the number of images; both are
    read off two sizes that are small enough to be tried in seconds, by the faster of two runs each. On another device
    as many images as are wanted are tried: a few take as long there as many do. Of an introspective
    model it is an update of the classifier that is timed; a step of synthesis takes about as long.
    """
    wanted = _most(recipe.plan)
    if torch.device(device).type != "cpu":
        return _seconds_of_step(recipe, wanted, device)
    few, more = min(wanted, 4), min(wanted, 16)
    slow = _seconds_of_step(recipe, more, device)
    if more == wanted or few == more:
        return slow
    per_image = max(0.0, (slow - _seconds_of_step(recipe, few, device)) / (more - few))
    return slow + per_image * (wanted - more)


def _most(plan: Any) -> int:
    """Images that an iteration treats at once: observed ones or chains, whichever are more."""
    return max(getattr(plan, "chains", 1), getattr(plan, "patches", None) or plan.batch_size)


def _seconds_of_step(recipe: Recipe, images: int, device: torch.device | str) -> float:
    """Seconds of a step with ``images`` of those that are most, and of the others in proportion."""
    part = images / _most(recipe.plan)
    own = {name: getattr(recipe.plan, name) for name in ("batch_size", "chains") if hasattr(recipe.plan, name)}
    sizes = {name: max(1, round(part * count)) for name, count in own.items()}
    if getattr(recipe.plan, "pool", None) is not None:
        sizes["pool"] = sizes["chains"]  # that the others wait costs nothing
    if isinstance(recipe.plan, igm.Plan):
        sizes = {"negatives_per_round": 4, "batch_size" if recipe.plan.patches is None else "patches": images}
    smaller = dataclasses.replace(recipe, plan=dataclasses.replace(recipe.plan, **sizes))
    labels = torch.zeros(images, dtype=torch.long)  # any will do
    learner, rng = build(smaller, images, device, labels=labels), stream(recipe.seed, "estimate", device=device)
    state, times = learner.init(rng), []
    shape = (smaller.plan.batch_size, *recipe.data.shape)
    observed = torch.rand(shape, generator=rng, device=rng.device) * 2 - 1
    batch = Batch(observed, torch.arange(len(observed), device=rng.device))
    turn = getattr(smaller.plan, "generator_every", 1)  # in so many steps every network moves as often as it ever does
    for _ in range(1 + 2 * turn):
        began = time.perf_counter()
        state, record = learner.step(state, batch, rng)
        float(next(value for value in record if isinstance(value, torch.Tensor) and value.ndim == 0))  # waits
        times.append(time.perf_counter() - began)
    return min(sum(times[1 : 1 + turn]), sum(times[1 + turn :])) / turn
