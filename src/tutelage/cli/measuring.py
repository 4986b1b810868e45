"""Commands that measure a trained run: `evaluate` and `probe`."""

from __future__ import annotations

from typing import Annotated, Literal

from tyro.conf import arg

from ..checks import InputError
from ..data import class_labels
from ..learn import igm
from ..run import evaluate, folder, probing, recognition, report, source
from ..run.device import usable
from ..run.extraction import extractor_of
from ..run.lock import in_use
from .options import Data, Device, Run, Seed, check_count, check_pictures, check_taken, command_line, load_data, size_of


def evaluate_run(
    run: Run,
    metric: Annotated[
        Literal["parzen", "fd", "kd", "precision", "inception", "class", "ssim", "texture", "statistics", "accuracy"],
        arg(
            help="log-likelihood; of features the Fréchet distance, the kernel distance (KID), precision, recall, "
            "density and coverage, the Inception Score of their classes, or one class's probability and top-5 error "
            "(§4.2); how alike two samples are (ssim, needs tutelage[ssim]); of textures, the patch-sliced Wasserstein "
            "distance, or the distance of Portilla-Simoncelli statistics (needs tutelage[textures]); of a classifier/ "
            "run, how many test images it names right"
        ),
    ],
    data: Data = None,
    extractor: Annotated[
        str | None,
        arg(
            metavar="PATH|NAME",
            help="for features: weights of MobileNetV2 (.npz), of Inception (.pth) or of VGG-16 (.ckpt), a classifier/ "
            "run, or one of inception-2015, efficientnet-lite0 and vgg16, where it is installed",
        ),
    ] = None,
    samples: Annotated[
        int | None,
        arg(
            help="images drawn from each model (default: 10 000; for ssim 500; of textures 64, by a cascade 8, with "
            "--size 1; or what is held out)"
        ),
    ] = None,
    size: Annotated[
        str | None, arg(metavar="HEIGHTxWIDTH", help="for texture: of larger images, as `synthesise` makes them")
    ] = None,
    class_index: Annotated[
        int | None, arg(metavar="INDEX", help="for class: which of the extractor's classes the samples should be of")
    ] = None,
    history: Annotated[bool, arg(help="also at every checkpoint kept, for the curve of Fig. 12")] = False,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Measure a trained run on held-out images, and add the numbers to RUN/results.json and the report."""
    if samples is not None:
        check_count("samples", samples)
    asked = {"extractor": extractor, "samples": samples, "size": size, "class_index": class_index is not None}
    check_taken(metric, asked, _METRIC_TAKES)
    whole = None if size is None else size_of(size)
    opened, where = folder.open_run(run), usable(device)
    check_pictures(opened)
    place, command = source.data_of(opened, data), command_line()
    splits = load_data(opened.recipe(), place)
    source.warn_of_other(opened, splits)
    if metric == "accuracy":
        classes = class_labels(opened.recipe().data, place)
        scores = recognition.accuracy_of_run(opened, splits, classes, seed, command, where, history)
    elif whole is not None:
        scores = evaluate.larger_textures_of_run(opened, splits, samples or 1, seed, command, where, history, whole)
    else:
        few = 8 if isinstance(opened.recipe().plan, igm.Plan) else 64  # a cascade takes seconds for each picture
        count = samples or {"texture": few, "statistics": few, "ssim": 500}.get(metric, 10_000)
        network = None if extractor is None else extractor_of(extractor, where)
        measures = evaluate.measures_of(metric, splits, count, seed, where, network, class_index)
        scores = evaluate.measure_run(opened, splits, measures, seed, command, where, history)
    with in_use(run):
        for entry, score in scores:
            at = f" at iteration {entry['iteration']}" if "iteration" in entry else ""
            spread = f" ± {entry['stderr']:.2g}" if entry.get("stderr") is not None else ""
            width = f", width {entry['width']}" if "width" in entry else ""
            width += " (the width is at the edge of its grid)" if getattr(score, "at_edge", False) else ""
            print(f"{entry['name']}{at}: {entry['value']:.4g}{spread} on {entry['n']} images{width}", flush=True)
        report.write_report(run)


_OF_FEATURES = ("fd", "kd", "precision", "inception", "class")
_METRIC_TAKES = {
    "extractor": _OF_FEATURES,
    "samples": ("parzen", *_OF_FEATURES, "ssim", "texture", "statistics"),
    "class_index": ("class",),
    "size": ("texture",),
}


def probe(
    run: Run,
    labelled: Annotated[int, arg(help="labelled images of each repeat (§4.5: 1000)")] = 1000,
    repeats: Annotated[int, arg(help="random sets of labelled images (§4.5: 100)")] = 100,
    data: Data = None,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Classify with few labels by a run's features, beside an untrained network's and raw pixels (IGM §4.5)."""
    check_count("labelled", labelled)
    if repeats < 2:
        raise InputError(f"--repeats is {repeats}; the spread of the error rate needs 2 or more")
    opened, where = folder.open_run(run), usable(device)
    check_pictures(opened)
    recipe, place = opened.recipe(), source.data_of(opened, data)
    splits, classes = load_data(recipe, place), class_labels(recipe.data, place)
    source.warn_of_other(opened, splits)
    with in_use(run):
        for entry, score in probing.probe_of_run(
            opened, splits, classes, labelled, repeats, seed, command_line(), where
        ):
            edge = ", at the edge of its grid" if entry["at_edge"] else ""
            short = f"; {score.unconverged} of {score.repeats} have not converged" if score.unconverged else ""
            print(
                f"{entry['name']}: {score.error:.2%} ± {score.stderr:.2%} (std {score.std:.2%}, "
                f"C {score.c:g}{edge}{short})",
                flush=True,
            )
        report.write_report(run)
