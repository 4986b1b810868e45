"""How many independent draws a chain is worth: tolerances of the sampling tests come from here."""

from __future__ import annotations

import torch
from torch import Tensor


def effective_sample_size(draws: Tensor) -> float:
    """Effective number of independent draws in ``[steps, chains]``, chains independent of each other.

    Autocorrelations are averaged over the chains and summed in pairs while the pairs are positive (Geyer 1992).
    """
    steps, chains = draws.shape
    centred = (draws - draws.mean()).double()
    spectrum = torch.fft.rfft(centred, n=2 * steps, dim=0)
    covariance = torch.fft.irfft(spectrum.abs().square(), dim=0)[:steps].mean(1)
    correlation = covariance / covariance[0]
    pairs = correlation[: steps // 2 * 2].view(-1, 2).sum(1)
    positive = int((pairs > 0).to(torch.int).cumprod(0).sum())
    return steps * chains / max(1.0, (2 * pairs[:positive].sum() - 1).item())


def standard_error(draws: Tensor) -> float:
    """Of the mean of correlated ``draws``, ``[steps, chains]``."""
    return draws.std().item() / effective_sample_size(draws) ** 0.5
