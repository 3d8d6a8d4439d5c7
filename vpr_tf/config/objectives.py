"""Objectives of training: a dataclass for each, and what it needs of a batch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from vpr_tf.config.rules import (
    MOST_UNITS,
    ConfigError,
    Methods,
    check,
    check_choice,
    check_range,
)

CLASS_HEADS = "class_heads"
_PATH = "train.objectives"


@dataclass(frozen=True)
class ObjectiveConfig:
    """The heads over the classes of a group, as `train.head` says."""

    # Several photos of a class in a batch, or two views of each.
    needs_positives: ClassVar[bool] = False
    needs_two_views: ClassVar[bool] = False
    # Descriptors of `train.teacher`.
    needs_teacher: ClassVar[bool] = False
    # Photos of `train.target` in the batch; with labels: those alone that have one.
    needs_target: ClassVar[bool] = False
    labels_target: ClassVar[bool] = False

    name: str = CLASS_HEADS
    weight: float = 1.0  # factor in the sum of the objectives

    def __post_init__(self) -> None:
        OBJECTIVES.check_class(self)
        self.check_positive("weight")

    @property
    def tells_classes_apart(self) -> bool:
        """Whether photos of other classes are negatives."""
        return not (self.needs_two_views or self.needs_teacher or self.needs_target)

    def check_positive(self, *names: str) -> None:
        """Checks that fields are above 0."""
        for name in names:
            value = getattr(self, name)
            check(value > 0, f"{_PATH}.{name}", "above 0", value)

    @property
    def settings(self) -> dict[str, Any]:
        """What the loss takes besides descriptors and pairs."""
        values = dataclasses.asdict(self)
        return {n: v for n, v in values.items() if n not in ("name", "weight", "miner")}


@dataclass(frozen=True)
class MinerConfig:
    """Which pairs count: those that are hard beside the others of their photo."""

    name: str = "multi_similarity"
    epsilon: float = 0.1  # margin of the cosine

    def __post_init__(self) -> None:
        check_choice(f"{_PATH}.miner.name", self.name, ("multi_similarity",))
        check_range(self, f"{_PATH}.miner", 0, 2, "epsilon")


@dataclass(frozen=True)
class PairLossConfig(ObjectiveConfig):
    """A loss over the photos of a class and those of others."""

    needs_positives: ClassVar[bool] = True


@dataclass(frozen=True)
class MinedLossConfig(PairLossConfig):
    """A loss over pairs, of which a miner may choose."""

    miner: MinerConfig | None = None


@dataclass(frozen=True)
class MultiSimilarityConfig(MinedLossConfig):
    """Weighs pairs by how hard they are beside the others (arXiv:1904.06627)."""

    name: str = "multi_similarity"
    alpha: float = 1.0
    beta: float = 50.0
    base: float = 0.0  # lambda: cosine from which a pair counts

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("alpha", "beta")
        check_range(self, _PATH, -1, 1, "base")


@dataclass(frozen=True)
class ContrastiveConfig(MinedLossConfig):
    """Positives nearer than one distance, negatives farther than another."""

    name: str = "contrastive"
    positive_margin: float = 0.0
    negative_margin: float = 1.0
    squared: bool = False  # violations, as in the paper

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 0, 2, "positive_margin", "negative_margin")


@dataclass(frozen=True)
class SoftmaxLossConfig(MinedLossConfig):
    """Cross-entropy of positives against negatives (arXiv:2002.05709, 2004.11362)."""

    name: str = "nt_xent"
    temperature: float = 0.07

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("temperature")


@dataclass(frozen=True)
class CircleConfig(MinedLossConfig):
    """Weighs similarities by their distance to the optimum (arXiv:2002.10857)."""

    name: str = "circle"
    margin: float = 0.4  # m
    scale: float = 80.0  # gamma

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("scale")
        check_range(self, _PATH, 0, 1, "margin")


@dataclass(frozen=True)
class TripletConfig(MinedLossConfig):
    """Positives nearer than negatives (arXiv:1503.03832, 1703.07737)."""

    name: str = "triplet"
    mining: str = "hard"  # or all, semi_hard; these two take memory for batch^3 values
    margin: float = 0.1
    soft: bool = False  # log(1 + exp(violation)) instead of the margin

    def __post_init__(self) -> None:
        super().__post_init__()
        choices = ("all", "hard", "semi_hard")
        check_choice(f"{_PATH}.mining", self.mining, choices)
        check_range(self, _PATH, 0, 2, "margin")
        if self.soft and self.mining == "semi_hard":
            raise ConfigError(
                f"`{_PATH}.soft` has no margin, by which semi-hard triplets are "
                "chosen. Set `mining: hard` or `mining: all`, or `soft: false`."
            )


@dataclass(frozen=True)
class FastAPConfig(PairLossConfig):
    """Average precision over a histogram of the distances (CVPR 2019)."""

    name: str = "fast_ap"
    num_bins: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 2, 1000, "num_bins")


@dataclass(frozen=True)
class LiftedStructureConfig(PairLossConfig):
    """Each positive pair against all negatives of both (arXiv:1511.06452)."""

    name: str = "lifted_structure"
    margin: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 0, 2, "margin")


@dataclass(frozen=True)
class GeneralizedLiftedStructureConfig(MinedLossConfig):
    """All positives of a photo against all its negatives (arXiv:1703.07737)."""

    name: str = "generalized_lifted_structure"
    positive_margin: float = 0.0
    negative_margin: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 0, 2, "positive_margin", "negative_margin")


@dataclass(frozen=True)
class NPairsConfig(PairLossConfig):
    """First photos of the places against their second ones (NeurIPS 2016)."""

    name: str = "n_pairs"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("temperature")


@dataclass(frozen=True)
class ProxyAnchorConfig(ObjectiveConfig):
    """A learnt descriptor for each class of a group (arXiv:2003.13911)."""

    name: str = "proxy_anchor"
    margin: float = 0.1  # delta
    alpha: float = 32.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("alpha")
        check_range(self, _PATH, 0, 1, "margin")


@dataclass(frozen=True)
class TwoViewConfig(ObjectiveConfig):
    """A loss over two augmented views of each photo, without labels."""

    needs_two_views: ClassVar[bool] = True

    # Width of a network of two layers, through which the descriptors go before the
    # loss; it is dropped after training. null: none.
    projector_dim: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.projector_dim is not None:
            check_range(self, _PATH, 1, MOST_UNITS, "projector_dim")


@dataclass(frozen=True)
class VICRegConfig(TwoViewConfig):
    """Equal views, wide and uncorrelated dimensions (arXiv:2105.04906)."""

    name: str = "vicreg"
    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 0, None, "invariance", "variance", "covariance")


@dataclass(frozen=True)
class BarlowTwinsConfig(TwoViewConfig):
    """Correlated views, uncorrelated dimensions (arXiv:2103.03230)."""

    name: str = "barlow_twins"
    redundancy: float = 0.005  # lambda

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 0, None, "redundancy")


@dataclass(frozen=True)
class SimCLRConfig(TwoViewConfig):
    """Each view finds the other among those of all photos (arXiv:2002.05709)."""

    name: str = "simclr"
    temperature: float = 0.07

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("temperature")


@dataclass(frozen=True)
class DistillationConfig(ObjectiveConfig):
    """Descriptors and similarities of `train.teacher`, without labels."""

    needs_teacher: ClassVar[bool] = True

    name: str = "distillation"
    descriptor: float = 1.0  # weight of the cosine distance to the teacher's descriptor
    relation: float = 10.0  # weight of the squared difference of similarities

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 0, None, "descriptor", "relation")
        if self.descriptor == self.relation == 0:
            raise ConfigError(
                f"`{_PATH}` (distillation) learns nothing with `descriptor: "
                "0` and `relation: 0`. Set one of them above 0."
            )


@dataclass(frozen=True)
class DomainAdversarialConfig(ObjectiveConfig):
    """Descriptors that do not tell the photos of `train.target` (arXiv:1409.7495).

    A classifier learns to tell them, and its gradient is reversed for the encoder.
    """

    needs_target: ClassVar[bool] = True

    name: str = "domain_adversarial"
    reversal: float = 1.0  # lambda: factor of the gradient for the encoder
    hidden_units: int = 256  # of the classifier

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 0, None, "reversal")
        check_range(self, _PATH, 1, MOST_UNITS, "hidden_units")


@dataclass(frozen=True)
class PseudoLabelsConfig(ObjectiveConfig):
    """What the heads say of photos of `train.target`, by where they are localized.

    The encoder, as it is then, localizes the photos by those of the trained classes.
    Of those whose confidence, calibrated on val, suffices, the class of the most
    similar photo at the place counts as theirs; the others are left out.
    """

    needs_target: ClassVar[bool] = True
    labels_target: ClassVar[bool] = True

    name: str = "pseudo_labels"
    min_confidence: float = 0.9  # photos below are not taken
    start_step: int = 0  # steps of the run before the photos are localized first
    # Steps after which they are localized anew; null: never.
    renew_every_steps: int | None = 1000
    # Of the trained classes, evenly spaced, that they are compared with.
    database_photos: int = 100_000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 0, 1, "min_confidence")
        check_range(self, _PATH, 0, None, "start_step")
        check_range(self, _PATH, 1, None, "database_photos")
        if self.renew_every_steps is not None:
            check_range(self, _PATH, 1, None, "renew_every_steps")


OBJECTIVES: Methods[ObjectiveConfig] = Methods(
    path=_PATH,
    key="name",
    classes={
        CLASS_HEADS: ObjectiveConfig,
        "multi_similarity": MultiSimilarityConfig,
        "triplet": TripletConfig,
        "contrastive": ContrastiveConfig,
        "nt_xent": SoftmaxLossConfig,
        "sup_con": SoftmaxLossConfig,
        "circle": CircleConfig,
        "fast_ap": FastAPConfig,
        "lifted_structure": LiftedStructureConfig,
        "generalized_lifted_structure": GeneralizedLiftedStructureConfig,
        "n_pairs": NPairsConfig,
        "proxy_anchor": ProxyAnchorConfig,
        "vicreg": VICRegConfig,
        "barlow_twins": BarlowTwinsConfig,
        "simclr": SimCLRConfig,
        "distillation": DistillationConfig,
        "domain_adversarial": DomainAdversarialConfig,
        "pseudo_labels": PseudoLabelsConfig,
    },
)
