"""SuperVLAD and ImAge in other formats: the same descriptors everywhere."""

import keras
import numpy as np
import pytest

import vpr_tf as vpr
from tests.vpr_tf.models.backbones.tiny_transformers import configurable
from vpr_tf.config import config_from_values
from vpr_tf.export import export_model
from vpr_tf.models.convert import build_named, convert_to_keras, convert_to_torch
from vpr_tf.models.torch_weights.safetensors_reader import read_safetensors

AGGREGATIONS = {
    "supervlad": {"num_clusters": 3, "num_ghost_clusters": 1},
    "aggregation_tokens": {"num_tokens": 3, "before_block": 1},
}


@pytest.fixture(params=AGGREGATIONS)
def config(request, tmp_path, monkeypatch):
    encoder = {
        "backbone": configurable("TinyDINOv2_reg4", monkeypatch),
        "aggregation": {"name": request.param, **AGGREGATIONS[request.param]},
        "descriptor_dim": None,
        "train_from_stage": 1,
        "weights": "none",
    }
    return config_from_values(
        {
            "name": "recent",
            "dataset": {"path": str(tmp_path / "none")},
            "savedmodels_dir": str(tmp_path / "savedmodels"),
            "encoder": encoder,
            "evaluation": {"resize": "square", "image_size": 56},
        }
    )


@pytest.fixture
def keras_file(config, tmp_path):
    """An encoder whose weights no initializer gives."""
    keras.utils.set_random_seed(0)
    encoder = build_named(None, config.encoder)
    rng = np.random.default_rng(0)
    encoder.set_weights([rng.normal(w, 0.1) for w in encoder.get_weights()])
    path = tmp_path / "encoder.keras"
    encoder.save(path)
    return path


@pytest.fixture
def photos():
    """Of other sizes than the encoder is given."""
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (*size, 3), "uint8") for size in ((56, 56), (40, 70))]


def test_state_dicts_lead_back(config, keras_file, photos, tmp_path):
    torch_file, again = tmp_path / "encoder.safetensors", tmp_path / "again.keras"
    convert_to_torch(keras_file, torch_file, None)
    has_tokens = "learnable_aggregation_tokens" in read_safetensors(torch_file)
    assert has_tokens == (config.encoder.aggregation.name == "aggregation_tokens")
    convert_to_keras(build_named(None, config.encoder), torch_file, again, None)
    first, second = (
        vpr.load_encoder(file, config=config).extract(photos)
        for file in (keras_file, again)
    )
    np.testing.assert_array_equal(second, first)
    assert np.abs(first[0] - first[1]).max() > 1e-3


@pytest.mark.parametrize("model_format", ["savedmodel", "onnx"])
def test_exports_give_the_same_descriptors(config, keras_file, photos, model_format):
    if model_format == "onnx":
        pytest.importorskip("tf2onnx")
    exported = export_model(config, keras_file, model_format=model_format)
    expected = vpr.load_encoder(keras_file, config=config).extract(photos)
    found = vpr.load_encoder(exported.version).extract(photos)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
