"""How images are prepared for an encoder; evaluation, localization, their report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from vpr_tf.config.protocols import (
    POSITIVE_DISTANCE_M,
    STANDARD,
    Protocol,
    find_protocol,
)
from vpr_tf.config.rerank import RerankConfig
from vpr_tf.config.rules import (
    MOST_IMAGES_A_BATCH,
    MOST_PIXELS_A_SIDE,
    MOST_PREDICTIONS,
    MOST_RESAMPLES,
    check,
    check_choice,
    check_range,
)
from vpr_tf.milvus_address import check_address

RESIZES = ("native", "shorter_side", "square")
# What computes descriptors on this machine.
ENGINES = ("tensorflow", "onnxruntime", "openvino", "litert")
EXTRACTION_PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "int8")
RECALL_VALUES = (1, 5, 10, 20)
METHODS = ("retrieval", "classification", "narrowed")
SCORES = ("raw", "cosine", "softmax")


@dataclass(frozen=True)
class Preprocessing:
    """Resize of an image and the precision of the encoder that gets it.

    Attributes:
        resize: `native` keeps the size, `shorter_side` keeps the aspect, `square` does
            not.
        image_size: Pixels; not used by `native`.
        precision: `float32`, `mixed_bfloat16`, `mixed_float16`, or `int8` (on CPUs).
    """

    resize: str = "native"
    image_size: int = 512
    precision: str = "float32"

    def __post_init__(self) -> None:
        check_preprocessing(self, "")

    def __str__(self) -> str:
        size = "" if self.resize == "native" else f" {self.image_size}"
        return f"{self.resize}{size}, {self.precision}"

    def identity(self) -> dict[str, Any]:
        """Returns what two must share to give the same descriptors; JSON-ready."""
        return {
            "precision": self.precision,
            "resize": self.resize,
            "image_size": None if self.resize == "native" else self.image_size,
        }


def check_preprocessing(config: Any, section: str) -> None:
    """Checks `resize`, `image_size` and `precision` of a config, where it has them.

    Args:
        config: Has these fields.
        section: Where they stand in a file, such as `evaluation`; empty for nowhere.

    Raises:
        ConfigError: One cannot be used.
    """
    prefix = f"{section}." if section else ""
    if config.resize is not None:
        check_choice(f"{prefix}resize", config.resize, RESIZES)
    if config.image_size is not None:
        check_range(config, section, 1, MOST_PIXELS_A_SIDE, "image_size")
    if config.precision is not None:
        check_choice(f"{prefix}precision", config.precision, EXTRACTION_PRECISIONS)


@dataclass(frozen=True)
class EvaluationConfig:
    """Descriptors, search and recall."""

    # retrieval; classification: the heads alone; narrowed: their best cells are
    # searched
    method: str = "retrieval"
    # How images are prepared. null: as the model was trained and validated (a run, an
    # export, a released encoder brings that); of a model that says nothing, native.
    resize: str | None = None  # native | shorter_side | square
    image_size: int | None = None  # pixels; not used by resize: native
    precision: str | None = None  # float32, mixed_bfloat16, mixed_float16; int8 (CPUs)
    # What computes: tensorflow | onnxruntime | openvino | litert. null: tensorflow; of
    # an exported encoder that of its format
    engine: str | None = None
    batch_size: int = 16
    positive_dist_threshold_m: float = POSITIVE_DISTANCE_M
    # What recall means, see docs/evaluation.md: whose rule of positives holds and what
    # queries without positives are. Of all test sets, or of some, as
    # {val_740: msls_val_740}; of the others it is standard
    protocol: Any = STANDARD
    recall_values: list[int] = field(default_factory=lambda: list(RECALL_VALUES))
    index: str = "auto"  # auto | exact | scann | milvus
    # index: milvus: address of a cluster; null: embedded, on this machine. Of a config
    # that is not named on the command line it must be given again, by --milvus-uri
    milvus_uri: str | None = None
    queries_to_draw: int = 0  # pictures of a query and its predictions
    draw_only_wrong: bool = False

    def __post_init__(self) -> None:
        check_choice("evaluation.method", self.method, METHODS)
        check_preprocessing(self, "evaluation")
        if self.engine is not None:
            check_choice("evaluation.engine", self.engine, ENGINES)
        check_range(self, "evaluation", 1, MOST_IMAGES_A_BATCH, "batch_size")
        check_range(self, "evaluation", 0, None, "queries_to_draw")
        threshold = self.positive_dist_threshold_m
        check(
            threshold > 0,
            "evaluation.positive_dist_threshold_m",
            "above 0",
            threshold,
        )
        for protocol in self._protocols:
            fixed = protocol.threshold_m
            check(
                fixed is None or threshold == fixed,
                "evaluation.positive_dist_threshold_m",
                f"{fixed or 0:g}, as the protocol {protocol.name} has it",
                threshold,
            )
        values = list(self.recall_values)
        check(
            bool(values)
            and values == sorted(set(values))
            and values[0] >= 1
            and values[-1] <= MOST_PREDICTIONS,
            "evaluation.recall_values",
            f"increasing whole numbers from 1 to {MOST_PREDICTIONS:,}",
            values,
        )
        indexes = ("auto", "exact", "scann", "milvus")
        check_choice("evaluation.index", self.index, indexes)
        if self.milvus_uri is not None:
            expected = "milvus, since `evaluation.milvus_uri` is set"
            check(self.index == "milvus", "evaluation.index", expected, self.index)
            check_address(self.milvus_uri, "evaluation.milvus_uri")

    @property
    def _protocols(self) -> list[Protocol]:
        if not isinstance(self.protocol, Mapping):
            return [find_protocol(self.protocol)]
        return [
            find_protocol(protocol, f"evaluation.protocol.{name}")
            for name, protocol in self.protocol.items()
        ]

    def rule_of(self, set_name: str) -> Protocol:
        """Returns what recall means on a test set."""
        if isinstance(self.protocol, Mapping):
            return find_protocol(self.protocol.get(set_name, STANDARD))
        return find_protocol(self.protocol)

    @property
    def preprocessing(self) -> Preprocessing:
        """How images are prepared for an encoder that says nothing of it."""
        return self.preprocessing_over(Preprocessing())

    def preprocessing_over(self, own: Preprocessing) -> Preprocessing:
        """Returns how images are prepared for an encoder that brings its own way.

        Args:
            own: That of the encoder; it holds where the config says nothing.
        """
        stated = {field.name: getattr(self, field.name) for field in fields(own)}
        given = {name: value for name, value in stated.items() if value is not None}
        return replace(own, **given)


@dataclass(frozen=True)
class ClassificationConfig:
    """Localization by the heads (Divide&Classify, arXiv:2307.08417)."""

    # raw: product with the prototypes, as the official code; cosine; or softmax inside
    # each group, as the paper. null: what the heads were trained for (softmax of linear
    # layers, cosine of margin heads); of stored heads the score they were stored with.
    score: str | None = None
    num_cells: int | None = 100  # K, of method narrowed; null: all cells
    model: str | None = None  # run whose heads narrow; null: those of the run itself

    def __post_init__(self) -> None:
        if self.score is not None:
            check_choice("classification.score", self.score, SCORES)
        if self.num_cells is not None:
            check_range(self, "classification", 1, None, "num_cells")


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
    wanted_precision: float = 0.95  # of the photos localized; the others are withheld
    # Of the photos to come, taken where the index has none: nothing should be said.
    outside_share: float = 0.05
    rerank: RerankConfig = field(default_factory=RerankConfig)

    def __post_init__(self) -> None:
        section = "localization"
        check_choice(f"{section}.method", self.method, ("cluster", "best_match"))
        check_range(self, section, 1, MOST_PREDICTIONS, "num_predictions")
        check_range(self, section, 0, 1, "wanted_precision")
        share = self.outside_share
        check(0 <= share < 1, f"{section}.outside_share", "in [0, 1)", share)
        choices = ("isotonic", "platt")
        check_choice(f"{section}.calibration", self.calibration, choices)
        radius = self.cluster_radius_m
        check(radius > 0, f"{section}.cluster_radius_m", "above 0", radius)
        scale = self.similarity_scale
        check(scale > 0, f"{section}.similarity_scale", "above 0", scale)
        if self.heading_tolerance_deg is not None:
            check_range(self, section, 0, 180, "heading_tolerance_deg")


@dataclass(frozen=True)
class ReportConfig:
    """What `vpr evaluate --report` measures besides recall at one distance."""

    # Of positives; evaluation.positive_dist_threshold_m is always among them.
    thresholds_m: list[float] = field(
        default_factory=lambda: [1.0, 5.0, 10.0, 25.0, 50.0, 100.0]
    )
    num_resamples: int = 2000  # of the queries, for 95% confidence intervals
    dark_luma_below: float = 0.2  # mean luma of an image by night, 0 to 1
    num_pairs: int = 20_000  # of database images, for spatial smoothness

    def __post_init__(self) -> None:
        check_range(self, "report", 1, MOST_RESAMPLES, "num_resamples", "num_pairs")
        check_range(self, "report", 0, 1, "dark_luma_below")
        thresholds = list(self.thresholds_m)
        rule = all(threshold > 0 for threshold in thresholds)
        check(rule, "report.thresholds_m", "metres above 0", thresholds)
