"""Textures by their statistics: nearer than noise, in colour, of any size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tutelage.baselines.descent import Plan
from tutelage.baselines.portilla_simoncelli import PAPER, StatisticsEnergy, synthesise
from tutelage.checks import InputError
from tutelage.metrics.portilla_simoncelli import Statistics
from tutelage.rng import stream

pytestmark = pytest.mark.filterwarnings("ignore")  # of plenoptic and what it brings
SMALL = Statistics(scales=1, orientations=2, places=3)


def stripes(channels: int = 1) -> Tensor:
    across = torch.arange(18.0) * torch.pi / 4
    waves = torch.stack([torch.sin(across + channel) for channel in range(channels)])[:, None]
    return (0.6 * waves + 0.1 * torch.randn(channels, 17, 18, generator=stream(0, "stripes"))).clamp(-1, 1)


class Moments:
    """In the place of plenoptic's: the mean and the mean square of each channel."""

    step, smallest = 2, 6

    def __call__(self, images: Tensor) -> Tensor:
        return torch.stack([images.mean((2, 3)), images.square().mean((2, 3))], 2)

    def __repr__(self) -> str:
        return "Moments()"


def test_the_energy_is_a_relative_square_and_its_minima_have_the_statistics() -> None:
    energy = StatisticsEnergy(torch.tensor([3.0, 4.0]), Moments())  # type: ignore[arg-type]
    assert energy(torch.zeros(2, 1, 4, 4)).tolist() == [1, 1] and repr(energy) == "StatisticsEnergy(Moments())"
    example = stripes(2)
    made = synthesise(example, (9, 11), Plan(steps=40), stream(0), 2, Moments())  # type: ignore[arg-type]
    assert made.shape == (2, 2, 9, 11) and made.abs().max() <= 1 and made.dtype == example.dtype
    whole = synthesise(example, (10, 12), Plan(steps=40), stream(0), 1, Moments())  # type: ignore[arg-type]
    kept = example[:, :16, :18]
    torch.testing.assert_close(whole[0].mean((1, 2)), kept.mean((1, 2)), atol=0.1, rtol=0)
    torch.testing.assert_close(whole[0].std((1, 2)), kept.std((1, 2)), atol=0.1, rtol=0)


def test_plenoptics_statistics_are_met() -> None:
    pytest.importorskip("plenoptic")
    example = stripes()
    (made,) = synthesise(example, (16, 16), Plan(steps=40), stream(0), 1, SMALL)
    kept = example[None, :, :16]
    standard = (kept.mean(), kept.std(correction=0))
    with torch.no_grad():
        of_kept = SMALL(((kept - standard[0]) / standard[1])[..., :18])[0, 0]
        start = SMALL(0.3 * torch.randn(1, 1, 16, 16, generator=stream(0)))[0, 0]
        found = SMALL(((made - standard[0]) / standard[1])[None])[0, 0]
    assert (found - of_kept).norm() < 0.5 * (start - of_kept).norm()


def test_what_is_too_small_is_refused() -> None:
    assert (PAPER.step, PAPER.smallest) == (16, 128)
    with pytest.raises(InputError, match=r"asked of \[1, 1, 17, 18\]; .* 128 pixels or more each way"):
        synthesise(stripes(), (128, 128), Plan(), stream(0))
    with pytest.raises(InputError, match=r"asked of \[1, 1, 4, 16\]; .* 8 pixels or more"):
        synthesise(stripes(), (4, 16), Plan(), stream(0), statistics=SMALL)


@pytest.mark.parametrize("counts", [(0, 4, 7), (1, 1, 7), (1, 2, 1), (1, 2, 4)])
def test_statistics_that_cannot_be_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="they need 1 scale, 2 orientations and 3 places or more, and an odd number"):
        Statistics(*counts)
