"""Where queries were taken, from where their matches were taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.geo import (
    UNKNOWN_HEADING_DEG,
    UNKNOWN_ZONE,
    Positions,
    distances_m,
    ecef,
    lat_lon_to_utm,
)
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.candidates import Candidates
from vpr_tf.localization.clusters import (
    Clusters,
    find_clusters,
    geometric_medians,
)
from vpr_tf.localization.features import match_features
from vpr_tf.photos import PhotoTable

# A mean of unit vectors shorter than this has no direction.
_SHORTEST_MEAN = 1e-6


@dataclass(frozen=True, eq=False)
class Estimates:
    """Answers, one entry a query.

    Attributes:
        latitude_deg: Float64; NaN where no match has a position.
        longitude_deg: Same.
        utm_east_m: In the standard zone of the answer; NaN without a position.
        utm_north_m: Same.
        utm_zone: Signed zone, int16; 0 without a position.
        heading_deg: Circular mean of the headings of the supporting photos; -1 where
            none is known.
        expected_error_m: Two of three such answers are at least this near (see
            `Calibration.error_quantile`); NaN without calibration.
        confidence: Probability that the error is at most `Calibration.threshold_m`;
            NaN without calibration.
        answered: Whether there is a position and, with a calibration, its confidence
            suffices. A withheld answer keeps its position.
        num_supporting: Photos that the answer rests on.
        best_row: Database row of the most similar supporting photo; -1 if none.
        supporting: Which predictions the answer rests on, bool `(num_queries, k)`.
        features: See `match_features`.
        num_votes: Matches that could have been supporting.
    """

    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    utm_east_m: np.ndarray
    utm_north_m: np.ndarray
    utm_zone: np.ndarray
    heading_deg: np.ndarray
    expected_error_m: np.ndarray
    confidence: np.ndarray
    answered: np.ndarray
    num_supporting: np.ndarray
    best_row: np.ndarray
    supporting: np.ndarray
    features: np.ndarray
    num_votes: np.ndarray

    def __len__(self) -> int:
        return len(self.answered)

    @property
    def positions(self) -> Positions:
        """The answers as positions; zone 0 where there is none."""
        known = self.utm_zone != UNKNOWN_ZONE
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
        """Returns how far each answer, given or withheld, is from the truth.

        Args:
            queries: Where the queries were taken.

        Returns:
            Metres `(num_queries,)`; NaN where either position is unknown.
        """
        rows = np.arange(len(self))[:, None]
        return distances_m(queries, self.positions, rows)[:, 0]


def estimate_positions(
    distances: np.ndarray,
    rows: np.ndarray,
    photos: PhotoTable,
    config: LocalizationConfig,
    *,
    calibration: Calibration | None = None,
    query_heading_deg: np.ndarray | None = None,
    min_confidence: float | None = None,
) -> Estimates:
    """Locates queries by their matches.

    `cluster` takes the largest group of matches that agree on a place and the weighted
    geometric median of its places; `best_match` the place of the first match.

    Args:
        distances: Squared distances of the descriptors `(num_queries, k)`.
        rows: Rows of `photos`, same shape; -1 where there is no match.
        photos: The database.
        config: How matches become a position.
        calibration: Gives confidences and expected errors.
        query_heading_deg: Headings of the queries, negative or NaN where unknown; used
            with `config.heading_tolerance_deg`.
        min_confidence: Answers below are withheld; None for what the calibration
            says.

    Raises:
        LocalizationError: The arrays do not fit each other, or the calibration is of
            other settings.
    """
    candidates = Candidates.from_predictions(
        distances, rows, photos, config, query_heading_deg
    )
    clusters = find_clusters(candidates, config)
    features = match_features(candidates, clusters)
    num_votes = candidates.votes.sum(axis=1)
    located = np.asarray(clusters.members.any(axis=1))
    confidence = expected_error_m = np.full(len(located), np.nan)
    answered = located
    if calibration is not None:
        calibration.check_settings(config)
        confidence, expected_error_m = calibration.apply(features, num_votes)
        answered = located & calibration.is_given(confidence, min_confidence)
    supporting = np.zeros(np.shape(rows), bool)
    np.put_along_axis(supporting, candidates.columns, clusters.members, axis=1)
    return Estimates(
        **_places(candidates, clusters, located, config.method),
        heading_deg=_mean_headings(candidates, clusters),
        expected_error_m=expected_error_m,
        confidence=confidence,
        answered=answered,
        num_supporting=clusters.members.sum(axis=1),
        best_row=_best_rows(candidates, clusters, located),
        supporting=supporting,
        features=features,
        num_votes=num_votes,
    )


def _places(
    candidates: Candidates, clusters: Clusters, located: np.ndarray, method: str
) -> dict[str, np.ndarray]:
    """Computes the positions of answers."""
    east_m, north_m, latitude_deg, longitude_deg = np.full((4, len(located)), np.nan)
    zone = np.full(len(located), UNKNOWN_ZONE, np.int16)
    queries = np.flatnonzero(located)
    if not len(queries):
        points = np.empty((0, 3))
    elif method == "best_match":
        points = candidates.points[queries, clusters.centre[queries]]
    else:
        weights = np.where(clusters.members, clusters.weights, 0.0)[queries]
        points = geometric_medians(candidates.points[queries], weights)
    latitude_deg[queries], longitude_deg[queries] = ecef.to_lat_lon(points)
    east_m[queries], north_m[queries], zone[queries] = lat_lon_to_utm(
        latitude_deg[queries], longitude_deg[queries]
    )
    return {
        "latitude_deg": latitude_deg,
        "longitude_deg": longitude_deg,
        "utm_east_m": east_m,
        "utm_north_m": north_m,
        "utm_zone": zone,
    }


def _mean_headings(candidates: Candidates, clusters: Clusters) -> np.ndarray:
    known = clusters.members & (candidates.heading_deg >= 0)
    weights = np.where(known, clusters.weights, 0.0)
    radians = np.radians(candidates.heading_deg)
    east = (weights * np.sin(radians)).sum(axis=1)
    north = (weights * np.cos(radians)).sum(axis=1)
    mean_deg = np.degrees(np.arctan2(east, north)) % 360
    directed = np.hypot(east, north) > _SHORTEST_MEAN * weights.sum(axis=1)
    return np.where(directed, mean_deg, UNKNOWN_HEADING_DEG)


def _best_rows(
    candidates: Candidates, clusters: Clusters, located: np.ndarray
) -> np.ndarray:
    if not candidates.rows.shape[1]:
        return np.full(len(located), -1)
    first = clusters.members.argmax(axis=1)[:, None]
    rows = np.take_along_axis(candidates.rows, first, axis=1)[:, 0]
    return np.where(located, rows, -1)
