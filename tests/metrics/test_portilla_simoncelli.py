from __future__ import annotations

import sys

import pytest
import torch

from tutelage.checks import InputError
from tutelage.metrics.portilla_simoncelli import SMALLEST, Statistics, portilla_simoncelli, principal_axes
from tutelage.rng import stream
from tutelage.types import Images

pytestmark = pytest.mark.filterwarnings("ignore")  # of plenoptic and what it brings


def stripes(width: int, seed: int, period: int = 8, channels: int = 3) -> Images:
    """Waves across, each colour with a phase of its own, under a little noise."""
    across = torch.arange(width) * (2 * torch.pi / period)
    waves = torch.stack([torch.sin(across + channel) for channel in range(channels)])[None, :, None]
    noise = torch.randn(1, channels, 64, width, generator=stream(seed, "stripes"))
    return 0.5 * waves.expand(1, channels, 64, width) + 0.1 * noise


def test_a_texture_is_at_no_distance_from_itself() -> None:
    images = stripes(64, 0)
    assert portilla_simoncelli(images, images) == 0


def test_the_same_texture_is_nearer_than_another_and_noise_is_farther() -> None:
    reference = stripes(64, 0)
    same, other = portilla_simoncelli(stripes(64, 1), reference), portilla_simoncelli(stripes(64, 1, 16), reference)
    noise = portilla_simoncelli(torch.rand(1, 3, 64, 64, generator=stream(2, "noise")) * 2 - 1, reference)
    assert same < 0.3 * other and same < 0.3 * noise


def test_sizes_may_differ_and_what_no_multiple_of_8_holds_is_left_out() -> None:
    reference = stripes(64, 0)
    wide = stripes(128, 1)
    assert portilla_simoncelli(wide, reference) < 0.3
    cut = stripes(71, 1)
    assert portilla_simoncelli(cut, reference) == portilla_simoncelli(cut[..., :64], reference)


def test_a_set_is_judged_by_the_mean_of_its_statistics() -> None:
    one, two, reference = stripes(64, 1), stripes(64, 2, 16), stripes(64, 0)
    both = portilla_simoncelli(torch.cat([one, two]), reference)
    assert both == pytest.approx(portilla_simoncelli(torch.cat([two, one]), reference), rel=1e-5)
    assert portilla_simoncelli(one, reference) < both < portilla_simoncelli(two, reference)


def test_the_statistics_are_those_of_plenoptic() -> None:
    plenoptic = pytest.importorskip("plenoptic")
    a, b = stripes(64, 1, channels=1), stripes(64, 0, channels=1)
    model = plenoptic.models.PortillaSimoncelli((64, 64), n_scales=3, n_orientations=4, spatial_corr_width=7)
    loss = plenoptic.loss.portilla_simoncelli_loss_factory(model, b)
    mean, deviation = b.mean(), b.std(correction=0)
    of_a, of_b = (model((images - mean) / deviation) for images in (a, b))
    expected = loss(of_a, of_b) / loss(of_b, torch.zeros_like(of_b))
    assert portilla_simoncelli(a, b) == pytest.approx(float(expected), rel=1e-3)


def test_colours_are_uncorrelated_along_the_axes_with_variance_1() -> None:
    mixed = torch.einsum("kc,nchw->nkhw", torch.tensor([[1.0, 0.5, 0], [0, 1, 0.2], [0.1, 0, 2]]), stripes(64, 0)) + 3
    mean, axes = principal_axes(mixed)
    rotated = (mixed.double().movedim(1, -1).flatten(0, 2) - mean) @ axes.T
    torch.testing.assert_close(rotated.T @ rotated / len(rotated), torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("statistics", [Statistics(), Statistics(4, 4, 9), Statistics(2, 4, 5)])
def test_pictures_of_the_smallest_size_have_statistics(statistics: Statistics) -> None:
    side = statistics.smallest
    assert statistics(torch.rand(1, 1, side, side, generator=stream(0))).isfinite().all()


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (torch.zeros(1, 3, SMALLEST - 1, 64), stripes(64, 0), r"63, 64\]; they need .* 64 pixels or more each way"),
        (stripes(64, 0), torch.zeros(3, 64, 64), r"asked of \[3, 64, 64\]; they need \[N, C, H, W\]"),
        (stripes(64, 0, channels=1), stripes(64, 0), "of 1 and of 3 channels cannot be compared; convert"),
        (stripes(64, 0), 127.5 * (1 + stripes(64, 0)), r"distance was given .*; it needs them in \[-1, 1\]"),
        (stripes(64, 0) * float("nan"), stripes(64, 0), "not finite; it needs finite ones"),
        (stripes(64, 0), torch.zeros(1, 3, 64, 64), "colours do not vary in every direction"),
        (stripes(64, 0), stripes(64, 0, channels=1).expand(1, 3, 64, 64), "give it as a grey picture of one channel"),
    ],
)
def test_what_cannot_be_compared_is_refused(a: Images, b: Images, message: str) -> None:
    with pytest.raises(InputError, match=message):
        portilla_simoncelli(a, b)


def test_without_plenoptic_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plenoptic", None)
    with pytest.raises(InputError, match=r"plenoptic, which is not installed; `pip install 'tutelage\[textures\]'`"):
        portilla_simoncelli(stripes(88, 0), stripes(88, 1))
