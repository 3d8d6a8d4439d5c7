"""Configuration of an experiment: YAML files to frozen dataclasses.

One file describes a whole experiment: how the dataset is built, the encoder, the
training, the evaluation and the export. `load_config` reads it, applies
`dotted.key=value` overrides and checks every rule once. A section with several methods
(partition, aggregation, schedule, head) has a dataclass for each.
"""

from vpr_tf.config.dataset import (
    DEFAULT_READING,
    PARTITIONS,
    BuildConfig,
    CombinatorialConfig,
    CosPlaceConfig,
    DatabaseAndQueries,
    DatasetConfig,
    DivideAndClassifyConfig,
    GridConfig,
    HierarchicalConfig,
    PartitionConfig,
    PlanetConfig,
    ReadingConfig,
    grid_config,
)
from vpr_tf.config.encoder import (
    AGGREGATIONS,
    BACKBONE_STAGES,
    RUN_PREFIX,
    AggregationConfig,
    EncoderConfig,
    GemConfig,
)
from vpr_tf.config.evaluation import (
    ClassificationConfig,
    EvaluationConfig,
    LocalizationConfig,
    Preprocessing,
    ReportConfig,
)
from vpr_tf.config.experiment import (
    ExperimentConfig,
    as_dict,
    config_from_values,
    config_yaml,
    load_config,
    save_config,
)
from vpr_tf.config.rules import ConfigError, check_name
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
    "DEFAULT_READING",
    "HEADS",
    "OPTIMIZERS",
    "PARTITIONS",
    "RUN_PREFIX",
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
    "ReadingConfig",
    "RegressionHeadConfig",
    "ReportConfig",
    "ScheduleConfig",
    "SoftLabelHeadConfig",
    "TrainConfig",
    "as_dict",
    "check_name",
    "config_from_values",
    "config_yaml",
    "grid_config",
    "load_config",
    "save_config",
]
