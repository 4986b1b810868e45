r"""Clips against clips: fidelity, movement, and copying.

PSNR and structural similarity frame by frame (CoopNets §4.7, Table 6) reward a model for standing still. Of a
stationary texture with mean frame m and temporal variance V, an independent perfect sample has an error of 2 V on
average, and m at all times has V: 3 dB more PSNR. (The mean of a short clip's own frames is nearer to them than m, so
that a perfect sample is further below it.) So they need what is here beside them.

`matched`      the synthesis with as much temporal variance as the clip: rescaled about its own mean frame,

                   y'_t = m_y + (y_t − m_y) √(V_clip / V_y),   V_y = Σ_pixels 1/T Σ_t (y_t − m_y)²

               so that nothing is gained by moving less. What stands still cannot be rescaled, and is refused; what
               moves at first and then comes to rest still gains, and its spectrum tells.
`spectrum`     how it moves: the power of y_{t+1} − y_t at each temporal frequency, the mean over pixels and channels,
               by Welch's method (1967). A clip is cut into overlapping windows of one length, so that clips of
               different lengths have the same frequencies. What stands still has no power.
`nearest_windows`  whether it is a copy: how far each stretch of the synthesis is from the stretch of the clip that is
               nearest to it, whatever the lag. What repeats the clip is at distance 0; near it is also what was fitted
               to few frames. The mean frame is near all frames, nearer than they are to each other, so it matters
               of what moves: match the variance first.

Clips are ``[C, T, H, W]``. Everything is computed in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import InputError
from .average import Average
from .pixel import RANGE, psnr, ssim

FLOOR = (RANGE / 255) ** 2 / 3
"""A density of power, about −47 dB: that of the differences of pictures that were rounded to 8 bits and stand still.

Rounding has variance q² / 12, its differences q² / 6, spread over frequencies from 0 to ½."""


class Fidelity(NamedTuple):
    """Means over frames. The standard errors take frames for independent, which they are not."""

    psnr: Average
    ssim: Average


class Spectrum(NamedTuple):
    """Power of differences of frames, by frequency, from 0 to ½ cycle a frame."""

    frequency: Tensor
    """``[L // 2 + 1]``."""
    density: Tensor
    """``[L // 2 + 1]``: one-sided, in squared units of a pixel; its integral is the mean squared difference."""


class Windows(NamedTuple):
    """The nearest window of a clip to each of n windows of a synthesis."""

    distance: Tensor
    """``[n]``, root of the mean squared difference, in the units of a pixel."""
    start: Tensor
    """``[n]``, the frame of the clip where the nearest window begins."""


def fidelity(synthesised: Tensor, clip: Tensor) -> Fidelity:
    """PSNR and structural similarity of frames with those of the clip at the same times, as in CoopNets Table 6.

    Both are ``[C, T, H, W]`` in [−1, 1] and of one shape; clamp a synthesis first. Of PSNR it is the mean over frames
    of each frame's own. Raises ``InputError`` as `tutelage.metrics.pixel.psnr` and `ssim` do.
    """
    for some in (synthesised, clip):
        check_clip(some, "fidelity", moving=False)
    frames, originals = synthesised.transpose(0, 1), clip.transpose(0, 1)
    return Fidelity(psnr(frames, originals), ssim(frames, originals))


def temporal_variance(clip: Tensor) -> float:
    """The mean over pixels of the variance over time, divided by T, of a clip ``[C, T, H, W]``.

    Raises ``InputError`` for what is no such clip of finite floats.
    """
    check_clip(clip, "temporal variance", moving=False)
    return clip.double().var(1, correction=0).mean().item()


def matched(synthesised: Tensor, clip: Tensor, limit: float | None = None) -> Tensor:
    """``synthesised`` ``[C, T, H, W]`` with the temporal variance of ``clip`` ``[C, T', H, W]``.

    What moves about each pixel's mean is multiplied by one gain. The result may leave the range of images; with a
    ``limit`` it is clamped to ±``limit``, and the gain is the one by which it has the clip's variance nevertheless, or,
    where none of up to a thousand times the first does, the largest.

    Raises ``InputError`` for what are no such clips, differ in size, or do not move.
    """
    _check_both(synthesised, clip, "matching of temporal variance", moving=True)
    wanted, y = temporal_variance(clip), synthesised.double()
    mean = y.mean(1, keepdim=True)

    def multiplied(gain: float) -> Tensor:
        made = mean + (y - mean) * gain
        return made if limit is None else made.clamp(-limit, limit)

    low = (wanted / temporal_variance(synthesised)) ** 0.5
    if limit is None:
        return multiplied(low).to(synthesised.dtype)
    high = 1000 * low
    for _ in range(50):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if temporal_variance(multiplied(middle)) < wanted else (low, middle)
    return multiplied(high).to(synthesised.dtype)


def spectrum(clip: Tensor, window: int = 32) -> Spectrum:
    """Of the differences of a clip's frames ``[C, T, H, W]``, T > ``window`` = L, even or odd, 2 or more.

    Windows of L differences, half a window apart, are multiplied by Hann's and transformed; what is left over at the
    end is not used. Nothing is subtracted from them: the mean of differences is small.

    Raises ``InputError`` for what is no such clip, or a window too long or too short.
    """
    check_clip(clip, "a spectrum of differences", moving=False)
    if not 2 <= window < clip.shape[1]:
        raise InputError(
            f"a window of {window} differences was asked for of a clip of {clip.shape[1]} frames; give 2 or "
            "more, and fewer than frames"
        )
    hann = torch.hann_window(window, dtype=torch.float64, device=clip.device)
    pieces = clip.double().diff(dim=1).unfold(1, window, window - window // 2)
    power = torch.fft.rfft(pieces * hann).abs().square().flatten(0, -2).mean(0) / hann.square().sum()
    power[1 : (window + 1) // 2] *= 2  # those of negative frequencies
    return Spectrum(torch.arange(len(power), device=clip.device) / window, power)


def spectral_distance(a: Spectrum, b: Spectrum) -> float:
    """The mean over frequencies above 0 of |10 log₁₀ S_a − 10 log₁₀ S_b|, in decibels.

    Densities below `FLOOR` count as `FLOOR`, so that a clip in [−1, 1] that stands still is at a large but finite
    distance. At frequency 0 differences have next to no power, whatever the clip.

    Raises ``InputError`` for spectra of two windows.
    """
    if len(a.density) != len(b.density) or not torch.allclose(a.frequency, b.frequency):
        raise InputError(
            f"spectra of {len(a.density)} and {len(b.density)} frequencies were given; a distance needs the same ones: "
            "take both with one window"
        )
    first, second = (10 * of.density[1:].clamp(min=FLOOR).log10() for of in (a, b))
    return (first - second).abs().mean().item()


def nearest_windows(synthesised: Tensor, clip: Tensor, frames: int = 8) -> Windows:
    """For each window of so many ``frames`` of ``synthesised`` ``[C, T, H, W]``, the nearest of ``clip``.

    Its distances are to be seen beside those of `own_nearest_windows`. Raises ``InputError`` for what are no such
    clips, differ in size, or hold no window.
    """
    _check_both(synthesised, clip, "a search for copies", moving=False)
    return _nearest(_between(synthesised, clip, frames))


def own_nearest_windows(clip: Tensor, frames: int = 8) -> Windows:
    """For each window of a clip ``[C, T, H, W]``, the nearest of those that share no frame with it.

    (A window and the next share all frames but one, so in a clip that moves slowly they are near, whatever it shows.)

    Raises ``InputError`` for what is no such clip, and for one shorter than three windows less a frame: some of its
    windows have no other.
    """
    check_clip(clip, "a search for copies", moving=False)
    between = _between(clip, clip, frames)
    if len(between) < 2 * frames:
        raise InputError(
            f"a clip of {clip.shape[1]} frames has windows of {frames} with which all others share a frame, so that "
            f"nothing is to compare them with; take windows of {(clip.shape[1] + 1) // 3} frames or fewer, or a longer "
            "clip"
        )
    at = torch.arange(len(between), device=between.device)
    return _nearest(between.masked_fill_((at[:, None] - at).abs() < frames, torch.inf))


def check_clip(clip: Tensor, what: str, least: int = 2, moving: bool = True) -> None:
    """Refuse what is no clip ``[C, T, H, W]`` of finite floats with T ≥ ``least``, and what stands still if ``moving``.

    ``what`` is what takes it, as a sentence has it. Raises ``InputError``.
    """
    if clip.ndim != 4 or clip.numel() == 0 or not clip.is_floating_point() or clip.shape[1] < least:
        raise InputError(
            f"{what} was given {clip.dtype} {list(clip.shape)}; it needs one clip of floats [C, T, H, W], of {least} "
            "frames or more: convert it first"
        )
    if not torch.isfinite(clip).all():
        raise InputError(f"{what} was given a clip with numbers that are not finite: check where it came from")
    if moving and torch.equal(clip, clip[:, :1].expand_as(clip)):
        raise InputError(f"{what} was given a clip whose {clip.shape[1]} frames are all the same; give one that moves")


def _check_both(synthesised: Tensor, clip: Tensor, what: str, moving: bool) -> None:
    """Refuse what are no two clips of one size; their lengths may differ. Raises ``InputError``."""
    for some in (synthesised, clip):
        check_clip(some, what, moving=moving)
    if synthesised[:, 0].shape != clip[:, 0].shape:
        raise InputError(
            f"clips {list(synthesised.shape)} and {list(clip.shape)} were given; {what} needs as many channels, rows "
            "and columns of both: resize one of them"
        )


def _between(synthesised: Tensor, clip: Tensor, frames: int) -> Tensor:
    """The mean squared difference of each window and each window, ``[T − w + 1, T' − w + 1]``."""
    shortest = min(synthesised.shape[1], clip.shape[1])
    if not 1 <= frames <= shortest:
        raise InputError(
            f"windows of {frames} frames were asked for of clips of {shortest} frames or more; ask for 1 to {shortest}"
        )
    y = clip.double()
    of_frames = torch.stack([(y - frame[:, None]).square().mean((0, 2, 3)) for frame in synthesised.double().unbind(1)])
    rows, columns = (length - frames + 1 for length in of_frames.shape)
    return torch.stack([of_frames[k : k + rows, k : k + columns] for k in range(frames)]).mean(0)


def _nearest(between: Tensor) -> Windows:
    squared, start = between.min(1)
    return Windows(squared.sqrt(), start)
