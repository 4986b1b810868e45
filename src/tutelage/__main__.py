"""The ``tutelage`` command, ``python -m tutelage`` as well: Ctrl-C is one line from the first second on."""

import sys


def main() -> None:
    """Import the command line, which takes torch's seconds, and run it."""
    try:
        from . import cli
    except KeyboardInterrupt:
        if sys.stderr is not None:  # it may be closed
            print("tutelage: interrupted", file=sys.stderr)
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
