"""Table of engines and precisions: images a second, first descriptor, memory.

    python -m benchmarks.engines [--encoders ResNet18-512 EfficientNetLite0-512]
        [--cells tensorflow:float32 openvino:float32] [--image-size 224]
        [--batch-size 8] [--rounds 3]

Encoders have random weights, but for int8 of OpenVINO, which is calibrated on noise.
Each cell is a process of its own: it loads the encoder, from a .keras file for
TensorFlow and from an export for the others, describes one image, and then a batch
repeatedly. All cells are measured in turn, that many rounds; printed are medians, as
images/s by the clock and by CPU time over all cores (that holds while other programs
run), the ratio of the latter to TensorFlow in float32, the seconds of CPU until the
first descriptor, and the most memory of the process. What a CPU lacks the instructions
for is said.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import record
from benchmarks.timing import describe_machine, measure_rate
from vpr_tf.config import Preprocessing
from vpr_tf.extraction.export_record import MODEL_FILES
from vpr_tf.tables import Column, Table

_ENCODERS = {
    "ResNet18-512": ("ResNet18", 512),
    "ResNet50-512": ("ResNet50", 512),
    "EfficientNetLite0-512": ("EfficientNetLite0", 512),
    "ViT_S16": ("ViT_S16", None),
    "DINOv2_S14": ("DINOv2_S14", None),
}
_CELLS = (
    *("tensorflow:float32", "tensorflow:mixed_bfloat16", "onnxruntime:float32"),
    *("openvino:float32", "openvino:mixed_bfloat16", "openvino:int8"),
    *("litert:float32", "litert:int8"),
)
_FORMATS = {"onnxruntime": "onnx", "openvino": "openvino", "litert": "litert"}
_CALIBRATION_IMAGES = 32
_REPETITIONS = 3


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints one line for each cell."""
    options = _parse(arguments)
    if options.cell:
        print(json.dumps(_measure_cell(options)))
        return
    if options.write:
        _write_encoder(options.encoders[0], options)
        return
    size = options.image_size
    print(f"{describe_machine()}; {size}x{size}, batch {options.batch_size}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for encoder in options.encoders:
            problem = _run([*_common(options), "--encoders", encoder, "--write", name])
            if problem:
                raise SystemExit(f"{encoder}: {problem}")
        rounds = [_round(options, folder) for _ in range(options.rounds)]
    print(_table(options, rounds).to_markdown())


# === One cell, in a process of its own ===


def _measure_cell(options: argparse.Namespace) -> dict[str, Any]:
    start = time.process_time()
    engine, precision = options.cell.split(":")
    size = options.image_size
    prepared = Preprocessing("square", size, precision)
    from vpr_tf.extraction import FeatureExtractor

    encoder = _encoder_of(Path(options.folder), engine, prepared)
    extractor = FeatureExtractor(encoder, prepared, engine=engine)
    forward = extractor.forward()
    rng = np.random.default_rng(0)
    images = rng.random((options.batch_size, size, size, 3), np.float32)
    forward(images[:1])
    first_s = time.process_time() - start
    rate = measure_rate(lambda: forward(images), len(images), _REPETITIONS)
    return {
        "computed": extractor.preprocessing.precision,
        "by_clock": rate.per_second,
        "by_cpu": rate.per_second_of_cpu,
        "first_s": first_s,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }


def _encoder_of(folder: Path, engine: str, prepared: Preprocessing) -> Any:
    if engine == "tensorflow":
        from vpr_tf.models import read_keras_file

        return read_keras_file(folder / "encoder.keras")
    from vpr_tf.extraction.exported_encoder import ExportedEncoder
    from vpr_tf.stored_files import StoredFile

    own = "int8" if prepared.precision == "int8" else "float32"
    model_format = _FORMATS[engine]
    export = folder / model_format / own
    files = {name: StoredFile.from_path(export / name) for name in _files(engine)}
    described = json.loads((folder / "encoder.json").read_text())
    stored = dataclasses.replace(prepared, precision=own)
    return ExportedEncoder(
        export, model_format, files, preprocessing=stored, **described
    )


def _files(engine: str) -> tuple[str, ...]:
    return MODEL_FILES[_FORMATS[engine]]


# === The encoders, in a process of their own ===


def _write_encoder(name: str, options: argparse.Namespace) -> None:
    import keras

    from vpr_tf.export.image_sample import noise
    from vpr_tf.export.model_files import write_model
    from vpr_tf.models import GeoLocalizationNet, encoder_fingerprint

    keras.utils.set_random_seed(0)
    encoder = GeoLocalizationNet(*_ENCODERS[name])
    folder = Path(options.write) / name
    folder.mkdir()
    encoder.save(folder / "encoder.keras")
    described = {
        "descriptor_dim": encoder.descriptor_dim,
        "fingerprint": encoder_fingerprint(encoder),
    }
    (folder / "encoder.json").write_text(json.dumps(described))
    prepared = Preprocessing("square", options.image_size)
    for cell in options.cells:
        engine, precision = cell.split(":")
        own = "int8" if precision == "int8" else "float32"
        export = folder / _FORMATS.get(engine, "") / own
        if engine == "tensorflow" or export.exists():
            continue
        export.mkdir(parents=True)
        needs_images = (engine, own) == ("openvino", "int8")
        sample = noise(_CALIBRATION_IMAGES, prepared, 0) if needs_images else None
        stored = dataclasses.replace(prepared, precision=own)
        write_model(_FORMATS[engine], encoder, stored, export, sample)


# === All of them ===


def _round(options: argparse.Namespace, folder: Path) -> dict[tuple[str, str], Any]:
    found = {}
    for encoder in options.encoders:
        for cell in options.cells:
            words = ["--cell", cell, "--folder", str(folder / encoder)]
            found[encoder, cell] = _run([*_common(options), *words])
    return found


def _run(words: list[str]) -> Any:
    """Runs this program again; returns what it printed, or why it failed."""
    command = [sys.executable, "-m", "benchmarks.engines", *words]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=quiet, check=False
    )
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:200]
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else None


def _common(options: argparse.Namespace) -> list[str]:
    return [
        *("--image-size", str(options.image_size)),
        *("--batch-size", str(options.batch_size)),
        *("--cells", *options.cells),
    ]


def _table(options: argparse.Namespace, rounds: list[dict[Any, Any]]) -> Table:
    columns = [
        *(Column("encoder", "text"), Column("engine", "text")),
        *(Column("precision", "text"), Column("images/s"), Column("by CPU")),
        *(Column("ratio"), Column("first, s CPU"), Column("MB")),
    ]
    rows = []
    for encoder in options.encoders:
        base = _medians(rounds, encoder, "tensorflow:float32")
        for cell in options.cells:
            engine, precision = cell.split(":")
            found = _medians(rounds, encoder, cell)
            if isinstance(found, str):
                rows.append([encoder, engine, precision, found, *[None] * 4])
                continue
            computed = found["computed"]
            if computed != precision:
                precision += f" (computed: {computed})"
            known = isinstance(base, dict)
            times = found["by_cpu"] / base["by_cpu"] if known else None
            ratio = f"{times:.2f}" if times else None
            record(
                *("engines", f"{encoder}, {options.image_size} px, {cell}"),
                *(found["by_cpu"], "images/s of CPU"),
                peer="TensorFlow float32" if known else "",
                ratio=times,
            )
            rows.append(
                [
                    *(encoder, engine, precision, f"{found['by_clock']:.1f}"),
                    *(f"{found['by_cpu']:.1f}", ratio, f"{found['first_s']:.1f}"),
                    f"{found['memory_mb']:.0f}",
                ]
            )
    return Table("", columns, rows)


def _medians(rounds: list[dict[Any, Any]], encoder: str, cell: str) -> Any:
    found: list[Any] = [measured.get((encoder, cell)) for measured in rounds]
    failed = [one for one in found if not isinstance(one, dict)]
    if failed:
        return failed[0]
    names = ("by_clock", "by_cpu", "first_s", "memory_mb")
    medians = {name: statistics.median(one[name] for one in found) for name in names}
    return {**found[0], **medians}


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--encoders", nargs="+", choices=_ENCODERS, default=list(_ENCODERS)
    )
    parser.add_argument("--cells", nargs="+", default=list(_CELLS))
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    # What the processes of this one get.
    for name in ("--cell", "--folder", "--write"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
