"""The entry point: which command was asked for, and what is said where it fails."""

from __future__ import annotations

import re
import sys
import warnings

import tyro

from .. import __version__
from ..atomic import FULL
from ..checks import DivergenceError, InputError
from ..run.device import memory_ran_out
from ..terminal import heard_or_not, into_nothing
from .drawing import interpolate, sample, stylise, synthesise
from .explaining import complete, project, score
from .learning import demo, list_recipes, resume, show, train
from .measuring import evaluate_run, probe
from .options import FOR_DATA
from .reproducing import reproduce

_SAME = {"-n": "--n", **dict.fromkeys(FOR_DATA, "--data")}
"""Other names of options."""


def main() -> None:
    """The entry point of the ``tutelage`` command."""
    with heard_or_not():
        sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = lambda message, *_: print(f"tutelage: {message}", file=sys.stderr)
            code = _run()
        if sys.stdout is not None:
            sys.stdout.flush()
        return code or 0
    except (InputError, DivergenceError) as error:
        print(f"tutelage: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        into_nothing(1)  # whoever read the output has read enough
        return 0
    except OSError as error:
        what = f"{error.filename or 'a file'}: {error.strerror or error}"
        remedy = "free some space there" if error.errno in FULL else "make it readable or writable"
        print(f"tutelage: {what}; {remedy}, or name another", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        if not memory_ran_out(error):
            raise
        tried = re.search(r"allocate ([\d.]+ ?\w+)", str(error))
        what = f"the memory does not hold what was asked for{f' ({tried[1]} at once)' if tried else ''}"
        print(
            f"tutelage: {what}; ask for less: smaller or fewer images, fewer chains, a smaller batch", file=sys.stderr
        )
        return 2
    except KeyboardInterrupt:
        print("tutelage: interrupted", file=sys.stderr)
        return 130


def _run() -> int | None:
    _refuse_repeated(sys.argv[1:])
    return tyro.extras.subcommand_cli_from_dict(
        {
            "list": list_recipes,
            "show": show,
            "train": train,
            "resume": resume,
            "sample": sample,
            "synthesise": synthesise,
            "stylise": stylise,
            "interpolate": interpolate,
            "complete": complete,
            "project": project,
            "score": score,
            "evaluate": evaluate_run,
            "probe": probe,
            "reproduce": reproduce,
            "demo": demo,
        },
        prog="tutelage",
        description=f"Generative models of images that train without an adversary (version {__version__}).",
    )


def _refuse_repeated(words: list[str]) -> None:
    """Of an option that is given twice, under one name or two, the parser would take the last, without a word."""
    options = [word.partition("=")[0] for word in words if word == "-n" or (word.startswith("--") and len(word) > 2)]
    meant = [_SAME.get(option, option) for option in options]
    twice = next((option for option in options if meant.count(_SAME.get(option, option)) > 1), None)
    if twice is not None:
        raise InputError(f"{twice} is given twice; give it once, with all its values after it")
