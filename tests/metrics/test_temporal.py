"""Measures of clips against SciPy, loops and closed forms; what stands still, and what is a copy, is told."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import signal
from torch import Tensor

from tutelage.checks import InputError
from tutelage.metrics.pixel import psnr, ssim
from tutelage.metrics.temporal import (
    FLOOR,
    Spectrum,
    fidelity,
    matched,
    nearest_windows,
    own_nearest_windows,
    spectral_distance,
    spectrum,
    temporal_variance,
)
from tutelage.rng import stream


def noise(frames: int, name: str = "clip", size: tuple[int, int, int] = (2, 4, 5)) -> Tensor:
    drawn = torch.rand((size[0], frames, *size[1:]), generator=stream(0, name), dtype=torch.float64)
    return drawn * 2 - 1


def sinusoid(frequency: float, frames: int = 65, amplitude: float = 0.5) -> Tensor:
    t = torch.arange(frames).double()[:, None, None]
    phase = torch.arange(20).double().reshape(1, 4, 5)
    return amplitude * torch.sin(2 * math.pi * frequency * t + phase)[None] + 0.2


CLIP, MADE = noise(20), noise(14, "made")


# --- fidelity


def test_fidelity_is_that_of_frames() -> None:
    a, b = noise(3, size=(3, 12, 11)), noise(3, "other", (3, 12, 11))
    found = fidelity(a, b)
    frames = [(a[:, t][None], b[:, t][None]) for t in range(3)]
    assert found.psnr.value == pytest.approx(np.mean([psnr(*pair).value for pair in frames]))
    assert found.ssim.value == pytest.approx(np.mean([ssim(*pair).value for pair in frames]))
    assert found.psnr.n == 3 and fidelity(b, b).ssim.value == pytest.approx(1)


def test_an_unaligned_sample_is_three_decibels_below_the_mean_frame() -> None:
    clip, sample = noise(400, size=(1, 11, 11)) / 2, noise(400, "other", (1, 11, 11)) / 2
    still = clip.mean(1, keepdim=True).expand_as(clip)
    gap = fidelity(still, clip).psnr.value - fidelity(sample, clip).psnr.value
    assert gap == pytest.approx(10 * math.log10(2), abs=0.05)


# --- temporal variance


def test_the_temporal_variance_is_that_of_each_pixel_over_time() -> None:
    assert temporal_variance(CLIP) == pytest.approx(CLIP.numpy().var(1).mean())
    assert temporal_variance(sinusoid(0.125, 64)) == pytest.approx(0.5**2 / 2)
    assert temporal_variance(CLIP[:, :1].expand(-1, 5, -1, -1)) == 0


def test_what_is_matched_has_the_variance_and_its_own_mean() -> None:
    made = 0.1 * MADE + 0.4
    found = matched(made, CLIP)
    assert temporal_variance(found) == pytest.approx(temporal_variance(CLIP))
    torch.testing.assert_close(found.mean(1), made.mean(1))
    ratio = (found - found.mean(1, keepdim=True)) / (made - made.mean(1, keepdim=True))
    torch.testing.assert_close(ratio, ratio.flatten()[0].expand_as(ratio))
    assert ratio.min() > 0 and matched(made.float(), CLIP).dtype == torch.float32
    torch.testing.assert_close(matched(CLIP, CLIP), CLIP)


# --- spectrum


@pytest.mark.parametrize("window", [2, 5, 8, 19])
def test_the_spectrum_is_welchs_of_differences(window: int) -> None:
    frequency, density = signal.welch(
        np.diff(CLIP.numpy(), axis=1), window="hann", nperseg=window, noverlap=window // 2, detrend=False, axis=1
    )
    found = spectrum(CLIP, window)
    np.testing.assert_allclose(found.frequency.numpy(), frequency, rtol=1e-6)
    np.testing.assert_allclose(found.density.numpy(), density.mean((0, 2, 3)), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("k", [2, 5, 8, 12])
def test_a_sinusoid_peaks_at_its_frequency_with_the_power_of_its_differences(k: int) -> None:
    found = spectrum(sinusoid(k / 32), 32)
    assert found.density.argmax() == k and found.frequency[k] == k / 32
    power = 0.5**2 / 2 * (2 * math.sin(math.pi * k / 32)) ** 2
    assert found.density.sum().item() / 32 == pytest.approx(power, rel=1e-6)
    assert (found.density[[i for i in range(17) if abs(i - k) > 1]] < 1e-12).all()


def test_the_spectrum_of_noise_is_that_of_its_differences_whatever_the_length() -> None:
    expected = 2 * (1 / 3) * (2 * torch.sin(math.pi * torch.arange(1, 16) / 32)).square().double()
    for frames in (1000, 1777):
        found = spectrum(noise(frames, size=(3, 12, 12)), 32)
        torch.testing.assert_close(found.density[1:16], expected, rtol=0.1, atol=0.01)


def test_distances_are_in_decibels() -> None:
    one, other = spectrum(CLIP, 8), spectrum(0.5 * CLIP, 8)
    assert spectral_distance(one, other) == pytest.approx(20 * math.log10(2))
    assert spectral_distance(other, one) == spectral_distance(one, other) and spectral_distance(one, one) == 0


def test_what_stands_still_is_at_a_finite_distance_that_the_floor_decides() -> None:
    still = spectrum(CLIP[:, :1].expand(-1, 20, -1, -1), 8)
    moving = spectrum(CLIP, 8)
    assert (still.density == 0).all()
    expected = (10 * (moving.density[1:] / FLOOR).log10()).mean().item()
    assert spectral_distance(still, moving) == pytest.approx(expected) and expected > 30
    assert spectral_distance(still, still) == 0


def test_the_floor_is_that_of_eight_bits() -> None:
    """Pictures in [−1, 1] that stand still but for their last bit, each rounded after a dither of its own."""
    q = 2 / 255
    rounded = ((noise(2000) * 0 + 0.3 + q * noise(2000) / 2) / q).round() * q
    found = spectrum(rounded, 32)
    assert found.density.sum().item() / 32 == pytest.approx(rounded.diff(dim=1).square().mean().item(), rel=0.02)
    uniform = spectrum(q / 2 * noise(2000), 32)
    assert uniform.density.sum().item() / 32 == pytest.approx(FLOOR / 2, rel=0.02)


# --- copies


def by_loops(made: Tensor, clip: Tensor, frames: int) -> np.ndarray:
    a, b = made.numpy(), clip.numpy()
    return np.array(
        [
            [
                math.sqrt(((a[:, i : i + frames] - b[:, j : j + frames]) ** 2).mean())
                for j in range(b.shape[1] - frames + 1)
            ]
            for i in range(a.shape[1] - frames + 1)
        ]
    )


@pytest.mark.parametrize("frames", [1, 4, 14])
def test_the_nearest_windows_are_those_of_all(frames: int) -> None:
    found, expected = nearest_windows(MADE, CLIP, frames), by_loops(MADE, CLIP, frames)
    np.testing.assert_allclose(found.distance.numpy(), expected.min(1), rtol=1e-12)
    assert found.start.tolist() == expected.argmin(1).tolist()


def test_a_shifted_copy_is_at_zero() -> None:
    found = nearest_windows(CLIP[:, 3:16].float(), CLIP.float(), 5)
    assert (found.distance == 0).all() and found.start.tolist() == list(range(3, 12))
    pieces = torch.cat([CLIP[:, 12:], CLIP[:, :9]], 1)  # two stretches in another order: a copy but where they meet
    near = nearest_windows(pieces, CLIP, 3).distance
    assert (near == 0).sum() == 13 and (near > 0.3).sum() == 2
    torch.testing.assert_close(nearest_windows(CLIP + 0.1, CLIP, 5).distance, torch.full((16,), 0.1).double())


def test_a_clip_is_compared_with_its_other_windows() -> None:
    found, expected = own_nearest_windows(CLIP, 4), by_loops(CLIP, CLIP, 4)
    lag = np.abs(np.subtract.outer(np.arange(len(expected)), np.arange(len(expected))))
    expected[lag < 4] = np.inf
    np.testing.assert_allclose(found.distance.numpy(), expected.min(1), rtol=1e-12)
    assert found.start.tolist() == expected.argmin(1).tolist()
    twice = own_nearest_windows(torch.cat([CLIP, CLIP], 1), 4).distance
    assert (twice == 0).sum() == 34 and (twice > 0.3).sum() == 3  # 3 windows have a piece of each


# --- refusals

STILL = CLIP[:, :1].expand(-1, 9, -1, -1)
ONE_CLIP = [temporal_variance, lambda clip: spectrum(clip, 4), lambda clip: own_nearest_windows(clip, 2)]


def test_what_is_matched_within_a_range_has_the_variance_all_the_same() -> None:
    wanted = torch.rand(3, 6, 4, 5, generator=stream(0), dtype=torch.float64) * 2 - 1
    faint = 0.9 + 0.02 * torch.randn(3, 6, 4, 5, generator=stream(1), dtype=torch.float64)
    found = matched(faint, wanted, limit=1.0)
    assert found.abs().max() == 1 and temporal_variance(matched(faint, wanted).clamp(-1, 1)) < 0.8 * temporal_variance(
        wanted
    )
    assert temporal_variance(found) == pytest.approx(temporal_variance(wanted), rel=1e-6)
    # one frame of six that differs cannot vary as much as one in two
    blinking = torch.tensor([1.0, -1.0] * 3).view(1, 6, 1, 1).expand(1, 6, 2, 2)
    once = torch.tensor([0.9, 1.0, 1.0, 1.0, 1.0, 1.0]).view(1, 6, 1, 1).expand(1, 6, 2, 2)
    most = matched(once, blinking, limit=1.0)
    assert temporal_variance(most) < 0.6 and set(most.flatten().tolist()) == {-1.0, 1.0}


TWO_CLIPS = [fidelity, matched, lambda a, b: nearest_windows(a, b, 2)]


@pytest.mark.parametrize("metric", [*ONE_CLIP, *(lambda clip, two=two: two(clip, CLIP) for two in TWO_CLIPS)])
@pytest.mark.parametrize(
    ("clip", "says"),
    [
        (CLIP[0], r"was given torch.float64 \[20, 4, 5\]; it needs one clip of floats \[C, T, H, W\], of 2 frames"),
        (CLIP[None], r"\[1, 2, 20, 4, 5\]"),
        (CLIP[:, :1], "of 2 frames or more"),
        (CLIP[:, :, :0], r"\[2, 20, 0, 5\]"),
        (CLIP.long(), "torch.int64"),
        (CLIP / 0, "numbers that are not finite: check where it came from"),
    ],
)
def test_what_is_no_clip_is_refused(metric, clip: Tensor, says: str) -> None:
    with pytest.raises(InputError, match=says):
        metric(clip)


def test_what_stands_still_cannot_be_matched() -> None:
    for pair in ((STILL, CLIP), (CLIP, STILL)):
        with pytest.raises(InputError, match="temporal variance was given a clip whose 9 frames are all the same"):
            matched(*pair)


@pytest.mark.parametrize("metric", [matched, nearest_windows])
def test_clips_of_two_sizes_are_refused(metric) -> None:
    with pytest.raises(InputError, match=r"\[2, 20, 4, 4\] and \[2, 20, 4, 5\] were given; .*resize one"):
        metric(CLIP[..., :4], CLIP)
    with pytest.raises(InputError, match="as many channels"):
        metric(CLIP[:1], CLIP)


def test_fidelity_needs_clips_of_one_length_in_range() -> None:
    with pytest.raises(InputError, match="each with its own original"):
        fidelity(CLIP[:1, 1:], CLIP[:1])
    with pytest.raises(InputError, match="clamp samples"):
        fidelity(2 * CLIP[:1], CLIP[:1])


@pytest.mark.parametrize("window", [1, 20])
def test_a_window_of_differences_that_does_not_fit_is_refused(window: int) -> None:
    with pytest.raises(
        InputError, match=f"window of {window} differences was asked for of a clip of 20 frames; give 2"
    ):
        spectrum(CLIP, window)


@pytest.mark.parametrize("frames", [0, 15])
def test_windows_that_do_not_fit_are_refused(frames: int) -> None:
    with pytest.raises(InputError, match=f"windows of {frames} frames were asked for .*ask for 1 to 14"):
        nearest_windows(MADE, CLIP, frames)


def test_windows_that_share_a_frame_are_no_others() -> None:
    """A clip that rises by 1 a frame: those that share none are at least as many frames apart as a window is long."""
    rising = torch.arange(20.0).view(1, 20, 1, 1).expand(3, 20, 2, 2)
    assert own_nearest_windows(rising, 5).distance.tolist() == [5.0] * 16


@pytest.mark.parametrize(("frames", "most"), [(20, 7), (8, 7)])
def test_windows_without_another_are_refused(frames: int, most: int) -> None:
    with pytest.raises(
        InputError, match=f"a clip of 20 frames has windows of {frames} .* take windows of {most} frames"
    ):
        own_nearest_windows(CLIP, frames)
    assert own_nearest_windows(CLIP, most).distance.isfinite().all()


def test_a_clip_of_three_windows_less_two_frames_is_too_short() -> None:
    with pytest.raises(InputError, match="take windows of 6 frames"):  # the middle one shares a frame with all others
        own_nearest_windows(CLIP[:, :19], 7)


def test_spectra_of_two_windows_are_refused() -> None:
    with pytest.raises(InputError, match=r"spectra of 5 and 6 frequencies were given; .*one window"):
        spectral_distance(spectrum(CLIP, 8), spectrum(CLIP, 10))
    with pytest.raises(InputError, match="spectra of 5 and 5 frequencies"):
        spectral_distance(spectrum(CLIP, 8), Spectrum(torch.arange(5) / 9, torch.ones(5)))
