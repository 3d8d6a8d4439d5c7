"""What Pillow and NumPy make of an image equals what TensorFlow makes of it."""

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.vpr_tf.data.prepared_fixture import encode_image, smooth_pixels
from vpr_tf.config import Preprocessing
from vpr_tf.data import image_decoding, pillow_decoding
from vpr_tf.photos import InvalidEntryError, image_header_of

# Of the range: sums of float32 in another order.
_MOST = 5e-6


def colourful(height: int, width: int, channels: int) -> np.ndarray:
    """Smooth colours, each channel another, with noise."""
    noise = np.random.default_rng(0).integers(0, 24, (height, width, channels))
    planes = [smooth_pixels(height, width, seed)[..., 0] for seed in range(channels)]
    return np.clip(np.stack(planes, axis=-1) + noise - 12, 0, 255).astype(np.uint8)


def saved(mode: str, image_format: str, **options) -> bytes:
    channels = 4 if mode in ("CMYK", "RGBA") else 3
    pixels = colourful(75, 101, channels)
    image = Image.fromarray(pixels, mode if channels == 4 else "RGB")
    if mode != image.mode:
        image = image.convert(mode)
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def deep(channels: int) -> bytes:
    """A PNG of 16 bits a sample."""
    samples = np.random.default_rng(0).integers(0, 1 << 16, (31, 45, channels))
    return tf.io.encode_png(samples.astype(np.uint16)).numpy()


def without_adobe(jpeg: bytes) -> bytes:
    """Takes the segment away that says that inks are stored inverted."""
    start = jpeg.index(b"\xff\xee")
    length = int.from_bytes(jpeg[start + 2 : start + 4], "big")
    return jpeg[:start] + jpeg[start + 2 + length :]


IMAGES = {
    "baseline": saved("RGB", "JPEG"),
    "progressive": saved("RGB", "JPEG", progressive=True),
    "low quality": saved("RGB", "JPEG", quality=10),
    "4:4:4": saved("RGB", "JPEG", subsampling=0),
    "4:2:2": saved("RGB", "JPEG", subsampling=1),
    "4:2:0": saved("RGB", "JPEG", subsampling=2),
    "restart markers": saved("RGB", "JPEG", restart_marker_blocks=4),
    "stored as RGB": saved("RGB", "JPEG", keep_rgb=True),
    "two pictures": saved(
        "RGB", "MPO", save_all=True, append_images=[Image.new("L", (8, 8))]
    ),
    "grey JPEG": saved("L", "JPEG"),
    "CMYK": saved("CMYK", "JPEG"),
    "CMYK not inverted": without_adobe(saved("CMYK", "JPEG")),
    "PNG": saved("RGB", "PNG"),
    "alpha": saved("RGBA", "PNG"),
    "grey": saved("L", "PNG"),
    "grey and alpha": saved("LA", "PNG"),
    "black and white": saved("1", "PNG"),
    "palette": saved("P", "PNG"),
    "palette with a clear colour": saved("P", "PNG", transparency=3),
    "palette of 2 bits": saved("P", "PNG", bits=2),
    "grey with a clear level": saved("L", "PNG", transparency=3),
    "colour with a clear one": saved("RGB", "PNG", transparency=(3, 4, 5)),
    "16 bits of grey": deep(1),
    "16 bits of grey and alpha": deep(2),
    "16 bits": deep(3),
    "16 bits and alpha": deep(4),
}


@pytest.mark.parametrize("name", IMAGES)
def test_decoded_pixels_are_those_of_tensorflow(name):
    expected = image_decoding.decode_image(tf.constant(IMAGES[name])).numpy()
    found = pillow_decoding.decode_image(IMAGES[name])
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_those_of_tensorflow(orientation):
    data = IMAGES["baseline"]
    expected = image_decoding.decode_image(tf.constant(data), tf.constant(orientation))
    found = pillow_decoding.decode_image(data, orientation)
    np.testing.assert_array_equal(found, expected)


def png_with_wrong_checksum() -> bytes:
    data = bytearray(IMAGES["PNG"])
    data[data.index(b"IEND") - 8] ^= 1  # of the pixels
    return bytes(data)


def before_end(junk: bytes) -> bytes:
    return IMAGES["baseline"][:-2] + junk + b"\xff\xd9"


@pytest.mark.parametrize(
    "junk",
    [
        *(b"", b"\xff\xd3", b"\xff\x01", b"\xff\0extraneous", b"\xff\xfe\0\x06note"),
        *(b"\xff\xe0\0\x01", b"\xff\xff\xff"),
    ],
    ids=["", "restart", "TEM", "bytes", "comment", "no length", "fill bytes"],
)
def test_what_tensorflow_tolerates_before_the_end_is_decoded(junk):
    expected = image_decoding.decode_image(tf.constant(before_end(junk))).numpy()
    np.testing.assert_array_equal(
        pillow_decoding.decode_image(before_end(junk)), expected
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image",
        IMAGES["baseline"][:900],
        IMAGES["PNG"][:900],
        encode_image(smooth_pixels(9, 9, 0), "WEBP"),
        png_with_wrong_checksum(),
        IMAGES["PNG"][:-1] + b"?",
        before_end(b"\xff\xe1"),
        before_end(b"\xff\xfe\0\x09note"),
        before_end(b"\xff\x7e"),
        before_end(b"\xff\xd8"),
        before_end(b"\xff\xc0\0\x08\x08\0\x09\0\x09\x01"),
        before_end(b"\xff\xfe\0\x04"),
    ],
    ids=[
        *("empty", "text", "cut", "cut PNG", "webp", "checksum", "last checksum"),
        *("cut segment", "cut comment", "reserved", "second start", "second frame"),
        "no end",
    ],
)
def test_what_tensorflow_refuses_is_refused(data):
    with pytest.raises(tf.errors.InvalidArgumentError):
        image_decoding.decode_image(tf.constant(data))
    with pytest.raises(ValueError, match=r"\w"):
        pillow_decoding.decode_image(data)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(
        ["baseline", "restart markers", "grey JPEG", "PNG", "palette"]
    ),
    start=st.floats(0, 1),
    junk=st.binary(min_size=1, max_size=20),
)
def test_damaged_files_fare_as_with_tensorflow(name, start, junk):
    data = bytearray(IMAGES[name])
    at = 2 + int(start * (len(data) - 2))
    data[at : at + len(junk)] = junk
    data = bytes(data)
    try:
        image_header_of(data)
    except InvalidEntryError:
        return  # nobody decodes it
    try:
        expected = image_decoding.decode_image(tf.constant(data)).numpy()
    except tf.errors.OpError:
        with pytest.raises(ValueError, match=r"\w"):
            pillow_decoding.decode_image(data)
    else:
        np.testing.assert_array_equal(pillow_decoding.decode_image(data), expected)


def resized(pixels, preprocessing):
    found = pillow_decoding.resize_for_evaluation(pixels, preprocessing)
    expected = image_decoding.resize_for_evaluation(tf.constant(pixels), preprocessing)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=_MOST)


sides = st.integers(1, 300)


@settings(max_examples=100, deadline=None)
@given(
    height=sides,
    width=sides,
    resize=st.sampled_from(["square", "shorter_side"]),
    size=st.integers(1, 150),
    seed=st.integers(0, 99),
)
def test_resized_pixels_are_those_of_tensorflow(height, width, resize, size, seed):
    if resize == "shorter_side" and max(height, width) > 20 * min(height, width):
        height = width  # of thousands of pixels
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    resized(pixels.astype(np.uint8), Preprocessing(resize, size))


@pytest.mark.parametrize(
    ("shape", "preprocessing"),
    [
        ((37, 53, 3), Preprocessing()),
        ((224, 224, 3), Preprocessing("square", 224)),
        ((1500, 2000, 3), Preprocessing("shorter_side", 480)),
        ((2000, 3, 3), Preprocessing("square", 64)),
        ((5, 7, 3), Preprocessing("square", 700)),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_sizes_of_every_kind_are_resized_as_by_tensorflow(shape, preprocessing, dtype):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    resized(pixels, preprocessing)
    resized(pixels[::-1, ::-1], preprocessing)  # as of a turned photo
