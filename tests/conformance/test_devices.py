"""Learners compute where their networks are, and read nothing on the way: a dry run on a device without numbers.

Tensors on ``meta`` have a shape and no values, so a number that is read is an error there; on a GPU it would wait. What
a GPU refuses and ``meta`` may not, a tensor of the CPU among its own, `OneDevice` refuses.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tiny_recipes import tiny
from tutelage.energy import AllPatches, Tilt, Uniform
from tutelage.gradient import prepared
from tutelage.learn.negatives import draw_patches
from tutelage.run.build import build
from tutelage.types import Batch

ELSEWHERE = torch.device("meta")
MAY_MIX = (Tensor.copy_, Tensor.__getitem__)
"""Copies are from anywhere to anywhere, and an index may lie on the CPU."""
LEARNERS = {
    "coopnets/mnist": {"plan.inference_steps": 2, "plan.add_noise": True},
    "descriptor/mnist": {"plan.metropolis": True},
    "generator/mnist": {},
    "video/quick": {},
    "vae/mnist": {},
    "flow-matching/mnist": {},
    "deep-directed/mnist": {},
    "dcgan/mnist": {},
    "wgan/mnist": {},
    "wgan-gp/mnist": {},
    "ebgan/mnist": {},
    "infogan/mnist": {},
    "classifier/mnist": {},
}


class Chance(torch.Generator):
    """A generator that claims to be on the other device, where draws have no values anyway."""

    device = ELSEWHERE


class OneDevice(TorchFunctionMode):
    """Every operation has its tensors, 0-dim ones apart, and its generator on one device."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = {x.device.type for x in leaves((args, kwargs)) if isinstance(x, torch.Generator) or x.ndim}
        if "device" in kwargs:
            found.add(torch.device(kwargs["device"]).type)
        if len(found) > 1 and func not in MAY_MIX:
            raise AssertionError(f"{func} was given {' and '.join(sorted(found))}")
        return func(*args, **kwargs)


def leaves(nested: Any) -> Iterator[Tensor | torch.Generator]:
    if isinstance(nested, Tensor | torch.Generator):
        yield nested
    elif isinstance(nested, dict):
        yield from leaves(list(nested.values()))
    elif isinstance(nested, list | tuple):
        for inner in nested:
            yield from leaves(inner)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Autocasting and fused updates, which do not know the other device, are done without."""
    adam = torch.optim.Adam
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(torch.optim, "Adam", lambda learning, **fields: adam(learning, **{**fields, "fused": False}))


def dry_run(name: str) -> None:
    """Three iterations of a tiny learner, its end, and samples."""
    recipe, rng = tiny(name, LEARNERS[name]), Chance()
    labels = torch.arange(10) if name.startswith("classifier") else None
    learner: Any = build(recipe, 10, ELSEWHERE, labels=labels)
    # the indices are on the CPU, since a learner may read them
    batch = Batch(
        torch.zeros(recipe.plan.batch_size, *recipe.data.shape, device=ELSEWHERE),
        torch.arange(4)[: recipe.plan.batch_size],
    )
    with OneDevice():
        state = learner.init(rng)
        for _ in range(3):
            state, _ = learner.step(state, batch, rng)
        state = learner.finish(state, rng)
        made = {} if labels is not None else learner.sample(state, 3, rng)
    assert all(images.device == ELSEWHERE and images.shape == (3, *recipe.data.shape) for images in made.values())


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_stays_on_its_device_and_reads_nothing(name: str) -> None:
    dry_run(name)


def test_patches_stay_on_the_device_of_the_images() -> None:
    images = torch.zeros(2, 1, 6, 7, device=ELSEWHERE)
    with OneDevice():
        assert prepared(Tilt(Uniform(), AllPatches(lambda x: x.flatten(1).sum(1), (3, 2))))(images).gradient.is_meta
        assert draw_patches(images, 5, (3, 2), Chance()).shape == (5, 1, 3, 2)


@pytest.mark.parametrize("name", ["coopnets/mnist", "generator/mnist"])
def test_a_draw_on_the_wrong_device_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randn", lambda *shape, **_: torch.zeros(*shape))
    with pytest.raises(AssertionError, match="was given cpu and meta"):
        dry_run(name)
