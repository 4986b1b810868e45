"""LDS, FFT-LDS and HOSVD on clips whose continuation, spectrum or decomposition is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tutelage.baselines import dynamics, fft_lds, hosvd, lds
from tutelage.metrics.temporal import spectral_distance, spectrum
from tutelage.rng import stream

FREE = dynamics.Dynamics(radius=1.0)  # sinusoids have eigenvalues of modulus 1


def patterns(n: int, size: tuple[int, int, int] = (2, 5, 6)) -> Tensor:
    """``[n, C, 1, H, W]``."""
    return torch.randn((n, size[0], 1, *size[1:]), generator=stream(0, "patterns"), dtype=torch.float64)


def sinusoids(frames: int, periods: tuple[int, ...] = (4, 6)) -> Tensor:
    """A clip with a cosine and a sine of each period around a mean picture; its length should be a multiple of all."""
    t = torch.arange(frames).double()[:, None, None]
    waves = [f(2 * math.pi * t / period) for period in periods for f in (torch.cos, torch.sin)]
    shapes = patterns(1 + len(waves))
    return shapes[0] + sum(wave * shape for wave, shape in zip(waves, shapes[1:], strict=True))


def bar(frames: int, width: int = 12) -> Tensor:
    """A bright bar of sharp edges that goes around in ``width`` frames."""
    x = (torch.arange(width)[None] - torch.arange(frames)[:, None]) % width
    return (x < 3).double()[None, :, None].expand(1, -1, 8, -1) * 2 - 1


@pytest.mark.parametrize("start", ["first", "last"])
@pytest.mark.parametrize("method", ["lds", "fft_lds", "hosvd"])
def test_sinusoids_are_continued(method: str, start) -> None:
    settings = dynamics.Dynamics(radius=1.0, start=start)
    plans = {
        "lds": (lds, lds.Plan(4, settings)),
        "fft_lds": (fft_lds, fft_lds.Plan(1.0, lds.Plan(4, settings))),
        "hosvd": (hosvd, hosvd.Plan(states=4, dynamics=settings)),
    }
    module, plan = plans[method]
    made = module.fit(sinusoids(24), plan).synthesise(40, stream(0), noise=False)
    begin = 0 if start == "first" else 23
    torch.testing.assert_close(made, sinusoids(begin + 40)[:, begin:].float(), rtol=0, atol=1e-5)


def test_the_eigenvalues_of_a_system_that_made_a_clip_are_found() -> None:
    angle, radius = 0.6, 0.95
    turn = radius * torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    true = dynamics.Linear(turn.double(), 0.3 * torch.eye(2).double(), torch.zeros(2).double())
    states = true.simulate(4000, stream(0))
    clip = torch.einsum("kcshw,kt->cthw", patterns(2), states) + 3
    found = lds.fit(clip, lds.Plan(2)).system
    values = torch.linalg.eigvals(found.dynamics.transition)
    assert values.abs() == pytest.approx([radius] * 2, abs=0.01)
    assert values.angle().abs() == pytest.approx([angle] * 2, abs=0.01)
    # the noise of pixels, whatever the basis of the states
    seen, meant = found.basis @ found.dynamics.drive, patterns(2).flatten(1).T @ true.drive
    torch.testing.assert_close(seen @ seen.T, meant @ meant.T, rtol=0.1, atol=0.01)


def test_the_basis_is_that_of_principal_components() -> None:
    clip = torch.randn((2, 9, 3, 4), generator=stream(1), dtype=torch.float64)
    system = lds.fit(clip, lds.Plan(3)).system
    y = clip.transpose(0, 1).reshape(9, -1).numpy()
    _, _, vt = np.linalg.svd(y - y.mean(0), full_matrices=False)
    torch.testing.assert_close(system.basis @ system.basis.T, torch.from_numpy(vt[:3].T @ vt[:3]))


def test_no_states_are_the_mean_frame() -> None:
    clip = sinusoids(7)
    made = lds.fit(clip, lds.Plan(0)).synthesise(4, stream(0))
    torch.testing.assert_close(made, clip.mean(1, keepdim=True).expand(-1, 4, -1, -1).float())


def noise_clip(width: int, frames: int = 20) -> Tensor:
    return torch.randn((3, frames, 6, width), generator=stream(2), dtype=torch.float64).cumsum(1) / 5


@pytest.mark.parametrize("width", [6, 7])
def test_fft_lds_that_keeps_everything_is_lds(width: int) -> None:
    plan = lds.Plan(5)
    one, other = lds.fit(noise_clip(width), plan), fft_lds.fit(noise_clip(width), fft_lds.Plan(1.0, plan))
    torch.testing.assert_close(*(model.synthesise(30, stream(0), noise=False) for model in (one, other)))
    drives = [model.system.dynamics.drive.norm(dim=0) for model in (one, other)]
    torch.testing.assert_close(*drives)


@pytest.mark.parametrize("width", [6, 7])
def test_what_is_kept_is_the_largest_of_all_times(width: int) -> None:
    clip = noise_clip(width)
    model = fft_lds.fit(clip, fft_lds.Plan(0.4, lds.Plan(5)))
    peaks = np.abs(np.fft.fft2(clip.numpy())).max(1)
    half = peaks[..., : width // 2 + 1]
    threshold = np.sort(half.ravel())[::-1][math.ceil(0.4 * half.size) - 1]
    mask = peaks >= threshold * (1 - 1e-9)
    assert (model.mask.numpy() == mask[..., : width // 2 + 1]).all()
    # and frames are those with the other coefficients of the whole plane at 0
    everything = fft_lds.fit(clip, fft_lds.Plan(0.4, lds.Plan(19, dynamics.Dynamics(start="first"))))
    first = np.fft.ifft2(np.fft.fft2(clip[:, 0].numpy()) * mask).real
    np.testing.assert_allclose(everything.synthesise(1, stream(0))[:, 0].numpy(), first, atol=1e-5)


def test_a_wave_that_moves_has_its_spectrum_only_with_all_coefficients() -> None:
    clip, true = bar(48), spectrum(bar(48), 24)
    plans = fft_lds.Plan(1.0, lds.Plan(9, FREE)), fft_lds.Plan(0.05, lds.Plan(4, FREE))
    whole, part = (fft_lds.fit(clip, plan).synthesise(48, stream(0)) for plan in plans)
    assert spectral_distance(spectrum(whole, 24), true) < 0.01
    assert spectral_distance(spectrum(lds.fit(clip, lds.Plan(9, FREE)).synthesise(48, stream(0)), 24), true) < 0.01
    assert spectral_distance(spectrum(part, 24), true) > 1


def test_hosvd_of_full_rank_rebuilds_the_clip() -> None:
    clip = noise_clip(7, 11)
    parts = hosvd.decompose(clip, (3, 11, 6, 7))
    torch.testing.assert_close(parts.rebuilt(), clip)
    torch.testing.assert_close(parts.rebuilt(parts.bases[1][2:5]), clip[:, 2:5])
    for basis in parts.bases:
        torch.testing.assert_close(basis.T @ basis, torch.eye(basis.shape[1]).double())


def test_hosvd_of_lower_rank_is_the_projection_on_each_unfoldings_vectors() -> None:
    clip, ranks = noise_clip(7, 11), (2, 5, 3, 4)
    expected = clip.numpy()
    for axis, rank in enumerate(ranks):
        u = np.linalg.svd(np.moveaxis(clip.numpy(), axis, 0).reshape(clip.shape[axis], -1))[0][:, :rank]
        expected = np.moveaxis(np.tensordot(u @ u.T, expected, (1, axis)), 0, axis)
    parts = hosvd.decompose(clip, ranks)
    assert parts.core.shape == ranks
    np.testing.assert_allclose(parts.rebuilt().numpy(), expected, atol=1e-10)


def test_hosvd_of_all_rows_columns_and_colours_is_lds() -> None:
    """Its states are those of LDS but for their lengths, and so are dynamics, and noise where none is cut off."""
    clip = noise_clip(7)
    one, other = lds.fit(clip, lds.Plan(5, dynamics.Dynamics(5))), hosvd.fit(clip, hosvd.Plan(states=5))
    torch.testing.assert_close(*(model.synthesise(30, stream(0), noise=False) for model in (one, other)))
    assert other.dynamics.drive.shape == (5, 3)  # ⅔ of 5
    other = hosvd.fit(clip, hosvd.Plan(states=5, dynamics=dynamics.Dynamics(5)))
    seen = other.decomposition.rebuilt(other.dynamics.drive.T).transpose(0, 1).flatten(1).T
    meant = one.system.basis @ one.system.dynamics.drive
    torch.testing.assert_close(seen @ seen.T, meant @ meant.T)
