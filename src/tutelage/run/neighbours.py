"""Samples beside the training images nearest to them: has the model learned, or learned by heart?

Every distance is the root of the mean squared difference of pixels in [−1, 1] (`tutelage.metrics.nearest`). A
model that copies draws samples much nearer to training images than other real images are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from ..checks import InputError
from ..data import ImageSet
from ..metrics.nearest import nearest
from ..rng import stream
from ..types import Images
from .measures import as_pictures
from .pictures import grid, scale_of

_VALUES = 2**22  # numbers of a chunk: 32 MB in float64


@dataclass(frozen=True)
class NearestPicture:
    """A picture, and how near the samples come to what was learned from."""

    picture: Image.Image
    """A row for each of the first samples: the sample, then its nearest training images, nearest first."""
    distances: Tensor
    """``[rows, k]``, float64: of the pictured samples to the images beside them."""
    samples: float
    """Mean distance of a sample to the nearest training image."""
    real: float
    """The same of real images, to the nearest training image that is another."""
    held_out: bool
    """Whether these real images were held out; else they are training images themselves."""
    mirrored: bool
    """Whether mirror images of the training images count as training images."""

    @property
    def sentence(self) -> str:
        """One line for a report or a log."""
        or_mirrored = " or its mirror image" if self.mirrored else ""
        others = "held-out images are" if self.held_out else "training images are from each other"
        return (
            f"Samples are {self.samples:.3f} (rms a pixel) from the nearest training image{or_mirrored} on "
            f"average; {others} {self.real:.3f}."
        )


def nearest_picture(
    samples: Images,
    observed: ImageSet,
    held_out: ImageSet | None = None,
    *,
    rows: int = 10,
    k: int = 3,
    count: int = 100,
    seed: int = 0,
    mirrored: bool = False,
) -> NearestPicture:
    """The first ``rows`` samples, not picked, each beside its ``k`` nearest training images.

    Args:
        samples: ``[n, C, H, W]``, which may leave [−1, 1]: they are looked at as a picture file would hold them.
        observed: the training images. All are searched, once, a chunk at a time.
        held_out: real images that were not learned from, for scale; without, training images are taken.
        rows: samples that are pictured, fewer where there are fewer.
        k: training images beside each, fewer where there are fewer.
        count: samples, and real images, that the means are over, fewer where there are fewer.
        seed: decides which real images are taken.
        mirrored: whether learning mirrored the training images at random. Then their mirror images are searched as
            well, and a picture of one that is nearest is shown so.

    Raises:
        InputError: samples of another shape than the images, numbers that are not finite, counts below 1, or a single
            training image and none held out.
    """
    if tuple(samples.shape[1:]) != observed.shape or min(len(samples), rows, k, count) < 1:
        raise InputError(
            f"samples {list(samples.shape)}, rows={rows}, k={k} and count={count} were given beside training images "
            f"{list(observed.shape)}; samples need to be [n, C, H, W] of the same C, H, W, and counts 1 or more: draw "
            "samples of that size"
        )
    if held_out is None and len(observed) < 2:
        raise InputError("there is one training image and none held out; distances between images need two or more")
    drawn = as_pictures(samples[: max(rows, count)])
    others = held_out or observed
    picked = torch.randperm(len(others), generator=stream(seed, "neighbours"))[:count]
    seen, n = 1 + mirrored, len(observed)
    k = min(k, seen * (n - (held_out is None)))
    queries = torch.cat([drawn, others.batch(picked, drawn.device)])
    exclude = torch.full((len(queries), seen), -1)
    if held_out is None:
        exclude[len(drawn) :] = torch.stack([picked, picked + n], 1)[:, :seen]
    found = nearest(queries, _chunks(observed, mirrored, drawn.device), k, exclude)
    panels = []
    for sample, indices in zip(drawn[:rows], found.indices, strict=False):
        near = observed.batch(indices % n, drawn.device)
        turned = (indices >= n).view(-1, *[1] * len(observed.shape))
        panels += [sample[None], torch.where(turned, near.flip(-1), near)]
    first = found.distances[:, 0]
    return NearestPicture(
        picture=grid(torch.cat(panels), columns=1 + k, scale=scale_of(drawn)),
        distances=found.distances[: min(rows, len(drawn))],
        samples=first[: len(drawn)][:count].mean().item(),
        real=first[len(drawn) :].mean().item(),
        held_out=held_out is not None,
        mirrored=mirrored,
    )


def _chunks(images: ImageSet, mirrored: bool, device: torch.device) -> Iterator[Tensor]:
    """All images, and then, where they were mirrored, all their mirror images."""
    size = max(1, _VALUES // torch.Size(images.shape).numel())
    for turned in (False, True)[: 1 + mirrored]:
        for start in range(0, len(images), size):
            some = images.batch(slice(start, start + size), device)
            yield some.flip(-1) if turned else some
