"""What models learn from a few pictures of each category, of a folder or a zip that has one folder for each.

A category is named by its folder, by the WordNet id that the folder's name begins with, or by what follows the id:
``n07749582_lemon``, ``n07749582`` and ``lemon`` are the same folder.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..checks import InputError
from ..data import Splits, class_folders, load
from ..run.measures import Measure, Score
from .contest import Contender

_WITH_ID = re.compile(r"(n\d{8})_(.+)")
_TOLD = 12  # folders of those there are


def folders_of(categories: Sequence[str], path: Path | None) -> tuple[str, ...]:
    """The folder of each category in the data at ``path``, which `tutelage.data.find` looks up.

    Raises ``InputError`` where one of them is not there, several are meant, or one is named twice.
    """
    there = class_folders(path)
    found = [_called(category, there) for category in categories]
    for category, folders in zip(categories, found, strict=True):
        if len(folders) > 1:
            raise InputError(f"{category} names several folders of the data, {', '.join(folders)}; give one of them")
    missing = [category for category, folders in zip(categories, found, strict=True) if not folders]
    if missing:
        some = ", ".join(there[:_TOLD]) + (f" and {len(there) - _TOLD} more" if len(there) > _TOLD else "")
        near = difflib.get_close_matches(missing[0], [_WITH_ID.sub(r"\2", folder) for folder in there], n=1)
        raise InputError(
            f"{missing[0]} is not one of the folders of the data{f' (did you mean {near[0]}?)' if near else ''}; they "
            f"have {some or 'none'}: name some of them with --categories"
        )
    names = tuple(folders[0] for folders in found)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{twice} is named twice by --categories; name each folder once")
    return names


def word_net(folder: str) -> str:
    """The WordNet id that a folder's name begins with, or the whole name."""
    return folder.partition("_")[0] if _WITH_ID.fullmatch(folder) else folder


def _called(category: str, folders: Sequence[str]) -> list[str]:
    exactly = [folder for folder in folders if folder == category]
    parts = {folder: match.groups() for folder in folders if (match := _WITH_ID.fullmatch(folder))}
    return exactly or [folder for folder, names in parts.items() if category in names]


def few(contender: Contender, folders: str | tuple[str, ...], each: int) -> Contender:
    """``contender`` on the first ``each`` pictures of these folders, grey ones made colour; else the same recipe."""
    recipe = contender.recipe
    where = f"{folders}-{each}" if isinstance(folders, str) else f"{each}"
    data = replace(recipe.data, subset=folders, each=each, convert=True)
    deviations = (*recipe.deviations, f"The first {each} pictures of a category, by name; the paper draws them.")
    renamed = replace(recipe, name=f"{recipe.name}-{where}", data=data, deviations=deviations)
    return replace(contender, recipe=renamed)


def sets_of(
    contender: Contender, folders: str | tuple[str, ...], sizes: Sequence[int], path: Path | None
) -> Mapping[int, Splits]:
    """What ``contender`` sees with each number of pictures, fewest first.

    Raises ``InputError`` where no number is given, or a folder holds fewer.
    """
    if not sizes:
        raise InputError("no number of training images was given; give one or more, for example 50 500")
    return {each: load(few(contender, folders, each).recipe.data, path) for each in sorted(set(sizes))}


def named(measure: Measure[Score], name: str, facts: Mapping[str, Any]) -> Measure[Score]:
    """``measure`` under another name, with ``facts`` beside its own."""
    return replace(measure, name=name, facts={**measure.facts, **facts})


def alone(measure: Measure[Score]) -> Measure[Score]:
    """``measure`` of models, with nothing beside it."""
    return replace(measure, beside={})
