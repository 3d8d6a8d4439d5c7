"""Heads over classes: a dataclass for each."""

from __future__ import annotations

from dataclasses import dataclass, field

from vpr_tf.config.rules import Methods, check, check_choice, check_range


@dataclass(frozen=True)
class HeadConfig:
    """What the encoder is trained with, one for each group; cross_entropy: classes."""

    name: str = "cross_entropy"
    hidden_layers: int = 0  # SiLU, each as long as the descriptor, before any head

    def __post_init__(self) -> None:
        HEADS.check_class(self)
        check_range(self, HEADS.path, 0, 3, "hidden_layers")


@dataclass(frozen=True)
class MarginHeadConfig(HeadConfig):
    """CosFace (arXiv:1801.09414)."""

    name: str = "cosine_margin"
    scale: float = 30.0  # s
    margin: float = 0.4  # m: of the cosine, or of the angle in radians

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.scale > 0, "train.head.scale", "above 0", self.scale)
        check(0 <= self.margin < 1, "train.head.margin", "in [0, 1)", self.margin)


@dataclass(frozen=True)
class AngularMarginHeadConfig(MarginHeadConfig):
    """ArcFace (arXiv:1801.07698); Divide&Classify: s=100, m=0.2."""

    name: str = "angular_margin"
    # No margin where the angle is above 90 degrees, as the official code of D&C; false:
    # everywhere, as equation 4 of its paper.
    easy_margin: bool = True


@dataclass(frozen=True)
class PlaceHeadConfig(HeadConfig):
    """Heads that learn positions; von_mises_fisher: a mixture of densities (MvMF)."""

    name: str = "von_mises_fisher"
    # Standard deviation of what is added to east and north, anew at each sight of a
    # photo; the photo stays in its class. The val loss has none.
    position_noise_m: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, HEADS.path, 0, 1e6, "position_noise_m")


@dataclass(frozen=True)
class SoftLabelHeadConfig(PlaceHeadConfig):
    """Labels that the cells around a position share, by their inverse distance."""

    name: str = "soft_labels"
    spread_headings: bool = False  # over the heading bins beside the own one as well


@dataclass(frozen=True)
class RegressionHeadConfig(PlaceHeadConfig):
    """Position and heading as numbers.

    Of direct_regression the heading is a sine and a cosine; of unit_regression all are
    shares in [0, 1], between which 359 degrees and 1 degree are far apart.
    """

    name: str = "direct_regression"
    regression_loss: str = "l2"  # l1, or learned_weight, of position and heading

    def __post_init__(self) -> None:
        super().__post_init__()
        losses = ("l2", "l1", "learned_weight")
        check_choice("train.head.regression_loss", self.regression_loss, losses)


@dataclass(frozen=True)
class HypersphereHeadConfig(RegressionHeadConfig):
    """Position and heading as a point of a hypersphere."""

    name: str = "hypersphere_regression"
    # Of the map's edges on the sphere: of the western and southern one, of the others.
    angles_deg: list[float] = field(default_factory=lambda: [-45.0, 45.0])

    def __post_init__(self) -> None:
        super().__post_init__()
        angles = list(self.angles_deg)
        ascends = len(angles) == 2 and -90 < angles[0] < angles[1] < 90
        expected = "two angles between -90 and 90, ascending"
        check(ascends, "train.head.angles_deg", expected, angles)


HEADS: Methods[HeadConfig] = Methods(
    path="train.head",
    key="name",
    classes={
        "cosine_margin": MarginHeadConfig,
        "angular_margin": AngularMarginHeadConfig,
        "cross_entropy": HeadConfig,
        "soft_labels": SoftLabelHeadConfig,
        "von_mises_fisher": PlaceHeadConfig,
        "direct_regression": RegressionHeadConfig,
        "unit_regression": RegressionHeadConfig,
        "hypersphere_regression": HypersphereHeadConfig,
    },
    former_fields=frozenset(
        ["name", "scale", "margin", "hidden_layers", "regression_loss"]
    ),
)
