"""Algorithm G's step: latents of each image of its own, inferred, kept and learned from; averaged weights."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from tutelage.checks import InputError
from tutelage.learn.algorithm_g import AlgorithmG, Plan, langevin_inference, reconstruction
from tutelage.learn.updates import Adam
from tutelage.nets import Deconv, Generator, GeneratorSpec
from tutelage.rng import stream
from tutelage.types import Batch

GENERATOR = GeneratorSpec(3, (6, 2, 2), (Deconv(4, 4, (4, 4)), Deconv(1, 4, (8, 8))), 0.2, True, 0.1)
PLAN = Plan(
    iterations=10,
    batch_size=3,
    noise_std=0.5,
    latent_step_size=0.1,
    inference_steps=2,
    update=Adam(lr=0.01),
    ema_decay=0.9,
    calibration_draws=20,
)


def test_a_step_infers_keeps_and_learns_from_the_latents_of_its_own_images() -> None:
    learner = AlgorithmG(PLAN, Generator(GENERATOR, stream(0, "generator")), (3,), 5)
    rng = stream(0, "learn")
    state = learner.init(rng)
    indices, kept = torch.tensor([4, 0, 3]), state.latents.clone()
    images = 2 * torch.rand(3, 1, 8, 8, generator=stream(0, "observed")) - 1
    before, twin = copy.deepcopy(state.average), torch.Generator()
    twin.set_state(rng.get_state())
    expected = langevin_inference(copy.deepcopy(state.generator), images, kept[indices], 0.5, 0.1, 2, twin)
    state, _ = learner.step(state, Batch(images, indices), rng)
    assert torch.equal(state.latents[indices], expected) and not torch.equal(expected, kept[indices])
    assert torch.equal(state.latents[[1, 2]], kept[[1, 2]])
    parameters = (network.parameters() for network in (state.average, before, state.generator))
    moved = False
    for average, old, live in zip(*parameters, strict=True):
        torch.testing.assert_close(average, old / 21 + live * 20 / 21)
        moved |= not torch.equal(old, live)
    assert moved


@pytest.mark.parametrize("updates", [1, 2])
def test_the_generator_learns_from_the_latents_inferred(updates: int) -> None:
    plan = dataclasses.replace(PLAN, reconstruction_updates=updates)
    learner = AlgorithmG(plan, Generator(GENERATOR, stream(0, "generator")), (3,), 3)
    rng = stream(0, "learn")
    state = learner.init(rng)
    twin, kept, chance = copy.deepcopy(state.generator), state.latents.clone(), torch.Generator()
    chance.set_state(rng.get_state())
    images = 2 * torch.rand(3, 1, 8, 8, generator=stream(0, "observed")) - 1
    state, record = learner.step(state, Batch(images, torch.arange(3)), rng)

    latents = langevin_inference(twin, images, kept, 0.5, 0.1, 2, chance)
    optimiser = plan.update.init(twin)
    first, *_ = (reconstruction(twin, optimiser, latents, images, 0.5) for _ in range(updates))
    assert torch.equal(record.latents, latents)
    assert torch.equal(record.reconstruction, first[0]) and torch.equal(record.residual, first[1])
    for mine, theirs in zip(state.generator.parameters(), twin.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_of_an_image_that_comes_twice_the_last_latents_are_kept() -> None:
    learner = AlgorithmG(PLAN, Generator(GENERATOR, stream(0, "generator")), (3,), 2)
    rng = stream(0, "learn")
    images = 2 * torch.rand(3, 1, 8, 8, generator=stream(0, "observed")) - 1
    state, record = learner.step(learner.init(rng), Batch(images, torch.tensor([1, 0, 1])), rng)
    assert torch.equal(state.latents, record.latents[[1, 2]])


def test_images_of_another_shape_than_the_generators_are_refused() -> None:
    network, latents = Generator(GENERATOR, stream(0, "generator")), torch.randn(3, 3, generator=stream(0))
    for colours in (torch.zeros(3, 3, 8, 8), torch.zeros(3, 1, 1, 8)):
        with pytest.raises(InputError, match=r"makes images of shape \[3, 1, 8, 8\] and is to learn from \[3, "):
            reconstruction(network, PLAN.update.init(network), latents, colours, 0.5)
        with pytest.raises(InputError, match=r"makes images of \[1, 8, 8\] and the observed ones are"):
            langevin_inference(network, colours, latents, 0.5, 0.1, 2, stream(0))


def test_an_image_beyond_the_observations_is_refused() -> None:
    learner = AlgorithmG(PLAN, Generator(GENERATOR, stream(0, "generator")), (3,), 2)
    rng = stream(0, "learn")
    with pytest.raises(InputError, match="the batch holds image 2, and this learner was made for 2 observations"):
        learner.step(learner.init(rng), Batch(torch.zeros(3, 1, 8, 8), torch.tensor([1, 0, 2])), rng)
