"""A seed and a name give the same numbers in every process, and nothing else moves them."""

from __future__ import annotations

import pytest
import torch

from tutelage.checks import InputError
from tutelage.rng import stream


def draws(rng: torch.Generator) -> torch.Tensor:
    return torch.randn(1000, generator=rng, dtype=torch.float64)


def test_seeds_are_the_same_in_every_process_and_version() -> None:
    # the first 63 bits of SHA-256 of "0/noise": a saved run can be repeated only while this holds
    assert stream(0, "noise").initial_seed() == 0x4729F8BB59682C0F
    assert stream(7, "chain", 3).initial_seed() == stream(7, "chain", "3").initial_seed()


@pytest.mark.parametrize("other", [(0, "data"), (1, "noise"), (0, "noise", 0), (0,)])
def test_other_names_give_unrelated_numbers(other: tuple) -> None:
    a, b = draws(stream(0, "noise")), draws(stream(*other))
    assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1].item()) < 4 / 1000**0.5


def test_drawing_from_one_stream_moves_no_other_and_not_the_global_one() -> None:
    before, untouched = torch.get_rng_state(), draws(stream(0, "b"))
    a, b = stream(0, "a"), stream(0, "b")
    draws(a)
    assert torch.equal(draws(b), untouched)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_generator_lives_where_it_is_asked_to(device: torch.device) -> None:
    assert stream(0, "noise", device=device).device.type == device.type


def test_names_that_would_meet_another_stream_are_refused() -> None:
    with pytest.raises(InputError, match="cannot contain '/'"):
        stream(0, "a/b")


def test_a_file_name_that_is_no_text_names_a_stream() -> None:
    assert not torch.equal(draws(stream(0, "caf\udce9")), draws(stream(0, "caf\udce8")))
