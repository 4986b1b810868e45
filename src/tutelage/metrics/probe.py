r"""Semi-supervised classification: what frozen features know of labels they never saw (IGM §4.5).

An L2-SVM, one class against the rest, is fitted to the features of a few labelled images:

    min_w  ½ |w|² + C Σ_i max(0, 1 − y_i ⟨w, x_i⟩)²,      y_i = ±1

and the class of a test image is the one whose ⟨w, x⟩ is largest. x is a feature vector in which each feature has mean
0 and variance 1 over the labelled images, and a 1 for the intercept, which is shrunk like any other weight
(scikit-learn's ``LinearSVC``). §4.5: 1000 labelled images taken at random, the test error averaged over 100 such sets;
C is chosen on images held out of training, `choose_c`, never on the test images.

The spread over repeats tells how much the labelled images matter. It knows nothing of how another training of the same
network would do, nor of the finite test set.

Where d is larger than n the same machine is had from n features: w lies in the span of the labelled images X, and with
an orthonormal basis Q of it X = (X Q) Qᵀ, so that a fit to X Q gives the same ⟨w, x⟩. For n = 1000 and d = 6272 that
takes half the time for one C, and a fraction of it for every further one.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..checks import InputError

GRID: tuple[float, ...] = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""The default grid of C. For d standardised features |x|² is about d, and where d is large C matters around 1/(2 d)."""

_ROWS = 1000  # images looked at together
_SOLVER_STEPS = 1000


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
    machines = [machine for draw, seed in draws for machine in _fits(features[draw], labels[draw], grid, seed)]
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

    Each repeat draws its images afresh, without replacement, and classes come as often as they happen to.

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
            ``labelled``, classes that are missing in the training images or in a draw of them, or scikit-learn is
            not installed.
    """
    if not (c > 0 and math.isfinite(c)):
        raise InputError(f"C is {c}; it needs to be a number above 0: choose_c finds one")
    if repeats < 2:
        raise InputError(f"repeats is {repeats}; the spread of the error rate needs 2 or more")
    classes = _classes(train_features, train_labels, test_features, test_labels, "test")
    draws = _draws(train_labels, classes, labelled, repeats, rng)
    machines = [
        machine for draw, seed in draws for machine in _fits(train_features[draw], train_labels[draw], [c], seed)
    ]
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


def _draws(
    labels: Tensor, classes: Tensor, labelled: int, repeats: int, rng: torch.Generator
) -> list[tuple[Tensor, int]]:
    """For each repeat, which images are labelled, and a seed for the solver. Raises ``InputError`` as `probe` does."""
    if repeats < 1 or not len(classes) <= labelled <= len(labels):
        raise InputError(
            f"{repeats} sets of {labelled} labelled images were asked for among {len(labels)} of {len(classes)} "
            f"classes; it needs 1 set or more, of {len(classes)} to {len(labels)} images: change labelled, or give "
            "more training images"
        )
    draws = []
    for _ in range(repeats):
        draw = torch.randperm(len(labels), generator=rng, device=rng.device)[:labelled].to(labels.device)
        missing = set(classes.tolist()) - set(labels[draw].tolist())
        if missing:
            raise InputError(
                f"{labelled} images taken at random have none of the classes {sorted(missing)}, so that no machine can "
                "know them; take more labelled images"
            )
        draws.append((draw.cpu(), int(torch.randint(2**31 - 1, (), generator=rng, device=rng.device))))
    return draws


def _fits(features: Tensor, labels: Tensor, grid: Sequence[float], seed: int) -> list[_Machine]:
    """The L2-SVM of labelled images ``[n, d]`` for each C of ``grid``."""
    sklearn = _sklearn()
    scaler = sklearn.preprocessing.StandardScaler()
    x = torch.from_numpy(scaler.fit_transform(features.to("cpu", torch.float64).numpy()))  # which the solver works in
    basis = None
    if x.shape[1] > len(x):
        basis, triangle = torch.linalg.qr(x.T)
        x = triangle.T
    machines = []
    for c in grid:
        machine = sklearn.svm.LinearSVC(
            penalty="l2", loss="squared_hinge", C=c, dual=basis is not None, max_iter=_SOLVER_STEPS, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)  # they are counted
            machine.fit(x.numpy(), labels.cpu().numpy())
        weights, biases = machine.coef_, machine.intercept_
        if len(weights) == 1:  # two classes are one machine, positive for the second
            weights, biases = weights * [[-1], [1]], biases * [-1, 1]
        weights = (weights if basis is None else weights @ basis.T.numpy()) / scaler.scale_
        biases = biases - weights @ scaler.mean_
        converged = bool(machine.n_iter_ < _SOLVER_STEPS)
        machines.append(_Machine(torch.from_numpy(weights), torch.from_numpy(biases), converged))
    return machines


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


def _sklearn() -> Any:
    try:
        import sklearn.exceptions
        import sklearn.preprocessing
        import sklearn.svm
    except ImportError as error:
        raise InputError("the probe needs scikit-learn, which is not installed; pip install tutelage[probe]") from error
    return sklearn
