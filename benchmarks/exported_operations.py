"""Exports every kind of encoder and of heads: do all of them pass the check of others?

    python -m benchmarks.exported_operations [--backbones ResNet18 ...]

Whoever is sent a SavedModel loads it only if its operations are in
`vpr_tf.extraction.saved_model_operations`. This prints a markdown table with a row for
each export and what would be refused of it, and then all operations. Weights are
random. All backbones take some 40 minutes and 8 GB; run it after a change of layers, of
the served graph, or of TensorFlow. The exit status is 1 if anything would be refused.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
from tensorflow.core.protobuf import saved_model_pb2

from vpr_tf.config import DatasetConfig, EvaluationConfig, ExperimentConfig
from vpr_tf.export import export_encoder
from vpr_tf.export.saved_model import ExportError
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.models.backbones import BACKBONE_NAMES

_SIZE = 56  # pixels: a multiple of all strides and patches
_CONVOLUTIONS, _TRANSFORMER = "ResNet18", "DINOv2_S14"
_OF_MAPS = ("gem", "average", "max", "rmac", "netvlad", "attention", "mixvpr")
_OF_TOKENS = ("class_token", "optimal_transport")
_RESIZES = ("native", "shorter_side", "square")


def main(arguments: list[str] | None = None) -> int:
    """Exports, and prints a row for each; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbones", nargs="*", default=BACKBONE_NAMES)
    options = parser.parse_args(arguments)
    print("| backbone | aggregation | resize | operations | refused |")
    print("| --- | --- | --- | ---: | --- |")
    seen: set[str] = set()
    refused = 0
    for backbone, aggregation, resize in kinds(options.backbones):
        try:
            operations = _exported(backbone, aggregation, resize)
            seen |= operations
            cells = [str(len(operations)), ""]
        except ExportError as error:
            refused += 1
            cells = ["", str(error)]
        print("|", " | ".join((backbone, aggregation, resize, *cells)), "|", flush=True)
    print(f"\n{len(seen)} operations: {', '.join(sorted(seen))}")
    return 1 if refused else 0


def kinds(backbones: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yields backbone, aggregation and resize, so that each occurs."""
    for backbone in backbones:
        yield backbone, "gem", "square"
    for resize in _RESIZES[:-1]:
        yield _CONVOLUTIONS, "gem", resize
    for aggregation in _OF_MAPS[1:]:
        yield _CONVOLUTIONS, aggregation, "square"
    for aggregation in _OF_TOKENS:
        yield _TRANSFORMER, aggregation, "square"


def build(backbone: str, aggregation: str, size: int) -> GeoLocalizationNet:
    """Builds an encoder with random weights, for images of one size if it must."""
    keras.backend.clear_session()
    options: Mapping[str, Any] = {}
    if aggregation == "mixvpr":
        options = {"image_shape": (size, size, 3)}
    return GeoLocalizationNet(backbone, 16, aggregation=aggregation, **options)


def _exported(backbone: str, aggregation: str, resize: str) -> set[str]:
    """Returns the operations of an export."""
    encoder = build(backbone, aggregation, _SIZE)
    config = ExperimentConfig(
        name="encoder",
        dataset=DatasetConfig(path="none"),
        evaluation=EvaluationConfig(resize=resize, image_size=_SIZE),
    )
    with tempfile.TemporaryDirectory() as folder:
        version = export_encoder(encoder, config, folder)
        return _operations(version / "saved_model.pb")


def _operations(file: Path) -> set[str]:
    graph = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    (content,) = (one.graph_def for one in graph.meta_graphs)
    nodes = list(content.node)
    for function in content.library.function:
        nodes += function.node_def
    functions = {function.signature.name for function in content.library.function}
    return {node.op for node in nodes} - functions


if __name__ == "__main__":
    sys.exit(main())
