"""Data, not code: the settings of each experiment, with their sources."""

from __future__ import annotations

import difflib

from ..checks import InputError
from .adversarial import ADVERSARIAL
from .benchmarks import CELEBA128, CIFAR10, CIFAR10_QUICK, LSUN256
from .introspection import INTROSPECTION
from .likelihood import LIKELIHOOD
from .mnist import COOPNETS_MNIST, COOPNETS_MNIST_QUICK, DESCRIPTOR_MNIST, GENERATOR_MNIST, GENERATOR_MNIST_QUICK
from .objects import (
    FACES64,
    FACES_QUICK,
    FACES_QUICK_LOGISTIC,
    OBJECT64,
    SCENE64,
    SCENE_QUICK,
    SMALL_OBJECTS,
    SMALL_OBJECTS_QUICK,
)
from .recipe import Recipe
from .recognition import CLASSIFIER_MNIST
from .texture import TEXTURE224, TEXTURE_NET_QUICK, TEXTURE_QUICK
from .video import VIDEO

RECIPES: tuple[Recipe, ...] = (
    COOPNETS_MNIST,
    COOPNETS_MNIST_QUICK,
    DESCRIPTOR_MNIST,
    GENERATOR_MNIST,
    GENERATOR_MNIST_QUICK,
    TEXTURE_QUICK,
    TEXTURE224,
    SMALL_OBJECTS,
    SMALL_OBJECTS_QUICK,
    OBJECT64,
    SCENE64,
    SCENE_QUICK,
    CIFAR10,
    CIFAR10_QUICK,
    CELEBA128,
    LSUN256,
    FACES64,
    FACES_QUICK,
    FACES_QUICK_LOGISTIC,
    *INTROSPECTION,
    CLASSIFIER_MNIST,
    *LIKELIHOOD,
    *ADVERSARIAL,
    TEXTURE_NET_QUICK,
    *VIDEO,
)

__all__ = [
    "CELEBA128",
    "CIFAR10",
    "CIFAR10_QUICK",
    "CLASSIFIER_MNIST",
    "COOPNETS_MNIST",
    "COOPNETS_MNIST_QUICK",
    "DESCRIPTOR_MNIST",
    "FACES64",
    "FACES_QUICK",
    "FACES_QUICK_LOGISTIC",
    "GENERATOR_MNIST",
    "GENERATOR_MNIST_QUICK",
    "LSUN256",
    "OBJECT64",
    "RECIPES",
    "SCENE64",
    "SCENE_QUICK",
    "SMALL_OBJECTS",
    "SMALL_OBJECTS_QUICK",
    "TEXTURE224",
    "TEXTURE_NET_QUICK",
    "TEXTURE_QUICK",
    "Recipe",
    "by_name",
]


def by_name(name: str) -> Recipe:
    """The recipe of that name. Raises ``InputError`` with the nearest name where there is none."""
    known = {recipe.name: recipe for recipe in RECIPES}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint, every = (f" (did you mean {near[0]}?)", "") if near else ("", f": {', '.join(known)}")
    raise InputError(f"there is no recipe {name!r}{hint}; `tutelage list` shows them all{every}")
