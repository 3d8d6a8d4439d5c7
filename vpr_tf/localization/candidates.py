"""The matches of each query that vote for its position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.geo import ecef, heading_differences_deg
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.photos import PhotoTable


@dataclass(frozen=True, eq=False)
class Candidates:
    """The first matches of each query, nearest descriptors first, equal ones by row.

    So the order in which equal matches were found changes nothing.

    Attributes:
        columns: Where each stood in the predictions, `(num_queries, n)`.
        rows: Photos, int64 `(num_queries, n)`; -1 where there is none.
        distances: Squared distances of the descriptors, same shape; inf where there
            is no match.
        points: Places, metres from the earth's centre, `(num_queries, n, 3)`; 0 where
            `votes` is false.
        heading_deg: Headings of the photos, same shape as `rows`; negative: unknown.
        votes: Whether each match is a photo of known position that may look the way
            the query looks, same shape.
    """

    columns: np.ndarray
    rows: np.ndarray
    distances: np.ndarray
    points: np.ndarray
    heading_deg: np.ndarray
    votes: np.ndarray

    @classmethod
    def from_predictions(
        cls,
        distances: np.ndarray,
        rows: np.ndarray,
        photos: PhotoTable,
        config: LocalizationConfig,
        query_heading_deg: np.ndarray | None = None,
    ) -> Candidates:
        """Takes the first `config.num_predictions` matches of each query.

        Args:
            distances: Squared distances `(num_queries, k)`.
            rows: Rows of `photos` `(num_queries, k)`, -1 where missing.
            photos: The database.
            config: How many matches count, and how far headings may differ.
            query_heading_deg: Headings of the queries, negative or NaN where unknown.

        Raises:
            LocalizationError: The arrays do not fit each other.
        """
        distances, rows = np.asarray(distances), np.asarray(rows)
        _check(distances, rows, len(photos))
        missing = rows < 0
        distances = np.where(missing, np.inf, distances).astype(np.float64)
        columns = np.lexsort((rows, distances), axis=-1)[:, : config.num_predictions]
        rows = np.take_along_axis(rows, columns, 1)
        used, position = np.unique(rows[rows >= 0], return_inverse=True)
        taken = photos.take(used)
        points = np.zeros((*rows.shape, 3))
        points[rows >= 0] = ecef.from_positions(taken.positions)[position]
        heading_deg = np.full(rows.shape, -1.0)
        heading_deg[rows >= 0] = taken.heading_deg[position]
        votes = (rows >= 0) & np.isfinite(points).all(axis=-1)
        if query_heading_deg is not None and config.heading_tolerance_deg is not None:
            heading = np.asarray(query_heading_deg, np.float64)[:, None]
            votes &= same_view(heading, heading_deg, config.heading_tolerance_deg)
        return cls(
            columns,
            rows,
            np.take_along_axis(distances, columns, 1),
            np.where(votes[..., None], points, 0.0),
            heading_deg,
            votes,
        )


def same_view(
    heading_deg: np.ndarray, other_heading_deg: np.ndarray, tolerance_deg: float
) -> np.ndarray:
    """Whether two headings differ by at most a tolerance, or one is unknown."""
    difference = heading_differences_deg(heading_deg, other_heading_deg)
    return np.isnan(difference) | (difference <= tolerance_deg)


def _check(distances: np.ndarray, rows: np.ndarray, num_photos: int) -> None:
    if rows.ndim != 2 or distances.shape != rows.shape:
        raise LocalizationError(
            "`distances` and `rows` must have one shape (num_queries, k). Received: "
            f"{distances.shape} and {rows.shape}"
        )
    if rows.size and rows.max() >= num_photos:
        raise LocalizationError(
            f"`rows` must be below {num_photos}, the number of photos. Received: "
            f"{rows.max()}. Pass the photos of the state that was searched."
        )
    if np.isnan(distances[rows >= 0]).any():
        raise LocalizationError(
            "`distances` must be numbers where there is a match. Received: NaN"
        )
