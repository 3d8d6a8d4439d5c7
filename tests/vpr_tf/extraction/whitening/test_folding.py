import keras
import numpy as np
import pytest
import tensorflow as tf

from vpr_tf.config import (
    BuildConfig,
    DatasetConfig,
    EvaluationConfig,
    ExperimentConfig,
)
from vpr_tf.export import export_encoder
from vpr_tf.extraction.whitening.folding import add_whitening
from vpr_tf.extraction.whitening.pca import Whitening
from vpr_tf.models import GeoLocalizationNet

IMAGES = np.random.default_rng(0).random((4, 16, 24, 3), "float32")


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(0)
    return GeoLocalizationNet("EfficientNetLite0", 8, last_stage=0, train_from_stage=0)


@pytest.fixture(scope="module")
def whitening():
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal((8, 3)).astype("float32")
    return Whitening(kernel, rng.standard_normal(3).astype("float32"), 0.9, 100)


@pytest.fixture(scope="module")
def whitened(encoder, whitening):
    return add_whitening(encoder, whitening)


@pytest.fixture(scope="module")
def expected(encoder, whitening):
    values = encoder(IMAGES).numpy() @ whitening.kernel + whitening.bias
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_descriptors_are_whitened_and_of_unit_length(encoder, whitened, expected):
    assert isinstance(whitened, GeoLocalizationNet)
    assert whitened.descriptor_dim == 3
    assert encoder.descriptor_dim == 8
    np.testing.assert_allclose(whitened(IMAGES), expected, atol=1e-5)


def test_whitened_encoder_is_saved(whitened, tmp_path):
    whitened.save(tmp_path / "whitened.keras")
    loaded = keras.saving.load_model(tmp_path / "whitened.keras")
    assert loaded.get_config() == whitened.get_config()
    assert loaded.get_config()["whitening_dim"] == 3
    np.testing.assert_array_equal(loaded(IMAGES), whitened(IMAGES))


def test_whitened_encoder_is_exported(whitened, expected, tmp_path):
    config = ExperimentConfig(
        name="small",
        dataset=DatasetConfig(path="datasets/x"),
        build=BuildConfig(train="train"),
        evaluation=EvaluationConfig(resize="native"),
    )
    folder = export_encoder(whitened, config, tmp_path)
    served = tf.saved_model.load(str(folder))
    described = served.signatures["descriptors"](images=tf.constant(IMAGES))
    np.testing.assert_allclose(described["descriptors"], expected, atol=1e-5)
    file = tf.io.encode_png(tf.cast(IMAGES[0] * 255, tf.uint8))
    described = served.signatures["serving_default"](image_bytes=file[None])
    assert described["descriptors"].shape == (1, 3)


def test_what_cannot_be_whitened_is_named(encoder, whitened, whitening):
    with pytest.raises(ValueError, match=r"already. Received: whitening_dim=3"):
        add_whitening(whitened, whitening)
    with pytest.raises(ValueError, match=r"Keras encoder: .*Received: Functional"):
        add_whitening(keras.Model(encoder.input, encoder.output), whitening)
    shorter = Whitening(whitening.kernel[:5], whitening.bias, 0.9, 100)
    with pytest.raises(ValueError, match=r"of length 5.*descriptor_dim=8"):
        add_whitening(encoder, shorter)
