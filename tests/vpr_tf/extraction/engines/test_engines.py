"""The same descriptors whatever computes them."""

import importlib.util

import keras
import numpy as np
import pytest

from vpr_tf.config import Preprocessing
from vpr_tf.extraction import EncoderError, FeatureExtractor
from vpr_tf.extraction.engines import ENGINES, compile_forward, openvino
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


def test_a_precision_that_the_cpu_lacks_is_said(encoder, monkeypatch, caplog):
    pytest.importorskip("openvino")
    for capabilities, computed in (({"FP32"}, "float32"), ({"BF16"}, "mixed_bfloat16")):
        monkeypatch.setattr(openvino, "capabilities", lambda found=capabilities: found)
        caplog.clear()
        extractor = FeatureExtractor(
            encoder, Preprocessing(precision="mixed_bfloat16"), engine="openvino"
        )
        assert extractor.identity()["precision"] == computed
        said = "Float32 instead of mixed_bfloat16, which openvino does not"
        assert (said in caplog.text) == (computed == "float32")
        assert ("float32 instead" in extractor.description) == (computed == "float32")


@pytest.mark.parametrize(
    ("name", "precision", "message"),
    [
        ("onnxruntime", "int8", "computes this encoder in float32. Received: int8"),
        ("openvino", "int8", "vpr export --format openvino --precision int8"),
        ("litert", "mixed_float16", "float32 or int8. Received: mixed_float16"),
    ],
)
def test_other_precisions_are_refused_with_what_there_is(
    encoder, name, precision, message
):
    with pytest.raises(EncoderError, match=message):
        FeatureExtractor(encoder, Preprocessing(precision=precision), engine=name)


def test_an_engine_that_is_not_installed_names_its_extra(encoder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EncoderError, match=r"pip install 'vpr_tf\[openvino\]'"):
        FeatureExtractor(encoder, engine="openvino")
    with pytest.raises(EncoderError, match=r"\(did you mean litert\?\)"):
        FeatureExtractor(encoder, engine="liteRT")


@pytest.mark.slow
def test_openvino_compiles_a_transformer_for_every_image_size():
    pytest.importorskip("openvino")
    encoder = GeoLocalizationNet("DINOv2_S14", None, last_stage=1)
    extract = FeatureExtractor(
        encoder, Preprocessing(image_size=56), engine="openvino"
    ).forward()
    for height, width in ((56, 56), (70, 42)):
        images = np.random.default_rng(0).random((2, height, width, 3), np.float32)
        exact = np.asarray(encoder(images))
        np.testing.assert_allclose(extract(images), exact, atol=1e-5)
