"""What every baseline of dynamic textures promises. A new one is one more line in the table."""

from __future__ import annotations

import dataclasses
import functools
import typing
from typing import Any

import pytest
import torch
from torch import Tensor

from tutelage.baselines import dynamics, fft_lds, hosvd, lds, mkgpdm
from tutelage.checks import InputError
from tutelage.metrics.temporal import temporal_variance
from tutelage.rng import stream

FRAMES, SIZE = 14, (3, 6, 5)

FIRST = dynamics.Dynamics(start="first")
BASELINES = {
    "mean frame": (lds, lds.Plan(0)),
    "lds": (lds, lds.Plan(4)),
    "lds from the first": (lds, lds.Plan(4, FIRST)),
    "fft-lds": (fft_lds, fft_lds.Plan(0.5, lds.Plan(4))),
    "hosvd": (hosvd, hosvd.Plan(4, 3, 2, 5)),
    "hosvd from the first": (hosvd, hosvd.Plan(states=5, dynamics=FIRST)),
    "mkgpdm": (mkgpdm, mkgpdm.Plan(3, 5)),
    "mkgpdm from the first": (mkgpdm, mkgpdm.Plan(3, 5, "first")),
}
every_baseline = pytest.mark.parametrize(("method", "plan"), BASELINES.values(), ids=BASELINES.keys())
moving = pytest.mark.parametrize(
    ("method", "plan"), list(BASELINES.values())[1:], ids=[name for name in BASELINES if name != "mean frame"]
)


def a_clip(frames: int = FRAMES, device: torch.device | str = "cpu") -> Tensor:
    """A wave that drifts, and noise."""
    channels, height, width = SIZE
    t, y, x = torch.meshgrid(*(torch.arange(n) for n in (frames, height, width)), indexing="ij")
    wave = torch.stack([torch.sin(0.7 * t + 0.9 * x - 0.4 * y + c) for c in range(channels)])
    return (0.4 * wave + 0.1 * torch.randn(wave.shape, generator=stream(0, "clip"))).to(device)


@every_baseline
def test_a_plan_is_a_frozen_value_that_prints_itself(method, plan) -> None:

    assert hash(plan) == hash(dataclasses.replace(plan)) and plan == dataclasses.replace(plan)
    assert typing.get_type_hints(type(plan)).keys() == {field.name for field in dataclasses.fields(plan)}
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(plan, dataclasses.fields(plan)[0].name, 1)


@functools.cache
def fitted(method, plan, precision: torch.dtype, device: torch.device) -> tuple[Tensor, Any]:
    """A clip, and a model of it that is only to be made videos by."""
    clip = a_clip(device=device).to(precision).requires_grad_(True)
    return clip, method.fit(clip, plan)


@every_baseline
@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
@pytest.mark.parametrize("frames", [1, 9, 10 * FRAMES])
@pytest.mark.parametrize("noise", [True, False])
def test_any_length_is_synthesised_and_finite(method, plan, precision, frames, noise, device) -> None:
    clip, model = fitted(method, plan, precision, device)
    made = model.synthesise(frames, stream(0, device=device), noise)
    assert made.shape == (3, frames, 6, 5) and made.dtype == torch.float32 and made.device == clip.device
    assert made.isfinite().all() and not made.requires_grad and made.abs().max() < 20


@every_baseline
def test_chance_comes_from_the_generator_only(method, plan) -> None:
    before, model = torch.get_rng_state(), method.fit(a_clip(), plan)
    one, same, other = (model.synthesise(20, stream(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same) and torch.equal(one, other) == (plan == lds.Plan(0))
    assert torch.equal(method.fit(a_clip(), plan).synthesise(20, stream(0)), one)
    assert torch.equal(torch.get_rng_state(), before)


@every_baseline
def test_without_noise_nothing_is_drawn(method, plan) -> None:
    model, rng = method.fit(a_clip(), plan), stream(0)
    one = model.synthesise(20, rng, noise=False)
    assert torch.equal(rng.get_state(), stream(0).get_state())
    assert torch.equal(one, model.synthesise(20, stream(1), noise=False))
    torch.testing.assert_close(model.synthesise(7, rng, noise=False), one[:, :7])


@every_baseline
def test_the_frames_have_the_clips_mean_and_order_of_axes(method, plan) -> None:
    """Each pixel is far from the others, so an exchange of axes shows."""
    offset = 30 * torch.arange(3 * 6 * 5.0).reshape(3, 1, 6, 5)
    whole = dataclasses.replace(plan, kept=1.0) if method is fft_lds else plan
    if method is hosvd:
        whole = dataclasses.replace(plan, rows=6, columns=5, colours=3)
    made = method.fit(a_clip() + offset, whole).synthesise(FRAMES, stream(0), noise=False)
    assert (made - offset).abs().max() < 2


@every_baseline
@pytest.mark.parametrize("seed", range(3))
def test_the_signs_of_a_decomposition_do_not_matter(method, plan, seed, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the linear algebra library's choice, and differ from machine to machine."""
    made = method.fit(a_clip(), plan).synthesise(20, stream(0))
    really, rng = torch.linalg.svd, stream(seed, "signs")

    def flipped(*arguments: Any, **settings: Any) -> Any:
        u, s, vt = really(*arguments, **settings)
        signs = torch.randint(0, 2, s.shape, generator=rng) * 2.0 - 1
        return torch.return_types.linalg_svd((u * signs, s, signs[:, None] * vt))

    monkeypatch.setattr(torch.linalg, "svd", flipped)
    torch.testing.assert_close(method.fit(a_clip(), plan).synthesise(20, stream(0)), made)


@moving
def test_units_do_not_matter(method, plan) -> None:
    made, scaled = (method.fit(k * a_clip(), plan).synthesise(30, stream(0), noise=False) for k in (1, 100))
    torch.testing.assert_close(scaled / 100, made, rtol=1e-3, atol=1e-3)


@moving
def test_it_starts_with_a_frame_like_the_first_or_the_last(method, plan) -> None:
    clip, model = a_clip(), method.fit(a_clip(), plan)
    at_the_start = model.synthesise(1, stream(0), noise=False)[:, 0]
    settings = plan.system if isinstance(plan, fft_lds.Plan) else plan
    start = settings.start if isinstance(settings, mkgpdm.Plan) else settings.dynamics.start
    nearest = (clip - at_the_start[:, None]).square().mean((0, 2, 3)).argmin()
    assert nearest == (0 if start == "first" else FRAMES - 1)


@moving
def test_noise_moves_it(method, plan) -> None:
    noisy, quiet = (method.fit(a_clip(), plan).synthesise(40, stream(0), noise) for noise in (True, False))
    assert (noisy - quiet).abs().max() > 0.02 and temporal_variance(noisy) > 0


@every_baseline
@pytest.mark.parametrize(
    ("clip", "says"),
    [
        (a_clip()[0], r"was given torch.float32 \[14, 6, 5\]; it needs one clip of floats \[C, T, H, W\], of 3 frames"),
        (a_clip()[None], r"\[1, 3, 14, 6, 5\]"),
        (a_clip(2), "of 3 frames or more"),
        ((100 * a_clip()).to(torch.uint8), "torch.uint8"),
        (a_clip() * float("nan"), "numbers that are not finite"),
        (a_clip()[:, :1].expand(-1, 8, -1, -1), "whose 8 frames are all the same; give one that moves"),
    ],
)
def test_what_is_no_moving_clip_is_refused(method, plan, clip: Tensor, says: str) -> None:
    with pytest.raises(InputError, match=says):
        method.fit(clip, plan)


@every_baseline
def test_a_synthesis_of_no_frames_is_refused(method, plan) -> None:
    with pytest.raises(InputError, match="a synthesis of 0 frames was asked for; ask for 1 or more"):
        method.fit(a_clip(), plan).synthesise(0, stream(0))


@pytest.mark.parametrize(
    ("method", "plan"),
    [
        (lds, lds.Plan(14)),
        (fft_lds, fft_lds.Plan(1.0, lds.Plan(14))),
        (hosvd, hosvd.Plan(states=14)),
        (mkgpdm, mkgpdm.Plan(14)),
    ],
)
def test_more_states_than_a_clip_has_are_refused(method, plan) -> None:
    with pytest.raises(InputError, match=r"14 states were asked for of 14 frames of .* at most 13: ask for no more"):
        method.fit(a_clip(), plan)


@pytest.mark.parametrize(
    ("plan", "fields", "says"),
    [
        (dynamics.Dynamics, {"noises": -1}, "noises is -1; give the number of directions"),
        (dynamics.Dynamics, {"radius": 1.01}, "radius is 1.01; the eigenvalues' largest modulus"),
        (dynamics.Dynamics, {"radius": 0.0}, "radius is 0.0"),
        (dynamics.Dynamics, {"start": "middle"}, "from the 'middle' state of the clip; give 'first' or 'last'"),
        (mkgpdm.Plan, {"start": "middle"}, "from the 'middle' state"),
        (mkgpdm.Plan, {"latents": 0}, "0 latents and 100 iterations"),
        (mkgpdm.Plan, {"iterations": -1}, "10 latents and -1 iterations"),
        (lds.Plan, {"states": -1}, r"states is -1; give 0 \(the mean frame\) or more"),
        (fft_lds.Plan, {"kept": 0.0}, "kept is 0.0; give the fraction"),
        (fft_lds.Plan, {"kept": 1.5}, "kept is 1.5"),
        (hosvd.Plan, {"rows": 0}, "bases of 0 rows, 100 columns, 3 colours and 20 states"),
        (hosvd.Plan, {"states": 0}, "3 colours and 0 states were asked for; each needs 1 or more"),
    ],
)
def test_plans_that_cannot_work_are_refused(plan, fields: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        plan(**fields)
