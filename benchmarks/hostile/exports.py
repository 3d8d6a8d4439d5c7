"""Exported encoders: damaged, and with what reads files, branches or needs a plugin."""

from __future__ import annotations

import dataclasses
import functools
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile.inputs import Content, Files, Link
from benchmarks.hostile.mutations import json_text, mutated_bytes, mutated_value
from benchmarks.hostile.watch import ABSOLUTE_OUTSIDE, OUTSIDE
from vpr_tf.config import Preprocessing
from vpr_tf.extraction.engines import compile_forward, default_engine
from vpr_tf.extraction.export_record import EXPORT_RECORD, ExportRecord, Parity
from vpr_tf.extraction.exported_encoder import ExportedEncoder
from vpr_tf.stored_files import Checksums

_SECRET, _SECRET_BYTES = f"../{OUTSIDE}/secret.txt", b"secret floats" * 8
_DIM = 3
_FINGERPRINT = "f" * 64


@functools.cache
def onnx_model() -> bytes:
    """Returns an encoder whose descriptors are the mean colours."""
    from onnx import TensorProto, helper, numpy_helper

    floats = functools.partial(helper.make_tensor_value_info, elem_type=1)
    mean = helper.make_node("ReduceMean", ["images", "axes"], ["colours"], keepdims=0)
    scale = helper.make_node("Mul", ["colours", "scale"], ["scaled"])
    unit = helper.make_node("LpNormalization", ["scaled"], ["descriptors"], axis=1)
    graph = helper.make_graph(
        [mean, scale, unit],
        "encoder",
        [floats("images", shape=["batch", "height", "width", 3])],
        [floats("descriptors", shape=["batch", _DIM])],
        [
            numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
            helper.make_tensor("scale", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0]),
        ],
    )
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    model.metadata_props.add(key="fingerprint", value=_FINGERPRINT)
    return bytes(model.SerializeToString())


@functools.cache
def openvino_model() -> dict[str, bytes]:
    """Returns the same as OpenVINO's two files."""
    import openvino

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.xml"
        model = openvino.Core().read_model(onnx_model())
        openvino.save_model(model, path, compress_to_fp16=False)
        files = (path, path.with_suffix(".bin"))
        return {file.name: file.read_bytes() for file in files}


def export_files(model_format: str, contents: dict[str, bytes]) -> dict[str, bytes]:
    """Returns the files of an export, with a record that fits them."""
    stored = {}
    for name, content in contents.items():
        sums = Checksums()
        sums.update(content)
        stored[name] = sums.stored()
    record = ExportRecord(
        1,
        model_format,
        "float32",
        _DIM,
        _FINGERPRINT,
        "mean colours",
        Preprocessing("square", 16),
        stored,
        Parity("none", 1, 0.0, 1.0),
    )
    return {**contents, EXPORT_RECORD: json_text(dataclasses.asdict(record))}


# === ONNX ===

# By operation: its domain and its attributes.
_OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "If": ("", {}),
    "Loop": ("", {}),
    "Scan": ("", {"num_scan_inputs": 1}),
    "SequenceMap": ("", {}),
    "ImageDecoder": ("", {}),
    "RandomNormal": ("", {"shape": [3]}),
    "StringConcat": ("", {}),
    "EPContext": ("com.microsoft", {"ep_cache_context": f"{ABSOLUTE_OUTSIDE}/made"}),
    "FusedConv": ("com.microsoft", {"activation": "Relu"}),
    "ATen": ("org.pytorch.aten", {"operator": "aten::from_file"}),
    "PythonOp": ("com.microsoft", {"func_name": "os.system"}),
    "Custom": (f"{ABSOLUTE_OUTSIDE}/secret.so", {}),
}


def with_operation(data: bytes, name: str, domain: str, **attributes: Any) -> bytes:
    """Returns a model with one more operation, through which the descriptors go."""
    import onnx

    model = onnx.ModelProto.FromString(data)
    model.graph.node[-1].output[0] = "before"
    added = onnx.helper.make_node(
        name, ["before"], ["descriptors"], domain=domain, **attributes
    )
    model.graph.node.append(added)
    if domain:
        model.opset_import.add(domain=domain, version=1)
    return bytes(model.SerializeToString())


def with_weights_elsewhere(data: bytes, location: str) -> bytes:
    """Returns a model whose weights lie in another file."""
    import onnx

    model = onnx.ModelProto.FromString(data)
    tensor = model.graph.initializer[1]
    tensor.ClearField("float_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return bytes(model.SerializeToString())


def with_dims(data: bytes, *dims: int) -> bytes:
    """Returns a model that declares more weights than it has."""
    import onnx

    model = onnx.ModelProto.FromString(data)
    model.graph.initializer[1].dims[:] = dims
    return bytes(model.SerializeToString())


def make_onnx(rng: random.Random) -> Files:
    """Returns an export as ONNX with changes of the model, the record or the files."""
    model, which = onnx_model(), rng.random()
    if which < 0.3:
        name = rng.choice(sorted(_OPERATIONS))
        domain, attributes = _OPERATIONS[name]
        model = with_operation(model, name, domain, **attributes)
    elif which < 0.4:
        paths = (_SECRET, f"{ABSOLUTE_OUTSIDE}/secret.txt", "model.onnx", "")
        model = with_weights_elsewhere(model, rng.choice(paths))
    elif which < 0.5:
        model = with_dims(model, rng.choice((-1, 0, 4, 2**40)), rng.choice((1, 2**40)))
    elif which < 0.8:
        model = mutated_bytes(rng, model)
    files = export_files("onnx", {"model.onnx": model})
    return _with_changes(rng, files, which >= 0.8)


# === OpenVINO ===

_LAYERS = (
    (' type="Multiply" version="opset1"', ' type="Loop" version="opset5"'),
    (' type="Multiply" version="opset1"', ' type="ReadValue" version="opset6"'),
    (' type="Multiply" version="opset1"', ' type="Multiply" version="extension"'),
    (' type="Multiply" version="opset1"', ' type="Python" version="opset1"'),
    (
        "<net ",
        f'<!DOCTYPE a [<!ENTITY b SYSTEM "{ABSOLUTE_OUTSIDE}/secret.txt">]><net ',
    ),
    (' offset="0"', ' offset="9999999999"'),
    (' size="12"', ' size="120000000"'),
)


def make_openvino(rng: random.Random) -> Files:
    """Returns an export of OpenVINO's format with changes of any file."""
    contents, which = dict(openvino_model()), rng.random()
    if which < 0.4:
        before, after = rng.choice(_LAYERS)
        graph = contents["model.xml"].decode().replace(before, after)
        contents["model.xml"] = graph.encode()
    elif which < 0.7:
        contents["model.xml"] = mutated_bytes(rng, contents["model.xml"])
    elif which < 0.8:
        contents["model.bin"] = mutated_bytes(rng, contents["model.bin"])
    return _with_changes(rng, export_files("openvino", contents), which >= 0.8)


def _with_changes(
    rng: random.Random, whole: dict[str, bytes], of_record: bool
) -> Files:
    files: dict[str, Content] = dict(whole)
    if of_record:
        which = rng.random()
        name = rng.choice(sorted(whole))
        if which < 0.7:
            record = mutated_value(rng, json.loads(whole[EXPORT_RECORD]))
            files[EXPORT_RECORD] = json_text(record)
        elif which < 0.8:
            files[name] = mutated_bytes(rng, whole[name])
        elif which < 0.9:
            del files[name]
        else:
            files[name] = Link(f"{ABSOLUTE_OUTSIDE}/{name}")
            return {**files, **{f"../{OUTSIDE}/{n}": d for n, d in whole.items()}}
    return {**files, _SECRET: _SECRET_BYTES}


def read_export(folder: Path) -> list[str]:
    """Loads an export and describes an image; returns what must not be."""
    encoder = ExportedEncoder.from_folder(folder)
    engine = default_engine(encoder)
    forward = compile_forward(engine, encoder, encoder.preprocessing)
    images = np.full((1, 16, 16, 3), 0.5, np.float32)
    descriptors = forward(images)
    if descriptors.shape[:1] != (1,):
        return [f"descriptors of the shape {descriptors.shape}"]
    if encoder.format != "onnx":
        return []
    import onnx

    model = onnx.ModelProto.FromString(encoder.contents()[0])
    held = {node.op_type for node in model.graph.node} & set(_OPERATIONS)
    return [f"the operation {name} is accepted" for name in sorted(held)]
