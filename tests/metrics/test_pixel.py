"""PSNR, structural similarity and recovery against scikit-image, torchmetrics, loops, and closed forms."""

from __future__ import annotations

import itertools
import math
import statistics
import sys

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from tutelage.checks import InputError
from tutelage.metrics.average import average
from tutelage.metrics.pixel import pairwise_ssim, psnr, recovery, ssim
from tutelage.rng import stream


def uniform(*shape: int, name: str = "images") -> Tensor:
    return torch.rand(shape, generator=stream(0, name)) * 2 - 1


A, B = uniform(5, 3, 16, 13), 0.7 * uniform(5, 3, 16, 13) + 0.3 * uniform(5, 3, 16, 13, name="others")


def mean_and_error(scores: list[float]) -> tuple[float, float, int]:
    return statistics.fmean(scores), statistics.stdev(scores) / math.sqrt(len(scores)), len(scores)


def test_psnr_is_that_of_each_image() -> None:
    a, b = A.double().numpy(), B.double().numpy()
    expected = [peak_signal_noise_ratio(y, x, data_range=2) for x, y in zip(a, b, strict=True)]
    assert psnr(A, B) == pytest.approx(mean_and_error(expected), rel=1e-9)


def test_psnr_of_a_shift_is_known_and_of_a_copy_infinite() -> None:
    flat = torch.zeros(2, 1, 3, 3)
    assert psnr(flat + 0.25, flat).value == pytest.approx(20 * math.log10(2 / 0.25), rel=1e-12)
    assert psnr(A, A) == (math.inf, None, 5)
    assert psnr(A[:1], B[:1]).stderr is None


def wang(a: Tensor, b: Tensor) -> float:
    """By torchmetrics, whose own mean takes windows that stick out, too."""
    both = (a[None].double() + 1, b[None].double() + 1)  # black is 0
    _, everywhere = structural_similarity_index_measure(*both, sigma=1.5, data_range=2.0, return_full_image=True)
    return everywhere[..., 5:-5, 5:-5].mean().item()


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_that_of_wang_et_al(channels: int) -> None:
    a, b = A[:, :channels], B[:, :channels]
    expected = [wang(x, y) for x, y in zip(a, b, strict=True)]
    assert ssim(a, b) == pytest.approx(mean_and_error(expected), rel=1e-6)


def test_ssim_of_a_copy_is_one_and_of_flat_images_known() -> None:
    assert ssim(A, A).value == pytest.approx(1, rel=1e-12)
    c1 = 0.01**2  # nothing varies, so the means alone count, of images in [0, 1]
    for x, y in ((1.0, 0.75), (0.0, 1.0), (0.0, 0.2), (0.4, 0.6)):
        flat = [torch.full((2, 1, 11, 11), 2 * level - 1, dtype=torch.float64) for level in (x, y)]
        assert ssim(*flat).value == pytest.approx((2 * x * y + c1) / (x * x + y * y + c1), rel=1e-9)
    c2 = (0.03 * 2) ** 2
    board = ((torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2 - 1).float().expand(1, 1, 16, 16)
    assert ssim(board, -board).value < -0.9
    settings = {"data_range": 2, "gaussian_weights": True, "use_sample_covariance": False}
    black_is_0 = (board[0, 0].double().numpy() + 1, 1 - board[0, 0].double().numpy())
    plain = structural_similarity(*black_is_0, **settings)
    assert ssim(board, -board).value == pytest.approx(plain, rel=1e-12)
    assert ssim(board, -board).value == pytest.approx((-2 + c2) / (2 + c2), rel=1e-2)


SET = torch.cat([A, B[:2]])
PAIRS = list(itertools.combinations(range(7), 2))
SIMILARITIES = {pair: ssim(SET[[pair[0]]], SET[[pair[1]]]).value for pair in PAIRS}


def jackknife(pairs: list[tuple[int, int]], n: int) -> float:
    without = [
        statistics.fmean(SIMILARITIES[min(p), max(p)] for p in pairs if left_out not in p) for left_out in range(n)
    ]
    mean = statistics.fmean(without)
    return math.sqrt((n - 1) / n * sum((value - mean) ** 2 for value in without))


def test_all_pairs_are_taken_where_there_are_few() -> None:
    for pairs in (21, 1000):
        found = pairwise_ssim(SET, stream(0), pairs)
        assert found.value == pytest.approx(statistics.fmean(SIMILARITIES.values()), rel=1e-9)
        assert found.stderr == pytest.approx(jackknife(PAIRS, 7), rel=1e-9) and found.n == 7


def test_pairs_are_drawn_where_there_are_many() -> None:
    rng = stream(3)
    first, shift = torch.randint(7, (12,), generator=rng), torch.randint(1, 7, (12,), generator=rng)
    drawn = [(int(i), int((i + s) % 7)) for i, s in zip(first, shift, strict=True)]
    found = pairwise_ssim(SET, stream(3), 12)
    assert found.value == pytest.approx(statistics.fmean(SIMILARITIES[min(p), max(p)] for p in drawn), rel=1e-9)
    assert found.stderr == pytest.approx(jackknife(drawn, 7), rel=1e-9)
    assert pairwise_ssim(SET, stream(3), 12) == found
    assert pairwise_ssim(SET, stream(4), 12) != found


def test_a_set_of_copies_is_at_one() -> None:
    found = pairwise_ssim(A[:1].expand(6, -1, -1, -1), stream(0))
    assert found.value == pytest.approx(1, rel=1e-12) and found.stderr == pytest.approx(0, abs=1e-12)


def test_the_only_pair_has_no_error() -> None:
    found = pairwise_ssim(SET[:2], stream(0))
    assert found == (pytest.approx(SIMILARITIES[0, 1], rel=1e-9), None, 2)


def masks() -> Tensor:
    """1 = observed; a block of another size at another place is hidden in each image."""
    mask = torch.ones(5, 1, 16, 13)
    for i in range(5):
        mask[i, :, i : 2 * i + 2, 3 : 5 + i] = 0
    return mask


def test_recovery_is_counted_on_hidden_pixels() -> None:
    errors, ratios = [], []
    for x, y, m in zip(A.double().numpy(), B.double().numpy(), masks().numpy(), strict=True):
        difference = [
            x[c, i, j] - y[c, i, j] for c in range(3) for i, j in np.ndindex(16, 13) if m[0, i, j] == 0
        ]  # every channel of a hidden pixel
        errors.append(statistics.fmean(map(abs, difference)) / 2)
        ratios.append(20 * math.log10(2) - 10 * math.log10(statistics.fmean(d * d for d in difference)))
    found = recovery(A, B, masks())
    assert found.error.tolist() == pytest.approx(errors, rel=1e-12)
    assert found.psnr.tolist() == pytest.approx(ratios, rel=1e-12)
    observed = torch.where(masks() == 1, B, A)  # what an image has where it was observed does not matter
    for same in (recovery(observed, B, masks()), recovery(A, B, masks().bool())):
        assert torch.equal(torch.stack(same), torch.stack(found))


def test_recovery_of_all_pixels_is_psnr() -> None:
    nothing = torch.zeros(1, 1, 16, 13)
    assert average(recovery(A, B, nothing).psnr) == pytest.approx(psnr(A, B), rel=1e-12)
    assert recovery(B + 0.0, B, nothing).error.tolist() == [0] * 5


def test_each_channel_may_have_its_own_mask() -> None:
    mask = torch.ones(1, 3, 16, 13)
    mask[:, 1] = 0
    assert average(recovery(A, B, mask).psnr) == pytest.approx(psnr(A[:, 1:2], B[:, 1:2]), rel=1e-12)


@pytest.mark.parametrize("metric", [psnr, ssim, lambda a, b: recovery(a, b, torch.zeros(1, 1, 1, 1))])
@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        (A, B[:4], r"\[5, 3, 16, 13\] were given beside \[4, 3, 16, 13\]; .*its own original"),
        (A, B[:, :1], r"beside \[5, 1, 16, 13\]"),
        (A[0], B[0], r"it needs floats \[B, C, H, W\]"),
        (2 * A, B, "needs them in .*clamp samples"),
        (A, B * math.nan, "not finite; it needs finite ones"),
    ],
)
def test_what_are_no_images_and_originals_is_refused(metric, a: Tensor, b: Tensor, says: str) -> None:
    with pytest.raises(InputError, match=says):
        metric(a, b)


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (torch.zeros(5, 16, 13), r"a mask \[5, 16, 13\] was given for images \[5, 3, 16, 13\]; .*broadcasts"),
        (torch.zeros(4, 1, 16, 13), r"a mask \[4, 1, 16, 13\]"),
        (torch.zeros(5, 1, 13, 16), r"a mask \[5, 1, 13, 16\]"),
        (torch.full((5, 1, 16, 13), 0.5), "numbers other than 0 and 1"),
        (torch.full((5, 1, 16, 13), math.nan), "numbers other than 0 and 1"),
        (torch.ones(1, 1, 16, 13), "hides no pixel of 5 of 5 images; .*mark them by 0"),
        (masks().index_fill(0, torch.tensor([2]), 1), "hides no pixel of 1 of 5 images"),
    ],
)
def test_a_mask_that_hides_nothing_or_does_not_fit_is_refused(mask: Tensor, says: str) -> None:
    with pytest.raises(InputError, match=says):
        recovery(A, B, mask)


@pytest.mark.parametrize(
    ("images", "pairs", "says"),
    [
        (A[:1], 10, "10 pairs of 1 images were asked for; .*2 images or more"),
        (A, 1, "1 pairs of 5 images"),
        (2 * A, 10, "clamp samples"),
        (A[..., :10], 10, "images of 16 x 10 hold no window of 11 x 11"),
    ],
)
def test_a_set_without_pairs_is_refused(images: Tensor, pairs: int, says: str) -> None:
    with pytest.raises(InputError, match=says):
        pairwise_ssim(images, stream(0), pairs)


def test_without_scikit_image_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(InputError, match=r"pip install 'tutelage\[ssim\]'"):
        ssim(A, B)
