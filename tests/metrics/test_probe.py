"""Errors are those of SVMs fitted by hand; separable features make none, noise is chance, and C never sees the test."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import Tensor

from tutelage.checks import InputError
from tutelage.metrics.probe import _fits, choose_c, probe
from tutelage.rng import stream


def blobs(n: int, d: int, classes: int, spread: float, name: str) -> tuple[Tensor, Tensor]:
    """Features around one random centre a class (the same for every name), on scales that differ, and labels."""
    rng = stream(0, name)
    labels = torch.arange(n) % classes
    centres = torch.randn(classes, d, generator=stream(0, "centres"))
    features = centres[labels] + spread * torch.randn(n, d, generator=rng)
    return features * 10.0 ** torch.linspace(-2, 2, d) + 3, labels


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_separable_features_make_no_error(classes: int, dtype: torch.dtype) -> None:
    train, test = blobs(60, 20, classes, 0.05, "train"), blobs(45, 20, classes, 0.05, "test")
    score = probe(train[0].to(dtype), train[1], test[0].to(dtype), test[1], 1e-3, stream(0), labelled=30, repeats=3)
    assert (score.error, score.std, score.stderr, score.unconverged) == (0, 0, 0, 0)
    assert (score.repeats, score.labelled, score.c, score.n) == (3, 30, 1e-3, 45)


def test_noise_is_chance() -> None:
    train, test = blobs(200, 10, 4, 1.0, "train"), blobs(400, 10, 4, 1.0, "test")
    noise = torch.randn(400, 10, generator=stream(0, "noise"))
    score = probe(train[0], train[1], noise, test[1], 1e-2, stream(0), labelled=100, repeats=4)
    assert score.error == pytest.approx(0.75, abs=0.1)


@pytest.mark.parametrize(("classes", "d"), [(2, 6), (3, 6), (3, 60)])  # fewer and more features than labelled images
def test_each_repeat_is_a_fit_to_images_drawn_afresh(classes: int, d: int) -> None:
    (x, y), (test, truth) = blobs(80, d, classes, 3.0, "train"), blobs(70, d, classes, 3.0, "test")
    names = torch.tensor([7, 3, 11])  # labels need not be 0, 1, ...
    y, truth = names[y], names[truth]
    score = probe(x, y, test, truth, 0.01, stream(5), labelled=40, repeats=4)
    rng, errors, drawn = stream(5), [], []
    for _ in range(4):
        chosen = torch.randperm(80, generator=rng)[:40]
        svm = LinearSVC(loss="squared_hinge", C=0.01, tol=1e-8, max_iter=100_000, random_state=0)
        by_hand = make_pipeline(StandardScaler(), svm)
        by_hand.fit(x[chosen].double().numpy(), y[chosen].numpy())
        errors.append(float(np.mean(by_hand.predict(test.double().numpy()) != truth.numpy())))
        drawn.append(frozenset(chosen.tolist()))
    assert len(set(drawn)) == 4 and all(len(one) == 40 for one in drawn)
    assert min(errors) > 0 and len(set(errors)) > 1
    assert score.error == pytest.approx(statistics.fmean(errors), abs=1e-12)
    assert score.std == pytest.approx(statistics.stdev(errors), abs=1e-12)
    assert score.stderr == pytest.approx(statistics.stdev(errors) / 2, abs=1e-12)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (30, 100)])  # in d equations, and in n
@pytest.mark.parametrize("c", [1e-4, 0.01, 1.0])
def test_weights_are_those_of_scikit_learn(n: int, d: int, c: float) -> None:
    x, y = blobs(n, d, 3, 3.0, "train")
    x[:, 1] = 7.25  # a feature that does not vary
    (machine,) = _fits(x, y, [c])
    svm = LinearSVC(C=c, tol=1e-10, max_iter=1_000_000, dual=d > n, random_state=0)
    standard = StandardScaler()
    svm.fit(standard.fit_transform(x.double().numpy()), y.numpy())
    weights = torch.from_numpy(svm.coef_ / standard.scale_)
    biases = torch.from_numpy(svm.intercept_) - weights @ torch.from_numpy(standard.mean_)
    assert machine.converged
    torch.testing.assert_close(machine.weights, weights, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(machine.biases, biases, rtol=1e-4, atol=1e-6)


def test_the_gradient_vanishes_at_the_minimum() -> None:
    x, y = blobs(50, 200, 2, 5.0, "train")
    (machine,) = _fits(x, y, [0.3])
    standard = (x.double() - x.double().mean(0)) / x.double().std(0, correction=0)
    w, sign = machine.weights[1] * x.double().std(0, correction=0), 2.0 * y - 1
    bias = machine.biases[1] + machine.weights[1] @ x.double().mean(0)
    short = (1 - sign * (standard @ w + bias)).clamp(min=0)
    assert (short > 0).any()
    torch.testing.assert_close(w, 0.6 * (short * sign) @ standard, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(bias, 0.6 * (short * sign).sum(), rtol=1e-8, atol=1e-10)


def test_the_number_of_test_images_looked_at_together_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    (x, y), (test, truth) = blobs(40, 6, 3, 1.5, "train"), blobs(31, 6, 3, 1.5, "test")
    whole = probe(x, y, test, truth, 0.01, stream(0), labelled=20, repeats=3)
    monkeypatch.setattr("tutelage.metrics.probe._ROWS", 7)
    assert probe(x, y, test, truth, 0.01, stream(0), labelled=20, repeats=3) == whole


def test_a_solver_that_gives_up_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    (x, y), (test, truth) = blobs(40, 60, 3, 1.5, "train"), blobs(30, 60, 3, 1.5, "test")
    monkeypatch.setattr("tutelage.metrics.probe._SOLVER_STEPS", 1)
    assert probe(x, y, test, truth, 1.0, stream(0), labelled=20, repeats=3).unconverged == 3


def flipped(n: int, name: str, wrong: float) -> tuple[Tensor, Tensor]:
    """One feature that tells the class but for a fraction ``wrong`` of the images, and 40 of noise."""
    labels = torch.arange(n) % 2
    tells = torch.where(torch.arange(n) < wrong * n, 1 - labels, labels)
    noise = torch.randn(n, 40, generator=stream(0, name))
    return torch.cat([2.0 * tells[:, None] - 1, noise], 1), labels


def test_c_is_chosen_by_the_held_out_images() -> None:
    x, y = flipped(60, "train", 0.2)
    held_out, truth = flipped(200, "held out", 0.0)
    grid = (1e-3, 1e-1, 10.0)
    chosen = choose_c(x, y, held_out, truth, 40, stream(3), grid, repeats=3)
    # its errors are those of the probe with the held-out images in the place of test images, and the same draws
    errors = [probe(x, y, held_out, truth, c, stream(3), labelled=40, repeats=3).error for c in grid]
    assert chosen.errors == pytest.approx(errors, abs=1e-12)
    assert chosen.c == grid[int(np.argmin(errors))] and len(set(errors)) > 1
    # held-out images whose labels are all wrong prefer the worst
    contrary = choose_c(x, y, held_out, 1 - truth, 40, stream(3), grid, repeats=3)
    assert contrary.c == grid[int(np.argmax(errors))] != chosen.c
    assert chosen.at_edge == (chosen.c in (grid[0], grid[-1]))


def test_of_equally_good_c_the_smallest_is_chosen_and_the_edge_is_told() -> None:
    train, held_out = blobs(60, 20, 3, 0.05, "train"), blobs(45, 20, 3, 0.05, "held out")
    chosen = choose_c(*train, *held_out, 30, stream(0), (1e-3, 1e-2), repeats=2)
    assert chosen == (1e-3, (0.0, 0.0), True)


X, Y = blobs(12, 4, 3, 0.1, "train")


def run(x: Tensor = X, y: Tensor = Y, test: Tensor = X, truth: Tensor = Y, c: float = 0.01, **rest: int) -> None:
    probe(x, y, test, truth, c, stream(0), **({"labelled": 9, "repeats": 2} | rest))


RARE = {"x": torch.zeros(3000, 4), "y": torch.arange(3000) // 2999, "truth": Y.clamp(max=1)}


def test_a_set_without_a_class_is_drawn_again() -> None:
    run(labelled=3, repeats=50)  # of 12 images of 3 classes: seven sets of ten lack one


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"c": 0.0}, "C is 0.0; it needs to be a number above 0"),
        ({"c": float("inf")}, "C is inf"),
        ({"repeats": 1}, "repeats is 1; .* 2 or more"),
        ({"labelled": 13}, "2 sets of 13 labelled images were asked for among 12 of 3 classes"),
        ({"labelled": 2}, "of 3 to 12 images"),
        (
            RARE | {"labelled": 2},
            r"2 images taken at random, 200 times, mostly lack a class \(the last \[1\]\), .*more labelled",
        ),
        ({"x": X[:, 0]}, r"training features are torch.float32 \[12\]"),
        ({"x": X.long()}, "training features are torch.int64"),
        ({"test": X[:, :3]}, r"test features are torch.float32 \[12, 3\]; .* one d"),
        ({"test": X[:0], "truth": Y[:0]}, r"test features are torch.float32 \[0, 4\]"),
        ({"y": Y[:-1]}, r"training labels are torch.int64 \[11\] for 12 images"),
        ({"truth": Y[:-1]}, r"test labels are torch.int64 \[11\] for 12 images"),
        ({"truth": Y.float()}, "test labels are torch.float32"),
        ({"test": X / 0}, "some test features are not finite"),
        ({"truth": Y + 1}, r"the test images also \[3\]"),
        ({"y": Y * 0, "truth": Y * 0}, r"have the classes \[0\] and .*2 classes or more"),
    ],
)
def test_what_cannot_be_probed_is_refused(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(**given)


@pytest.mark.parametrize("grid", [(), (0.0, 1.0), (1.0, 0.1), (0.1, 0.1), (1.0, float("inf"))])
def test_grids_that_cannot_be_searched_are_refused(grid: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match=r"the grid of C is .* rising order"):
        choose_c(X, Y, X, Y, 9, stream(0), grid)


def test_held_out_images_are_called_that() -> None:
    with pytest.raises(InputError, match=r"held-out labels are torch.int64 \[3\] for 12 images"):
        choose_c(X, Y, X, Y[:3], 9, stream(0))
