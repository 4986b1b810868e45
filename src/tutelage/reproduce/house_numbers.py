"""House numbers of 32x32 pixels: IGM's Fig. 9, by a cascade, a single classifier and DCGAN."""

from __future__ import annotations

from functools import partial

from ..recipes import by_name
from .contest import Contender, beside_cascade, full_size
from .distances import distances

_CASCADE, _FULL_SIZE = by_name("igm/svhn32-quick"), by_name("igm/svhn32")
CONTENDERS = (
    Contender(_CASCADE),
    Contender(by_name("igm/svhn32-quick-single")),
    beside_cascade(_CASCADE, "dcgan/cifar10-quick"),
    *full_size(_FULL_SIZE, by_name("igm/svhn32-single"), beside_cascade(_FULL_SIZE, "dcgan/cifar10").recipe),
)

fig9 = partial(distances, name="fig9", title="House numbers (IGM, Fig. 9)", contenders=CONTENDERS)
"""Train and measure models of SVHN; other arguments, files, numbers and errors are those of
`tutelage.reproduce.distances.distances`."""
