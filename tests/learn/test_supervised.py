"""Supervised classification: the gradient of the cross-entropy, the right labels, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tutelage.checks import InputError
from tutelage.learn.supervised import Plan, Record, State, Supervised, check_labels
from tutelage.learn.updates import Adam, Sgd
from tutelage.rng import stream
from tutelage.types import Batch

LABELS = torch.tensor([2, 0, 1, 1, 2, 0])
PLAIN = Sgd(lr=0.5, momentum=0.0, weight_decay=0.0)


class Linear(nn.Module):
    """Three classes of images of four pixels, linear in them."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 4, dtype=torch.float64))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight.T


def images(n: int) -> Tensor:
    return torch.randn(n, 1, 2, 2, generator=stream(0), dtype=torch.float64)


def learner(update: Any = PLAIN, iterations: int = 4, labels: Tensor | None = LABELS) -> Supervised:
    return Supervised(Plan(iterations, 3, update), Linear(), labels)


def test_a_step_goes_down_the_gradient_of_the_cross_entropy() -> None:
    batch = Batch(images(6)[[4, 1, 5]], torch.tensor([4, 1, 5]))
    made = learner()
    state, record = made.step(made.init(stream(0)), batch, stream(0))
    # from weights of 0 every class has p = 1/3, and dL/dw_k = mean (p_k − [class is k]) x
    observed, wanted = batch.images.flatten(1), LABELS[[4, 1, 5]]
    error = torch.full((3, 3), 1 / 3, dtype=torch.float64) - nn.functional.one_hot(wanted, 3)
    assert isinstance(state.recogniser, Linear)
    torch.testing.assert_close(state.recogniser.weight.detach(), -0.5 * error.T @ observed / 3)
    assert record.cross_entropy.item() == pytest.approx(torch.tensor(3.0).log().item())
    assert record.batch_accuracy.item() == pytest.approx(2 / 3)  # all logits are 0: class 0 is named, and two are 0
    assert torch.equal(record.mistaken, batch.images[:1])
    assert state.iteration == 1 and not made.recogniser.weight.any()  # type: ignore[union-attr, operator]


def test_it_learns_what_can_be_learned() -> None:
    made, observed = learner(Adam(0.1, 0.01, beta1=0.9), 60), images(6)
    state, batch = made.init(stream(0)), Batch(observed, torch.arange(6))
    losses = []
    for _ in range(60):
        state, record = made.step(state, batch, stream(0))
        losses.append(record.cross_entropy.item())
    assert losses[-1] < 0.5 * losses[0] and record.batch_accuracy.item() > 0.8
    assert record.recogniser_lr == pytest.approx(0.01, rel=0.02)


def test_pictures_are_the_mistakes_where_there_are_any() -> None:
    made, observed, right = learner(), images(3), torch.tensor([False, True, False])
    state = made.init(stream(0))
    loss = torch.tensor(0.0)
    wrong = made.pictures(state, Record(loss, loss, 0.1, observed, right))["mistaken"]
    assert torch.equal(wrong, observed[[0, 2]])
    assert made.pictures(state, Record(loss, loss, 0.1, observed, right | True)) == {}


def test_a_state_goes_on_from_what_was_saved() -> None:
    def states(made: Supervised, state: State, count: int) -> State:
        for k in range(count):
            state, _ = made.step(state, Batch(images(6), torch.arange(6).roll(k)), stream(0))
        return state

    made = learner(Adam(0.1))
    whole = states(made, made.init(stream(0)), 4)
    half = states(made, made.init(stream(0)), 2)
    parted = made.load_state_dict(made.init(stream(0)), made.state_dict(half))
    assert parted.iteration == 2
    for k in (2, 3):
        parted, _ = made.step(parted, Batch(images(6), torch.arange(6).roll(k)), stream(0))
    assert isinstance(whole.recogniser, Linear) and isinstance(parted.recogniser, Linear)
    assert torch.equal(parted.recogniser.weight, whole.recogniser.weight) and parted.iteration == whole.iteration == 4
    assert made.finish(parted, stream(0)) is parted


def test_there_is_nothing_to_sample() -> None:
    made = learner()
    with pytest.raises(InputError, match="names the classes of images and makes none; measure it with --metric"):
        made.sample(made.init(stream(0)), 3, stream(0))


def test_learning_without_labels_is_refused() -> None:
    made = learner(labels=None)
    with pytest.raises(InputError, match="was given no labels; give the learner the class of each image"):
        made.step(made.init(stream(0)), Batch(images(3), torch.arange(3)), stream(0))


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (LABELS[:5], r"torch.int64 \[5\] were given for 6 images; give each image one whole number"),
        (LABELS.double(), r"torch.float64 \[6\] were given for 6 images"),
        (LABELS + 1, "labels from 1 to 3 were given, and the network tells 3 classes, 0 to 2; choose"),
        (LABELS - 1, "labels from -1 to 1 were given"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Tensor, says: str) -> None:
    check_labels(LABELS, 6, 3)
    with pytest.raises(InputError, match=says):
        check_labels(labels, 6, 3)


def test_a_plan_without_a_batch_is_refused() -> None:
    with pytest.raises(InputError, match="batch_size"):
        Plan(10, 0, PLAIN)
