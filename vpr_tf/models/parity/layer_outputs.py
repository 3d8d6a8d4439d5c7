"""What each layer of an encoder gives, by the name of its torch module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from vpr_tf.models.backbones import backbone_spec
from vpr_tf.models.geolocalization_net import GeoLocalizationNet
from vpr_tf.models.torch_weights.state_dict import BARE_BACKBONE, Layout

# Name of the output of the whole torch model, whose module has the empty name.
WHOLE_MODEL = "output"


@dataclass(frozen=True)
class LayerOutput:
    """The output of one layer.

    Attributes:
        module: Name of the torch module.
        layer: Name of the Keras layer.
        values: The output, channels last.
        activation: The activation inside the Keras layer, which the torch module
            leaves to the next one; None if there is none.
    """

    module: str
    layer: str
    values: np.ndarray
    activation: Callable[[Any], Any] | None = None


def layer_outputs(
    model: GeoLocalizationNet, layout: Layout, images: np.ndarray
) -> Iterator[LayerOutput]:
    """Computes the outputs of all layers that have a torch twin, in order.

    Args:
        model: The encoder.
        layout: Names of the project whose torch network is compared.
        images: RGB in [0, 1], `(batch, height, width, 3)`.
    """
    spec = backbone_spec(model.backbone_name)
    rename = spec.renames.get(layout.name, str)
    names = {layer: layout.backbone + rename(module) for module, layer in spec.modules}
    x = model.get_layer("standardize")(images)
    for stage in map(_copy, model.stages):
        layers = [layer for layer in stage.layers if layer.name in names]
        outputs = {layer.name: layer.output for layer in layers}
        x, computed = keras.Model(stage.input, [stage.output, outputs])(x)
        for layer in layers:
            yield LayerOutput(
                names[layer.name],
                layer.name,
                _first_array(computed[layer.name]),
                _activation_of(layer),
            )
    if layout != BARE_BACKBONE:
        yield from _head_outputs(model, layout, images)


def _head_outputs(
    model: GeoLocalizationNet, layout: Layout, images: np.ndarray
) -> Iterator[LayerOutput]:
    names = {"aggregation": layout.aggregation, "projection": layout.projection}
    present = {layer.name for layer in model.layers}
    names = {layer: name for layer, name in names.items() if layer in present and name}
    outputs = {layer: model.get_layer(layer).output for layer in names}
    computed = keras.Model(model.input, [outputs, model.output])(images)
    for layer, name in names.items():
        yield LayerOutput(str(name), layer, _first_array(computed[0][layer]))
    yield LayerOutput(WHOLE_MODEL, model.name, _first_array(computed[1]))


def _copy(stage: keras.Model) -> keras.Model:
    """Copies a stage: its layers may have outputs in another network as well."""
    copy = keras.models.clone_model(stage)
    copy.set_weights(stage.get_weights())
    return copy


def _activation_of(layer: keras.layers.Layer) -> Callable[[Any], Any] | None:
    activation = getattr(layer, "activation", None)
    return None if activation is keras.activations.linear else activation


def _first_array(output: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.tree.flatten(output)[0])
