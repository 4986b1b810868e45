"""Algorithm 3 is woven from the functions of Algorithms D and G; its special cases and options."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from tutelage.checks import InputError
from tutelage.energy import Gaussian, Posterior, Tilt, Uniform
from tutelage.learn.algorithm_d import density_shifting, langevin_revision
from tutelage.learn.algorithm_g import langevin_inference, reconstruction
from tutelage.learn.coopnets import CoopNets, Plan, initial_generation
from tutelage.learn.updates import Adam
from tutelage.nets import Conv, Deconv, Descriptor, DescriptorSpec, Generator, GeneratorSpec
from tutelage.rng import stream
from tutelage.sample import Langevin, run
from tutelage.types import Batch

DESCRIPTOR = DescriptorSpec((1, 8, 8), (Conv(4, 3, 2), Conv(6, 3, 2)), 3, 0.2, 0.1)
GENERATOR = GeneratorSpec(3, (6, 2, 2), (Deconv(4, 4, (4, 4)), Deconv(1, 4, (8, 8))), 0.2, True, 0.1)
PLAN = Plan(
    iterations=10,
    batch_size=5,
    chains=7,
    revision_steps=4,
    step_size=0.02,
    reference_std=0.1,
    noise_std=0.3,
    descriptor_update=Adam(lr=0.01),
    generator_update=Adam(lr=0.001),
    calibration_draws=50,
)


def learner(**changes) -> CoopNets:
    descriptor = Descriptor(DESCRIPTOR, stream(0, "descriptor"))
    return CoopNets(replace(PLAN, **changes), descriptor, Generator(GENERATOR, stream(0, "generator")), (3,))


def batch() -> Batch:
    return Batch(2 * torch.rand(5, 1, 8, 8, generator=stream(0, "observed")) - 1, torch.arange(5))


def stepped(algorithm: CoopNets, steps: int = 1):
    rng = stream(0, "learn")
    state = algorithm.init(rng)
    for _ in range(steps):
        state, record = algorithm.step(state, batch(), rng)
    return state, record


@pytest.mark.parametrize(("loss", "reference"), [("likelihood", Gaussian(0.1)), ("logistic", Uniform())])
@pytest.mark.parametrize("gradient_penalty", [0.0, 0.7])
@pytest.mark.parametrize("inference_steps", [0, 3])
@pytest.mark.parametrize("revision_steps", [0, 1, 4])
def test_a_step_is_g0_d1_g1_d2_g2(inference_steps, revision_steps, gradient_penalty, loss, reference):
    algorithm = learner(
        inference_steps=inference_steps,
        revision_steps=revision_steps,
        gradient_penalty=gradient_penalty,
        loss=loss,
        reference_std=0.1 if isinstance(reference, Gaussian) else None,
    )
    state, record = stepped(algorithm)

    rng, plan = stream(0, "learn"), algorithm.plan
    by_hand = algorithm.init(rng)
    energy = Tilt(reference, by_hand.descriptor)
    drawn, initial = initial_generation(by_hand.generator, 7, (3,), 0.0, rng)
    revised, _ = langevin_revision(energy, initial, Langevin(0.02), revision_steps, rng)
    latents = langevin_inference(by_hand.generator, revised, drawn, 0.3, plan.latent_step_size, inference_steps, rng)
    value, _ = density_shifting(energy, by_hand.descriptor_optimiser, batch().images, revised, gradient_penalty, loss)
    error, _ = reconstruction(by_hand.generator, by_hand.generator_optimiser, latents, revised, 0.3)

    assert torch.equal(record.initial, initial) and torch.equal(record.revised, revised)
    assert torch.equal(record.latents, latents) and torch.equal(latents, drawn) == (inference_steps == 0)
    assert torch.equal(record.value, value) and torch.equal(record.reconstruction, error) and record.acceptance == 1
    for name in ("descriptor", "generator"):
        mine, theirs = getattr(state, name).parameters(), getattr(by_hand, name).parameters()
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def test_drafts_are_g_of_draws_from_the_prior():
    net = Generator(GENERATOR, stream(0, "generator"))
    latents, images = initial_generation(copy.deepcopy(net), 7, (3,), 0.0, stream(5))
    assert torch.equal(latents, torch.randn(7, 3, generator=stream(5)))
    assert torch.equal(images, net(latents).detach()) and not images.requires_grad


@pytest.mark.parametrize("t", [1, 2])
def test_the_noise_of_the_revision_is_off_from_the_iteration_given_on(t):
    algorithm = learner(noise_until=2)
    rng = stream(0, "learn")
    state = algorithm.init(rng)
    state.iteration = t
    energy = Tilt(Gaussian(0.1), copy.deepcopy(state.descriptor))
    state, record = algorithm.step(state, batch(), rng)
    quiet, _ = run(Langevin(0.02, temperature=0), energy, record.initial, 4, stream(1))
    assert torch.allclose(record.revised, quiet) == (t == 2)

    quiet, _ = run(Langevin(0.02, temperature=0), Tilt(Gaussian(0.1), state.descriptor), batch().images, 6, stream(1))
    revised = algorithm.revise(state, batch().images, 6, stream(2))
    assert torch.allclose(revised, quiet) == (t == 2), "as in the last iteration"


def test_the_revision_is_corrected_where_asked():
    algorithm = learner(metropolis=True, step_size=0.15)
    state, record = stepped(algorithm)

    rng = stream(0, "learn")
    by_hand = algorithm.init(rng)
    _, initial = initial_generation(by_hand.generator, 7, (3,), 0.0, rng)
    kernel, energy = Langevin(0.15, metropolis=True), Tilt(Gaussian(0.1), by_hand.descriptor)
    revised, info = run(kernel, energy, initial, 4, rng)
    assert torch.equal(record.revised, revised) and (info.acceptance < 1).any()
    assert torch.equal(record.acceptance, info.acceptance.mean())
    revised, _ = run(kernel, Tilt(Gaussian(0.1), state.descriptor), initial, 6, stream(2))
    assert torch.equal(algorithm.revise(state, initial, 6, stream(2)), revised)


def test_the_generator_moves_towards_the_revision():
    algorithm = learner(generator_update=Adam(lr=1e-3), reconstruction_updates=40)
    state, record = stepped(algorithm)
    after = algorithm.pictures(state, record)["reconstructed"]
    assert (after - record.revised).square().mean() < (record.initial - record.revised).square().mean()


def test_several_reconstruction_updates_are_several_steps_of_the_optimiser():
    state, _ = stepped(learner(reconstruction_updates=3), steps=2)
    counts = {int(moments["step"]) for moments in state.generator_optimiser.state.values()}
    assert counts == {6}
    assert {int(moments["step"]) for moments in state.descriptor_optimiser.state.values()} == {2}


def test_noise_is_added_to_the_drafts_where_asked():
    plain, noisy = stepped(learner())[1].initial, stepped(learner(add_noise=True))[1].initial
    assert (noisy - plain).std().item() == pytest.approx(0.3, rel=0.1)


def test_the_movement_is_what_revision_did():
    _, record = stepped(learner())
    torch.testing.assert_close(record.movement, (record.revised - record.initial).square().mean().sqrt())
    assert stepped(learner(revision_steps=0))[1].movement == 0


@pytest.mark.parametrize("decay", [None, 0.07, 0.9])
def test_samples_come_from_the_average_of_the_weights(decay):
    algorithm = learner(ema_decay=decay)
    rng = stream(0, "learn")
    state = algorithm.init(rng)
    expected = [p.detach().clone() for p in state.generator.parameters()]
    for move in (1, 2, 3):
        state, _ = algorithm.step(state, batch(), rng)
        for kept, live in zip(expected, state.generator.parameters(), strict=True):
            kept.lerp_(live.detach(), 1 - min(decay or 0.0, move / (move + 20)))
    for average, kept in zip(state.average.parameters(), expected, strict=True):
        torch.testing.assert_close(average, kept)
    latents = torch.randn((4, 3), generator=stream(5))
    with torch.no_grad():
        images = state.average(latents)
    torch.testing.assert_close(algorithm.sample(state, 4, stream(5))["generator"], images)


def test_samples_of_the_descriptor_are_drafts_of_the_average_revised():
    algorithm = learner(ema_decay=0.9)
    state, _ = stepped(algorithm, 2)
    rng = stream(5)
    latents = torch.randn((4, 3), generator=rng)
    with torch.no_grad():
        drafts, live = state.average(latents), copy.deepcopy(state.generator).eval()(latents)
    assert not torch.allclose(drafts, live)
    expected, _ = run(Langevin(0.02), Tilt(Gaussian(0.1), state.descriptor), drafts, 4, rng)
    assert torch.equal(algorithm.sample(state, 4, stream(5))["descriptor"], expected)


def test_finishing_calibrates_the_average():
    algorithm = learner()
    state, _ = stepped(algorithm, 2)
    means = state.average.norms[0].running_mean.clone()
    state = algorithm.finish(state, stream(3))
    assert not torch.equal(state.average.norms[0].running_mean, means)
    assert not state.average.training


def test_finishing_draws_as_many_as_the_plan_says(monkeypatch):
    seen = []
    monkeypatch.setattr("tutelage.learn.coopnets.calibrate", lambda *given, least: seen.append((*given, least)))
    algorithm = learner()
    state, rng = stepped(algorithm)[0], stream(3)
    algorithm.finish(state, rng)
    assert seen == [(state.average, 50, (3,), rng, 7)]


def test_images_of_a_sample_do_not_depend_on_each_other():
    algorithm = learner()
    state, _ = stepped(algorithm, 2)
    latents = torch.randn((6, 3), generator=stream(4))
    with torch.no_grad():
        torch.testing.assert_close(state.average(latents)[:1], state.average(latents[:1]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step_size": 0.2}, "diverges on the reference"),
        ({"inference_steps": -1}, "inference_steps is -1"),
        ({"noise_std": 0.0}, "noise_std is 0.0"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0"),
        ({"gradient_penalty": -0.1}, "gradient_penalty is -0.1"),
        ({"loss": "hinge", "reference_std": None}, "loss is 'hinge'; it needs to be 'likelihood' or 'logistic'"),
        ({"loss": "logistic"}, "a Gaussian reference would pull them to zero; let reference_std be none"),
        ({"reconstruction_updates": 0}, "reconstruction_updates is 0"),
        ({"latent_step_size": float("nan")}, "latent_step_size is nan"),
    ],
)
def test_plans_that_cannot_work_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(PLAN, **changes)


def test_inference_uses_any_generator_in_evaluation_mode():
    """A module of the user's own, with batch norm in training mode: chains must not influence each other."""
    network = torch.nn.Sequential(
        torch.nn.Linear(3, 16), torch.nn.BatchNorm1d(16), torch.nn.Linear(16, 64), torch.nn.Unflatten(1, (1, 8, 8))
    ).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    latents, target = torch.randn((4, 3), generator=stream(1)), batch().images[:4]
    energy = Posterior(network, target, 0.3).prepare()
    alone = Posterior(network, target[:1], 0.3).prepare()
    torch.testing.assert_close(energy(latents).gradient[:1], alone(latents[:1]).gradient)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert network.training
