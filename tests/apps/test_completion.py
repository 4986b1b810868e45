"""Latents of what is observed, and images completed by them; of a linear generator all is known in closed form."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from toy_networks import LinearGenerator
from tutelage.apps.completion import complete, revise_hole
from tutelage.apps.inference import Plan, infer
from tutelage.apps.interpolation import between, linear
from tutelage.apps.projection import project
from tutelage.checks import DivergenceError, InputError
from tutelage.energy import Posterior
from tutelage.nets import Deconv, Generator, GeneratorSpec
from tutelage.rng import stream
from tutelage.sample import Langevin, Settled, run

STD = 0.4


def normal(*shape: int, name: str) -> Tensor:
    return torch.randn(shape, generator=stream(0, name), dtype=torch.float64)


MATRIX, BIAS = normal(6, 3, name="matrix"), normal(6, name="bias")
LINEAR = LinearGenerator(MATRIX, BIAS)
OBSERVED = normal(4, 1, 1, 6, name="observed")
SOME = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0], dtype=torch.float64).view(1, 1, 1, 6)


def batch_normed() -> Generator:
    """In training mode, and with running statistics unlike those of a batch."""
    spec = GeneratorSpec(3, (4, 2, 2), (Deconv(3, 3, (4, 4)), Deconv(2, 4, (8, 8))), 0.2, True, 0.5)
    generator = Generator(spec, stream(0, "weights")).double()
    for _ in range(3):
        generator(normal(20, 3, name="passes") + 1)
    return generator.train()


def last(found):
    """What an iterator of results ends with."""
    *_, result = found
    return result


def test_latents_are_drawn_from_the_posterior_of_what_is_observed() -> None:
    """The discrete chain's moments: its mean is exact, its covariance that of P⁻¹ (1 − δ² P / 4)⁻¹."""
    copies, step = 3000, 0.15
    plan = Plan(STD, step, steps=250)
    found = last(infer(LINEAR, OBSERVED[:1].expand(copies, -1, -1, -1), SOME, (3,), plan, stream(0, "chains")))
    seen = MATRIX * SOME.flatten()[:, None]
    precision = torch.eye(3, dtype=torch.float64) + seen.T @ seen / STD**2
    mean = torch.linalg.solve(precision, seen.T @ (OBSERVED[0].flatten() - BIAS) / STD**2)
    covariance = torch.linalg.inv(precision @ (torch.eye(3) - step**2 / 4 * precision))
    x = found.latents
    assert ((x.mean(0) - mean).abs() < 4 * (covariance.diagonal() / copies).sqrt()).all()
    away = x - mean
    torch.testing.assert_close(away.T @ away / copies, covariance, rtol=0.12, atol=0.003)
    torch.testing.assert_close(found.images, LINEAR(x).detach())


def test_it_is_step_g1_run_by_hand() -> None:
    plan, rng = Plan(STD, 0.1, steps=23), stream(3, "chains")
    found = list(complete(LINEAR, OBSERVED, SOME, (3,), plan, rng, every=10))
    assert [part.steps for part in found] == [0, 10, 20, 23]
    rng = stream(3, "chains")
    start = torch.randn((4, 3), generator=rng, dtype=torch.float64)
    assert torch.equal(found[0].latents, start)
    expected, _ = run(Langevin(0.1), Posterior(LINEAR, OBSERVED, STD, SOME), start, 23, rng)
    assert torch.equal(found[-1].latents, expected)
    assert found[-1].generated.shape == OBSERVED.shape and not found[-1].generated.requires_grad

    difference = (OBSERVED - LINEAR(expected).detach())[:, :, :, SOME.flatten() == 1]
    torch.testing.assert_close(found[-1].residual, difference.flatten(1).square().mean(1).sqrt())


def test_observed_pixels_are_kept_and_hidden_ones_are_not_looked_at() -> None:
    plan, hidden = Plan(STD, 0.1, steps=5), SOME.expand_as(OBSERVED) == 0
    spoilt = OBSERVED.masked_fill(hidden, torch.nan)
    result = last(complete(LINEAR, spoilt, SOME, (3,), plan, stream(0)))
    assert torch.equal(result.completed[~hidden], OBSERVED[~hidden])
    assert torch.equal(result.completed[hidden], result.generated[hidden])
    clean = last(complete(LINEAR, OBSERVED, SOME.bool().expand(4, 1, 1, 6), (3,), plan, stream(0)))
    assert all(torch.equal(a, b) for a, b in zip(clean[1:], result[1:], strict=True))


def test_the_hole_is_recovered_where_the_observed_pixels_tell_all() -> None:
    truth = LINEAR(normal(4, 3, name="truth")).detach()
    result = last(complete(LINEAR, truth, SOME, (3,), Plan(0.02, 0.012, steps=600), stream(0)))
    assert (result.generated - truth).abs().max() < 0.2 and result.residual.max() < 0.06


def handed(monkeypatch: pytest.MonkeyPatch, rows: slice) -> None:
    """Make every draw of latents or noise the ``rows`` of one of 8, drawn for the whole batch."""
    randn, calls = torch.randn, iter(range(1000))

    def draw(shape, generator, device, dtype):
        return randn((8, *shape[1:]), generator=stream(next(calls), "handed"), device=device, dtype=dtype)[rows]

    monkeypatch.setattr(torch, "randn", draw)


@pytest.mark.parametrize("chains", [1, 2])
@pytest.mark.parametrize("stop", [None, Settled(4)])
def test_an_image_alone_is_the_same_as_in_a_batch(monkeypatch: pytest.MonkeyPatch, chains: int, stop) -> None:
    generator, images = batch_normed(), normal(4, 2, 8, 8, name="images").tanh()
    masks = (normal(4, 1, 8, 8, name="masks") > 0).double()
    plan = Plan(STD, 0.2, steps=30, chains=chains, stop=stop)
    with monkeypatch.context() as patch:
        handed(patch, slice(0, 4 * chains))
        together = last(complete(generator, images, masks, (3,), plan, stream(0), every=7))
    for i in range(4):
        with monkeypatch.context() as patch:
            handed(patch, slice(i * chains, (i + 1) * chains))
            alone = last(complete(generator, images[i : i + 1], masks[i : i + 1], (3,), plan, stream(0), every=7))
        for one, all_of_them in zip(alone[1:], together[1:], strict=True):
            torch.testing.assert_close(one, all_of_them[i : i + 1], rtol=1e-9, atol=1e-9)
    assert generator.training and all(parameter.grad is None for parameter in generator.parameters())


def test_of_several_chains_the_one_nearest_to_what_was_observed_is_kept() -> None:
    plan = Plan(STD, 0.1, steps=4, chains=5)
    best = last(complete(LINEAR, OBSERVED, SOME, (3,), plan, stream(0)))
    each = [part.repeat_interleave(5, 0) for part in (OBSERVED, SOME.expand(4, 1, 1, 6))]
    every = last(complete(LINEAR, *each, (3,), Plan(STD, 0.1, steps=4), stream(0)))
    residuals = every.residual.view(4, 5)
    torch.testing.assert_close(best.residual, residuals.min(1).values)
    torch.testing.assert_close(best.latents, every.latents.view(4, 5, 3)[torch.arange(4), residuals.argmin(1)])
    assert len(set(residuals.argmin(1).tolist())) > 1


def test_the_mean_of_several_chains_is_of_their_images() -> None:
    plan = Plan(STD, 0.1, steps=4, chains=5, keep="mean")
    mean = last(complete(LINEAR, OBSERVED, SOME, (3,), plan, stream(0)))
    each = [part.repeat_interleave(5, 0) for part in (OBSERVED, SOME.expand(4, 1, 1, 6))]
    every = last(complete(LINEAR, *each, (3,), Plan(STD, 0.1, steps=4), stream(0)))
    expected = every.generated.view(4, 5, 1, 1, 6).mean(1)
    torch.testing.assert_close(mean.generated, expected)
    assert torch.equal(mean.completed, torch.where(SOME == 0, mean.generated, OBSERVED))
    away = (OBSERVED - expected)[:, :, :, SOME.flatten() == 1]
    torch.testing.assert_close(mean.residual, away.flatten(1).square().mean(1).sqrt())
    best = last(complete(LINEAR, OBSERVED, SOME, (3,), replace(plan, keep="best"), stream(0)))
    assert torch.equal(mean.latents, best.latents) and not torch.equal(mean.generated, best.generated)


def test_a_mean_of_draws_misses_what_is_hidden_by_less_than_one_of_them() -> None:
    """Squares of what is missed: tr A (P⁻¹ + C / n) Aᵀ, with A the hidden rows, P⁻¹ of the truth, C of the n chains."""
    images, step, chains = 2000, 0.15, 4
    truth = LINEAR(normal(images, 3, name="truths")).detach()
    observed = truth + STD * normal(images, 1, 1, 6, name="noise")
    rows, hidden = MATRIX * SOME.flatten()[:, None], SOME.flatten() == 0
    precision = torch.eye(3, dtype=torch.float64) + rows.T @ rows / STD**2
    of_truth = torch.linalg.inv(precision)
    of_chains = torch.linalg.inv(precision @ (torch.eye(3) - step**2 / 4 * precision))
    for n, plan in (
        (1, Plan(STD, step, steps=150)),
        (chains, Plan(STD, step, steps=150, chains=chains, keep="mean")),
    ):
        found = last(complete(LINEAR, observed, SOME, (3,), plan, stream(0)))
        missed = (found.generated - truth).flatten(1)[:, hidden].square().sum(1).mean()
        expected = (MATRIX[hidden] @ (of_truth + of_chains / n) @ MATRIX[hidden].T).trace()
        torch.testing.assert_close(missed, expected, rtol=0.08, atol=0.0)


def test_chains_that_have_settled_stay_and_end_it() -> None:
    plan = Plan(STD, 0.1, steps=1000, stop=Settled(10))
    found = list(infer(LINEAR, OBSERVED, None, (3,), plan, stream(0), every=1))
    assert 20 <= found[-1].steps < 1000 and len(found) == found[-1].steps + 1
    still = torch.stack([(a.latents == b.latents).all(1) for a, b in pairwise(found)])
    assert still[-1].any() and not still[:19].any()
    for i in range(4):  # once still, always
        assert still[:, i].int().diff().min() >= 0
    assert found[-1].made.tolist() == (~still).sum(0).tolist() and len(set(found[-1].made.tolist())) > 1
    seldom = last(infer(LINEAR, OBSERVED, None, (3,), plan, stream(0), every=500))
    assert seldom.steps == found[-1].steps, "no step is made that nobody needs"
    assert torch.equal(seldom.made, found[-1].made) and torch.equal(seldom.latents, found[-1].latents)


def test_the_residual_is_a_mean_over_channels_too() -> None:
    images = normal(4, 2, 8, 8, name="images").tanh()
    found = last(infer(batch_normed(), images, None, (3,), Plan(STD, 0.1, steps=2), stream(0)))
    torch.testing.assert_close(found.residual, (images - found.images).square().flatten(1).mean(1).sqrt())


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (torch.zeros(1, 1, 1, 6), "the mask of image 0 hides every pixel"),
        (torch.ones(3, 1, 1, 6), r"a mask \[3, 1, 1, 6\] was given for images \[4, 1, 1, 6\]"),
        (torch.ones(1, 6), r"a mask \[1, 6\] was given"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_before_a_step_is_made(mask: torch.Tensor, words: str) -> None:
    with pytest.raises(InputError, match=words):
        infer(LINEAR, OBSERVED, mask, (3,), Plan(STD, 0.1), stream(0))


def test_without_steps_the_prior_is_left() -> None:
    (found,) = infer(LINEAR, OBSERVED, None, (3,), Plan(STD, 0.1, steps=0), stream(0))
    assert found.steps == 0 and torch.equal(
        found.latents, torch.randn((4, 3), generator=stream(0), dtype=torch.float64)
    )


def test_a_projection_observes_everything_and_walks_between() -> None:
    plan = Plan(STD, 0.1, steps=9)
    found = last(project(LINEAR, OBSERVED[:2], (3,), plan, stream(0)))
    ones = last(infer(LINEAR, OBSERVED[:2], torch.ones(1, 1, 1, 6), (3,), plan, stream(0)))
    assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(found, ones, strict=True))
    walk = between(LINEAR, *found.latents.split(1), 5)
    assert walk.shape == (5, 1, 1, 6)
    torch.testing.assert_close(walk[[0, -1]], found.images)  # products of another batch size round differently
    middle = linear(*found.latents.split(1), 5)[0, 2:3]
    torch.testing.assert_close(walk[2:3], LINEAR(middle).detach())


def test_a_hole_is_revised_given_what_is_around_it() -> None:
    """E(Y) = ½ Yᵀ P Y: without noise the hidden pixels come to their conditional mean −P_hh⁻¹ P_ho Y_o."""
    root = normal(6, 6, name="root")
    precision = root @ root.T / 6 + torch.eye(6, dtype=torch.float64)
    energy = lambda y: ((y.flatten(1) @ precision) * y.flatten(1)).sum(1) / 2  # noqa: E731
    free = SOME.flatten() == 0
    mean = -torch.linalg.solve(precision[free][:, free], precision[free][:, ~free] @ OBSERVED.flatten(1)[:, ~free].T).T
    still = revise_hole(energy, OBSERVED, SOME, Langevin(0.5, temperature=0.0), 500, stream(0))
    torch.testing.assert_close(still.flatten(1)[:, free], mean)
    noisy = revise_hole(energy, OBSERVED, SOME, Langevin(0.5), 20, stream(0))
    for revised in (still, noisy):
        assert torch.equal(revised.flatten(1)[:, ~free], OBSERVED.flatten(1)[:, ~free])
    assert (noisy.flatten(1)[:, free] - mean).abs().min() > 1e-3
    assert torch.equal(revise_hole(energy, OBSERVED, SOME, Langevin(0.5), 0, stream(0)), OBSERVED)
    with pytest.raises(
        DivergenceError, match="revision of the hole left the finite numbers within 400 steps of size 9"
    ):
        revise_hole(energy, OBSERVED, SOME, Langevin(9.0), 400, stream(0))


PLAN = Plan(STD, 0.1, steps=3)


@pytest.mark.parametrize(
    ("images", "mask", "words"),
    [
        (
            OBSERVED[..., 1:],
            SOME[..., 1:],
            r"images \[4, 1, 1, 5\] were given to a generator of images \['n', 1, 1, 6\]",
        ),
        (OBSERVED[:0], None, r"images \[0, 1, 1, 6\] were given"),
        (OBSERVED / 0, SOME, "observed pixels are not finite; repair them, or hide them"),
        (OBSERVED / 0, None, "observed pixels are not finite"),
    ],
)
def test_images_that_do_not_fit_are_refused_before_anything_is_done(images: Tensor, mask, words: str) -> None:
    with pytest.raises(InputError, match=words):
        infer(LINEAR, images, mask, (3,), PLAN, stream(0))


def test_masks_and_plans_that_cannot_work_are_refused() -> None:
    with pytest.raises(InputError, match="hides no pixel"):
        complete(LINEAR, OBSERVED, torch.ones(1, 1, 1, 6), (3,), PLAN, stream(0))
    with pytest.raises(InputError, match="steps is -1; it needs to be a whole number of 0 or more"):
        Plan(STD, 0.1, steps=-1)
    with pytest.raises(InputError, match=r"steps is 120\.0; it needs to be a whole number"):
        Plan(STD, 0.1, steps=120.0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="chains is 0; it needs to be a whole number of 1 or more"):
        Plan(STD, 0.1, chains=0)
    with pytest.raises(InputError, match=r"the mean of 1 chain is that chain; make more \(8, say\), or keep the best"):
        Plan(STD, 0.1, keep="mean")
    with pytest.raises(InputError, match="every is 0; it needs to be 1 step or more"):
        complete(LINEAR, OBSERVED, SOME, (3,), PLAN, stream(0), every=0)
    with pytest.raises(InputError, match="Langevin needs a step_size above 0, not 0"):
        Plan(STD, 0)
    with pytest.raises(InputError, match="noise_std is 0; it needs to be above 0"):
        Plan(0, 0.1)


def test_chains_that_leave_the_finite_numbers_are_not_hidden() -> None:
    words = "inference left the finite numbers within 300 steps of size 9; make the steps smaller"
    with pytest.raises(DivergenceError, match=words):
        last(complete(LINEAR, OBSERVED, SOME, (3,), Plan(STD, 9.0, steps=300), stream(0), every=300))
