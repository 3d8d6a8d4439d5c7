import itertools

import numpy as np
import pytest
import tensorflow as tf

from vpr_tf.config import AugmentationConfig
from vpr_tf.data.color_jitter import (
    JITTER_DRAWS,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    color_jitter,
    jitter_parameters,
)

# float32 rounding of values in [0, 1]; hue divides by the chroma and loses a digit.
_TOLERANCE = 1e-6
_HUE_TOLERANCE = 2e-6


def image_of(seed: int, height: int = 12, width: int = 18) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.random((height, width, 3), np.float32)


def reference_hue(image: np.ndarray, shift: float) -> np.ndarray:
    import colorsys

    def turn(pixel):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        return colorsys.hsv_to_rgb((hue + shift) % 1.0, saturation, value)

    return np.apply_along_axis(turn, -1, image.astype(np.float64))


def reference_jitter(image: np.ndarray, factors: np.ndarray, order) -> np.ndarray:
    image = image.astype(np.float64)
    for operation in order:
        grey = image @ [0.2989, 0.587, 0.114]
        factor = factors[operation]
        if operation == 3:
            image = reference_hue(image, factor)
            continue
        other = (0.0, grey.mean(), grey[..., None])[operation]
        image = (factor * image + (1 - factor) * other).clip(0, 1)
    return image


official_operations = pytest.mark.parametrize(
    ("name", "operation", "factor", "tolerance"),
    [
        ("brightness_1_5", adjust_brightness, 1.5, _TOLERANCE),
        ("contrast_0_4", adjust_contrast, 0.4, _TOLERANCE),
        ("saturation_1_6", adjust_saturation, 1.6, _TOLERANCE),
        ("hue_0_3", adjust_hue, 0.3, _HUE_TOLERANCE),
        ("hue_m0_4", adjust_hue, -0.4, _HUE_TOLERANCE),
    ],
)


@official_operations
def test_operation_equals_golden_pixels(
    official_values, name, operation, factor, tolerance
):
    # The second half of the pixels only keeps the mean of the whole image.
    pixels = tf.constant(official_values["pixels"][None])
    result = operation(pixels, tf.constant(factor))[0, : len(pixels[0]) // 2]
    np.testing.assert_allclose(result, official_values[name], atol=tolerance, rtol=0)


@official_operations
def test_operation_equals_golden_values(golden_dir, name, operation, factor, tolerance):
    golden = np.load(golden_dir / "layers_and_image_operations.npz")
    image = golden["image"].astype(np.float32) / 255
    result = operation(tf.constant(image), tf.constant(factor))
    np.testing.assert_allclose(result, golden[name], atol=tolerance, rtol=0)


@pytest.mark.parametrize("compiled", [True, False])
def test_all_orders_equal_the_operations_one_by_one(compiled):
    shape = (12, 18, 3) if compiled else (None, None, 3)
    jitter = tf.function(
        color_jitter,
        input_signature=[
            tf.TensorSpec(shape, tf.float32),
            tf.TensorSpec([4], tf.float32),
            tf.TensorSpec([4], tf.int32),
        ],
    )
    for seed, order in enumerate(itertools.permutations(range(4))):
        image = image_of(seed)
        factors = np.random.default_rng(seed).uniform(0.3, 1.7, 4).astype(np.float32)
        factors[3] -= 1
        result = jitter(image, factors, np.array(order, np.int32))
        expected = reference_jitter(image, factors, order)
        # Errors of four operations add up, times factors up to 1.7 each.
        np.testing.assert_allclose(result, expected, atol=2e-5, rtol=0)


def test_scale_is_applied_first():
    image = tf.constant(image_of(0))
    arguments = tf.constant([0.6, 1.3, 0.8, 0.1]), tf.constant([2, 0, 3, 1])
    result = color_jitter(image * 255, *arguments, scale=1 / 255)
    np.testing.assert_allclose(result, color_jitter(image, *arguments), atol=2e-6)


def test_hue_keeps_grey_black_and_white():
    image = np.array([[[0, 0, 0], [1, 1, 1], [0.4, 0.4, 0.4]]], np.float32)
    np.testing.assert_array_equal(adjust_hue(tf.constant(image), 0.3), image)


def test_parameters_cover_their_ranges_and_all_orders():
    config = AugmentationConfig(brightness=0.7, contrast=0.2, saturation=1.5, hue=0.4)
    uniform = np.random.default_rng(0).random((600, JITTER_DRAWS), np.float32)
    drawn = [jitter_parameters(config, tf.constant(u)) for u in uniform]
    factors = np.array([f for f, _ in drawn])
    low, high = [0.3, 0.8, 0.0, -0.4], [1.7, 1.2, 2.5, 0.4]
    np.testing.assert_allclose(factors.min(0), low, atol=0.02)
    np.testing.assert_allclose(factors.max(0), high, atol=0.02)
    assert (factors.min(0) >= np.float32(low)).all()
    assert len({tuple(order.numpy()) for _, order in drawn}) == 24


def test_largest_draw_is_a_valid_order():
    almost_one = tf.fill([JITTER_DRAWS], np.nextafter(np.float32(1), np.float32(0)))
    _, order = jitter_parameters(AugmentationConfig(), almost_one)
    assert sorted(order.numpy()) == [0, 1, 2, 3]
