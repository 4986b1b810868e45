"""Pickles that were published (CIFAR-10, weights), read as data: nothing in them is imported, called or run.

A pickle is a program for a machine with a stack and a memory of values. This is such a machine, with the instructions
that build numbers, strings, lists, tuples and dictionaries. The few functions that a NumPy array's pickle asks for are
recognised by name and done here; whatever else a pickle asks for is refused.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from .checks import InputError, first_line

_MARK = object()


class _Array:
    """A NumPy array under construction: a pickle makes it empty and fills it later."""

    def __init__(self, value: np.ndarray | None = None) -> None:
        self.value = value

    def fill(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        order = "F" if fortran else "C"
        self.value = _from_bytes(content, kind, shape, order)


class _Kind:
    """An array's type: whole numbers of 1, 2, 4 or 8 bytes, or floats."""

    def __init__(self, name: Any) -> None:
        self.dtype = np.dtype(_text(name))
        if self.dtype.kind not in "iuf":
            raise ValueError(f"an array of {self.dtype}")

    def fill(self, state: Any) -> None:
        order = _text(state[1])
        if order not in ("<", ">", "=", "|"):
            raise ValueError(f"the byte order {order!r}")
        self.dtype = np.dtype(order + self.dtype.str[1:])


def loads(content: bytes, shown: str) -> dict[str, Any]:
    """The dictionary in a pickle, with text for keys; its values are plain, arrays of numbers, or such dictionaries.

    Text of Python 2 comes as bytes. Protocols 1 to 5 are read.

    Args:
        content: the pickle.
        shown: what messages call it.

    Raises:
        InputError: the pickle asks for a function or class of its own, is damaged or cut short, or is no dictionary.
    """
    try:
        value = _run(content, shown)
        if not isinstance(value, dict):
            raise ValueError(f"it holds a {type(value).__name__}, no dictionary")
        seen: dict[int, Any] = {}
        return {_text(key): _plain(item, seen) for key, item in value.items()}
    except InputError:
        raise
    except Exception as error:  # damaged bytes break the machine in any way
        raise InputError(f"{shown} is no pickle that can be read ({first_line(error)}); download it again") from error


def _run(content: bytes, shown: str) -> Any:
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        where = len(stack) - 1 - next(i for i, value in enumerate(reversed(stack)) if value is _MARK)
        items = stack[where + 1 :]
        del stack[where:]
        return items

    def pop(count: int) -> list[Any]:
        if len(stack) < count or any(value is _MARK for value in stack[-count:]):
            raise ValueError("its stack runs empty")
        items = stack[-count:]
        del stack[-count:]
        return items

    program = pickletools.genops(content)  # it raises where a pickle ends without an instruction to stop
    while True:
        opcode, given, _ = next(program)
        name, argument = opcode.name, cast(Any, given)
        match name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return pop(1)[0]
            case "MARK":
                stack.append(_MARK)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "BININT" | "BININT1" | "BININT2" | "INT" | "LONG" | "LONG1" | "LONG4" | "BINFLOAT" | "FLOAT":
                stack.append(argument)
            case "BINSTRING" | "SHORT_BINSTRING":
                stack.append(argument.encode("latin-1"))
            case "UNICODE" | "BINUNICODE" | "SHORT_BINUNICODE" | "BINUNICODE8":
                stack.append(argument)
            case "BINBYTES" | "SHORT_BINBYTES" | "BINBYTES8" | "BYTEARRAY8":
                stack.append(bytes(argument))
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[name]())
            case "LIST":
                stack.append(since_mark())
            case "DICT":
                stack.append(_pairs(since_mark()))
            case "TUPLE":
                stack.append(tuple(since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(pop(int(name[-1]))))
            case "APPEND":
                item = pop(1)
                stack[-1].extend(item)
            case "APPENDS":
                items = since_mark()
                stack[-1].extend(items)
            case "SETITEM":
                items = pop(2)
                stack[-1].update(_pairs(items))
            case "SETITEMS":
                items = since_mark()
                stack[-1].update(_pairs(items))
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[int(argument)] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[int(argument)])
            case "POP":
                pop(1)
            case "GLOBAL":
                stack.append(_function(argument.split(" ", 1), shown))
            case "STACK_GLOBAL":
                stack.append(_function(pop(2), shown))
            case "REDUCE":
                function, arguments = pop(2)
                stack.append(function(*arguments) if isinstance(function, _Function) else _refuse_call(function))
            case "BUILD":
                (state,) = pop(1)
                stack[-1].fill(state)
            case _:
                raise ValueError(f"the instruction {name} has no place in it")


class _Function:
    """One of the functions of this module that stand for what a pickle asks for."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self.body = body

    def __call__(self, *arguments: Any) -> Any:
        return self.body(*arguments)


def _function(named: list[Any], shown: str) -> _Function:
    module, name = named
    found = _KNOWN.get((str(module).replace("numpy._core", "numpy.core"), name))
    if found is None:
        raise InputError(
            f"{shown} asks for {module}.{name}, which a file of numbers does not need and which could run code; "
            "download it again from its official place"
        )
    return found


def _refuse_call(function: Any) -> Any:
    raise ValueError(f"a {type(function).__name__} is called")


def _from_bytes(content: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    if not (isinstance(kind, _Kind) and isinstance(content, bytes) and all(type(length) is int for length in shape)):
        raise ValueError("an array of something else than numbers")
    if math.prod(shape) * kind.dtype.itemsize != len(content):
        raise ValueError(f"{len(content)} bytes for an array of shape {list(shape)}")
    return np.frombuffer(content, kind.dtype).reshape(tuple(shape), order="F" if _text(order) == "F" else "C")


def _plain(value: Any, seen: dict[int, Any]) -> Any:
    """With arrays for what stood for them. A dictionary that is referred to many times is made once (``seen``)."""
    if isinstance(value, dict):
        if id(value) not in seen:
            seen[id(value)] = made = {}
            made.update({key: _plain(item, seen) for key, item in value.items()})
        return seen[id(value)]
    return value.value if isinstance(value, _Array) else value


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _text(value: Any) -> str:
    if not isinstance(value, str | bytes):
        raise ValueError(f"a {type(value).__name__} where a word is needed")
    return value.decode("latin-1") if isinstance(value, bytes) else value


_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _Function(lambda *_: _Array()),
    ("numpy.core.numeric", "_frombuffer"): _Function(lambda *given: _Array(_from_bytes(*given))),
    ("numpy", "ndarray"): _Function(lambda *_: _refuse_call(np.ndarray)),
    ("numpy", "dtype"): _Function(lambda name, *_: _Kind(name)),
    ("__builtin__", "bytes"): _Function(lambda: b""),
    ("_codecs", "encode"): _Function(lambda text, _="latin1": _text(text).encode("latin-1")),
}
