"""Table 6 of CoopNets (§4.7): dynamic textures, and what PSNR and SSIM hide of them.

Each model learns from one clip, and synthesises several sequences of as many frames, each from chance of its own:

- CoopNets draft a sequence from new latents, and the descriptor revises it in as many steps as in learning (the paper
  says "generates", and shows what its learning algorithm had synthesised at its end); the drafts have a row of their
  own. No latents are inferred from the clip; both networks are given its mean frame, as the baselines are.
- HOSVD keeps half of all rows and columns (a public demonstration: 100 of 120, and 100 of 160); with all it is LDS.
- LDS, FFT-LDS, HOSVD and MK-GPDM go on from the clip's last state, with noise; without it each makes one sequence, its
  mean. The latter and the mean frame are nulls: they need not look like the clip to have a high PSNR.

`tutelage.reproduce.movement` says what is measured, of frame t against the clip's frame t: nothing is aligned.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ..apps import dynamics
from ..baselines import fft_lds, hosvd, lds, mkgpdm
from ..baselines.dynamics import DynamicTexture
from ..checks import DivergenceError, InputError
from ..data import DataSpec, ImageSet
from ..metrics.average import Average, average
from ..metrics.temporal import check_clip
from ..recipes import by_name
from ..rng import stream
from ..run.load import load
from ..run.results import Entry, result
from .bench import Bench, about, trained
from .cells import Cells, read, settings_of, tabulate
from .clips import clips_of, pixels_of, save_strip
from .contest import Contender, chosen, full_size, made_by, where_known
from .movement import check_made, measures, own_nearest, scores
from .page import Column, Quoted, Table

CONTENDERS = (Contender(by_name("video/quick")), *full_size(by_name("video/dynamic-texture")))
"""That of half as many frames at half the size, and the paper's, which is for a GPU and run where it is named; then all
is measured on clips of its size."""


def half_hosvd(clip: Tensor) -> DynamicTexture:
    """HOSVD with half as many factors as there are rows and columns."""
    return hosvd.fit(clip, hosvd.Plan(rows=clip.shape[2] // 2, columns=clip.shape[3] // 2))


FITS: Mapping[str, Callable[[Tensor], DynamicTexture]] = {
    "LDS": partial(lds.fit, plan=lds.Plan()),
    "FFT-LDS": partial(fft_lds.fit, plan=fft_lds.Plan()),
    "HOSVD": half_hosvd,
    "MK-GPDM": partial(mkgpdm.fit, plan=mkgpdm.Plan()),
}
MEAN, CLIP = "mean frame", "the clip itself"
_PRINTED = {
    "LDS": (19.148, 0.5939),
    "FFT-LDS": (12.463, 0.2898),
    "MK-GPDM": (14.288, 0.3577),
    "HOSVD": (18.392, 0.4573),
    "CoopNets": (19.407, 0.5988),
}
_SOURCE = "the paper's Table 6, on 6 clips of 64 frames of 128x128"
QUOTED = tuple(
    Quoted(row, measure, value, None, _SOURCE, paper=True)
    for row, values in _PRINTED.items()
    for measure, value in zip(("PSNR", "SSIM"), values, strict=True)
)
_COLUMNS = (
    Column("matched PSNR", "PSNR at matched variance", ".2f"),
    Column("matched SSIM", "SSIM at matched variance"),
    Column("PSNR", "PSNR", ".2f"),
    Column("SSIM", "SSIM"),
    Column("variance", "temporal variance"),
    Column("spectrum", "spectrum, dB"),
    Column("nearest", "nearest stretch"),
)
_WORDS = """\
{n} clip(s) of {frames} frames of {height}x{width}: {names}. A model of each, around the clip's mean frame, CoopNets
after {minutes:g} minutes of training, and {sequences} sequences of it, as long as the clip; ± is the standard error
over clips. Drafts are revised by the descriptor as in learning. PSNR and SSIM compare each frame with the clip's at
the same time, with nothing aligned. They prefer what stands still: a perfect sample is 3 dB below the mean frame or
more. So they stand beside the same at the clip's temporal variance (what comes to rest still gains), temporal variance
(of the clip's), the distance of the spectrum of differences of frames from the clip's (less is better), and how far 8
frames (at matched variance; not of what does not move) are from the nearest 8 of the clip, at any lag: a copy has 0,
and models of few frames tend to be nearer than the clip's own 8 to those that share no frame with them. Baselines go
on from the clip's last state; without noise they and the mean frame are nulls."""


def table6(
    bench: Bench,
    path: Path | None = None,
    contenders: Sequence[Contender] = CONTENDERS,
    only: Sequence[str] = (),
    sequences: int = 3,
    fits: Mapping[str, Callable[[Tensor], DynamicTexture]] = FITS,
) -> Iterator[Entry]:
    """Train what is not trained yet, measure what is not measured yet, and write ``table6.md`` (.json, .svg).

    Beside it ``table6_CLIP.png`` shows frames of each clip, and of the first sequence of each model.

    Args:
        bench: the terms.
        path: a clip, or a folder of clips, as `tutelage.reproduce.clips.clips_of` takes it.
        contenders: CoopNets of videos; all that are asked for learn from the same clips.
        only: names of recipes; where some are given, the others are not run.
        sequences: of each model.
        fits: the baselines.

    Yields each number as it is known: of each clip, named so, then the means over clips. Raises ``InputError`` where
    models are asked for that learn from clips of different sizes or lengths, where the table that is there is of other
    clips, and as `clips_of` and `tutelage.reproduce.cells.filled` do.
    """
    running = chosen(contenders, only)
    clips = clips_of(_read_as(running), path)
    for name, clip in clips.items():
        check_clip(pixels_of(clip), f"Table 6, by {name},")
    _, frames, height, width = pixels_of(next(iter(clips.values()))).shape
    words = _WORDS.format(
        n=len(clips),
        frames=frames,
        height=height,
        width=width,
        names=", ".join(clips),
        minutes=bench.minutes,
        sequences=sequences,
    )
    rows = tuple(row for contender in contenders for row in _rows(contender))
    fitted = tuple(row for fit in fits for row in (fit, _still(fit)))
    title, hidden = "Dynamic textures (CoopNets, Table 6)", where_known(contenders, running, _rows)
    table = Table(title, words, (*rows, *fitted), (MEAN, CLIP), _COLUMNS, QUOTED, known=hidden)
    return tabulate(bench, "table6", table, _cells(bench, running, clips, sequences, fits))


def _read_as(contenders: Sequence[Contender]) -> DataSpec:
    """How those that are asked for read a clip."""
    of = {contender.recipe.data: contender.recipe.name for contender in contenders if contender.asked}
    if len(of) > 1:
        read_so = ", ".join(f"{name} {'x'.join(map(str, spec.shape[1:]))}" for spec, name in of.items())
        raise InputError(
            f"models of one table see the same of a clip, and these differ (frames, height, width): {read_so}; name "
            "one of them with --only, and give each an --out of its own"
        )
    return next(iter(of), contenders[0].recipe.data)


def _rows(contender: Contender) -> tuple[str, str]:
    return contender.algorithm, f"{contender.algorithm} drafts"


def _of(contender: Contender, clip: str) -> Contender:
    return replace(contender, recipe=replace(contender.recipe, name=f"{contender.recipe.name}-{clip}"))


def _still(fit: str) -> str:
    return f"{fit}, no noise"


def _cells(
    bench: Bench,
    contenders: Sequence[Contender],
    clips: Mapping[str, ImageSet],
    sequences: int,
    fits: Mapping[str, Callable[[Tensor], DynamicTexture]],
) -> Iterator[Cells]:
    facts = {"clips": [*clips], "sequences": sequences}

    def entry(name: str, score: Average, sha256: str, more: Entry) -> Entry:
        made = result(name, score.value, score.stderr, score.n, data_sha256=sha256, wall_seconds=0.0, **bench.terms)
        return made | more

    def of_clip(clip: str, made: Mapping[str, Sequence[Tensor]], more: Entry) -> Iterator[Entry]:
        pixels, picture = pixels_of(clips[clip]), f"table6_{clip}"
        for row, synthesised in made.items():
            check_made(synthesised, moves=row != MEAN)
            save_strip(bench.out, picture, row, synthesised[0])
            for measure, score in scores(synthesised, pixels, moves=row != MEAN).items():
                shown = {"picture": f"{picture}.png"}
                yield entry(f"{row} {measure} of {clip}", score, clips[clip].sha256, more | shown)

    def itself(clip: str) -> Iterator[Entry]:
        pixels = pixels_of(clips[clip])
        save_strip(bench.out, f"table6_{clip}", CLIP, pixels)
        near = Average(own_nearest(pixels), None, 1)
        yield entry(f"{CLIP} nearest of {clip}", near, clips[clip].sha256, {})
        yield from of_clip(clip, {MEAN: [pixels.mean(1, keepdim=True).expand_as(pixels)]}, {})

    def by_fit(row: str, clip: str) -> Iterator[Entry]:
        pixels = pixels_of(clips[clip])
        frames, draws = pixels.shape[1], [stream(bench.seed, row, clip, number) for number in range(sequences)]
        began = time.perf_counter()
        try:
            model = fits[row](pixels)
            took = time.perf_counter() - began
            noisy = [model.synthesise(frames, rng) for rng in draws]
            still = [model.synthesise(frames, draws[0], noise=False)]
        except InputError as error:  # a clip that this fit cannot take; the others go on
            raise DivergenceError(str(error)) from error
        spent = {"wall_seconds": took, "method": f"{row} of {clip}"}
        yield from of_clip(clip, {row: noisy, _still(row): still}, spent)

    def by_model(contender: Contender, clip: str) -> Iterator[Entry]:
        frames = clips[clip].shape[1]
        run = trained(bench, _of(contender, clip).recipe, clips[clip])
        learner, state = load(run.path, bench.device)
        rng, steps = stream(bench.seed, "synthesis", clip, device=bench.device), learner.plan.revision_steps
        drafts, revised = dynamics.drafted_and_revised(learner, state, frames, sequences, rng, steps)
        made = dict(zip(_rows(contender), (list(revised.cpu()), list(drafts.cpu())), strict=True))
        return of_clip(clip, made, about(run))

    def means(names: Sequence[str]) -> Iterator[Entry]:
        known = read(bench.out / "table6.json", bench)
        for name in names:
            each = [known[f"{name} of {clip}"] for clip in clips]
            failed = next((of["failed"] for of in each if "failed" in of), None)
            if failed is not None:
                raise DivergenceError(failed)
            values = torch.tensor([of["value"] for of in each], dtype=torch.float64)
            seconds = math.fsum(of["wall_seconds"] for of in each)
            digests = ", ".join(of["data_sha256"] for of in each)
            yield entry(name, average(values), digests, {"wall_seconds": seconds})

    def group(rows: Sequence[str]) -> list[str]:
        return [f"{row} {measure}" for row in rows for measure in measures(row != MEAN)]

    for_each: list[tuple[list[str], Callable[[str], Iterator[Entry]], Contender | None, Entry]] = [
        ([f"{CLIP} nearest", *group([MEAN])], itself, None, {"own_stretches": "share no frame"}),
        *(
            (group([row, _still(row)]), partial(by_fit, row), None, {"settings": settings_of(fit)})
            for row, fit in fits.items()
        ),
        *((group(_rows(contender)), partial(by_model, contender), contender, {}) for contender in contenders),
    ]
    for names, make, contender, set_so in for_each:
        asked = contender is None or contender.asked
        for clip in clips:
            own = {**facts, "data_sha256": clips[clip].sha256}
            own |= {} if contender is None else made_by(bench, _of(contender, clip))
            own |= set_so
            yield Cells({f"{name} of {clip}": own for name in names}, partial(make, clip) if asked else None)
        yield Cells(dict.fromkeys(names, facts), partial(means, names) if asked else None)
