"""The pictures of a run folder, in the order and with the words of a report.

`KIND_ITERATION.png` belongs to a series over time; any other PNG or GIF stands for itself.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from . import page
from .page import Html
from .pictures import png_bytes

Still = dict[str, Path]
Series = dict[str, dict[int, Path]]
Captions = dict[str, tuple[str, str]]

CAPTIONS = {
    "real": ("Real images", "What is learned from."),
    "initial": ("S1 · drafts", "Images the generator drafts from random latent factors."),
    "revised": ("S2 · revised", "The same images after the descriptor revised them by Langevin steps."),
    "observed": ("Observed", "Images of this iteration's batch, which were learned from."),
    "reconstructed": (
        "S3 · reconstructed",
        "The generator's reconstruction of the same images, after it learned from the revision.",
    ),
    "made": ("Made", "What the generator made in this iteration, with the statistics of its batch."),
    "mistaken": ("Mistaken", "Images of this iteration's batch whose class was named wrongly."),
    "final_generator": ("Generator, final", "Drawn from the trained generator, not picked."),
    "final_descriptor": (
        "Descriptor, final",
        "Drawn from the trained descriptor by Langevin steps, not picked.",
    ),
    "predicted": (
        "Predicted",
        "Where one step would carry the observed images' mixtures with noise; blurred where they are mostly noise.",
    ),
    "final_flow": ("Flow, final", "Noise carried along the velocity field that was learned, not picked."),
    "negatives": (
        "Pseudo-negatives",
        "What the newest finished round made, for the next classifier to tell from the data.",
    ),
    "final_cascade": ("Cascade, final", "Noise through all rounds that were learned, not picked."),
    "final_classifier": ("Classifier, final", "Noise that climbed what the one classifier prefers, not picked."),
    "rounds": ("How they came about", "Each row is one pseudo-negative, from noise (left) to the last round."),
    "nearest": (
        "Learned by heart?",
        "Samples (left column, not picked), each beside the three training images (or their mirror images, where they "
        "were learned from) nearest to it, pixel by pixel.",
    ),
    "interpolation": ("Interpolation", "Each row goes from one latent vector to another in even steps."),
}
_ALONE = {
    "revised": ("Revised", "The chains of Langevin dynamics after this iteration's steps."),
    "reconstructed": ("Reconstructed", "What the generator makes of the latents of the observed images."),
}
"""The captions where nothing was drafted: of a descriptor, and of a generator, that learn alone."""
_SERIES = re.compile(r"^(?P<kind>.+?)_(?P<iteration>\d+)$")
_MOVING = " (moving)"
_STRIP = 8  # pictures of one kind over time


def find(folder: Path) -> tuple[Still, Series]:
    """Single pictures by name, and series of pictures by kind and iteration."""
    still: Still = {}
    series: Series = {}
    for path in sorted(folder.glob("*.[pg][ni][gf]")) if folder.is_dir() else []:
        match = _SERIES.match(path.stem)
        if path.name.startswith("."):
            continue
        if path.suffix == ".gif":
            still[path.stem + _MOVING] = path
        elif match:
            series.setdefault(match["kind"], {})[int(match["iteration"])] = path
        else:
            still[path.stem] = path
    return still, {kind: dict(sorted(series[kind].items())) for kind in sorted(series, key=_rank)}


def _rank(name: str) -> tuple[int, str]:
    order, still = list(CAPTIONS), name.removesuffix(_MOVING)
    return (order.index(still) if still in order else len(order), name)


def latest(still: Still, series: Series) -> Iterator[Html]:
    """The real images beside the latest of each kind; then the single pictures."""
    captions = _captions(series)
    newest = [(kind, *max(found.items())) for kind, found in series.items()]
    first = [_figure("real", still["real"], captions)] if "real" in still else []
    yield page.group("row", first + [_figure(kind, path, captions, iteration) for kind, iteration, path in newest])
    others = [name for name in sorted(still, key=_rank) if name != "real"]
    yield page.group("row", [_figure(name, still[name], captions) for name in others])


def _captions(series: Series) -> Captions:
    return CAPTIONS if "initial" in series else CAPTIONS | _ALONE


def _figure(kind: str, path: Path, captions: Captions, iteration: int | None = None) -> Html:
    still = kind.removesuffix(_MOVING)
    title, words = captions.get(still, (still.replace("_", " ").capitalize(), ""))
    title += kind.removeprefix(still)
    at = "" if iteration is None else f", iteration {page.show(iteration)}"
    caption = f"{title}{at}. {words}".strip()
    return page.figure(path.read_bytes(), caption, caption)


def over_time(series: Series) -> Iterator[Html]:
    """For each kind a strip of at most eight pictures, evenly chosen; of large ones a corner."""
    for kind, found in series.items():
        if len(found) < 2:
            continue
        title = _captions(series).get(kind, (kind.replace("_", " ").capitalize(),))[0]
        names = list(found)
        chosen = names
        if len(names) > _STRIP:
            chosen = [names[round(index * (len(names) - 1) / (_STRIP - 1))] for index in range(_STRIP)]
        yield page.paragraph(title, "soft")
        yield page.group(
            "strip",
            [
                page.figure(_corner(found[i]), f"{title}, iteration {page.show(i)}", f"iteration {page.show(i)}")
                for i in chosen
            ],
        )


def _corner(path: Path) -> bytes:
    """The upper left quarter of a picture wider than 400 pixels: enough to see how images change.

    One that cannot be read is given back as it is: a page shows its name instead, and is made all the same.
    """
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.width <= 400:
                return content
            return png_bytes(picture.crop((0, 0, picture.width // 2, max(1, picture.height // 2))))
    except Exception:  # on damaged bytes Pillow's decoders raise almost anything
        return content
