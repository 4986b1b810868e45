"""What each metric is given of a data set, and what its numbers are set beside.

Real images were read from files of bytes. So that nothing else tells samples from them, samples are compared as a
picture file would hold them (`as_pictures`); the Parzen score alone takes them as they are, clamped.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch

from ..checks import InputError
from ..data import ImageSet, Splits, from_uint8, to_uint8
from ..metrics.average import Average
from ..metrics.parzen import ParzenScore, parzen
from ..metrics.pixel import pairwise_ssim
from ..metrics.portilla_simoncelli import portilla_simoncelli
from ..metrics.references import halves, shuffled_pixels, uniform_noise
from ..metrics.sliced import SCALES, SlicedDistance, patch_sliced_wasserstein
from ..rng import stream
from ..types import Images

Score = TypeVar("Score")


@dataclass(frozen=True)
class Measure(Generic[Score]):
    """What a metric needs to be taken of a run.

    Args:
        name: ends the name of each result, ``CoopNets descriptor NAME``; also names the stream that samples are drawn
            from.
        samples: how many images are drawn of each model.
        score: samples ``[samples, C, H, W]``, which may leave [−1, 1], to a score.
        beside: what no model is behind (real images, noise), by its name in the results.
        fields: a score as ``value``, ``stderr`` and ``n`` of a result, and whatever else belongs to it.
        facts: what holds for every score, and has to for two that are compared: the extractor, for example.
    """

    name: str
    samples: int
    score: Callable[[Images], Score]
    beside: Mapping[str, Callable[[], Score]]
    fields: Callable[[Score], dict[str, Any]]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def told(self, score: Score) -> dict[str, Any]:
        """What a result says of ``score``: its fields, and the facts."""
        return {**self.fields(score), **self.facts}


def parzen_measure(splits: Splits, samples: int, device: torch.device) -> Measure[ParzenScore]:
    """``samples`` windows; their width is chosen on all validation images, and all test images are scored.

    ``real images`` puts the windows on the first ``samples`` training images: what perfect samples would get.

    Raises ``InputError`` where the data have no validation or no test images.
    """
    for name, images in (("validation", splits.validation), ("test", splits.test)):
        if images is None:
            raise InputError(
                f"the data have no {name} images; the Parzen score needs validation images to choose its width "
                "by and test images to report on: evaluate on a set that has them (mnist, digits)"
            )

    @functools.cache
    def held_out() -> tuple[Images, Images]:
        assert splits.validation is not None and splits.test is not None
        validation, test = (images.batch(slice(None), device) for images in (splits.validation, splits.test))
        return _unit(validation), _unit(test)

    def score(images: Images) -> ParzenScore:
        return parzen(_unit(images), *held_out())

    def fields(score: ParzenScore) -> dict[str, Any]:
        of_width = {"width": score.width, "at_edge": score.at_edge}
        return {"value": score.mean, "stderr": score.stderr, "n": score.n, **of_width}

    real = {"real images": lambda: score(splits.train.batch(slice(0, samples), device))}
    return Measure("parzen", samples, score, real, fields)


def similarity_measure(splits: Splits, samples: int, seed: int, device: torch.device) -> Measure[Average]:
    """The structural similarity of pairs of samples (`tutelage.metrics.pixel.pairwise_ssim`), less where they vary.

    n is ``samples``, or as many training images as there are, if fewer. Beside stand ``real images``, n training images
    drawn by ``seed``, and ``noise``. Pairs are the same for all, and images are seen as a picture file would hold them.

    Raises ``InputError`` for fewer than 2 training images, or samples.
    """
    if min(samples, len(splits.train)) < 2:
        raise InputError(
            f"{samples} samples of a model of {len(splits.train)} training images were to be compared in pairs, no "
            "more than there are training images; that needs 2 or more of both"
        )
    n = min(samples, len(splits.train))

    def score(images: Images) -> Average:
        return pairwise_ssim(as_pictures(images), stream(seed, "pairs"))

    beside = {
        "real images": lambda: score(subset(splits.train, n, stream(seed, "training"), device)(slice(None))),
        "noise": lambda: score(uniform_noise((n, *splits.train.shape), stream(seed, "noise"), device)),
    }
    return Measure("pairwise-SSIM", n, score, beside, lambda score: score._asdict())


def texture_measure(splits: Splits, samples: int, seed: int, device: torch.device) -> Measure[SlicedDistance]:
    """The patch-sliced Wasserstein distance, with what `_of_texture` sets beside it; places and directions are the same
    for all.
    """

    def compare(a: Images, b: Images) -> SlicedDistance:
        return patch_sliced_wasserstein(a, b, stream(seed, "patches"))

    def fields(score: SlicedDistance) -> dict[str, Any]:
        scales = dict(zip((f"1/{scale}" for scale in SCALES), score.scales, strict=True))
        return {"value": score.value, "stderr": None, "scales": scales}

    return _of_texture("patch-SWD", compare, fields, splits, samples, seed, device)


def statistics_measure(splits: Splits, samples: int, seed: int, device: torch.device) -> Measure[float]:
    """The distance between Portilla-Simoncelli statistics, with what `_of_texture` sets beside it."""

    def fields(score: float) -> dict[str, Any]:
        return {"value": score, "stderr": None}

    return _of_texture("Portilla-Simoncelli", portilla_simoncelli, fields, splits, samples, seed, device)


def _of_texture(
    name: str,
    compare: Callable[[Images, Images], Score],
    fields: Callable[[Score], dict[str, Any]],
    splits: Splits,
    samples: int,
    seed: int,
    device: torch.device,
) -> Measure[Score]:
    """n samples against n training images, drawn from the second half of them.

    n is ``samples``, or half the training images, if fewer. ``real against real`` is the floor: n images of the first
    half. Crops of one image overlap, so it is lower than what new pictures of the same texture would get. The ceilings
    are ``shuffled pixels``, the same n images without their arrangement, and ``noise``, uniform. Everything is seen as
    a picture file would hold it (`as_pictures`).

    One training image alone is the reference as a whole, for ``samples`` samples, and its left half against its right
    half is the floor.
    """
    train, alone = splits.train, len(splits.train) == 1
    middle = len(train) // 2
    n = samples if alone else min(samples, middle)

    @functools.cache
    def reference() -> Images:
        return drawn(len(train) - middle, len(train)) if not alone else as_pictures(train.batch(slice(None), device))

    @functools.cache
    def real() -> tuple[Images, Images]:
        return (drawn(0, middle), reference()) if not alone else halves(reference())

    def drawn(start: int, stop: int) -> Images:
        some = train.subset(start, stop, train.name)
        return subset(some, n, stream(seed, "texture", start), device)(slice(None))

    def score(images: Images) -> Score:
        return compare(as_pictures(images), reference())

    beside = {
        "real against real": lambda: compare(*real()),
        "shuffled pixels": lambda: score(shuffled_pixels(real()[0], stream(seed, "shuffle"))),
        "noise": lambda: score(uniform_noise((n, *train.shape), stream(seed, "noise"), device)),
    }
    return Measure(name, n, score, beside, lambda score: {**fields(score), "n": n})


def subset(images: ImageSet, n: int, rng: torch.Generator, device: torch.device) -> Callable[[slice], Images]:
    """A reader of ``n`` different images, drawn at random, as pictures."""
    order = torch.randperm(len(images), generator=rng)[:n]
    return lambda some: as_pictures(images.batch(order[some], device))


def _unit(images: Images) -> Images:
    """[-1, 1] to [0, 1]; chains that left the range are clamped."""
    return (images.clamp(-1, 1) + 1) / 2


def not_finite(images: Images) -> int:
    """How many images hold a number that is not finite."""
    return len(images) - int(torch.isfinite(images.flatten(1)).all(1).sum())


def as_pictures(images: Images) -> Images:
    """Float32 images in [−1, 1] as a picture file would hold them: clamped, and rounded to 256 levels.

    Real images were read from such files, so samples are compared in the same form. Raises ``InputError`` for numbers
    that are not finite, which a picture would hide.
    """
    broken = not_finite(images)
    if broken:
        raise InputError(
            f"{broken} of {len(images)} images hold numbers that are not finite; measuring needs finite ones: evaluate "
            "an earlier checkpoint, or sample with a smaller step"
        )
    return from_uint8(to_uint8(images))
