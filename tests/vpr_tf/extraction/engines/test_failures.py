"""A size that is refused is one thing, an engine that fails another."""

import numpy as np
import pytest

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.engines.failures import natural_size, telling_failures
from vpr_tf.extraction.errors import EncoderError, ImageSizeError


class Engine:
    """Describes images of 8 pixels and more, unless it fails."""

    failure = None

    def __call__(self, images):
        if self.failure:
            raise self.failure
        if min(images.shape[1:3]) < 8:
            raise RuntimeError("too small")
        return images.mean(axis=(1, 2))


def batch(size, num_images=2):
    return np.zeros((num_images, size, size, 3), np.float32)


def test_a_size_that_is_refused():
    forward = telling_failures(Engine(), 16)
    with pytest.raises(
        ImageSizeError, match=r"refuses images of 4x4 pixels\. too small"
    ):
        forward(batch(4))
    assert forward(batch(9)).shape == (2, 3)


def test_an_engine_that_fails_is_no_matter_of_size():
    engine = Engine()
    forward = telling_failures(engine, 16)
    forward(batch(9))
    for engine.failure in (RuntimeError("device lost"), ValueError("broken")):
        with pytest.raises(EncoderError, match=r"any more: (device|broken)") as caught:
            forward(batch(4))
        assert caught.type is EncoderError


def test_a_batch_that_is_too_much_is_no_matter_of_size():
    def compute(images):
        if len(images) > 1:
            raise RuntimeError("overflow")
        return images.mean(axis=(1, 2))

    with pytest.raises(EncoderError, match="any more: overflow") as caught:
        telling_failures(compute, 16)(batch(9))
    assert caught.type is EncoderError


@pytest.mark.parametrize(
    "text",
    [
        "std::bad_alloc",
        "Failed to allocate memory for requested buffer of size 99",
        "could not create a primitive: out of memory",
    ],
)
def test_too_little_memory_is_said(text):
    engine = Engine()
    engine.failure = RuntimeError(text)
    with pytest.raises(MemoryError, match=r"2 images of 9x9 pixels"):
        telling_failures(engine, 16)(batch(9))


def test_natural_sizes():
    assert natural_size(Preprocessing()) == 224
    assert natural_size(Preprocessing(resize="square", image_size=96)) == 96
