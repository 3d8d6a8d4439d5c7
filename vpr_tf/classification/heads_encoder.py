"""The encoder that heads were trained with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from vpr_tf.config import ExperimentConfig, load_config

if TYPE_CHECKING:
    from vpr_tf.extraction.model_sources import LoadedEncoder

_RUN_CONFIG = "config.yaml"


def load_heads_encoder(config: ExperimentConfig, model: str | Path) -> LoadedEncoder:
    """Loads the encoder of a run or SavedModel that keeps heads.

    Images are prepared for it as its own config says.

    Args:
        config: For all that the model does not say.
        model: See `heads_folder`.

    Raises:
        EncoderError: It cannot be loaded.
        ConfigError: The config of the run cannot be read.
    """
    from vpr_tf.extraction.model_sources import load_encoder

    run_config = Path(model) / _RUN_CONFIG
    if run_config.is_file():
        evaluation = load_config(run_config).evaluation
        config = dataclasses.replace(config, evaluation=evaluation)
    return load_encoder(config, model)
