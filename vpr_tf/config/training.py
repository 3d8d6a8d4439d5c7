"""The encoder and its training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vpr_tf.config.rules import check, check_choice, check_range

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
STRATEGIES = ("one_device", "mirrored", "multi_worker")


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
                check_range(self, "encoder", 1, None, name)
        check_range(self, "encoder", 0, None, "train_from_stage")
        aggregation = self.aggregation.get("name")
        named = isinstance(aggregation, str)
        check(named, "encoder.aggregation.name", "a name", aggregation)
        check_choice("encoder.bn_mode", self.bn_mode, ("torch", "keras"))


@dataclass(frozen=True)
class OptimizerConfig:
    """An optimizer of `keras.optimizers` by class name."""

    name: str = "Adam"
    learning_rate: float = 1e-5
    # Further arguments of its constructor, e.g. {weight_decay: 0.01}.
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rate = self.learning_rate
        check(rate > 0, "learning_rate", "above 0", rate)


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
        check_choice("train.schedule.name", self.name, names)
        check_range(self, "train.schedule", 0, None, "warmup_steps")
        check_range(self, "train.schedule", 0, 1, "final_fraction", "factor")
        check_range(self, "train.schedule", 1, None, "patience_epochs")


HEADS = (
    "cosine_margin",  # CosFace, arXiv:1801.09414
    "angular_margin",  # ArcFace, arXiv:1801.07698; in Divide&Classify s=100, m=0.2
    "cross_entropy",
    "soft_labels",  # over the neighbouring cells too
    "von_mises_fisher",  # mixture, MvMF
    "direct_regression",
    "hypersphere_regression",
)


@dataclass(frozen=True)
class HeadConfig:
    """What the encoder is trained with, one for each group."""

    name: str = "cosine_margin"  # see HEADS
    scale: float = 30.0  # s, of the margin heads
    margin: float = 0.4  # m: of the cosine, or of the angle in radians
    hidden_layers: int = 0  # SiLU, each as long as the descriptor, before any head
    regression_loss: str = "l2"  # or learned_weight, of position and heading

    def __post_init__(self) -> None:
        check_choice("train.head.name", self.name, HEADS)
        check(self.scale > 0, "train.head.scale", "above 0", self.scale)
        check(0 <= self.margin < 1, "train.head.margin", "in [0, 1)", self.margin)
        check_range(self, "train.head", 0, 3, "hidden_layers")
        losses = ("l2", "learned_weight")
        check_choice("train.head.regression_loss", self.regression_loss, losses)


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
        check_range(self, section, 0, None, "brightness", "contrast", "saturation")
        check_range(self, section, 0, 0.5, "hue")
        crop = self.random_resized_crop
        check(0 <= crop < 1, f"{section}.random_resized_crop", "in [0, 1)", crop)
        orders = ("crop_first", "jitter_first")
        check_choice(f"{section}.order", self.order, orders)


@dataclass(frozen=True)
class TrainConfig:
    """Group-wise training; defaults are CosPlace's."""

    groups_num: int = 8
    epochs: int = 50  # epoch e trains group e % groups_num
    iterations_per_epoch: int = 10_000
    batch_size: int = 32  # global, over all replicas
    image_size: int = 512
    # images; or descriptors: the encoder stays as it is, heads train on its descriptors
    # of the train split, which are computed once, without augmentation.
    input: str = "images"
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
        check_range(self, "train", 1, None, *sizes, "image_size")
        intervals = ("checkpoint_every_steps", "validate_every_epochs")
        check_range(self, "train", 1, None, *intervals)
        check_choice("train.strategy", self.strategy, STRATEGIES)
        check_choice("train.precision", self.precision, PRECISIONS)
        check_choice("train.input", self.input, ("images", "descriptors"))
