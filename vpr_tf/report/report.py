"""All numbers of one encoder on one evaluation set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vpr_tf.config import STANDARD
from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.confidence import ConfidenceReport
from vpr_tf.report.error_distribution import ErrorDistribution
from vpr_tf.report.json_values import json_ready
from vpr_tf.report.recalls import RecallTable
from vpr_tf.report.smoothness import Smoothness
from vpr_tf.report.strata import Stratification

if TYPE_CHECKING:  # a report is read without TensorFlow
    from vpr_tf.evaluation.results import EvaluationResult

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Identity:
    """What was measured on what; it stands beside every table.

    Attributes:
        set_name: Evaluation set, e.g. `test`.
        dataset_fingerprint: Hash over the dataset's shards.
        encoder_fingerprint: Hash over the encoder's architecture and weights.
        encoder: The encoder, for people.
        preprocessing: How images are prepared, for people: `square 224, float32`.
        search: `exact` or `approximate`; `heads` where places are predicted. With
            `, re-ranked` where a second look changed the order.
        num_queries: Queries, those of unknown position included.
        num_database: Database images, or places that heads know.
        method: `evaluation.method`.
        engine: What computed the descriptors.
        protocol: What recall means, of `vpr_tf.config.PROTOCOLS`.
    """

    set_name: str
    dataset_fingerprint: str
    encoder_fingerprint: str
    encoder: str
    preprocessing: str
    search: str
    num_queries: int
    num_database: int
    method: str = "retrieval"
    engine: str = "tensorflow"
    protocol: str = STANDARD

    @property
    def predicts_places(self) -> bool:
        """Whether places are predicted, without a database."""
        return self.method == "classification"

    @property
    def symbol(self) -> str:
        """What recall is called: R, or LR when places are predicted."""
        return "LR" if self.predicts_places else "R"

    @property
    def known(self) -> str:
        """What predictions are chosen from, for people: `1,428 database images`."""
        what = "places" if self.predicts_places else "database images"
        return f"{self.num_database:,} {what}"


@dataclass(frozen=True, eq=False)
class Report:
    """The numbers behind metrics.json, table.md, per_query.csv and report.html.

    Attributes:
        identity: What was measured on what.
        bootstrap: How the intervals were made.
        positive_dist_threshold_m: The threshold of the set's main recall.
        recalls: Recall@N at every threshold.
        errors: Error of the estimated position by method: `cluster`, `best_match`; or
            `first_place`, of heads.
        answer_method: The method of the config, which `per_query` is of.
        confidence: How far the confidence can be trusted; None without calibration.
        why_no_confidence: The reason when `confidence` is None, else empty.
        strata: Recall@1 by attributes of the queries.
        left_out_strata: Attributes that the data does not hold, with the reason.
        smoothness: Similarity of descriptors over distance; None without positions,
            and where heads predict places without one.
        queries_without_positives: Keys of queries that no database image is near to.
        queries_without_position: Keys of queries of unknown position.
        per_query: Columns of per_query.csv, arrays `(num_queries,)`; NaN, -1 or empty
            text where unknown. See `vpr_tf/report/per_query.py` for their names.
        result: Predictions of every query, for pictures; not in metrics.json.
    """

    identity: Identity
    bootstrap: BootstrapSettings
    positive_dist_threshold_m: float
    recalls: RecallTable
    errors: dict[str, ErrorDistribution]
    answer_method: str
    confidence: ConfidenceReport | None
    why_no_confidence: str
    strata: list[Stratification]
    left_out_strata: dict[str, str]
    smoothness: Smoothness | None
    queries_without_positives: list[str]
    queries_without_position: list[str]
    per_query: dict[str, np.ndarray]
    result: EvaluationResult

    def to_dict(self) -> dict[str, Any]:
        """Returns the content of metrics.json."""
        left_out = ("per_query", "result")
        parts = {k: v for k, v in vars(self).items() if k not in left_out}
        parts["warnings"] = list(self.result.warnings)
        return {"format_version": FORMAT_VERSION, **json_ready(parts)}
