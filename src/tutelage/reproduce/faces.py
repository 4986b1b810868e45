"""Faces of 64x64 pixels: IGM's Fig. 8, by a cascade, a single classifier and DCGAN, and CoopNets'.

DCGAN moves both its networks once an iteration; IGM's authors moved the generator twice. CoopNets and DCGAN have the
same generator and learn from faces mirrored at random; of full size both learn from them as they are.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..recipes import FACES64, FACES_QUICK, by_name
from .contest import Contender, full_size
from .distances import distances

CONTENDERS = (
    Contender(by_name("igm/faces64-quick")),
    Contender(by_name("igm/faces64-quick-single")),
    Contender(by_name("dcgan/faces64-quick")),
    Contender(FACES_QUICK),
    *full_size(
        by_name("igm/faces64"),
        by_name("igm/faces64-single"),
        replace(by_name("dcgan/scene64"), name="dcgan/faces64"),
        FACES64,
    ),
)

fig8 = partial(distances, name="fig8", title="Faces (IGM, Fig. 8; CoopNets §4.6)", contenders=CONTENDERS)
"""Train and measure models of faces; other arguments, files, numbers and errors are those of
`tutelage.reproduce.distances.distances`."""
