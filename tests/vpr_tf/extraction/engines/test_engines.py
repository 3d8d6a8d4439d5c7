"""The same descriptors whatever computes them."""

import keras
import numpy as np
import pytest

from vpr_tf.config import Preprocessing
from vpr_tf.extraction import EncoderError, FeatureExtractor
from vpr_tf.extraction.engines import ENGINES, compile_forward
from vpr_tf.models import GeoLocalizationNet

LOCAL = [name for name in ENGINES if name not in ("tensorflow", "remote")]
PACKAGES = {"onnxruntime": ("onnxruntime", "tf2onnx"), "openvino": ("openvino",)}
SIZES = ((64, 96, 2), (75, 43, 1), (64, 96, 3))


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(0)
    return GeoLocalizationNet("EfficientNetLite0", 16, last_stage=0)


def random_images(height, width, batch=2):
    rng = np.random.default_rng(height)
    return rng.random((batch, height, width, 3), "float32")


@pytest.fixture(scope="module", params=LOCAL)
def engine(request):
    for package in (*PACKAGES.get(request.param, ()), "tf2onnx"):
        pytest.importorskip(package)
    return request.param


def test_float32_equals_the_encoder_at_every_size(encoder, engine):
    forward = compile_forward(engine, encoder, Preprocessing())
    for size in SIZES:
        images = random_images(*size)
        descriptors = forward(images)
        assert isinstance(descriptors, np.ndarray)
        assert descriptors.dtype == np.float32
        np.testing.assert_allclose(descriptors, encoder(images), atol=1e-5)


def test_a_batch_of_another_rank_is_refused(encoder, engine):
    extractor = FeatureExtractor(encoder, engine=engine)
    assert extractor.identity()["engine"] == engine
    with pytest.raises(EncoderError, match="refuses images"):
        extractor.forward()(np.zeros((2, 64, 64, 4), np.float32))
