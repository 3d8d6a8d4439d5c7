"""Writes models as `<folder>/<name>/<version>/`, the layout of TF Serving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from vpr_tf.atomic_files import new_folder
from vpr_tf.config import AdaptedTo, ExperimentConfig, save_config, shared_config
from vpr_tf.export.served_encoder import ServedEncoder
from vpr_tf.extraction.adaptation_notes import write_note
from vpr_tf.extraction.model_source import EXPORTED_CONFIG
from vpr_tf.extraction.saved_model_check import faults_of
from vpr_tf.models import in_precision


class ExportError(RuntimeError):
    """An export that cannot be written, or that would be of no use."""


def export_encoder(encoder: Any, config: ExperimentConfig, folder: str | Path) -> Path:
    """Exports an encoder with the preparation of its images.

    Signatures: `serving_default` maps `image_bytes`, JPEG or PNG files of any size,
    and `descriptors` maps `images`, floats in [0, 1]; both give `descriptors`, and
    refuse the batch when something in it is wrong. `flagged` describes the files of
    `image_bytes` that can be read and flags the others by `is_valid`. The
    graph computes in float32, whatever the precision of training. The version appears
    under its number when it is complete, so that a server may watch the folder.

    Args:
        encoder: A `GeoLocalizationNet`.
        config: Its experiment; `name` and `evaluation` shape the export, and the
            whole, as it may be passed on, is stored in `assets.extra/config.yaml`.
        folder: The folder of all SavedModels, `config.savedmodels_dir`.

    Returns:
        The folder of the version: 1 more than the highest that exists.

    Raises:
        ExportError: The folder cannot be written, or the graph needs operations that
            do more than compute, or that TensorFlow alone does not have.
    """
    served = ServedEncoder(
        in_precision(encoder, "float32"), config.evaluation.preprocessing
    )
    signatures = {
        "serving_default": served.from_bytes,
        "flagged": served.flagged,
        "descriptors": served.from_images,
    }
    return write_version(
        *(served.as_module(), signatures, config, folder),
        adapted_to=getattr(encoder, "adapted_to", None),
    )


def write_version(
    module: tf.Module,
    signatures: Mapping[str, Any],
    config: ExperimentConfig,
    folder: str | Path,
    write_extra: Callable[[Path], None] | None = None,
    *,
    adapted_to: AdaptedTo | None = None,
) -> Path:
    """Writes a SavedModel that appears when it is complete.

    Args:
        module: Holds the variables of the signatures.
        signatures: Functions by name.
        config: Its name is that of the model; it is stored beside.
        folder: The folder of all SavedModels.
        write_extra: Writes more files into the folder that it is given, which TF
            Serving leaves alone.
        adapted_to: Of the encoder, is noted beside; None if it was not adapted.

    Returns:
        The folder of the version: 1 more than the highest that exists.

    Raises:
        ExportError: See `export_encoder`.
    """

    def write(unfinished: Path) -> None:
        tf.saved_model.save(module, str(unfinished), signatures=signatures)
        (unfinished / EXPORTED_CONFIG).parent.mkdir(exist_ok=True)
        save_config(shared_config(config), unfinished / EXPORTED_CONFIG)
        write_note(adapted_to, unfinished)
        if write_extra is not None:
            write_extra(unfinished / EXPORTED_CONFIG.parent)
        _check_operations(unfinished)

    return new_version(Path(folder) / config.name, write)


def new_version(parent: Path, write: Callable[[Path], None]) -> Path:
    """Writes a version of a model that appears when it is complete.

    Args:
        parent: The folder of all versions.
        write: Fills the folder that it is given.

    Returns:
        The folder of the version: 1 more than the highest that exists.

    Raises:
        ExportError: It cannot be written.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with new_folder(parent / "version") as unfinished:
            write(unfinished)
            return _publish(unfinished, parent)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(
            f"Cannot write a model in {parent}: {error}. Set `savedmodels_dir`."
        ) from error


def _check_operations(folder: Path) -> None:
    faults = faults_of(folder)
    if faults:
        raise ExportError(
            "The exported graph must need only operations that compute, those that "
            f"may be loaded again. Received: {', '.join(faults)}. Replace the layers "
            "that use them."
        )


def _publish(unfinished: Path, parent: Path) -> Path:
    """Renames to the next free version."""
    versions = [int(path.name) for path in parent.iterdir() if path.name.isdecimal()]
    version = max(versions, default=0) + 1
    while True:
        try:
            return unfinished.rename(parent / str(version))
        except OSError:
            if not (parent / str(version)).exists():
                raise
            version += 1  # another process was faster
