"""Configuration of an experiment: YAML files to frozen dataclasses.

One file describes a whole experiment: how the dataset is built, the encoder, the
training, the evaluation and the export. `load_config` reads it, applies
`dotted.key=value` overrides and checks every rule once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
EVALUATION_PRECISIONS = (*PRECISIONS, "int8")
STRATEGIES = ("one_device", "mirrored", "multi_worker")


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the field."""


def _check(rule: bool, field_name: str, expected: str, received: object) -> None:
    if not rule:
        raise ConfigError(f"`{field_name}` must be {expected}. Received: {received!r}")


def _check_choice(field_name: str, value: str, choices: Sequence[str]) -> None:
    _check(value in choices, field_name, "one of " + ", ".join(choices), value)


def _check_range(
    config: object, section: str, low: float, high: float | None, *names: str
) -> None:
    """Checks that fields of a section lie in [low, high]."""
    expected = f"{low:g} or more" if high is None else f"between {low:g} and {high:g}"
    for name in names:
        value = getattr(config, name)
        _check(
            value >= low and (high is None or value <= high),
            f"{section}.{name}",
            expected,
            value,
        )


@dataclass(frozen=True)
class DatasetConfig:
    """The prepared dataset that a run reads."""

    path: str = "???"  # folder written by `python -m data_prep build`
    partition: str = "cosplace"  # name of the partition that training uses


@dataclass(frozen=True)
class PartitionConfig:
    """How positions become classes and groups (CosPlace, arXiv:2204.02287)."""

    name: str = "cosplace"
    cell_size_m: int = 10  # M
    heading_bin_deg: int = 30  # alpha
    cell_stride: int = 5  # N
    heading_stride: int = 2  # L
    min_images_per_class: int = 10
    group_order: str = "canonical"  # or first_seen, the official order
    missing_heading: str = "reject"  # or ignore: one bin for all headings
    heading_360: str = "zero"  # or own_bin: a bin after the last, as the official code

    def __post_init__(self) -> None:
        section = "build.partition"
        names = ("cell_size_m", "cell_stride", "heading_stride", "min_images_per_class")
        _check_range(self, section, 1, None, *names)
        _check_range(self, section, 1, 360, "heading_bin_deg")
        orders = ("canonical", "first_seen")
        _check_choice(f"{section}.group_order", self.group_order, orders)
        policies = ("reject", "ignore")
        _check_choice(f"{section}.missing_heading", self.missing_heading, policies)
        choices = ("zero", "own_bin")
        _check_choice(f"{section}.heading_360", self.heading_360, choices)


@dataclass(frozen=True)
class DatabaseAndQueries:
    """Image folders or CSV files of one evaluation set, relative to the source."""

    database: str = "???"
    queries: str = "???"
    # False: any file name will do; predictions are made, recall is not computed.
    queries_have_positions: bool = True


@dataclass(frozen=True)
class BuildConfig:
    """What `python -m data_prep build` reads and how it writes."""

    source: str = "."  # folder that the entries below are relative to
    train: str | None = None  # image folder or CSV file
    val: DatabaseAndQueries | None = None
    tests: dict[str, DatabaseAndQueries] = field(default_factory=dict)
    partition: PartitionConfig = field(default_factory=PartitionConfig)
    images_per_shard: int = 4096
    workers: int = 2
    verify: str = "header"  # or full: decode every image
    max_rejected_fraction: float = 0.01

    def __post_init__(self) -> None:
        _check_range(self, "build", 1, None, "images_per_shard", "workers")
        _check_range(self, "build", 0, 1, "max_rejected_fraction")
        _check_choice("build.verify", self.verify, ("header", "full"))


@dataclass(frozen=True)
class EncoderConfig:
    """The network that turns an image into a descriptor."""

    backbone: str = "ResNet18"
    descriptor_dim: int | None = 512  # null: the length that the aggregation gives
    # {name: gem, p: 3.0}, ...: a name of vpr_tf/models/aggregations.py and its options.
    aggregation: dict[str, Any] = field(default_factory=lambda: {"name": "gem"})
    last_stage: int | None = None  # stages of the backbone after it are cut off
    image_size: int | None = None  # pixels; for encoders that need squares of one size
    train_from_stage: int = 3  # stages below are frozen
    bn_mode: str = "torch"  # or keras: frozen stages use their moving statistics
    weights: str = "imagenet"  # or none, preset:<keras-hub preset>, a file

    def __post_init__(self) -> None:
        for name in ("descriptor_dim", "image_size"):
            if getattr(self, name) is not None:
                _check_range(self, "encoder", 1, None, name)
        _check_range(self, "encoder", 0, None, "train_from_stage")
        aggregation = self.aggregation.get("name")
        named = isinstance(aggregation, str)
        _check(named, "encoder.aggregation.name", "a name", aggregation)
        _check_choice("encoder.bn_mode", self.bn_mode, ("torch", "keras"))


@dataclass(frozen=True)
class OptimizerConfig:
    """An optimizer of `keras.optimizers` by class name."""

    name: str = "Adam"
    learning_rate: float = 1e-5
    # Further arguments of its constructor, e.g. {weight_decay: 0.01}.
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rate = self.learning_rate
        _check(rate > 0, "learning_rate", "above 0", rate)


@dataclass(frozen=True)
class ScheduleConfig:
    """Learning rate of the encoder over the run; heads keep theirs."""

    name: str = "constant"  # constant | cosine | reduce_on_plateau
    warmup_steps: int = 0  # linear from 0, before any schedule
    final_fraction: float = 0.0  # cosine: last rate over the first
    factor: float = 0.1  # reduce_on_plateau: multiplier
    patience_epochs: int = 5  # reduce_on_plateau: epochs without better R@1

    def __post_init__(self) -> None:
        names = ("constant", "cosine", "reduce_on_plateau")
        _check_choice("train.schedule.name", self.name, names)
        _check_range(self, "train.schedule", 0, None, "warmup_steps")
        _check_range(self, "train.schedule", 0, 1, "final_fraction", "factor")
        _check_range(self, "train.schedule", 1, None, "patience_epochs")


@dataclass(frozen=True)
class HeadConfig:
    """CosFace head (arXiv:1801.09414), one for each group."""

    scale: float = 30.0  # s
    margin: float = 0.4  # m

    def __post_init__(self) -> None:
        _check(self.scale > 0, "train.head.scale", "above 0", self.scale)
        _check(0 <= self.margin < 1, "train.head.margin", "in [0, 1)", self.margin)


@dataclass(frozen=True)
class AugmentationConfig:
    """Colour jitter and random resized crop with torchvision's meanings."""

    brightness: float = 0.7  # factor in [1 - b, 1 + b]
    contrast: float = 0.7
    saturation: float = 0.7
    hue: float = 0.5  # shift in [-hue, hue] turns
    random_resized_crop: float = 0.5  # smallest crop area is 1 - this
    # crop_first decodes only the crop; jitter_first is the official order.
    order: str = "crop_first"

    def __post_init__(self) -> None:
        section = "train.augmentation"
        _check_range(self, section, 0, None, "brightness", "contrast", "saturation")
        _check_range(self, section, 0, 0.5, "hue")
        crop = self.random_resized_crop
        _check(0 <= crop < 1, f"{section}.random_resized_crop", "in [0, 1)", crop)
        orders = ("crop_first", "jitter_first")
        _check_choice(f"{section}.order", self.order, orders)


@dataclass(frozen=True)
class TrainConfig:
    """Group-wise training; defaults are CosPlace's."""

    groups_num: int = 8
    epochs: int = 50  # epoch e trains group e % groups_num
    iterations_per_epoch: int = 10_000
    batch_size: int = 32  # global, over all replicas
    image_size: int = 512
    encoder_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    head_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=0.01)
    )
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    strategy: str = "one_device"  # one_device | mirrored | multi_worker
    precision: str = "float32"  # or mixed_float16, mixed_bfloat16
    jit_compile: bool = False
    checkpoint_every_steps: int = 1000  # besides the end of every epoch
    early_stopping_patience: int | None = None  # epochs without better R@1
    validate_every_epochs: int = 1
    deterministic_ops: bool = False  # same bytes each time on a GPU too, but slower

    def __post_init__(self) -> None:
        sizes = ("groups_num", "epochs", "iterations_per_epoch", "batch_size")
        _check_range(self, "train", 1, None, *sizes, "image_size")
        intervals = ("checkpoint_every_steps", "validate_every_epochs")
        _check_range(self, "train", 1, None, *intervals)
        _check_choice("train.strategy", self.strategy, STRATEGIES)
        _check_choice("train.precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class EvaluationConfig:
    """Descriptors, search and recall."""

    resize: str = "native"  # native | shorter_side | square
    image_size: int = 512  # pixels; not used by resize: native
    batch_size: int = 16
    precision: str = "float32"  # or mixed_bfloat16, mixed_float16; int8 (on CPUs)
    positive_dist_threshold_m: float = 25.0
    recall_values: list[int] = field(default_factory=lambda: [1, 5, 10, 20])
    index: str = "auto"  # auto | exact | scann | milvus
    milvus_uri: str | None = None  # of a cluster; null: embedded, on this machine
    queries_to_draw: int = 0  # pictures of a query and its predictions
    draw_only_wrong: bool = False

    def __post_init__(self) -> None:
        resizes = ("native", "shorter_side", "square")
        _check_choice("evaluation.resize", self.resize, resizes)
        _check_range(self, "evaluation", 1, None, "image_size", "batch_size")
        _check_range(self, "evaluation", 0, None, "queries_to_draw")
        _check_choice("evaluation.precision", self.precision, EVALUATION_PRECISIONS)
        threshold = self.positive_dist_threshold_m
        _check(
            threshold > 0,
            "evaluation.positive_dist_threshold_m",
            "above 0",
            threshold,
        )
        values = list(self.recall_values)
        _check(
            bool(values) and values == sorted(set(values)) and values[0] >= 1,
            "evaluation.recall_values",
            "increasing whole numbers from 1",
            values,
        )
        indexes = ("auto", "exact", "scann", "milvus")
        _check_choice("evaluation.index", self.index, indexes)


@dataclass(frozen=True)
class LocalizationConfig:
    """From the predictions of a query to a position, an error and a confidence."""

    method: str = "cluster"  # or best_match: where the first prediction was taken
    num_predictions: int = 20  # that vote for the position
    cluster_radius_m: float = 25.0  # predictions this near to each other agree
    # A vote is 1/e at this share of the similarity from the first to the last match.
    similarity_scale: float = 0.25
    # Matches that look another way than the query, by more than this, do not vote, if
    # both headings are known; null: headings do not matter.
    heading_tolerance_deg: float | None = None
    calibration: str = "isotonic"  # or platt: a logistic curve, for few val queries
    wanted_precision: float = 0.95  # of the answers given; the others are withheld
    # Of the photos to come, taken where the index has none: nothing should be said.
    outside_share: float = 0.05

    def __post_init__(self) -> None:
        section = "localization"
        _check_choice(f"{section}.method", self.method, ("cluster", "best_match"))
        _check_range(self, section, 1, None, "num_predictions")
        _check_range(self, section, 0, 1, "wanted_precision")
        share = self.outside_share
        _check(0 <= share < 1, f"{section}.outside_share", "in [0, 1)", share)
        choices = ("isotonic", "platt")
        _check_choice(f"{section}.calibration", self.calibration, choices)
        radius = self.cluster_radius_m
        _check(radius > 0, f"{section}.cluster_radius_m", "above 0", radius)
        scale = self.similarity_scale
        _check(scale > 0, f"{section}.similarity_scale", "above 0", scale)
        if self.heading_tolerance_deg is not None:
            _check_range(self, section, 0, 180, "heading_tolerance_deg")


@dataclass(frozen=True)
class ReportConfig:
    """What `evaluate.py --report` measures besides recall at one distance."""

    # Of positives; evaluation.positive_dist_threshold_m is always among them.
    thresholds_m: list[float] = field(
        default_factory=lambda: [1.0, 5.0, 10.0, 25.0, 50.0, 100.0]
    )
    num_resamples: int = 2000  # of the queries, for 95% confidence intervals
    dark_luma_below: float = 0.2  # mean luma of an image by night, 0 to 1
    num_pairs: int = 20_000  # of database images, for spatial smoothness

    def __post_init__(self) -> None:
        _check_range(self, "report", 1, None, "num_resamples", "num_pairs")
        _check_range(self, "report", 0, 1, "dark_luma_below")
        thresholds = list(self.thresholds_m)
        rule = all(threshold > 0 for threshold in thresholds)
        _check(rule, "report.thresholds_m", "metres above 0", thresholds)


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
    localization: LocalizationConfig = field(default_factory=LocalizationConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    def __post_init__(self) -> None:
        size = self.encoder.image_size
        if size is None:
            return
        fixed = f"{size}, as `encoder.image_size`"
        trained, evaluated = self.train.image_size, self.evaluation.image_size
        _check(trained == size, "train.image_size", fixed, trained)
        _check(evaluated == size, "evaluation.image_size", fixed, evaluated)
        resize = self.evaluation.resize
        why = "square, since `encoder.image_size` is set"
        _check(resize == "square", "evaluation.resize", why, resize)


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
