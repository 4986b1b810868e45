"""Faces of 64x64 pixels: IGM's Fig. 8, by a cascade, a single classifier and DCGAN, and CoopNets'.

DCGAN moves both its networks once an iteration; IGM's authors moved the generator twice. CoopNets and DCGAN have the
same generator and learn from faces mirrored at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..metrics.extractors import Extractor
from ..recipes import FACES_QUICK, by_name
from ..run.results import Entry
from .bench import Bench
from .contest import Contender
from .distances import distances

CONTENDERS = (
    Contender(by_name("igm/faces64-quick")),
    Contender(by_name("igm/faces64-quick-single")),
    Contender(by_name("dcgan/faces64-quick")),
    Contender(FACES_QUICK),
)


def fig8(
    bench: Bench,
    extractor: Extractor,
    path: Path | None = None,
    contenders: Sequence[Contender] = CONTENDERS,
    only: Sequence[str] = (),
    samples: int = 1_000,
    near: int = 1_000,
) -> Iterator[Entry]:
    """Train and measure models of faces; arguments, files, numbers and errors are those of
    `tutelage.reproduce.distances.distances`.
    """
    title = "Faces (IGM, Fig. 8; CoopNets §4.6)"
    return distances(bench, "fig8", title, extractor, path, contenders, only, samples, near)
