"""A picture's content against a texture's energy, mixed by a weight."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tutelage.checks import InputError
from tutelage.energy import Content, Gaussian, LogProbability, Mix, RandomMix, RandomPatches, RandomTilt, Tilt, Uniform
from tutelage.gradient import ByAutograd, prepared
from tutelage.rng import stream
from tutelage.types import RandomEnergy


def images(name: str = "images", n: int = 4) -> Tensor:
    return torch.randn(n, 2, 3, 4, generator=stream(0, name), dtype=torch.float64)


def logit(x: Tensor) -> Tensor:
    return torch.sin(2 * x).flatten(1).sum(1)


CONTENT = images("content", 1)[0]
TEXTURE = Tilt(Gaussian(0.7), LogProbability(logit))


def test_the_content_is_a_mean_over_pixels_and_channels_and_not_over_images() -> None:
    x = CONTENT.expand(2, -1, -1, -1).clone()
    x[1, 1, 2, 3] += 6
    assert Content(CONTENT)(x).tolist() == [0, pytest.approx(36 / 24)]
    assert Content(CONTENT, squared=False)(x).tolist() == [0, pytest.approx((36 / 24) ** 0.5)]


def test_each_image_may_have_a_content_of_its_own() -> None:
    x, contents = images(), images("contents")
    each = torch.stack([Content(content)(x[i : i + 1])[0] for i, content in enumerate(contents)])
    torch.testing.assert_close(Content(contents)(x), each)


@pytest.mark.parametrize("squared", [True, False])
def test_descending_the_content_leads_to_the_image(squared: bool) -> None:
    x, n = images(), CONTENT.numel()
    value, gradient, _ = prepared(Content(CONTENT, squared))(x)
    slope = 2 / n if squared else 1 / (n * value.view(4, 1, 1, 1))
    torch.testing.assert_close(gradient, slope * (x - CONTENT))
    # where the root has no derivative, it pulls nowhere
    assert prepared(Content(CONTENT, squared))(CONTENT[None]).gradient.eq(0).all()


def test_a_mix_is_the_weighted_sum_and_tells_of_the_texture() -> None:
    x, mix = images(), Mix(0.3, Content(CONTENT), TEXTURE)
    value, gradient, terms = prepared(mix)(x)
    torch.testing.assert_close(value, 0.3 * Content(CONTENT)(x) + 0.7 * TEXTURE(x))
    torch.testing.assert_close(value, mix(x))
    torch.testing.assert_close(gradient, ByAutograd(mix)(x).gradient)
    torch.testing.assert_close(terms.content, 0.3 * ByAutograd(Content(CONTENT))(x).gradient)
    torch.testing.assert_close(terms.texture, 0.7 * ByAutograd(TEXTURE)(x).gradient)
    assert torch.equal(terms.scored[-1].logits, logit(x)[:, None])
    assert prepared(Mix(0.3, Content(CONTENT), Gaussian(1.0)))(x).aux.scored == ()


@pytest.mark.parametrize(("weight", "pure"), [(0, TEXTURE), (1, Content(CONTENT))], ids=["texture", "content"])
def test_the_ends_of_the_weight_are_the_pure_energies(weight: float, pure) -> None:
    x, mix = images(), Mix(weight, Content(CONTENT), TEXTURE)
    assert torch.equal(mix(x), pure(x))
    for got, expected in zip(prepared(mix)(x)[:2], prepared(pure)(x)[:2], strict=True):
        assert torch.equal(got, expected)


def test_a_random_mix_draws_its_texture() -> None:
    x = images()
    texture = RandomTilt(Uniform(), RandomPatches(logit, (2, 2), 3, mean=True))
    mix = RandomMix(0.3, Content(CONTENT), texture)
    assert isinstance(mix, RandomEnergy) and not isinstance(Mix(0.3, Content(CONTENT), TEXTURE), RandomEnergy)
    one, same = (mix.draw(x, stream(1)) for _ in range(2))
    assert isinstance(one, Mix) and torch.equal(one(x), same(x))
    assert not torch.equal(one(x), mix.draw(x, stream(2))(x))
    torch.testing.assert_close(one(x), 0.3 * Content(CONTENT)(x) + 0.7 * texture.draw(x, stream(1))(x))
    assert prepared(one)(x).aux.scored[-1].logits.shape == (4, 3)


def test_mixes_print_their_parts() -> None:
    mix = Mix(0.3, Content(CONTENT), TEXTURE)
    assert repr(mix) == "Mix(0.3, Content, Tilt(Gaussian(std=0.7), LogProbability))"
    assert repr(RandomMix(0.5, Content(CONTENT), Uniform())) == "RandomMix(0.5, Content, Uniform())"


@pytest.mark.parametrize("make", [Mix, RandomMix])
@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_weights_outside_the_unit_interval_are_refused(make, weight: float) -> None:
    with pytest.raises(InputError, match=rf"content_weight is {weight}; it needs to lie in \[0, 1\]"):
        make(weight, Content(CONTENT), TEXTURE)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"images \[4, 2, 3, 4\] were given for a content of \[2, 3, 5\]"):
        Content(torch.zeros(2, 3, 5))(images())
    with pytest.raises(InputError, match=r"for a content of \[3, 2, 3, 4\]"):
        Content(images()[:3])(images())
    with pytest.raises(InputError, match=r"RandomTilt is drawn afresh.* give the same parts to RandomMix"):
        Mix(0.3, Content(CONTENT), RandomTilt(Uniform(), RandomPatches(logit, (2, 2), 3)))
