"""Fixed batch-norm statistics for a generator that has learned with those of its batches."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..types import Latents
from .chunks import images_per_chunk


@torch.no_grad()
def calibrate(
    generator: nn.Module, draws: int, latent_shape: tuple[int, ...], rng: torch.Generator, chunk: int | None = None
) -> None:
    """Replace the running statistics by those of ``draws`` images from the prior, in place.

    While it learns, a generator uses the statistics of each batch; images drawn that way depend on
    each other. Statistics calibrated after learning make them independent, with the weights as they are.
    ``chunk`` draws at a time (None: as many as suit the images' size): as many as a batch had in learning,
    since each is normalised by its own statistics on the way. The mean is that of the chunks' means; the variance
    the mean of their variances, and the variance of their means. Does nothing where there is no batch norm. Leaves
    the generator in evaluation mode.
    """
    norms = [module for module in generator.modules() if isinstance(module, _BatchNorm)]
    if norms:
        if chunk is None:
            one = generator.eval()(torch.zeros((1, *latent_shape), device=rng.device))
            chunk = images_per_chunk(tuple(one.shape[1:]))
        chunk = max(2, chunk)  # one alone would not show how they differ
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
        generator.train()
        means: list[list[Tensor]] = [[] for _ in norms]
        for seen, latents in enumerate(_chunks(draws, latent_shape, rng, chunk), start=1):
            before = [_mean(norm).clone() for norm in norms]
            # the mean over chunks: the k-th chunk counts 1/k
            for norm in norms:
                norm.momentum = 1 / seen
            generator(latents)
            for norm, earlier, kept in zip(norms, before, means, strict=True):
                kept.append(seen * _mean(norm) - (seen - 1) * earlier)
        for norm, momentum, kept in zip(norms, momenta, means, strict=True):
            norm.momentum = momentum
            if norm.running_var is not None:
                norm.running_var += torch.stack(kept).var(0, correction=0)
    generator.eval()


def _mean(norm: _BatchNorm) -> Tensor:
    assert norm.running_mean is not None
    return norm.running_mean


def _chunks(draws: int, shape: tuple[int, ...], rng: torch.Generator, chunk: int) -> list[Latents]:
    chunks = -(-draws // chunk)
    sizes = [draws // chunks + (k < draws % chunks) for k in range(chunks)]
    return [torch.randn((size, *shape), generator=rng, device=rng.device) for size in sizes]
