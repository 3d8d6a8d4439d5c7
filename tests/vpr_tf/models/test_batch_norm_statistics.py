import keras
import numpy as np
import pytest
import tensorflow as tf

from vpr_tf.layers import FusedBatchNormalization
from vpr_tf.models.batch_norm_statistics import batch_norms, set_statistics

IMAGES = np.random.default_rng(0).normal(3.0, 2.0, (12, 8, 8, 3)).astype("float32")


def small_model(layer=keras.layers.BatchNormalization, rate=0.5):
    """A frozen batch norm in a model inside, after a convolution and a dropout."""
    keras.utils.set_random_seed(1)
    inner = keras.Sequential(
        [
            keras.layers.Conv2D(4, 3),
            keras.layers.Dropout(rate),
            layer(momentum=0.9, trainable=False),
        ]
    )
    images = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inner(images))
    return keras.Model(images, pooled)


def batches(images, size=4):
    return [tf.constant(images[i : i + size]) for i in range(0, len(images), size)]


@pytest.mark.parametrize(
    "layer", [keras.layers.BatchNormalization, FusedBatchNormalization]
)
def test_statistics_are_those_of_all_images_together(layer):
    model = small_model(layer)
    (norm,) = batch_norms(model)
    convolution = model.layers[1].layers[0]
    features = convolution(IMAGES).numpy()
    assert set_statistics(model, batches(IMAGES)) == 12
    np.testing.assert_allclose(norm.moving_mean, features.mean((0, 1, 2)), rtol=1e-4)
    # The fused one averages unbiased variances.
    np.testing.assert_allclose(norm.moving_variance, features.var((0, 1, 2)), rtol=0.01)
    outputs = model(IMAGES).numpy()
    np.testing.assert_allclose(outputs.mean(axis=0), 0, atol=1e-3)
    assert (norm.trainable, norm.momentum) == (False, 0.9)
    assert model.layers[1].layers[1].rate == 0.5


def test_weights_stay_and_a_share_is_taken():
    model, whole = small_model(), small_model()
    (norm,), (new,) = batch_norms(model), batch_norms(whole)
    norm.moving_mean.assign([1.0, 2.0, 3.0, 4.0])
    before = [variable.numpy() for variable in model.trainable_variables]
    set_statistics(whole, batches(IMAGES))
    set_statistics(model, batches(IMAGES), share=0.25)
    expected = 0.25 * new.moving_mean.numpy() + 0.75 * np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-5)
    expected = 0.25 * new.moving_variance.numpy() + 0.75
    np.testing.assert_allclose(norm.moving_variance, expected, rtol=1e-5)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, old)


def test_without_batch_norms_or_images_it_is_refused():
    images = keras.Input((8, 8, 3))
    plain = keras.Model(images, keras.layers.GlobalAveragePooling2D()(images))
    with pytest.raises(ValueError, match="without any, as transformers are"):
        set_statistics(plain, batches(IMAGES))
    model = small_model()
    (norm,) = batch_norms(model)
    with pytest.raises(ValueError, match=r"need images\. Received: none"):
        set_statistics(model, [])
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(4))
