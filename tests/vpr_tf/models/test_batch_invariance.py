"""A photo has one descriptor: alone, in any batch, in any order."""

import keras
import numpy as np
import pytest

from tests.vpr_tf.models.backbones.tiny_transformers import register_tiny_specs
from tests.vpr_tf.models.test_aggregations import SMALL_OPTIONS, make_encoder
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.models.aggregations import AGGREGATION_NAMES

# Rounding: matrices of another batch are multiplied in another order.
ATOL = 5e-6
OF_TRANSFORMERS = {
    "class_token": {},
    "aggregation_tokens": {"num_tokens": 3, "before_block": 1},
    "boq": SMALL_OPTIONS["boq"],
    "optimal_transport": {**SMALL_OPTIONS["optimal_transport"], "token": "class_token"},
}


def unlike_images(height, width):
    """Dark, bright, noisy and plain images: their statistics differ."""
    rng = np.random.default_rng(0)
    noise = rng.random((5, height, width, 3), "float32")
    scale = np.array([1, 0.1, 0.02, 0, 1], "float32")[:, None, None, None]
    offset = np.array([0, 0, 0.9, 0.5, 0], "float32")[:, None, None, None]
    return scale * noise + offset


def randomize(encoder):
    rng = np.random.default_rng(1)
    for variable in encoder.weights:
        # Variances stay positive.
        if "variance" not in variable.path:
            value = rng.normal(variable.numpy(), 0.1)
            variable.assign(value)


def check_invariance(encoder, images):
    randomize(encoder)
    alone = np.concatenate([encoder(image[None]) for image in images])
    assert np.abs(alone[0] - alone[4]).max() > 100 * ATOL
    order = np.random.default_rng(2).permutation(len(images))
    repeated = np.repeat(images[:1], 4, axis=0)
    repeated[2] = images[4]
    for batch, expected in (
        (images, alone),
        (images[order], alone[order]),
        (images[1:3], alone[1:3]),
        (repeated, alone[[0, 0, 4, 0]]),
    ):
        np.testing.assert_allclose(encoder(batch), expected, rtol=0, atol=ATOL)


@pytest.mark.parametrize("name", SMALL_OPTIONS)
def test_descriptors_of_a_convolutional_network(name):
    check_invariance(make_encoder(name), unlike_images(8, 12))


@pytest.mark.parametrize("name", OF_TRANSFORMERS)
def test_descriptors_of_a_transformer(monkeypatch, name):
    register_tiny_specs(monkeypatch)
    keras.utils.set_random_seed(0)
    options = {"name": name, **OF_TRANSFORMERS[name]}
    encoder = GeoLocalizationNet("TinyDINOv2_reg4", None, aggregation=options)
    check_invariance(encoder, unlike_images(56, 56))


def test_every_aggregation_is_tested():
    assert set(AGGREGATION_NAMES) == {*SMALL_OPTIONS, *OF_TRANSFORMERS}
