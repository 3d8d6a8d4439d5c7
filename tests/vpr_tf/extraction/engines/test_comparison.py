import keras
import numpy as np
import pytest

from vpr_tf.extraction.engines.comparison import compared, difference
from vpr_tf.extraction.errors import EncoderError

EXACT = np.array([3.0, 4.0])


@pytest.mark.parametrize(
    ("degrees", "length", "precision", "is_alike"),
    [
        (0.5, 1.0, "float32", True),
        (1.0, 1.0, "float32", False),
        (1.0, 1.0, "mixed_bfloat16", True),
        (10.0, 1.0, "mixed_bfloat16", True),
        (10.0, 1.0, "mixed_float16", False),
        (20.0, 1.0, "mixed_bfloat16", False),
        (20.0, 1.0, "int8", True),
        (0.0, 1.01, "float32", True),
        (0.0, 1.1, "float32", False),
        (0.0, 0.9, "float32", False),
        (0.0, 0.0, "int8", False),
        (0.0, np.nan, "int8", False),
        (180.0, 1.0, "int8", False),
    ],
)
def test_angle_and_norm_are_compared(degrees, length, precision, is_alike):
    angle = np.radians(degrees)
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    text = difference(length * np.array(turn) @ EXACT, EXACT, precision)
    assert (text == "") == is_alike, text


def test_zeros_are_alike():
    assert difference(np.zeros(2), np.zeros(2)) == ""


def test_every_size_is_compared_once():
    images = keras.Input((None, None, 3))
    encoder = keras.Model(images, keras.layers.GlobalAveragePooling2D()(images))

    def spoiled(images):
        means = np.mean(images, axis=(1, 2))
        return means if images.shape[1] < 12 else means * [1, 1, 2]

    forward = compared(spoiled, encoder, "float32")
    for size in (8, 10, 8):
        assert forward(np.ones((2, size, size, 3), np.float32)).shape == (2, 3)
    with pytest.raises(EncoderError, match=r"changes the descriptors .* too much"):
        forward(np.ones((2, 12, 8, 3), np.float32))
