"""The sum over a cascade is the sum of its classifiers' logits, and with Bayes-optimal ones the log-density itself."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tutelage.apps.density_ratio import log_ratio, log_reference, terms
from tutelage.checks import InputError
from tutelage.energy import Gaussian, Tilt
from tutelage.learn import igm
from tutelage.learn.negatives import InMemory
from tutelage.learn.updates import Sgd
from tutelage.rng import stream
from tutelage.sample import Ascent, EnoughSteps
from tutelage.types import Batch

SHAPE = (1, 6, 7)
PLAN = igm.Plan(
    rounds=3,
    batch_size=4,
    negatives_per_round=4,
    patches=None,
    patches_per_image=None,
    update=Sgd(lr=0.3, momentum=0.0, weight_decay=0.0),
    kernel=Ascent(lr=0.05),
    stop=EnoughSteps(2),
    classified=0.0,
    classification_steps=10,
    synthesis_steps=3,
    synthesis_batch=4,
    indistinguishable=0.69,
)
PATCHES = replace(PLAN, patches=6, patches_per_image=2)


class Small(nn.Module):
    """One convolution with batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.LeakyReLU(0.2))
        self.top = nn.Linear(3, 1)
        rng = stream(0, "weights")
        with torch.no_grad():
            for parameter in self.layers.parameters():
                parameter.copy_(0.5 * torch.randn(parameter.shape, generator=rng))
            nn.init.zeros_(self.top.weight)
            nn.init.zeros_(self.top.bias)

    def forward(self, images: Tensor) -> Tensor:
        return self.top(self.layers(images).mean((2, 3)))[:, 0]


class Linear(nn.Module):
    """logit = ⟨w, x⟩ + b."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.top = nn.Linear(values, 1, dtype=torch.float64)

    def forward(self, images: Tensor) -> Tensor:
        return self.top(images.flatten(1))[:, 0]


def learned(plan: igm.Plan = PLAN, patch: tuple[int, int] = SHAPE[1:]) -> tuple[igm.Igm, igm.State]:
    """A model that has been through its rounds."""
    learner, rng = igm.Igm(plan, Small(), SHAPE, patch, InMemory()), stream(0, "learn")
    observed = torch.linspace(0, 1, 42).view(1, *SHAPE).repeat(4, 1, 1, 1)
    batches = itertools.repeat(Batch(observed, torch.arange(4)))
    state = learner.init(rng)
    while state.ended is None:
        state, _ = learner.step(state, next(batches), rng)
    assert state.round == 3, state.ended
    return learner, state


def images(n: int = 5, space: tuple[int, int] = SHAPE[1:]) -> Tensor:
    return torch.randn(n, 1, *space, generator=stream(0, "images"))


def test_it_is_the_sum_of_all_logits() -> None:
    learner, state = learned()
    x = images()
    logits = [learner.load(number, "cpu")(x) for number in (1, 2, 3)]
    assert (logits[0] - logits[2]).abs().max() > 1e-3, "rounds that differ"
    found = log_ratio(learner, state, x)
    assert found.shape == (5,) and found.dtype == torch.float64 and not found.requires_grad
    torch.testing.assert_close(found, sum(logits).double(), rtol=1e-5, atol=1e-6)


def test_with_the_reference_it_is_minus_the_energy_of_the_tilt() -> None:
    learner, state = learned()
    x = 0.1 * images()
    energy = Tilt(Gaussian(PLAN.reference_std), *(learner.load(number, "cpu") for number in (1, 2, 3)))
    torch.testing.assert_close(terms(learner, state, x).total, -energy(x).double(), rtol=1e-5, atol=1e-5)


def test_rounds_that_do_not_count_yet_are_left_out() -> None:
    learner, state = learned()
    torch.testing.assert_close(
        log_ratio(learner, replace(state, round=1), images()), learner.load(1, "cpu")(images()).double()
    )


def test_of_a_single_model_only_the_last_classifier_counts() -> None:
    learner, state = learned(replace(PLAN, single=True))
    del learner.store.rounds[1], learner.store.rounds[2]
    torch.testing.assert_close(log_ratio(learner, state, images()), learner.load(3, "cpu")(images()).double())


@pytest.mark.parametrize(("plan", "patch"), [(PLAN, SHAPE[1:]), (PATCHES, (4, 4))])
@pytest.mark.parametrize("chunk", [1, 2, 9])
def test_an_image_counts_the_same_alone_and_among_others(plan: igm.Plan, patch: tuple[int, int], chunk: int) -> None:
    learner, state = learned(plan, patch)
    torch.testing.assert_close(
        log_ratio(learner, state, images(), chunk=chunk), log_ratio(learner, state, images()), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("stride", "rows", "columns"),
    [(None, (0, 2, 4), (0, 2, 3)), (1, (0, 1, 2, 3, 4), (0, 1, 2, 3)), (3, (0, 3, 4), (0, 3))],
)
def test_patches_are_summed_over_a_grid_that_covers_images_of_any_size(stride, rows, columns) -> None:
    learner, state = learned(PATCHES, (4, 4))
    x = images(3, (8, 7))
    expected = sum(
        learner.load(number, "cpu")(x[:, :, row : row + 4, column : column + 4])
        for number in (1, 2, 3)
        for row in rows
        for column in columns
    )
    torch.testing.assert_close(log_ratio(learner, state, x, stride), expected.double(), rtol=1e-5, atol=1e-5)


def test_bayes_optimal_classifiers_make_the_density_of_the_data() -> None:
    """From N(0, s²) by way of N(μ/2, s²) to N(μ, s²): ratios are linear, and the sum is ln N(x; μ, s²)."""
    s, mean = PLAN.reference_std, 0.2 * torch.randn(SHAPE, generator=stream(0, "mean")).double().flatten()
    learner = igm.Igm(PLAN, Linear(42), SHAPE, SHAPE[1:], InMemory())
    for number, (before, after) in enumerate([(0 * mean, mean / 2), (mean / 2, mean)], 1):
        optimal = Linear(42).requires_grad_(False)
        optimal.top.weight[0] = (after - before) / s**2
        optimal.top.bias[0] = (before.square().sum() - after.square().sum()) / (2 * s**2)
        learner.store.save_round(number, {"classifier": optimal.state_dict()}, {"patch": list(SHAPE[1:])})
    state = replace(learner.init(stream(0)), round=2)
    x = images().double()
    found = terms(learner, state, x)
    torch.testing.assert_close(found.total, -(x.flatten(1) - mean).square().sum(1) / (2 * s**2))
    torch.testing.assert_close(found.reference, -x.flatten(1).square().sum(1) / (2 * s**2))
    assert torch.equal(found.total, found.ratio + found.reference)
    assert torch.equal(found.reference, log_reference(PLAN, x))
    assert torch.equal(found.ratio, log_ratio(learner, state, x))


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (images(2, (6, 8)), {}, r"images are torch.float32 \[2, 1, 6, 8\]; this model takes floats .* of 6 x 7"),
        (images()[:, 0], {}, r"images are torch.float32 \[5, 6, 7\]"),
        (images().repeat(1, 3, 1, 1), {}, r"floats \[B, 1, \*space\]"),
        (images().to(torch.uint8), {}, "images are torch.uint8"),
        (images(), {"stride": 2}, "a stride of 2 was given for a model of whole images"),
        (images(), {"chunk": 0}, "chunk is 0"),
    ],
)
def test_what_the_model_cannot_judge_is_refused(x: Tensor, options: dict, message: str) -> None:
    learner = igm.Igm(PLAN, Small(), SHAPE, SHAPE[1:], InMemory())
    state = replace(learner.init(stream(0)), round=1)
    with pytest.raises(InputError, match=message):
        log_ratio(learner, state, x, **options)


def test_images_smaller_than_a_patch_and_runs_without_rounds_are_refused() -> None:
    learner, state = learned(PATCHES, (4, 4))
    with pytest.raises(InputError, match="smaller than a patch of 4 x 4"):
        log_ratio(learner, state, images(2, (3, 9)))
    with pytest.raises(InputError, match="stride is 0; patches of 4 x 4 need a stride from 1 to 4"):
        log_ratio(learner, state, images(), stride=0)
    with pytest.raises(InputError, match="finished no round yet"):
        terms(learner, replace(state, round=0), images())
