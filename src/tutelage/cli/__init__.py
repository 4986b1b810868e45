"""The command line. Thin: each command reads its arguments, calls one function, and says what it made.

tutelage.cli.learning       list, show, train, resume, demo
tutelage.cli.drawing        sample, synthesise, stylise, interpolate
tutelage.cli.explaining     complete, project, score
tutelage.cli.measuring      evaluate, probe
tutelage.cli.reproducing    reproduce
"""

from __future__ import annotations

import os

# Waiting threads that only spin slow everything tenfold once another program wants a core: spin briefly, then sleep.
os.environ.setdefault("GOMP_SPINCOUNT", "30000")

from .entry import main

__all__ = ["main"]
