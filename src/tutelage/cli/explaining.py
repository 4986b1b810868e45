"""Commands that look at pictures given: `complete`, `project` and `score`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from ..apps import inference
from ..checks import InputError
from ..recipes import Recipe
from ..rng import stream
from ..run import completing, folder, given, inferring, places, projecting, scoring
from ..run.device import usable
from ..run.load import load
from ..sample import Settled
from .drawing import WALKS
from .options import (
    Chains,
    ConvertGiven,
    Device,
    FirstFew,
    Run,
    Seed,
    Settle,
    Steps,
    StepSize,
    check_count,
    check_pictures,
    command_line,
)


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
    keep: Annotated[
        Literal["best", "mean"],
        arg(help="of several chains the best, or the mean of their images: less error, and smoother"),
    ] = "best",
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
        check_count("n", n)
    places.check_new(out)
    opened, where = folder.open_run(run), usable(device)
    check_pictures(opened)
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
    plan = _inference(recipe, steps, chains, step_size, settle, keep)
    facts = {"seed": seed, "command": command_line(), "mask": mask, "revision_steps": revision_steps}

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
        check_count("n", n)
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
    check_pictures(opened)
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
    way, revising = WALKS[path or "linear"], revision_steps or 0
    facts = {"seed": seed, "command": command_line()}

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
    check_pictures(opened)
    recipe = opened.recipe()
    learner, state = load(run, where, precision="float32")  # which compares numbers
    judge = scoring.judge_of(run, learner, state)
    found = given.read_images(images, recipe.data, convert)
    with places.place_for(out):
        done = scoring.score_images(judge, found, where)
        facts = {"seed": recipe.seed, "command": command_line(), "iteration": state.iteration}
        scoring.write_scores(out, found, done, recipe, facts, where)
    for line in scoring.summary(done):
        print(line)
    print(f"Look at {out / 'scores.png'}")


def _inference(
    recipe: Recipe,
    steps: int,
    chains: int,
    step_size: float | None,
    settle: int | None,
    keep: Literal["best", "mean"] = "best",
) -> inference.Plan:
    """How latents are inferred by a run of ``recipe``."""
    if step_size is None:
        fitting = inference.step_size_for(math.prod(recipe.data.shape))
        own: float = getattr(recipe.plan, "latent_step_size", fitting)
        step_size = own if getattr(recipe.plan, "inference_steps", 0) else min(own, fitting)
    noise_std = getattr(recipe.plan, "noise_std", inference.NOISE_STD)
    stop = None if settle is None else Settled(settle)
    return inference.Plan(noise_std, step_size, steps, chains, stop, keep)


def _say_written(few: int, many: int, sheet: Path) -> None:
    stopped = "" if few == many else f"Stopped after {few} of {many} images, which are written. "
    print(f"{stopped}Look at {sheet}")
