r"""Distance between the statistics of Portilla and Simoncelli (2000), for textures.

Two pictures show the same texture, they say, where some hundreds of averages agree: moments of the pixels, and
correlations of the coefficients of an oriented pyramid, in places, scales and orientations. `plenoptic` (the extra
``textures``) computes them for grey pictures. Colours are rotated to the principal axes of the reference's first, each
scaled to variance 1, and each axis is a grey picture:

    PS(a, b) = mean over axes of ‖ S̄(a) − S̄(b) ‖ / ‖ S̄(b) ‖

S̄ is the mean over a set's pictures of the statistics, weighted as plenoptic's loss weights them: the smallest and the
largest pixel do not count, and the variance of the highest frequencies counts a hundredfold. b is the reference: 0 is
equality, and not symmetric. Numbers depend on the numbers of scales, orientations and places, which are those below.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from ..checks import InputError
from ..types import Images
from .inputs import check_range


@dataclass(frozen=True)
class Statistics:
    """S, weighted: pictures ``[B, C, H, W]`` -> ``[B, C, S]``, each channel a grey picture of its own.

    ``scales`` and ``orientations`` of the pyramid; correlations are taken in a square of ``places`` coefficients a
    side, an odd number. S is the same for pictures of any size. The gradient is there to be taken.

    Raises ``InputError`` for counts that cannot work.
    """

    scales: int = 3
    orientations: int = 4
    places: int = 7

    def __post_init__(self) -> None:
        if self.scales < 1 or self.orientations < 2 or self.places < 3 or self.places % 2 == 0:
            raise InputError(
                f"statistics of {self.scales} scales, {self.orientations} orientations and {self.places} places were "
                "asked for; they need 1 scale, 2 orientations and 3 places or more, and an odd number of places"
            )

    @property
    def step(self) -> int:
        """Heights and widths need to be multiples of this."""
        return 2**self.scales

    @property
    def smallest(self) -> int:
        """Height and width that the coarsest scale needs, in pixels: one more there than places, for plenoptic."""
        return (self.places + 1) * self.step

    def __call__(self, images: Images) -> Tensor:
        """S of each channel of each picture. Raises ``InputError`` where plenoptic is not installed."""
        model, weights = _model(self, images.shape[2], images.shape[3], str(images.device))
        return model(images) * weights


_STATISTICS = Statistics()
SMALLEST = _STATISTICS.smallest
"""Height and width of a picture that has a distance, in pixels, or more."""


def portilla_simoncelli(a: Images, b: Images) -> float:
    """``PS(a, b)`` of two sets ``[N, C, H, W]`` of pictures in [−1, 1]; their sizes and numbers may differ.

    A few rows and columns at the end are left out where a size is no multiple of 8.

    Raises ``InputError`` for sets of different channels, pictures below 64 pixels, values outside the range or not
    finite, colours of the reference that do not vary, and where plenoptic is not installed.
    """
    for images in (a, b):
        check_pictures(images, SMALLEST)
        check_range(images, "the Portilla-Simoncelli distance")
    if a.shape[1] != b.shape[1]:
        raise InputError(
            f"pictures of {a.shape[1]} and of {b.shape[1]} channels cannot be compared; convert one of them"
        )
    mean, axes = principal_axes(b)
    with torch.no_grad():
        of_a, of_b = (mean_statistics(rotated(images, mean, axes, _STATISTICS.step)) for images in (a, b))
    return float(((of_a - of_b).norm(dim=1) / of_b.norm(dim=1)).mean())


def check_pictures(images: Images, smallest: int) -> None:
    """Refuse what is no set of pictures ``[N, C, H, W]`` of ``smallest`` pixels each way. Raises ``InputError``."""
    if images.ndim != 4 or len(images) == 0 or min(images.shape[2:]) < smallest:
        raise InputError(
            f"Portilla-Simoncelli statistics were asked of {list(images.shape)}; they need [N, C, H, W] with one "
            f"picture or more and {smallest} pixels or more each way: give larger ones"
        )


def principal_axes(images: Images) -> tuple[Tensor, Tensor]:
    """The mean colour ``[C]`` and the axes ``[C, C]`` (rows) along which colours are uncorrelated, of variance 1.

    Raises ``InputError`` where an axis has no variance.
    """
    colours = images.double().movedim(1, -1).flatten(0, -2)
    mean = colours.mean(0)
    variances, axes = torch.linalg.eigh((colours - mean).T @ (colours - mean) / len(colours))
    if variances[0] <= 1e-9:
        raise InputError(
            "the reference's colours do not vary in every direction; Portilla-Simoncelli statistics need them to: give "
            "it as a grey picture of one channel, or one that is not constant"
        )
    return mean, (axes / variances.sqrt()).T


def rotated(images: Images, mean: Tensor, axes: Tensor, step: int) -> Images:
    """The coordinates of each pixel's colour along ``axes``, float32, ``[N, C, height, width]``.

    Rows and columns at the end are left out where a size is no multiple of ``step``.
    """
    height, width = (size // step * step for size in images.shape[2:])
    colours = images[:, :, :height, :width].double() - mean[:, None, None]
    return torch.einsum("kc,nchw->nkhw", axes, colours).float()


def mean_statistics(images: Images, statistics: Statistics = _STATISTICS) -> Tensor:
    """S̄, ``[C, S]``, float64."""
    return torch.stack([statistics(image[None])[0] for image in images]).mean(0).double()


@functools.lru_cache(maxsize=8)
def _model(statistics: Statistics, height: int, width: int, device: str) -> tuple[torch.nn.Module, Tensor]:
    plenoptic = _plenoptic()
    model = plenoptic.models.PortillaSimoncelli(
        (height, width),
        n_scales=statistics.scales,
        n_orientations=statistics.orientations,
        spatial_corr_width=statistics.places,
    ).to(device)
    with torch.no_grad():
        weights = model.convert_to_dict(
            torch.ones_like(model(torch.linspace(0, 1, height * width, device=device).view(1, 1, height, width)))
        )
    weights["pixel_statistics"][..., -2:] = 0
    weights["var_highpass_residual"] *= 100
    return model, model.convert_to_tensor(weights)[0]


def _plenoptic() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import plenoptic
    except ImportError:
        raise InputError(
            "Portilla-Simoncelli statistics need plenoptic, which is not installed; "
            "`pip install 'tutelage[textures]'` brings it"
        ) from None
    return plenoptic
