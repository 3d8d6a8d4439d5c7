"""Torch state dicts to Keras weights, by the names of the official networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from vpr_tf.layers import GeneralizedMeanPooling2D
from vpr_tf.models.backbones import backbone_spec
from vpr_tf.models.geolocalization_net import GeoLocalizationNet

_MOST_DIFFERENCES_LISTED = 20


@dataclass(frozen=True)
class _Slot:
    """A Keras variable and the axes of the torch array in its order."""

    variable: keras.Variable
    axes: tuple[int, ...] | None = None  # None: all in their order, size 1 dropped


def load_torch_state_dict(
    model: GeoLocalizationNet, state_dict: Mapping[str, np.ndarray]
) -> None:
    """Sets the weights of an encoder from a torch state dict.

    Args:
        model: Encoder of the same architecture.
        state_dict: Either all of an encoder with CosPlace's names (`backbone.*`,
            `aggregation.1.p`, `aggregation.3.weight`, `aggregation.3.bias`), or a bare
            backbone with the names of its original, in which case pooling and
            projection keep their values. A `module.` before every name is dropped.

    Raises:
        ValueError: A key is unknown or missing, a shape differs or a value is not
            finite. Nothing has been set then.
    """
    if all(key.startswith("module.") for key in state_dict):
        state_dict = {
            key.removeprefix("module."): value for key, value in state_dict.items()
        }
    whole = any(key.startswith(("backbone.", "aggregation.")) for key in state_dict)
    spec = backbone_spec(model.backbone_name)
    slots = dict(_encoder_slots(model) if whole else _backbone_slots(model))
    counters = {
        key.removesuffix("running_mean") + "num_batches_tracked"
        for key in slots
        if key.endswith("running_mean")
    }
    unused = counters if whole else counters | spec.unused_keys
    converted, problems = _convert(slots, state_dict)
    problems += [
        f"{key}: not part of {spec.name}"
        for key in state_dict
        if key not in slots and key not in unused
    ]
    if problems:
        raise_differences(
            f"The state dict does not fit {spec.name} with descriptor_dim="
            f"{model.descriptor_dim}.",
            problems,
        )
    for key, slot in slots.items():
        slot.variable.assign(converted[key])


def raise_differences(headline: str, differences: Sequence[str]) -> None:
    """Raises a ValueError that lists differences, one per line."""
    listed = list(differences[:_MOST_DIFFERENCES_LISTED])
    if len(differences) > len(listed):
        listed.append(f"... and {len(differences) - len(listed)} more")
    raise ValueError("\n  ".join([headline, *listed]))


def _convert(
    slots: Mapping[str, _Slot], state_dict: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], list[str]]:
    converted: dict[str, np.ndarray] = {}
    problems = []
    for key, slot in slots.items():
        if key not in state_dict:
            problems.append(f"{key}: missing")
            continue
        value = np.asarray(state_dict[key])
        expected = tuple(slot.variable.shape)
        if slot.axes is None:
            value = value.reshape(expected) if value.size == 1 else value
        elif value.ndim == len(slot.axes):
            value = value.transpose(slot.axes)
        if value.shape != expected:
            problems.append(
                f"{key}: {np.asarray(state_dict[key]).shape} becomes {value.shape}, "
                f"expected {expected}"
            )
        elif not np.isfinite(value).all():
            problems.append(f"{key}: holds NaN or infinite values")
        converted[key] = value
    return converted, problems


def _encoder_slots(model: GeoLocalizationNet) -> Iterator[tuple[str, _Slot]]:
    rename = backbone_spec(model.backbone_name).cosplace_name
    for key, slot in _backbone_slots(model):
        yield f"backbone.{rename(key)}", slot
    for module, layer in (("1", "gem"), ("3", "projection")):
        for name, slot in _layer_slots(model.get_layer(layer)):
            yield f"aggregation.{module}.{name}", slot


def _backbone_slots(model: GeoLocalizationNet) -> Iterator[tuple[str, _Slot]]:
    layers = {layer.name: layer for stage in model.stages for layer in stage.layers}
    spec = backbone_spec(model.backbone_name)
    for module, layer in spec.state_dict_layers(layers.__getitem__):
        for name, slot in _layer_slots(layer):
            yield f"{module}.{name}", slot


def _layer_slots(layer: keras.layers.Layer) -> Iterator[tuple[str, _Slot]]:
    if isinstance(layer, keras.layers.BatchNormalization):
        yield "weight", _Slot(layer.gamma)
        yield "bias", _Slot(layer.beta)
        yield "running_mean", _Slot(layer.moving_mean)
        yield "running_var", _Slot(layer.moving_variance)
    elif isinstance(layer, GeneralizedMeanPooling2D):
        yield "p", _Slot(layer.p)
    else:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            axes: tuple[int, ...] = (2, 3, 0, 1)
        elif isinstance(layer, keras.layers.Conv2D):
            axes = (2, 3, 1, 0)
        elif isinstance(layer, keras.layers.Dense):
            axes = (1, 0)
        else:
            raise TypeError(f"No torch layout is known for {type(layer).__name__}.")
        yield "weight", _Slot(layer.kernel, axes)
        if layer.use_bias:
            yield "bias", _Slot(layer.bias)
