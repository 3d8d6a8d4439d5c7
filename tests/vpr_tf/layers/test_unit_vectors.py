import numpy as np
import pytest
import tensorflow as tf

from vpr_tf.layers._construction import check_feature_map
from vpr_tf.layers.l2_normalization import unit_vectors


def test_values_and_gradient_equal_numpy():
    x = tf.constant([[3.0, 4.0], [0.0, 0.0], [1e-8, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = unit_vectors(x, epsilon=1e-6)
        total = tf.reduce_sum(y[:, 0])
    np.testing.assert_allclose(y, [[0.6, 0.8], [0, 0], [0.01, 0]], rtol=1e-5)
    # d(a / |v|) / d(a, b) = (b^2, -a b) / |v|^3; none for the short vectors.
    expected = [[16 / 125, -12 / 125], [0, 0], [0, 0]]
    np.testing.assert_allclose(tape.gradient(total, x), expected, rtol=1e-5)


def test_axis():
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype("float32")
    lengths = np.linalg.norm(unit_vectors(x, axis=1), axis=1)
    np.testing.assert_allclose(lengths, np.ones((2, 4)), rtol=1e-5)


def test_feature_maps_are_checked():
    check_feature_map("GeM", (None, None, None, 3))
    with pytest.raises(ValueError, match="GeM takes feature maps"):
        check_feature_map("GeM", (None, 7, 7, None))
