"""What a synthesis is scored by, against the clip that its model learned from: fidelity, movement, copying.

Of a synthesis y of as many frames as the clip, clamped to its range:

`PSNR`, `SSIM`   of each frame with the clip's frame at the same time, the mean over frames, as in CoopNets Table 6.
                 Both prefer what stands still.
`matched PSNR`, `matched SSIM`   the same of y at the clip's temporal variance, which it has in the range of images
                 (`tutelage.metrics.temporal.matched`).
`variance`       y's temporal variance, of that of the clip: 1 moves as much, 0 not at all.
`spectrum`       decibels between the spectra of differences of frames, over windows of half the clip.
`nearest`        how far stretches of y at matched variance are from the nearest stretch of the clip, at any lag: a
                 copy has 0. The clip's own stretches, each against those that share no frame with it, say what is near.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..checks import DivergenceError
from ..metrics.average import Average, average
from ..metrics.temporal import (
    fidelity,
    matched,
    nearest_windows,
    own_nearest_windows,
    spectral_distance,
    spectrum,
    temporal_variance,
)

_STRETCH = 8


def scores(synthesised: Sequence[Tensor], clip: Tensor, moves: bool = True) -> dict[str, Average]:
    """Each measure of the sequences ``[C, T, H, W]`` of one model; ± is over sequences, and n counts them.

    What does not move (``moves`` False) cannot be brought to a variance: it has no matched measures and no ``nearest``.
    Raises ``InputError`` as `tutelage.metrics.temporal` does.
    """
    each = [_of_one(y.clamp(-1, 1), clip, moves) for y in synthesised]
    return {name: average(torch.tensor([of[name] for of in each], dtype=torch.float64)) for name in each[0]}


def check_made(synthesised: Sequence[Tensor], moves: bool = True) -> None:
    """Raises ``DivergenceError`` for what cannot be scored: sequences that are not finite, or stand still though their
    model ``moves``.
    """
    broken = sum(not torch.isfinite(y).all() for y in synthesised)
    if broken:
        raise DivergenceError(f"{broken} of {len(synthesised)} sequences hold numbers that are not finite")
    seen = [y.clamp(-1, 1) for y in synthesised]
    still = sum(torch.equal(y, y[:, :1].expand_as(y)) for y in seen)
    if moves and still:
        raise DivergenceError(f"{still} of {len(synthesised)} sequences stand still, and their model is one that moves")


def own_nearest(clip: Tensor) -> float:
    """The mean distance of the clip's stretches to the nearest of those that share no frame with them."""
    return own_nearest_windows(clip, _stretch(clip)).distance.mean().item()


def measures(moves: bool = True) -> tuple[str, ...]:
    """The names in `scores`."""
    if not moves:
        return ("PSNR", "SSIM", "variance", "spectrum")
    return ("PSNR", "SSIM", "matched PSNR", "matched SSIM", "variance", "spectrum", "nearest")


def _of_one(y: Tensor, clip: Tensor, moves: bool) -> dict[str, float]:
    plain = fidelity(y, clip)
    found = {"PSNR": plain.psnr.value, "SSIM": plain.ssim.value}
    window = clip.shape[1] // 2
    found["variance"] = temporal_variance(y) / temporal_variance(clip)
    found["spectrum"] = spectral_distance(spectrum(y, window), spectrum(clip, window))
    if moves:
        equal = matched(y, clip, limit=1.0)
        at_variance = fidelity(equal, clip)
        found |= {"matched PSNR": at_variance.psnr.value, "matched SSIM": at_variance.ssim.value}
        found["nearest"] = nearest_windows(equal, clip, _stretch(clip)).distance.mean().item()
    return {name: found[name] for name in measures(moves)}


def _stretch(clip: Tensor) -> int:
    return min(_STRETCH, (clip.shape[1] + 1) // 3)
