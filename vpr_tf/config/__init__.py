"""Configuration of an experiment: YAML files to frozen dataclasses.

One file describes a whole experiment: how the dataset is built, the encoder, the
training, the evaluation and the export. `load_config` reads it, applies
`dotted.key=value` overrides and checks every rule once. A section with several methods
(partition, aggregation, schedule, head) has a dataclass for each.
"""

from vpr_tf.config.dataset import BuildConfig, DatabaseAndQueries, DatasetConfig
from vpr_tf.config.encoder import (
    AGGREGATIONS,
    BACKBONE_STAGES,
    AggregationConfig,
    EncoderConfig,
    GemConfig,
)
from vpr_tf.config.evaluation import (
    ClassificationConfig,
    EvaluationConfig,
    LocalizationConfig,
    ReportConfig,
)
from vpr_tf.config.experiment import ExperimentConfig, as_dict
from vpr_tf.config.files import (
    config_from_values,
    config_yaml,
    load_config,
    save_config,
)
from vpr_tf.config.partition import (
    PARTITIONS,
    CombinatorialConfig,
    CosPlaceConfig,
    DivideAndClassifyConfig,
    GridConfig,
    HierarchicalConfig,
    PartitionConfig,
    PlanetConfig,
    grid_config,
)
from vpr_tf.config.preprocessing import Preprocessing
from vpr_tf.config.rules import ConfigError
from vpr_tf.config.training import (
    HEADS,
    OPTIMIZERS,
    SCHEDULES,
    AngularMarginHeadConfig,
    AugmentationConfig,
    CosineScheduleConfig,
    HeadConfig,
    MarginHeadConfig,
    OptimizerConfig,
    PlateauScheduleConfig,
    RegressionHeadConfig,
    ScheduleConfig,
    SoftLabelHeadConfig,
    TrainConfig,
)

__all__ = [
    "AGGREGATIONS",
    "BACKBONE_STAGES",
    "HEADS",
    "OPTIMIZERS",
    "PARTITIONS",
    "SCHEDULES",
    "AggregationConfig",
    "AngularMarginHeadConfig",
    "AugmentationConfig",
    "BuildConfig",
    "ClassificationConfig",
    "CombinatorialConfig",
    "ConfigError",
    "CosPlaceConfig",
    "CosineScheduleConfig",
    "DatabaseAndQueries",
    "DatasetConfig",
    "DivideAndClassifyConfig",
    "EncoderConfig",
    "EvaluationConfig",
    "ExperimentConfig",
    "GemConfig",
    "GridConfig",
    "HeadConfig",
    "HierarchicalConfig",
    "LocalizationConfig",
    "MarginHeadConfig",
    "OptimizerConfig",
    "PartitionConfig",
    "PlanetConfig",
    "PlateauScheduleConfig",
    "Preprocessing",
    "RegressionHeadConfig",
    "ReportConfig",
    "ScheduleConfig",
    "SoftLabelHeadConfig",
    "TrainConfig",
    "as_dict",
    "config_from_values",
    "config_yaml",
    "grid_config",
    "load_config",
    "save_config",
]
