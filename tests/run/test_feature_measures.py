"""Metrics of features are given the right images, in the right form, beside the right floor and ceiling."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tiny_recipes import tiny_images
from tutelage.checks import InputError
from tutelage.data import ImageSet, Splits, from_array
from tutelage.metrics.class_scores import class_scores
from tutelage.metrics.extractors import Extractor
from tutelage.metrics.frechet import frechet_distance, moments
from tutelage.metrics.inception_score import inception_score
from tutelage.metrics.kernel_distance import KernelDistance, kernel_distance
from tutelage.metrics.manifold import density_coverage, precision_recall
from tutelage.metrics.references import uniform_noise
from tutelage.rng import stream
from tutelage.run import feature_measures
from tutelage.run.feature_measures import (
    class_measures,
    frechet_measure,
    inception_measure,
    kernel_and_manifold_measures,
    kernel_measure,
    manifold_measures,
)
from tutelage.run.measures import Measure, as_pictures

CPU = torch.device("cpu")
ALL = tiny_images(60)
SPLITS = Splits(ALL.subset(0, 30, "train"), ALL.subset(30, 40, "validation"), ALL.subset(40, 60, "test"))
SAMPLES = 3 * torch.randn(20, 1, 8, 8, generator=stream(1, "samples"))
EXTRACTOR = Extractor("corner", "ab", 4, 8, lambda images: images[:, 0, :2, :2].flatten(1), head=lambda x: 3 * x)


def floats(images: ImageSet) -> Tensor:
    return images.batch(slice(None))


def features(images: Tensor) -> Tensor:
    return as_pictures(images)[:, 0, :2, :2].flatten(1)


def test_frechet_compares_pictures_with_held_out_images() -> None:
    measure = frechet_measure(SPLITS, EXTRACTOR, 20, 0, CPU)
    assert (measure.name, measure.samples, list(measure.beside)) == ("FD-corner", 20, ["real against real", "noise"])
    assert SPLITS.test
    score = measure.score(SAMPLES)
    expected = frechet_distance(moments(features(SAMPLES)), moments(features(floats(SPLITS.test))))
    assert score.value == pytest.approx(expected, rel=1e-6)
    assert score.stderr and measure.fields(score) == {
        **{"value": score.value, "stderr": score.stderr, "n": 20, "held_out_n": 20, "rank_deficient": False},
    }
    assert measure.facts == {"extractor": "corner", "extractor_sha256": "ab"}


def test_frechet_of_real_images_is_the_floor_and_of_noise_the_ceiling() -> None:
    grey = (floats(ALL) * 20 + 128).byte().numpy()  # real images of little contrast
    images = from_array(grey, layout="NCHW")
    data = Splits(images.subset(0, 30, "train"), None, images.subset(30, 60, "test"))
    measure = frechet_measure(data, EXTRACTOR, 30, 0, CPU)
    floor, ceiling = (measure.beside[name]() for name in ("real against real", "noise"))
    assert floor.value == pytest.approx(
        frechet_distance(moments(features(floats(data.train))), moments(features(images.batch(slice(30, 60))))),
        rel=1e-6,
    )
    assert 0 < floor.value < ceiling.value / 10
    assert floor.n == ceiling.n == floor.reference_n == 30


@pytest.mark.parametrize(("held_out", "asked", "n"), [(20, 100, 20), (20, 5, 5), (40, 100, 30)])
def test_frechet_takes_as_many_images_of_each(held_out: int, asked: int, n: int) -> None:
    data = Splits(SPLITS.train, None, tiny_images(held_out))
    measure = frechet_measure(data, EXTRACTOR, asked, 0, CPU)
    for score in (measure.score(uniform_noise((measure.samples, 1, 8, 8), stream(0))), *each(measure)):
        assert (score.n, score.reference_n) == (n, n)


def each(measure: Measure[Any]) -> list[Any]:
    return [score() for score in measure.beside.values()]


def test_frechet_draws_its_real_images_by_the_seed() -> None:
    def values(seed: int) -> list[float]:
        measure = frechet_measure(SPLITS, EXTRACTOR, 10, seed, CPU)
        return [score.value for score in (measure.score(SAMPLES[:10]), *each(measure))]

    assert values(0) == values(0)
    assert all(a != b for a, b in zip(values(0), values(1), strict=True))


def test_frechet_falls_back_to_validation_images_and_needs_some() -> None:
    assert SPLITS.validation
    only = frechet_measure(Splits(SPLITS.train, SPLITS.validation), EXTRACTOR, 10, 0, CPU)
    expected = frechet_distance(moments(features(SAMPLES[:10])), moments(features(floats(SPLITS.validation))))
    assert only.score(SAMPLES[:10]).value == pytest.approx(expected, rel=1e-6)
    with pytest.raises(InputError, match=r"no test and no validation images; .*holds some out"):
        frechet_measure(Splits(SPLITS.train), EXTRACTOR, 10, 0, CPU)


@pytest.mark.parametrize("n", [2, 9, 10, 23])
def test_moments_are_those_of_all_images_however_they_are_read(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    monkeypatch.setattr(feature_measures, "_TOGETHER", 3)
    held_out = from_array(floats(ALL)[:n].numpy(), layout="NCHW")
    measure = frechet_measure(Splits(SPLITS.train, None, held_out), EXTRACTOR, n, 0, CPU)
    samples = uniform_noise((n, 1, 8, 8), stream(0))
    score = measure.score(samples)
    expected = frechet_distance(moments(features(samples)), moments(features(floats(held_out))))
    assert score.value == pytest.approx(expected, rel=1e-5)
    assert (score.stderr is None) == (n < 10)


# --- kernel distance, precision and recall, Inception Score


def held_out_features() -> Tensor:
    assert SPLITS.test
    order = torch.randperm(20, generator=stream(0, "held out"))
    return features(floats(SPLITS.test)[order])


def test_the_kernel_distance_is_of_pictures_and_held_out_images() -> None:
    measure = kernel_measure(SPLITS, EXTRACTOR, 100, 0, CPU)
    assert (measure.name, measure.samples, list(measure.beside)) == ("KD-corner", 20, ["real against real", "noise"])
    score = measure.score(SAMPLES)

    def expected(images: torch.Tensor) -> KernelDistance:
        return kernel_distance(features(images), held_out_features(), stream(0, "subsets"), size=10)

    assert score == expected(SAMPLES) and score.std > 0
    floor, ceiling = each(measure)
    order = torch.randperm(30, generator=stream(0, "training"))[:20]
    noise = uniform_noise((20, 1, 8, 8), stream(0, "noise"))
    for found, images in ((floor, floats(SPLITS.train)[order]), (ceiling, noise)):
        assert found == expected(images)
    fields = measure.fields(score)
    assert (fields["value"], fields["stderr"], fields["n"], fields["subset_size"]) == (score.value, None, 20, 10)
    assert measure.facts == {"extractor": "corner", "extractor_sha256": "ab"}


def test_precision_and_its_relatives_share_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(x: Tensor, y: Tensor) -> Any:
        asked.append(len(x))
        return precision_recall(x, y)

    monkeypatch.setattr(feature_measures, "precision_recall", counted)
    measures = manifold_measures(SPLITS, EXTRACTOR, 20, 0, CPU)
    names = ["precision-corner", "recall-corner", "density-corner", "coverage-corner"]
    assert [measure.name for measure in measures] == names
    scores = [measure.score(SAMPLES) for measure in measures]
    assert asked == [20]
    x, y = features(SAMPLES), held_out_features()
    assert scores == pytest.approx([*precision_recall(x, y), *density_coverage(x, y)])
    assert measures[0].fields(scores[0])["n"] == 20
    noise = [measure.beside["noise"]() for measure in measures]
    assert noise == pytest.approx(
        [
            *precision_recall(drawn := features(uniform_noise((20, 1, 8, 8), stream(0, "noise"))), y),
            *density_coverage(drawn, y),
        ]
    )


def test_the_kernel_distance_precision_and_recall_share_their_features() -> None:
    seen = []

    def watched(images: Tensor) -> Tensor:
        seen.extend(image.numpy().tobytes() for image in images)
        return EXTRACTOR.function(images)

    extractor = Extractor("corner", "ab", 4, 8, watched)
    for samples, near in ((20, 20), (20, 10)):
        seen.clear()
        kernel, manifold = kernel_and_manifold_measures(SPLITS, extractor, samples, near, 0, CPU)
        of_manifold = SAMPLES if near == samples else SAMPLES[:near]
        found = [kernel.score(SAMPLES), *(measure.score(of_manifold) for measure in manifold)]
        found += [score for measure in (kernel, *manifold) for score in each(measure)]
        sets = 4 * samples if near == samples else 4 * (samples + near)  # of samples, held-out, training images, noise
        assert len(seen) == sets and (len(set(seen)) == sets) == (near == samples)
        alone = kernel_measure(SPLITS, EXTRACTOR, samples, 0, CPU), *manifold_measures(SPLITS, EXTRACTOR, near, 0, CPU)
        expected = [alone[0].score(SAMPLES), *(measure.score(of_manifold) for measure in alone[1:])]
        assert found == expected + [score for measure in alone for score in each(measure)]


@pytest.mark.parametrize(
    ("of", "least", "what"),
    [
        (manifold_measures, 6, "precision, recall, density and coverage, 5 of them neighbours"),
        (kernel_measure, 4, "a kernel distance, 2 in each of 2 subsets"),
        (inception_measure, 4, "an Inception Score, 2 in each of 2 parts"),
    ],
)
def test_too_few_images_are_refused_before_any_are_made(of: Any, least: int, what: str) -> None:
    with pytest.raises(InputError, match=f"{least - 1} images were given; {least} or more are needed for {what}"):
        of(SPLITS, EXTRACTOR, least - 1, 0, CPU)
    assert of(SPLITS, EXTRACTOR, least, 0, CPU)


def test_the_inception_score_reads_the_classifiers_logits() -> None:
    measure = inception_measure(Splits(SPLITS.train), EXTRACTOR, 20, 0, CPU)
    assert (measure.name, measure.samples, list(measure.beside)) == ("IS-corner", 20, ["real images", "noise"])
    order = torch.randperm(30, generator=stream(0, "training"))[:20]
    assert each(measure)[0] == inception_score(3 * features(floats(SPLITS.train)[order]), 10)
    assert inception_measure(Splits(SPLITS.train), EXTRACTOR, 40, 0, CPU).samples == 30
    score = measure.score(SAMPLES)
    assert score == inception_score(3 * features(SAMPLES), 10)
    found = measure.fields(score)
    assert found["stderr"] == pytest.approx(score.std / 9**0.5) and found["parts"] == 10
    few = inception_measure(SPLITS, EXTRACTOR, 8, 0, CPU)
    assert few.score(SAMPLES[:8]).splits == 4


LARGE = Extractor("large", "cd", 64, 8, lambda images: images[:, 0].flatten(1), head=lambda x: 3 * x[:, :7])


def test_the_classifier_is_asked_for_the_class_that_was_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(*arguments: Any) -> Any:
        asked.append(len(arguments[0]))
        return class_scores(*arguments)

    monkeypatch.setattr(feature_measures, "class_scores", counted)
    probability, error = class_measures(Splits(SPLITS.train), LARGE, 2, 40, 0, CPU)
    assert [probability.name, error.name] == ["class-probability-large", "top-5-error-large"]
    assert probability.samples == 30 and list(error.beside) == ["real images", "noise"]
    logits = 3 * as_pictures(SAMPLES)[:, 0].flatten(1)[:, :7]
    expected = class_scores(logits, 2)
    found = probability.score(SAMPLES), error.score(SAMPLES)
    assert found == (expected.probability, expected.top_error) and asked == [20]
    assert probability.fields(found[0]) == {"value": found[0].value, "stderr": found[0].stderr, "n": 20}
    assert probability.facts == {"extractor": "large", "extractor_sha256": "cd", "classes": 7, "class_index": 2}
    order = torch.randperm(30, generator=stream(0, "training"))
    real = class_scores(3 * floats(SPLITS.train)[order][:, 0].flatten(1)[:, :7], 2)
    assert each(error)[0] == real.top_error


@pytest.mark.parametrize(
    "of", [lambda e: inception_measure(SPLITS, e, 9, 0, CPU), lambda e: class_measures(SPLITS, e, 0, 9, 0, CPU)]
)
def test_what_is_no_classifier_is_refused_before_anything_is_computed(of: Any) -> None:
    with pytest.raises(InputError, match="the extractor blind is no classifier"):
        of(Extractor("blind", "ab", 4, 8, EXTRACTOR.function))


@pytest.mark.parametrize(
    ("measure", "what"),
    [
        (kernel_measure, "a kernel distance"),
        (manifold_measures, "precision and recall"),
    ],
)
def test_they_need_images_that_were_held_out(measure: Any, what: str) -> None:
    with pytest.raises(InputError, match=f"no test and no validation images; {what} needs real images"):
        measure(Splits(SPLITS.train), EXTRACTOR, 10, 0, CPU)


def test_published_names_are_for_the_published_network() -> None:
    published = Extractor("inception-2015", "ab", 4, 8, EXTRACTOR.function, head=EXTRACTOR.head, published=True)
    made = [make(SPLITS, published, 10, 0, CPU).name for make in (frechet_measure, kernel_measure, inception_measure)]
    assert made == ["FID", "KID", "IS"]
