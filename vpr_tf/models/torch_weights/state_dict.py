"""Torch state dicts to the weights of an encoder and back, strictly.

A `Layout` says how an official project names the parts of its encoders.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import keras
import numpy as np

from vpr_tf.layers import LearnedTokens
from vpr_tf.models.backbones import INSERTED_TOKENS, backbone_spec
from vpr_tf.models.torch_weights.aggregation_entries import aggregation_entries
from vpr_tf.models.torch_weights.entries import (
    StateDictEntry,
    layer_entries,
    same_entry,
)

_Value = TypeVar("_Value")
_MOST_DIFFERENCES_LISTED = 20


@dataclass(frozen=True)
class Layout:
    """Names of one project.

    Attributes:
        name: Name of the project.
        backbone: What stands before the keys of the backbone.
        aggregation: Module of the aggregation; None if the project's has no weights.
        projection: Module of the linear layer after it; None if there is none.
        whole_dinov2: Whether its state dicts hold all that Meta's DINOv2 has, the mask
            token and the final norm, also where the project uses neither.
        inserted_tokens: Key of the tokens that are put before a block; None if there
            are none.
    """

    name: str
    backbone: str
    aggregation: str | None
    projection: str | None
    whole_dinov2: bool = False
    inserted_tokens: str | None = None


BARE_BACKBONE = Layout("backbone alone", "", None, None)
# EigenPlaces has CosPlace's names.
COSPLACE = Layout("cosplace", "backbone.", "aggregation.1", "aggregation.3")
DIVIDE_AND_CLASSIFY = Layout("divide_and_classify", "backbone.", None, "classifier.0")
MEGALOC = Layout("megaloc", "backbone.", "aggregator.agg", "aggregator.linear")
# SALAD's and MixVPR's.
MODEL_AND_AGGREGATOR = Layout("salad", "backbone.model.", "aggregator", None, True)

# NetVLAD's in the deep visual geo-localization benchmark, whose backbones have the
# names that CosPlace took over; without and with a linear layer.
NETVLAD = Layout("cosplace", "backbone.", "aggregation", None)
NETVLAD_AND_LINEAR = Layout("cosplace", "backbone.", "aggregation.0", "aggregation.1")

# BoQ's, of a ResNet without its last stage and of DINOv2.
BOQ = Layout("boq", "backbone.net.", "aggregator", None)
BOQ_OF_DINOV2 = Layout("boq_dinov2", "backbone.dino.", "aggregator", None, True)

SUPERVLAD = Layout("supervlad", "backbone.", "aggregation", None, True)
IMAGE = Layout("image", "backbone.", None, None, True, "learnable_aggregation_tokens")

LAYOUTS = (
    COSPLACE,
    DIVIDE_AND_CLASSIFY,
    MEGALOC,
    MODEL_AND_AGGREGATOR,
    BOQ,
    BOQ_OF_DINOV2,
    SUPERVLAD,
    IMAGE,
)

# Keys that only one project has, most telling first.
_SIGNS = (
    ("learnable_aggregation_tokens", IMAGE),
    ("aggregator.agg.", MEGALOC),
    ("aggregation.conv.", NETVLAD),
    ("aggregation.0.conv.", NETVLAD_AND_LINEAR),
    ("backbone.net.", BOQ),
    ("backbone.dino.", BOQ_OF_DINOV2),
    ("backbone.model.", MODEL_AND_AGGREGATOR),
    ("aggregation.", COSPLACE),
    ("classifier.0.", DIVIDE_AND_CLASSIFY),
    ("backbone.", COSPLACE),
)


def without_parallel_prefix(state_dict: Mapping[str, _Value]) -> dict[str, _Value]:
    """Drops the `module.` that torch's DataParallel puts before every name."""
    prefixed = all(name.startswith("module.") for name in state_dict)
    return {
        name.removeprefix("module.") if prefixed else name: value
        for name, value in state_dict.items()
    }


def detect_layout(keys: Iterable[str]) -> Layout:
    """Finds the project that wrote a state dict.

    Args:
        keys: Names in the state dict.

    Returns:
        `BARE_BACKBONE` when no key has a prefix of an encoder's part.
    """
    keys = list(keys)
    # A bare torchvision classifier is called `classifier.*` as well.
    if not any(key.startswith("backbone.") for key in keys):
        encoder_parts = ("aggregation.", "aggregator.")
        if not any(key.startswith(encoder_parts) for key in keys):
            return BARE_BACKBONE
    # SuperVLAD's are a transformer and what NetVLAD's have but for the centroids.
    if {"aggregation.conv.weight", "backbone.cls_token"} <= set(keys):
        return NETVLAD if "aggregation.centroids" in keys else SUPERVLAD
    for sign, layout in _SIGNS:
        if any(key.startswith(sign) for key in keys):
            return layout
    return MODEL_AND_AGGREGATOR


def load_torch_state_dict(
    model: keras.Model, state_dict: Mapping[str, np.ndarray]
) -> None:
    """Sets the weights of an encoder from a torch state dict.

    Args:
        model: Encoder of the same architecture.
        state_dict: Either all of an encoder with the names of an official project
            (see `LAYOUTS`), or a bare backbone with the names of its original, in
            which case all else keeps its values. A `module.` before every name is
            dropped.

    Raises:
        ValueError: A key is unknown or missing, a shape differs or a value is not
            finite. Nothing has been set then.
    """
    for variable, value in torch_values(model, state_dict):
        variable.assign(value)


def torch_values(
    model: keras.Model, state_dict: Mapping[str, np.ndarray]
) -> list[tuple[keras.Variable, np.ndarray]]:
    """Returns the variables that a torch state dict fills, with their values.

    Raises:
        ValueError: As `load_torch_state_dict` does; the arrays of the file that do
            not fit are listed before those that it lacks.
    """
    state_dict = without_parallel_prefix(state_dict)
    layout = detect_layout(state_dict)
    entries = list(encoder_entries(model, layout))
    values, problems = converted_values(entries, state_dict)
    known = {entry.key for entry in entries} | _keys_without_place(
        model, layout, entries
    )
    cut_off = tuple(_modules_cut_off(model, layout))
    for key in state_dict:
        if key not in known and not (cut_off and key.startswith(cut_off)):
            problems[key] = f"not part of {model.backbone_name}"
    if problems:
        not_fitting = [key for key in state_dict if key in problems]
        missing = [key for key in problems if key not in state_dict]
        fitting = len(state_dict) - len(not_fitting)
        raise_differences(
            f"The state dict ({layout.name if fitting else 'of another network'}) does "
            f"not fit {model.backbone_name} with {model.aggregation_name} and "
            f"descriptor_dim={model.descriptor_dim}: {fitting} of its "
            f"{len(state_dict)} arrays fit.",
            [f"{key}: {problems[key]}" for key in [*not_fitting, *missing]],
        )
    return [
        pair
        for entry in entries
        for pair in zip(entry.variables, values[entry.key], strict=True)
    ]


def load_entries(
    entries: Sequence[StateDictEntry],
    state_dict: Mapping[str, np.ndarray],
    name: str,
    source: object = "The state dict",
) -> None:
    """Sets the variables of entries from a state dict that holds these and no others.

    Args:
        entries: Of all weights of a network.
        state_dict: Its arrays.
        name: Of the network, for messages.
        source: Where the arrays come from, for messages.

    Raises:
        ValueError: A key is unknown or missing, a shape differs or a value is not
            finite. Nothing has been set then.
    """
    values, problems = converted_values(entries, state_dict)
    unknown = set(state_dict) - {entry.key for entry in entries}
    problems |= dict.fromkeys(sorted(unknown), f"not part of {name}")
    if problems:
        listed = [f"{key}: {reason}" for key, reason in problems.items()]
        raise_differences(f"{source} does not fit {name}.", listed)
    for entry in entries:
        for variable, value in zip(entry.variables, values[entry.key], strict=True):
            variable.assign(value)


def to_torch_state_dict(model: keras.Model, layout: Layout) -> dict[str, np.ndarray]:
    """Returns the weights of an encoder as the official code of a project names them.

    Args:
        model: The encoder.
        layout: The project's names.

    Returns:
        All keys that torch's strict `load_state_dict` needs, float32 but for the
        int64 counters of batch norms, which are 0.

    Raises:
        ValueError: The project has no place for a part of the encoder.
    """
    arrays: dict[str, np.ndarray] = {}
    for entry in encoder_entries(model, layout):
        values = [keras.ops.convert_to_numpy(v) for v in entry.variables]
        arrays[entry.key] = np.array(entry.to_torch(values), np.float32, order="C")
        if entry.key.endswith("running_var"):
            module = entry.key.removesuffix("running_var")
            arrays[f"{module}num_batches_tracked"] = np.zeros((), np.int64)
    if layout.whole_dinov2 and "mask_token" in (
        backbone_spec(model.backbone_name).unused_keys
    ):
        one = np.ones(model.feature_channels, np.float32)
        prefix = layout.backbone
        unused = {"mask_token": 0 * one[None], "norm.weight": one, "norm.bias": 0 * one}
        arrays = {prefix + key: value for key, value in unused.items()} | arrays
    return arrays


def encoder_entries(model: keras.Model, layout: Layout) -> Iterator[StateDictEntry]:
    """Yields all entries of an encoder's state dict in a project's names.

    Raises:
        ValueError: The project has no place for a part of the encoder.
    """
    yield from _backbone_entries(model, layout)
    if layout is BARE_BACKBONE:
        return
    layers = {layer.name: layer for layer in model.layers}
    if layout.aggregation is not None or layers["aggregation"].weights:
        yield from aggregation_entries(
            layout.aggregation or "aggregation", layers["aggregation"]
        )
    tokens = _inserted_tokens(model)
    if tokens is not None and layout.inserted_tokens is None:
        raise ValueError(f"A state dict of {layout.name} has no inserted tokens.")
    if tokens is not None:
        yield same_entry(str(layout.inserted_tokens), tokens.tokens)
    for name, module in (("projection", layout.projection), ("whitening", None)):
        if name in layers and module is None:
            raise ValueError(
                f"A state dict of {layout.name} has no {name}; this encoder has one."
            )
    if layout.projection is not None and "projection" in layers:
        yield from layer_entries(layout.projection, layers["projection"])


def raise_differences(headline: str, differences: Sequence[str]) -> None:
    """Raises a ValueError that lists differences, one per line."""
    listed = list(differences[:_MOST_DIFFERENCES_LISTED])
    if len(differences) > len(listed):
        listed.append(f"... and {len(differences) - len(listed)} more")
    raise ValueError("\n  ".join([headline, *listed]))


def _backbone_entries(model: keras.Model, layout: Layout) -> Iterator[StateDictEntry]:
    entries_of = backbone_spec(model.backbone_name).entries_of
    for module, layer in _backbone_modules(model, layout):
        if layer is not None:
            yield from entries_of(module, layer)


def _inserted_tokens(model: keras.Model) -> LearnedTokens | None:
    layers = [layer for stage in model.stages for layer in stage.layers]
    return next((la for la in layers if la.name == INSERTED_TOKENS), None)


def _modules_cut_off(model: keras.Model, layout: Layout) -> Iterator[str]:
    """Prefixes of the keys of stages that the encoder leaves out."""
    for module, layer in _backbone_modules(model, layout):
        if layer is None:
            yield f"{module}."


def _backbone_modules(
    model: keras.Model, layout: Layout
) -> Iterator[tuple[str, keras.layers.Layer | None]]:
    """Yields each torch module with its layer, None for those of stages cut off."""
    spec = backbone_spec(model.backbone_name)
    rename = spec.renames.get(layout.name, str)
    layers = {layer.name: layer for stage in model.stages for layer in stage.layers}
    for module, layer_name in spec.modules:
        yield layout.backbone + rename(module), layers.get(layer_name)


def _keys_without_place(
    model: keras.Model, layout: Layout, entries: Sequence[StateDictEntry]
) -> set[str]:
    counters = {
        entry.key.removesuffix("running_mean") + "num_batches_tracked"
        for entry in entries
        if entry.key.endswith("running_mean")
    }
    unused = backbone_spec(model.backbone_name).unused_keys
    return counters | {layout.backbone + key for key in unused}


def converted_values(
    entries: Sequence[StateDictEntry], state_dict: Mapping[str, np.ndarray]
) -> tuple[dict[str, Sequence[np.ndarray]], dict[str, str]]:
    """Returns the values of variables, and what is wrong with the others; by key."""
    converted: dict[str, Sequence[np.ndarray]] = {}
    problems = {}
    for entry in entries:
        if entry.key not in state_dict:
            problems[entry.key] = "missing"
            continue
        value = np.asarray(state_dict[entry.key])
        if value.shape != entry.torch_shape:
            problems[entry.key] = f"shape {value.shape}, expected {entry.torch_shape}"
        elif not np.isfinite(value).all():
            problems[entry.key] = "holds NaN or infinite values"
        else:
            converted[entry.key] = entry.to_keras(value)
    return converted, problems
