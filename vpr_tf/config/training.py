"""Training: optimizers, a dataclass for each schedule, augmentation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from vpr_tf.config.augmentations import (
    ExtraAugmentation,
    augmentation_of,
    entry_of,
    needs_target,
)
from vpr_tf.config.color_jitter import JitterStrengths
from vpr_tf.config.heads import HeadConfig, MarginHeadConfig, PlaceHeadConfig
from vpr_tf.config.objective_entries import check_objectives, objectives_of
from vpr_tf.config.objectives import (
    CLASS_HEADS,
    ObjectiveConfig,
    PseudoLabelsConfig,
)
from vpr_tf.config.rules import (
    MOST_IMAGES_A_BATCH,
    MOST_PIXELS_A_SIDE,
    ConfigError,
    Methods,
    check,
    check_choice,
    check_range,
)
from vpr_tf.config.sampling import SamplingConfig, check_sampling
from vpr_tf.config.target import TargetConfig
from vpr_tf.config.teacher import TeacherConfig

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
_WHY_NO_JIT = "false, as long as `train.gradient_cache_chunk` is set"
STRATEGIES = ("one_device", "mirrored", "multi_worker")
# Classes of `keras.optimizers`; a test compares.
KERAS_OPTIMIZERS = (
    *("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb"),
    *("Lion", "Muon", "Nadam", "RMSprop", "SGD", "ScheduleFreeAdamW"),
)
OPTIMIZERS = (
    *KERAS_OPTIMIZERS,
    *("ASGD", "AdaBelief", "NovoGrad", "RectifiedAdam", "Yogi"),
)


@dataclass(frozen=True)
class LookaheadConfig:
    """Slow weights, to which the others return (arXiv:1907.08610)."""

    sync_period: int = 6  # k: steps between two returns
    slow_step: float = 0.5  # alpha: share of the way that the slow weights go

    def __post_init__(self) -> None:
        check_range(self, "lookahead", 1, None, "sync_period")
        check_range(self, "lookahead", 0, 1, "slow_step")


@dataclass(frozen=True)
class WeightAverageConfig:
    """The mean of the weights of some steps (SWA, arXiv:1803.05407)."""

    start_step: int = 0  # steps of the run that do not count
    period_steps: int = 1  # each so many-th step counts

    def __post_init__(self) -> None:
        check_range(self, "average", 0, None, "start_step")
        check_range(self, "average", 1, None, "period_steps")


@dataclass(frozen=True)
class OptimizerConfig:
    """One of Keras by class name, or ASGD, AdaBelief, NovoGrad, RectifiedAdam, Yogi."""

    name: str = "Adam"
    learning_rate: float = 1e-5  # 1e-5 for the encoder, 0.01 for the heads
    # Further arguments of its constructor, e.g. {weight_decay: 0.01}, which Keras takes
    # off the weights beside the step: that of PyTorch's AdamW.
    arguments: dict[str, Any] = field(default_factory=dict)
    # Added to the gradient, times the weight: `weight_decay` of PyTorch's Adam and SGD.
    l2: float = 0.0
    # {sync_period: 6, slow_step: 0.5}: every so many steps slow weights go that share
    # of the way to the weights, which return to them (Lookahead).
    lookahead: LookaheadConfig | None = None
    # {start_step: 0, period_steps: 1}: the encoder that is validated and exported has
    # the mean of its weights over these steps (SWA); of the encoder alone.
    average: WeightAverageConfig | None = None

    def __post_init__(self) -> None:
        rate = self.learning_rate
        check(rate > 0, "learning_rate", "above 0", rate)
        check(self.l2 >= 0, "l2", "0 or more", self.l2)
        if self.name == "ASGD" and self.average is not None:
            raise ConfigError(
                "ASGD averages the weights itself, from step `t0` on. Set `arguments: "
                "{t0: ...}` instead of `average`, or choose SGD."
            )


@dataclass(frozen=True)
class ScheduleConfig:
    """The learning rate over the run is that of the optimizer, after the warm-up.

    It is the rate of what trains: the encoder, or with `input: descriptors` the heads.
    """

    name: str = "constant"
    warmup_steps: int = 0  # linear from 0, before any schedule

    def __post_init__(self) -> None:
        SCHEDULES.check_class(self)
        check_range(self, SCHEDULES.path, 0, None, "warmup_steps")


@dataclass(frozen=True)
class CosineScheduleConfig(ScheduleConfig):
    """The learning rate falls along a half cosine, to its end at the last step."""

    name: str = "cosine"
    final_fraction: float = 0.0  # last rate over the first

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, SCHEDULES.path, 0, 1, "final_fraction")


@dataclass(frozen=True)
class PolynomialScheduleConfig(CosineScheduleConfig):
    """The learning rate falls as a power of the share of steps that are left."""

    name: str = "polynomial"
    power: float = 1.0  # 1: along a line

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.power > 0, f"{SCHEDULES.path}.power", "above 0", self.power)


@dataclass(frozen=True)
class CyclicalScheduleConfig(ScheduleConfig):
    """The learning rate rises and falls along lines, again and again."""

    name: str = "cyclical"
    half_cycle_steps: int = 2000  # steps from the lowest rate to the highest
    lowest_fraction: float = 0.01  # lowest rate over that of the optimizer
    # Rises are this much as high from cycle to cycle: 1 triangular, 0.5 triangular2.
    cycle_factor: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, SCHEDULES.path, 1, None, "half_cycle_steps")
        check_range(self, SCHEDULES.path, 0, 1, "lowest_fraction", "cycle_factor")


@dataclass(frozen=True)
class PlateauScheduleConfig(ScheduleConfig):
    """The learning rate is multiplied by a factor when val stops getting better.

    As PyTorch's ReduceLROnPlateau: after more than `patience_epochs` epochs without a
    better value since the best one and since the last reduction.
    """

    name: str = "reduce_on_plateau"
    # val_recall: R@1. val_loss: of the val queries that lie in trained classes; one
    # that is not lower by 1e-4 of it is not better.
    monitor: str = "val_recall"
    factor: float = 0.1  # multiplier
    patience_epochs: int = 5  # that many epochs without a better value are borne
    # False: the last of these epochs already reduces, as Keras's ReduceLROnPlateau.
    bears_all: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, SCHEDULES.path, 0, 1, "factor")
        check_range(self, SCHEDULES.path, 0, None, "patience_epochs")
        monitors = ("val_recall", "val_loss")
        check_choice("train.schedule.monitor", self.monitor, monitors)


SCHEDULES: Methods[ScheduleConfig] = Methods(
    path="train.schedule",
    key="name",
    classes={
        "constant": ScheduleConfig,
        "cosine": CosineScheduleConfig,
        "polynomial": PolynomialScheduleConfig,
        "cyclical": CyclicalScheduleConfig,
        "reduce_on_plateau": PlateauScheduleConfig,
    },
    former_fields=frozenset(
        ["name", "warmup_steps", "final_fraction", "factor", "patience_epochs"]
    ),
)


@dataclass(frozen=True)
class AugmentationConfig(JitterStrengths):
    """Colour jitter and random resized crop with torchvision's meanings."""

    random_resized_crop: float = 0.5  # smallest crop area is 1 - this
    # crop_first decodes only the crop; jitter_first is the official order.
    order: str = "crop_first"
    # After these, in their order: [{name: GaussianBlur, probability: 0.3}, ...]; see
    # docs/training.md. keras.RandomShear and the like are layers of Keras.
    extra: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        section = "train.augmentation"
        self.check_strengths(section)
        crop = self.random_resized_crop
        check(0 <= crop < 1, f"{section}.random_resized_crop", "in [0, 1)", crop)
        orders = ("crop_first", "jitter_first")
        check_choice(f"{section}.order", self.order, orders)
        # With all their fields, so that a run records them.
        found = [entry_of(one) for one in self.extra_augmentations]
        object.__setattr__(self, "extra", found)

    @property
    def extra_augmentations(self) -> tuple[ExtraAugmentation, ...]:
        """What `extra` lists."""
        return tuple(
            augmentation_of(entry, f"train.augmentation.extra[{number}]")
            for number, entry in enumerate(self.extra)
        )

    @property
    def needs_target(self) -> bool:
        """Whether `extra` mixes images with those of `train.target`."""
        return any(map(needs_target, self.extra_augmentations))


@dataclass(frozen=True)
class TrainConfig:
    """Group-wise training; defaults are CosPlace's."""

    groups_num: int = 8  # of eigenplaces: of pairs, a lateral and a frontal group
    epochs: int = 50  # epoch e trains group e % groups_num
    iterations_per_epoch: int = 10_000
    batch_size: int = 32  # photos, global, over all replicas
    # K: a batch holds `batch_size` / K distinct classes and K photos of each; classes
    # with fewer are left out. 1: one photo of a class, as CosPlace.
    photos_per_class: int = 1
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    # What is learnt, added up: [{name: class_heads, weight: 1.0}, {name:
    # multi_similarity, miner: {name: multi_similarity}}, ...]; see docs/training.md.
    objectives: list[Any] = field(default_factory=lambda: [{"name": CLASS_HEADS}])
    teacher: TeacherConfig | None = None  # of objectives that learn from one
    # Of objectives and augmentations that adapt the encoder to another domain.
    target: TargetConfig | None = None
    image_size: int = 512
    # images; or descriptors: the encoder stays as it is, heads train on its descriptors
    # of the train split, which are computed once, without augmentation.
    input: str = "images"
    encoder_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    head_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=0.01)
    )
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    head: HeadConfig = field(default_factory=MarginHeadConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    strategy: str = "one_device"  # one_device | mirrored | multi_worker
    precision: str = "float32"  # or mixed_float16, mixed_bfloat16
    jit_compile: bool = False
    # Images that are described at once, twice, so that a large batch takes the memory
    # of so many (arXiv:2101.06983); null: the whole batch, once.
    gradient_cache_chunk: int | None = None
    checkpoint_every_steps: int = 1000  # besides the end of every epoch
    early_stopping_patience: int | None = None  # epochs without better R@1
    validate_every_epochs: int = 1
    deterministic_ops: bool = False  # same bytes each time on a GPU too, but slower
    # Of a run that ended: 1 keeps the last, to train on from it, 0 none; `best/` stays.
    # While a run trains the last two are kept: one may be damaged by a kill.
    checkpoints_to_keep: int = 1
    # Whether the run's best encoder becomes the next version in `savedmodels_dir`:
    # best (where its R@1 on val is above that of the newest version there, or one of
    # the two is not known), always or never.
    export: str = "never"

    def __post_init__(self) -> None:
        sizes = ("groups_num", "epochs", "iterations_per_epoch")
        check_range(self, "train", 1, None, *sizes)
        check_range(self, "train", 1, MOST_IMAGES_A_BATCH, "batch_size")
        check_range(self, "train", 1, MOST_PIXELS_A_SIDE, "image_size")
        intervals = ("checkpoint_every_steps", "validate_every_epochs")
        check_range(self, "train", 1, None, *intervals)
        check_range(self, "train", 1, self.batch_size, "photos_per_class")
        if self.gradient_cache_chunk is not None:
            check_range(self, "train", 1, None, "gradient_cache_chunk")
            check(not self.jit_compile, "train.jit_compile", _WHY_NO_JIT, True)
        check_range(self, "train", 0, 1, "checkpoints_to_keep")
        check_choice("train.strategy", self.strategy, STRATEGIES)
        check_choice("train.precision", self.precision, PRECISIONS)
        check_choice("train.input", self.input, ("images", "descriptors"))
        check_choice("train.export", self.export, ("best", "always", "never"))
        for name in ("encoder_optimizer", "head_optimizer"):
            chosen = getattr(self, name).name
            check_choice(f"train.{name}.name", chosen, OPTIMIZERS)
        if self.head_optimizer.average or self.head_optimizer.name == "ASGD":
            raise ConfigError(
                "`train.head_optimizer` cannot average weights (`average`, ASGD): the "
                "encoder's alone are averaged. Set it in `train.encoder_optimizer`, or "
                "leave it out."
            )
        self._check_objectives()

    def _check_objectives(self) -> None:
        check(
            self.batch_size % self.photos_per_class == 0,
            "train.batch_size",
            f"a multiple of `train.photos_per_class`, {self.photos_per_class}",
            self.batch_size,
        )
        found = objectives_of(self.objectives)
        # With all their fields, so that a run records them.
        entries = [dataclasses.asdict(one) for one in found]
        object.__setattr__(self, "objectives", entries)
        check_objectives(
            found,
            batch_size=self.batch_size,
            photos_per_class=self.photos_per_class,
            reads_images=self.input == "images",
            has_teacher=self.teacher is not None,
            target=self.target,
            mixes_target=self.augmentation.needs_target,
        )
        check_sampling(
            self.sampling,
            self.batch_size // self.photos_per_class,
            not found or any(one.tells_classes_apart for one in found),
        )
        if getattr(self.schedule, "monitor", None) == "val_loss":
            self.check_has_class_heads("`train.schedule.monitor: val_loss`")
        if self.position_noise_m:
            self.check_has_class_heads("`train.head.position_noise_m`")

    def check_has_class_heads(self, reader: str) -> None:
        """Checks that heads are trained, for what `reader` names.

        Raises:
            ConfigError: There are none.
        """
        if not self.has_class_heads:
            raise ConfigError(
                f"{reader} needs heads over classes, and `train.objectives` has no "
                "class_heads. Add {name: class_heads}, or change what needs them."
            )

    @property
    def objective_configs(self) -> tuple[ObjectiveConfig, ...]:
        """What `objectives` lists."""
        return objectives_of(self.objectives)

    @property
    def has_class_heads(self) -> bool:
        """Whether heads over the classes are trained."""
        return any(one.name == CLASS_HEADS for one in self.objective_configs)

    @property
    def position_noise_m(self) -> float:
        """Standard deviation of noise on the positions that heads learn."""
        head = self.head
        return head.position_noise_m if isinstance(head, PlaceHeadConfig) else 0.0

    @property
    def target_photos_per_batch(self) -> int:
        """Photos of `target` in a batch, over all replicas; 0 if none are learnt."""
        if not any(one.needs_target for one in self.objective_configs):
            return 0
        wanted = self.target.photos_per_batch if self.target else None
        return self.batch_size if wanted is None else wanted

    @property
    def reads_whole_target(self) -> bool:
        """Whether batches have photos of `target` that have no label."""
        configs = self.objective_configs
        return any(one.needs_target and not one.labels_target for one in configs)

    @property
    def pseudo_labels(self) -> PseudoLabelsConfig | None:
        """How photos of `target` get labels; None if they get none."""
        configs = self.objective_configs
        found = [one for one in configs if isinstance(one, PseudoLabelsConfig)]
        return found[0] if found else None

    @property
    def views_per_photo(self) -> int:
        """Augmented images of each photo in a batch."""
        return 2 if any(one.needs_two_views for one in self.objective_configs) else 1
