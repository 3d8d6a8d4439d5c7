import keras
import numpy as np
import pytest
import tensorflow as tf

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.engines import compile_forward
from vpr_tf.extraction.errors import EncoderError, ImageSizeError
from vpr_tf.layers import L2Normalization
from vpr_tf.models import GeoLocalizationNet


class NotKeras:
    """An encoder that is no Keras model, as a loaded SavedModel."""

    descriptor_dim = 3

    def __call__(self, images, training=False):
        return tf.reduce_mean(images, axis=(1, 2))


def compiled(encoder, precision, engine="tensorflow"):
    return compile_forward(engine, encoder, Preprocessing(precision=precision))


def make_encoder():
    keras.utils.set_random_seed(0)
    return GeoLocalizationNet("EfficientNetLite0", 16)


def random_images(height, width, batch=2):
    rng = np.random.default_rng(height)
    return tf.constant(rng.random((batch, height, width, 3), "float32"))


@pytest.fixture(scope="module")
def encoder():
    return make_encoder()


@pytest.mark.parametrize(
    ("engine", "precision", "atol"),
    [
        ("tensorflow", "float32", 1e-5),
        ("tensorflow", "int8", 0.05),
        ("litert", "float32", 1e-5),
    ],
)
def test_equals_the_encoder_at_every_size(encoder, engine, precision, atol):
    forward = compiled(encoder, precision, engine)
    for height, width, batch in ((64, 96, 2), (75, 33, 1), (64, 96, 3)):
        images = random_images(height, width, batch)
        descriptors = forward(images)
        assert isinstance(descriptors, np.ndarray)
        np.testing.assert_allclose(descriptors, encoder(images), atol=atol)


def test_int8_differs_and_depends_on_no_other_image(encoder):
    forward = compiled(encoder, "int8")
    images = random_images(64, 64, 3)
    together = forward(images)
    assert np.abs(together - encoder(images)).max() > 1e-5
    alone = np.concatenate([forward(image[None]) for image in images])
    np.testing.assert_array_equal(together, alone)


def test_any_other_encoder_is_called():
    encoder = NotKeras()
    images = random_images(8, 8)
    descriptors = compiled(encoder, "float32")(images)
    np.testing.assert_allclose(descriptors, encoder(images))
    with pytest.raises(EncoderError, match="needs a Keras encoder"):
        compiled(encoder, "int8")


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_images_that_a_layer_refuses_are_refused(precision):
    aggregation = {"name": "optimal_transport", "num_clusters": 8, "token": "mean"}
    encoder = GeoLocalizationNet(
        "EfficientNetLite0", None, aggregation=aggregation, last_stage=0
    )
    forward = compiled(encoder, precision)
    assert np.isfinite(forward(random_images(8, 6))).all()
    with pytest.raises(ImageSizeError, match="more patches than"):
        forward(random_images(4, 4))


def test_descriptors_that_8_bits_spoil_are_refused():
    images = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(images)
    dense = keras.layers.Dense(1024, use_bias=False)
    model = keras.Model(images, L2Normalization()(dense(x)))
    kernel = np.random.default_rng(0).standard_normal((3, 1024)).astype("float32")
    kernel[0] = 1000  # beside it 8 bits round the other weights to zero
    dense.set_weights([kernel])
    without_red = random_images(8, 8) * [0.0, 1.0, 1.0]
    with pytest.raises(EncoderError, match=r"changes the descriptors .* too much"):
        compiled(model, "int8")(without_red)
