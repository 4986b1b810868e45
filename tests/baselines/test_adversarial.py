"""The adversarial learner: whose turn it is, what each update touches, and that a known distribution is found."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from toy_networks import LinearGenerator, LinearPotential
from tutelage.baselines.adversarial import Adversarial, Plan, State
from tutelage.baselines.game import Made
from tutelage.baselines.information import Information
from tutelage.baselines.nonsaturating import NonSaturating
from tutelage.baselines.wasserstein import Wasserstein
from tutelage.checks import InputError
from tutelage.learn.updates import Adam, RMSprop, Sgd, descend
from tutelage.rng import stream
from tutelage.types import Batch

PLAN = Plan(
    iterations=10,
    batch_size=6,
    objective=NonSaturating(),
    discriminator_update=Sgd(lr=0.1, momentum=0.0, weight_decay=0.0),
    generator_update=Sgd(lr=0.05, lr_final=0.0005, momentum=0.0, weight_decay=0.0),
    calibration_draws=50,
)


def learner(**changes) -> Adversarial:
    matrix = torch.randn(2, 3, generator=stream(0, "matrix"))
    discriminator = LinearPotential(2, torch.float32)
    nn.init.normal_(discriminator.weight, generator=stream(0, "weight"))
    return Adversarial(replace(PLAN, **changes), discriminator, LinearGenerator(matrix), (3,))


def batch(n: int = 6) -> Batch:
    return Batch(torch.randn(n, 1, 1, 2, generator=stream(0, "observed")), torch.arange(n))


def weights(state: State) -> tuple[Tensor, Tensor]:
    assert isinstance(state.discriminator, LinearPotential) and isinstance(state.generator, LinearGenerator)
    return state.discriminator.weight.detach().clone(), state.generator.matrix.detach().clone()


def test_an_iteration_is_the_discriminators_update_and_then_the_generators() -> None:
    algorithm, rng, by_hand = learner(), stream(0, "learn"), stream(0, "learn")
    state, record = algorithm.step(algorithm.init(rng), batch(), rng)

    critic, generator = copy.deepcopy(algorithm.discriminator), copy.deepcopy(algorithm.generator)
    latents = torch.randn((6, 3), generator=by_hand)
    first = Made(latents, generator(latents).detach())
    judged = NonSaturating().discriminator_loss(critic, batch().images, first, by_hand)
    descend(torch.optim.SGD(critic.parameters(), lr=0.1), judged.loss)
    latents = torch.randn((6, 3), generator=by_hand)
    loss = NonSaturating().generator_loss(critic, Made(latents, generator(latents)))
    descend(torch.optim.SGD(generator.parameters(), lr=0.05), loss)

    torch.testing.assert_close(weights(state), (critic.weight.detach(), generator.matrix.detach()))
    torch.testing.assert_close(record.discriminator_loss, judged.loss.detach())
    torch.testing.assert_close(record.more["generator_loss"], loss.detach())
    assert (record.of_observed, record.of_made) == (judged.of_observed, judged.of_made)
    assert torch.equal(record.made, first.images) and state.iteration == 1
    assert (record.discriminator_lr, record.more["generator_lr"]) == (0.1, 0.05)
    assert torch.equal(rng.get_state(), by_hand.get_state())


def test_a_step_touches_the_parameters_of_its_optimiser_alone() -> None:
    critic, generator = LinearPotential(2, torch.float32), LinearGenerator(torch.ones(2, 3))
    nn.init.ones_(critic.weight)
    descend(torch.optim.SGD(generator.parameters(), lr=0.1), critic(generator(torch.ones(4, 3))).mean())
    assert critic.weight.grad is None and critic.weight.eq(1).all() and generator.matrix.ne(1).any()


def test_the_generator_moves_in_the_last_of_every_few_iterations() -> None:
    algorithm, rng = learner(generator_every=3), stream(0, "learn")
    state = algorithm.init(rng)
    for t in range(7):
        before = weights(state)
        average = [parameter.clone() for parameter in state.average.parameters()]
        state, record = algorithm.step(state, batch(), rng)
        moved = [not torch.equal(old, new) for old, new in zip(before, weights(state), strict=True)]
        assert moved == [True, t in (2, 5)] and algorithm.plan.moves_generator(t) == (t in (2, 5))
        assert ({"generator_loss", "generator_lr"} <= record.more.keys()) == (t in (2, 5))
        followed = any(not torch.equal(a, b) for a, b in zip(average, state.average.parameters(), strict=True))
        assert followed == (t in (2, 5))


def test_each_player_learns_at_its_own_rate() -> None:
    algorithm = learner(discriminator_update=Adam(lr=0.1, lr_final=0.01), generator_update=Adam(lr=0.4, lr_final=0.2))
    rng = stream(0, "learn")
    state = algorithm.init(rng)
    state.iteration = 10
    state, record = algorithm.step(state, batch(), rng)
    assert state.discriminator_optimiser.param_groups[0]["lr"] == record.discriminator_lr == pytest.approx(0.01)
    assert state.generator_optimiser.param_groups[0]["lr"] == record.more["generator_lr"] == pytest.approx(0.2)


def test_several_updates_of_the_generator_are_several_steps_on_new_images() -> None:
    algorithm = learner(generator_updates=2, generator_update=Adam(lr=0.01))
    rng = stream(0, "learn")
    state, _ = algorithm.step(algorithm.init(rng), batch(), rng)
    assert {int(moments["step"]) for moments in state.generator_optimiser.state.values()} == {2}
    by_hand = stream(0, "learn")
    for _ in range(3):
        torch.randn((6, 3), generator=by_hand)
    assert torch.equal(rng.get_state(), by_hand.get_state())


def test_weights_are_clipped_after_every_step_of_the_critic_and_of_the_critic_alone() -> None:
    algorithm = learner(
        objective=Wasserstein(),
        discriminator_update=RMSprop(lr=0.5, clip=0.01),
        generator_update=RMSprop(lr=0.5),
    )
    rng = stream(0, "learn")
    state = algorithm.init(rng)
    for _ in range(3):
        state, _ = algorithm.step(state, batch(), rng)
        critic, generator = weights(state)
        assert critic.abs().max() <= 0.01 and (critic.abs() == torch.tensor(0.01)).any()
        assert generator.abs().max() > 0.01


@pytest.mark.parametrize(("decay", "every"), [(None, 1), (0.9, 1), (0.9, 2)])
def test_samples_come_from_the_average_of_the_weights(decay: float | None, every: int) -> None:
    algorithm, rng = learner(ema_decay=decay, generator_every=every), stream(0, "learn")
    state = algorithm.init(rng)
    kept = weights(state)[1]
    for move in (1, 2, 3):
        for _ in range(every):
            state, _ = algorithm.step(state, batch(), rng)
        kept.lerp_(weights(state)[1], 1 - min(decay or 0.0, move / (move + 20)))
    latents = torch.randn((4, 3), generator=stream(5))
    expected = (latents @ kept.T + dict(state.average.named_parameters())["bias"]).view(4, 1, 1, 2)
    torch.testing.assert_close(algorithm.sample(state, 4, stream(5))["generator"], expected)


def test_batch_norm_is_calibrated_in_the_average_alone() -> None:
    generator = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2), nn.Unflatten(1, (1, 1, 2)))
    algorithm = Adversarial(PLAN, LinearPotential(2, torch.float32), generator, (3,))
    rng = stream(0, "learn")
    state, _ = algorithm.step(algorithm.init(rng), batch(), rng)
    live = copy.deepcopy(state.generator.state_dict())
    state = algorithm.finish(state, stream(1))
    assert all(torch.equal(live[name], tensor) for name, tensor in state.generator.state_dict().items())
    assert not torch.equal(state.average[1].running_var, state.generator[1].running_var)  # type: ignore[index]
    assert not state.average.training and state.generator.training


def learned(algorithm: Adversarial, mean: list[float], steps: int) -> dict[str, Tensor]:
    """The averaged generator's parameters after learning from N(mean, .5²)."""
    rng, size = stream(0, "learn"), algorithm.plan.batch_size
    state = algorithm.init(rng)
    for _ in range(steps):
        observed = torch.tensor(mean) + 0.5 * torch.randn(size, 1, 1, len(mean), generator=rng)
        state, _ = algorithm.step(state, Batch(observed, torch.arange(size)), rng)
    return dict(state.average.named_parameters())


ON_A_LINE = {
    "non-saturating": replace(
        PLAN, discriminator_update=Adam(lr=0.05, beta1=0.0), generator_update=Adam(lr=0.02, beta1=0.0)
    ),
    "wasserstein": replace(
        PLAN,
        objective=Wasserstein(),
        discriminator_update=RMSprop(lr=0.01, clip=0.1),
        generator_update=RMSprop(lr=0.01),
    ),
}


@pytest.mark.parametrize("name", ON_A_LINE)
def test_a_gaussian_on_the_line_is_found(name: str) -> None:
    """By a·x + b, x ~ N(0, 1), against a discriminator of the two features that tell Gaussians apart."""
    plan = replace(ON_A_LINE[name], batch_size=128, ema_decay=0.98)
    generator = LinearGenerator(torch.ones(1, 1))
    found = learned(Adversarial(plan, LinearPotential(1, torch.float32), generator, (1,)), [2.0], 600)
    assert found["bias"].item() == pytest.approx(2.0, abs=0.15)
    assert found["matrix"].abs().item() == pytest.approx(0.5, abs=0.15)


class Plane(nn.Module):
    """f(Y) = ⟨w, Y⟩: by the penalty a direction, which can turn (on a line it could not without being flat)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.1, 0.0]))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight


def test_a_mean_in_the_plane_is_found_with_a_penalty() -> None:
    plan = replace(
        PLAN,
        iterations=600,
        batch_size=128,
        objective=Wasserstein(gradient_penalty=10.0),
        discriminator_update=Adam(lr=0.05, beta1=0.0, beta2=0.9),
        generator_update=Sgd(lr=0.01, lr_final=0.002, momentum=0.0, weight_decay=0.0),
        ema_decay=0.98,
    )
    found = learned(Adversarial(plan, Plane(), LinearGenerator(torch.eye(2)), (2,)), [1.0, -1.5], 600)
    torch.testing.assert_close(found["bias"].detach(), torch.tensor([1.0, -1.5]), atol=0.2, rtol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iterations": -1}, "iterations is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"generator_every": 0}, "generator_every is 0"),
        ({"generator_updates": 0}, "generator_updates is 0"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0"),
        ({"objective": Information(4, 2), "batch_size": 1}, "batch_size is 1; .* needs the statistics of 2 or more"),
        ({"calibration_draws": 0}, "calibration_draws is 0"),
        ({"objective": Wasserstein()}, r"neither a gradient_penalty nor .*needs one.*set objective\.gradient_penalty"),
        ({"objective": Wasserstein(), "discriminator_update": RMSprop(5e-5)}, "neither a gradient_penalty nor"),
    ],
)
def test_plans_that_cannot_work_are_refused(changes, message) -> None:
    with pytest.raises(InputError, match=message):
        replace(PLAN, **changes)
