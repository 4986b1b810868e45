"""Where the data of a run are, when it is started, gone on with and measured."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from ..checks import InputError
from ..data import DataSpec, Splits, find
from ..recipes import Recipe
from .folder import RunFolder


def found(recipe: Recipe, splits: Splits, given: Path | None) -> str | None:
    """Where the data were, for `resume` and `evaluate`: downloaded files are not where the user pointed.

    Links are not followed, since what they lead to may be of another name, and among other files.
    """
    if recipe.data.kind == "digits":
        return None
    if recipe.data.kind == "mnist":
        return str(Path(splits.train.source).absolute().parent)
    return str(find(recipe.data.kind, given).absolute())


def data_of(run: RunFolder, given: Path | None) -> Path | None:
    """Where the data of a run are: as given, or where they were; None, to look for them anew, where they have moved."""
    recorded, spec = run.facts().get("data"), run.recipe().data
    if given is not None or recorded is None:
        return given
    named = os.environ.get("TUTELAGE_DATA")
    moved = not is_there(spec, Path(recorded)) and (named or is_there(spec, None))
    return None if moved else Path(recorded)


def is_there(spec: DataSpec, path: Path | None) -> bool:
    """Whether data of this kind are at ``path``; for None, where an earlier download would be."""
    try:
        find(spec.kind, path)
    except InputError:
        return False
    return True


def warn_of_other(run: RunFolder, splits: Splits) -> None:
    """Say where the data are not those that a run learned from: it may have learned from what is held out of them."""
    if run.facts().get("data_sha256") not in (None, splits.train.sha256):
        warnings.warn(
            f"{splits.train.source} has other training images than {run.path} learned from; what is held out of them "
            "may be among those",
            stacklevel=2,
        )
