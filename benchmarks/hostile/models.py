"""`.keras` files and SavedModels: damaged, and with what reads, writes or runs."""

from __future__ import annotations

import functools
import io
import json
import random
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from benchmarks.hostile.inputs import Content, Files, Link
from benchmarks.hostile.mutations import json_text, mutated_bytes, mutated_value
from benchmarks.hostile.watch import ABSOLUTE_OUTSIDE, OUTSIDE
from vpr_tf.config import config_from_values, save_config
from vpr_tf.extraction.saved_encoder import read_stored_encoder
from vpr_tf.models import GeoLocalizationNet

_SECRET = f"../{OUTSIDE}/secret.txt"
_FILE, _MADE = f"{ABSOLUTE_OUTSIDE}/secret.txt", f"{ABSOLUTE_OUTSIDE}/made"
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_GRAPH = "saved_model.pb"

# === .keras ===

_CLASSES = (
    {"module": "os", "class_name": "system", "registered_name": None},
    {"module": "keras.layers", "class_name": "Lambda", "registered_name": None},
    {"module": "keras", "class_name": "Functional", "registered_name": "Functional"},
    {"module": "builtins", "class_name": "function", "registered_name": "function"},
    {"module": "keras.layers", "class_name": "TFSMLayer", "registered_name": None},
    {"module": "subprocess", "class_name": "Popen", "registered_name": "vpr_tf>Popen"},
    {"module": "keras.utils", "class_name": "get_file", "registered_name": "get_file"},
    {"class_name": "__lambda__", "config": {"value": ["4wEA", None, None]}},
)


@functools.cache
def _keras_members() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.keras"
        # The backbone that is built fastest: half of the files get as far.
        GeoLocalizationNet("VGG16", 32, last_stage=0).save(path)
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def make_keras(rng: random.Random) -> Files:
    """Returns a `.keras` file with changes of its config, weights or archive."""
    members = dict(_keras_members())
    which = rng.random()
    if which < 0.5:
        content = json.loads(members[_CONFIG])
        if rng.random() < 0.5:
            content = mutated_value(rng, content)
        else:
            _put_class(rng, content)
        members[_CONFIG] = json_text(content)
    elif which < 0.65:
        members[_WEIGHTS] = mutated_bytes(rng, members[_WEIGHTS])
    elif which < 0.75:
        name = rng.choice(sorted(members))
        members[name] = mutated_bytes(rng, members[name])
    extra = rng.choice(
        (f"../{OUTSIDE}/made", _MADE, "assets/a", "a\0b", _CONFIG, "x" * 300)
    )
    file = io.BytesIO()
    compression = zipfile.ZIP_DEFLATED if rng.random() < 0.1 else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a name is there twice
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
        if 0.75 <= which < 0.85:
            data = bytes(rng.choice((1, 10**6, 10**8)))
            archive.writestr(zipfile.ZipInfo(extra), data, zipfile.ZIP_DEFLATED)
    data = file.getvalue()
    damaged = mutated_bytes(rng, data) if which >= 0.85 else data
    return {"encoder.keras": damaged, _SECRET: b"secret"}


def _put_class(rng: random.Random, content: dict[str, Any]) -> None:
    """Names another class somewhere in a config."""
    places = [content, *_mappings(content)]
    place, other = rng.choice(places), dict(rng.choice(_CLASSES))
    if rng.random() < 0.5:
        arguments = {"function": dict(other), "filepath": _FILE}
        other["config"] = arguments | {"args": [f"touch {_MADE}"]}
    if rng.random() < 0.5:
        place.update(other)
    else:
        place[rng.choice((*place, "build_config", "compile_config"))] = other


def _mappings(value: Any) -> list[dict[str, Any]]:
    found = [value] if isinstance(value, dict) else []
    inner = value.values() if isinstance(value, dict) else value
    for one in inner:
        if isinstance(one, dict | list):
            found += _mappings(one)
    return found


def read_keras(folder: Path) -> list[str]:
    """Reads an encoder; returns what must not be."""
    encoder = read_stored_encoder(folder / "encoder.keras")
    if not isinstance(encoder, GeoLocalizationNet):
        return [f"it is a {type(encoder).__name__}"]
    return []


# === SavedModels ===

# By operation: its inputs, all of them texts, and its attributes.
_OPERATIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "ReadFile": ((_FILE,), {}),
    "WriteFile": ((_MADE, "text"), {}),
    "MatchingFiles": ((f"{ABSOLUTE_OUTSIDE}/*",), {}),
    "ReadVariableOp": ((_FILE,), {"dtype": tf.float32}),
    "ImmutableConst": (
        (),
        {"dtype": tf.uint8, "shape": [6], "memory_region_name": _FILE},
    ),
    "TextLineDataset": ((_FILE, "", ""), {}),
    "TFRecordDataset": ((_FILE, "", ""), {}),
    "PyFunc": ((_FILE,), {"token": "pyfunc_0", "Tout": [tf.float32]}),
    "EagerPyFunc": ((_FILE,), {"token": "pyfunc_0", "Tout": [tf.float32]}),
    "PrintV2": ((_FILE,), {"output_stream": f"file://{_MADE}"}),
    "SaveV2": ((_MADE, "a", ""), {"dtypes": []}),
    "Save": ((_MADE, "a"), {"T": []}),
    "MergeV2Checkpoints": ((_FILE, _MADE), {"delete_old_dirs": True}),
    "DeleteSessionTensor": ((_FILE,), {}),
    "InitializeTableFromTextFileV2": ((_FILE, _FILE), {}),
    "LoadDataset": ((_FILE,), {}),
    "DebugIdentityV2": ((_FILE,), {"tfdbg_run_id": "a"}),
    "WholeFileReaderV2": ((), {"container": "", "shared_name": ""}),
    "DataServiceDatasetV2": ((), {}),
    "RpcClient": ((_FILE,), {}),
    "CollectiveReduce": ((), {}),
    "LoadLibrary": ((_FILE,), {}),
    "Scann>ScannCreateSearcher": ((_FILE,), {}),
}


# Harmless where nothing that is loaded refers to them; the watch sees if they run.
_NOT_RUN = {"ReadVariableOp", "SaveV2", "MergeV2Checkpoints"}


def _config() -> Any:
    return config_from_values(
        {
            "name": "hostile",
            "dataset": {"path": "none"},
            "evaluation": {"resize": "square", "image_size": 16},
        }
    )


@functools.cache
def saved_model_files() -> dict[str, bytes]:
    """Returns the files of a SavedModel whose descriptors are the mean colours."""
    module = tf.Module()
    module.shift = tf.Variable([0.0, 0.0, 0.1])

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), name="images")])
    def describe(images: Any) -> dict[str, Any]:
        colours = tf.reduce_mean(images, (1, 2)) + module.shift
        return {"descriptors": tf.math.l2_normalize(colours, 1)}

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "1"
        tf.saved_model.save(module, str(folder), signatures={"descriptors": describe})
        (folder / "assets.extra").mkdir()
        save_config(_config(), folder / "assets.extra" / "config.yaml")
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def make_saved_model(rng: random.Random) -> Files:
    """Returns a SavedModel with changed files or further operations."""
    files: dict[str, Content] = dict(saved_model_files())
    whole = saved_model_files()
    which = rng.random()
    if which < 0.5:
        files[_GRAPH] = _with_operation(rng, whole[_GRAPH])
    elif which < 0.7:
        files[_GRAPH] = mutated_bytes(rng, whole[_GRAPH])
    elif which < 0.85:
        name = rng.choice(sorted(whole))
        files[name] = mutated_bytes(rng, whole[name])
    elif which < 0.9:
        del files[rng.choice(sorted(whole))]
    else:
        name = rng.choice(sorted(whole))
        files[name] = Link(f"{ABSOLUTE_OUTSIDE}/{name}")
        return {**files, **{f"../{OUTSIDE}/{n}": data for n, data in whole.items()}}
    return {**files, _SECRET: b"secret"}


def _with_operation(rng: random.Random, data: bytes) -> bytes:
    """Returns a graph with one more operation, which runs if anything lets it."""
    model = saved_model_pb2.SavedModel.FromString(data)
    meta = model.meta_graphs[0]
    function = rng.choice([None, *meta.graph_def.library.function])
    nodes = meta.graph_def.node if function is None else function.node_def
    name = rng.choice(sorted(_OPERATIONS))
    inputs, attributes = _OPERATIONS[name]
    added = nodes.add(name="added", op=name)
    for number, text in enumerate(inputs):
        text_node = nodes.add(name=f"added_{number}", op="Const")
        text_node.attr["dtype"].type = tf.string.as_datatype_enum
        value = tf.make_tensor_proto(text)
        text_node.attr["value"].tensor.CopyFrom(value)
        added.input.append(
            f"added_{number}" + (":output:0" if function is not None else "")
        )
    for key, value in attributes.items():
        _set_attribute(added.attr[key], value)
    if function is not None:
        function.control_ret["added"] = "added"
        function.signature.control_output.append("added")
        for node in list(nodes)[:1]:
            node.input.append("^added")
    elif rng.random() < 0.5:
        meta.collection_def["saved_model_main_op"].node_list.value.append("added")
    if rng.random() < 0.2:
        asset = meta.asset_file_def.add(filename=f"../../{OUTSIDE}/secret.txt")
        asset.tensor_info.name = "added_0:0"
    result: bytes = model.SerializeToString()
    return result


def _set_attribute(attribute: Any, value: Any) -> None:
    if isinstance(value, tf.DType):
        attribute.type = value.as_datatype_enum
    elif isinstance(value, bool):
        attribute.b = value
    elif isinstance(value, str):
        attribute.s = value.encode()
    elif value and isinstance(value[0], int):
        for size in value:
            attribute.shape.dim.add(size=size)
    else:
        attribute.list.type.extend(one.as_datatype_enum for one in value)


def read_saved_model(folder: Path) -> list[str]:
    """Loads a SavedModel and describes an image; returns what must not be."""
    encoder = read_stored_encoder(folder)
    problems = []
    descriptors = np.asarray(encoder(tf.ones((1, 16, 16, 3))))
    if descriptors.shape[:1] != (1,) or descriptors.ndim != 2:
        problems.append(f"descriptors of the shape {descriptors.shape}")
    data = (folder / _GRAPH).read_bytes()
    graph = saved_model_pb2.SavedModel.FromString(data).meta_graphs[0].graph_def
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    held = {node.op for node in nodes if node.name == "added"} - _NOT_RUN
    return problems + [f"the operation {name} is accepted" for name in sorted(held)]
