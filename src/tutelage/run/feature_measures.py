"""What metrics of features are given of a data set: distances, precision and recall, what a classifier says.

Real images were read from files of bytes, so samples are compared as a picture file would hold them
(`tutelage.run.measures.as_pictures`). Every number is called after its extractor (``FD-mobilenetv2-128``); the names
that stand for published numbers, FID, KID and IS, are for the published network alone.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..checks import InputError
from ..data import ImageSet, Splits
from ..metrics.average import Average
from ..metrics.class_scores import ClassScores, class_scores
from ..metrics.extractors import Extractor
from ..metrics.frechet import FrechetScore, Moments, frechet, merged, moments
from ..metrics.inception_score import InceptionScore, inception_score
from ..metrics.kernel_distance import KernelDistance, kernel_distance
from ..metrics.manifold import density_coverage, precision_recall
from ..metrics.references import uniform_noise
from ..parts import put_together
from ..rng import stream
from ..types import Images
from .measures import Measure, as_pictures, subset

PARTS = 5
"""Parts that the jackknife leaves out in turn."""
_TOGETHER = 100  # images read at a time


def frechet_measure(
    splits: Splits, extractor: Extractor, samples: int, seed: int, device: torch.device
) -> Measure[FrechetScore]:
    """n samples against n held-out images: the test images or, where there are none, the validation images.

    n is ``samples``, or as many held-out or training images as there are, if fewer: the distance depends on n, so one n
    holds for all. Which n real images are taken is drawn from ``seed``. Beside the models stand ``real against real``,
    n training images, the floor, and ``noise``, n images of uniform noise, the ceiling. Everything is seen as a picture
    file would hold it (`as_pictures`).

    Raises ``InputError`` where the data hold no images out.
    """
    held_out, n = _held_out(splits, samples, "a Fréchet distance")

    def of(read: Callable[[slice], Images]) -> list[Moments]:
        return _moments(extractor, read, n)

    @functools.cache
    def reference() -> list[Moments]:
        return of(subset(held_out, n, stream(seed, "held out"), device))

    def score(images: Images) -> FrechetScore:
        return frechet(of(lambda some: as_pictures(images[some])), reference())

    def real() -> FrechetScore:
        return frechet(of(subset(splits.train, n, stream(seed, "training"), device)), reference())

    def noise() -> FrechetScore:
        return score(uniform_noise((n, *splits.train.shape), stream(seed, "noise"), device))

    def fields(score: FrechetScore) -> dict[str, Any]:
        return {
            "value": score.value,
            "stderr": score.stderr,
            "n": score.n,
            "held_out_n": score.reference_n,
            "rank_deficient": score.rank_deficient,
        }

    beside = {"real against real": real, "noise": noise}
    return Measure(extractor.distance, n, score, beside, fields, _of(extractor))


def kernel_measure(
    splits: Splits, extractor: Extractor, samples: int, seed: int, device: torch.device
) -> Measure[KernelDistance]:
    """The kernel distance of n samples to n held-out images; n, the images and what stands beside are those of
    `frechet_measure`. Subsets are of 1 000 images, or of n / 2 if fewer.

    Raises ``InputError`` where the data hold no images out, and for n below 4.
    """
    return _kernel_measure(_compared(splits, extractor, samples, seed, device, "a kernel distance"))


def _kernel_measure(sets: _FeatureSets) -> Measure[KernelDistance]:
    extractor, seed = sets.extractor, sets.seed
    _check_enough(sets.n, 4, "a kernel distance", "2 in each of 2 subsets")

    def score(features: Tensor) -> KernelDistance:
        rng = stream(seed, "subsets")
        return kernel_distance(features, sets.reference, rng, size=min(1000, sets.n // 2))

    def fields(score: KernelDistance) -> dict[str, Any]:
        more = {"std_of_subsets": score.std, "subsets": score.subsets, "subset_size": score.size}
        return {"value": score.value, "stderr": None, "n": score.n, **more}

    return sets.measure("KID" if extractor.published else f"KD-{extractor.name}", score, fields)


def manifold_measures(
    splits: Splits, extractor: Extractor, samples: int, seed: int, device: torch.device
) -> list[Measure[float]]:
    """Precision, recall, density and coverage of n samples; n, the images and what stands beside are those of
    `frechet_measure`.

    Raises ``InputError`` where the data hold no images out, and for n below 6.
    """
    return _manifold_measures(_compared(splits, extractor, samples, seed, device, "precision and recall"))


def _manifold_measures(sets: _FeatureSets) -> list[Measure[float]]:
    _check_enough(sets.n, 6, "precision, recall, density and coverage", "5 of them neighbours")
    pairs = {
        ("precision", "recall"): functools.lru_cache(maxsize=1)(lambda x: precision_recall(x, sets.reference)),
        ("density", "coverage"): functools.lru_cache(maxsize=1)(lambda x: density_coverage(x, sets.reference)),
    }

    def fields(score: float) -> dict[str, Any]:
        return {"value": score, "stderr": None, "n": sets.n}

    def measure(name: str, scores: Callable[[Tensor], Any]) -> Measure[float]:
        return sets.measure(f"{name}-{sets.extractor.name}", lambda features: getattr(scores(features), name), fields)

    return [measure(name, scores) for names, scores in pairs.items() for name in names]


def kernel_and_manifold_measures(
    splits: Splits, extractor: Extractor, samples: int, near: int, seed: int, device: torch.device
) -> tuple[Measure[KernelDistance], list[Measure[float]]]:
    """`kernel_measure` of ``samples`` images and `manifold_measures` of ``near``; where these come to as many, all of
    them share the features, which are made and kept once.

    Raises ``InputError`` as those do.
    """
    sets = _compared(splits, extractor, samples, seed, device, "a kernel distance")
    fewer = _compared(splits, extractor, near, seed, device, "precision and recall")
    return _kernel_measure(sets), _manifold_measures(sets if fewer.n == sets.n else fewer)


def inception_measure(
    splits: Splits, extractor: Extractor, samples: int, seed: int, device: torch.device
) -> Measure[InceptionScore]:
    """The Inception Score of n samples in 10 parts (fewer where n is below 20); ``stderr`` is the spread over the
    parts, as papers give it (over all of them), divided by √(parts − 1).

    n is ``samples``, or as many training images as there are, if fewer: the score depends on n. Beside the models stand
    ``real images``, n training images drawn by ``seed``, and ``noise``. It needs no images that were held out.

    Raises ``InputError`` for an extractor that is no classifier, and for n below 4.
    """
    sets = _classified(splits, extractor, samples, seed, device)
    _check_enough(sets.n, 4, "an Inception Score", "2 in each of 2 parts")

    def score(features: Tensor) -> InceptionScore:
        logits = (extractor.logits(part) for part in features.split(_TOGETHER))
        return inception_score(logits, min(10, len(features) // 2))

    def fields(score: InceptionScore) -> dict[str, Any]:
        more = {"std_of_parts": score.std, "parts": score.splits}
        return {"value": score.value, "stderr": score.std / (score.splits - 1) ** 0.5, "n": score.n, **more}

    return sets.measure("IS" if extractor.published else f"IS-{extractor.name}", score, fields, "real images")


def class_measures(
    splits: Splits, extractor: Extractor, target: int, samples: int, seed: int, device: torch.device
) -> list[Measure[Average]]:
    """The probability of class ``target`` and its top-5 error, of n samples; n, and what stands beside, are those of
    `inception_measure`.

    Raises ``InputError`` for an extractor that is no classifier or has not this class.
    """
    sets = _classified(splits, extractor, samples, seed, device)
    if not 0 <= target < extractor.classes:
        raise InputError(
            f"class {target} was asked for, and the extractor {extractor.name} has those from 0 to "
            f"{extractor.classes - 1}; give its index for the class looked for"
        )
    sets.facts["class_index"] = target
    scores = functools.lru_cache(maxsize=1)(lambda features: class_scores(extractor.class_logits(features), target))

    def measure(name: str, of: Callable[[ClassScores], Average]) -> Measure[Average]:
        named = f"{name}-{extractor.name}"
        return sets.measure(named, lambda features: of(scores(features)), Average._asdict, "real images")

    probability = measure("class-probability", lambda score: score.probability)
    return [probability, measure("top-5-error", lambda score: score.top_error)]


class _FeatureSets:
    """The features of held-out images, of training images and of noise, each made once, when they are first needed."""

    def __init__(
        self,
        splits: Splits,
        extractor: Extractor,
        n: int,
        seed: int,
        device: torch.device,
        held_out: ImageSet | None = None,
    ) -> None:
        self.extractor, self.n, self.held_out = extractor, n, held_out
        self.splits, self.seed, self.device = splits, seed, device
        self.facts = _of(extractor)
        # of the last images: the measures of one drawing ask for the same features one after the other
        self.of = functools.lru_cache(maxsize=1)(lambda images: self._read(lambda some: as_pictures(images[some])))

    @functools.cached_property
    def reference(self) -> Tensor:
        assert self.held_out is not None
        return self._read(subset(self.held_out, self.n, stream(self.seed, "held out"), self.device))

    @functools.cached_property
    def real(self) -> Tensor:
        return self._read(subset(self.splits.train, self.n, stream(self.seed, "training"), self.device))

    @functools.cached_property
    def noise(self) -> Tensor:
        return self.of(uniform_noise((self.n, *self.splits.train.shape), stream(self.seed, "noise"), self.device))

    def measure(
        self,
        name: str,
        score: Callable[[Tensor], Any],
        fields: Callable[[Any], dict[str, Any]],
        real: str = "real against real",
    ) -> Measure:
        """A measure whose ``score`` is one of features ``[n, d]``."""
        beside = {real: lambda: score(self.real), "noise": lambda: score(self.noise)}
        return Measure(name, self.n, lambda images: score(self.of(images)), beside, fields, self.facts)

    def _read(self, read: Callable[[slice], Images]) -> Tensor:
        starts = range(0, self.n, _TOGETHER)
        parts = (self.extractor(read(slice(start, min(start + _TOGETHER, self.n)))) for start in starts)
        return put_together(parts, self.n)


def _of(extractor: Extractor) -> dict[str, Any]:
    return {"extractor": extractor.name, "extractor_sha256": extractor.sha256}


def _compared(
    splits: Splits, extractor: Extractor, samples: int, seed: int, device: torch.device, what: str
) -> _FeatureSets:
    """What is compared with images that were held out. Raises ``InputError`` where there are none."""
    held_out, n = _held_out(splits, samples, what)
    return _FeatureSets(splits, extractor, n, seed, device, held_out)


def _classified(splits: Splits, extractor: Extractor, samples: int, seed: int, device: torch.device) -> _FeatureSets:
    """What a classifier says needs no held-out images. Raises ``InputError`` for an extractor that is none."""
    sets = _FeatureSets(splits, extractor, min(samples, len(splits.train)), seed, device)
    sets.facts["classes"] = extractor.classes
    return sets


def _held_out(splits: Splits, samples: int, what: str) -> tuple[ImageSet, int]:
    """Images that were not learned from, and how many of them (and of samples, and of training images) are taken."""
    held_out = splits.test or splits.validation
    if held_out is None:
        raise InputError(
            f"the data have no test and no validation images; {what} needs real images that were not "
            "learned from: evaluate on a set that holds some out (of pictures: a folder test/ beside a folder train/, "
            "or learn with --set data.held_out=1000, reproduce with --held-out 1000)"
        )
    return held_out, min(samples, len(held_out), len(splits.train))


def _check_enough(n: int, least: int, what: str, why: str) -> None:
    if n < least:
        raise InputError(
            f"{n} images were given; {least} or more are needed for {what}, {why}: use more images, or ask for more "
            "samples"
        )


def _moments(extractor: Extractor, read: Callable[[slice], Images], n: int) -> list[Moments]:
    """The moments of images 0 … n − 1 in parts for the jackknife; too few to be cut are one part."""
    parts = PARTS if n >= 2 * PARTS else 1
    bounds = [n * part // parts for part in range(parts + 1)]
    return [
        merged(
            moments(features)
            for start in range(low, high, _TOGETHER)
            for features in extractor.chunks(read(slice(start, min(start + _TOGETHER, high))))
        )
        for low, high in itertools.pairwise(bounds)
    ]
