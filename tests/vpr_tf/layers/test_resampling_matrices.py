import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from vpr_tf.layers.resampling_matrices import (
    antialiased_matrix,
    cubic_kernel,
    cubic_matrix,
    triangle_kernel,
)


def cubic_weight(distance, a):
    x = abs(distance)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def cubic_line(values, length, offset):
    """One value at a time, as PyTorch's `interpolate` is documented."""
    size = len(values)
    result = []
    for i in range(length):
        source = (i + 0.5) * size / (length + offset) - 0.5
        first = int(np.floor(source))
        result.append(
            sum(
                cubic_weight(source - tap, -0.75) * values[min(max(tap, 0), size - 1)]
                for tap in range(first - 1, first + 3)
            )
        )
    return np.array(result)


@pytest.mark.parametrize("offset", [0.0, 0.1])
@pytest.mark.parametrize("length", [1, 5, 16, 23, 37, 50])
def test_cubic_matrix_equals_numpy(length, offset):
    values = np.random.default_rng(0).standard_normal(37)
    expected = cubic_line(values, length, offset)
    matrix = cubic_matrix(length, 37, offset).numpy()
    np.testing.assert_allclose(matrix @ values, expected, rtol=0, atol=2e-5)


def test_cubic_matrix_keeps_a_line_of_the_same_length():
    np.testing.assert_array_equal(cubic_matrix(37, 37), np.eye(37))


@pytest.mark.parametrize(
    ("kernel", "filter_name"),
    [(triangle_kernel, "BILINEAR"), (cubic_kernel, "BICUBIC")],
)
@pytest.mark.parametrize("length", [1, 7, 16, 37, 60])
def test_antialiased_matrix_equals_pil(kernel, filter_name, length):
    values = np.random.default_rng(0).standard_normal((1, 37)).astype("float32")
    image = Image.fromarray(values).resize((length, 1), Image.Resampling[filter_name])
    matrix = antialiased_matrix(length, 37, kernel)
    np.testing.assert_allclose(matrix @ values.T, np.array(image).T, atol=1e-5)


@pytest.mark.parametrize("kernel", [triangle_kernel, cubic_kernel])
def test_antialiased_matrix_keeps_a_line_of_the_same_length(kernel):
    np.testing.assert_array_equal(antialiased_matrix(37, 37, kernel), np.eye(37))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_lengths_may_be_known_at_run_time_only(jit_compile):
    signature = [tf.TensorSpec((None,)), tf.TensorSpec((None,))]

    @tf.function(input_signature=signature, jit_compile=jit_compile)
    def matrices(new, old):
        length, size = tf.shape(new)[0], tf.shape(old)[0]
        return cubic_matrix(length, 5), antialiased_matrix(
            length, size, triangle_kernel
        )

    for length, size in ((3, 8), (8, 3)):
        received = matrices(tf.zeros(length), tf.zeros(size))
        expected = (
            cubic_matrix(length, 5),
            antialiased_matrix(length, size, triangle_kernel),
        )
        for ours, known in zip(received, expected, strict=True):
            np.testing.assert_allclose(ours, known, atol=1e-6)
