"""Which candidates of a query agree on a place, and where that place is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.localization.candidates import Candidates

_PAIRS_PER_BLOCK = 1 << 22
_WEISZFELD_STEPS = 64
_NEAREST_M = 0.01  # keeps the weight of a photo at the median finite


@dataclass(frozen=True, eq=False)
class Clusters:
    """The matches of each query that its position rests on.

    Attributes:
        weights: Votes of the matches `(num_queries, n)`, 0 to 1.
        members: Whether each match belongs to the cluster, same shape.
        centre: Column of the match in its middle `(num_queries,)`; meaningless
            without members.
    """

    weights: np.ndarray
    members: np.ndarray
    centre: np.ndarray


def find_clusters(candidates: Candidates, config: LocalizationConfig) -> Clusters:
    """Finds the cluster of each query.

    A cluster is a match and the others within `cluster_radius_m` of it. `cluster`
    takes the one with the largest sum of weights, of equal ones that around the most
    similar match; `best_match` the one around the first match.

    Args:
        candidates: The matches.
        config: Method, radius and weights.
    """
    votes = candidates.valid
    weights = match_weights(-candidates.scores, votes, config.similarity_scale)
    num_queries, n = weights.shape
    members = np.zeros((num_queries, n), bool)
    centre = np.zeros(num_queries, np.int64)
    step = max(1, _PAIRS_PER_BLOCK // max(1, n * n))
    for start in range(0, num_queries if n else 0, step):
        block = slice(start, start + step)
        agree = _agreement(candidates, block, config.cluster_radius_m)
        if config.method == "best_match":
            centre[block] = votes[block].argmax(axis=1)
        else:
            total = np.einsum("qij,qj->qi", agree, weights[block])
            # Rounded, so that equal clusters are equal whatever the order of sums.
            total = np.where(votes[block], total.round(9), -1.0)
            centre[block] = total.argmax(axis=1)
        members[block] = agree[np.arange(len(agree)), centre[block]]
    return Clusters(weights, members, centre)


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
