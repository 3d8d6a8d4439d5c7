"""Puts trained weights of a backbone alone into an encoder: ImageNet's and presets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from vpr_tf.models.backbones import ADDED_LAYERS, BackboneSpec, backbone_spec
from vpr_tf.models.geolocalization_net import GeoLocalizationNet
from vpr_tf.models.torch_weights.state_dict import raise_differences


def load_imagenet(model: GeoLocalizationNet) -> None:
    """Sets the backbone's weights to those that its spec names for ImageNet.

    Args:
        model: An encoder whose backbone's weights are no installed file
            (`BackboneSpec.imagenet_file`).

    Raises:
        ConnectionError: The weights cannot be fetched.
        ValueError: No source of weights is known that equals the network, or they do
            not fit.
    """
    spec = backbone_spec(model.backbone_name)
    if spec.imagenet_arrays is not None:
        _set_backbone(model, spec.imagenet_arrays(), "The ImageNet weights do")
    elif spec.imagenet_preset is not None:
        load_preset(model, spec.imagenet_preset)
    else:
        raise ValueError(
            f"No source of ImageNet weights is known that equals {spec.name}. Set "
            "`encoder.weights` to the path of the .pth with the weights of the "
            "original network (that of torchvision for EfficientNet), or to none."
        )


def load_preset(model: GeoLocalizationNet, preset: str) -> None:
    """Sets the backbone's weights to those of a keras-hub preset.

    Args:
        model: The encoder.
        preset: Name or URL of a backbone preset, or a folder that holds one.

    Raises:
        ConnectionError: The preset cannot be fetched.
        ValueError: There is no such preset, or it does not fit.
    """
    import keras_hub

    spec = backbone_spec(model.backbone_name)
    built_in = preset in keras_hub.models.Backbone.presets
    if not built_in and "://" not in preset and not Path(preset).is_dir():
        known = [spec.imagenet_preset] if spec.imagenet_preset else []
        raise ValueError(
            f"keras-hub has no backbone preset {preset!r}. For {spec.name} there is: "
            f"{', '.join(known) or 'none'}."
        )
    try:
        network = keras_hub.models.Backbone.from_preset(preset, dtype="float32")
    except Exception as error:
        raise ConnectionError(
            f"The keras-hub preset {preset!r} could not be fetched. It is downloaded "
            "from the network at first use. Without network set `encoder.weights` to a "
            ".pth, .weights.h5 or .keras file or to none, or use the backbone "
            f"EfficientNetLite0, whose weights are installed. Cause: {error}"
        ) from error
    source = f"The preset {preset!r} does"
    differences = _other_facts(spec, network)
    if differences:
        raise_differences(f"{source} not fit {spec.name}.", differences)
    places = {spec.preset_place(v.path): v.numpy() for v in network.weights}
    arrays = {place: array for place, array in places.items() if place is not None}
    _set_backbone(model, arrays, source)


def _other_facts(spec: BackboneSpec, network: keras.Model) -> list[str]:
    """What a preset computes otherwise, although its weights may fit."""
    return [
        f"{name}: expected {expected!r}, received {getattr(network, name, None)!r}"
        for name, expected in spec.preset_facts.items()
        if getattr(network, name, None) != expected
    ]


def _set_backbone(
    model: GeoLocalizationNet, arrays: Mapping[str, np.ndarray], source: str
) -> None:
    spec = backbone_spec(model.backbone_name)
    variables = {
        str(spec.preset_place(variable.path)): variable
        for stage in model.stages
        for layer in stage.layers
        for variable in layer.weights
        if layer.name not in ADDED_LAYERS
    }
    differences = []
    for place, variable in variables.items():
        expected = tuple(variable.shape)
        if place not in arrays:
            differences.append(f"{place}: expected {expected}, received nothing")
        elif _without_batch(arrays[place].shape) != _without_batch(expected):
            received = arrays[place].shape
            differences.append(f"{place}: expected {expected}, received {received}")
    own = {layer.name for stage in model.stages for layer in stage.layers}
    left_out = {layer for _, layer in spec.modules} - own  # the final norm
    # Weights of stages after the last one have no place here.
    if model.last_stage is None:
        unused = [
            place
            for place in sorted(set(arrays) - set(variables))
            if not left_out & set(place.split("/"))
        ]
        differences += [f"{place}: not part of the backbone" for place in unused]
    if differences:
        raise_differences(f"{source} not fit {model.backbone_name}.", differences)
    for place, variable in variables.items():
        variable.assign(arrays[place].reshape(variable.shape))


def _without_batch(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Drops a leading 1: positions are a batch of one in some networks only."""
    return shape[1:] if shape[:1] == (1,) else shape
