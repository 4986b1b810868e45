"""What results call the algorithm of a recipe."""

from __future__ import annotations

import pytest

from tutelage.recipes import by_name
from tutelage.recipes.algorithm import algorithm_of


@pytest.mark.parametrize(
    ("recipe", "called"),
    [
        ("coopnets/mnist", "CoopNets"),
        ("coopnets/faces64-quick-logistic", "Logistic CoopNets"),
        ("pcd/mnist", "Algorithm D"),
        ("generator/mnist", "Algorithm G"),
        ("igm/mnist28", "IGM"),
        ("igm/mnist28-single", "IGM-single"),
        ("vae/mnist", "VAE"),
        ("flow-matching/mnist", "Flow matching"),
        ("deep-directed/mnist", "Deep directed"),
    ],
)
def test_what_an_algorithm_is_called(recipe: str, called: str) -> None:
    assert algorithm_of(by_name(recipe).plan) == called
