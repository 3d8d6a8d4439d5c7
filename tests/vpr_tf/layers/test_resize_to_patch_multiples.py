import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import run_layer_test
from vpr_tf.layers import ResizeToPatchMultiples

# The nearest multiples of 14; 1.5 and 2.5 patches become 2, as Python rounds.
SIZES = [((28, 42), (28, 42)), ((21, 35), (28, 28)), ((5, 34), (14, 28)),
         ((64, 100), (70, 98)), ((28, 43), (28, 42))]  # fmt: skip


def random_images(height, width):
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, height, width, 3)).astype("float32")


def expected_images(images, size):
    return tf.image.resize(images, size, antialias=True)


def test_layer_basics():
    run_layer_test(
        ResizeToPatchMultiples,
        {"patch_size": 4},
        input_shape=(2, 7, 9, 3),
        expected_output_shape=(2, 8, 8, 3),
        run_training_check=False,  # there is nothing to train
        assert_built_after_instantiation=True,
    )


@pytest.mark.parametrize(("size", "new_size"), SIZES)
def test_size_and_values(size, new_size):
    images = random_images(*size)
    resized = ResizeToPatchMultiples(14)(images)
    assert resized.shape == (2, *new_size, 3)
    np.testing.assert_allclose(resized, expected_images(images, new_size), atol=1e-5)
    if size == new_size:
        np.testing.assert_array_equal(resized, images)


def test_sizes_known_at_run_time_only(tmp_path):
    images = keras.Input((None, None, 3))
    model = keras.Model(images, ResizeToPatchMultiples(14)(images))
    model.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported"))
    for size, new_size in SIZES:
        x = random_images(*size)
        for resized in (model(x), served.serve(x)):
            assert resized.shape == (2, *new_size, 3)
            expected = ResizeToPatchMultiples(14)(x)
            np.testing.assert_allclose(resized, expected, atol=1e-5)
            if size == new_size:
                np.testing.assert_array_equal(resized, x)


def test_images_of_any_size_are_not_rounded_where_they_fit(monkeypatch):
    def rounded(x, y):  # as GPUs may
        return tf.cast(
            tf.matmul(tf.cast(x, tf.bfloat16), tf.cast(y, tf.bfloat16)), x.dtype
        )

    module = "vpr_tf.layers.resize_to_patch_multiples.ops.matmul"
    monkeypatch.setattr(module, rounded)
    layer = ResizeToPatchMultiples(14)
    call = tf.function(layer, input_signature=[tf.TensorSpec((None, None, 42, 3))])
    fitting = random_images(28, 42)
    np.testing.assert_array_equal(call(fitting), fitting)
    other = random_images(30, 42)
    exact = expected_images(other, (28, 42))
    assert 1e-4 < np.max(np.abs(call(other) - exact)) < 0.1


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`patch_size` must be 1 or more.*0"):
        ResizeToPatchMultiples(0)
