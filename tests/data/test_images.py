"""Images are bytes, and floats only one batch at a time."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from tutelage.checks import InputError
from tutelage.data import ImageSet, Splits, from_array, from_npy, from_uint8, stretched, to_uint8


def ramp(count: int = 5, channels: int = 1, height: int = 2, width: int = 4) -> np.ndarray:
    shape = (count, channels, height, width)
    return (np.arange(np.prod(shape)) * 7 % 256).astype(np.uint8).reshape(shape)


# --- bytes and floats


def test_values_are_clipped_and_rounded_for_the_picture_only() -> None:
    images = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0, float("nan")]).view(6, 1, 1, 1)
    before = images.clone()
    assert to_uint8(images).flatten().tolist() == [0, 0, 128, 255, 255, 0]
    assert torch.equal(images.nan_to_num(), before.nan_to_num())


def test_uint8_survives_a_round_trip_through_floats() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(to_uint8(levels.float() / 127.5 - 1), levels)
    assert torch.equal(to_uint8(from_uint8(levels)), levels)
    assert from_uint8(levels).dtype == torch.float32 and levels.dtype == torch.uint8
    assert torch.equal(to_uint8(levels), levels)


# --- batches of floats


def test_black_is_minus_one_and_white_is_one_exactly():
    images = from_array(np.arange(256, dtype=np.uint8).reshape(1, 16, 16))
    batch = images.batch(slice(None))
    assert batch.dtype == torch.float32 and batch.shape == (1, 1, 16, 16)
    expected = 2 * torch.arange(256, dtype=torch.float64) / 255 - 1
    torch.testing.assert_close(batch.flatten().double(), expected, atol=1e-7, rtol=0)
    assert batch.min() == -1 and batch.max() == 1


@pytest.mark.parametrize(
    "indices",
    [torch.tensor([3, 0, 3]), np.array([3, 0, 3]), torch.tensor([3, 0, 3], dtype=torch.int32)],
)
def test_a_batch_has_the_images_asked_for_in_order(indices):
    pixels = ramp()
    batch = ImageSet(pixels, "ramp", "here", "0").batch(indices)
    assert torch.equal(((batch + 1) * 127.5).round().byte(), torch.from_numpy(pixels[[3, 0, 3]]))


def test_writing_into_a_batch_leaves_the_set(recwarn):
    images = ImageSet(ramp(), "ramp", "here", "0")
    images.batch(slice(0, 2)).fill_(0)
    assert np.array_equal(images.pixels, ramp())
    assert not images.pixels.flags.writeable
    assert not recwarn.list


def test_a_batch_goes_to_the_device(device):
    assert from_array(ramp()).batch(slice(2), device).device.type == device.type


# --- each image stretched


def test_stretching_makes_the_range_of_each_image_the_whole_range():
    pixels = ramp(5, channels=3)
    images = stretched(from_array(pixels, "ramp"))
    batch = images.batch(torch.tensor([4, 0]))
    assert batch.dtype == torch.float32 and batch.shape == (2, 3, 2, 4)
    assert (batch.amin((1, 2, 3)) == -1).all() and (batch.amax((1, 2, 3)) == 1).all()
    chosen = pixels[[4, 0]].astype(np.float64)
    low, high = (limit.reshape(2, 1, 1, 1) for limit in (chosen.min((1, 2, 3)), chosen.max((1, 2, 3))))
    torch.testing.assert_close(
        batch.double(), torch.from_numpy(2 * (chosen - low) / (high - low) - 1), atol=1e-6, rtol=0
    )


def test_stretching_changes_no_bytes_and_no_digest():
    images = from_array(ramp(), "ramp")
    again = stretched(images)
    assert again.sha256 == images.sha256 and np.shares_memory(again.pixels, images.pixels)
    assert again.stretch and again.subset(1, 3, "part").stretch and not images.stretch
    assert torch.equal(again.subset(1, 3, "part").batch(slice(None)), again.batch(slice(1, 3)))


def test_an_image_of_one_colour_cannot_be_stretched(monkeypatch):
    monkeypatch.setattr("tutelage.data.images._ROWS", 2)
    pixels = ramp()
    pixels[3] = 9
    with pytest.raises(InputError, match="image 3 of 'ramp' is of one colour, but per-image scaling needs a darkest"):
        stretched(from_array(pixels, "ramp"))
    pixels[3, 0, 1, 2] = 10
    assert stretched(from_array(pixels, "ramp")).batch(slice(3, 4)).unique().tolist() == [-1, 1]


# --- sets and their parts


def test_a_subset_is_a_view():
    images = from_array(ramp(), "ramp")
    part = images.subset(1, 4, "middle")
    assert len(part) == 3 and part.shape == (1, 2, 4) and part.name == "middle"
    assert part.sha256 == images.sha256 and part.source == images.source
    assert np.shares_memory(part.pixels, images.pixels)
    assert np.array_equal(part.pixels, ramp()[1:4])


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 2), (3, 2), (0, 6)])
def test_a_subset_outside_the_set_is_refused(start, stop):
    with pytest.raises(InputError, match="which has 5; give 0 <= start < stop <= 5"):
        from_array(ramp()).subset(start, stop, "part")


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((2, 1, 3, 3), np.float32), np.zeros((2, 3, 3), np.uint8), np.zeros((2, 2, 3, 3), np.uint8)],
)
def test_a_set_holds_nothing_but_bytes(pixels):
    with pytest.raises(InputError, match="a set holds uint8"):
        ImageSet(pixels, "wrong", "here", "0")


def test_splits_have_one_shape():
    small, large = from_array(ramp(), "small"), from_array(ramp(height=3), "large")
    assert Splits(small).test is None
    with pytest.raises(InputError, match="the splits of one data set must agree"):
        Splits(small, test=large)


# --- arrays


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (np.zeros((5, 6, 7), np.uint8), (1, 6, 7)),
        (np.zeros((5, 6, 7, 3), np.uint8), (3, 6, 7)),
        (np.zeros((5, 6, 7, 1), np.uint8), (1, 6, 7)),
        (np.zeros((5, 3, 6, 7), np.uint8), (3, 6, 7)),
        (np.zeros((5, 1, 6, 7), np.uint8), (1, 6, 7)),
    ],
)
def test_the_layout_is_found(array, shape):
    images = from_array(array)
    assert len(images) == 5 and images.shape == shape
    assert np.shares_memory(images.pixels, array)


def test_channels_last_are_moved_not_reshaped():
    array = ramp(2, 5, 4, 3)  # read as [N, H, W, C]
    assert np.array_equal(from_array(array).pixels[1, 2], array[1, :, :, 2])


def test_an_ambiguous_layout_is_refused_unless_named():
    array = ramp(2, 3, 4, 3)
    with pytest.raises(InputError, match=r"can be read as \[N, C, H, W\] and as \[N, H, W, C\]; pass layout="):
        from_array(array)
    assert from_array(array, layout="NCHW").shape == (3, 4, 3)
    assert from_array(array, layout="NHWC").shape == (3, 3, 4)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_are_rounded_to_the_nearest_grey(kind):
    values = np.array([-1, 1, 0.5 / 127.5 - 1 - 0.002, 0.5 / 127.5 - 1 + 0.002], kind).reshape(1, 2, 2)
    assert from_array(values).pixels.flatten().tolist() == [0, 255, 0, 1]
    unit = np.array([0, 1, 0.5, 0.25], kind).reshape(1, 2, 2)
    assert from_array(unit, value_range=(0, 1)).pixels.flatten().tolist() == [0, 255, 128, 64]


def test_what_a_batch_gives_is_read_back_unchanged():
    images = from_array(ramp(600))
    again = from_array(images.batch(slice(None)).numpy())
    assert np.array_equal(again.pixels, images.pixels)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_values_are_counted_and_placed(bad):
    array = np.zeros((600, 3, 4, 5), np.float32)
    array[301, 2, 1, 3] = array[599, 0, 0, 0] = bad
    with pytest.raises(InputError, match="2 values that are NaN or infinite, the first in image 301, channel 2, row 1"):
        from_array(array)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (
            np.zeros((2, 4, 4), np.int64),
            r"'mine' is int64 \[2, 4, 4\]; images are needed as uint8, or as floats, so bring",
        ),
        (
            np.zeros((2, 4, 4), np.uint16),
            r"its values to 0 to 255 \(divide by 257 where 65535 is white\) and convert it",
        ),
        (np.zeros((2, 4, 4), bool), r"as uint8, or as floats, so convert it with 255 \* array\.astype\('uint8'\)"),
        (np.zeros((2, 4, 4), complex), "images are needed as uint8, or as floats, so convert it first"),
        (np.zeros((4, 4), np.uint8), r"images are needed as \[N, H, W\]"),
        (np.zeros((2, 1, 3, 4, 4), np.uint8), r"images are needed as \[N, H, W\]"),
        (np.zeros((0, 4, 4), np.uint8), "holds no images"),
        (np.zeros((2, 0, 4), np.uint8), "holds no images"),
        (np.zeros((2, 2, 4, 4), np.uint8), "1 or 3 channels are needed"),
        (
            np.full((2, 4, 4), 200.0),
            r"values from 200 to 200, but its value range is -1 to 1; pass value_range=\(black, white\), which "
            r"`tutelage train` takes as --set data\.value_range=\[BLACK,WHITE\], or rescale the array",
        ),
        (np.full((2, 4, 4), -1.01), "values from -1.01 to -1.01"),
    ],
)
def test_an_array_that_is_no_set_of_images_is_refused(array, says):
    with pytest.raises(InputError, match=says):
        from_array(array, "mine")


def test_a_range_must_go_upwards():
    with pytest.raises(InputError, match="give the value of black, then a larger one for white"):
        from_array(np.zeros((1, 2, 2)), value_range=(1, 0))


def test_images_in_0_1_read_as_minus_1_1_are_noticed_from_the_cache_too(tmp_path):
    np.save(tmp_path / "a.npy", np.linspace(0, 1, 12).reshape(3, 2, 2))
    for _ in range(2):
        with pytest.warns(
            UserWarning, match=r"'a\.npy' has no value below 0 in the value range -1 to 1; if its images"
        ):
            images = from_npy(tmp_path / "a.npy", cache=tmp_path / "cache")
        assert len(images) == 3
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 1


def test_images_in_0_1_read_as_minus_1_1_are_noticed():
    with pytest.warns(UserWarning, match=r"if its images lie in \[0, 1\], pass value_range=\(0, 1\), which `tutelage"):
        from_array(np.full((1, 2, 2), 0.5))


def test_the_digest_tells_arrays_apart():
    one, two = ramp(), ramp()
    two[4, 0, 1, 3] ^= 1
    digests = [from_array(array).sha256 for array in (one, one.copy(), two, one.reshape(5, 1, 4, 2))]
    assert digests[0] == digests[1] and len(set(digests)) == 3


# --- .npy files


def test_bytes_in_a_file_are_mapped(tmp_path):
    path = tmp_path / "bytes.npy"
    np.save(path, ramp())
    images = from_npy(path, cache=tmp_path / "cache")
    assert np.array_equal(images.pixels, ramp())
    assert isinstance(images.pixels, np.memmap) and not (tmp_path / "cache").exists()
    assert images.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert images.name == "bytes.npy" and images.source == str(path)


def test_floats_in_a_file_are_rounded_once_into_the_cache(tmp_path):
    path = tmp_path / "floats.npy"
    np.save(path, from_array(ramp()).batch(slice(None)).numpy())
    for _ in range(2):
        images = from_npy(path, cache=tmp_path / "cache")
        assert isinstance(images.pixels, np.memmap)
        assert np.array_equal(images.pixels, ramp())
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 1
    wider = from_npy(path, cache=tmp_path / "cache", value_range=(-2, 2))
    assert wider.pixels.max() < 192, "another range is another cache file"


def test_nan_in_a_file_leaves_no_cache(tmp_path):
    path = tmp_path / "nan.npy"
    np.save(path, np.full((2, 3, 3), np.nan))
    with pytest.raises(InputError, match=r"'nan\.npy' has 18 values that are NaN or infinite"):
        from_npy(path, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_other_files_are_refused(tmp_path):
    objects, text, archive, cut = (tmp_path / name for name in ("o.npy", "t.npy", "a.npz", "c.npy"))
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    text.write_text("not an array")
    np.savez(archive, images=ramp())
    np.save(cut, ramp())
    cut.write_bytes(cut.read_bytes()[:-1])
    for path in (objects, text, cut, tmp_path / "none.npy"):
        with pytest.raises(InputError, match=f"{path.name} cannot be read as a NumPy array"):
            from_npy(path)
    whole = archive.read_bytes()
    for kept in (len(whole), len(whole) - 30, 2):
        archive.write_bytes(whole[:kept])
        with pytest.raises(InputError, match="archive of several arrays"):
            from_npy(archive)


def test_damage_anywhere_in_a_header_is_refused_in_a_sentence(tmp_path):
    """NumPy raises what Python's tokens and its own parser raise, of which not all are of values or of files."""
    path, kinds = tmp_path / "a.npy", set()
    np.save(path, ramp())
    whole = path.read_bytes()
    for bit in range(8 * 10, 8 * 128, 3):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        try:
            from_npy(path, value_range=(-1e30, 1e30), cache=tmp_path / "cache")
        except InputError as error:
            assert "\n" not in str(error)
            kinds.add(type(error.__cause__).__name__)
    assert {"ValueError", "TokenError"} <= kinds


def test_a_tensor_is_taken_as_an_array_is():
    pixels = torch.arange(2 * 3 * 4, dtype=torch.float32).view(2, 3, 4) / 12 - 1
    found = from_array(pixels.requires_grad_())
    assert np.array_equal(found.pixels, from_array(pixels.detach().numpy()).pixels)
