"""What the places that heads name say of how far the first of them can be trusted."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.group_head import MIXTURE
from vpr_tf.classification.predictions import PlacePredictions
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.geo import ecef

METHOD = "classification"
# Places nearer to each other than this are one and the same to an answer.
SAME_PLACE_M = 25.0
SMALLEST_PROBABILITY = 1e-30


@dataclass(frozen=True)
class PlaceSettings:
    """What the features of an answer depend on; stored with a calibration.

    Attributes:
        score: `PlaceClassifier.score`; empty for heads that are no classes.
        num_predictions: Places of each query that are looked at.
        log_scores: Whether scores are probabilities, whose logarithms count.
    """

    score: str
    num_predictions: int
    log_scores: bool

    @classmethod
    def of(cls, predictor: PlacePredictor, num_predictions: int) -> PlaceSettings:
        """Returns the settings of some heads."""
        if not isinstance(predictor, PlaceClassifier):
            return cls("", num_predictions, log_scores=False)
        return cls(predictor.score, num_predictions, has_probabilities(predictor))

    def to_dict(self) -> dict[str, Any]:
        """Returns what `Calibration.settings` holds."""
        return {"method": METHOD, **dataclasses.asdict(self)}


def has_probabilities(classifier: PlaceClassifier) -> bool:
    """Whether the scores are probabilities, or densities of one."""
    of_mixture = any(head.kind == MIXTURE for head in classifier.heads)
    return of_mixture or classifier.head_score == "softmax"


def place_features(
    predictions: PlacePredictions, settings: PlaceSettings
) -> np.ndarray:
    """Returns the features of each query, in the order of `PLACES.names`.

    - `agreement`: 0 when the best places of all groups are one, the less the farther
      apart they are: -log(1 + spread / 25 m); always 0 with a single group;
    - `score`: that of the first place, its logarithm where it is a probability;
    - `margin`: by how much it exceeds that of the best place more than 25 m from it,
      of the last place when all are nearer.

    Args:
        predictions: At best `settings.num_predictions` places a query, best first.
        settings: How many count, and how scores are taken.

    Returns:
        Float64 `(num_queries, 3)`; NaN for queries without an answer.

    Reference:
        Trivigno et al., "Divide&Classify", ICCV 2023, arXiv:2307.08417, figure 7 (the
        spread).
    """
    rows = predictions.rows[:, : settings.num_predictions]
    scores = predictions.scores[:, : settings.num_predictions].astype(np.float64)
    valid = rows >= 0
    if settings.log_scores:
        scores = np.log(np.maximum(scores, SMALLEST_PROBABILITY))
    used, position = np.unique(rows[valid], return_inverse=True)
    points = np.full((*rows.shape, 3), np.nan)
    points[valid] = ecef.from_lat_lon(
        predictions.places.latitude_deg[used], predictions.places.longitude_deg[used]
    )[position]
    offset_m = np.linalg.norm(points - points[:, :1], axis=2)
    elsewhere = np.where(valid & (offset_m > SAME_PLACE_M), scores, -np.inf)
    last = np.where(valid, scores, np.inf).min(axis=1)
    rival = elsewhere.max(axis=1)
    rival = np.where(np.isfinite(rival), rival, last)
    best = np.where(valid[:, 0], scores[:, 0], np.nan)
    spread_m = np.nan_to_num(predictions.spread_m, nan=0.0)
    agreement = -np.log1p(spread_m / SAME_PLACE_M)
    agreement = np.where(valid[:, 0], agreement, np.nan)
    return np.stack([agreement, best, best - rival], axis=1)
