"""Algorithm D's starts, switches and refusals."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch

from toy_networks import LinearPotential
from tutelage.checks import InputError
from tutelage.energy import Gaussian, Tilt, Uniform
from tutelage.learn.algorithm_d import (
    AlgorithmD,
    Plan,
    density_shifting,
    drift_ratio,
    langevin_revision,
    revision_kernel,
)
from tutelage.learn.updates import Adam
from tutelage.rng import stream
from tutelage.sample import Langevin, run
from tutelage.types import Batch

SHAPE = (1, 2, 2)
PLAN = Plan(
    iterations=10,
    batch_size=6,
    chains=6,
    revision_steps=0,
    step_size=0.1,
    reference_std=0.5,
    update=Adam(lr=0.01),
)


def observed(n: int = 6, name: str = "observed") -> torch.Tensor:
    return torch.randn(n, *SHAPE, generator=stream(0, name))


def learner(**changes) -> AlgorithmD:
    given = changes.pop("given", None)
    return AlgorithmD(replace(PLAN, **changes), LinearPotential(4, torch.float32), SHAPE, given=given)


def one_step(algorithm: AlgorithmD, state=None, images=None):
    rng = stream(0, "learn")
    state = algorithm.init(rng) if state is None else state
    return algorithm.step(state, Batch(observed() if images is None else images, torch.arange(6)), rng)


def test_contrastive_divergence_starts_from_the_batch():
    state, record = one_step(learner(start="data"))
    assert torch.equal(record.revised, observed())
    _, record = one_step(learner(start="data"), state, observed(name="other"))
    assert torch.equal(record.revised, observed(name="other"))


def test_persistent_chains_from_the_data_go_on_from_where_they_were():
    algorithm = learner(start="data", persistent=True)
    state, first = one_step(algorithm)
    assert torch.equal(first.revised, observed())
    _, second = one_step(algorithm, state, observed(name="other"))
    assert torch.equal(second.revised, observed())


def numbered(first: int, n: int = 6) -> torch.Tensor:
    """``n`` images of one value each: their numbers."""
    return torch.arange(first, first + n, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, *SHAPE)


@pytest.mark.parametrize("kept", [18, 15])
def test_the_chains_of_a_pool_move_each_in_its_turn(kept):
    algorithm = learner(start="given", given=numbered(0, kept), persistent=True, pool=kept)
    state, seen = algorithm.init(stream(0)), []
    for _ in range(kept):
        state, record = one_step(algorithm, state)
        seen.append(record.revised[:, 0, 0, 0])
    assert torch.equal(torch.cat(seen), torch.arange(kept).repeat(6).float())


def test_a_pool_goes_on_from_where_its_chains_were():
    algorithm = steep(start="given", given=numbered(0, 12), persistent=True, pool=12, revision_steps=2)
    state, first = one_step(algorithm)
    state, second = one_step(algorithm, state)
    assert torch.equal(state.chains, torch.cat([first.revised, second.revised]))
    energy = Tilt(Gaussian(0.5), copy.deepcopy(state.descriptor))
    expected, _ = langevin_revision(energy, first.revised, Langevin(0.1), 2, stream(0, "learn"))
    _, third = one_step(algorithm, state)
    assert torch.equal(third.revised, expected)


def test_a_pool_from_the_data_is_filled_by_the_batches_of_its_first_turn():
    algorithm = learner(start="data", persistent=True, pool=12)
    state = algorithm.init(stream(0))
    for t in range(3):  # the third batch finds the pool filled
        state, _ = one_step(algorithm, state, numbered(6 * t))
    assert sorted(state.chains.flatten().unique().tolist()) == list(range(12))


def test_zeros_and_given_images():
    assert not one_step(learner(start="zeros"))[1].revised.any()
    given = observed(name="given")
    assert torch.equal(one_step(learner(start="given", given=given))[1].revised, given)


def test_noise_starts_afresh_unless_persistent():
    for persistent in (False, True):
        algorithm = learner(start="noise", persistent=persistent)
        rng = stream(0, "learn")
        state = algorithm.init(rng)
        batch = Batch(observed(), torch.arange(6))
        state, first = algorithm.step(state, batch, rng)
        _, second = algorithm.step(state, batch, rng)
        assert torch.equal(first.revised, second.revised) == persistent


def test_noise_start_has_the_width_of_the_reference():
    algorithm = learner(start="noise", chains=4000)
    assert algorithm.init(stream(0)).chains.std().item() == pytest.approx(0.5, rel=0.05)
    uniform = learner(start="noise", chains=4000, reference_std=None).init(stream(0)).chains
    assert uniform.abs().max() <= 1 and uniform.std().item() == pytest.approx(3**-0.5, rel=0.05)


def test_any_number_of_chains():
    _, record = one_step(learner(start="noise", chains=11, revision_steps=3))
    assert record.revised.shape == (11, *SHAPE)


@pytest.mark.parametrize(("until", "temperatures"), [(None, [1, 1, 1]), (0, [0, 0, 0]), (2, [1, 1, 0])])
def test_noise_is_switched_off_from_the_given_iteration_on(until, temperatures):
    plan = replace(PLAN, noise_until=until, metropolis=True)
    kernels = [revision_kernel(plan, t) for t in range(3)]
    assert [kernel.temperature for kernel in kernels] == temperatures
    assert [kernel.metropolis for kernel in kernels] == [bool(t) for t in temperatures]


def steep(**changes) -> AlgorithmD:
    """A learner whose potential is not flat."""
    algorithm = learner(**changes)
    with torch.no_grad():
        algorithm.descriptor.weight.copy_(torch.linspace(-1, 2, 8))
    return algorithm


@pytest.mark.parametrize("t", [1, 2])
def test_chains_move_without_noise_from_the_iteration_given_on(t):
    algorithm = steep(start="data", revision_steps=4, noise_until=2)
    state = algorithm.init(stream(0, "learn"))
    state.iteration = t
    energy = Tilt(Gaussian(0.5), copy.deepcopy(state.descriptor))
    state, record = one_step(algorithm, state)
    quiet, _ = run(Langevin(0.1, temperature=0), energy, observed(), 4, stream(1))
    assert torch.allclose(record.revised, quiet) == (t == 2)

    rng = stream(2)
    start = Gaussian(0.5).sample((6, *SHAPE), rng)
    quiet, _ = run(Langevin(0.1, temperature=0), Tilt(Gaussian(0.5), state.descriptor), start, 4, stream(1))
    assert torch.allclose(algorithm.sample(state, 6, stream(2))["descriptor"], quiet) == (t == 2), "as it was learned"


def test_chains_are_corrected_where_asked():
    algorithm = steep(start="data", revision_steps=4, metropolis=True, step_size=0.8)
    state = algorithm.init(stream(0, "learn"))
    kernel, energy = Langevin(0.8, metropolis=True), Tilt(Gaussian(0.5), copy.deepcopy(state.descriptor))
    expected, info = run(kernel, energy, observed(), 4, stream(0, "learn"))
    state, record = one_step(algorithm, state)
    assert torch.equal(record.revised, expected)
    torch.testing.assert_close(record.acceptance, info.acceptance.mean())
    assert record.acceptance < 1
    rng = stream(2)
    start = Gaussian(0.5).sample((6, *SHAPE), rng)
    expected, _ = run(kernel, Tilt(Gaussian(0.5), state.descriptor), start, 4, rng)
    assert torch.equal(algorithm.sample(state, 6, stream(2))["descriptor"], expected)


def test_one_revision_step_is_one_update_of_equation_7():
    _, record = one_step(learner(start="data", revision_steps=1, noise_until=0))
    # a flat potential: the image shrinks by a = δ² / (2 s²)
    torch.testing.assert_close(record.revised, (1 - 0.1**2 / (2 * 0.5**2)) * observed())
    assert record.movement.item() == pytest.approx(0.02 * observed().square().mean().sqrt().item(), rel=1e-4)


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_the_drift_ratio_is_one_where_the_forces_balance(ratio):
    algorithm = learner(start="data", revision_steps=1)
    with torch.no_grad():
        algorithm.descriptor.weight[4:] = ratio / (2 * 0.5**2)  # f = ratio |Y|² / (2 s²)
    _, record = one_step(algorithm)
    assert record.drift_ratio.item() == pytest.approx(ratio, rel=1e-5)
    assert drift_ratio(None, record.value).isnan()


@pytest.mark.parametrize("gradient_penalty", [0.0, 1.0])
def test_a_gradient_penalty_flattens_f_where_nothing_else_moves_it(gradient_penalty):
    algorithm = learner(start="data", revision_steps=0, gradient_penalty=gradient_penalty)
    with torch.no_grad():
        algorithm.descriptor.weight[:4] = 1.0
    state, _ = one_step(algorithm)  # revised and observed are the same: V is 0 whatever f
    slopes = state.descriptor.weight[:4]
    assert (slopes < 1).all() if gradient_penalty else (slopes == 1).all()


def test_learning_leaves_the_given_network_alone():
    algorithm = learner(start="zeros")
    one_step(algorithm)
    assert not algorithm.descriptor.weight.detach().any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step_size": 1.0}, r"step_size 1.0 with reference_std 0.5.*< 2 \* reference_std = 1.0"),
        ({"step_size": 0.0}, "step_size is 0.0"),
        ({"reference_std": -1.0}, "reference_std is -1.0"),
        ({"chains": 0}, "chains is 0"),
        ({"revision_steps": -1}, "revision_steps is -1"),
        ({"revision_steps": 1.5}, "revision_steps is 1.5"),
        ({"gradient_penalty": -1.0}, r"gradient_penalty is -1.0; it needs to be 0 \(none\) or more"),
        ({"gradient_penalty": math.nan}, "gradient_penalty is nan"),
        ({"start": "nowhere"}, "start is 'nowhere'"),
        ({"start": "data", "chains": 5}, "chains = batch_size"),
        ({"pool": 12}, "pool is 12, but chains that start anew .* are not kept; leave it out, or make the chains pers"),
        ({"pool": 5, "persistent": True}, "pool is 5, which is fewer than the 6 chains that move"),
        ({"pool": 0, "persistent": True}, "pool is 0; it needs to be a whole number of 1 or more"),
    ],
)
def test_plans_that_cannot_work_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(PLAN, **changes)


def test_a_uniform_reference_allows_any_step():
    assert replace(PLAN, reference_std=None, step_size=5.0).step_size == 5.0


def test_given_images_are_needed_and_of_the_right_shape():
    for given in (None, observed(5)):
        with pytest.raises(InputError, match="AlgorithmD\\(given="):
            learner(start="given", given=given).init(stream(0))


@pytest.mark.parametrize("start", ["noise", "zeros", "data", "given"])
def test_sampling_gives_the_number_asked_for(start):
    algorithm = learner(start=start, given=observed(name="given"), revision_steps=2)
    state, _ = one_step(algorithm)
    assert algorithm.sample(state, 13, stream(1))["descriptor"].shape == (13, *SHAPE)


@pytest.mark.parametrize("start", ["noise", "zeros", "data"])
@pytest.mark.parametrize("reference_std", [0.5, None])
def test_samples_are_chains_of_the_plans_length_from_its_start_and_never_from_the_data(start, reference_std):
    algorithm = steep(start=start, revision_steps=3, reference_std=reference_std)
    state, _ = one_step(algorithm)
    reference, rng = Uniform() if reference_std is None else Gaussian(reference_std), stream(1)
    place = torch.zeros(13, *SHAPE) if start == "zeros" else reference.sample((13, *SHAPE), rng)
    expected, _ = run(Langevin(0.1), Tilt(reference, state.descriptor), place, 3, rng)
    assert torch.equal(algorithm.sample(state, 13, stream(1))["descriptor"], expected)


def test_samples_of_persistent_chains_are_draws_along_them():
    algorithm = learner(start="data", persistent=True, revision_steps=3)
    state, _ = one_step(algorithm)
    drawn = algorithm.sample(state, 12, stream(1))["descriptor"]
    energy = Tilt(Gaussian(0.5), state.descriptor)
    rng, chains = stream(1), state.chains
    for block in drawn.split(6):
        chains, _ = langevin_revision(energy, chains, Langevin(0.1), 3, rng)
        assert torch.equal(block, chains)


def test_samples_of_a_pool_move_no_more_chains_than_are_asked_for():
    algorithm = steep(start="given", given=numbered(0, 12), persistent=True, pool=12, revision_steps=1, noise_until=0)
    state = algorithm.init(stream(0))
    drawn = algorithm.sample(state, 18, stream(1))["descriptor"]
    energy, kernel, rng = Tilt(Gaussian(0.5), state.descriptor), Langevin(0.1, temperature=0), stream(1)
    once, _ = langevin_revision(energy, state.chains, kernel, 1, rng)
    twice, _ = langevin_revision(energy, once[:6], kernel, 1, rng)
    assert torch.equal(drawn, torch.cat([once, twice]))


@pytest.mark.parametrize(("iterations", "begun"), [(0, 6), (1, 6), (2, 12), (3, 15), (4, 15)])
def test_samples_of_a_pool_that_is_not_full_are_of_the_chains_that_have_begun(iterations, begun):
    algorithm = learner(start="data", persistent=True, pool=15)
    state = algorithm.init(stream(0))
    for t in range(iterations):
        state, _ = one_step(algorithm, state, numbered(1 + 6 * t))
    drawn = algorithm.sample(state, 15, stream(1))["descriptor"]
    expected = state.chains[15 - begun :]
    assert torch.equal(drawn, torch.cat([expected, expected, expected])[:15])
    assert drawn.all() or not iterations


def test_observed_and_revised_images_of_two_shapes_are_refused():
    algorithm = learner()
    state = algorithm.init(stream(0))
    revised = torch.zeros(6, 1, 4, 1)
    with pytest.raises(InputError, match=r"observed images are \[1, 2, 2\] each and the revised ones \[1, 4, 1\]"):
        density_shifting(Tilt(Gaussian(0.5), state.descriptor), state.optimiser, observed(), revised)


def test_a_loss_that_there_is_none_of_is_refused():
    state = learner().init(stream(0))
    energy = Tilt(Uniform(), state.descriptor)
    with pytest.raises(InputError, match="loss is 'hinge'; it needs to be 'likelihood' or 'logistic'"):
        density_shifting(energy, state.optimiser, observed(), observed(), loss="hinge")  # type: ignore[arg-type]


@pytest.mark.parametrize("layer", [torch.nn.BatchNorm2d(1), torch.nn.Dropout(0.5)], ids=["batch norm", "dropout"])
def test_a_descriptor_whose_images_hang_together_is_no_potential(layer):
    class Sum(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1).sum(1)

    network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), layer, Sum())
    says = rf"the descriptor has a layer {type(layer).__name__} \(1\), .* leave it out, or put it in evaluation mode"
    with pytest.raises(InputError, match=says):
        replace(learner(), descriptor=network).init(stream(0))
    layer.eval()
    state, _ = one_step(replace(learner(revision_steps=1), descriptor=network))
    assert not state.descriptor[1].training
