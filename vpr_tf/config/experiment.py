"""A whole experiment, and its YAML file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vpr_tf.config.dataset import BuildConfig, DatasetConfig
from vpr_tf.config.evaluation import (
    ClassificationConfig,
    EvaluationConfig,
    LocalizationConfig,
    ReportConfig,
)
from vpr_tf.config.rules import ConfigError, check
from vpr_tf.config.training import EncoderConfig, TrainConfig


@dataclass(frozen=True)
class ExperimentConfig:
    """All that one experiment needs; the schema of the files in `configs/`."""

    name: str = "???"
    seed: int = 0
    runs_dir: str = "runs"
    savedmodels_dir: str = "savedmodels"
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    build: BuildConfig = field(default_factory=BuildConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    classification: ClassificationConfig = field(default_factory=ClassificationConfig)
    localization: LocalizationConfig = field(default_factory=LocalizationConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    def __post_init__(self) -> None:
        size = self.encoder.image_size
        if size is None:
            return
        fixed = f"{size}, as `encoder.image_size`"
        trained, evaluated = self.train.image_size, self.evaluation.image_size
        check(trained == size, "train.image_size", fixed, trained)
        check(evaluated == size, "evaluation.image_size", fixed, evaluated)
        resize = self.evaluation.resize
        why = "square, since `encoder.image_size` is set"
        check(resize == "square", "evaluation.resize", why, resize)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Reads a YAML file, applies overrides and checks every rule.

    Args:
        path: YAML file with the fields of `ExperimentConfig`.
        overrides: `dotted.key=value` strings, e.g. `train.batch_size=8`.

    Raises:
        ConfigError: The file is missing or not YAML, or a key is unknown, or a
            value has the wrong type or breaks a rule.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(
            f"No config file at {path}. Pass one of configs/*.yaml by --config."
        )
    for override in overrides:
        if "=" not in override:
            raise ConfigError(
                f"An override must look like train.batch_size=8. Received: {override!r}"
            )
    try:
        merged = OmegaConf.merge(
            OmegaConf.structured(ExperimentConfig),
            OmegaConf.load(path),
            OmegaConf.from_dotlist(list(overrides)),
        )
        config = OmegaConf.to_object(merged)
    except ConfigError:
        raise
    except (OmegaConfBaseException, TypeError, ValueError, OSError) as error:
        raise ConfigError(f"{path}: {_first_lines(error)}") from error
    except Exception as error:  # YAML scanner errors have no common base here
        if type(error).__module__.startswith("yaml"):
            raise ConfigError(f"{path} is not valid YAML: {error}") from error
        raise
    if not isinstance(config, ExperimentConfig):
        raise ConfigError(f"{path} must hold a mapping of fields.")
    return config


def save_config(config: ExperimentConfig, path: str | Path) -> None:
    """Writes the resolved configuration as YAML that `load_config` reads."""
    Path(path).write_text(OmegaConf.to_yaml(OmegaConf.structured(config)))


def as_dict(config: Any) -> dict[str, Any]:
    """Returns a dataclass of this module as plain JSON-ready values."""
    return dataclasses.asdict(config)


def _first_lines(error: Exception) -> str:
    """Keeps the message and the key of an OmegaConf error, not its object dump."""
    lines = str(error).splitlines()
    kept = [line.strip() for line in lines if "object_type" not in line]
    return " ".join(line for line in kept if line)
