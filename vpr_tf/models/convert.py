"""Converts checkpoints of other projects to Keras, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from vpr_tf.atomic_files import replace_file
from vpr_tf.config import EncoderConfig
from vpr_tf.models.conversion import (
    check_official,
    natural_layout,
    save_verified,
    set_encoder,
    verify_encoder,
)
from vpr_tf.models.download import file_sha256
from vpr_tf.models.encoder_builder import build_encoder, read_keras_file
from vpr_tf.models.geoclip import GeoCLIP
from vpr_tf.models.geolocalization_net import GeoLocalizationNet
from vpr_tf.models.pretrained import build_released
from vpr_tf.models.released import released_encoder
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
from vpr_tf.models.torch_weights.state_dict import LAYOUTS, Layout, to_torch_state_dict

_LAYOUTS = {layout.name: layout for layout in LAYOUTS}


def build_named(
    name: str | None, encoder: EncoderConfig | None = None
) -> GeoLocalizationNet:
    """Builds a released encoder or that of a config, with random weights.

    Args:
        name: Of the released encoder; None takes `encoder`.
        encoder: The encoder's config; None takes `name`.

    Raises:
        ValueError: It is unknown or malformed.
    """
    if encoder is None:
        return build_released(GeoLocalizationNet, released_encoder(str(name)))
    return build_encoder(dataclasses.replace(encoder, weights="none"))


def convert_to_keras(
    model: GeoLocalizationNet, checkpoint: Path, output: Path, heads: Path | None
) -> None:
    """Writes the encoder, and on request the class centres, of a checkpoint.

    Args:
        model: The network; its weights are set.
        checkpoint: File of torch or safetensors.
        output: `.keras` or `.weights.h5` file to write.
        heads: `.npz` file to write; array `head_<g>` holds the class centres of group
            g, `(num_classes, descriptor_dim)`.

    Raises:
        OSError: A file is missing or cannot be written.
        ValueError: The checkpoint is damaged or does not fit.
    """
    content = read_checkpoint(checkpoint)
    if heads is not None:
        _check_heads(content.heads, model.descriptor_dim, heads)
    layout = set_encoder(model, content)
    print(
        f"Read {checkpoint}: {len(content.state_dict)} arrays ({layout.name}), "
        f"{len(content.heads)} heads."
    )
    sha256 = save_verified(model, output)
    print(
        f"{model.backbone_name}, {model.aggregation_name}: {model.count_params():,} "
        f"parameters, all set; descriptors of {model.descriptor_dim} values, verified."
    )
    print(f"Wrote {output} (sha256 {sha256}).")
    if heads is not None:
        _write_heads(heads, content.heads)


def convert_to_torch(checkpoint: Path, output: Path, layout_name: str | None) -> None:
    """Writes the state dict that the official code of a project loads strictly.

    Args:
        checkpoint: `.keras` file with the encoder.
        output: `.safetensors` file to write.
        layout_name: Name of a layout; None takes that of the code that computes what
            the encoder does.

    Raises:
        OSError: A file is missing or cannot be written.
        ValueError: The file holds no encoder, or the project's code cannot compute it.
    """
    if output.suffix != ".safetensors":
        raise ValueError(f"The output must be a .safetensors file. Received: {output}")
    if not checkpoint.is_file():
        raise FileNotFoundError(f"No .keras file at {checkpoint}. Correct the path.")
    model = read_keras_file(checkpoint)
    verify_encoder(model)
    layout = natural_layout(model) if layout_name is None else _layout(layout_name)
    check_official(model, layout)
    state_dict = to_torch_state_dict(model, layout)
    output.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(output) as temporary:
        save_file(state_dict, temporary, {"format": "pt", "layout": layout.name})
    print(
        f"Read {checkpoint}: {model.backbone_name}, {model.aggregation_name}, "
        f"descriptors of {model.descriptor_dim} values."
    )
    print(
        f"Wrote {output}: {len(state_dict)} arrays ({layout.name}), sha256 "
        f"{file_sha256(output)}."
    )


def convert_geoclip(package: Path, output: Path) -> None:
    """Writes GeoCLIP's weights, without CLIP, to one file of arrays.

    Args:
        package: The package `geoclip` as it is downloaded, `.whl`.
        output: `.safetensors` file to write, for `GeoCLIP.load`.

    Raises:
        OSError: A file is missing or cannot be written.
        ValueError: The package is damaged or another.
    """
    geoclip = GeoCLIP.load(package)
    geoclip.save(output)
    num_parameters = geoclip.location_encoder.count_params()
    print(
        f"Read {package}: location encoder ({num_parameters:,} parameters), image "
        f"projection, logit scale {geoclip.logit_scale:.2f}."
    )
    print(f"Wrote {output} (sha256 {file_sha256(output)}).")


def _layout(name: str) -> Layout:
    if name not in _LAYOUTS:
        raise ValueError(
            f"`layout` must be one of {', '.join(_LAYOUTS)}. Received: {name!r}"
        )
    return _LAYOUTS[name]


def _check_heads(heads: Sequence[np.ndarray], descriptor_dim: int, path: Path) -> None:
    if path.suffix != ".npz":
        raise ValueError(f"The heads go to an .npz file. Received: {path}")
    widths = sorted({head.shape[1] for head in heads})
    if widths != [descriptor_dim]:
        raise ValueError(
            "--heads needs a training checkpoint whose class centres have "
            f"{descriptor_dim} values, as the descriptors. Received: "
            f"{', '.join(map(str, widths)) or 'a checkpoint without heads'}"
        )
    if not all(np.isfinite(head).all() for head in heads):
        raise ValueError("The class centres hold NaN or infinity.")


def _write_heads(path: Path, heads: Sequence[np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as temporary:
        arrays = {f"head_{group}": head for group, head in enumerate(heads)}
        np.savez(temporary, allow_pickle=False, **arrays)
    classes = ", ".join(str(len(head)) for head in heads)
    print(f"Wrote {path}: class centres of {len(heads)} groups ({classes} classes).")
