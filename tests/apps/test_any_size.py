"""Images larger than those learned from."""

import pytest
import torch

from tiny_recipes import learned_texture
from tutelage.apps import any_size
from tutelage.checks import InputError
from tutelage.learn import igm
from tutelage.rng import stream


@pytest.fixture(scope="module")
def model():
    return learned_texture()


def test_every_round_is_run_and_the_size_is_what_was_asked_for(model) -> None:
    learner, state = model
    (batch,) = any_size.synthesise(learner, state, (21, 30), 2, stream(0, "s"))
    numbers, rounds = zip(*batch, strict=True)
    assert numbers == (1, 2)
    assert all(made.images.shape == (2, 1, 21, 30) and made.crossed.shape == (2,) for made in rounds)
    assert all(made.images.abs().max() <= 1 and made.steps >= 1 for made in rounds)
    again = igm.ends(any_size.synthesise(learner, state, (21, 30), 2, stream(0, "s")))
    assert torch.equal(rounds[-1].images, again)


def test_it_is_the_middle_of_the_cascade_run_on_larger_noise(model) -> None:
    """Half a patch is made on every side and cut off, with patches for the whole area."""
    learner, state = model
    last = igm.ends(any_size.synthesise(learner, state, (16, 16), 1, stream(0, "s")))
    rng = stream(0, "s")
    noise = igm.initial_noise((1, 1, 24, 24), learner.plan.reference_std, rng)
    *_, (_, whole) = learner.rounds(state, noise, rng, per_image=11)  # 3 · 17² / 9² = 10.7, over the places of a patch
    assert torch.equal(last, whole.images[:, :, 4:20, 4:20])


def test_samples_of_the_size_learned_from_have_no_border_either(model) -> None:
    """As many at a time as in learning, each the middle of a larger one, as above."""
    learner, state = model
    rng, expected, sizes = stream(0, "s"), [], []
    for together in (3, 1):
        noise = igm.initial_noise((together, 1, 24, 24), learner.plan.reference_std, rng)
        *_, (_, whole) = learner.rounds(state, noise, rng, per_image=11)
        expected.append(whole.images[:, :, 4:20, 4:20])
    assert torch.equal(learner.sample(state, 4, stream(0, "s"))["cascade"], torch.cat(expected))
    for rounds in any_size.synthesise(learner, state, (16, 16), 4, stream(0, "s")):
        sizes.append([len(made.crossed) for _, made in rounds])
    assert sizes == [[3, 3], [1, 1]] and learner.plan.synthesis_batch == 3 and learner.plan.batches(4) == 2


def test_patches_grow_with_the_places_they_can_have(model) -> None:
    learner, _ = model
    assert learner.plan.patches_per_image == 3  # of 8x8 in images of 16x16, which have 9x9 places for them
    assert learner.patches_for((16, 16)) == 11  # in 24x24 with the margin: 3 * 17 * 17 / 81
    assert learner.patches_for((40, 32)) == 50  # 3 * 41 * 33 / 81 = 50.1


def test_models_of_whole_images_make_their_own_size_alone() -> None:
    changes = {"plan.patches": None, "plan.patches_per_image": None, "classifier.shape": [1, 16, 16]}
    learner, state = learned_texture({**changes, "plan.rounds": 1})
    assert igm.ends(any_size.synthesise(learner, state, (16, 16), 2, stream(0, "s"))).shape == (2, 1, 16, 16)
    with pytest.raises(InputError, match=r"images of 20 x 16 were asked of a model of whole images of 16 x 16"):
        any_size.synthesise(learner, state, (20, 16), 1, stream(0, "s"))


def test_what_cannot_be_made_is_refused(model) -> None:
    learner, state = model
    with pytest.raises(InputError, match="a size of 7 x 20 is smaller than the patches of 8 x 8"):
        any_size.synthesise(learner, state, (7, 20), 1, stream(0, "s"))
    with pytest.raises(InputError, match="has finished no round"):
        any_size.synthesise(learner, learner.init(stream(0, "x")), (16, 16), 1, stream(0, "s"))
