r"""What a classifier takes samples of one class for (CoopNets §4.2, Fig. 7).

With p(y|x_i) the softmax of the classifier's logits for image i of n, and c the class that was learned,

    class probability = 1/n Σ_i p(c|x_i)          top-5 error = 1/n Σ_i [c is not among the 5 largest p(·|x_i)]

A class that ties with c counts as larger: a classifier that cannot tell has not named it. Both measure how
recognisable the images are and nothing of how they vary; the paper sets `tutelage.metrics.pixel.pairwise_ssim` beside
them.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ..checks import InputError
from .average import Average, average
from .inputs import check_logits


class ClassScores(NamedTuple):
    """Means over images with their standard errors."""

    probability: Average
    """Of the class, in [0, 1]."""
    top_error: Average
    """A fraction in [0, 1]."""


def class_scores(logits: Tensor, target: int, top: int = 5) -> ClassScores:
    """The probability and the top-``top`` error of class ``target`` in logits ``[n, K]``, K > ``top``.

    Raises ``InputError`` for what are no such logits, and a target or ``top`` that K classes do not have.
    """
    check_logits(logits, "a class's score")
    classes = logits.shape[1]
    if not (0 <= target < classes and 0 < top < classes):
        raise InputError(
            f"class {target} and the {top} most probable were asked for of {classes} classes; it needs a class of 0 "
            f"to {classes - 1}, and 1 to {classes - 1} most probable"
        )
    numbers = logits.detach().double()
    as_large = (numbers >= numbers[:, target, None]).sum(1)  # the target among them
    return ClassScores(average(numbers.softmax(1)[:, target]), average((as_large > top).double()))
