"""`encoder.weights: run:NAME`: the best weights of a run that was trained before."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from vpr_tf.config import RUN_PREFIX, ConfigError, EncoderConfig, ExperimentConfig

BEST_WEIGHTS = Path("best") / "encoder.weights.h5"


def with_run_weights(config: ExperimentConfig) -> EncoderConfig:
    """Returns `config.encoder`, with a file as weights where they were `run:NAME`.

    The file holds the best weights of the newest finished run of that name in
    `config.runs_dir`.

    Raises:
        ConfigError: There is no finished run of that name.
    """
    weights = config.encoder.weights
    if not weights.startswith(RUN_PREFIX):
        return config.encoder
    name = weights.removeprefix(RUN_PREFIX)
    parent = Path(config.runs_dir) / name
    runs = sorted((file.parent for file in parent.glob("*/config.yaml")), reverse=True)
    for run in runs:
        if _is_finished(run):
            return dataclasses.replace(config.encoder, weights=str(run / BEST_WEIGHTS))
    found = f"{len(runs)} that did not end" if runs else "none"
    raise ConfigError(
        f"`encoder.weights: {weights}` needs a finished run in {parent}. Found: "
        f"{found}. Train the config named {name} first, or set `encoder.weights` to a "
        "file, imagenet or none."
    )


def _is_finished(run: Path) -> bool:
    try:
        metrics = json.loads((run / "metrics.json").read_text())
    except (OSError, ValueError):
        return False
    return "savedmodel" in metrics and (run / BEST_WEIGHTS).is_file()
