"""What a run is, as far as its results are concerned."""

from __future__ import annotations

from typing import Any

from vpr_tf.config import ExperimentConfig, as_dict

_OF_TRAINING = ("seed", "encoder", "train")  # its dataset may have moved


def trained_settings(config: ExperimentConfig) -> dict[str, Any]:
    """Returns the settings that two runs of the same method share, nested."""
    values = as_dict(config)
    settings = {name: values[name] for name in _OF_TRAINING}
    del settings["train"]["export"]
    return settings | {
        "dataset.partition": config.partition_name,
        "build.partition": config.build.partition.parameters(),
    }
