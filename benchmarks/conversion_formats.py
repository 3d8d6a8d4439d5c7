"""Converts every kind of encoder: which formats take it, how near are they to Keras?

    python -m benchmarks.conversion_formats [--backbones ResNet18 ...]

Prints a markdown table with a row for each encoder, at random weights, and in each
format the largest difference of a number of a descriptor, or why it is not converted.
All backbones take an hour and 10 GB; run it after a change of layers, or of TensorFlow,
tf2onnx or OpenVINO. The exit status is 1 if anything is not converted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.exported_operations import build, kinds
from vpr_tf.config import Preprocessing
from vpr_tf.export.model_files import write_model
from vpr_tf.extraction.engines import compile_forward
from vpr_tf.extraction.export_record import MODEL_FILES
from vpr_tf.extraction.exported_encoder import ENGINE_OF_FORMAT, ExportedEncoder
from vpr_tf.models import GeoLocalizationNet, encoder_fingerprint
from vpr_tf.models.backbones import BACKBONE_NAMES
from vpr_tf.stored_files import StoredFile

_SIZE = 224  # pixels
_LARGEST_DIFFERENCE = 1e-5


def main(arguments: list[str] | None = None) -> int:
    """Converts, and prints a row for each; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbones", nargs="*", default=BACKBONE_NAMES)
    options = parser.parse_args(arguments)
    print(f"| backbone | aggregation | {' | '.join(MODEL_FILES)} |")
    print("| --- | --- |" + " ---: |" * len(MODEL_FILES))
    failed = 0
    for backbone, aggregation in dict.fromkeys(
        (backbone, aggregation) for backbone, aggregation, _ in kinds(options.backbones)
    ):
        encoder = build(backbone, aggregation, _SIZE)
        cells = []
        for model_format in MODEL_FILES:
            try:
                difference = _difference(encoder, model_format)
                failed += not difference < _LARGEST_DIFFERENCE
                cells.append(f"{difference:.1e}")
            except (ValueError, RuntimeError) as error:
                failed += 1
                cells.append(" ".join(str(error).split())[:200])
        print("|", " | ".join((backbone, aggregation, *cells)), "|", flush=True)
    return 1 if failed else 0


def _difference(encoder: GeoLocalizationNet, model_format: str) -> float:
    """Converts, and returns the largest difference of two images' descriptors."""
    rng = np.random.default_rng(0)
    images = rng.random((2, _SIZE, _SIZE, 3), np.float32)
    expected = np.asarray(encoder(images, training=False))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(model_format, encoder, Preprocessing(), folder)
        exported = ExportedEncoder(
            folder,
            model_format,
            {
                file: StoredFile.from_path(folder / file)
                for file in MODEL_FILES[model_format]
            },
            encoder.descriptor_dim,
            encoder_fingerprint(encoder),
            Preprocessing(),
        )
        engine = ENGINE_OF_FORMAT[model_format]
        received = compile_forward(engine, exported, Preprocessing())(images)
    return float(np.max(np.abs(expected - received)))


if __name__ == "__main__":
    sys.exit(main())
