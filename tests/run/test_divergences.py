"""Runs that diverge in earnest: each is stopped, explained, and recovered from or refused.

The descriptor is deeper and wider than in other tests, so that it can outrun its chains. What becomes of each
run was found by trying; a change of it is a change of behaviour.
"""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from tiny_recipes import tiny, tiny_images
from tutelage.checks import DivergenceError, InputError
from tutelage.run import checkpoint, journal, train
from tutelage.run.folder import RunFolder

CPU, OBSERVED = torch.device("cpu"), tiny_images()
COOPNETS, DESCRIPTOR, GENERATOR = "coopnets/mnist", "descriptor/mnist", "generator/mnist"
RUN = {"plan.iterations": 12, "checkpoint_every": 3, "picture_every": 100}
DEEP = {
    "descriptor.convs": [
        {"channels": 16, "kernel": 3, "stride": 2},
        {"channels": 16, "kernel": 3, "stride": 2},
        {"channels": 16, "kernel": 2, "stride": 1},
    ],
    "descriptor.outputs": 30,
}
LEARNS = "a descriptor that learns faster than its chains can follow"
STEP = "a step_size too large for reference_std"
MANY = "too many revision_steps"
LATENT = "a latent_step_size too large for noise_std"
GENERATES = "a generator that learns too fast"


def lr(update: str, value: float, final: float | None = None) -> dict[str, Any]:
    return {f"plan.{update}.lr": value, f"plan.{update}.lr_final": final}


class Case(NamedTuple):
    """A run that diverges: what is too large, what is said of the cause, and whether recovering ends well."""

    recipe: str
    changes: dict[str, Any]
    words: str
    ends: str


SMALLER = {
    LEARNS: ("lr",),
    STEP: ("step_size", "lr"),
    MANY: ("step_size", "lr"),
    LATENT: ("latent_step_size", "lr"),
    GENERATES: ("lr",),
}
"""The fields that are halved, by diagnosis."""
DONE, REFUSED = "done", "refused"
START = {"checkpoint_every": 100}  # so that there is no checkpoint to go back to
CASES = {
    "both, learning rate 300 times": Case(COOPNETS, DEEP | START | lr("descriptor_update", 4.0), LEARNS, DONE),
    "both, learning rate a million times": Case(COOPNETS, DEEP | lr("descriptor_update", 7e3), LEARNS, REFUSED),
    "both, step near its limit": Case(
        COOPNETS, DEEP | {"plan.step_size": 0.031} | lr("descriptor_update", 0.7), STEP, DONE
    ),
    "both, narrow reference": Case(
        COOPNETS, DEEP | START | {"plan.reference_std": 0.0011} | lr("descriptor_update", 14.0), STEP, DONE
    ),
    "both, many steps": Case(
        COOPNETS, DEEP | START | {"plan.revision_steps": 40} | lr("descriptor_update", 4.0), MANY, DONE
    ),
    "both, latent step": Case(COOPNETS, {"plan.inference_steps": 9, "plan.latent_step_size": 2.6}, LATENT, DONE),
    "both, generator's learning rate": Case(COOPNETS, lr("generator_update", 1e38), GENERATES, REFUSED),
    "alone, learning rate 400 times": Case(DESCRIPTOR, DEEP | START | lr("update", 2.8), LEARNS, DONE),
    "alone, learning rate a million times": Case(DESCRIPTOR, DEEP | lr("update", 7e3), LEARNS, REFUSED),
    "alone, step near its limit": Case(
        DESCRIPTOR, DEEP | START | {"plan.step_size": 0.031} | lr("update", 0.4), STEP, DONE
    ),
    "alone, narrow reference": Case(
        DESCRIPTOR, DEEP | {"plan.reference_std": 0.0011} | lr("update", 100.0), STEP, REFUSED
    ),
    "alone, many steps": Case(DESCRIPTOR, DEEP | START | {"plan.revision_steps": 40} | lr("update", 2.0), MANY, DONE),
    "alone, many steps without a reference": Case(
        DESCRIPTOR,
        DEEP
        | START
        | {"plan.reference_std": None, "plan.start": "data", "plan.step_size": 0.1, "plan.revision_steps": 40}
        | lr("update", 0.7),
        MANY,
        DONE,
    ),
    "alone, wide reference: only the energy grows": Case(
        DESCRIPTOR, DEEP | {"plan.reference_std": 0.5} | lr("update", 2.0), LEARNS, REFUSED
    ),
    "generator, latent step": Case(GENERATOR, {"plan.latent_step_size": 2.9}, LATENT, DONE),
    "generator, huge latent step": Case(GENERATOR, {"plan.latent_step_size": 90.0}, LATENT, REFUSED),
    "generator, small noise": Case(GENERATOR, START | {"plan.noise_std": 6e-5}, LATENT, DONE),
    "generator, learning rate": Case(GENERATOR, lr("update", 1e39), GENERATES, REFUSED),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", CASES)
def test_it_is_stopped_explained_and_recovered_from_or_refused(tmp_path: Path, name: str, seed: int) -> None:
    case = CASES[name]
    with pytest.raises(DivergenceError) as caught:
        train.train(tiny(case.recipe, RUN | {"seed": seed} | case.changes), OBSERVED, tmp_path, CPU, {})
    run, said = RunFolder(tmp_path), str(caught.value)
    event = journal.read(run.journal)[-1]
    assert said.startswith(f"iteration {event['iteration']} ") and f"The likely cause is {case.words}" in said
    assert "--recover`" in said and "\n" not in said and event["message"] == said
    assert tuple(field.rpartition(".")[2] for field in event["smaller"]) == SMALLER[case.words]
    check_checkpoints(run)

    if case.ends == DONE:
        assert train.resume(run, OBSERVED, CPU, recover=True) == "done"
    else:
        words = r"diverged again after 3 recoveries, the most that --recover makes: train anew with other settings"
        with pytest.raises(DivergenceError, match=words):
            train.resume(run, OBSERVED, CPU, recover=True)
    recoveries = [event for event in journal.read(run.journal) if event["event"] == "recover"]
    assert 1 <= len(recoveries) <= 3 and (len(recoveries) == 3 or case.ends == DONE)
    assert all(new == old / 2 for event in recoveries for old, new in event["changed"].values())
    check_checkpoints(run)


def check_checkpoints(run: RunFolder) -> None:
    """None was written from a state that is not finite."""
    for path in checkpoint.available(run.checkpoints):
        assert all(tensor.isfinite().all() for tensor in checkpoint.split(checkpoint.load(path)[0])[0].values())


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (COOPNETS, {"plan.step_size": 0.032}),
        (DESCRIPTOR, {"plan.step_size": 0.3}),
        (DESCRIPTOR, {"plan.reference_std": 0.001}),
    ],
)
def test_what_must_diverge_is_refused_before_it_starts(name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"Langevin dynamics diverges on the reference itself.*make the step smaller"):
        tiny(name, changes)
