"""House numbers of 32x32 pixels: IGM's Fig. 9, by a cascade, a single classifier and DCGAN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..metrics.extractors import Extractor
from ..recipes import by_name
from ..run.results import Entry
from .bench import Bench
from .contest import Contender, beside_cascade
from .distances import distances

_CASCADE = by_name("igm/svhn32-quick")
CONTENDERS = (
    Contender(_CASCADE),
    Contender(by_name("igm/svhn32-quick-single")),
    beside_cascade(_CASCADE, "dcgan/cifar10-quick"),
)


def fig9(
    bench: Bench,
    extractor: Extractor,
    path: Path | None = None,
    contenders: Sequence[Contender] = CONTENDERS,
    only: Sequence[str] = (),
    samples: int = 1_000,
    near: int = 1_000,
) -> Iterator[Entry]:
    """Train and measure models of SVHN; arguments, files, numbers and errors are those of
    `tutelage.reproduce.distances.distances`.
    """
    title = "House numbers (IGM, Fig. 9)"
    return distances(bench, "fig9", title, extractor, path, contenders, only, samples, near)
