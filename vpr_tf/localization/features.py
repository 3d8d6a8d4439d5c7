"""What candidates say of how far a position that is estimated from them can be trusted.

Features are numbers that are larger, the likelier a position is right.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.localization.candidates import Candidates, Clusters
from vpr_tf.localization.errors import LocalizationError

# Cells nearer to each other than this are one place.
SAME_PLACE_M = 25.0
SMALLEST_PROBABILITY = 1e-30


@dataclass(frozen=True)
class FeatureSet:
    """The features of one kind of candidates.

    Attributes:
        names: In the order of the columns.
        single: The one that orders positions well without any fitting.
    """

    names: tuple[str, ...]
    single: str


MATCHES = FeatureSet(("similarity", "gap", "share"), "share")
RERANKED = FeatureSet(
    ("similarity", "gap", "share", "inliers", "inlier_gap"), "inliers"
)
CELLS = FeatureSet(("agreement", "score", "margin"), "margin")


def feature_set(names: Collection[str]) -> FeatureSet:
    """Returns the set that has these features.

    Raises:
        LocalizationError: None has.
    """
    sets = (MATCHES, RERANKED, CELLS)
    for known in sets:
        if set(names) == set(known.names):
            return known
    raise LocalizationError(
        f"A calibration must weigh {', or '.join(', '.join(s.names) for s in sets)}. "
        f"Received: {', '.join(names)}. Calibrate again."
    )


@dataclass(frozen=True)
class CellSettings:
    """What the features of cells depend on; that of matches are in the config.

    Attributes:
        score: What cells are scored by; empty for a regression.
        num_predictions: Cells of each query that count.
        log_scores: Whether scores are probabilities, whose logarithms count.
    """

    score: str
    num_predictions: int
    log_scores: bool


def calibrated_settings(
    settings: LocalizationConfig | CellSettings, matched_by: str = ""
) -> dict[str, Any]:
    """Returns what the features depend on, as a calibration stores it.

    Args:
        settings: How candidates become a position.
        matched_by: See `Candidates`.
    """
    if isinstance(settings, CellSettings):
        return {"method": "classification", **dataclasses.asdict(settings)}
    names = (
        "method",
        "num_predictions",
        "cluster_radius_m",
        "similarity_scale",
        "heading_tolerance_deg",
    )
    found = {name: getattr(settings, name) for name in names}
    return found | ({"matched_by": matched_by} if matched_by else {})


def match_features(candidates: Candidates, clusters: Clusters) -> np.ndarray:
    """Returns the features of each query, in the order of the names of their set.

    - `similarity`: cosine similarity of the best match of the cluster;
    - `gap`: by how much it exceeds that of the best match elsewhere, of the last match
      when all agree; negative when a match elsewhere is better;
    - `share`: part of the weight of all matches that the cluster holds, 0 to 1;

    and of re-ranked candidates (`RERANKED`)

    - `inliers`: log(1 + key points that the best match of the cluster shares with the
      query);
    - `inlier_gap`: by how much that exceeds the same of the best match elsewhere.

    Returns:
        Float64 `(num_queries, 3 or 5)`; NaN for queries without candidates.
    """
    votes, members = candidates.valid, clusters.members
    distances = -candidates.scores
    inside = np.where(members, distances, np.inf).min(axis=1, initial=np.inf)
    elsewhere = votes & ~members
    outside = np.where(elsewhere, distances, np.inf).min(axis=1, initial=np.inf)
    last = np.where(votes, distances, 0.0).max(axis=1, initial=0.0)
    outside = np.where(elsewhere.any(axis=1), outside, last)
    of_members = np.where(members, clusters.weights, 0.0).sum(axis=1)
    of_all = clusters.weights.sum(axis=1)
    located = members.any(axis=1)
    inside = np.where(located, inside, np.nan)
    share = of_members / np.where(located, of_all, np.nan)
    features = [1 - inside / 2, (outside - inside) / 2, share]
    if candidates.inliers is not None:
        evidence = np.log1p(np.nan_to_num(candidates.inliers))
        best = np.where(members, evidence, 0.0).max(axis=1, initial=0.0)
        rival = np.where(elsewhere, evidence, 0.0).max(axis=1, initial=0.0)
        features += [np.where(located, one, np.nan) for one in (best, best - rival)]
    return np.stack(features, axis=1)


def cell_features(candidates: Candidates, settings: CellSettings) -> np.ndarray:
    """Returns the features of each query, in the order of `CELLS.names`.

    - `agreement`: 0 when the best cells of all groups are one, the less the farther
      apart they are: -log(1 + spread / 25 m); always 0 with a single group;
    - `score`: that of the first cell, its logarithm where it is a probability;
    - `margin`: by how much it exceeds that of the best cell more than 25 m from it,
      of the last cell when all are nearer.

    Returns:
        Float64 `(num_queries, 3)`; NaN for queries without candidates.

    Reference:
        Trivigno et al., "Divide&Classify", ICCV 2023, arXiv:2307.08417, figure 7 (the
        spread).
    """
    candidates = candidates.first(settings.num_predictions)
    scores, valid = candidates.scores.astype(np.float64), candidates.valid
    if settings.log_scores:
        scores = np.log(np.maximum(scores, SMALLEST_PROBABILITY))
    points = candidates.candidate_points
    offset_m = np.linalg.norm(points - points[:, :1], axis=2)
    elsewhere = np.where(valid & (offset_m > SAME_PLACE_M), scores, -np.inf)
    last = np.where(valid, scores, np.inf).min(axis=1)
    rival = elsewhere.max(axis=1)
    rival = np.where(np.isfinite(rival), rival, last)
    best = np.where(valid[:, 0], scores[:, 0], np.nan)
    spread_m = np.zeros(len(scores))
    if candidates.spread_m is not None:
        spread_m = np.nan_to_num(candidates.spread_m, nan=0.0)
    agreement = np.where(valid[:, 0], -np.log1p(spread_m / SAME_PLACE_M), np.nan)
    return np.stack([agreement, best, best - rival], axis=1)
