"""A folder of image files becomes a set of one size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tutelage.checks import InputError
from tutelage.data import folder_images, folder_splits
from tutelage.data.folder import read_image


def save(path: Path, color=(10, 20, 30), size: tuple[int, int] = (8, 8), mode: str = "RGB", **options) -> Path:
    """A picture of one colour; ``size`` is (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size[1], size[0]), color).save(path, **options)
    return path


def test_every_format_in_the_order_of_the_paths(tmp_path):
    source = tmp_path / "pictures"
    names = ["a/2.png", "a/b/1.JPG", "a.webp", "z.jpeg", "B.bmp", "m.gif"]
    values = {name: 20 * (index + 1) for index, name in enumerate(sorted(names))}
    for name, value in values.items():
        save(source / name, (value,) * 3)
    (source / "notes.txt").write_text("no image")
    save(source / ".hidden.png")
    save(source / ".thumbnails" / "1.png")
    images = folder_images(source, (8, 8), 1, tmp_path / "cache")
    assert images.shape == (1, 8, 8) and images.name == "pictures" and isinstance(images.pixels, np.memmap)
    means = images.pixels.mean((1, 2, 3))
    assert np.abs(means - sorted(values.values())).max() <= 2  # webp and jpeg lose a little


def test_channels_come_first(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    assert np.array_equal(read_image(tmp_path / "x.png", (6, 8), 3), pixels.transpose(2, 0, 1))


def test_colour_and_grey_become_each_other(tmp_path):
    colour, grey = save(tmp_path / "c.png", (200, 100, 50)), save(tmp_path / "g.png", 77, mode="L")
    assert (read_image(colour, (8, 8), 1) == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)).all()
    assert (read_image(grey, (8, 8), 3) == 77).all() and read_image(grey, (8, 8), 3).shape == (3, 8, 8)


def test_transparency_is_laid_on_white(tmp_path):
    clear = save(tmp_path / "clear.png", (0, 0, 0, 0), mode="RGBA")
    half = save(tmp_path / "half.png", (0, 100, 200, 128), mode="RGBA")
    grey = save(tmp_path / "grey.png", (0, 0), mode="LA")
    palette = save(tmp_path / "palette.png", 0, mode="P", transparency=0)
    for path in (clear, grey, palette):
        assert (read_image(path, (8, 8), 3) == 255).all()
    found = read_image(half, (8, 8), 3)[:, 0, 0].astype(int)
    assert np.abs(found - [127, 177, 227]).max() <= 1


def test_sixteen_bits_keep_their_high_byte(tmp_path):
    Image.fromarray(np.full((8, 8), 0x80FF, np.uint16)).save(tmp_path / "deep.png")
    assert (read_image(tmp_path / "deep.png", (8, 8), 1) == 0x80).all()


@pytest.mark.parametrize(("size", "first", "last"), [((4, 12), 10, 20), ((12, 4), 10, 20)])
def test_the_centre_is_cut_out(tmp_path, size, first, last):
    # black, then the middle third white, then black, along the longer side
    pixels = np.zeros(size, np.uint8)
    pixels[(slice(None), slice(4, 8)) if size[0] == 4 else slice(4, 8)] = 255
    Image.fromarray(pixels).save(tmp_path / "bar.png")
    assert (read_image(tmp_path / "bar.png", (4, 4), 1) == 255).all()


def test_shrinking_averages(tmp_path):
    checkers = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(checkers).save(tmp_path / "checkers.png")
    inner = read_image(tmp_path / "checkers.png", (8, 8), 1)[0, 1:-1, 1:-1].astype(int)
    assert np.abs(inner - 127).max() <= 2


def test_the_camera_held_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it as it was taken
    save(tmp_path / "turned.png", size=(4, 8), exif=exif)
    assert read_image(tmp_path / "turned.png", (8, 4), 3).shape == (3, 8, 4)


def test_decoded_once(tmp_path, monkeypatch):
    save(tmp_path / "in" / "1.png", (1, 1, 1))
    first = folder_images(tmp_path / "in", (4, 4), 3, tmp_path / "cache")
    monkeypatch.setattr("tutelage.data.folder.read_image", None)
    again = folder_images(tmp_path / "in", (4, 4), 3, tmp_path / "cache")
    assert np.array_equal(first.pixels, again.pixels) and first.sha256 == again.sha256
    (sidecar,) = (tmp_path / "cache").glob("*.json")
    assert json.loads(sidecar.read_text())["sha256"] == first.sha256


@pytest.mark.parametrize("change", ["content", "name", "size", "channels", "more"])
def test_a_change_means_reading_again(tmp_path, change):
    source = tmp_path / "in"
    path = save(source / "1.png", (1, 1, 1))
    before = folder_images(source, (4, 4), 3, tmp_path / "cache")
    size, channels = (4, 4), 3
    match change:
        case "content":
            save(path, (2, 2, 2))
        case "name":
            path.rename(source / "2.png")
        case "size":
            size = (5, 4)
        case "channels":
            channels = 1
        case "more":
            save(source / "2.png")
    after = folder_images(source, size, channels, tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 2
    assert after.shape == (channels, *size)
    assert (after.sha256 == before.sha256) == (change in ("size", "channels"))


# --- splits


def test_a_plain_folder_is_all_for_training(tmp_path):
    save(tmp_path / "in" / "1.png")
    splits = folder_splits(tmp_path / "in", (4, 4), 3, tmp_path / "cache")
    assert len(splits.train) == 1 and splits.validation is None and splits.test is None


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_subfolders_are_splits(tmp_path, validation):
    for number, part in enumerate(("train", validation, "test")):
        for index in range(number + 1):
            save(tmp_path / "in" / part / f"{index}.png", (number,) * 3)
    splits = folder_splits(tmp_path / "in", (4, 4), 3, tmp_path / "cache")
    assert splits.validation and splits.test
    for number, part in enumerate((splits.train, splits.validation, splits.test)):
        assert len(part) == number + 1 and (part.pixels == number).all()


def test_train_alone_is_enough(tmp_path):
    save(tmp_path / "in" / "train" / "1.png")
    splits = folder_splits(tmp_path / "in", (4, 4), 3, tmp_path / "cache")
    assert splits.validation is None and splits.test is None


# --- refusals


def test_no_folder_no_images(tmp_path):
    with pytest.raises(InputError, match="none does not exist; name a folder of images"):
        folder_images(tmp_path / "none", (4, 4), 3, tmp_path / "cache")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"notes\.txt is not a folder"):
        folder_images(tmp_path / "notes.txt", (4, 4), 3, tmp_path / "cache")
    with pytest.raises(InputError, match=r"has no images .*name a folder that has some"):
        folder_images(tmp_path, (4, 4), 3, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif"])
def test_a_damaged_file_is_named(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for name in ("1", "2"):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(noise).save(tmp_path / "in" / f"{name}.{suffix}")
    bad = tmp_path / "in" / f"2.{suffix}"
    for content in (bad.read_bytes()[: bad.stat().st_size // 2], b"no image at all", b""):
        bad.write_bytes(content)
        with pytest.raises(InputError, match=rf"2\.{suffix} cannot be read as an image"):
            folder_images(tmp_path / "in", (4, 4), 3, tmp_path / "cache")
        assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("size", [(3, 8), (8, 3)])
def test_a_small_file_is_named(tmp_path, size):
    save(tmp_path / "in" / "big.png")
    save(tmp_path / "in" / "small.png", size=size)
    with pytest.raises(
        InputError, match=rf"small\.png is {size[0]} x {size[1]} .*smaller than the size asked for, 4 x 4"
    ):
        folder_images(tmp_path / "in", (4, 4), 3, tmp_path / "cache")


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_an_animation_is_refused(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), (value, 0, 0)) for value in (0, 120, 250)]
    frames[0].save(tmp_path / f"moving.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match=rf"moving\.{suffix} is animated \(3 frames\); give one still image"):
        folder_images(tmp_path, (4, 4), 3, tmp_path / "cache")
