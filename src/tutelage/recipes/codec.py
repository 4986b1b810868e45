"""Recipes to JSON and back, and single fields by their dotted names. Strict: nothing unknown is let through.

A union of dataclasses is told apart by a ``kind`` key, the name of the module that defines the class.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..checks import InputError

T = TypeVar("T")


def encode(value: Any) -> Any:
    """Plain JSON types for a tree of frozen dataclasses."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"kind": _kind(type(value)), **fields}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value


def decode(wanted: Any, value: Any, path: str = "recipe") -> Any:
    """The value of type ``wanted`` that ``encode`` made ``value`` from.

    Raises ``InputError`` naming the field for unknown or missing fields and wrong types.
    """
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if dataclasses.is_dataclass(wanted):
        return _decode_dataclass(wanted, value, path)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(arguments, value, path)
    if origin is typing.Literal:
        if value not in arguments:
            raise InputError(f"{path} is {value!r}; it needs to be one of {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{path} is {value!r}; it needs to be a list")
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) != len(value):
            raise InputError(f"{path} has {len(value)} entries; it needs {len(kinds)}")
        return tuple(
            decode(kind, item, f"{path}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
        )
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise InputError(f"{path} is {value!r}; it needs to be a table")
        return {key: decode(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        quoted = f", in quotes: {path}='\"{value}\"'" if wanted is str and isinstance(value, int | float) else ""
        raise InputError(f"{path} is {value!r}; it needs to be {_words(wanted)}{quoted}")
    return value


def replace_fields(value: T, changes: Mapping[str, Any]) -> T:
    """A copy of the dataclass ``value`` with each field ``dotted`` (``plan.chains``) replaced by a plain value.

    All fields change at once, so that those which only fit together (``plan.chains`` and ``plan.batch_size``)
    can be changed.

    Raises ``InputError`` for a field that does not exist (with the nearest that does) or a wrong type.
    """
    return _replaced(value, {tuple(dotted.split(".")): given for dotted, given in changes.items()}, "")


def _replaced(value: Any, changes: Mapping[tuple[str, ...], Any], prefix: str) -> Any:
    hints = typing.get_type_hints(type(value))
    known = [f.name for f in dataclasses.fields(value)]
    inner: dict[str, dict[tuple[str, ...], Any]] = {}
    for (name, *rest), given in changes.items():
        if name not in known:
            dotted = ".".join((prefix + name, *rest))
            raise InputError(f"there is no field {dotted!r}{_did_you_mean(name, known)}; it has {', '.join(known)}")
        inner.setdefault(name, {})[tuple(rest)] = given
    changed = {}
    for name, deeper in inner.items():
        path = prefix + name
        item = decode(hints[name], deeper.pop(()), path) if () in deeper else getattr(value, name)
        if deeper and not dataclasses.is_dataclass(item):
            dotted = ".".join((path, *next(iter(deeper))))
            raise InputError(f"{dotted!r}: {path} has no fields of its own; it is {item!r}")
        changed[name] = _replaced(item, deeper, f"{path}.") if deeper else item
    return _made(prefix.removesuffix("."), dataclasses.replace, value, **changed)


def parse(text: str) -> Any:
    """The plain value that a text on the command line stands for.

    A text is JSON (``50``, ``0.002``, ``true``, ``null``), or a number as people also write it (``.002``), or
    ``none``, or a bare word for a string.
    """
    if text.lower() == "none":
        return None
    try:
        return json.loads(text)
    except ValueError:  # no JSON, or a number of thousands of digits
        return float(text) if re.fullmatch(r"[+-]?(\d+\.|\.\d+)([eE][+-]?\d+)?", text) else text


def _decode_dataclass(wanted: Any, value: Any, path: str) -> Any:
    if not isinstance(value, Mapping):
        raise InputError(f"{path} is {value!r}; it needs to be a table of fields")
    fields = {f.name: f for f in dataclasses.fields(wanted)}
    # a class may have a field called kind of its own (DataSpec); it is no tag then
    given = {key: item for key, item in value.items() if key != "kind" or "kind" in fields}
    if "kind" in value and "kind" not in fields and value["kind"] != _kind(wanted):
        raise InputError(f"{path} has kind {value['kind']!r}; it needs to be {_kind(wanted)}")
    for key in given:
        if key not in fields:
            raise InputError(f"{path} has an unknown field {key!r}{_did_you_mean(key, list(fields))}")
    missing = [
        name
        for name, f in fields.items()
        if name not in given and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}")
    hints = typing.get_type_hints(wanted)
    return _made(path, wanted, **{key: decode(hints[key], item, f"{path}.{key}") for key, item in given.items()})


def _made(path: str, make: Callable[..., Any], *arguments: Any, **fields: Any) -> Any:
    """What ``make`` makes of decoded fields; what it refuses about them is said with ``path``, the part they are of."""
    try:
        return make(*arguments, **fields)
    except InputError as error:
        raise InputError(f"{path}: {error}" if path else str(error)) from None


def _decode_union(options: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and types.NoneType in options:
        return None
    classes = {
        _kind(option): option for option in options if isinstance(option, type) and dataclasses.is_dataclass(option)
    }
    if classes and isinstance(value, Mapping):
        if len(classes) == 1:
            return decode(next(iter(classes.values())), value, path)
        if not isinstance(value.get("kind"), str) or value["kind"] not in classes:
            raise InputError(f"{path} has kind {value.get('kind')!r}; it needs to be one of {', '.join(classes)}")
        return decode(classes[value["kind"]], value, path)
    plain = [option for option in options if option is not types.NoneType and not dataclasses.is_dataclass(option)]
    if len(plain) > 1:  # a list, or a single value
        listed = isinstance(value, list | tuple)
        plain = [option for option in plain if (typing.get_origin(option) is tuple) == listed]
    if len(plain) == 1:
        return decode(plain[0], value, path)
    raise InputError(f"{path} is {value!r}; it needs to be {' or '.join(_words(option) for option in options)}")


def _kind(cls: type) -> str:
    return f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"


def _words(wanted: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "a word", bool: "true or false", types.NoneType: "none"}
    if isinstance(wanted, type) and dataclasses.is_dataclass(wanted):
        return f"a table of kind {_kind(wanted)}"
    return names.get(wanted, f"a {getattr(wanted, '__name__', wanted)}")


def _did_you_mean(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
