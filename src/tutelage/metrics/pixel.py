r"""Images against their originals, pixel by pixel: PSNR, structural similarity, and recovery of hidden pixels.

Images are in [−1, 1], a range of 2. Each number is a mean over images with its standard error, and everything is
float64.

    PSNR = 10 log₁₀( range² / mean (x̂ − x)² )

Structural similarity is that of Wang et al. (2004), computed by scikit-image with the settings of that paper: windows
of 11 × 11 that lie in the image, Gaussian of σ = 1.5, population covariances, K₁ = .01, K₂ = .03, and a data range
of 2; of colour images the mean over channels. Its luminance term, (2 μ_a μ_b + C₁) / (μ_a² + μ_b² + C₁), counts from
black, so 1 is added to the images first. Other programs have other windows (scikit-image's own default is 7 × 7,
uniform; torchmetrics also takes windows that stick out), and other numbers.

The average over pairs of images of one set tells how varied it is (CoopNets Fig. 7): a model that makes one image only
has 1.

Recovery (CoopNets §4.6, Table 5) counts hidden pixels alone, of each colour channel: the error is mean |x̂ − x| / range,
and the mean in the PSNR is over them. Each image has its own two numbers, which are averaged over images; Table 5 says
so of the error, and leaves open of what its PSNR is the mean.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import InputError, optional
from ..types import Images, Scores
from .average import Average, average
from .extractors import check_images

RANGE = 2.0
_WINDOW = 11


class Recovery(NamedTuple):
    """Of the hidden pixels of each image, ``[B]``: the mean absolute error as a fraction of the range, and the PSNR in
    decibels."""

    error: Scores
    psnr: Scores


def psnr(images: Images, originals: Images) -> Average:
    """The mean PSNR, in decibels, of images ``[B, C, H, W]`` against originals of the same shape, in [−1, 1].

    It is infinite where an image equals its original. Raises ``InputError`` for what are no such images.
    """
    _check_pairs(images, originals, "PSNR")
    return average(_decibels((images.double() - originals.double()).square().flatten(1).mean(1)))


def ssim(images: Images, originals: Images) -> Average:
    """The mean structural similarity of images ``[B, C, H, W]`` and originals of the same shape, in [−1, 1].

    Raises ``InputError`` for what are no such images or smaller than a window, and where scikit-image is missing.
    """
    _check_pairs(images, originals, "structural similarity")
    return average(_similarities(images, originals))


def pairwise_ssim(images: Images, rng: torch.Generator, pairs: int = 1000) -> Average:
    """The mean structural similarity of two different images of one set ``[B, C, H, W]`` in [−1, 1], B ≥ 2.

    All pairs are taken where there are at most ``pairs``; otherwise as many are drawn, each anew. Pairs share images,
    so the standard error is the jackknife's, with the pairs of one image left out in turn; it errs upwards, by a
    factor of at most √2 or so. It is None for 2 images.

    Raises ``InputError`` as `ssim` does, and for fewer than 2 images or pairs.
    """
    check_images(images, "structural similarity")
    if len(images) < 2 or pairs < 2:
        raise InputError(
            f"{pairs} pairs of {len(images)} images were asked for; their similarity needs 2 pairs or more, of 2 "
            "images or more"
        )
    first, second = _pairs(len(images), pairs, rng)
    scores = _similarities(images[first.to(images.device)], images[second.to(images.device)])
    return Average(scores.mean().item(), _jackknife(scores, first, second, len(images)), len(images))


def recovery(recovered: Images, originals: Images, mask: Tensor) -> Recovery:
    """How well the hidden pixels of each image were recovered (CoopNets Table 5).

    Args:
        recovered: ``[B, C, H, W]`` in [−1, 1]; what it has at observed pixels does not matter.
        originals: of the same shape.
        mask: 1 = observed, 0 = hidden, as `tutelage.energy.posterior.Posterior` has it; booleans or numbers of 4
            dimensions that broadcast against the images, ``[B, 1, H, W]`` or ``[1, 1, H, W]``.

    Raises:
        InputError: what are no such images, a mask of another shape or of other numbers, or one that hides no pixel of
            an image.
    """
    _check_pairs(recovered, originals, "recovery")
    if mask.ndim != 4 or any(size not in (1, whole) for size, whole in zip(mask.shape, originals.shape, strict=True)):
        raise InputError(
            f"a mask {list(mask.shape)} was given for images {list(originals.shape)}; recovery needs one that "
            "broadcasts against them: [B, 1, H, W], or [1, 1, H, W] for all"
        )
    if not ((mask == 0) | (mask == 1)).all():
        raise InputError("the mask holds numbers other than 0 and 1; recovery needs 1 = observed and 0 = hidden")
    hidden = (mask == 0).to(originals.device).expand_as(originals).flatten(1)
    counts = hidden.sum(1)
    if not counts.all():
        raise InputError(
            f"the mask hides no pixel of {int((counts == 0).sum())} of {len(counts)} images; recovery is measured on "
            "hidden ones: mark them by 0"
        )
    difference = (recovered.double() - originals.double()).flatten(1) * hidden
    absolute, squared = (of.sum(1) / counts for of in (difference.abs(), difference.square()))
    return Recovery(absolute / RANGE, _decibels(squared))


def _check_pairs(images: Images, originals: Images, what: str) -> None:
    """Raises ``InputError`` for what are no two batches of one shape ``[B, 1 or 3, H, W]``, floats in [−1, 1]."""
    for some in (images, originals):
        check_images(some, what)
    if images.shape != originals.shape:
        raise InputError(
            f"images {list(images.shape)} were given beside {list(originals.shape)}; {what} compares each with its "
            "own original: give as many of one shape"
        )


def _decibels(squared: Scores) -> Scores:
    return 10 * (RANGE**2 / squared).log10()


def _similarities(a: Images, b: Images) -> Scores:
    """Of each image and its partner: ``[B]``, float64. Raises ``InputError`` as `ssim` does."""
    if min(a.shape[-2:]) < _WINDOW:
        raise InputError(
            f"images of {a.shape[-2]} x {a.shape[-1]} hold no window of {_WINDOW} x {_WINDOW}, which structural "
            "similarity needs: give larger ones"
        )
    with optional("structural similarity needs scikit-image", "ssim"):
        from skimage.metrics import structural_similarity
    settings = {"data_range": RANGE, "channel_axis": 0, "gaussian_weights": True, "sigma": 1.5}
    pairs = zip(*((of.detach().cpu().double() + 1).numpy() for of in (a, b)), strict=True)
    scores = [structural_similarity(x, y, use_sample_covariance=False, **settings) for x, y in pairs]
    return torch.tensor(scores, dtype=torch.float64)


def _pairs(n: int, pairs: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two different indices below ``n`` for each pair, on the CPU."""
    if n * (n - 1) // 2 <= pairs:
        first, second = torch.triu_indices(n, n, 1)
        return first, second
    first = torch.randint(n, (pairs,), generator=rng, device=rng.device).cpu()
    shift = torch.randint(1, n, (pairs,), generator=rng, device=rng.device).cpu()
    return first, (first + shift) % n


def _jackknife(scores: Scores, first: Tensor, second: Tensor, n: int) -> float | None:
    """stderr² = (n − 1) / n · Σ_i (mean without image i − mean of these)²; None where an image is in all pairs."""
    ones = torch.ones_like(scores)
    sums, counts = (
        torch.zeros(n, dtype=torch.float64).index_add(0, first, of).index_add(0, second, of) for of in (scores, ones)
    )
    left = len(scores) - counts
    if not left.all():
        return None
    without = (scores.sum() - sums) / left
    return math.sqrt(n - 1) * without.std(correction=0).item()
