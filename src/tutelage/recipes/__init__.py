"""Data, not code: the settings of each experiment, with their sources."""

from __future__ import annotations

import difflib

from ..checks import InputError
from .mnist import COOPNETS_MNIST, DESCRIPTOR_MNIST, GENERATOR_MNIST
from .recipe import Recipe

RECIPES: tuple[Recipe, ...] = (COOPNETS_MNIST, DESCRIPTOR_MNIST, GENERATOR_MNIST)

__all__ = ["COOPNETS_MNIST", "DESCRIPTOR_MNIST", "GENERATOR_MNIST", "RECIPES", "Recipe", "by_name"]


def by_name(name: str) -> Recipe:
    """The recipe of that name. Raises ``InputError`` with the nearest name where there is none."""
    known = {recipe.name: recipe for recipe in RECIPES}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise InputError(f"there is no recipe {name!r}{hint}; `tutelage list` shows them all: {', '.join(known)}")
