"""What can be refused before anything is computed, and how it is said.

Every message says what was given, what is needed and what to do.
"""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used. The command line prints the message and exits with code 2."""


class DivergenceError(RuntimeError):
    """Learning or sampling left the finite numbers. The message says when, and the likely cause."""
