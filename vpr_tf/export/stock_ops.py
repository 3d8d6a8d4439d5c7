"""Which operations a SavedModel needs."""

from __future__ import annotations

from pathlib import Path

from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry


def operations_of(folder: str | Path) -> set[str]:
    """Returns the names of all operations in a SavedModel, functions included."""
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((Path(folder) / "saved_model.pb").read_bytes())
    names: set[str] = set()
    for meta_graph in saved_model.meta_graphs:
        graph = meta_graph.graph_def
        functions = {function.signature.name for function in graph.library.function}
        names |= {node.op for node in graph.node}
        for function in graph.library.function:
            names |= {node.op for node in function.node_def}
        names -= functions
    return names


def unknown_operations(folder: str | Path) -> set[str]:
    """Returns the operations that TensorFlow alone does not have.

    Custom operations that this process has loaded count as unknown when their name
    has a namespace, as those of ScaNN.
    """
    return {
        name
        for name in operations_of(folder)
        if ">" in name or op_def_registry.get(name) is None
    }
