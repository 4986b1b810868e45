"""The bundled digits are the published ones, and can be recognised."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import numpy as np
import pytest

from tutelage.checks import InputError
from tutelage.data import digit_labels, digits
from tutelage.data.bundled import _order, original_digits


def test_nothing_of_the_original_is_lost():
    sklearn = pytest.importorskip("sklearn.datasets")
    published = sklearn.load_digits()
    assert np.array_equal(original_digits(), published.images)
    assert np.array_equal(np.concatenate(digit_labels()), published.target[_order()])


def test_the_digest_is_of_the_published_values():
    digest = hashlib.sha256(original_digits().tobytes()).hexdigest()
    assert digest == "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
    assert digits().train.sha256 == digest


def test_three_parts_with_their_labels():
    splits = digits()
    assert splits.validation and splits.test
    parts = (splits.train, splits.validation, splits.test)
    assert [len(part) for part in parts] == [1500, 147, 150]
    for part, labels in zip(parts, digit_labels(), strict=True):
        assert part.shape == (1, 28, 28)
        assert labels.dtype == np.uint8 and len(labels) == len(part)
        assert set(labels.tolist()) == set(range(10)), "every part has every digit"


def test_the_order_is_fixed():
    order = _order()
    assert sorted(order) == list(range(1797))
    assert order[:4] == [1254, 1459, 1000, 883]
    assert digit_labels()[0][:10].tolist() == [4, 7, 1, 1, 8, 6, 3, 5, 8, 3]


def test_paper_is_black_and_frames_the_digit():
    pixels = digits().train.pixels[:, 0]
    assert (pixels[:, 0] == 0).all() and (pixels[:, :, 0] == 0).all()
    assert (pixels[:, -1] == 0).all() and (pixels[:, :, -1] == 0).all()
    assert (pixels == 0).mean() > 0.4
    assert pixels.max() == 255 and (pixels.max((1, 2)) > 200).all()


def test_labels_belong_to_their_images():
    train, test = digits().train.pixels.reshape(1500, -1).astype(float), digits().test
    assert test is not None
    means = np.stack([train[digit_labels()[0] == digit].mean(0) for digit in range(10)])
    distance = ((test.pixels.reshape(150, 1, -1) - means) ** 2).sum(2)
    assert (distance.argmin(1) == digit_labels()[2]).mean() > 0.85


def test_a_threefold_enlargement_averages_back():
    # 24 of 28 pixels for 8: each original pixel becomes 3 x 3, whose mean is close to it
    pixels = digits().train.pixels[:, 0, 2:26, 2:26].reshape(1500, 8, 3, 8, 3).mean((2, 4))
    original = original_digits()[_order()[:1500]] * (255 / 16)
    assert np.corrcoef(pixels.ravel(), original.ravel())[0, 1] > 0.97
    assert abs(pixels.mean() - original.mean()) < 5


@pytest.mark.parametrize("size", [(8, 8), (28, 20), (64, 64), (1, 1)])
def test_any_size(size):
    assert digits(size).train.shape == (1, *size)


@pytest.mark.parametrize("size", [(0, 28), (28, -1)])
def test_no_size(size):
    with pytest.raises(InputError, match="give a height and a width of at least 1"):
        digits(size)


def test_the_licence_is_beside_the_pictures():
    text = files("tutelage.data").joinpath("digits", "LICENSE.txt").read_text(encoding="utf-8")
    for words in ("Alpaydin", "Kaynak", "CC BY 4.0", "10.24432/C50P49", "What was changed"):
        assert words in text
