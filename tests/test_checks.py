"""A user's potential is run once, and told what is wrong with it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tutelage.checks import InputError, validate_potential
from tutelage.nets import Conv, Descriptor, DescriptorSpec
from tutelage.rng import stream

SHAPE = (1, 6, 6)


class WithBatchNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def forward(self, images):
        return self.norm(images).square().flatten(1).sum(1) * torch.arange(1.0, 1 + len(images))


def test_good_potentials_pass():
    validate_potential(lambda images: images.flatten(1).sum(1), SHAPE)
    validate_potential(Descriptor(DescriptorSpec(SHAPE, (Conv(2, 3, 2),), 2, 0.2, 0.1), stream(0)), SHAPE)


@pytest.mark.parametrize(
    ("potential", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(7, 1)), "cannot take images of torch.float32 on cpu, shape"),
        (lambda images: images.mean(), r"gave \[\] for 3 images"),
        (lambda images: images.flatten(1), r"gave \[3, 36\]"),
        (lambda images: None, "gave NoneType"),
        (lambda images: images.flatten(1).sum(1).long(), "gave torch.int64"),
        (lambda images: images.flatten(1).sum(1).to("meta"), "on meta; .* on cpu: move the network there"),
        (lambda images: images.flatten(1).log().sum(1), "not finite"),
        (lambda images: images.detach().flatten(1).sum(1), "no gradient"),
        (lambda images: torch.zeros(len(images), requires_grad=True), "does not depend on the images"),
        (lambda images: (images - images.mean(0)).square().flatten(1).sum(1), "depends on the other images"),
        (WithBatchNorm(), "depends on the other images"),
    ],
)
def test_what_is_wrong_is_said(potential, message):
    with pytest.raises(InputError, match=message):
        validate_potential(potential, SHAPE)
