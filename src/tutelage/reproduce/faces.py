"""Faces of 64x64 pixels: IGM's Fig. 8, by a cascade, a single classifier and DCGAN, and CoopNets' with its VAE.

DCGAN moves both its networks once an iteration; IGM's authors moved the generator twice. CoopNets, DCGAN and VAE have
the same generator and learn from faces mirrored at random; of full size they learn from them as they are.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..recipes import FACES64, FACES_QUICK, FACES_QUICK_LOGISTIC, by_name
from .contest import Contender, full_size
from .distances import distances
from .page import Quoted

_VAE = by_name("vae/scene-quick")
_SHARED = {field: f"as {FACES_QUICK.name}" for field in ("data", "generator", "generator.deconvs")}
CONTENDERS = (
    Contender(by_name("igm/faces64-quick")),
    Contender(by_name("igm/faces64-quick-single")),
    Contender(by_name("dcgan/faces64-quick")),
    Contender(FACES_QUICK),
    Contender(FACES_QUICK_LOGISTIC),
    Contender(
        replace(
            _VAE,
            name="vae/faces64-quick",
            data=FACES_QUICK.data,
            generator=FACES_QUICK.generator,
            sources={**_VAE.sources, **_SHARED},
        )
    ),
    *full_size(
        by_name("igm/faces64"),
        by_name("igm/faces64-single"),
        replace(by_name("dcgan/scene64"), name="dcgan/faces64"),
        FACES64,
        replace(by_name("vae/scene64"), name="vae/faces64"),
    ),
)

_FID = "FID of 128x128 pixels"
_SOURCE = (
    "the paper's Table 3, on CelebA's faces of 128x128 pixels, with the Inception of 2015; it compares with no "
    "distance of smaller faces"
)
QUOTED = (
    Quoted("WGAN", _FID, 52.54, None, _SOURCE, paper=True),
    Quoted("DCGAN", _FID, 21.40, None, _SOURCE, paper=True),
    Quoted("VAE", _FID, 50.53, None, _SOURCE, paper=True),
    Quoted("CoopNets generator", _FID, 16.98, None, _SOURCE, paper=True),
    Quoted("CoopNets descriptor", _FID, 16.65, None, _SOURCE, paper=True),
)

fig8 = partial(
    distances,
    name="fig8",
    title="Faces (IGM, Fig. 8; CoopNets, Table 3 and §4.6)",
    contenders=CONTENDERS,
    quoted=QUOTED,
)
"""Train and measure models of faces; other arguments, files, numbers and errors are those of
`tutelage.reproduce.distances.distances`."""
