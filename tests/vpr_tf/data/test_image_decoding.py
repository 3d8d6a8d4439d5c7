import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.vpr_tf.data.prepared_fixture import encode_image, smooth_pixels
from vpr_tf.config import Preprocessing
from vpr_tf.data.image_decoding import (
    decode_crop,
    decode_image,
    make_upright,
    resize_antialiased,
    resize_for_evaluation,
    stored_window,
)
from vpr_tf.data.image_sizes import evaluation_size, upright_size
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.models.backbones.backbone_spec import IMAGENET_MEAN, IMAGENET_STD

_ORIENTATIONS = range(1, 9)


def upright_by_pillow(pixels: np.ndarray, orientation: int) -> np.ndarray:
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


def open_rgb(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize(
    ("mode", "image_format", "options"),
    [
        ("RGB", "JPEG", {}),
        ("RGB", "JPEG", {"progressive": True}),
        ("RGB", "JPEG", {"subsampling": 0}),
        ("L", "JPEG", {}),
        ("CMYK", "JPEG", {}),
        ("RGB", "PNG", {}),
        ("RGBA", "PNG", {}),
        ("L", "PNG", {}),
        ("P", "PNG", {}),
    ],
)
def test_decoding_equals_pillow(mode, image_format, options):
    image = Image.fromarray(smooth_pixels(75, 101, 0)).convert(mode)
    file = io.BytesIO()
    image.save(file, image_format, **options)
    decoded = decode_image(file.getvalue())
    assert decoded.dtype == tf.uint8
    np.testing.assert_array_equal(decoded, open_rgb(file.getvalue()))


def test_sixteen_bit_png_becomes_eight_bit():
    deep = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    decoded = decode_image(encode_image(deep, "PNG")).numpy()
    np.testing.assert_array_equal(decoded[..., 0], deep >> 8)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image",
        encode_image(smooth_pixels(90, 90, 0))[:900],
        encode_image(smooth_pixels(9, 9, 0), "WEBP"),
    ],
    ids=["empty", "text", "truncated", "webp"],
)
def test_bytes_that_are_no_whole_jpeg_or_png_are_an_error(data):
    decode = tf.function(decode_image, input_signature=[tf.TensorSpec([], tf.string)])
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(data)


def test_decoding_runs_inside_map_fn():
    pixels = smooth_pixels(40, 50, 1)
    data = tf.constant([encode_image(pixels, "PNG"), encode_image(255 - pixels, "PNG")])
    config = Preprocessing(resize="square", image_size=32)

    @tf.function
    def load(batch):
        return tf.map_fn(
            lambda one: resize_for_evaluation(decode_image(one), config),
            batch,
            fn_output_signature=tf.TensorSpec([None, None, 3], tf.float32),
        )

    images = load(data)
    assert images.shape == (2, 32, 32, 3)
    np.testing.assert_allclose(images[0], 1 - images[1], atol=1e-6)


@pytest.mark.parametrize("orientation", _ORIENTATIONS)
def test_upright_image_equals_pillow(orientation):
    pixels = smooth_pixels(30, 44, 2)
    upright = make_upright(tf.constant(pixels), tf.constant(orientation))
    np.testing.assert_array_equal(upright, upright_by_pillow(pixels, orientation))
    size = upright_size(tf.constant(30), tf.constant(44), tf.constant(orientation))
    assert upright.shape[:2] == [int(side) for side in size]


@settings(max_examples=40, deadline=None)
@given(
    orientation=st.sampled_from(_ORIENTATIONS),
    height=st.integers(1, 20),
    data=st.data(),
)
def test_stored_window_holds_the_pixels_of_the_upright_window(
    orientation, height, data
):
    width = data.draw(st.integers(1, 20))
    pixels = np.arange(height * width * 3).reshape(height, width, 3)
    upright = make_upright(tf.constant(pixels), tf.constant(orientation)).numpy()
    upright_height, upright_width = upright.shape[:2]
    h = data.draw(st.integers(1, upright_height))
    w = data.draw(st.integers(1, upright_width))
    top = data.draw(st.integers(0, upright_height - h))
    left = data.draw(st.integers(0, upright_width - w))
    window = stored_window(
        tf.constant([top, left, h, w]),
        tf.constant(upright_height),
        tf.constant(upright_width),
        tf.constant(orientation),
    )
    t, x, rows, columns = window.numpy()
    crop = tf.constant(pixels[t : t + rows, x : x + columns])
    np.testing.assert_array_equal(
        make_upright(crop, tf.constant(orientation)),
        upright[top : top + h, left : left + w],
    )


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_decoded_crop_is_the_part_of_the_decoded_image(image_format):
    data = encode_image(smooth_pixels(97, 131, 3), image_format)
    crop = decode_crop(tf.constant(data), tf.constant([11, 17, 53, 71])).numpy()
    expected = open_rgb(data)[11:64, 17:88]
    np.testing.assert_array_equal(crop[:, :-1], expected[:, :-1])
    at_border = 12 if image_format == "JPEG" else 0
    np.testing.assert_allclose(crop.astype(int), expected, atol=at_border)


@pytest.mark.parametrize(
    ("name", "height", "width"),
    [
        ("resized_crop_t10_l20_h60_w80_to_64", 60, 80),
        ("resized_crop_t5_l3_h40_w30_to_64", 40, 30),
        ("resize_shorter_48", 96, 128),
    ],
)
def test_corners_of_a_resized_image_equal_golden_values(
    official_values, name, height, width
):
    first, last = official_values[f"{name}/window"]
    image = np.zeros((height, width, 3), np.uint8)
    image[: len(first), : len(first)] = first
    image[-len(last) :, -len(last) :] = last
    if name == "resize_shorter_48":
        config = Preprocessing(resize="shorter_side", image_size=48)
        resized = resize_for_evaluation(tf.constant(image), config)
    else:
        resized = resize_antialiased(tf.constant(image), tf.constant([64, 64])) / 255
    expected_first, expected_last = official_values[f"{name}/resized"]
    size = len(expected_first)
    for corner, expected in (
        (resized[:size, :size], expected_first),
        (resized[-size:, -size:], expected_last),
    ):
        np.testing.assert_allclose(corner, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("resized_crop_t10_l20_h60_w80_to_64", (10, 20, 60, 80)),
        ("resized_crop_t5_l3_h40_w30_to_64", (5, 3, 40, 30)),
    ],
)
def test_resized_crop_equals_golden_values(golden_dir, name, window):
    golden = np.load(golden_dir / "layers_and_image_operations.npz")
    top, left, height, width = window
    crop = golden["image"][top : top + height, left : left + width]
    # Weights and sums are float32 in another order than torchvision's.
    resized = resize_antialiased(tf.constant(crop), tf.constant([64, 64])) / 255
    np.testing.assert_allclose(resized, golden[name], atol=1e-5, rtol=0)


def test_resize_of_the_shorter_side_equals_golden_values(golden_dir):
    golden = np.load(golden_dir / "layers_and_image_operations.npz")
    config = Preprocessing(resize="shorter_side", image_size=48)
    resized = resize_for_evaluation(tf.constant(golden["image"]), config)
    np.testing.assert_allclose(resized, golden["resize_shorter_48"], atol=1e-5, rtol=0)


def test_real_photos_become_the_input_of_pillow_and_torchvision(shared_dir):
    """torchvision: Resize(160) of a Pillow image, ToTensor, Normalize."""
    mean, std = np.float32(IMAGENET_MEAN), np.float32(IMAGENET_STD)
    config = Preprocessing(resize="shorter_side", image_size=160)
    standardize = GeoLocalizationNet("ResNet18", 8).get_layer("standardize")
    files = sorted((shared_dir / "data" / "sf_xs_dark" / "val" / "queries").iterdir())
    for file, box in zip(files, ((0, 0, 512, 512), (0, 0, 512, 301)), strict=False):
        photo = Image.open(file).convert("RGB").crop(box)
        data = io.BytesIO()
        photo.save(data, "JPEG", quality=95)
        height, width = evaluation_size(photo.height, photo.width, config)
        reference = open_rgb(data.getvalue())
        resized = Image.fromarray(reference).resize((width, height), Image.BILINEAR)
        expected = (np.asarray(resized, np.float32) / 255 - mean) / std
        prepared = resize_for_evaluation(decode_image(data.getvalue()), config)
        difference = np.abs(standardize(prepared) - expected) * std
        # Pillow rounds to whole grey levels, after each of the two directions.
        assert difference.max() <= 1 / 255
        assert difference.mean() <= 0.3 / 255


@settings(max_examples=200)
@given(height=st.integers(1, 6000), width=st.integers(1, 6000))
def test_longer_side_is_rounded_down(height, width):
    config = Preprocessing(resize="shorter_side", image_size=224)
    longer = int(224 * max(height, width) / min(height, width))
    expected = (224, longer) if height <= width else (longer, 224)
    assert evaluation_size(height, width, config) == expected


@pytest.mark.parametrize(
    ("resize", "expected"),
    [("native", (30, 50)), ("shorter_side", (20, 33)), ("square", (20, 20))],
)
def test_evaluation_size_of_arrays_and_images(resize, expected):
    config = Preprocessing(resize=resize, image_size=20)
    heights, widths = evaluation_size(np.array([30, 50]), np.array([50, 30]), config)
    assert list(zip(heights, widths, strict=True)) == [expected, expected[::-1]]
    image = resize_for_evaluation(tf.zeros([30, 50, 3], tf.uint8), config)
    assert image.shape == (*expected, 3)


@pytest.mark.parametrize("resize", ["square", "shorter_side", "native"])
@pytest.mark.parametrize("shape", [(40, 60, 3), (9, 7, 3), (16, 16, 3)])
def test_whole_grey_levels_are_resized_as_floats_are(resize, shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    config = Preprocessing(resize, 16)
    of_bytes, of_floats = (
        resize_for_evaluation(tf.constant(image.astype(dtype)), config)
        for dtype in (np.uint8, np.float32)
    )
    np.testing.assert_array_equal(of_bytes, of_floats)
