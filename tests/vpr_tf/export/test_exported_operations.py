"""What is exported today may be loaded by others: a spread of backbones and heads.

`python -m benchmarks.exported_operations` exports all of them.
"""

import pytest
import tensorflow as tf

from tests.vpr_tf.classification.tiny_classifier import (
    random_classifier,
    shared_table,
    street_table,
)
from vpr_tf.config import Preprocessing
from vpr_tf.export import ServedEncoder
from vpr_tf.export.served_classifier import ServedClassifier
from vpr_tf.extraction.saved_model_operations import COMPUTING
from vpr_tf.models import GeoLocalizationNet

ENCODERS = [
    ("ResNet18", "average"),
    ("ResNet18", "max"),
    ("ResNet18", "rmac"),
    ("ResNet18", "netvlad"),
    ("ResNet18", "attention"),
    ("MobileNetV3Small", "gem"),
    ("ConvNeXtTiny", "gem"),
    ("EfficientNet_B0", "gem"),
]


def operations_of(function):
    """All operations of a function of TensorFlow, as they would be exported."""
    graph = function.get_concrete_function().graph.as_graph_def()
    nodes = list(graph.node)
    for called in graph.library.function:
        nodes += called.node_def
    names = {called.signature.name for called in graph.library.function}
    return {node.op for node in nodes} - names


@pytest.mark.parametrize(("backbone", "aggregation"), ENCODERS)
def test_encoder_computes_only(backbone, aggregation):
    encoder = GeoLocalizationNet(backbone, 4, aggregation=aggregation, last_stage=1)
    served = ServedEncoder(encoder, Preprocessing("square", 32))
    found = operations_of(served.from_images)
    assert {"Conv2D", "MatMul"} <= found
    assert found <= COMPUTING


@pytest.mark.parametrize("resize", ["native", "shorter_side", "square"])
def test_reading_of_images_computes_only(resize):
    served = ServedEncoder(Colours(), Preprocessing(resize, 32))
    for function in (served.from_bytes, served.flagged):
        found = operations_of(function)
        assert "IgnoreErrorsDataset" in found
        assert found <= COMPUTING


@pytest.mark.parametrize("score", ["raw", "cosine", "softmax"])
@pytest.mark.parametrize("kind", ["cosine", "linear", "mixture"])
def test_heads_compute_only(kind, score):
    tables = [street_table(30, 1)]
    if kind != "mixture":
        tables += [street_table(30, 4), shared_table(30)]
    for table in tables:
        classifier = random_classifier(table, 3, kind, score, hidden=1)
        served = ServedClassifier(Colours(), classifier, Preprocessing("square", 8), 5)
        assert operations_of(served.from_images) <= COMPUTING


class Colours:
    """An encoder that is traced in no time."""

    descriptor_dim = 3
    variables = ()

    def __call__(self, images, training=False):
        return tf.reduce_mean(images, (1, 2))
