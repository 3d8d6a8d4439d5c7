"""The messages of TF Serving's `PredictionService/Predict`, by its documented fields.

Only the fields that are sent and read. They are made here, under a name of their own,
since TF Serving's package would bring a second TensorFlow.

Reference: https://github.com/tensorflow/serving, `apis/predict.proto`, `model.proto`,
and TensorFlow's `tensor.proto`, `tensor_shape.proto`, `types.proto`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "vpr_tf.serving"
_FLOAT = 1  # DT_FLOAT
_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "int64": _Field.TYPE_INT64,
    "int32": _Field.TYPE_INT32,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "float": _Field.TYPE_FLOAT,
}
# Of each message: name, number and type of its fields; `*` repeats, `%` is a map.
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "Version": (("value", 1, "int64"),),
    "ModelSpec": (
        ("name", 1, "string"),
        ("version", 2, "Version"),
        ("signature_name", 3, "string"),
    ),
    "Dim": (("size", 1, "int64"),),
    "Shape": (("dim", 2, "*Dim"),),
    "Tensor": (
        ("dtype", 1, "int32"),
        ("tensor_shape", 2, "Shape"),
        ("tensor_content", 4, "bytes"),
        ("float_val", 5, "*float"),
    ),
    "PredictRequest": (
        ("model_spec", 1, "ModelSpec"),
        ("inputs", 2, "%Tensor"),
        ("output_filter", 3, "*string"),
    ),
    "PredictResponse": (("outputs", 1, "%Tensor"), ("model_spec", 2, "ModelSpec")),
}


def _add_field(message: Any, name: str, number: int, kind: str) -> None:
    base = kind.lstrip("*%")
    field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if kind != base:
        field.label = _Field.LABEL_REPEATED
    if kind.startswith("%"):
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, base)
        base = f"{message.name}.{entry.name}"
    if base in _TYPES:
        field.type = _TYPES[base]
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{base}"


def _message_classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="vpr_tf_serving.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(message, *field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")
        )
        for name in _MESSAGES
    }


_CLASSES = _message_classes()
PredictRequest: Any = _CLASSES["PredictRequest"]
PredictResponse: Any = _CLASSES["PredictResponse"]


def predict_request(
    name: str, version: int | None, signature: str, inputs: dict[str, np.ndarray]
) -> Any:
    """Returns a request of float32 arrays."""
    request = PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for key, array in inputs.items():
        write_array(request.inputs[key], array)
    return request


def write_array(tensor: Any, array: np.ndarray) -> None:
    """Writes a float32 array into a `Tensor`."""
    tensor.dtype = _FLOAT
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = np.ascontiguousarray(array, "<f4").tobytes()


def read_array(tensor: Any) -> np.ndarray:
    """Returns a `Tensor` as a float32 array.

    Raises:
        ValueError: It has another dtype, or not as many values as its shape says.
    """
    if tensor.dtype != _FLOAT:
        raise ValueError(f"it has the dtype {tensor.dtype}, not float32 ({_FLOAT})")
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, "<f4")
    else:
        values = np.array(tensor.float_val, np.float32)
    return values.reshape(shape)
