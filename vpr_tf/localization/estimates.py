"""Where queries were taken, from their candidates."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.geo import (
    UNKNOWN_HEADING_DEG,
    UNKNOWN_ZONE,
    Positions,
    distances_m,
    ecef,
)
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.candidates import Candidates, Clusters, find_clusters
from vpr_tf.localization.features import (
    CELLS,
    MATCHES,
    RERANKED,
    CellSettings,
    FeatureSet,
    calibrated_settings,
    cell_features,
    match_features,
)

# A mean of unit vectors shorter than this has no direction.
_SHORTEST_MEAN = 1e-6
_WEISZFELD_STEPS = 64
_NEAREST_M = 0.01  # keeps the weight of a photo at the median finite


@dataclass(frozen=True, eq=False)
class Estimates:
    """Positions with their confidence, one entry a query.

    Attributes:
        candidates: What they were estimated from.
        members: The candidates that each rests on, bool `(num_queries, n)`.
        settings: What the features depend on; see `calibrated_settings`.
        latitude_deg: Float64; NaN where there is no candidate.
        longitude_deg: Same.
        utm_east_m: Float64 metres in `utm_zone`; NaN where there is no candidate.
        utm_north_m: Same.
        utm_zone: Signed zone, int16; 0 where there is no candidate, and of local
            coordinates, whose degrees are NaN.
        heading_deg: Where the query looks; -1 where unknown.
        features: See `match_features` and `cell_features`.
        num_votes: Candidates that the features were computed from.
        expected_error_m: Two of three such positions are at least this near (see
            `Calibration.error_quantile`); NaN without calibration.
        confidence: Probability that the error is at most `Calibration.threshold_m`;
            NaN without calibration.
        localized: Whether there is a position and, with a calibration, its confidence
            suffices. A withheld one keeps its position.
        min_confidence: What suffices; None without calibration.
    """

    candidates: Candidates
    members: np.ndarray
    settings: dict[str, Any]
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    utm_east_m: np.ndarray
    utm_north_m: np.ndarray
    utm_zone: np.ndarray
    heading_deg: np.ndarray
    features: np.ndarray
    num_votes: np.ndarray
    expected_error_m: np.ndarray
    confidence: np.ndarray
    localized: np.ndarray
    min_confidence: float | None = None

    def __len__(self) -> int:
        return len(self.localized)

    @property
    def feature_set(self) -> FeatureSet:
        """What the features are."""
        if self.candidates.photos is None:
            return CELLS
        return MATCHES if self.candidates.inliers is None else RERANKED

    @property
    def positions(self) -> Positions:
        """The positions; zone 0 where there is none."""
        known = np.isfinite(self.utm_east_m)
        east_m, north_m, latitude_deg, longitude_deg = (
            np.where(known, values, 0.0)
            for values in (
                self.utm_east_m,
                self.utm_north_m,
                self.latitude_deg,
                self.longitude_deg,
            )
        )
        return Positions(
            np.rint(east_m * 100).astype(np.int64),
            np.rint(north_m * 100).astype(np.int64),
            self.utm_zone,
            latitude_deg,
            longitude_deg,
        )

    def errors_m(self, queries: Positions) -> np.ndarray:
        """Returns how far each position, withheld or not, is from the truth.

        Args:
            queries: Where the queries were taken.

        Returns:
            Metres `(num_queries,)`; NaN where either position is unknown.
        """
        rows = np.arange(len(self))[:, None]
        return distances_m(queries, self.positions, rows)[:, 0]

    def calibrated(
        self, calibration: Calibration | None, min_confidence: float | None = None
    ) -> Estimates:
        """Returns the same positions with confidences and expected errors.

        Args:
            calibration: Of the same settings; None changes nothing.
            min_confidence: Positions below are withheld; None for what the
                calibration says.

        Raises:
            LocalizationError: The calibration is of other settings.
        """
        if calibration is None:
            return self
        calibration.check_settings(self.settings)
        if min_confidence is None:
            min_confidence = calibration.min_confidence
        confidence, error_m = calibration.apply(self.features, self.num_votes)
        localized = self.members.any(axis=1)
        # A minimum of 0 is for all positions, also those without a confidence.
        localized &= (confidence >= min_confidence) | (min_confidence <= 0)
        return dataclasses.replace(
            self,
            confidence=confidence,
            expected_error_m=error_m,
            localized=localized,
            min_confidence=min_confidence,
        )


def estimate_positions(
    candidates: Candidates,
    settings: LocalizationConfig | CellSettings,
    *,
    calibration: Calibration | None = None,
    min_confidence: float | None = None,
    weights: np.ndarray | None = None,
) -> Estimates:
    """Estimates where queries were taken.

    Of matches, `cluster` takes the largest group that agrees on a place and the
    weighted geometric median of its places, and `best_match` the place of the first
    match. Of cells it is the place of the first.

    Args:
        candidates: Matches or cells of each query.
        settings: How they become a position.
        calibration: Gives confidences and expected errors.
        min_confidence: Positions below are withheld; None for what the calibration
            says.
        weights: Votes of the matches, see `find_clusters`; not with a calibration.

    Raises:
        LocalizationError: The calibration is of other settings.
    """
    if isinstance(settings, CellSettings):
        estimates = _of_first_cells(candidates, settings)
    else:
        estimates = _of_clusters(candidates, settings, weights)
    return estimates.calibrated(calibration, min_confidence)


def _of_first_cells(candidates: Candidates, settings: CellSettings) -> Estimates:
    first = candidates.rows[:, 0]
    located = candidates.valid[:, 0]
    places = candidates.places.take(first)
    members = np.zeros_like(candidates.valid)
    members[:, 0] = located
    unknown = np.full(len(first), np.nan)
    return Estimates(
        candidates,
        members,
        calibrated_settings(settings),
        latitude_deg=np.where(located, places.latitude_deg, np.nan),
        longitude_deg=np.where(located, places.longitude_deg, np.nan),
        utm_east_m=np.where(located, places.utm_east_cm / 100, np.nan),
        utm_north_m=np.where(located, places.utm_north_cm / 100, np.nan),
        utm_zone=np.where(located, places.utm_zone, UNKNOWN_ZONE),
        heading_deg=np.where(
            located, candidates.heading_deg[first], UNKNOWN_HEADING_DEG
        ),
        features=cell_features(candidates, settings),
        num_votes=candidates.first(settings.num_predictions).valid.sum(axis=1),
        expected_error_m=unknown,
        confidence=unknown,
        localized=located,
    )


def _of_clusters(
    candidates: Candidates, config: LocalizationConfig, weights: np.ndarray | None
) -> Estimates:
    clusters = find_clusters(candidates, config, weights)
    located = np.asarray(clusters.members.any(axis=1))
    queries = np.flatnonzero(located)
    latitude_deg, longitude_deg, east_m, north_m = np.full((4, len(located)), np.nan)
    zone = np.full(len(located), UNKNOWN_ZONE, np.int16)
    if len(queries):
        points = _positions(candidates, clusters, queries, config.method)
        is_local = bool(candidates.places.is_local.any())
        (
            latitude_deg[queries],
            longitude_deg[queries],
            east_m[queries],
            north_m[queries],
            zone[queries],
        ) = ecef.to_positions(points, is_local)
    unknown = np.full(len(located), np.nan)
    return Estimates(
        candidates,
        clusters.members,
        calibrated_settings(config, candidates.matched_by),
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        utm_east_m=east_m,
        utm_north_m=north_m,
        utm_zone=zone,
        heading_deg=_mean_headings(candidates, clusters),
        features=match_features(candidates, clusters),
        num_votes=candidates.valid.sum(axis=1),
        expected_error_m=unknown,
        confidence=unknown,
        localized=located,
    )


def _positions(
    candidates: Candidates, clusters: Clusters, queries: np.ndarray, method: str
) -> np.ndarray:
    """Returns the points of located queries, metres from the earth's centre."""
    points = candidates.candidate_points
    if method == "best_match":
        return points[queries, clusters.centre[queries]]
    weights = np.where(clusters.members, clusters.weights, 0.0)[queries]
    return geometric_medians(points[queries], weights)


def geometric_medians(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the points with the least weighted sum of distances to others.

    A far point pulls no more than a near one. Every step is a weighted mean of the
    points, so the result lies in their convex hull.

    Args:
        points: Metres `(num_queries, n, 3)`.
        weights: 0 or more `(num_queries, n)`, not all 0 in a query.

    Returns:
        Metres `(num_queries, 3)`.

    Reference:
        Weiszfeld, "Sur le point pour lequel la somme des distances de n points donnes
        est minimum", Tohoku Mathematical Journal 43, 1937.
    """
    origin = points[np.arange(len(points)), weights.argmax(axis=1)]
    offsets = points - origin[:, None]
    median = _weighted_mean(offsets, weights)
    for _ in range(_WEISZFELD_STEPS):
        metres = np.linalg.norm(offsets - median[:, None], axis=-1)
        median = _weighted_mean(offsets, weights / np.maximum(metres, _NEAREST_M))
    return origin + median


def _weighted_mean(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = np.einsum("qi,qix->qx", weights, points)
    return total / weights.sum(axis=1)[:, None]


def _mean_headings(candidates: Candidates, clusters: Clusters) -> np.ndarray:
    heading_deg = np.full(candidates.rows.shape, UNKNOWN_HEADING_DEG)
    valid = candidates.valid
    heading_deg[valid] = candidates.heading_deg[candidates.rows[valid]]
    known = clusters.members & (heading_deg >= 0)
    weights = np.where(known, clusters.weights, 0.0)
    radians = np.radians(heading_deg)
    east = (weights * np.sin(radians)).sum(axis=1)
    north = (weights * np.cos(radians)).sum(axis=1)
    mean_deg = np.degrees(np.arctan2(east, north)) % 360
    directed = np.hypot(east, north) > _SHORTEST_MEAN * weights.sum(axis=1)
    return np.where(directed, mean_deg, UNKNOWN_HEADING_DEG)
