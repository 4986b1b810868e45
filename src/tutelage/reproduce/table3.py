"""Table 3 of CoopNets (§4.5): the Fréchet distance of models of CIFAR-10."""

from __future__ import annotations

from functools import partial

from ..recipes import CIFAR10, CIFAR10_QUICK, by_name
from .contest import Contender, full_size
from .distances import distances
from .page import Quoted

CONTENDERS = (
    Contender(CIFAR10_QUICK),
    Contender(by_name("dcgan/cifar10-quick")),
    Contender(by_name("wgan-gp/cifar10-quick")),
    Contender(by_name("vae/cifar10-quick")),
    Contender(by_name("flow-matching/cifar10-quick")),
    *full_size(
        CIFAR10,
        by_name("dcgan/cifar10"),
        by_name("wgan-gp/cifar10"),
        by_name("vae/cifar10"),
        by_name("flow-matching/cifar10"),
    ),
)
"""Those of half an hour on two cores, and the paper's networks, which are for a GPU and run where they are named."""
_SOURCE = "the paper's Table 3, with the Inception of 2015; it compares with no distance on another extractor"
QUOTED = (
    Quoted("WGAN", "FID", 48.40, None, _SOURCE, paper=True),
    Quoted("DCGAN", "FID", 37.70, None, _SOURCE, paper=True),
    Quoted("VAE", "FID", 126.32, None, _SOURCE, paper=True),
    Quoted("CoopNets generator", "FID", 35.25, None, _SOURCE, paper=True),
    Quoted("CoopNets descriptor", "FID", 33.61, None, _SOURCE, paper=True),
)

table3 = partial(
    distances,
    name="table3",
    title="Distances of objects (CoopNets, Table 3)",
    contenders=CONTENDERS,
    samples=10_000,
    quoted=QUOTED,
)
"""Train and measure models of CIFAR-10; other arguments, files, numbers and errors are those of
`tutelage.reproduce.distances.distances`."""
