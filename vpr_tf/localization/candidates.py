"""Where each query may have been taken, photos that match or cells, and which agree."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.geo import (
    UNKNOWN_HEADING_DEG,
    Positions,
    ecef,
    heading_differences_deg,
)
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.photos import PhotoTable
from vpr_tf.search import MISSING_ID

_PAIRS_PER_BLOCK = 1 << 22
# Photos of different places share so many key points by chance; as many more outweigh
# the most similar descriptor.
CHANCE_INLIERS = 20


@dataclass(frozen=True, eq=False)
class Candidates:
    """Matches of an index, or cells of a classifier; best first.

    Attributes:
        places: Positions of the photos or the cells.
        points: The same, metres from the earth's centre, `(num_places, 3)`.
        heading_deg: Where photos look there, `(num_places,)`; negative: unknown.
        rows: Rows of `places`, int64 `(num_queries, n)`; -1 where there are fewer.
        scores: The higher the likelier, same shape; -inf where missing. Of matches:
            the squared distance of the descriptors, negated.
        spread_m: How far the best cells of the groups of a classifier lie from each
            other, `(num_queries,)`: 0 when they agree; NaN with a single group, None
            for matches.
        group_rows: The best cell of each group, `(num_queries, num_groups)`; None
            where groups have no cells of their own.
        photos: What `places` are, of matches only.
        photo_rows: Of these, their rows of the database, int64 `(num_places,)`.
        inliers: Key points that each match shares with the query, same shape as
            `rows`, NaN of one that could not be compared; None where photos were not
            compared point by point.
        matched_by: What counted the inliers; empty without.
    """

    places: Positions
    points: np.ndarray
    heading_deg: np.ndarray
    rows: np.ndarray
    scores: np.ndarray
    spread_m: np.ndarray | None = None
    group_rows: np.ndarray | None = None
    photos: PhotoTable | None = None
    photo_rows: np.ndarray | None = None
    inliers: np.ndarray | None = None
    matched_by: str = ""

    @classmethod
    def from_matches(
        cls,
        distances: np.ndarray,
        rows: np.ndarray,
        photos: PhotoTable,
        config: LocalizationConfig,
        query_heading_deg: np.ndarray | None = None,
    ) -> Candidates:
        """Takes the first `config.num_predictions` matches of each query.

        Those of equal distance are ordered by row, so that the order in which they
        were found changes nothing. Of these, photos of unknown position, and those
        that look another way than the query, are no candidates.

        Args:
            distances: Squared distances of the descriptors `(num_queries, k)`.
            rows: Rows of `photos`, same shape; -1 where there is no match.
            photos: The database.
            config: How many matches count, and how far headings may differ.
            query_heading_deg: Headings of the queries, negative or NaN where unknown;
                used with `config.heading_tolerance_deg`.

        Raises:
            LocalizationError: The arrays do not fit each other.
        """
        distances, rows = np.asarray(distances), np.asarray(rows)
        _check(distances, rows, len(photos))
        distances = np.where(rows < 0, np.inf, distances).astype(np.float64)
        columns = np.lexsort((rows, distances), axis=-1)[:, : config.num_predictions]
        distances = np.take_along_axis(distances, columns, 1)
        rows = np.take_along_axis(rows, columns, 1)
        found = rows >= 0
        used, place = np.unique(rows[found], return_inverse=True)
        photos = photos.take(used)
        points = ecef.from_positions(photos.positions)
        placed = np.full(rows.shape, MISSING_ID, np.int64)
        placed[found] = np.where(np.isfinite(points[place, 0]), place, MISSING_ID)
        tolerance_deg = config.heading_tolerance_deg
        if query_heading_deg is not None and tolerance_deg is not None:
            heading_deg = np.full(rows.shape, UNKNOWN_HEADING_DEG)
            heading_deg[found] = photos.heading_deg[place]
            query_deg = np.asarray(query_heading_deg)[:, None]
            apart_deg = heading_differences_deg(query_deg, heading_deg)
            placed[apart_deg > tolerance_deg] = MISSING_ID  # NaN: one is unknown
        return cls(
            photos.positions,
            points,
            photos.heading_deg.astype(np.float64),
            placed,
            np.where(placed >= 0, -distances, -np.inf),
            photos=photos,
            photo_rows=used,
        )

    @classmethod
    def from_cells(
        cls,
        places: Positions,
        rows: np.ndarray,
        scores: np.ndarray,
        *,
        heading_deg: np.ndarray | None = None,
        spread_m: np.ndarray | None = None,
    ) -> Candidates:
        """Takes cells of a classifier; see the attributes. None is for unknown."""
        if heading_deg is None:
            heading_deg = np.full(len(places), UNKNOWN_HEADING_DEG)
        if spread_m is None:
            spread_m = np.full(len(rows), np.nan)
        points = ecef.from_degrees(places)
        return cls(places, points, heading_deg, rows, scores, spread_m)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def valid(self) -> np.ndarray:
        """Which candidates there are, bool `(num_queries, n)`."""
        return self.rows != MISSING_ID

    def photos_of(self, query: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the photos that a query matches, in their order; of matches only.

        Returns:
            Their rows of the database and their keys, `(num_matches,)`.

        Raises:
            LocalizationError: The candidates are cells.
        """
        if self.photos is None or self.photo_rows is None:
            raise LocalizationError(
                "Only photos can be compared with a query. Received: cells of a "
                "classifier"
            )
        places = self.rows[query][self.valid[query]]
        return self.photo_rows[places], self.photos.keys[places]

    @functools.cached_property
    def candidate_points(self) -> np.ndarray:
        """Place of each candidate, `(num_queries, n, 3)`; 0 where there is none."""
        points = np.zeros((*self.rows.shape, 3))
        points[self.valid] = self.points[self.rows[self.valid]]
        return points

    def first(self, n: int) -> Candidates:
        """Returns the first n candidates of each query."""
        inliers = None if self.inliers is None else self.inliers[:, :n]
        rows, scores = self.rows[:, :n], self.scores[:, :n]
        return dataclasses.replace(self, rows=rows, scores=scores, inliers=inliers)

    def take(self, queries: np.ndarray) -> Candidates:
        """Returns the matches of some queries."""
        inliers = None if self.inliers is None else self.inliers[queries]
        rows, scores = self.rows[queries], self.scores[queries]
        return dataclasses.replace(self, rows=rows, scores=scores, inliers=inliers)

    def reranked(
        self, inliers: np.ndarray, matched_by: str, config: LocalizationConfig
    ) -> Candidates:
        """Returns the matches in the order of what descriptors and key points say.

        Args:
            inliers: Key points that each match shares with the query, same shape as
                `rows`; NaN of one that could not be compared, for which they say
                nothing.
            matched_by: What counted them.
            config: How similarities weigh, and how many matches vote.

        Raises:
            LocalizationError: `inliers` has another shape.
        """
        inliers = np.asarray(inliers, np.float64)
        if inliers.shape != self.rows.shape:
            raise LocalizationError(
                "`inliers` must have the shape of the matches, "
                f"{self.rows.shape}. Received: {inliers.shape}"
            )
        inliers = np.where(self.valid, inliers, 0.0)
        weights = _votes(self, inliers, config.similarity_scale)
        order = np.argsort(
            np.where(self.valid, -weights, np.inf), axis=1, kind="stable"
        )
        rows, scores, inliers = (
            np.take_along_axis(values, order, 1)
            for values in (self.rows, self.scores, inliers)
        )
        return dataclasses.replace(
            self, rows=rows, scores=scores, inliers=inliers, matched_by=matched_by
        ).first(config.num_predictions)


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


@dataclass(frozen=True, eq=False)
class Clusters:
    """The matches of each query that its position rests on.

    Attributes:
        weights: Votes of the matches `(num_queries, n)`: 0 to 1, and more for key
            points that they share with the query.
        members: Whether each match belongs to the cluster, same shape.
        centre: Column of the match in its middle `(num_queries,)`; meaningless
            without members.
    """

    weights: np.ndarray
    members: np.ndarray
    centre: np.ndarray


def find_clusters(
    candidates: Candidates,
    config: LocalizationConfig,
    weights: np.ndarray | None = None,
) -> Clusters:
    """Finds the cluster of each query.

    A cluster is a match and the others within `cluster_radius_m` of it. `cluster`
    takes the one with the largest sum of weights, of equal ones that around the most
    similar match; `best_match` the one around the first match of most weight.

    Args:
        candidates: The matches.
        config: Method, radius and weights.
        weights: Votes of the matches, if they are not to follow from similarity.
    """
    votes = candidates.valid
    if weights is None:
        weights = _votes(candidates, candidates.inliers, config.similarity_scale)
    num_queries, n = weights.shape
    members = np.zeros((num_queries, n), bool)
    centre = np.zeros(num_queries, np.int64)
    step = max(1, _PAIRS_PER_BLOCK // max(1, n * n))
    for start in range(0, num_queries if n else 0, step):
        block = slice(start, start + step)
        agree = _agreement(candidates, block, config.cluster_radius_m)
        if config.method == "best_match":
            centre[block] = np.where(votes, weights, -1.0)[block].argmax(axis=1)
        else:
            total = np.einsum("qij,qj->qi", agree, weights[block])
            # Rounded, so that equal clusters are equal whatever the order of sums.
            total = np.where(votes[block], total.round(9), -1.0)
            centre[block] = total.argmax(axis=1)
        members[block] = agree[np.arange(len(agree)), centre[block]]
    return Clusters(weights, members, centre)


def _votes(
    candidates: Candidates, inliers: np.ndarray | None, similarity_scale: float
) -> np.ndarray:
    """Returns the votes of matches: of their similarity, and of their inliers."""
    votes = candidates.valid
    weights = match_weights(-candidates.scores, votes, similarity_scale)
    if inliers is None:
        return weights
    inliers = np.nan_to_num(inliers)
    beyond_chance = np.maximum(inliers - CHANCE_INLIERS, 0.0) / CHANCE_INLIERS
    return np.where(votes, weights + beyond_chance, 0.0)


def match_weights(
    distances: np.ndarray, votes: np.ndarray, similarity_scale: float
) -> np.ndarray:
    """Returns the vote of each match, 1 for the most similar one.

    The weight is exp(-gap / (scale * range)), where the gap is the similarity that a
    match lacks to the first, and the range is the gap of the last: encoders differ
    several times in how far apart their descriptors lie, and so do places, so an
    absolute temperature fits one encoder only.

    Args:
        distances: Squared distances of the descriptors `(num_queries, n)`.
        votes: Which of them count.
        similarity_scale: Share of the range at which a vote is 1/e.
    """
    first = np.where(votes, distances, np.inf).min(axis=1, initial=np.inf)
    last = np.where(votes, distances, -np.inf).max(axis=1, initial=-np.inf)
    some = votes.any(axis=1)
    spread = np.where(some, last, 1.0) - np.where(some, first, 0.0)
    gap = np.where(votes, distances, 0.0) - np.where(some, first, 0.0)[:, None]
    gap /= np.where(spread > 0, spread, 1.0)[:, None] * similarity_scale
    return np.where(votes, np.exp(-np.maximum(gap, 0.0)), 0.0)


def _agreement(candidates: Candidates, block: slice, radius_m: float) -> np.ndarray:
    """Returns which pairs of matches agree `(queries, n, n)`."""
    points, votes = candidates.candidate_points[block], candidates.valid[block]
    squared_m = np.zeros((*votes.shape, votes.shape[1]))
    for axis in range(3):
        values = points[..., axis]
        squared_m += (values[:, :, None] - values[:, None, :]) ** 2
    return (squared_m <= radius_m**2) & votes[:, :, None] & votes[:, None, :]
