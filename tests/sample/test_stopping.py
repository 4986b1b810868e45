"""When each stop rule fires, on logits made by hand."""

from __future__ import annotations

import json
import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from tutelage.checks import InputError
from tutelage.sample import AscentInfo, CrossEntropyRule, EnoughSteps, ProbabilityRule, StopRule
from tutelage.types import Scored


class Told(NamedTuple):
    """What the classifiers of an energy tell."""

    scored: tuple[Scored, ...]


def info(logits: Tensor, *older: Tensor) -> AscentInfo:
    """A step that saw the logits ``[B, K]`` of the newest classifier, after those of older ones."""
    return AscentInfo(-logits.sum(1), Told((*map(Scored, older), Scored(logits))))


def of_probability(*values: object) -> Tensor:
    """Logits of patches with these probabilities."""
    return torch.logit(torch.tensor(values, dtype=torch.float64))


def answers(rule: StopRule, *steps: AscentInfo) -> list:
    """What a rule says after each step, as plain bools or lists of them."""
    state, said = rule.init(), []
    for step in steps:
        state, stop = rule.observe(state, step)
        assert stop.dtype == torch.bool
        said.append(stop.tolist())
    return said


# --- probability


def test_a_probability_is_averaged_over_the_last_steps() -> None:
    steps = [info(of_probability([p])) for p in (0.9, 0.2, 0.35, 0.8, 0.1, 0.7)]
    # means of three: .483, .45, .417, .533
    assert answers(ProbabilityRule(window=3), *steps) == [False] * 5 + [True]


def test_a_window_that_is_not_full_stops_nothing() -> None:
    certain = info(of_probability([0.99, 0.99]))
    assert answers(ProbabilityRule(window=4), *[certain] * 5) == [False, False, False, True, True]
    assert answers(ProbabilityRule(), *[certain] * 20) == [False] * 19 + [True]


def test_a_probability_needs_to_exceed_the_boundary() -> None:
    rule = ProbabilityRule(window=2)
    even, above = info(torch.zeros(2, 3, dtype=torch.float64)), info(torch.full((2, 3), 1e-9, dtype=torch.float64))
    assert answers(rule, even, even, above) == [False, False, True]
    assert answers(ProbabilityRule(1, probability=0.8), *[info(of_probability([p])) for p in (0.79, 0.81)]) == [
        False,
        True,
    ]


def test_probabilities_are_averaged_and_not_logits() -> None:
    # the mean logit is far above 0; the mean probability is a third
    assert answers(ProbabilityRule(1), info(torch.tensor([[50.0, -10.0, -10.0]]))) == [False]


def test_a_probability_is_that_of_the_batch_or_of_each_image() -> None:
    steps = [info(of_probability([0.9, 0.9], [0.1, 0.3])), info(of_probability([0.9, 0.9], [0.6, 0.8]))]
    assert answers(ProbabilityRule(2), *steps) == [False, True]
    assert answers(ProbabilityRule(2, per_image=True), *steps) == [[False, False], [True, False]]
    assert answers(ProbabilityRule(1, per_image=True), *steps) == [[True, False], [True, True]]


# --- cross-entropy


def test_a_cross_entropy_stops_at_its_first_low_value() -> None:
    # the cross-entropy to label 1 is −ln p
    steps = [info(of_probability([p])) for p in (0.2, math.exp(-0.63), math.exp(-0.61), 0.3)]
    assert answers(CrossEntropyRule(), *steps) == [False, False, True, False]


def test_a_cross_entropy_may_equal_the_threshold() -> None:
    zero = info(torch.zeros(2, 2, dtype=torch.float64))
    assert answers(CrossEntropyRule(math.log(2)), zero) == [True]
    assert answers(CrossEntropyRule(math.nextafter(math.log(2), 0)), zero) == [False]


def test_cross_entropies_are_averaged_over_the_batch_or_over_each_image() -> None:
    far = of_probability([math.exp(-0.1), math.exp(-0.3)], [math.exp(-0.5), math.exp(-1.5)])  # means .2, 1, and .6
    assert answers(CrossEntropyRule(0.62), info(far)) == [True]
    assert answers(CrossEntropyRule(0.59), info(far)) == [False]
    assert answers(CrossEntropyRule(0.62, per_image=True), info(far)) == [[True, False]]


def test_a_far_logit_gives_a_finite_cross_entropy() -> None:
    assert answers(CrossEntropyRule(1000.0), info(torch.tensor([[-999.0]])), info(torch.tensor([[-1001.0]]))) == [
        True,
        False,
    ]


# --- a number of steps


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_enough_steps_stops_at_the_step_too_many(steps: int) -> None:
    anything = AscentInfo(torch.zeros(2), None)
    assert answers(EnoughSteps(steps), *[anything] * 5) == [False] * steps + [True] * (5 - steps)


# --- all of them


@pytest.mark.parametrize("rule", [ProbabilityRule(1), CrossEntropyRule()], ids=repr)
def test_the_newest_classifier_is_asked(rule) -> None:
    low, high = of_probability([0.1]), of_probability([0.9])
    assert answers(rule, info(high, low, low), info(low, high, high)) == [True, False]


@pytest.mark.parametrize(
    "rule",
    [ProbabilityRule(3), ProbabilityRule(3, per_image=True), CrossEntropyRule(), EnoughSteps(2)],
    ids=repr,
)
@pytest.mark.parametrize("precision", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_state_saved_as_numbers_goes_on(rule, precision) -> None:
    steps = [info(of_probability([p, 0.45], [p, 0.3]).to(precision)) for p in (0.4, 0.8, 0.9, 0.6, 0.2)]
    state, kept = rule.init(), rule.init()
    for step in steps:
        plain = [value.tolist() if isinstance(value, Tensor) else value for value in state]
        state, stop = rule.observe(json.loads(json.dumps(plain)), step)
        kept, expected = rule.observe(kept, step)
        assert torch.equal(stop, expected)
        assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(state, kept, strict=True))


def test_a_window_remembers_no_more_than_it_needs() -> None:
    rule, state = ProbabilityRule(3), ProbabilityRule(3).init()
    for p in (0.1, 0.2, 0.3, 0.4, 0.5):
        state, _ = rule.observe(state, info(of_probability([p])))
    torch.testing.assert_close(torch.stack(state), torch.tensor([0.3, 0.4, 0.5], dtype=torch.float64))


@pytest.mark.parametrize("rule", [ProbabilityRule(1), CrossEntropyRule()], ids=repr)
def test_what_is_not_a_number_stops_nothing(rule) -> None:
    assert answers(rule, info(torch.tensor([[math.nan, 5.0]]))) == [False]


@pytest.mark.parametrize("rule", [ProbabilityRule(1), CrossEntropyRule()], ids=repr)
@pytest.mark.parametrize(("aux", "kind"), [(None, "NoneType"), (Told(()), "Told"), (3, "int")])
def test_a_rule_without_logits_says_so(rule, aux, kind: str) -> None:
    message = rf"{type(rule).__name__}\(.*reads the logits.*aux is {kind}\).*tilted by a classifier.*EnoughSteps"
    with pytest.raises(InputError, match=message):
        rule.observe(rule.init(), AscentInfo(torch.zeros(1), aux))


@pytest.mark.parametrize(
    ("rule", "fields", "message"),
    [
        (ProbabilityRule, {"window": 0}, "window of 1 step or more, not 0"),
        (ProbabilityRule, {"probability": 1.0}, "probability between 0 and 1, not 1.0"),
        (ProbabilityRule, {"probability": float("nan")}, "probability between 0 and 1, not nan"),
        (CrossEntropyRule, {"threshold": 0.0}, "threshold above 0, not 0.0"),
        (CrossEntropyRule, {"threshold": float("inf")}, "threshold above 0, not inf"),
        (EnoughSteps, {"steps": -1}, "0 or more steps, not -1"),
    ],
)
def test_what_cannot_work_is_refused(rule, fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rule(**fields)
