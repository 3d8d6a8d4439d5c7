"""Whole encoders from checkpoints of other projects, verified, and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from vpr_tf.atomic_files import replace_file
from vpr_tf.models.aggregations import parse_aggregation
from vpr_tf.models.backbones import backbone_spec
from vpr_tf.models.download import file_sha256
from vpr_tf.models.saved_weights import read_encoder
from vpr_tf.models.torch_weights.checkpoint import Checkpoint
from vpr_tf.models.torch_weights.state_dict import (
    BARE_BACKBONE,
    BOQ,
    BOQ_OF_DINOV2,
    COSPLACE,
    DIVIDE_AND_CLASSIFY,
    IMAGE,
    MEGALOC,
    MODEL_AND_AGGREGATOR,
    SUPERVLAD,
    Layout,
    detect_layout,
    encoder_entries,
    load_torch_state_dict,
    torch_values,
)

_CHECK_SIZE = 224  # pixels; divisible by the strides and patches of all backbones
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class _Official:
    """What the official code of a layout computes.

    Attributes:
        aggregations: Names of its aggregations.
        normalize: Whether it divides features by their norm before them.
        is_transformer: Whether its backbones are transformers; None for both kinds.
    """

    aggregations: tuple[str, ...]
    normalize: bool = False
    is_transformer: bool | None = None


_OFFICIAL = {
    COSPLACE: _Official(("gem",), normalize=True),
    DIVIDE_AND_CLASSIFY: _Official(("average",)),
    MEGALOC: _Official(("optimal_transport",)),
    MODEL_AND_AGGREGATOR: _Official(("optimal_transport", "mixvpr")),
    BOQ: _Official(("boq",), is_transformer=False),
    IMAGE: _Official(("aggregation_tokens",), is_transformer=True),
    SUPERVLAD: _Official(("supervlad",), is_transformer=True),
    BOQ_OF_DINOV2: _Official(("boq",), is_transformer=True),
}


def set_encoder(model: keras.Model, checkpoint: Checkpoint) -> Layout:
    """Sets every weight of an encoder from a checkpoint, strictly.

    Returns:
        The layout that the checkpoint has.

    Raises:
        ValueError: The checkpoint holds a backbone alone or does not fit; the
            differences are listed, and nothing has been set.
    """
    layout = detect_layout(checkpoint.state_dict)
    if layout == BARE_BACKBONE:
        torch_values(model, checkpoint.state_dict)
        raise ValueError(
            "The checkpoint holds a backbone alone, no whole encoder. Use it as "
            "`encoder.weights` of a config and train from there."
        )
    check_official(model, layout)
    filled = {
        id(variable)
        for entry in encoder_entries(model, layout)
        for variable in entry.variables
    }
    unset = [v.path for v in model.weights if id(v) not in filled]
    if unset:
        raise ValueError(
            f"A checkpoint of {layout.name} has no place for {', '.join(unset[:5])}."
        )
    load_torch_state_dict(model, checkpoint.state_dict)
    return layout


def check_official(model: keras.Model, layout: Layout) -> None:
    """Checks that an encoder computes what the official code of a layout does.

    Raises:
        ValueError: It does not, so its weights would mean something else there.
    """
    if model.adapters is not None:
        raise ValueError(
            f"The official code of {layout.name} has no adapters; this encoder has "
            "some. Keep it as .keras."
        )
    if layout not in _OFFICIAL:
        return
    name, _, normalize = parse_aggregation(model.get_config()["aggregation"])
    official = _OFFICIAL[layout]
    if name not in official.aggregations or normalize != official.normalize:
        raise ValueError(
            f"The official code of {layout.name} aggregates by "
            f"{' or '.join(official.aggregations)} with normalize_features="
            f"{official.normalize}. Received: {name} with normalize_features="
            f"{normalize}. Correct `encoder.aggregation`."
        )
    is_transformer = backbone_spec(model.backbone_name).has_class_token
    if official.is_transformer not in (None, is_transformer):
        kind = "transformer" if official.is_transformer else "convolutional network"
        raise ValueError(
            f"The official code of {layout.name} has a {kind} as backbone. Received: "
            f"{model.backbone_name}. Correct `encoder.backbone`."
        )


def natural_layout(model: keras.Model) -> Layout:
    """Returns the layout of the official code that computes what an encoder does.

    Raises:
        ValueError: There is none.
    """
    for layout in _OFFICIAL:
        has_projection = model.get_config()["descriptor_dim"] is not None
        try:
            check_official(model, layout)
        except ValueError:
            continue
        if has_projection == (layout.projection is not None):
            return layout
    raise ValueError(
        f"No official code computes what {model.backbone_name} with "
        f"{model.aggregation_name} does, so no state dict can be written for one."
    )


def verify_encoder(model: keras.Model) -> np.ndarray:
    """Checks that weights and descriptors of a fixed image are sound.

    Returns:
        The descriptors, `(1, descriptor_dim)`.

    Raises:
        ValueError: A weight or descriptor is not finite, or its length is not 1.
    """
    for variable in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise ValueError(f"The weight {variable.path} holds NaN or infinity.")
    descriptors = keras.ops.convert_to_numpy(model(_fixed_image(model)))
    length = np.linalg.norm(descriptors, axis=1)
    if not np.abs(length - 1).max() < 1e-3:
        raise ValueError(
            "Descriptors must have the length 1. Received: "
            f"{', '.join(map(str, length))}. The weights are no trained ones."
        )
    return descriptors


def save_verified(model: keras.Model, path: Path) -> str:
    """Saves an encoder whose reloaded file gives the same descriptors.

    Args:
        model: The encoder.
        path: Where the file goes, `*.keras` or `*.weights.h5`, whole or not at all.

    Returns:
        The checksum of the file.

    Raises:
        ValueError: The suffix is another, or the weights are not sound.
    """
    if not path.name.endswith((".keras", ".weights.h5")):
        raise ValueError(
            f"The output must be a .keras or .weights.h5 file. Received: {path}"
        )
    expected = verify_encoder(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as temporary:
        if path.name.endswith(".keras"):
            model.save(temporary)
            reloaded = read_encoder(type(model), temporary)
        else:
            model.save_weights(temporary)
            reloaded = type(model).from_config(model.get_config())
            reloaded.load_weights(temporary)
        difference = np.abs(verify_encoder(reloaded) - expected).max()
        if difference > _TOLERANCE:
            raise ValueError(
                f"The saved file gives other descriptors, by up to {difference:.1e}."
            )
        return file_sha256(temporary)


def _fixed_image(model: keras.Model) -> np.ndarray:
    """Returns a smooth picture with some noise, of the size that the encoder takes."""
    height, width = (side or _CHECK_SIZE for side in model.image_shape[:2])
    rows, columns = np.mgrid[0:height, 0:width] / max(height, width)
    waves = [np.sin(9 * rows), np.cos(7 * columns), np.sin(11 * rows * columns)]
    noise = np.random.default_rng(0).normal(0.0, 0.05, (height, width, 3))
    image = 0.5 + 0.4 * np.stack(waves, -1) + noise
    return np.clip(image, 0, 1).astype(np.float32)[None]
