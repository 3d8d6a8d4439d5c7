"""Looks into an exported encoder before its engine does: does it only compute?"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vpr_tf.extraction.errors import EncoderError, UntrustedModelError
from vpr_tf.extraction.exported_operations import (
    ONNX_OPERATIONS,
    OPENVINO_OPERATIONS,
    TFLITE_OPERATIONS,
)
from vpr_tf.extras import import_extra
from vpr_tf.trusted_models import models_are_trusted

_MOST_NAMED = 8
_MOST_OPERATIONS = 100_000
_MOST_GRAPH_BYTES = 64 << 20  # of OpenVINO's XML; exports have about 0.5 MB
_OPSET = re.compile(r"opset\d{1,2}")
# Bytes of a value of ONNX's data types, and the field that holds them if not the bytes.
_ONNX_TYPES = {
    1: (4, "float_data"),
    **dict.fromkeys((2, 3, 9), (1, "int32_data")),
    **dict.fromkeys((4, 5, 10, 16), (2, "int32_data")),
    6: (4, "int32_data"),
    7: (8, "int64_data"),
    11: (8, "double_data"),
    12: (4, "uint64_data"),
    13: (8, "uint64_data"),
}


def check_contents(model_format: str, contents: list[bytes], folder: Path) -> None:
    """Sees that an exported encoder only computes.

    No engine gets it before. Whoever trusts models (`trusting_models`) passes any.

    Args:
        model_format: `onnx`, `openvino` or `litert`.
        contents: Of its files; only the first one is a graph.
        folder: Where they lie, for messages.

    Raises:
        UntrustedModelError: It may read files, or needs a plugin, or is damaged; the
            message names what.
        EncoderError: The library that looks into it is not installed.
    """
    if models_are_trusted():
        return
    found = list(dict.fromkeys(_FAULTS[model_format](contents[0])))
    if found:
        more = f" and {len(found) - _MOST_NAMED} more" * (len(found) > _MOST_NAMED)
        raise UntrustedModelError(
            f"The exported encoder {folder} must do nothing but compute. Received: "
            f"{', '.join(found[:_MOST_NAMED])}{more}. Use one that `vpr export` wrote. "
            "If you trust its maker as that of a program, pass --trust-model, in "
            "Python `with vpr_tf.trusting_models():`."
        )


def _onnx_faults(content: bytes) -> Iterator[str]:
    try:
        model = import_extra("onnx", "onnx").ModelProto.FromString(content)
    except ImportError as error:
        raise EncoderError(str(error)) from error
    except Exception:  # protobuf's own; which depends on its version
        yield "a damaged file that holds no ONNX model"
        return
    if not model.graph.node:
        yield "a file that holds no ONNX model"
    if model.functions or model.training_info:
        yield "functions of its own"
    for opset in model.opset_import:
        if opset.domain not in ("", "ai.onnx"):
            yield f"operations of the domain {_shown(opset.domain)}"
    if len(model.graph.sparse_initializer):
        yield "sparse weights"
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in ONNX_OPERATIONS:
            yield f"the operation {_shown(f'{node.domain} {node.op_type}'.strip())}"
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                yield "a graph inside an operation"
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                yield "sparse weights"
            if attribute.HasField("t"):
                yield from _tensor_faults(attribute.t)
            for tensor in attribute.tensors:
                yield from _tensor_faults(tensor)
    for tensor in model.graph.initializer:
        yield from _tensor_faults(tensor)


def _tensor_faults(tensor: Any) -> Iterator[str]:
    """Yields what is wrong with weights: elsewhere, or not as many as declared."""
    if tensor.external_data or tensor.data_location:
        yield "weights in another file"
        return
    size, field = _ONNX_TYPES.get(tensor.data_type, (0, ""))
    if not size or min(tensor.dims, default=0) < 0:
        yield "weights that are no numbers"
        return
    # A value that is not in the raw bytes takes one element of its list.
    stored = len(tensor.raw_data) / size or len(getattr(tensor, field))
    if stored != math.prod(tensor.dims):
        yield "weights that lack values"


def _openvino_faults(content: bytes) -> Iterator[str]:
    is_plain = b"\0" not in content and b"<!" not in content
    if len(content) > _MOST_GRAPH_BYTES or not is_plain:
        yield "a graph that is no plain XML, or too large"
        return
    try:
        content.decode()
        net = ElementTree.fromstring(content)
    except (ValueError, ElementTree.ParseError):
        yield "a damaged graph: it is no XML"
        return
    if net.tag != "net" or net.find("layers") is None:
        yield "a file that holds no graph of OpenVINO"
    for layer in net.iter("layer"):
        operation, version = layer.get("type", ""), layer.get("version", "")
        known = operation in OPENVINO_OPERATIONS and _OPSET.fullmatch(version)
        if not known:
            yield f"the operation {_shown(f'{version} {operation}')}"
    # Bodies of loops and branches.
    for tag in ("body", "then_body", "else_body", "port_map", "back_edges"):
        if net.find(f".//{tag}") is not None:
            yield "a graph inside an operation"


def _tflite_faults(content: bytes) -> Iterator[str]:
    from ai_edge_litert import schema_py_generated as schema

    try:
        found = _tflite_parts(schema, content)
    except Exception:  # flatbuffers reads wherever a damaged file points to
        yield "a damaged file that holds no LiteRT model"
        return
    yield from found


def _tflite_parts(schema: Any, content: bytes) -> list[str]:
    if not schema.Model.ModelBufferHasIdentifier(content, 0):
        raise ValueError("no identifier")
    model = schema.Model.GetRootAs(content, 0)
    faults = []
    if model.SubgraphsLength() != 1:
        faults.append("a graph inside an operation")
    if model.ExternalBuffersLength() or model.ExternalBufferGroupsLength():
        faults.append("weights in another file")
    num_codes = model.OperatorCodesLength()
    graph = model.Subgraphs(0)
    if max(num_codes, graph.OperatorsLength()) > _MOST_OPERATIONS:
        raise ValueError("too many operations")
    kinds = vars(schema.BuiltinOperator).items()
    names = {code: name for name, code in kinds if isinstance(code, int)}
    for number in range(num_codes):
        code = model.OperatorCodes(number)
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = names.get(kind, str(kind))
        if code.CustomCode() is not None:
            name = f"{name} {code.CustomCode().decode(errors='replace')}"
        if name not in TFLITE_OPERATIONS:
            faults.append(f"the operation {_shown(name)}")
    return faults


_FAULTS: dict[str, Callable[[bytes], Iterator[str]]] = {
    "onnx": _onnx_faults,
    "openvino": _openvino_faults,
    "litert": _tflite_faults,
}


def _shown(name: str) -> str:
    """Returns a foreign name, for a message of one line."""
    return ascii(name[:80])[1:-1]
