import numpy as np
import pytest

from tests.keras_testing import (
    check_gradients_in_float16,
    check_saving,
    run_layer_test,
)
from vpr_tf.layers import MaximumActivationPooling2D


def random_features(shape=(2, 5, 4, 3), seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def test_layer_basics():
    run_layer_test(
        MaximumActivationPooling2D,
        {},
        input_data=random_features(),
        expected_output_shape=(2, 3),
        expected_num_trainable_weights=0,
        expected_num_non_trainable_weights=0,
    )


def test_values_equal_numpy():
    x = random_features() - 3  # negative maxima are kept
    output = MaximumActivationPooling2D()(x)
    np.testing.assert_array_equal(output, x.max(axis=(1, 2)))


def test_gradients_in_float16():
    check_gradients_in_float16(MaximumActivationPooling2D, (4, 3, 5))


def test_save_and_load(tmp_path):
    check_saving(MaximumActivationPooling2D(), random_features(), tmp_path)


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"MAC takes feature maps.*\(2, 3\)"):
        MaximumActivationPooling2D()(np.ones((2, 3), "float32"))
