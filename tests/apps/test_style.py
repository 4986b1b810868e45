"""Style transfer: the content's pull against the style's."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from tiny_recipes import learned_texture
from tutelage.apps import style
from tutelage.checks import DivergenceError, InputError
from tutelage.data import from_uint8, to_uint8
from tutelage.energy import RandomPatches
from tutelage.gradient import prepared
from tutelage.learn.igm import Igm, initial_noise
from tutelage.rng import stream
from tutelage.sample import Ascent, Langevin, run


@pytest.fixture(scope="module")
def model():
    return learned_texture()


@pytest.fixture
def photo() -> torch.Tensor:
    return torch.linspace(-0.8, 0.8, 20 * 18).view(1, 20, 18)


def test_content_is_kept_the_better_the_more_it_weighs(model, photo) -> None:
    errors = []
    for weight in (0.0, 0.9, 0.99, 1.0):
        *_, last = style.stylise(*model, photo, weight, stream(0, "s"), steps=150)
        assert last.round == 2 and last.images.shape == (1, 1, 20, 18)
        errors.append(last.content_error)
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[3] < 0.02  # from noise to the photograph


@pytest.mark.parametrize("objective", ["log-probability", "logit"])
def test_the_loss_is_the_printed_one_up_to_a_factor(model, photo, objective) -> None:
    """α · ½ c |x − photo|² (of one patch) − (1 − α) · mean ln p, divided by one number."""
    learner = replace(model[0], plan=replace(model[0].plan, objective=objective))
    logit, x = learner.load(1, "cpu"), 0.5 * torch.randn(1, 1, 20, 18, generator=stream(2))
    mix = style.style_energy(learner, logit, photo, 0.3, 5).draw(x, stream(1, "draw"))

    corners = RandomPatches(logit, (8, 8), 5).draw(x, stream(1, "draw")).corners[0].tolist()
    assert len(corners) == 5
    x.requires_grad_()
    logits = torch.cat([logit(x[:, :, top : top + 8, left : left + 8]) for top, left in corners])
    texture = -(F.logsigmoid(logits) if objective == "log-probability" else logits).mean()
    content = 0.5 * 0.02 * 64 * (x[0] - photo).square().mean()
    loss = (0.3 * content + 0.7 * texture) / 0.892
    loss.backward()

    assert mix.content_weight == pytest.approx(0.192 / 0.892) and logits.std() > 0
    torch.testing.assert_close(mix.texture(x), texture[None])
    torch.testing.assert_close(mix(x), loss[None])
    found = prepared(mix)(x.detach())
    torch.testing.assert_close(found.value, loss.detach()[None])
    torch.testing.assert_close(found.gradient, x.grad)


def test_each_round_goes_on_from_noise_with_its_own_classifier(model, photo) -> None:
    learner, state = model
    found = list(style.stylise(learner, state, photo, 0.3, stream(0, "s"), steps=4))
    (top, left), rng = learner.margin, stream(0, "s")
    framed = F.pad(photo[None], (left, left, top, top), mode="reflect")
    plan = replace(learner.plan, kernel=replace(learner.plan.kernel, eps=1e-20))
    images = initial_noise(framed.shape, plan.reference_std, rng)
    for step, number in zip(found, (1, 2), strict=True):
        patches, classifier = learner.patches_for((20, 18)), learner.load(number, "cpu")
        energy = style.style_energy(learner, classifier, framed[0], 0.3, patches)
        images = from_uint8(to_uint8(run(plan.stepping(), energy, images, 4, rng, plan.stop)[0]))
        assert step.round == number
        assert torch.equal(step.images, images[:, :, top : top + 20, left : left + 18])


def test_a_single_classifier_has_all_its_steps(photo) -> None:
    """It comes all the way from noise, which the steps of one round of a cascade do not."""
    learner, state = learned_texture({"plan.single": True, "plan.synthesis_steps": 60})
    few, own = (list(style.stylise(learner, state, photo, 1.0, stream(0, "s"), steps=n)) for n in (5, None))
    assert [step.round for step in own] == [2]
    (same,) = style.stylise(learner, state, photo, 1.0, stream(0, "s"), steps=60)
    assert torch.equal(same.images, own[0].images) and own[0].content_error < few[0].content_error


def test_a_picture_that_is_not_finite_is_not_shown(model, photo, monkeypatch: pytest.MonkeyPatch) -> None:
    load = Igm.load

    def broken(*arguments):
        classifier = load(*arguments)
        next(classifier.parameters()).fill_(math.nan)
        return classifier

    monkeypatch.setattr(Igm, "load", broken)
    with pytest.raises(DivergenceError, match="left the finite numbers within 3 steps, in 1 of 1 images"):
        list(style.stylise(*model, photo, 0.3, stream(0, "s"), steps=3))


def test_what_does_not_fit_is_refused(model, photo) -> None:
    learner, state = model
    plan = replace(learner.plan, patches=None, patches_per_image=None)
    whole = replace(learner, plan=plan, patch=learner.shape[1:])
    cases = (
        ((learner, state, photo.expand(3, -1, -1), 0.3), "the photograph has 3 channels and the style 1"),
        ((learner, state, photo[:, :7], 0.3), "a photograph of 7 x 18 is smaller than the patches of 8 x 8"),
        ((learner, state, photo, 1.5), r"content_weight is 1.5; it needs to lie in \[0, 1\]"),
        ((learner, learner.init(stream(0, "x")), photo, 0.3), "this run has finished no round yet"),
        ((whole, state, photo, 0.3), "needs a model of patches, and this one knows whole images of 16 x 16"),
    )
    for arguments, words in cases:
        with pytest.raises(InputError, match=words):
            style.stylise(*arguments, stream(0, "s"))
    for kernel in (Langevin(0.1), Ascent(lr=0.1, average_overlaps=True)):
        other = replace(learner, plan=replace(learner.plan, kernel=kernel))
        with pytest.raises(InputError, match=r"the run's kernel is \w+\(.*Train the style with plan.kernel of kind"):
            style.stylise(other, state, photo, 0.3, stream(0, "s"))
