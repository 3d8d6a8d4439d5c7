"""What `python -m vpr_tf.export` does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vpr_tf.config import ConfigError, ExperimentConfig
from vpr_tf.export.saved_model import export_encoder
from vpr_tf.extraction.model_sources import load_encoder
from vpr_tf.models import GeoLocalizationNet


def run_export(config: ExperimentConfig, model: str | Path | None) -> Path:
    """Exports a model and prints where.

    Args:
        config: `name`, `savedmodels_dir` and the preparation of images.
        model: See `load_encoder`; it must be a Keras encoder.

    Returns:
        The folder of the version.

    Raises:
        ConfigError: The model is a SavedModel already.
        EncoderError: There is no such model.
        ExportError: It cannot be written.
    """
    loaded = load_encoder(config, model)
    encoder = loaded.encoder
    if not isinstance(encoder, GeoLocalizationNet):
        raise ConfigError(
            "`--model` must be a run folder, a .keras file or the name of a released "
            f"encoder. Received a SavedModel: {model}"
        )
    version = export_encoder(
        encoder, _with_encoder(config, encoder, model), config.savedmodels_dir
    )
    size = "" if config.evaluation.resize == "native" else config.evaluation.image_size
    print(f"Model: {loaded.description}")
    print(f"Images: {config.evaluation.resize} {size}".rstrip())
    print(f"SavedModel: {version}, {encoder.descriptor_dim} dimensions")
    return version


def _with_encoder(
    config: ExperimentConfig, encoder: GeoLocalizationNet, model: str | Path | None
) -> ExperimentConfig:
    """Returns the config with the encoder that is exported in truth."""
    described = encoder.get_config()
    aggregation = described["aggregation"]
    if isinstance(aggregation, str):
        aggregation = {"name": aggregation}
    return dataclasses.replace(
        config,
        encoder=dataclasses.replace(
            config.encoder,
            backbone=described["backbone"],
            descriptor_dim=described["descriptor_dim"],
            aggregation=aggregation,
            last_stage=described["last_stage"],
            weights=config.encoder.weights if model is None else str(model),
        ),
    )
