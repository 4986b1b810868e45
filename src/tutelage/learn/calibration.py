"""Fixed batch-norm statistics for a generator that has learned with those of its batches."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..types import Latents
from .chunks import images_per_chunk


class _Seen(NamedTuple):
    """Of what a norm was given in a chunk: values a channel, their mean and their variance."""

    count: int
    mean: Tensor
    variance: Tensor


@torch.no_grad()
def calibrate(
    generator: nn.Module, draws: int, latent_shape: tuple[int, ...], rng: torch.Generator, chunk: int | None = None
) -> None:
    """Replace the running statistics by those of ``draws`` images from the prior, in place.

    While it learns, a generator uses the statistics of each batch; images drawn that way depend on
    each other. Statistics calibrated after learning make them independent, with the weights as they are.
    ``chunk`` draws at a time (None: as many as suit the images' size): best as many as a batch had in learning, since
    each is normalised by its own statistics on its way. Mean and variance are those of all draws together, as if
    they had been one chunk. Does nothing where there is no batch norm. Leaves the generator in evaluation mode.
    """
    norms = [module for module in generator.modules() if isinstance(module, _BatchNorm)]
    if norms:
        if chunk is None:
            one = generator.eval()(torch.zeros((1, *latent_shape), device=rng.device))
            chunk = images_per_chunk(tuple(one.shape[1:]))
        chunks = _chunks(draws, latent_shape, rng, max(2, chunk))  # one alone would not show how they differ
        seen: dict[nn.Module, list[_Seen]] = {norm: [] for norm in norms}

        def look(norm: nn.Module, given: tuple[Tensor]) -> None:
            x = given[0].float()
            over = [0, *range(2, x.ndim)]
            seen[norm].append(_Seen(x.numel() // x.shape[1], x.mean(over), x.var(over, correction=0)))

        hooks = [norm.register_forward_pre_hook(look) for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
        generator.train()
        for latents in chunks:
            generator(latents)
        for hook in hooks:
            hook.remove()
        for norm in norms:
            _keep(norm, seen[norm])
    generator.eval()


def _keep(norm: _BatchNorm, seen: list[_Seen]) -> None:
    """Give ``norm`` the statistics of all chunks together; the variance without bias, as it is kept in learning."""
    if norm.running_mean is None or norm.running_var is None or not seen:
        return
    total = sum(chunk.count for chunk in seen)
    mean = sum((chunk.count / total * chunk.mean for chunk in seen), start=torch.zeros_like(seen[0].mean))
    parts = (chunk.count / (total - 1) * (chunk.variance + (chunk.mean - mean).square()) for chunk in seen)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(sum(parts, start=torch.zeros_like(mean)))


def _chunks(draws: int, shape: tuple[int, ...], rng: torch.Generator, chunk: int) -> list[Latents]:
    chunks = -(-draws // chunk)
    sizes = [draws // chunks + (k < draws % chunks) for k in range(chunks)]
    return [torch.randn((size, *shape), generator=rng, device=rng.device) for size in sizes]
