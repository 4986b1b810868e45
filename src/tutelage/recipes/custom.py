"""A recipe of one's own: a published one with some fields changed, on the command line or in a TOML file.

    base = "coopnets/scene64"
    name = "alps"                      # optional
    seed = 3

    [plan]
    chains = 50

    [plan.descriptor_update]
    lr = 0.005

Every field that ``tutelage show`` lists can be changed, and nothing else: no class, no code.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..checks import InputError
from . import by_name
from .codec import replace_fields
from .recipe import Recipe


def resolve(name: str) -> Recipe:
    """The published recipe ``name``, or that of the TOML file ``name``. Raises ``InputError`` where there is none."""
    return from_toml(Path(name)) if name.endswith(".toml") else by_name(name)


def customised(recipe: Recipe, changes: Mapping[str, Any], source: str) -> Recipe:
    """``recipe`` with fields (``plan.chains``) changed, each marked as coming from ``source``.

    A part that is changed whole (``plan.stop``) keeps no source of what was in it.

    Raises ``InputError`` for a field that does not exist (with the nearest that does), a wrong type, or parts that
    do not fit each other.
    """
    if not changes:
        return recipe
    changed, whole = replace_fields(recipe, changes), tuple(f"{name}." for name in changes)
    kept = {name: text for name, text in changed.sources.items() if not name.startswith(whole)}
    return replace(changed, sources={**kept, **dict.fromkeys(changes, source)})


def from_toml(path: Path) -> Recipe:
    """The recipe that a TOML file describes. Raises ``InputError`` where it cannot be read or does not fit."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"there is no recipe file {path}; name a TOML file with a base, or one of `tutelage list`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"recipe file {path} cannot be read ({error}); it needs to be a text file in TOML") from None
    except ValueError as error:  # of TOML, or of a number of thousands of digits
        raise InputError(f"recipe file {path} is no valid TOML ({error}); mend that line") from None
    base = table.pop("base", None)
    if not isinstance(base, str):
        raise InputError(f"recipe file {path} names no base; begin it with, for example, base = 'coopnets/mnist'")
    fixed = [field for field in ("sources", "deviations") if field in table]
    if fixed:
        raise InputError(f"recipe file {path} sets {fixed[0]}, which belongs to the base; leave it out")
    try:
        return customised(by_name(base), dict(_flat(table)), path.name)
    except InputError as error:
        raise InputError(f"recipe file {path}: {error}") from None


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and "." not in str(value.get("kind", "")):  # else a part of that class, whole
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, None if value == "none" else value  # TOML has no null
