"""What several metrics refuse, said once: images out of range, feature vectors or logits that are none, small sets.

``what`` is the metric that was to take them, as a sentence has it: "a Fréchet distance".
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..checks import InputError
from ..types import Images


def check_range(images: Images, what: str) -> None:
    """Refuse images, one or more, that are not finite or not in [−1, 1], up to rounding. Raises ``InputError``."""
    low, high = images.min().item(), images.max().item()
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(
            f"{what} was given images with numbers that are not finite; it needs finite ones in [-1, 1]: look at where "
            "they came from"
        )
    if low < -1 - 1e-6 or high > 1 + 1e-6:
        raise InputError(
            f"{what} was given images in [{low:.3g}, {high:.3g}]; it needs them in [-1, 1]: clamp samples, and "
            "scale [0, 1] images by 2 x - 1"
        )


def check_features(features: Tensor, what: str) -> None:
    """Refuse what is no finite ``[n, d]`` with n, d ≥ 1. Raises ``InputError``."""
    if features.ndim != 2 or features.numel() == 0:
        raise InputError(
            f"features of shape {list(features.shape)} were given; {what} needs [n, d] with n and d of 1 or more: give "
            "what an extractor gives"
        )
    broken = len(features) - int(torch.isfinite(features).all(1).sum())
    if broken:
        raise InputError(
            f"the features of {broken} of {len(features)} images are NaN or infinite; {what} needs finite ones: look "
            "at the images and the extractor they came from"
        )


def check_two_sets(features: Tensor, reference: Tensor, what: str, least: int) -> None:
    """Refuse two sets of features that are no such, of unlike length, or of fewer than ``least``.

    Raises ``InputError``.
    """
    for some in (features, reference):
        check_features(some, what)
    if features.shape[1] != reference.shape[1] or min(len(features), len(reference)) < least:
        raise InputError(
            f"sets of {len(features)} and {len(reference)} feature vectors of length {features.shape[1]} and "
            f"{reference.shape[1]} were given; {what} needs {least} or more in each, from one extractor: use more "
            "images, and the same extractor for both"
        )


def check_logits(logits: Tensor, what: str) -> None:
    """Refuse what is no ``[n, K]`` of floats, n ≥ 1 and K ≥ 2, with a largest finite one in each row.

    A logit of −∞ is a class of probability 0. Raises ``InputError``.
    """
    if logits.ndim != 2 or len(logits) == 0 or logits.shape[1] < 2 or not logits.is_floating_point():
        raise InputError(
            f"logits {logits.dtype} {list(logits.shape)} were given; {what} needs floats [n, K] of one image or more "
            "and 2 classes or more: give what the classifier's last layer gives"
        )
    broken = int((~torch.isfinite(logits.amax(1))).sum())  # a NaN is the largest of its row
    if broken:
        raise InputError(
            f"the logits of {broken} of {len(logits)} images are NaN, +∞, or all −∞; {what} needs a largest one that "
            "is finite: look at the images and the classifier they came from"
        )
