"""Which images a cascade finds unlikely (IGM eqs. 11 and 12): its own kind against others, by each part of ln p_T."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from .. import data
from ..apps.density_ratio import DensityTerms, terms
from ..checks import InputError
from ..data import ImageSet, Splits, idx
from ..learn import igm
from ..metrics.auroc import auroc
from ..recipes import by_name
from ..run.folder import RunFolder
from ..run.given import read_images
from ..run.load import load
from ..run.results import Entry, result
from .bench import Bench, about, trained
from .cells import Cells, facts_of, tabulate
from .contest import Contender, made_by
from .page import Column, Table

MODEL = Contender(by_name("igm/mnist28-quick"))
_ROWS = {"ratio": "sum of the logits", "reference": "ln p0", "total": "ln p0 + sum of the logits"}
_WORDS = """\
A cascade that learned handwritten digits for {minutes:g} minutes looks at {n:,} test digits and at images of other
kinds. The number is the area under the ROC curve ± its standard error: of all pairs of a digit and another image, how
often the digit is found likelier; ½ is chance. The sum of the logits says how much likelier than noise an image is, ln
p0 how likely as noise. Where synthesis stops early, the sum ranks images; it is no calibrated density."""


def igm_outliers(
    bench: Bench, outliers: Sequence[Path], path: Path | None = None, model: Contender = MODEL
) -> Iterator[Entry]:
    """Train what is not trained yet, measure what is not measured yet, and write ``igm-outliers.md`` (.json, .svg).

    Args:
        bench: the terms.
        outliers: sets of other images: a folder or a picture, brought to the size and the colours of the digits, a
            folder with files like MNIST's (of which the test images are taken), or a .npy.
        path: where the digits are, as `tutelage.data.load` takes it.
        model: the cascade.

    Yields each number as it is known. Raises ``InputError`` without outliers, and as `tutelage.reproduce.cells.filled`
    does.
    """
    if not outliers:
        raise InputError(
            "no outliers were given; give a folder of other pictures, or of files like MNIST's, with --outliers"
        )
    splits = data.load(model.recipe.data, path)
    if splits.test is None:
        raise InputError("the data have no test images; outliers need some to be told from: give data that have them")
    stems = [place.stem for place in outliers]
    if len(set(stems)) < len(stems):
        raise InputError(
            f"outliers are called by the last part of their paths, and these are {', '.join(stems)}; give paths that "
            "end in different names"
        )
    others = {place.stem: _others(place, model) for place in outliers}
    columns = tuple(Column(_measure(name), f"against {name}", ".3f") for name in others)
    words = _WORDS.format(minutes=bench.minutes, n=len(splits.test))
    table = Table("Digits and other images", words, tuple(_ROWS.values()), (), columns)
    return tabulate(bench, "igm-outliers", table, _cells(bench, model, splits, others))


def _measure(name: str) -> str:
    return f"AUROC against {name}"


def _others(place: Path, model: Contender) -> ImageSet:
    if place.is_dir() and idx.has_idx(place, idx.TEST_IMAGES):
        images, shape = idx.images(idx.idx_file(place, idx.TEST_IMAGES), place.name), model.recipe.data.shape
        if images.shape != shape:
            raise InputError(
                f"the images of {place} are {images.shape} (channels, height, width), and the model's {shape}; give "
                "files of images of that size, or a folder of pictures, which are resized"
            )
        return images
    return read_images([place], model.recipe.data, convert=True).images


def _cells(bench: Bench, model: Contender, splits: Splits, others: dict[str, ImageSet]) -> Iterator[Cells]:
    of_data = facts_of(splits)
    for name, images in others.items():
        names = [f"{row} {_measure(name)}" for row in _ROWS.values()]
        facts = {**of_data, **made_by(bench, model), "outside_sha256": images.sha256}
        yield Cells(dict.fromkeys(names, facts), partial(_entries, bench, model, splits, name, images))


def _entries(bench: Bench, model: Contender, splits: Splits, name: str, others: ImageSet) -> Iterator[Entry]:
    run = trained(bench, model.recipe, splits.train)
    assert splits.test is not None
    said = about(run)
    inside, outside = (_terms(run, images, bench) for images in (splits.test, others))
    for field, row in _ROWS.items():
        score = auroc(getattr(inside, field), getattr(outside, field))
        yield {
            **result(
                f"{row} {_measure(name)}",
                score.value,
                score.stderr,
                score.inside,
                wall_seconds=0.0,
                data_sha256=splits.train.sha256,
                outside_n=score.outside,
                **bench.terms,
            ),
            **said,
        }


def _terms(run: RunFolder, images: ImageSet, bench: Bench) -> DensityTerms:
    learner, state = load(run.path, bench.device)
    assert isinstance(learner, igm.Igm)
    return terms(learner, state, images.batch(slice(None), bench.device))
