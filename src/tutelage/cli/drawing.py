"""Commands that draw from a trained run: `sample`, `synthesise`, `stylise` and `interpolate`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import torch
from tqdm import tqdm
from tyro.conf import Positional, arg

from .. import data
from ..apps import any_size, dynamics, interpolation, style
from ..checks import InputError
from ..data import from_uint8
from ..learn import igm
from ..learn.synthesis import Synthesis, ends
from ..recipes.algorithm import models_of
from ..rng import stream
from ..run import folder, inferring, pictures, places, report
from ..run import synthesising as of_latents
from ..run.device import usable
from ..run.load import load
from ..run.lock import in_use
from .options import Device, Run, Seed, check_count, check_pictures, size_of


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
    check_count("n", n)
    opened = folder.open_run(run)
    has = models_of(opened.recipe().plan)
    if model != "best" and has and model not in has:
        raise InputError(f"run {run} has no {model}; it has {', '.join(has)}: choose --model among them")
    moving = opened.recipe().data.frames is not None
    pictures.check_target(out, moving, opened.frame_rate() if moving else None)
    learner, state = load(run, usable(device), revision_steps)
    drawn = learner.sample(state, n, stream(seed, "sample", device=device))
    which = model if model != "best" else "descriptor" if "descriptor" in drawn else next(iter(drawn))
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
    check_count("n", n)
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
    height, width = size_of(size)
    if not isinstance(learner, igm.Igm):
        made = of_latents.synthesise(run, learner, state, (height, width), n, revision_steps, rng)
        pictures.write_images(made.images, out)
        revised = f", {made.steps} steps of revision in {made.revision_seconds:.1f} s" if made.steps else ""
        print(f"{n} x {height} high, {width} wide, drafted in {made.draft_seconds:.2f} s{revised}: {out}")
        return
    if revision_steps is not None:
        raise InputError(f"run {run} makes its images in its own rounds; leave out --revision-steps")
    batches = any_size.synthesise(learner, state, (height, width), n, rng)
    total = learner.plan.batches(n) * len(learner.numbers(state))
    with tqdm(total=total, desc="synthesis", unit="round", dynamic_ncols=True) as bar:
        pictures.write_images(ends(_followed(rounds, bar) for rounds in batches), out)
    seconds = time.perf_counter() - began
    print(f"{n} x {height} high, {width} wide, {_made_by(learner, state)} in {seconds:.1f} s: {out}")


def _followed(rounds: Iterator[tuple[int, Synthesis]], bar: tqdm) -> Iterator[tuple[int, Synthesis]]:
    """``rounds`` as they are, told to ``bar``."""
    for number, made in rounds:
        bar.update()
        bar.set_postfix(steps=made.steps, crossed=f"{made.crossed.double().mean():.0%}")
        yield number, made


def _made_by(learner: igm.Igm, state: igm.State) -> str:
    if learner.plan.single:
        return f"by the classifier of round {state.round}"
    return f"from {state.round} round{'s' if state.round > 1 else ''}"


def stylise(
    run: Run,
    photo: Annotated[Positional[Path], arg(metavar="PHOTO", help="the picture whose content is kept")],
    out: Annotated[Path, arg(help=".png")],
    content_weight: Annotated[float, arg(help="0: the style alone, 1: the photograph (§4.2: .3)")] = 0.3,
    shorter: Annotated[
        int | None, arg(help="the photograph is reduced to a shorter side of so many pixels, where its own is longer")
    ] = None,
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
        check_count("steps", steps)
    if shorter is not None:
        check_count("shorter", shorter)
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
    check_count("rows", rows)
    opened = folder.open_run(run)
    check_pictures(opened)
    targets = [out] if out else [opened.pictures / f"interpolation.{ending}" for ending in ("png", "gif")]
    for target in targets:
        places.check_free(target)
    if out is not None and out.suffix not in (".png", ".gif"):
        raise InputError(f"--out {out} ends in {out.suffix!r}; give a .png or a .gif")
    learner, state = load(run, usable(device), revision_steps)
    steps = 10 if revision_steps is None else revision_steps
    rng = stream(seed, "interpolate", device=device)
    with contextlib.nullcontext() if out else in_use(run):
        write_walks(learner, state, rows, frames, steps, rng, targets, path)
        if out is None:
            report.write_report(run)
    print(f"{rows} walks of {frames} images: {', '.join(map(str, targets))}")


WALKS = {"linear": interpolation.linear, "spherical": interpolation.spherical}


def write_walks(
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
    images = interpolation.interpolate(state.average, learner.latent_shape, rows, frames, rng, revise, WALKS[path])
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".gif":
            moments = images.unflatten(0, (rows, frames)).unbind(1)
            pictures.save_animation([pictures.grid(moment, columns=4, scale=2) for moment in moments], target)
        else:
            pictures.save(pictures.grid(images, columns=frames), target)
