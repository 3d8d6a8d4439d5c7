"""The encoder: backbones, and a dataclass for each aggregation.

The networks themselves are in `vpr_tf/models/`; a test compares these names, stages
and options with theirs.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from vpr_tf.config.rules import (
    MOST_PIXELS_A_SIDE,
    MOST_UNITS,
    MOST_VALUES,
    Methods,
    check,
    check_choice,
    check_name,
    check_range,
)

_TRANSFORMERS = ("DINOv2", "ViT")
RUN_PREFIX = "run:"  # of `encoder.weights`
# Options of aggregations that say how often something is built or done.
_REPEATS = ("levels", "mix_depth", "num_blocks", "sinkhorn_iterations")
_MOST_REPEATS = 100
# Stages of each backbone, for `train_from_stage` and `last_stage`.
BACKBONE_STAGES = {
    **dict.fromkeys(("ResNet18", "ResNet50", "ResNet101", "ResNet152"), 5),
    "VGG16": 5,
    **{f"EfficientNet_B{number}": 9 for number in range(8)},
    **{f"EfficientNetLite{number}": 9 for number in range(3)},
    **dict.fromkeys(("MobileNetV3Small", "MobileNetV3Large"), 5),
    **{f"ConvNeXt{size}": 5 for size in ("Tiny", "Small", "Base", "Large")},
    **dict.fromkeys(("DINOv2_S14", "DINOv2_B14"), 13),
    "DINOv2_L14": 25,
    **dict.fromkeys(("DINOv2_S14_reg4", "DINOv2_B14_reg4"), 13),
    "DINOv2_L14_reg4": 25,
    **dict.fromkeys(("ViT_S16", "ViT_B16"), 13),
    "ViT_L16": 25,
}


@dataclass(frozen=True)
class AggregationConfig:
    """How the backbone's features become one vector; options of the layer."""

    name: str = "class_token"
    normalize_features: bool = False  # divides each location by its L2 norm before

    def __post_init__(self) -> None:
        AGGREGATIONS.check_class(self)
        for option, value in vars(self).items():
            if isinstance(value, int):
                name = f"{AGGREGATIONS.path}.{option}"
                most = _MOST_REPEATS if option in _REPEATS else MOST_UNITS
                check(value <= most, name, f"at most {most:,}", value)

    def options(self) -> dict[str, Any]:
        """Returns `name` and the options that are not the defaults.

        So that the same encoder has the same description, however it was written.
        """
        default = type(self)(name=self.name)
        values = dataclasses.asdict(self)
        changed = {n: v for n, v in values.items() if v != getattr(default, n)}
        return {"name": self.name, **changed}


@dataclass(frozen=True)
class PoolingConfig(AggregationConfig):
    """Average or maximum of each channel (SPoC, MAC)."""

    name: str = "average"
    normalize_features: bool = True  # divides each location by its L2 norm before


@dataclass(frozen=True)
class GemConfig(PoolingConfig):
    """Generalized mean of each channel (GeM, arXiv:1711.02512)."""

    name: str = "gem"
    p: float = 3.0  # the exponent at the start; it is learnt
    epsilon: float = 1e-6  # the smallest activation


@dataclass(frozen=True)
class RmacConfig(PoolingConfig):
    """Maximum of each channel in regions (R-MAC, arXiv:1511.05879)."""

    name: str = "rmac"
    levels: int = 3  # scales of the regions


@dataclass(frozen=True)
class NetVLADConfig(AggregationConfig):
    """Residuals to learnt clusters (NetVLAD, arXiv:1511.07247)."""

    name: str = "netvlad"
    num_clusters: int = 64
    normalize_input: bool = True


@dataclass(frozen=True)
class MixVPRConfig(AggregationConfig):
    """MLPs over the locations (MixVPR, arXiv:2303.02190); needs `image_size`."""

    name: str = "mixvpr"
    out_channels: int = 1024
    out_rows: int = 4  # values that are left of the locations of each channel
    mix_depth: int = 4  # feature mixers
    mlp_ratio: float = 1.0  # hidden units of a mixer over the number of locations


@dataclass(frozen=True)
class AttentionConfig(AggregationConfig):
    """Attention of a learnt query (Set Transformer, arXiv:1810.00825)."""

    name: str = "attention"
    num_heads: int = 8


@dataclass(frozen=True)
class BoQConfig(AggregationConfig):
    """Learnt queries that attend to the locations (BoQ, arXiv:2405.07364).

    Of a transformer it takes the patches before the final norm.
    """

    name: str = "boq"
    out_channels: int = 512  # after a 3x3 convolution; a multiple of 64
    out_rows: int = 32  # values that are left of the queries of each channel
    num_queries: int = 64  # of each block
    num_blocks: int = 2


@dataclass(frozen=True)
class SuperVLADConfig(AggregationConfig):
    """Sums over few clusters, without centroids (SuperVLAD, NeurIPS 2024)."""

    name: str = "supervlad"
    num_clusters: int = 4
    num_ghost_clusters: int = 1  # clusters that are dropped


@dataclass(frozen=True)
class AggregationTokensConfig(AggregationConfig):
    """Learnt tokens that are put before a block (ImAge, arXiv:2511.06024).

    Needs a transformer; train from stage `before_block` + 1 or earlier.
    """

    name: str = "aggregation_tokens"
    num_tokens: int = 8
    before_block: int = 8  # from 0


@dataclass(frozen=True)
class OptimalTransportConfig(AggregationConfig):
    """Assignment to clusters by optimal transport (SALAD, arXiv:2311.15937)."""

    name: str = "optimal_transport"
    num_clusters: int = 64
    cluster_dim: int = 128
    token_dim: int = 256
    hidden_dim: int = 512
    dropout: float = 0.3
    sinkhorn_iterations: int = 3
    token: str = "class_token"  # or mean of the patches, or none: no global part


AGGREGATIONS: Methods[AggregationConfig] = Methods(
    path="encoder.aggregation",
    key="name",
    classes={
        "gem": GemConfig,
        "average": PoolingConfig,
        "max": PoolingConfig,
        "rmac": RmacConfig,
        "netvlad": NetVLADConfig,
        "mixvpr": MixVPRConfig,
        "attention": AttentionConfig,
        "boq": BoQConfig,
        "supervlad": SuperVLADConfig,
        "aggregation_tokens": AggregationTokensConfig,
        "class_token": AggregationConfig,
        "optimal_transport": OptimalTransportConfig,
    },
)

FIXED_SIZE_AGGREGATIONS = ("mixvpr",)
LORA_TARGETS = ("query", "key", "value", "output", "mlp")  # layers of a block


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank changes of a frozen transformer (LoRA, arXiv:2106.09685).

    They alone train of the backbone; `best/` and exports hold the sums of weights and
    changes, and are those of an encoder without LoRA.
    """

    rank: int = 4
    alpha: float | None = None  # a change counts alpha / rank times; null: once
    # Of query, key, value, output (of the attention) and mlp.
    targets: list[str] = field(default_factory=lambda: ["query", "value"])
    from_stage: int = 1  # the first block that is changed, from 1

    def __post_init__(self) -> None:
        check_range(self, "encoder.lora", 1, MOST_UNITS, "rank")
        alpha = self.alpha
        check(
            alpha is None or alpha > 0, "encoder.lora.alpha", "above 0 or null", alpha
        )
        expected = f"some of {', '.join(LORA_TARGETS)}, each once"
        targets = self.targets
        is_right = targets and set(targets) <= set(LORA_TARGETS)
        once = len(set(targets)) == len(targets)
        check(bool(is_right) and once, "encoder.lora.targets", expected, targets)


@dataclass(frozen=True)
class AdaptersConfig:
    """Networks of two layers after the blocks of a frozen transformer.

    They alone train of the backbone, and are part of the encoder, exported or not
    (arXiv:1902.00751).
    """

    hidden_dim: int = 64  # width between the two layers
    from_stage: int = 1  # the first block that is followed by one, from 1

    def __post_init__(self) -> None:
        check_range(self, "encoder.adapters", 1, MOST_UNITS, "hidden_dim")
        check_range(self, "encoder.adapters", 1, None, "from_stage")


@dataclass(frozen=True)
class EncoderConfig:
    """The network that turns an image into a descriptor."""

    backbone: str = "ResNet18"  # see `vpr models list`
    descriptor_dim: int | None = 512  # null: the length that the aggregation gives
    aggregation: AggregationConfig = field(default_factory=GemConfig)
    last_stage: int | None = None  # stages of the backbone after it are cut off
    image_size: int | None = None  # pixels; for encoders that need squares of one size
    train_from_stage: int = 3  # stages below are frozen
    bn_mode: str = "torch"  # or keras: frozen stages use their moving statistics
    # or none, preset:NAME (of keras-hub), a released encoder's name, a file, or
    # run:NAME (the best weights of the newest finished run of that name)
    weights: str = "imagenet"
    # Changes of a transformer that is frozen, as `train_from_stage: 13` freezes it.
    lora: LoraConfig | None = None
    # Additions to a transformer that is frozen likewise.
    adapters: AdaptersConfig | None = None

    def __post_init__(self) -> None:
        most = {"descriptor_dim": MOST_VALUES, "image_size": MOST_PIXELS_A_SIDE}
        for name, high in most.items():
            if getattr(self, name) is not None:
                check_range(self, "encoder", 1, high, name)
        check_choice("encoder.backbone", self.backbone, tuple(BACKBONE_STAGES))
        stages = BACKBONE_STAGES[self.backbone]
        first, last = self.train_from_stage, self.last_stage
        check(
            0 <= first <= stages,
            "encoder.train_from_stage",
            f"between 0 (all train) and {stages} (none does), as {self.backbone} has "
            f"the stages 0 to {stages - 1}",
            first,
        )
        check(
            last is None or 0 <= last < stages,
            "encoder.last_stage",
            f"a stage of {self.backbone}, 0 to {stages - 1}, or null",
            last,
        )
        if self.weights.startswith(RUN_PREFIX):
            run = self.weights.removeprefix(RUN_PREFIX)
            check_name("encoder.weights: run:NAME", run)
        check_choice("encoder.bn_mode", self.bn_mode, ("torch", "keras"))
        for name, stage in self._added_from.items():
            self._check_frozen_transformer(name, stage)
        if isinstance(self.aggregation, AggregationTokensConfig):
            self._check_inserted_tokens(self.aggregation.before_block, stages)
        if self.aggregation.name in FIXED_SIZE_AGGREGATIONS:
            check(
                self.image_size is not None,
                "encoder.image_size",
                "a number of pixels, at which is trained and evaluated, because the "
                f"weights of {self.aggregation.name} belong to the locations of the "
                "feature map",
                self.image_size,
            )

    @property
    def gradients_from_stage(self) -> int:
        """The first stage with anything that trains."""
        return min([self.train_from_stage, *self._added_from.values()])

    @property
    def _added_from(self) -> dict[str, int]:
        """First stages of what trains in a frozen backbone, by its field."""
        added = {"encoder.lora": self.lora, "encoder.adapters": self.adapters}
        return {name: one.from_stage for name, one in added.items() if one is not None}

    def _check_transformer(self, reason: str) -> None:
        check(
            self.backbone.startswith(_TRANSFORMERS),
            "encoder.backbone",
            f"a transformer, DINOv2_... or ViT_..., because {reason}",
            self.backbone,
        )

    def _check_frozen_transformer(self, path: str, from_stage: int) -> None:
        self._check_transformer(f"`{path}` changes its blocks")
        stages = BACKBONE_STAGES[self.backbone]
        last = stages - 1 if self.last_stage is None else self.last_stage
        check(
            1 <= from_stage <= last,
            f"{path}.from_stage",
            f"a block of {self.backbone} that is there, 1 to {last}",
            from_stage,
        )
        check(
            self.train_from_stage > last,
            "encoder.train_from_stage",
            f"{last + 1}, which freezes {self.backbone}, because with `{path}` none of "
            "its own weights train",
            self.train_from_stage,
        )

    def _check_inserted_tokens(self, before_block: int, stages: int) -> None:
        self._check_transformer("aggregation_tokens are put before one of its blocks")
        backbone_alone = self.weights in ("none", "imagenet") or (
            self.weights.startswith("preset:")
        )
        last = stages - 2 if self.last_stage is None else self.last_stage - 1
        check(
            0 <= before_block <= last,
            "encoder.aggregation.before_block",
            f"a block of {self.backbone} that is there, 0 to {last}",
            before_block,
        )
        check(
            self.gradients_from_stage <= before_block + 1 or not backbone_alone,
            " or ".join(f"{name}.from_stage" for name in self._added_from)
            or "encoder.train_from_stage",
            f"at most {before_block + 1}, the stage that begins with the tokens, since "
            f"`weights: {self.weights}` leaves them random",
            self.gradients_from_stage,
        )
