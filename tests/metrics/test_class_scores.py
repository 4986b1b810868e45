"""A class's probability and top-5 error against scikit-learn's and by hand."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import top_k_accuracy_score
from torch import Tensor

from tutelage.checks import InputError
from tutelage.metrics.class_scores import class_scores
from tutelage.rng import stream

LOGITS = 2 * torch.randn((50, 9), generator=stream(0, "logits"), dtype=torch.float64)


@pytest.mark.parametrize("target", [0, 4, 8])
@pytest.mark.parametrize("top", [1, 5, 8])
def test_they_agree_with_scipy_and_scikit_learn(target: int, top: int) -> None:
    found = class_scores(LOGITS, target, top)
    p = softmax(LOGITS.numpy(), 1)[:, target]
    assert found.probability == pytest.approx((p.mean(), p.std(ddof=1) / math.sqrt(50), 50), rel=1e-12)
    right = top_k_accuracy_score(np.full(50, target), LOGITS.numpy(), k=top, labels=np.arange(9))
    assert found.top_error.value == pytest.approx(1 - right, abs=1e-12)
    expected = math.sqrt(right * (1 - right) / 49)
    assert found.top_error.stderr == pytest.approx(expected, rel=1e-9)


def test_by_hand() -> None:
    # p(c) = e / (e + 6), 1/7 and 1/(1 + 6 e); third of all, and a tie of all seven, which names nothing
    logits = torch.tensor([[1.0, 0, 0, 0, 0, 0, 0], [0] * 7, [0.0, 1, 1, 1, 1, 1, 1], [3.0, 4, 4, 2, 2, 2, 2]])
    found = class_scores(logits[:3], 0)
    expected = [math.e / (math.e + 6), 1 / 7, 1 / (1 + 6 * math.e)]
    assert found.probability.value == pytest.approx(statistics.fmean(expected), rel=1e-12)
    assert found.top_error.value == pytest.approx(2 / 3)
    assert [class_scores(logits[3:], 0, top).top_error.value for top in (1, 2, 3, 4)] == [1, 1, 0, 0]


def test_a_class_of_no_probability_and_one_of_all() -> None:
    logits = torch.tensor([[0.0, -math.inf, -math.inf]])
    assert class_scores(logits, 0, 1)[:2] == ((1, None, 1), (0, None, 1))
    assert class_scores(logits, 1, 1)[:2] == ((0, None, 1), (1, None, 1))


@pytest.mark.parametrize(
    ("logits", "target", "top", "says"),
    [
        (LOGITS, 9, 5, "class 9 and the 5 most probable .* of 9 classes; it needs a class of 0 to 8"),
        (LOGITS, -1, 5, "class -1 "),
        (LOGITS, 0, 9, "the 9 most probable .*1 to 8 most probable"),
        (LOGITS, 0, 0, "the 0 most probable"),
        (LOGITS[0], 0, 5, r"a class's score needs floats \[n, K\]"),
        (LOGITS * math.nan, 0, 5, "50 of 50 images are NaN"),
    ],
)
def test_what_has_no_scores_is_refused(logits: Tensor, target: int, top: int, says: str) -> None:
    with pytest.raises(InputError, match=says):
        class_scores(logits, target, top)
