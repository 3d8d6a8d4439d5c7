"""A whole experiment."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from vpr_tf.config.dataset import BuildConfig, DatasetConfig
from vpr_tf.config.encoder import AGGREGATIONS, EncoderConfig
from vpr_tf.config.evaluation import (
    ClassificationConfig,
    EvaluationConfig,
    LocalizationConfig,
    ReportConfig,
)
from vpr_tf.config.partition import PARTITIONS
from vpr_tf.config.rules import check
from vpr_tf.config.training import HEADS, SCHEDULES, TrainConfig

METHOD_SECTIONS = (PARTITIONS, AGGREGATIONS, HEADS, SCHEDULES)


@dataclass(frozen=True)
class ExperimentConfig:
    """All that one experiment needs; the schema of the files in `configs/`."""

    name: str = "???"  # of the runs and of the exports
    seed: int = 0  # of weights, samples and augmentation
    runs_dir: str = "runs"  # runs, `<name>/<time>/` in it
    savedmodels_dir: str = "savedmodels"  # exports, `<name>/<version>/` in it
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

    @property
    def partition_name(self) -> str:
        """The partition that training uses."""
        return self.dataset.partition or self.build.partition.name


def as_dict(config: Any) -> dict[str, Any]:
    """Returns a dataclass of the config as plain JSON-ready values."""
    return dataclasses.asdict(config)
