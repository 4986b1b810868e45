"""The Inception network of 2015: its tensors, what images go through first, each block against torch's layers, and
what it refuses.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from random_weights import random_weights
from tutelage.checks import InputError
from tutelage.data import from_uint8
from tutelage.metrics import inception
from tutelage.metrics.inception import inception_2015, shapes
from tutelage.rng import stream

WEIGHTS = random_weights(shapes())


def test_it_has_the_tensors_of_the_published_file() -> None:
    found = shapes()
    convs = {name: shape for name, shape in found.items() if name.endswith(".conv.weight")}
    assert len(convs) == 94 and len(found) == 94 * 5 + 2
    # Inception-v3 without its auxiliary classifier has 23 834 568 learnable numbers with 1000 classes
    learned = sum(math.prod(shape) for name, shape in found.items() if "running" not in name)
    assert learned == 23_834_568 + 8 * (2048 + 1)
    assert found["fc.weight"] == (1008, 2048) and found["Conv2d_1a_3x3.conv.weight"] == (32, 3, 3, 3)
    for name, shape in {
        "Mixed_5b.branch_pool": (32, 192, 1, 1),
        "Mixed_5d.branch5x5_2": (64, 48, 5, 5),
        "Mixed_6a.branch3x3dbl_3": (96, 96, 3, 3),
        "Mixed_6b.branch7x7_3": (192, 128, 7, 1),
        "Mixed_6c.branch7x7dbl_2": (160, 160, 7, 1),
        "Mixed_6e.branch7x7dbl_5": (192, 192, 1, 7),
        "Mixed_7a.branch7x7x3_4": (192, 192, 3, 3),
        "Mixed_7b.branch3x3_2a": (384, 384, 1, 3),
        "Mixed_7c.branch3x3dbl_1": (448, 2048, 1, 1),
    }.items():
        assert found[f"{name}.conv.weight"] == shape, name


def conv(name: str, x: Tensor, stride: int = 1, padding: int | tuple[int, int] = 0) -> Tensor:
    parts = [WEIGHTS[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    x = functional.conv2d(x, WEIGHTS[f"{name}.conv.weight"], None, stride, padding)
    return functional.relu(functional.batch_norm(x, *parts, eps=1e-3))


def average(x: Tensor) -> Tensor:
    """Over 3x3 pixels, those of the padding not counted."""
    total = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1)), 3, 1) * 9
    return total / (functional.avg_pool2d(functional.pad(torch.ones_like(x), (1, 1, 1, 1)), 3, 1) * 9)


def largest(x: Tensor, stride: int) -> Tensor:
    return functional.max_pool2d(x, 3, stride, padding=1 if stride == 1 else 0)


def by_hand(x: Tensor) -> Tensor:
    x = conv("Conv2d_2b_3x3", conv("Conv2d_2a_3x3", conv("Conv2d_1a_3x3", x, 2)), padding=1)
    x = largest(conv("Conv2d_4a_3x3", conv("Conv2d_3b_1x1", largest(x, 2))), 2)
    for name in ("Mixed_5b.branch", "Mixed_5c.branch", "Mixed_5d.branch"):
        double = conv(f"{name}3x3dbl_2", conv(f"{name}3x3dbl_1", x), padding=1)
        five = conv(f"{name}5x5_2", conv(f"{name}5x5_1", x), padding=2)
        parts = [conv(f"{name}1x1", x), five, conv(f"{name}3x3dbl_3", double, padding=1)]
        x = torch.cat([*parts, conv(f"{name}_pool", average(x))], 1)
    name = "Mixed_6a.branch"
    double = conv(f"{name}3x3dbl_3", conv(f"{name}3x3dbl_2", conv(f"{name}3x3dbl_1", x), padding=1), 2)
    x = torch.cat([conv(f"{name}3x3", x, 2), double, largest(x, 2)], 1)
    row, column = (0, 3), (3, 0)
    for name in ("Mixed_6b.branch", "Mixed_6c.branch", "Mixed_6d.branch", "Mixed_6e.branch"):
        seven = conv(f"{name}7x7_3", conv(f"{name}7x7_2", conv(f"{name}7x7_1", x), padding=row), padding=column)
        double = conv(f"{name}7x7dbl_1", x)
        for k, padding in ((2, column), (3, row), (4, column), (5, row)):
            double = conv(f"{name}7x7dbl_{k}", double, padding=padding)
        x = torch.cat([conv(f"{name}1x1", x), seven, double, conv(f"{name}_pool", average(x))], 1)
    name = "Mixed_7a.branch"
    seven = conv(f"{name}7x7x3_3", conv(f"{name}7x7x3_2", conv(f"{name}7x7x3_1", x), padding=row), padding=column)
    three = conv(f"{name}3x3_2", conv(f"{name}3x3_1", x), 2)
    x = torch.cat([three, conv(f"{name}7x7x3_4", seven, 2), largest(x, 2)], 1)
    for name in ("Mixed_7b.branch", "Mixed_7c.branch"):
        three = conv(f"{name}3x3_1", x)
        double = conv(f"{name}3x3dbl_2", conv(f"{name}3x3dbl_1", x), padding=1)
        sides = [conv(f"{name}3x3_2a", three, padding=(0, 1)), conv(f"{name}3x3_2b", three, padding=(1, 0))]
        sides += [conv(f"{name}3x3dbl_3a", double, padding=(0, 1)), conv(f"{name}3x3dbl_3b", double, padding=(1, 0))]
        pooled = average(x) if name == "Mixed_7b.branch" else largest(x, 1)
        x = torch.cat([conv(f"{name}1x1", x), *sides, conv(f"{name}_pool", pooled)], 1)
    return x.mean((2, 3))


def test_features_are_those_of_the_blocks() -> None:
    images = torch.rand(2, 3, 107, 107, generator=stream(0)) * 2 - 1  # 2 x 2 positions are left at the top
    features = inception.features(inception.folded(WEIGHTS), images)
    assert features.shape == (2, 2048) and features.std() > 0.01
    torch.testing.assert_close(features, by_hand(images), rtol=1e-3, atol=1e-4)


def tents(length: int, size: int) -> Tensor:
    """``[size, length]``: the part of each pixel in each that is read at i · length / size."""
    places = (torch.arange(size, dtype=torch.float64) * length / size).clamp(max=length - 1)
    return (1 - (places[:, None] - torch.arange(length)).abs()).clamp(min=0)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (32, 48), (299, 128), (300, 640)])
def test_images_are_resized_without_half_pixels_or_antialiasing(height: int, width: int) -> None:
    images = torch.rand(2, 3, height, width, generator=stream(0)) * 2 - 1
    expected = tents(height, 299) @ images.double() @ tents(width, 299).T
    torch.testing.assert_close(inception.as_tensorflow_1(images, 299), expected.float(), rtol=0, atol=2e-4)
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    assert inception.as_tensorflow_1(ramp, 16)[0, 0, 0].tolist() == [*(i / 2 for i in range(15)), 7]
    assert inception.as_tensorflow_1(ramp, 4)[0, 0, 0].tolist() == [0, 2, 4, 6]


def test_the_network_sees_levels_as_the_published_graph_scales_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(WEIGHTS, tmp_path / "a.pth")
    extractor, seen = inception_2015(tmp_path / "a.pth"), []
    monkeypatch.setattr(inception, "features", lambda _, images: seen.append(images) or torch.zeros(1, 2048))
    for height, width in ((299, 299), (24, 310)):
        levels = torch.randint(256, (1, 1, height, width), generator=stream(0), dtype=torch.uint8)
        levels[..., 0, 0], levels[..., 0, 1] = 0, 255
        extractor(from_uint8(levels))
        expected = tents(height, 299) @ ((levels.double() - 128) / 128) @ tents(width, 299).T
        torch.testing.assert_close(seen.pop(), expected.float().expand(1, 3, 299, 299), rtol=0, atol=2e-4)


def test_only_the_published_file_gives_fid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "checkpoints" / inception.FILES[1]
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match=r"pt_inception.*\.pth is not in .*checkpoints, where torch's hub keeps"):
        inception_2015()
    torch.save(WEIGHTS, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    other = inception_2015(path)
    assert (other.name, other.distance) == (f"inception-{digest[:8]}", f"FD-inception-{digest[:8]}")
    monkeypatch.setattr(inception, "SHA256", digest)
    found = inception_2015()
    assert (found.name, found.distance, found.sha256) == ("inception-2015", "FID", digest)
    features = found(torch.rand(1, 1, 32, 32, generator=stream(0)) * 2 - 1)
    assert features.shape == (1, 2048)
    torch.testing.assert_close(found.logits(features), features @ WEIGHTS["fc.weight"].T)
    with_bias = features @ WEIGHTS["fc.weight"].T + WEIGHTS["fc.bias"]
    torch.testing.assert_close(found.class_logits(features), with_bias)
    assert WEIGHTS["fc.bias"].any()


def test_another_network_is_refused(tmp_path: Path) -> None:
    torch.save(WEIGHTS | {"fc.weight": torch.zeros(1000, 2048)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"fc\.weight has shape \[1000, 2048\], not \[1008, 2048\]\); give the state"):
        inception_2015(tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"there is no file .*b\.pth; give the weights of the extractor, the state"):
        inception_2015(tmp_path / "b.pth")
