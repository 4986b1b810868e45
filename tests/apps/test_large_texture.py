"""Textures larger than those learned from: one shot of the generator, and revision of the whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tutelage.apps import large_texture
from tutelage.checks import InputError
from tutelage.energy import Gaussian, Tilt
from tutelage.learn import coopnets
from tutelage.nets import Conv, Deconv, Descriptor, DescriptorSpec, Generator, GeneratorSpec
from tutelage.recipes import by_name
from tutelage.rng import stream
from tutelage.sample import Langevin, run

GENERATOR = GeneratorSpec(3, None, (Deconv(4, 5, (4, 6)), Deconv(2, 5, (8, 12))), 0.2, True, 0.3, latent_size=(2, 3))
DESCRIPTOR = DescriptorSpec((2, 8, 12), (Conv(4, 5, 3), Conv(5, 3, 1)), None, 0.2, 0.3)


def generator() -> Generator:
    return Generator(GENERATOR, stream(0, "generator")).eval()


def descriptor() -> Descriptor:
    return Descriptor(DESCRIPTOR, stream(0, "descriptor"))


def plan(**changes) -> coopnets.Plan:
    learned = by_name("coopnets/texture-quick").plan
    assert isinstance(learned, coopnets.Plan)
    return replace(learned, reference_std=0.3, step_size=0.1, **changes)


def test_a_draft_is_one_shot_of_a_larger_map_of_latents() -> None:
    made = large_texture.draft(generator(), (12, 20), 3, stream(0, "s"))
    latents = torch.randn(3, 3, 3, 5, generator=stream(0, "s"))
    with torch.no_grad():
        torch.testing.assert_close(made, generator()(latents))
    assert not made.requires_grad and made.std() > 0.01


@pytest.mark.parametrize("size", [(8, 12), (9, 13), (11, 22), (21, 12)])
def test_a_draft_of_any_size_is_the_middle_of_the_next_larger_map(size: tuple[int, int]) -> None:
    height, width = (-(-side // 4) for side in size)
    made = large_texture.draft(generator(), size, 1, stream(0, "s"))
    with torch.no_grad():
        whole = generator()(torch.randn(1, 3, height, width, generator=stream(0, "s")))
    top, left = (4 * height - size[0]) // 2, (4 * width - size[1]) // 2
    assert made.shape == (1, 2, *size)
    torch.testing.assert_close(made, whole[:, :, top : top + size[0], left : left + size[1]])


@pytest.mark.parametrize("tile", [5, 256])
@pytest.mark.parametrize("metropolis", [False, True])
def test_the_revision_is_langevin_dynamics_on_the_descriptor_of_the_whole(tile: int, metropolis: bool) -> None:
    network, start = descriptor().double(), torch.randn(2, 2, 19, 31, generator=stream(0, "x"), dtype=torch.float64)
    energy, kernel = Tilt(Gaussian(0.3), network), Langevin(0.1, metropolis=metropolis)
    expected, _ = run(kernel, energy, start, 3, stream(0, "s"))
    chosen = plan(metropolis=metropolis)
    steps = list(large_texture.revise(network, chosen, 0, start, 3, stream(0, "s"), tile))
    assert len(steps) == 3
    torch.testing.assert_close(steps[-1], expected, rtol=1e-10, atol=1e-10)
    assert not torch.allclose(start, expected, atol=0.05)


def test_the_noise_is_off_where_learning_had_it_off() -> None:
    start = torch.zeros(1, 2, 16, 16)
    one, other = (
        next(large_texture.revise(descriptor(), plan(noise_until=5), iteration, start, 1, stream(0, "s")))
        for iteration in (5, 6)  # that is how many were made; the sixth was the first without noise
    )
    assert one.std() > 0.05 and other.std() < 0.05


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(InputError, match="a size of 7x40 is smaller than the images of 8x12"):
        large_texture.draft(generator(), (7, 40), 1, stream(0))
    with pytest.raises(InputError, match="a size of 40x11 is smaller"):
        large_texture.draft(generator(), (40, 11), 1, stream(0))
    vectors = Generator(replace(GENERATOR, latent_size=None, base=(4, 2, 3)), stream(0))
    with pytest.raises(InputError, match="starts from latent vectors and makes images of 8x12 only"):
        large_texture.draft(vectors, (16, 24), 1, stream(0))
    connected = Descriptor(replace(DESCRIPTOR, outputs=2), stream(0))
    with pytest.raises(InputError, match="ends in a fully connected layer"):
        large_texture.revise(connected, plan(), 0, torch.zeros(1, 2, 8, 12), 1, stream(0))
