"""The energy as Kim and Bengio print it, the entropy in closed form, and who is moved by what."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tiny_recipes import same
from toy_networks import LinearPotential
from tutelage.baselines.deep_directed import DeepDirected, Plan, entropy_of_scales, experts_energy, teaching
from tutelage.checks import InputError
from tutelage.learn.algorithm_d import density_shifting
from tutelage.learn.updates import Adam
from tutelage.nets import Conv, Deconv, DescriptorSpec, Experts, Generator, GeneratorSpec
from tutelage.rng import stream
from tutelage.types import Batch

PLAN = Plan(
    iterations=10,
    batch_size=5,
    energy_std=0.7,
    descriptor_update=Adam(lr=0.01),
    generator_update=Adam(lr=0.01),
    ema_decay=0.9,
    calibration_draws=20,
)
ENERGY = DescriptorSpec((1, 8, 8), (Conv(4, 3, 2), Conv(6, 3, 2)), 3, 0.2, 0.3)
GENERATOR = GeneratorSpec(
    3, (6, 2, 2), (Deconv(4, 4, (4, 4)), Deconv(1, 4, (8, 8))), 0.2, True, 0.1, batch_norm_scale=True
)


def normal(*shape: int, name: str = "draws") -> Tensor:
    return torch.randn(*shape, generator=stream(0, name), dtype=torch.float64)


def learner(**changes: Any) -> DeepDirected:
    experts = Experts(ENERGY, stream(0, "experts"))
    return DeepDirected(replace(PLAN, **changes), experts, Generator(GENERATOR, stream(0, "generator")), (3,))


def batch(name: object = 0) -> Batch:
    return Batch(2 * torch.rand(5, 1, 8, 8, generator=stream(0, "observed", name)) - 1, torch.arange(5))


def test_the_energy_is_a_product_of_experts():
    experts = Experts(ENERGY, stream(0, "experts")).double()
    with torch.no_grad():
        experts.pixel_bias.copy_(normal(1, 8, 8, name="bias"))
    images = normal(5, 1, 8, 8)
    features = experts.trunk.features(images)[-1].flatten(1)
    flat = images.flatten(1)
    arguments = features @ experts.trunk.top.T + experts.trunk.top_bias
    expected = (
        flat.square().sum(1) / 0.7**2 - flat @ experts.pixel_bias.flatten() - torch.log(1 + arguments.exp()).sum(1)
    )
    torch.testing.assert_close(experts_energy(0.7, experts)(images), expected)


def test_without_deep_features_its_draws_have_half_the_variance():
    """exp(−Y² / σ²) is N(0, σ²/2)."""
    energy = experts_energy(0.7, LinearPotential(1))
    grid = torch.linspace(-8, 8, 20_001, dtype=torch.float64)
    density = (-energy(grid.view(-1, 1, 1, 1)).detach()).exp()
    assert ((grid.square() * density).sum() / density.sum()).item() == pytest.approx(0.7**2 / 2, rel=1e-6)


def test_the_entropy_is_that_of_independent_gaussians():
    generator = Generator(GENERATOR, stream(0)).double()
    with torch.no_grad():
        for scale in generator.scales:
            scale.copy_(0.3 + normal(*scale.shape, name="scales").abs())
    scales = torch.cat(list(generator.scales))
    assert len(scales) == 6 + 4
    expected = torch.distributions.Normal(torch.zeros_like(scales), scales).entropy().sum()
    torch.testing.assert_close(entropy_of_scales(generator), expected)


def test_teaching_goes_down_energy_minus_weighted_entropy():
    generator = Generator(GENERATOR, stream(0, "generator")).double()
    experts = Experts(ENERGY, stream(0, "experts")).double()
    energy, latents, weight = experts_energy(0.7, experts), normal(6, 3, name="latents"), 0.25
    copied = copy.deepcopy(generator)
    loss = energy(copied(latents)).mean() - weight * sum(
        (0.5 * (2 * math.pi * math.e * scale**2).log()).sum() for scale in copied.scales
    )
    gradients = torch.autograd.grad(loss, list(copied.parameters()))
    optimiser = torch.optim.SGD(generator.parameters(), lr=0.1)
    generated, entropy = teaching(energy, generator, optimiser, generator(latents), weight)
    torch.testing.assert_close(generated - weight * entropy, loss.detach())
    for before, after, gradient in zip(copied.parameters(), generator.parameters(), gradients, strict=True):
        torch.testing.assert_close(after.detach(), before.detach() - 0.1 * gradient)
    assert all(parameter.grad is None for parameter in experts.parameters())


def test_the_energy_falls_on_the_data_and_rises_on_drafts():
    algorithm = learner(generator_update=Adam(lr=1e-12), descriptor_update=Adam(lr=0.003))
    state, values = algorithm.init(stream(0)), []
    for _ in range(30):
        state, record = algorithm.step(state, batch(), stream(0, "same"))
        values.append(record.value.item())
    assert values[-1] > values[0]


def test_the_generator_seeks_low_energy():
    algorithm = learner(descriptor_update=Adam(lr=1e-12), entropy_weight=0.0)
    with torch.no_grad():
        algorithm.descriptor.pixel_bias.fill_(5.0)  # the energy is lowest where pixels are bright
    state, energies = algorithm.init(stream(0)), []
    for _ in range(60):
        state, record = algorithm.step(state, batch(), stream(0, "same"))
        energies.append(record.generated_energy.item())
    assert energies[-1] < energies[0] - 1 and record.initial.mean() > 0.2


def test_the_entropy_widens_the_scales():
    def scale(weight: float) -> float:
        algorithm = learner(entropy_weight=weight)
        state, rng = algorithm.init(stream(0)), stream(0, "learn")
        for _ in range(20):
            state, _ = algorithm.step(state, batch(), rng)
        return sum(scale.abs().sum().item() for scale in state.generator.scales)

    assert scale(100.0) > scale(0.0) + 0.5


def test_a_step_is_an_update_of_the_energy_and_one_of_the_generator():
    algorithm = learner()
    state, record = algorithm.step(algorithm.init(stream(0)), batch(), stream(0, "learn"))
    assert record.initial.shape == (5, 1, 8, 8) and not record.initial.requires_grad
    assert (record.descriptor_lr, record.generator_lr, state.iteration) == (0.01, 0.01, 1)
    fresh = Generator(GENERATOR, stream(0, "generator"))
    torch.testing.assert_close(record.initial, fresh(torch.randn(5, 3, generator=stream(0, "learn"))))
    energy = experts_energy(0.7, algorithm.descriptor)
    value = energy(record.initial).mean() - energy(batch().images).mean()
    torch.testing.assert_close(record.value, value.detach())
    for name in ("descriptor", "generator"):
        live, given = getattr(state, name).parameters(), getattr(algorithm, name).parameters()
        assert not all(torch.equal(a, b) for a, b in zip(live, given, strict=True))


@pytest.mark.parametrize("gradient_penalty", [0.0, 0.7])
def test_the_generator_is_taught_by_the_energy_that_has_just_learned(gradient_penalty):
    algorithm = learner(entropy_weight=0.25, gradient_penalty=gradient_penalty)
    state = algorithm.init(stream(0))
    descriptor, generator = copy.deepcopy(state.descriptor), copy.deepcopy(state.generator)
    state, record = algorithm.step(state, batch(), stream(0, "learn"))

    energy, optimisers = experts_energy(0.7, descriptor), [Adam(lr=0.01).init(x) for x in (descriptor, generator)]
    drafts = generator(torch.randn(5, 3, generator=stream(0, "learn")))
    before = energy(drafts).mean()
    value, _ = density_shifting(energy, optimisers[0], batch().images, drafts.detach(), gradient_penalty)
    generated, entropy = teaching(energy, generator, optimisers[1], drafts, 0.25)
    assert (generated - before).abs() > 1e-3
    assert torch.equal(record.generated_energy, generated) and torch.equal(record.entropy, entropy)
    assert torch.equal(record.value, value)
    for name, by_hand in (("descriptor", descriptor), ("generator", generator)):
        for mine, theirs in zip(getattr(state, name).parameters(), by_hand.parameters(), strict=True):
            assert torch.equal(mine, theirs), name


def test_finish_and_pictures_change_nothing_that_learns():
    algorithm, rng = learner(), stream(0, "learn")
    state, record = algorithm.step(algorithm.init(rng), batch(), rng)
    before = copy.deepcopy(algorithm.state_dict(state))
    assert torch.equal(algorithm.pictures(state, record)["initial"], record.initial)
    assert same(before, algorithm.state_dict(state))
    after = algorithm.state_dict(algorithm.finish(state, stream(0, "calibrate")))
    assert [name for name in before if not same(before[name], after[name])] == ["average"]
    drawn = algorithm.sample(state, 11, stream(1))["generator"]
    assert drawn.shape == (11, 1, 8, 8) and not drawn.requires_grad


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"iterations": -1}, "iterations is -1"),
        ({"energy_std": -1.0}, "energy_std is -1.0; it needs to be above 0"),
        ({"entropy_weight": -1.0}, "entropy_weight is -1.0; it needs to be 0 or more"),
        ({"entropy_weight": math.inf}, "entropy_weight is inf"),
        ({"gradient_penalty": -1.0}, r"gradient_penalty is -1.0; it needs to be 0 \(none\) or more"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0"),
    ],
)
def test_plans_that_cannot_work_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(PLAN, **changes)


def test_a_generator_without_scales_is_refused():
    plain = Generator(replace(GENERATOR, batch_norm_scale=False), stream(0))
    algorithm = DeepDirected(PLAN, Experts(ENERGY, stream(0)), plain, (3,))
    with pytest.raises(InputError, match=r"no batch-norm scales.*set generator\.batch_norm_scale=true"):
        algorithm.init(stream(0))
