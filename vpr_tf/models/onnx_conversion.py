"""An encoder as ONNX, for engines without TensorFlow."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from vpr_tf.config import Preprocessing
from vpr_tf.extras import import_extra
from vpr_tf.models.fingerprint import encoder_fingerprint
from vpr_tf.models.geolocalization_net import GeoLocalizationNet
from vpr_tf.models.hidden_messages import hidden_messages
from vpr_tf.models.precision import in_precision

EXTRA = "onnx"
INPUT, OUTPUT = "images", "descriptors"
AXES = ("batch", "height", "width")
_OPSET = 18
_MOST_BYTES = 2**31 - 1  # of one protocol buffer
_FLOAT32_BYTES = 4


def to_onnx(encoder: GeoLocalizationNet, preprocessing: Preprocessing) -> bytes:
    """Converts an encoder to ONNX, in float32.

    The graph maps `images`, float32 `(batch, height, width, 3)` in [0, 1], to
    `descriptors`, float32 `(batch, descriptor_dim)`. Axes that may have any length have
    the names `batch`, `height` and `width`. Metadata: `descriptor_dim`, `fingerprint`
    (that of the encoder), `preprocessing` (JSON) and `description`.

    Args:
        encoder: The encoder; under another dtype policy a float32 copy is converted.
        preprocessing: How images are prepared for it, kept as metadata.

    Returns:
        The model. The same encoder gives the same bytes, in every process.

    Raises:
        ImportError: The extra `onnx` is not installed.
        ValueError: The encoder has operations that ONNX does not have; which, and in
            which layers. Or it has 2 GB of weights or more.
    """
    onnx = import_extra("onnx", EXTRA)
    encoder = in_precision(encoder, "float32")
    _check_size(encoder)
    model = _converted(encoder)
    _check_operations(onnx, model)
    _make_canonical(onnx, model.graph)
    del model.opset_import[:], model.metadata_props[:], model.functions[:]
    model.opset_import.add(version=_OPSET)
    metadata = {
        "description": f"{encoder.backbone_name}, {encoder.aggregation_name}, "
        f"{encoder.descriptor_dim} dimensions",
        "descriptor_dim": str(encoder.descriptor_dim),
        "fingerprint": encoder_fingerprint(encoder),
        "preprocessing": json.dumps(dataclasses.asdict(preprocessing), sort_keys=True),
    }
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    model.producer_name, model.producer_version, model.doc_string = "vpr_tf", "", ""
    return model.SerializeToString(deterministic=True)


def _check_size(encoder: GeoLocalizationNet) -> None:
    num_bytes = encoder.count_params() * _FLOAT32_BYTES
    if num_bytes > _MOST_BYTES:
        raise ValueError(
            "An encoder must have less than 2 GB of weights to be one ONNX file. "
            f"Received: {num_bytes:,} bytes. Export it as a SavedModel."
        )


def _converted(encoder: GeoLocalizationNet) -> Any:
    """Returns what tf2onnx makes; operations that it does not know are kept in it."""
    convert = import_extra("tf2onnx", EXTRA).convert
    images = tf.TensorSpec((None, *encoder.image_shape), tf.float32, name=INPUT)
    function = tf.function(lambda images: encoder(images, training=False))

    def convert_once() -> Any:
        handlers: dict[str, Any] = {"Erfc": (_convert_erfc, [])}
        return convert.from_function(
            function, [images], opset=_OPSET, custom_op_handlers=handlers
        )[0]

    with hidden_messages():
        try:
            with contextlib.suppress(Exception), _weights_not_copied():
                return convert_once()
            return convert_once()  # without the step that failed
        except Exception as error:  # whatever a layer leads the converter to
            raise ValueError(
                f"{encoder.backbone_name} with {encoder.aggregation_name} cannot be "
                f"converted to ONNX: {str(error)[:300]}. Export it as a SavedModel."
            ) from error


@contextlib.contextmanager
def _weights_not_copied() -> Iterator[None]:
    """Lets the converter change its graph in place.

    Else it copies all weights some forty times, to leave out a step that fails.
    """
    name = "TF2ONNX_CATCH_ERRORS"  # whatever its value
    before = os.environ.get(name)
    os.environ[name] = "FALSE"
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def _convert_erfc(graph: Any, node: Any, name: str, _: Any) -> None:
    """Writes erfc(x), which the exact GELU has and ONNX lacks, as 1 - erf(x)."""
    (x,), output = node.input, list(node.output)
    kinds = {"dtypes": node.output_dtypes, "shapes": node.output_shapes}
    graph.remove_node(node.name)
    one = graph.make_const(f"{name}/one", np.float32(1))
    erf = graph.make_node("Erf", [x])
    inputs = [one.output[0], erf.output[0]]
    graph.make_node("Sub", inputs, outputs=output, name=name, **kinds)


def _check_operations(onnx: Any, model: Any) -> None:
    unknown = [
        f"{node.op_type} ({node.name})"
        for node in model.graph.node
        if node.domain or not onnx.defs.has(node.op_type)
    ]
    if unknown:
        raise ValueError(
            "An encoder must have only operations that ONNX has. Received: "
            f"{', '.join(sorted(unknown))}. Export it as a SavedModel."
        )


def _make_canonical(onnx: Any, graph: Any) -> None:
    """Orders and names all by the computation alone.

    The converter's names count what its process has made before, and its order follows
    the hashes of names.
    """
    nodes = list(_nodes_in_order(graph))
    weights = {tensor.name: tensor for tensor in graph.initializer}
    names = {"": "", graph.input[0].name: INPUT}
    for number, node in enumerate(nodes):
        for place, output in enumerate(node.output):
            if not output:  # one that nobody needs
                continue
            names[output] = f"{node.op_type}_{number}" + (f":{place}" if place else "")
    names[graph.output[0].name] = OUTPUT
    used = [name for node in nodes for name in node.input if name in weights]
    for number, name in enumerate(dict.fromkeys(used)):
        names[name] = f"weights_{number}"
    ordered = onnx.GraphProto(name="encoder")
    for number, node in enumerate(nodes):
        new = ordered.node.add(op_type=node.op_type, name=f"{node.op_type}_{number}")
        new.input.extend(names[name] for name in node.input)
        new.output.extend(names[name] for name in node.output)
        new.attribute.extend(sorted(node.attribute, key=lambda one: one.name))
    for name in dict.fromkeys(used):
        weights[name].name = names[name]
        ordered.initializer.append(weights[name])
    ordered.input.append(_with_axes(graph.input[0], INPUT, AXES))
    ordered.output.append(_with_axes(graph.output[0], OUTPUT, AXES))
    graph.CopyFrom(ordered)


def _nodes_in_order(graph: Any) -> Iterator[Any]:
    """Yields the nodes that the output needs, each behind those that it needs."""
    made_by = {output: node for node in graph.node for output in node.output}
    done: set[str] = set()
    waiting: list[tuple[str, bool]] = [(graph.output[0].name, False)]
    while waiting:
        name, is_ready = waiting.pop()
        node = made_by.get(name)
        if node is None or node.output[0] in done:
            continue
        if is_ready:
            done.add(node.output[0])
            yield node
        else:
            waiting.append((name, True))
            waiting += [(needed, False) for needed in reversed(node.input)]


def _with_axes(value: Any, name: str, axes: Iterable[str]) -> Any:
    """Returns an input or output under its name, with names for axes of any length."""
    value.name = name
    for axis, dim in zip(axes, value.type.tensor_type.shape.dim, strict=False):
        if not dim.dim_value:
            dim.dim_param = axis
    return value
