"""Fixed batch-norm statistics for a network that has learned with those of its batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..types import Latents
from .chunks import images_per_chunk


@torch.no_grad()
def calibrate(
    generator: nn.Module,
    draws: int,
    latent_shape: tuple[int, ...],
    rng: torch.Generator,
    chunk: int | None = None,
    least: int = 2,
) -> None:
    """Replace the running statistics by those of ``draws`` images from the prior, in place.

    While it learns, a generator uses the statistics of each batch; images drawn that way depend on
    each other. Statistics calibrated after learning make them independent, with the weights as they are.
    ``chunk`` draws at a time (None: as many as suit the images' size, and ``least`` at least: as many as a batch had in
    learning, since the variance of a few images' mean is missing in theirs). Does nothing where there is no batch
    norm. Leaves the generator in evaluation mode.
    """
    if chunk is None and _norms(generator):
        one = generator.eval()(torch.zeros((1, *latent_shape), device=rng.device))
        suits = images_per_chunk(tuple(one.shape[1:]), rng.device)
        chunk = max(2, least, suits)  # one alone would not show how they differ
    recalibrate(generator, _chunks(draws, latent_shape, rng, chunk or draws))


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics by the mean over those of ``batches``, the inputs of ``network``, in place.

    ``batches`` are not asked for where there is no batch norm. Leaves the network in evaluation mode.
    """
    norms = _norms(network)
    if norms:
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
        network.train()
        for seen, inputs in enumerate(batches, start=1):
            # the mean over batches: the k-th counts 1/k
            for norm in norms:
                norm.momentum = 1 / seen
            network(inputs)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    network.eval()


def _norms(network: nn.Module) -> list[_BatchNorm]:
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


def _chunks(draws: int, shape: tuple[int, ...], rng: torch.Generator, chunk: int) -> Iterator[Latents]:
    chunks = -(-draws // chunk)
    for k in range(chunks):
        size = draws // chunks + (k < draws % chunks)
        yield torch.randn((size, *shape), generator=rng, device=rng.device)
