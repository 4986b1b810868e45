"""Calibrated batch-norm statistics are those of images drawn from the prior."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from tutelage.learn.calibration import calibrate
from tutelage.rng import stream


class Watched(nn.Module):
    """Linear, batch norm, linear, batch norm; it writes down the latents it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(3, 4), nn.BatchNorm1d(4, momentum=0.2)
        self.second, self.last = nn.Linear(4, 2), nn.BatchNorm1d(2, momentum=0.7)
        self.given: list[Tensor] = []
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=stream(0, "weights")))

    def forward(self, latents: Tensor) -> Tensor:
        self.given.append(latents)
        return self.last(self.second(self.norm(self.first(latents)).relu()))


def calibrated(draws: int, chunk: int) -> Watched:
    generator = Watched().train()
    generator(5 + torch.randn(10, 3, generator=stream(0, "earlier")))
    running(generator.norm)[0].fill_(float("nan"))  # earlier statistics are forgotten, whatever they are
    generator.given.clear()
    calibrate(generator, draws, (3,), stream(0, "draws"), chunk)
    return generator


def running(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None
    return norm.running_mean, norm.running_var


def test_one_chunk_has_the_statistics_of_its_images() -> None:
    generator = calibrated(60, chunk=500)
    (latents,) = generator.given
    assert torch.equal(latents, torch.randn(60, 3, generator=stream(0, "draws")))
    first = generator.first(latents)
    normed = (first - first.mean(0)) / (first.var(0, correction=0) + 1e-5).sqrt()
    second = generator.second((normed * generator.norm.weight + generator.norm.bias).relu())
    for norm, values in ((generator.norm, first), (generator.last, second)):
        mean, variance = running(norm)
        torch.testing.assert_close(mean, values.mean(0))
        torch.testing.assert_close(variance, values.var(0))


def test_every_chunk_counts_the_same() -> None:
    generator = calibrated(400, chunk=50)
    first = [generator.first(latents) for latents in generator.given]
    assert [len(values) for values in first] == [50] * 8
    mean, variance = running(generator.norm)
    torch.testing.assert_close(mean, torch.cat(first).mean(0))
    torch.testing.assert_close(variance, torch.stack([values.var(0) for values in first]).mean(0))


def test_chunks_do_not_change_the_answer_by_much() -> None:
    chunked, whole = calibrated(2000, chunk=200), calibrated(2000, chunk=2000)
    for one, other in ((chunked.norm, whole.norm), (chunked.last, whole.last)):
        for a, b in zip(running(one), running(other), strict=True):
            torch.testing.assert_close(a, b, rtol=0.05, atol=0.1)


def test_no_draw_is_left_out() -> None:
    generator = calibrated(70, chunk=50)
    assert sum(len(latents) for latents in generator.given) == 70
    mean, _ = running(generator.norm)
    torch.testing.assert_close(mean, generator.first(torch.cat(generator.given)).mean(0))


@pytest.mark.parametrize("training", [True, False])
def test_it_ends_in_evaluation_mode_and_touches_nothing_else(training: bool) -> None:
    generator = Watched().train(training)
    before = copy.deepcopy(dict(generator.named_parameters()))
    calibrate(generator, 40, (3,), stream(0), 20)
    assert not any(module.training for module in generator.modules())
    assert (generator.norm.momentum, generator.last.momentum) == (0.2, 0.7)
    for name, parameter in generator.named_parameters():
        assert torch.equal(parameter, before[name]) and parameter.requires_grad and parameter.grad is None


def test_without_batch_norm_nothing_is_drawn() -> None:
    rng = stream(0)
    before = rng.get_state()
    network = nn.Sequential(nn.Linear(3, 2), nn.Dropout())
    calibrate(network, 100, (3,), rng)
    assert torch.equal(rng.get_state(), before) and not network.training


def test_images_too_large_for_a_chunk_of_several_still_come_in_pairs() -> None:
    """Statistics of one at a time would not show how they differ."""

    class Large(Watched):
        def forward(self, latents: Tensor) -> Tensor:
            return super().forward(latents)[:, :1].expand(-1, 1_000_000)

    generator = Large().train()
    calibrate(generator, 6, (3,), stream(0, "draws"))
    assert [len(latents) for latents in generator.given] == [1, 2, 2, 2], "one to see the size"


def test_chunks_are_as_large_as_a_batch_in_learning() -> None:
    generator = Watched()
    wide = nn.Sequential(generator, nn.Unflatten(1, (2, 1)), nn.Upsample(1_000_000))  # [B, 2, 1 000 000]
    for least, expected in ((1, [2, 2, 2]), (3, [3, 3]), (100, [6])):
        generator.given.clear()
        calibrate(wide, 6, (3,), stream(0), least=least)
        assert [len(latents) for latents in generator.given[1:]] == expected  # the first asks for the images' size
