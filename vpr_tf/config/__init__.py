"""Configuration of an experiment: YAML files to frozen dataclasses.

One file describes a whole experiment: how the dataset is built, the encoder, the
training, the evaluation and the export. `load_config` reads it, applies
`dotted.key=value` overrides and checks every rule once.
"""

from vpr_tf.config.dataset import (
    BuildConfig,
    DatabaseAndQueries,
    DatasetConfig,
    PartitionConfig,
)
from vpr_tf.config.evaluation import (
    ClassificationConfig,
    EvaluationConfig,
    LocalizationConfig,
    ReportConfig,
)
from vpr_tf.config.experiment import ExperimentConfig, as_dict, load_config, save_config
from vpr_tf.config.preprocessing import Preprocessing
from vpr_tf.config.rules import ConfigError
from vpr_tf.config.training import (
    AugmentationConfig,
    EncoderConfig,
    HeadConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)

__all__ = [
    "AugmentationConfig",
    "BuildConfig",
    "ClassificationConfig",
    "ConfigError",
    "DatabaseAndQueries",
    "DatasetConfig",
    "EncoderConfig",
    "EvaluationConfig",
    "ExperimentConfig",
    "HeadConfig",
    "LocalizationConfig",
    "OptimizerConfig",
    "PartitionConfig",
    "Preprocessing",
    "ReportConfig",
    "ScheduleConfig",
    "TrainConfig",
    "as_dict",
    "load_config",
    "save_config",
]
