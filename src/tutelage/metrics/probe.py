r"""Semi-supervised classification: what frozen features know of labels they never saw (IGM §4.5).

An L2-SVM, one class against the rest, is fitted to the features of a few labelled images:

    min_w  ½ |w|² + C Σ_i max(0, 1 − y_i ⟨w, x_i⟩)²,      y_i = ±1

and the class of a test image is the one whose ⟨w, x⟩ is largest. x is a feature vector in which each feature has mean
0 and variance 1 over the labelled images, and a 1 for the intercept, which is shrunk like any other weight (as in
scikit-learn's ``LinearSVC``). §4.5: 1000 labelled images taken at random, the test error averaged over 100 such sets;
C is chosen on images held out of training, `choose_c`, never on the test images.

The spread over repeats tells how much the labelled images matter. It knows nothing of how another training of the same
network would do, nor of the finite test set.

The loss is quadratic in w as long as the same images S have y_i ⟨w, x_i⟩ < 1, so its minimum is found by Newton's
method on S (Chapelle, "Training a Support Vector Machine in the Primal", Neural Computation 2007):

    w = Σ_S β_i x_i,   (K_SS + I / 2C) β_S = y_S,   K_ij = ⟨x_i, x_j⟩,   then S anew, until it stays

with steps halved where the objective would rise. K is the same for all classes and every C, and where d is small the
same w is had from d equations instead. How long that takes depends on n and d alone. Coordinate descent is faster where
features are nearly independent, and slower where they are not, as those that a network has learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import InputError

GRID: tuple[float, ...] = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""The default grid of C. For d standardised features |x|² is about d, and where d is large C matters around 1/(2 d)."""

_ROWS = 1000  # images looked at together
_SOLVER_STEPS = 100  # of Newton's method; ten are usual
_HALVINGS = 30
_TRIES = 100  # sets that are drawn for one with every class, on average and at most
_STILL = 1e-12  # a fall of the objective, relative to it, that is none


class ProbeScore(NamedTuple):
    """The error rate on test images over many sets of labelled ones."""

    error: float
    """Mean fraction of test images given a wrong class, in [0, 1]: .36 is 36 %."""
    std: float
    """Standard deviation over the repeats (divided by repeats − 1), a fraction too."""
    stderr: float
    """Of the mean over the repeats: std / √repeats."""
    repeats: int
    labelled: int
    c: float
    n: int
    """Test images."""
    unconverged: int
    """Repeats in which the solver used up its steps before it had converged; where it is many, try a smaller C."""


class Choice(NamedTuple):
    """The C that did best on held-out images."""

    c: float
    errors: tuple[float, ...]
    """Mean error rate on the held-out images for each C of the grid."""
    at_edge: bool
    """Whether the best C was the first or last of the grid: then the grid was too narrow."""


class _Machine(NamedTuple):
    """An SVM of features as they are: its standardisation is folded into it."""

    weights: Tensor
    """``[K, d]``, float64."""
    biases: Tensor
    """``[K]``, float64."""
    converged: bool


def choose_c(
    features: Tensor,
    labels: Tensor,
    held_out_features: Tensor,
    held_out_labels: Tensor,
    labelled: int,
    rng: torch.Generator,
    grid: Sequence[float] = GRID,
    repeats: int = 5,
) -> Choice:
    """The C of ``grid`` with the smallest mean error on held-out images; of equals the smallest.

    Every C is fitted to the same ``repeats`` sets of ``labelled`` training images. The arguments are those of `probe`;
    held-out images belong neither to the training nor to the test images.

    Raises ``InputError`` as `probe` does, and for a grid that is empty, unordered or not above 0.
    """
    if not grid or list(grid) != sorted(set(grid)) or not (grid[0] > 0 and math.isfinite(grid[-1])):
        raise InputError(f"the grid of C is {list(grid)}; it needs one or more numbers above 0, in rising order")
    classes = _classes(features, labels, held_out_features, held_out_labels, "held-out")
    draws = _draws(labels, classes, labelled, repeats, rng)
    machines = [machine for draw in draws for machine in _fits(features[draw], labels[draw], grid)]
    rates = _error_rates(machines, classes, held_out_features, held_out_labels)
    errors = rates.view(repeats, len(grid)).mean(0)
    best = int((errors == errors.min()).nonzero()[0])
    return Choice(grid[best], tuple(errors.tolist()), best in (0, len(grid) - 1))


def probe(
    train_features: Tensor,
    train_labels: Tensor,
    test_features: Tensor,
    test_labels: Tensor,
    c: float,
    rng: torch.Generator,
    labelled: int = 1000,
    repeats: int = 100,
) -> ProbeScore:
    """The test error of SVMs fitted to random sets of labelled images (IGM §4.5).

    Each repeat draws its images afresh, without replacement, and classes come as often as they happen to; a set without
    one of them is drawn again, since no machine could know it.

    Args:
        train_features: ``[n, d]``, float of any precision, finite; as they come: standardisation is part of the fit.
        train_labels: ``[n]``, whole numbers, of 2 classes or more.
        test_features: ``[m, d]``.
        test_labels: ``[m]``, of no other classes.
        c: the weight of the loss, see `choose_c`.
        rng: draws the labelled images.
        labelled: images in a fit.
        repeats: 2 or more, for the spread.

    Raises:
        InputError: features or labels of another shape or kind, numbers that are not finite, fewer images than
            ``labelled``, or classes that are missing in the training images or in nearly every draw.
    """
    if not (c > 0 and math.isfinite(c)):
        raise InputError(f"C is {c}; it needs to be a number above 0: choose_c finds one")
    if repeats < 2:
        raise InputError(f"repeats is {repeats}; the spread of the error rate needs 2 or more")
    classes = _classes(train_features, train_labels, test_features, test_labels, "test")
    draws = _draws(train_labels, classes, labelled, repeats, rng)
    machines = [machine for draw in draws for machine in _fits(train_features[draw], train_labels[draw], [c])]
    errors = _error_rates(machines, classes, test_features, test_labels)
    std = float(errors.std())
    return ProbeScore(
        error=float(errors.mean()),
        std=std,
        stderr=std / math.sqrt(repeats),
        repeats=repeats,
        labelled=labelled,
        c=c,
        n=len(test_labels),
        unconverged=sum(not machine.converged for machine in machines),
    )


def check_labelled(labels: Tensor, labelled: int, repeats: int = 1) -> None:
    """Refuse sets of ``labelled`` images that cannot hold each of the classes ``labels`` ``[N]``, or be drawn of them.

    Raises ``InputError``.
    """
    classes = len(labels.unique())
    if repeats < 1 or not classes <= labelled <= len(labels):
        raise InputError(
            f"{repeats} sets of {labelled} labelled images were asked for among {len(labels)} of {classes} "
            f"classes; it needs 1 set or more, of {classes} to {len(labels)} images: change labelled, or give "
            "more training images"
        )


def _draws(labels: Tensor, classes: Tensor, labelled: int, repeats: int, rng: torch.Generator) -> list[Tensor]:
    """For each repeat, which images are labelled. Raises ``InputError`` as `probe` does."""
    check_labelled(labels, labelled, repeats)
    draws, missing = [], set()
    for _ in range(_TRIES * repeats):
        draw = torch.randperm(len(labels), generator=rng, device=rng.device)[:labelled].to(labels.device)
        missing = set(classes.tolist()) - set(labels[draw].tolist())
        draws += [] if missing else [draw.cpu()]
        if len(draws) == repeats:
            return draws
    raise InputError(
        f"{labelled} images taken at random, {_TRIES * repeats} times, mostly lack a class (the last "
        f"{sorted(missing)}), so that no machine can know it; take more labelled images"
    )


def _fits(features: Tensor, labels: Tensor, grid: Sequence[float]) -> list[_Machine]:
    """The L2-SVM of labelled images ``[n, d]`` for each C of ``grid``."""
    x = features.to("cpu", torch.float64)
    mean, scale = x.mean(0), x.std(0, correction=0)
    scale = torch.where(scale > 10 * torch.finfo(x.dtype).eps * x.abs().amax(0), scale, 1.0)  # constant features
    x = torch.cat([(x - mean) / scale, x.new_ones(len(x), 1)], 1)
    classes = labels.unique().cpu()
    signs = torch.where(labels.cpu()[:, None] == classes, 1.0, -1.0).double()
    gram = x @ x.T if len(x) <= 2 * x.shape[1] else None
    machines = []
    for c in grid:
        found = [_minimum(x, gram, y, c) for y in signs.T]
        whole = torch.stack([w for w, _ in found])
        weights = whole[:, :-1] / scale
        machines.append(_Machine(weights, whole[:, -1] - weights @ mean, all(done for _, done in found)))
    return machines


def _minimum(x: Tensor, gram: Tensor | None, y: Tensor, c: float) -> tuple[Tensor, bool]:
    """w of smallest ½ |w|² + C Σ max(0, 1 − y_i ⟨w, x_i⟩)², ``[d]``, and whether Newton's method got there.

    With ``gram`` = x xᵀ in n coefficients β of w = Σ β_i x_i, without it in w itself.
    """

    def solved(inside: Tensor) -> tuple[Tensor, Tensor]:
        """The minimum if those ``inside`` the margin are as now: the coefficients, and ⟨w, x_i⟩."""
        if gram is None:
            some = x[inside]
            w = _solve(some.T @ some, some.T @ y[inside], c)
            return w, x @ w
        beta = torch.zeros_like(y)
        beta[inside] = _solve(gram[inside][:, inside], y[inside], c)
        return beta, gram @ beta

    def objective(coefficients: Tensor, values: Tensor) -> Tensor:
        size = coefficients @ (coefficients if gram is None else values)
        return size / 2 + c * (1 - y * values).clamp(min=0).square().sum()

    coefficients, values = (torch.zeros_like(x[0] if gram is None else y), torch.zeros_like(y))
    before, now, done = None, objective(coefficients, values), False
    for _ in range(_SOLVER_STEPS):
        inside = y * values < 1
        done = before is not None and torch.equal(inside, before)
        if done:
            break
        aim, at_aim = solved(inside)
        step = 1.0
        for _ in range(_HALVINGS):
            there, values_there = torch.lerp(coefficients, aim, step), torch.lerp(values, at_aim, step)
            if (value := objective(there, values_there)) < now:
                break
            step /= 2
        done = bool(now - value <= _STILL * now)
        if done:
            break
        coefficients, values, now = there, values_there, value
        before = inside if step == 1 else None
    return coefficients if gram is None else x.T @ coefficients, done


def _solve(matrix: Tensor, right: Tensor, c: float) -> Tensor:
    """(matrix + I / 2C)⁻¹ right."""
    shrunk = matrix + torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device) / (2 * c)
    return torch.cholesky_solve(right[:, None], torch.linalg.cholesky(shrunk))[:, 0]


def _error_rates(machines: Sequence[_Machine], classes: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    """The fraction of images ``[m, d]`` that each machine is wrong about, ``[len(machines)]``, in one pass."""
    weights = torch.cat([machine.weights for machine in machines])
    biases = torch.cat([machine.biases for machine in machines])
    wrong = torch.zeros(len(machines), dtype=torch.int64)
    for x, y in zip(features.split(_ROWS), labels.split(_ROWS), strict=True):
        margins = torch.addmm(biases, x.to("cpu", torch.float64), weights.T)
        found = classes[margins.view(len(x), len(machines), -1).argmax(2)]
        wrong += (found != y.cpu()[:, None]).sum(0)
    return wrong.double() / len(labels)


def _classes(features: Tensor, labels: Tensor, others: Tensor, other_labels: Tensor, name: str) -> Tensor:
    """The classes of the training images, in order. Raises ``InputError`` as `probe` does."""
    for which, x, y in (("training", features, labels), (name, others, other_labels)):
        if x.ndim != 2 or x.numel() == 0 or not x.is_floating_point() or x.shape[1] != features.shape[1]:
            raise InputError(
                f"the {which} features are {x.dtype} {list(x.shape)}; a probe needs floats [n, d], n of 1 or more, "
                "with one d for all images: flatten each image's features, and use one network for all"
            )
        if y.shape != x.shape[:1] or y.is_floating_point() or y.is_complex():
            raise InputError(
                f"the {which} labels are {y.dtype} {list(y.shape)} for {len(x)} images; a probe needs one whole number "
                "for each"
            )
        if not all(torch.isfinite(part).all() for part in x.split(_ROWS)):
            raise InputError(
                f"some {which} features are not finite; look at the network and the images they came from, and whether "
                "they fit into float16 where that was asked for"
            )
    classes = labels.unique().cpu()
    unknown = sorted(set(other_labels.tolist()) - set(classes.tolist()))
    if len(classes) < 2 or unknown:
        raise InputError(
            f"the training images have the classes {classes.tolist()} and the {name} images also {unknown}; a probe "
            "needs 2 classes or more, all of them among the training images: give training images of each"
        )
    return classes
