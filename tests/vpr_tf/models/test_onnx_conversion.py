"""An encoder as ONNX computes what Keras does, and its bytes depend on it alone."""

import json
import random
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import vpr_tf as vpr
from vpr_tf.config import Preprocessing
from vpr_tf.models import encoder_fingerprint, to_onnx
from vpr_tf.models.onnx_conversion import _make_canonical

onnx = pytest.importorskip("onnx")
pytest.importorskip("tf2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

PREPARED = Preprocessing("square", 96)


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(0)
    return vpr.GeoLocalizationNet("EfficientNetLite0", 16, last_stage=1)


@pytest.fixture(scope="module")
def model(encoder):
    return to_onnx(encoder, PREPARED)


def renamed(model: bytes, seed: int):
    """The same computation with other names, in another order."""
    draw = random.Random(seed)
    parsed = onnx.load_from_string(model)
    graph = parsed.graph
    names = {name for node in graph.node for name in [*node.input, *node.output]}
    new = {name: name and f"n{draw.getrandbits(64)}" for name in sorted(names)}
    for node in graph.node:
        node.name = f"n{draw.getrandbits(64)}"
        node.input[:] = [new[name] for name in node.input]
        node.output[:] = [new[name] for name in node.output]
    for value in [*graph.input, *graph.output, *graph.initializer]:
        value.name = new[value.name]
    for part in (graph.node, graph.initializer):
        shuffled = [type(entry).FromString(entry.SerializeToString()) for entry in part]
        draw.shuffle(shuffled)
        del part[:]
        part.extend(shuffled)
    return parsed


def test_descriptors_are_those_of_keras_at_every_size(encoder, model):
    session = onnxruntime.InferenceSession(model)
    for shape in ((1, 64, 96, 3), (3, 50, 33, 3)):
        images = np.random.default_rng(0).random(shape, np.float32)
        (descriptors,) = session.run(["descriptors"], {"images": images})
        expected = encoder(images, training=False).numpy()
        np.testing.assert_allclose(descriptors, expected, atol=1e-5)


# Those whose operations the others do not have, cut after the block that has them;
# `python -m benchmarks.conversion_formats` has all.
FORMS = [
    ("EfficientNetLite0", "rmac", 1),
    ("EfficientNetLite0", "mixvpr", 1),
    ("MobileNetV3Small", "gem", 4),
    ("DINOv2_S14", "optimal_transport", 1),
    ("DINOv2_S14", "gem", 1),
    ("EfficientNetLite0", "boq", 1),
]


@pytest.mark.parametrize(("backbone", "aggregation", "last_stage"), FORMS)
def test_operations_of_each_kind_are_those_of_keras(backbone, aggregation, last_stage):
    keras.utils.set_random_seed(0)
    side = 32 if aggregation == "mixvpr" else None
    encoder = vpr.GeoLocalizationNet(
        backbone,
        None,
        aggregation=aggregation,
        last_stage=last_stage,
        image_shape=(side, side, 3),
    )
    session = onnxruntime.InferenceSession(to_onnx(encoder, PREPARED))
    # Optimal transport needs 64 patches; attention among many locations takes long.
    large = backbone == "DINOv2_S14"
    sizes = ((130, 130), (126, 168)) if large else ((42, 42), (38, 56))
    for height, width in ((side, side),) if side else sizes:
        images = np.random.default_rng(0).random((2, height, width, 3), np.float32)
        (descriptors,) = session.run(None, {"images": images})
        expected = encoder(images, training=False).numpy()
        np.testing.assert_allclose(descriptors, expected, atol=1e-5)


def test_axes_and_metadata_are_named(encoder, model):
    parsed = onnx.load_from_string(model)
    onnx.checker.check_model(parsed, full_check=True)
    axes = {
        value.name: [
            dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim
        ]
        for value in [*parsed.graph.input, *parsed.graph.output]
    }
    assert axes == {
        "images": ["batch", "height", "width", 3],
        "descriptors": ["batch", 16],
    }
    metadata = {entry.key: entry.value for entry in parsed.metadata_props}
    assert metadata.pop("description") == "EfficientNetLite0, gem, 16 dimensions"
    assert Preprocessing(**json.loads(metadata.pop("preprocessing"))) == PREPARED
    assert metadata == {
        "descriptor_dim": "16",
        "fingerprint": encoder_fingerprint(encoder),
    }
    assert [(opset.domain, opset.version) for opset in parsed.opset_import] == [
        ("", 18)
    ]


def test_bytes_are_the_same_again_under_any_precision_and_name(encoder, model):
    config = encoder.get_config() | {"dtype": "mixed_bfloat16", "name": "other"}
    copy = vpr.GeoLocalizationNet.from_config(config)
    copy.set_weights(encoder.get_weights())
    assert to_onnx(copy, PREPARED) == model


@pytest.mark.parametrize("seed", range(3))
def test_names_and_order_of_the_converter_do_not_matter(model, seed):
    expected = onnx.load_from_string(model)
    other = renamed(model, seed)
    assert other.graph != expected.graph
    _make_canonical(onnx, other.graph)
    assert other.graph == expected.graph


class Odd(vpr.GeoLocalizationNet):
    """Has an operation that ONNX does not have."""

    def call(self, images, training=None, mask=None):
        return tf.math.bessel_i0(tf.reduce_mean(images, (1, 2)))


def test_operation_that_onnx_lacks_is_named():
    odd = Odd("MobileNetV3Small", 3)
    with pytest.raises(ValueError, match=r"BesselI0 \(.*BesselI0.*SavedModel"):
        to_onnx(odd, PREPARED)


def test_too_large_an_encoder_is_refused(encoder, monkeypatch):
    monkeypatch.setattr(encoder, "count_params", lambda: 2**29)
    with pytest.raises(ValueError, match="less than 2 GB"):
        to_onnx(encoder, PREPARED)


def test_missing_extra_is_named(encoder, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ImportError, match=r"tf2onnx .*'vpr_tf\[onnx\]'"):
        to_onnx(encoder, PREPARED)
