import numpy as np
import pytest

from tests.keras_testing import run_layer_test
from vpr_tf.layers import FourierFeatures


def test_layer_basics():
    run_layer_test(
        FourierFeatures,
        {"num_frequencies": 5, "scale": 2.0},
        input_shape=(3, 2),
        expected_output_shape=(3, 10),
        expected_num_trainable_weights=0,
        expected_num_non_trainable_weights=1,
        supports_masking=False,
    )


def test_values_equal_numpy():
    x = np.random.default_rng(0).standard_normal((4, 2)).astype("float32")
    layer = FourierFeatures(200, scale=3.0)
    features = layer(x)
    frequencies = layer.frequencies.numpy()
    assert frequencies.std() == pytest.approx(3.0, rel=0.15)
    angles = 2 * np.pi * x.astype("f8") @ frequencies.T
    expected = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    np.testing.assert_allclose(features, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_frequencies": 0}, r"`num_frequencies` must be 1 or more.*=0"),
        ({"scale": 0.0}, r"`scale` must be above 0.*=0"),
        ({"scale": float("nan")}, r"`scale` must be above 0.*=nan"),
    ],
)
def test_what_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        FourierFeatures(**options)
