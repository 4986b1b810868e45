"""Each metric is given the right images, in the right form, beside the right floor and ceiling."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tiny_recipes import tiny_images
from tutelage.checks import InputError
from tutelage.data import ImageSet, Splits, from_array
from tutelage.metrics.parzen import parzen
from tutelage.metrics.pixel import pairwise_ssim
from tutelage.metrics.references import uniform_noise
from tutelage.metrics.sliced import patch_sliced_wasserstein
from tutelage.rng import stream
from tutelage.run.measures import (
    Measure,
    as_pictures,
    parzen_measure,
    similarity_measure,
    statistics_measure,
    texture_measure,
)

CPU = torch.device("cpu")
ALL = tiny_images(60)
SPLITS = Splits(ALL.subset(0, 30, "train"), ALL.subset(30, 40, "validation"), ALL.subset(40, 60, "test"))
SAMPLES = 3 * torch.randn(12, 1, 8, 8, generator=stream(0, "samples"))


def floats(images: ImageSet) -> Tensor:
    return images.batch(slice(None))


def unit(images: Tensor) -> Tensor:
    return (images.clamp(-1, 1) + 1) / 2


def test_pictures_are_clamped_and_rounded() -> None:
    images = torch.tensor([-3.0, -1.0, 0.0, 0.001, 1.0, 3.0]).view(6, 1, 1, 1)
    expected = torch.tensor([0, 0, 128, 128, 255, 255]) / 127.5 - 1
    torch.testing.assert_close(as_pictures(images).flatten(), expected)
    assert torch.equal(as_pictures(floats(ALL)), floats(ALL))  # real images are pictures already


def test_numbers_that_are_not_finite_are_no_picture() -> None:
    images = torch.zeros(5, 1, 2, 2)
    images[1, 0, 0, 0], images[3, 0, 1, 1] = float("nan"), float("inf")
    with pytest.raises(InputError, match=r"2 of 5 images hold numbers that are not finite; .*earlier checkpoint"):
        as_pictures(images)


# --- Parzen


def test_parzen_scores_the_test_images_in_the_unit_range() -> None:
    measure = parzen_measure(SPLITS, 5, CPU)
    assert (measure.name, measure.samples, list(measure.beside)) == ("parzen", 5, ["real images"])
    assert SPLITS.validation and SPLITS.test
    held_out = unit(floats(SPLITS.validation)), unit(floats(SPLITS.test))
    score = measure.score(SAMPLES)
    assert score == parzen(unit(SAMPLES), *held_out)
    assert measure.beside["real images"]() == parzen(unit(floats(SPLITS.train)[:5]), *held_out)
    fields = {"value": score.mean, "stderr": score.stderr, "n": 20, "width": score.width, "at_edge": score.at_edge}
    assert measure.fields(score) == fields


@pytest.mark.parametrize("missing", ["validation", "test"])
def test_parzen_needs_both_kinds_of_held_out_images(missing: str) -> None:
    data = Splits(SPLITS.train, None if missing == "validation" else SPLITS.validation, None)
    with pytest.raises(InputError, match=f"the data have no {missing} images.*evaluate on a set that has them"):
        parzen_measure(data, 5, CPU)


def each(measure: Measure[Any]) -> list[Any]:
    return [score() for score in measure.beside.values()]


# --- variety


def test_similarity_is_of_pairs_of_pictures() -> None:
    images = from_array(uniform_noise((30, 1, 12, 12), stream(1)).numpy(), layout="NCHW")
    measure = similarity_measure(Splits(images), 20, 0, CPU)
    assert (measure.name, measure.samples, list(measure.beside)) == ("pairwise-SSIM", 20, ["real images", "noise"])
    assert similarity_measure(Splits(images), 50, 0, CPU).samples == 30
    samples = 3 * torch.randn(20, 1, 12, 12, generator=stream(0, "samples"))
    score = measure.score(samples)
    assert score == pairwise_ssim(as_pictures(samples), stream(0, "pairs"))
    assert measure.fields(score) == {"value": score.value, "stderr": score.stderr, "n": 20}
    order = torch.randperm(30, generator=stream(0, "training"))[:20]
    assert each(measure)[0] == pairwise_ssim(floats(images)[order], stream(0, "pairs"))
    assert abs(each(measure)[1].value) < 0.5 < measure.score(samples[:1].expand(20, -1, -1, -1)).value


# --- textures


def waves(phases: Tensor, size: int = 32) -> ImageSet:
    """Images of waves, alike but for where they begin."""
    images = torch.sin(torch.arange(size) * 0.8 + phases[:, None]).view(-1, 1, 1, size).expand(-1, 1, size, size)
    return from_array(images.numpy(), layout="NCHW")


def test_a_texture_lies_between_its_floor_and_its_ceilings() -> None:
    phases = 6.28 * torch.rand(20, generator=stream(0))
    measure = texture_measure(Splits(waves(phases)), 10, 0, CPU)
    floor, shuffled, noise = each(measure)
    assert measure.name == "patch-SWD" and measure.samples == 10
    assert list(measure.beside) == ["real against real", "shuffled pixels", "noise"]
    clean = floats(waves(phases[:10] + 1))
    faithful, faint = (measure.score(images).value for images in (clean, 0.5 * clean))
    assert max(floor.value, faithful) < faint / 3 < faint < min(shuffled.value, noise.value)
    fields = measure.fields(floor)
    assert (fields["value"], fields["stderr"], fields["n"]) == (floor.value, None, 10)
    assert list(fields["scales"]) == ["1/1", "1/2", "1/4"]
    assert sum(fields["scales"].values()) / 3 == pytest.approx(floor.value)


def test_a_texture_is_halved_without_overlap() -> None:
    # the first half is black, the second white: the reference is white
    images = from_array(torch.cat([-torch.ones(5, 1, 28, 28), torch.ones(5, 1, 28, 28)]).numpy(), layout="NCHW")
    measure = texture_measure(Splits(images), 3, 0, CPU)
    assert measure.samples == 3
    assert each(measure)[0].value == pytest.approx(4, rel=1e-4)
    assert measure.score(torch.ones(3, 1, 28, 28)).value == 0
    assert texture_measure(Splits(images), 100, 0, CPU).samples == 5


def test_one_picture_alone_is_its_own_reference() -> None:
    picture = uniform_noise((1, 3, 28, 57), stream(0))
    images = from_array(picture.numpy(), layout="NCHW")
    measure = texture_measure(Splits(images), 4, 0, CPU)
    assert measure.samples == 4
    whole = floats(images)
    floor = patch_sliced_wasserstein(whole[..., :28], whole[..., -28:], stream(0, "patches"))
    assert each(measure)[0] == floor
    samples = uniform_noise((4, 3, 28, 28), stream(1))
    assert measure.score(samples) == patch_sliced_wasserstein(as_pictures(samples), whole, stream(0, "patches"))


@pytest.mark.filterwarnings("ignore")  # of plenoptic
def test_statistics_of_a_texture_lie_between_the_same_floor_and_ceilings() -> None:
    wide = waves(torch.zeros(1), 128).batch(slice(None), CPU)[:, :, :64] + 0.1 * uniform_noise(
        (1, 1, 64, 128), stream(0)
    )
    measure = statistics_measure(Splits(from_array(wide.clamp(-1, 1).numpy(), layout="NCHW")), 2, 0, CPU)
    floor, shuffled, noise = each(measure)
    assert measure.name == "Portilla-Simoncelli" and measure.samples == 2
    assert floor < min(shuffled, noise) / 3
    assert measure.score(wide) < 0.01  # of bytes
    assert measure.fields(floor) == {"value": floor, "stderr": None, "n": 2}


@pytest.mark.parametrize("of", [lambda: parzen_measure(SPLITS, 5, CPU), lambda: texture_measure(SPLITS, 5, 0, CPU)])
def test_nothing_is_computed_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, of: Callable[[], Any]) -> None:
    def refuse(*arguments: Any) -> Tensor:
        raise AssertionError("images were read")

    monkeypatch.setattr(ImageSet, "batch", refuse)
    of()
