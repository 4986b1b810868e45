"""Style transfer: the content's pull against the style's."""

import pytest
import torch

from tiny_recipes import learned_texture
from tutelage.apps import style
from tutelage.checks import InputError
from tutelage.gradient import prepared
from tutelage.rng import stream


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


def test_the_loss_is_the_printed_one_up_to_a_factor(model, photo) -> None:
    """α · ½ c |x − photo|² (of one patch) − (1 − α) · mean ln p, divided by one number."""
    learner, _ = model
    logit, alpha, x = learner.load(1, "cpu"), 0.3, torch.zeros(1, 1, 20, 18)
    mix = style.style_energy(learner, logit, photo, alpha, 5).draw(x, stream(1, "draw"))
    gradient = prepared(mix)(x).gradient
    at_photo = prepared(mix)(photo.unsqueeze(0))
    texture = mix.texture(x)
    content = 0.5 * style.CONTENT_SCALE * 64 * (x[0] - photo).square().mean()
    factor = mix.content_weight / (style.CONTENT_SCALE / 2 * 64 * alpha)
    assert torch.allclose(mix(x), factor * (alpha * content + (1 - alpha) * texture), rtol=1e-5)
    assert gradient.any()
    assert torch.allclose(at_photo.value, (1 - mix.content_weight) * mix.texture(photo[None]), rtol=1e-5)


def test_what_does_not_fit_is_refused(model, photo) -> None:
    learner, state = model
    cases = (
        ((learner, state, photo.expand(3, -1, -1), 0.3), "the photograph has 3 channels and the style 1"),
        ((learner, state, photo[:, :7], 0.3), "a photograph of 7 x 18 is smaller than the patches of 8 x 8"),
        ((learner, state, photo, 1.5), r"content_weight is 1.5; it needs to lie in \[0, 1\]"),
        ((learner, learner.init(stream(0, "x")), photo, 0.3), "needs a model of patches with one round or more"),
    )
    for arguments, words in cases:
        with pytest.raises(InputError, match=words):
            style.stylise(*arguments, stream(0, "s"))
