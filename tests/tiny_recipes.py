"""The MNIST recipes made so small that an iteration takes milliseconds: 8x8 images, a few channels, 3 latents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tutelage.data import ImageSet, from_array
from tutelage.learn import igm
from tutelage.recipes import Recipe, by_name, codec
from tutelage.rng import stream
from tutelage.run import checkpoint, journal
from tutelage.run.build import build
from tutelage.run.loop import iterate

_SMALL = '{"channels": 3, "kernel": 4, "size": [4, 4]}'
_DATA = {"data.kind": "array", "data.size": "[8, 8]"}
_DESCRIPTOR = {
    "descriptor.shape": "[1, 8, 8]",
    "descriptor.convs": '[{"channels": 4, "kernel": 3, "stride": 2}]',
    "descriptor.outputs": "3",
}
_CHAINS = {"plan.chains": "4", "plan.revision_steps": "2"}
_GENERATOR = {
    "generator.latent_dim": "3",
    "generator.base": "[4, 2, 2]",
    "generator.deconvs": f'[{_SMALL}, {{"channels": 1, "kernel": 4, "size": [8, 8]}}]',
    "plan.ema_decay": "0.9",
    "plan.calibration_draws": "8",
}
_RUN = {
    "plan.batch_size": "4",
    "plan.iterations": "6",
    "precision": "float32",
    "checkpoint_every": "2",
    "keep_every": "none",
    "picture_every": "3",
}
_ENCODER = {
    "encoder.shape": "[1, 8, 8]",
    "encoder.convs": '[{"channels": 4, "kernel": 3, "stride": 2}]',
    "encoder.outputs": "6",
}
_VELOCITY = {
    "velocity.shape": "[1, 8, 8]",
    "velocity.channels": "[4, 8]",
    "velocity.embedding": "4",
    "velocity.groups": "2",
    "plan.steps": "2",
    "plan.ema_decay": "0.9",
}
_EXPERTS = {field: text for field, text in _DESCRIPTOR.items() if not field.startswith("plan.")}
_CLASSIFIER = {"classifier.shape": "[1, 8, 8]", "classifier.channels": "[4, 6]"}
_PATCHES = {
    "data.kind": "array",
    "data.size": "[16, 16]",
    "data.channels": "1",
    "data.enlarge": "false",
    "classifier.shape": "[1, 8, 8]",
    "classifier.channels": "[4, 6]",
    "classifier.init_std": "0.2",
    "plan.rounds": "3",
    "plan.negatives_per_round": "5",
    "plan.patches": "16",
    "plan.patches_per_image": "3",
    "plan.classification_steps": "15",
    "plan.update.lr": "0.1",
    "plan.synthesis_steps": "30",
    "plan.synthesis_batch": "3",
    "plan.kernel.lr": "0.1",
    "plan.indistinguishable": "0.693",
    "precision": "float32",
    "checkpoint_every": "4",
    "picture_every": "5",
}
_LOCAL = '{"channels": 4, "frames": 5, "frame_stride": 2, "kernel": 5, "stride": 2}'
_FULL = '{"channels": 3, "frames": 5, "frame_stride": 2, "kernel": null}'
_VIDEO = {
    "data.size": "[8, 8]",
    "data.frames": "20",
    "descriptor.shape": "[3, 20, 8, 8]",
    "descriptor.convs": f"[{_LOCAL}, {_FULL}]",
    "generator.latent_dim": "2",
    "generator.latent_size": "[3, 1, 1]",
    "generator.trim": "0",
    "generator.deconvs": '[{"channels": 4, "frames": 5, "frame_stride": 2, "kernel": null, "size": [4, 4]},'
    ' {"channels": 3, "frames": 2, "frame_stride": 2, "kernel": 5, "size": [8, 8]}]',
    "plan.chains": "2",
    "plan.revision_steps": "2",
    "plan.batch_size": "1",
    "plan.calibration_draws": "4",
}
"""8x8 pixels; n latents make 4 n + 8 frames, so 3 make 20."""
_RECOGNISER = {
    "data.kind": "digits",
    "data.size": "[8, 8]",
    "recogniser.shape": "[1, 8, 8]",
    "recogniser.channels": "[16, 32]",
    "recogniser.features": "64",
}
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "coopnets/mnist": _DATA | _DESCRIPTOR | _CHAINS | _GENERATOR | _RUN,
    "descriptor/mnist": _DATA | _DESCRIPTOR | _CHAINS | _RUN,
    "generator/mnist": _DATA | _GENERATOR | _RUN | {"plan.inference_steps": "2"},
    "igm/texture": _PATCHES,
    "texture-nets/quick": _DATA
    | _RUN
    | {
        "data.channels": "1",
        "data.crops": "0",
        "data.shorter": "none",
        "generator.shape": "[1, 8, 8]",
        "generator.scales": "2",
        "generator.channels": "3",
        "plan.maps.sizes": "[3, 5]",
        "plan.maps.count": "4",
        "plan.made": "3",
        "plan.ema_decay": "0.9",
        "plan.calibration_draws": "8",
    },
    "video/quick": _RUN | _VIDEO,
    "video/dynamic-texture": _RUN | _VIDEO,
    "classifier/mnist": _RECOGNISER | _RUN,
    "vae/mnist": _DATA | _ENCODER | _GENERATOR | _RUN,
    "flow-matching/mnist": _DATA | _VELOCITY | _RUN,
    "deep-directed/mnist": _DATA | _EXPERTS | _GENERATOR | _RUN,
    "dcgan/mnist": _DATA | _CLASSIFIER | _GENERATOR | _RUN,
    "wgan/mnist": _DATA | _CLASSIFIER | _GENERATOR | _RUN | {"plan.generator_every": "2"},
    "wgan-gp/mnist": _DATA | _DESCRIPTOR | _GENERATOR | _RUN | {"descriptor.outputs": "1", "plan.generator_every": "2"},
    "ebgan/mnist": _DATA | _DESCRIPTOR | _GENERATOR | _RUN | {"descriptor.outputs": "none"},
    "infogan/mnist": _DATA
    | _CLASSIFIER
    | _GENERATOR
    | _RUN
    | {"plan.objective.categories": "2", "plan.objective.numbers": "1"},
}
"""What ``--set`` is given to make each recipe tiny."""

_COLOUR = {
    "data.channels": "3",
    "descriptor.shape": "[3, 8, 8]",
    "encoder.shape": "[3, 8, 8]",
    "velocity.shape": "[3, 8, 8]",
    "classifier.shape": "[3, 8, 8]",
    "generator.deconvs": f'[{_SMALL}, {{"channels": 3, "kernel": 4, "size": [8, 8]}}]',
}


def from_texts(recipe: Recipe, changes: Mapping[str, str]) -> Recipe:
    """``recipe`` with dotted fields changed as ``--set`` changes them."""
    return codec.replace_fields(recipe, {dotted: codec.parse(text) for dotted, text in changes.items()})


def tiny(name: str, changes: Mapping[str, Any] | None = None, channels: int = 1) -> Recipe:
    """The recipe ``name``, tiny, with ``changes`` (dotted fields) on top."""
    settings = dict(SETTINGS[name])
    if channels == 3:
        settings |= {field: text for field, text in _COLOUR.items() if field in settings or field == "data.channels"}
    settings |= {field: json.dumps(value) for field, value in (changes or {}).items()}
    return from_texts(by_name(name), settings)


def tiny_images(n: int = 10, channels: int = 1) -> ImageSet:
    """Noise, as a data set."""
    pixels = np.random.default_rng(0).integers(0, 256, (n, channels, 8, 8), dtype=np.uint8)
    return from_array(pixels, "noise", layout="NCHW")


def tiny_clip() -> ImageSet:
    """A video of 20 frames of 8x8 in which stripes move before a slope that does not, in shades of orange, as a data
    set; 20 frames per second."""
    places = np.arange(8).reshape(1, 1, 1, 1, 8) + np.arange(20).reshape(1, 1, 20, 1, 1)
    slope = 10 * np.arange(8).reshape(1, 1, 1, 8, 1)
    colours = np.array([1.0, 0.7, 0.4]).reshape(1, 3, 1, 1, 1)
    pixels = (colours * ((places % 4 < 2) * 100 + 50 + slope)).astype(np.uint8)
    return ImageSet(pixels, "moving stripes", "stripes", "0" * 64, stretch=True, fps=20.0)


def tiny_texture() -> ImageSet:
    """One striped image of 16x16, as a data set."""
    rows = np.arange(16).reshape(1, 1, 16, 1) % 4 < 2
    return from_array((rows * np.ones((1, 1, 1, 16)) * 200 + 20).astype(np.uint8), "stripes", layout="NCHW")


def learned_texture(changes: Mapping[str, Any] | None = None) -> tuple[igm.Igm, igm.State]:
    """A tiny cascade of two rounds that has learned `tiny_texture`, kept in memory."""
    recipe = tiny("igm/texture", {"plan.rounds": 2, **(changes or {})})
    learner, rng = build(recipe, 1), stream(0, "learn")
    assert isinstance(learner, igm.Igm)
    state = learner.init(rng)
    for _ in iterate(learner, state, tiny_texture(), rng, iterations=recipe.plan.iterations, batch_size=1):
        pass
    assert state.round == recipe.plan.rounds
    return learner, state


def same(a: Any, b: Any) -> bool:
    """Whether two nested states are equal, bit for bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def saved_state(run: Path) -> Any:
    """What the newest checkpoint of a run holds."""
    return checkpoint.load(checkpoint.available(run / "checkpoints")[-1])[0]


def numbers(run: Path) -> list[dict[str, Any]]:
    """What the journal says of each iteration, without the time it took."""
    events = journal.read(run / "journal.jsonl")
    return [
        {key: value for key, value in event.items() if key != "seconds"}
        for event in events
        if event["event"] == "iteration"
    ]


def contents(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: the bytes of each file, None for a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
