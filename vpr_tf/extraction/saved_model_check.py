"""Looks into a SavedModel before TensorFlow does: may it do more than compute?"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from vpr_tf.extraction.errors import UntrustedModelError
from vpr_tf.extraction.saved_model_operations import COMPUTING, SAVING
from vpr_tf.stored_paths import inside
from vpr_tf.trusted_models import models_are_trusted

GRAPH_FILE = "saved_model.pb"
_MOST_BYTES = 512 << 20  # of the graph; exports have about 1 MB, variables lie beside
_MOST_NAMED = 8
# What TensorFlow makes Python objects of: not of files (`asset`), nor of things that a
# function of the model makes while it is loaded (`resource`).
_OBJECT_KINDS = {
    *("user_object", "variable", "function", "bare_concrete_function"),
    *("captured_tensor", "constant"),
}
_USER_OBJECTS = {
    *("_generic_user_object", "signature_map"),
    *("trackable_dict_wrapper", "trackable_list_wrapper", "trackable_tuple_wrapper"),
}
# Not `api_implements`, by which the optimizer puts one function in another's place.
_FUNCTION_ATTRIBUTES = {
    *("_construction_context", "_input_shapes", "_output_shapes", "_tf_data_function"),
    *("_XlaMustCompile", "_XlaHasReferenceVars", "_noinline"),
}
_HANDLES = (types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT)


def check_saved_model(folder: str | Path) -> None:
    """Sees that loading and calling a SavedModel only computes.

    Nothing of it is loaded. Whoever trusts models (`trusting_models`) passes any.

    Args:
        folder: Of one version.

    Raises:
        OSError: It cannot be read.
        StoredPathError: A file in it is a link.
        UntrustedModelError: It may touch files, call Python or is damaged; the message
            names what.
    """
    folder = Path(folder)
    _refuse_links(folder)
    if models_are_trusted():
        return
    found = faults_of(folder)
    if found:
        more = f" and {len(found) - _MOST_NAMED} more" * (len(found) > _MOST_NAMED)
        raise UntrustedModelError(
            f"The SavedModel {folder} must do nothing but compute. Received: "
            f"{', '.join(found[:_MOST_NAMED])}{more}, which may read or write any file "
            "or run anything with your rights. Use a model that `vpr export` wrote. If "
            "you trust its maker as that of a program, pass --trust-model, in Python "
            "`with vpr_tf.trusting_models():`."
        )
    _check_variables(folder / "variables")


def faults_of(folder: str | Path) -> list[str]:
    """Returns what a SavedModel holds that may do more than compute, for people.

    Raises:
        OSError: It cannot be read.
        UntrustedModelError: Its graph is damaged or too large.
    """
    graphs = _read_graph(Path(folder) / GRAPH_FILE).meta_graphs
    faults: dict[str, None] = {}  # in order, each once
    if len(graphs) != 1 or not graphs[0].HasField("object_graph_def"):
        # Of any other the whole graph would be run, as TensorFlow 1 did.
        faults[f"{len(graphs)} graphs instead of one of TensorFlow 2"] = None
    for graph in graphs:
        faults |= dict.fromkeys([*_operation_faults(graph), *_object_faults(graph)])
    return list(faults)


def _refuse_links(folder: Path) -> None:
    for parent, folders, files in os.walk(folder):
        below = Path(parent).relative_to(folder)
        for name in (*folders, *files):
            inside(folder, str(below / name))


def _read_graph(path: Path) -> Any:
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise UntrustedModelError(
            f"{path} must have at most {_MOST_BYTES >> 20} MiB. Received: "
            f"{size >> 20} MiB. Export the model again."
        )
    try:
        return saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except DecodeError as error:
        raise UntrustedModelError(
            f"{path} is damaged: it holds no graph of TensorFlow. Copy or export the "
            "model again."
        ) from error


def _check_variables(folder: Path) -> None:
    """Sees that variables are no larger than their file: they would fill the memory."""
    try:
        reader = tf.train.load_checkpoint(str(folder / "variables"))
        kinds = reader.get_variable_to_dtype_map()
        needed = sum(
            math.prod(shape) * kinds[name].size
            for name, shape in reader.get_variable_to_shape_map().items()
            if kinds[name] != tf.string
        )
        stored = sum(file.stat().st_size for file in folder.glob("variables.data-*"))
    # TensorFlow's reader has many names for a damaged file.
    except (tf.errors.OpError, LookupError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UntrustedModelError(
            f"{folder} is damaged: {reason}. Copy or export the model again."
        ) from error
    if needed > stored:
        raise UntrustedModelError(
            f"{folder} must hold all values of its variables, {needed:,} bytes. "
            f"Received: files of {stored:,} bytes. Copy or export the model again."
        )


def _operation_faults(graph: Any) -> Iterator[str]:
    functions: dict[str, Any] = {}
    for function in graph.graph_def.library.function:
        name = function.signature.name
        # What is called would be another thing than what was looked at.
        if name in functions or op_def_registry.get(name) is not None:
            yield f"a second meaning of {_shown(name)}"
        functions[name] = function
        for attribute in set(function.attr) - _FUNCTION_ATTRIBUTES:
            yield f"a function with {_shown(attribute)}"
    served = _served_nodes(graph)
    loaded = _loaded_functions(graph, served, functions)
    saved = [node for node in graph.graph_def.node if node.name not in served]
    yield from _forbidden(served.values(), functions, COMPUTING)
    yield from _forbidden(saved, functions, COMPUTING | SAVING)
    for function in graph.graph_def.library.function:
        is_loaded = function.signature.name in loaded
        allowed = COMPUTING if is_loaded else COMPUTING | SAVING
        yield from _forbidden(function.node_def, functions, allowed)


def _forbidden(
    nodes: Iterable[Any], functions: dict[str, Any], allowed: frozenset[str]
) -> Iterator[str]:
    for node in nodes:
        if node.op not in allowed and node.op not in functions:
            yield f"the operation {_shown(node.op)}"
        for value in node.attr.values():
            tensors = [value.tensor, *value.list.tensor]
            if any(tensor.dtype in _HANDLES for tensor in tensors):
                yield "a constant that stands for a thing of this process"


def _object_faults(graph: Any) -> Iterator[str]:
    for asset in graph.asset_file_def:
        yield f"the file {_shown(asset.filename)}"
    for item in graph.object_graph_def.nodes:
        kind = item.WhichOneof("kind")
        if kind not in _OBJECT_KINDS:
            yield f"an object of the kind {kind}"
        elif kind == "user_object" and item.user_object.identifier not in _USER_OBJECTS:
            yield f"an object of the kind {_shown(item.user_object.identifier)}"
        for name in (item.registered_name, item.registered_saver):
            if name:
                yield f"an object of the kind {_shown(name)}"
        if item.slot_variables:
            yield "an optimizer"


def _served_nodes(graph: Any) -> dict[str, Any]:
    """Returns the nodes, by name, that signatures and the start of a session run."""
    nodes = {node.name: node for node in graph.graph_def.node}
    wanted = [
        tensor.name
        for signature in graph.signature_def.values()
        for ends in (signature.inputs, signature.outputs)
        for tensor in ends.values()
    ]
    for collection in graph.collection_def.values():
        wanted += collection.node_list.value
    served: dict[str, Any] = {}
    while wanted:
        name = wanted.pop().lstrip("^").split(":")[0]
        if name in nodes and name not in served:
            served[name] = nodes[name]
            wanted += nodes[name].input
    return served


def _loaded_functions(
    graph: Any, served: dict[str, Any], functions: dict[str, Any]
) -> set[str]:
    """Returns the functions that what is served, objects and gradients lead to."""
    library = graph.graph_def.library
    wanted = set(graph.object_graph_def.concrete_functions)
    for item in graph.object_graph_def.nodes:
        wanted |= {
            *item.function.concrete_functions,
            item.bare_concrete_function.concrete_function_name,
            item.captured_tensor.concrete_function,
        }
    for gradient in library.gradient:
        wanted |= {gradient.function_name, gradient.gradient_func}
    wanted |= {gradient.gradient_func for gradient in library.registered_gradients}
    wanted |= _called(served.values())
    loaded: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in functions and name not in loaded:
            loaded.add(name)
            wanted |= _called(functions[name].node_def)
    return loaded


def _called(nodes: Iterable[Any]) -> set[str]:
    called = set()
    for node in nodes:
        called.add(node.op)
        called |= _named_functions(node.attr)
    return called


def _named_functions(attributes: Any) -> set[str]:
    named = set()
    for value in attributes.values():
        for function in (value.func, *value.list.func):
            named |= {function.name, *_named_functions(function.attr)}
    return named


def _shown(name: str) -> str:
    """Returns a foreign name, for a message of one line."""
    return ascii(name[:80])[1:-1]
