"""Loads the files that Keras saves into an encoder, strictly."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import keras

from vpr_tf.models.backbones import ADAPTER
from vpr_tf.models.hdf5_weights import (
    array_shapes,
    at_most_as_large_as,
    first_line,
    load_hdf5,
)
from vpr_tf.models.keras_archive import (
    extract_weights,
    read_arguments,
)
from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError
from vpr_tf.models.torch_weights.state_dict import raise_differences


def load_keras_file(model: keras.Model, path: Path) -> None:
    """Sets the weights of an encoder to those of a `.keras` file.

    Raises:
        ValueError: The file is damaged or holds another encoder.
    """
    saved = read_encoder(type(model), path)
    differences = [
        f"{field}: expected {expected!r}, received {received!r}"
        for field, expected, received in (
            ("backbone", model.backbone_name, saved.backbone_name),
            ("aggregation", model.aggregation_name, saved.aggregation_name),
            ("descriptor_dim", model.descriptor_dim, saved.descriptor_dim),
            ("last_stage", model.last_stage, saved.last_stage),
            # What has none may be added to.
            ("adapters", model.adapters, saved.adapters or model.adapters),
        )
        if expected != received
    ]
    if differences:
        raise_differences(f"{path} holds another encoder.", differences)
    added = set()
    if saved.adapters is None:
        added = {
            id(variable)
            for stage in model.stages
            for layer in stage.layers
            if layer.name == ADAPTER
            for variable in layer.weights
        }
    own = [variable for variable in model.weights if id(variable) not in added]
    for variable, value in zip(own, saved.get_weights(), strict=True):
        variable.assign(value)


def read_encoder(network: type[keras.Model], path: Path) -> keras.Model:
    """Builds the encoder that a `.keras` file describes, with the weights in it.

    Args:
        network: `GeoLocalizationNet`, the only class that such a file may name.
        path: The file.

    Raises:
        ValueError: The file is damaged or holds something else.
    """
    path = Path(path)
    try:
        arguments = dataclasses.asdict(read_arguments(path))
        model = _build(network, arguments, path)
        with tempfile.TemporaryDirectory() as folder:
            load_hdf5(model, extract_weights(path, Path(folder)), path)
    except OSError as error:
        raise ValueError(f"{path} is not a readable .keras file: {error}") from error
    return model


def _build(
    network: type[keras.Model], arguments: dict[str, Any], path: Path
) -> keras.Model:
    try:
        with at_most_as_large_as(path):
            return network(**arguments)
    except (CheckpointError, MemoryError):
        raise
    except Exception as error:  # whatever arguments that do not go together lead to
        raise ValueError(
            f"{path} describes an encoder that cannot be built: {first_line(error)}. "
            "Copy or convert it again."
        ) from error


def load_weights_h5(model: keras.Model, path: Path, network: str | None = None) -> None:
    """Sets the weights of a network to those of a `.weights.h5` file.

    The datasets are compared first, since Keras ignores those it does not know.

    Args:
        model: The network.
        path: The file.
        network: Its name, for messages; None for an encoder.

    Raises:
        ValueError: The file is damaged or of another encoder.
    """
    with tempfile.TemporaryDirectory() as folder:
        own_file = Path(folder) / "own.weights.h5"
        model.save_weights(own_file)
        expected = array_shapes(own_file)
    received = array_shapes(path)
    differences = [
        f"{name}: expected {expected.get(name, 'nothing')}, "
        f"received {received.get(name, 'nothing')}"
        for name in [*received, *(name for name in expected if name not in received)]
        if expected.get(name) != received.get(name)
    ]
    if differences:
        fitting = sum(expected.get(name) == shape for name, shape in received.items())
        if network is None:
            network = (
                f"{model.backbone_name} with descriptor_dim={model.descriptor_dim}"
            )
        raise_differences(
            f"{path} does not fit {network}: {fitting} of its {len(received)} arrays "
            "fit.",
            differences,
        )
    load_hdf5(model, path)
