import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import (
    check_gradients_in_float16,
    check_saving,
    run_layer_test,
)
from vpr_tf.layers import RegionalMaximumPooling2D

SIZES = [(7, 7), (7, 10), (10, 7), (15, 20), (3, 22), (2, 2), (1, 6), (1, 1), (16, 5)]


def random_features(shape=(2, 5, 4, 3), seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def regions(height, width, levels):
    """Top, left and side of all squares, by the definition in the paper."""
    shorter, longer = min(height, width), max(height, width)
    overlaps = [1 - (longer - shorter) / (m * shorter) for m in range(1, 7)]
    extra = 1 + int(np.argmin([abs(overlap - 0.4) for overlap in overlaps]))
    found = []
    for level in range(1, levels + 1):
        side = math.floor(2 * shorter / (level + 1))
        rows = level + (extra if height > width else 0)
        columns = level + (extra if width > height else 0)
        for row in range(rows):
            for column in range(columns):
                top = row * (height - side) // (rows - 1) if rows > 1 else 0
                left = column * (width - side) // (columns - 1) if columns > 1 else 0
                found.append((top, left, side))
    return [region for region in found if region[2]]


def unit(x):
    return x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-6)


def rmac(x, levels=3):
    total = unit(x.max(axis=(1, 2)))
    for top, left, side in regions(*x.shape[1:3], levels):
        square = x[:, top : top + side, left : left + side]
        assert square.shape[1:3] == (side, side)
        total = total + unit(square.max(axis=(1, 2)))
    return total


def test_layer_basics():
    run_layer_test(
        RegionalMaximumPooling2D,
        {"levels": 2},
        input_data=random_features(),
        expected_output_shape=(2, 3),
        expected_num_trainable_weights=0,
        expected_num_non_trainable_weights=0,
    )


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("levels", [1, 3, 5])
def test_values_equal_numpy(height, width, levels):
    x = random_features((2, height, width, 4))
    output = RegionalMaximumPooling2D(levels)(x)
    np.testing.assert_allclose(output, rmac(x, levels), rtol=1e-4, atol=1e-5)


def test_regions_of_a_known_map():
    # 7x10: overlap of 3 squares of side 7 is 1 - 1.5 / 7, of 2 it is 4 / 7, nearest.
    expected = [(0, 0, 7), (0, 3, 7)]
    expected += [(top, left, 4) for top in (0, 3) for left in (0, 3, 6)]
    assert regions(7, 10, 2) == expected


def test_one_graph_serves_maps_of_all_sizes():
    features = keras.Input((None, None, 4))
    model = keras.Model(features, RegionalMaximumPooling2D()(features))
    signature = [tf.TensorSpec((None, None, None, 4))]
    compiled = tf.function(model, input_signature=signature)
    for height, width in SIZES:
        x = random_features((2, height, width, 4))
        np.testing.assert_allclose(compiled(x), rmac(x), rtol=1e-4, atol=1e-5)
    assert compiled.experimental_get_tracing_count() == 1


def test_gradients_in_float16():
    check_gradients_in_float16(RegionalMaximumPooling2D, (6, 4, 5))


def test_save_and_load(tmp_path):
    check_saving(RegionalMaximumPooling2D(2), random_features(), tmp_path)


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`levels` must be 1 or more.*levels=0"):
        RegionalMaximumPooling2D(levels=0)
    with pytest.raises(ValueError, match=r"R-MAC takes feature maps.*\(2, 3\)"):
        RegionalMaximumPooling2D()(np.ones((2, 3), "float32"))
