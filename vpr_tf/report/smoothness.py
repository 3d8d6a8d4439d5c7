"""How the similarity of descriptors falls with distance and turning."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpr_tf.geo import heading_differences_deg
from vpr_tf.photos import PhotoTable
from vpr_tf.report.query_attributes import headings_say_nothing

MAX_DISTANCE_M = 200.0
DISTANCE_EDGES_M = (0, 2, 5, 10, 15, 25, 35, 50, 75, 100, 150, 200)
HEADING_EDGES_DEG = (0, 15, 30, 45, 60, 90, 120, 150, 180)
_PAIRS_OF_A_PHOTO = 20
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class SimilarityBin:
    """Cosine similarities of pairs of photos in a range of distance or turning.

    Attributes:
        low: Lower end of the range, inclusive, in metres or degrees.
        high: Upper end, exclusive but in the last range.
        num_pairs: Pairs in it; the numbers below are NaN without any.
        mean: Mean cosine similarity.
        p25: Lower quartile.
        median: Median.
        p75: Upper quartile.
    """

    low: float
    high: float
    num_pairs: int
    mean: float
    p25: float
    median: float
    p75: float


@dataclass(frozen=True)
class Smoothness:
    """Similarity of pairs of database photos of one UTM zone.

    Attributes:
        num_pairs: Sampled pairs.
        max_distance_m: Largest distance of a pair.
        seed: Seed of the sample.
        by_distance: Bins over metres, pairs of any heading.
        spearman_distance: Rank correlation of similarity and metres, -1 (smooth) to 1.
        near_m: Largest distance of the pairs in `by_heading`.
        by_heading: Bins over heading difference (0 to 180 degrees); empty when
            headings are unknown.
        spearman_heading: Rank correlation of similarity and heading difference over
            near pairs; NaN when headings are unknown.
        grid_distance_m: Edges of the columns of `grid`.
        grid_heading_deg: Edges of the rows of `grid`; empty when unknown.
        grid: Mean similarity `[heading][distance]`; NaN without pairs.
    """

    num_pairs: int
    max_distance_m: float
    seed: int
    by_distance: list[SimilarityBin]
    spearman_distance: float
    near_m: float
    by_heading: list[SimilarityBin]
    spearman_heading: float
    grid_distance_m: list[float]
    grid_heading_deg: list[float]
    grid: list[list[float]]


def measure_smoothness(
    descriptors: np.ndarray,
    photos: PhotoTable,
    *,
    near_m: float,
    num_pairs: int,
    seed: int,
) -> Smoothness | None:
    """Samples pairs of near photos and compares their descriptors.

    Args:
        descriptors: Unit descriptors `(num_photos, dim)`, may be memory-mapped.
        photos: Where the photos were taken.
        near_m: Largest distance of the pairs that tell about heading.
        num_pairs: Pairs at most.
        seed: Seed of the sample.

    Returns:
        None when there is no pair of known positions within 200 m.
    """
    first, second, metres = sample_pairs(photos, num_pairs, seed)
    if not len(first):
        return None
    similarity = _cosines(descriptors, first, second)
    turn = heading_differences_deg(
        photos.heading_deg[first], photos.heading_deg[second]
    )
    if headings_say_nothing(photos.heading_deg):
        turn = np.full(len(first), np.nan)
    near = (metres <= near_m) & ~np.isnan(turn)
    has_headings = bool(near.any())
    grid_headings = [float(edge) for edge in HEADING_EDGES_DEG[::2]]
    return Smoothness(
        num_pairs=len(first),
        max_distance_m=MAX_DISTANCE_M,
        seed=seed,
        by_distance=similarity_bins(similarity, metres, DISTANCE_EDGES_M),
        spearman_distance=_spearman(similarity, metres),
        near_m=near_m,
        by_heading=(
            similarity_bins(similarity[near], turn[near], HEADING_EDGES_DEG)
            if has_headings
            else []
        ),
        spearman_heading=_spearman(similarity[near], turn[near]),
        grid_distance_m=[float(edge) for edge in DISTANCE_EDGES_M],
        grid_heading_deg=grid_headings if has_headings else [],
        grid=_grid(similarity, metres, turn, grid_headings) if has_headings else [],
    )


def sample_pairs(
    photos: PhotoTable, num_pairs: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws photos, and for each some photos of its UTM zone within 200 m.

    Returns:
        Rows of the first and the second photo and their distance in metres; each pair
        occurs once.
    """
    generator = np.random.default_rng(seed)
    known = np.flatnonzero(photos.positions.known)
    num_anchors = min(len(known), max(1, -(-num_pairs // _PAIRS_OF_A_PHOTO)))
    anchors = generator.permutation(known)[:num_anchors]
    pairs = [np.empty((0, 2), np.int64)]
    for zone in np.unique(photos.positions.utm_zone[known]):
        rows = known[photos.positions.utm_zone[known] == zone]
        of_zone = anchors[photos.positions.utm_zone[anchors] == zone]
        pairs.extend(_pairs_of_zone(photos, rows, of_zone, generator))
    first, second = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0).T
    if len(first) > num_pairs:
        chosen = np.sort(generator.permutation(len(first))[:num_pairs])
        first, second = first[chosen], second[chosen]
    return first, second, _metres(photos, first, second)


def _pairs_of_zone(
    photos: PhotoTable,
    rows: np.ndarray,
    anchors: np.ndarray,
    generator: np.random.Generator,
) -> list[np.ndarray]:
    """Returns pairs `(n, 2)` of each anchor and photos among `rows` near it."""
    from scipy.spatial import cKDTree

    places = photos.positions.utm_cm
    tree = cKDTree(places[rows].astype(np.float64))
    pairs = []
    for anchor in anchors:
        near = rows[sorted(tree.query_ball_point(places[anchor], MAX_DISTANCE_M * 100))]
        near = generator.permutation(near[near != anchor])[:_PAIRS_OF_A_PHOTO]
        pairs.append(np.stack([np.full(len(near), anchor), near], axis=1))
    return pairs


def _metres(photos: PhotoTable, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    utm_cm = photos.positions.utm_cm
    return np.hypot(*(utm_cm[first] - utm_cm[second]).T) / 100


def _cosines(
    descriptors: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Returns the products of pairs of rows, some thousands at a time."""
    cosines = np.empty(len(first))
    for start in range(0, len(first), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        a, b = descriptors[first[part]], descriptors[second[part]]
        cosines[part] = np.einsum("ij,ij->i", a, b, dtype=np.float64)
    return cosines


def similarity_bins(
    similarity: np.ndarray, values: np.ndarray, edges: Sequence[float]
) -> list[SimilarityBin]:
    """Describes similarities by ranges of a second number.

    Args:
        similarity: Cosine similarities `(num_pairs,)`.
        values: Metres or degrees, same shape.
        edges: Ends of the ranges, ascending.
    """
    bins = _bin_of(values, edges)
    found = []
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = similarity[bins == number]
        numbers = [math.nan] * 4
        if len(inside):
            quartiles = np.quantile(inside, [0.25, 0.5, 0.75]).tolist()
            numbers = [float(inside.mean()), *quartiles]
        found.append(SimilarityBin(float(low), float(high), len(inside), *numbers))
    return found


def _bin_of(values: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Returns the range of each value; its upper end belongs to the last."""
    bins = np.searchsorted(edges, values, "right") - 1
    return np.where(values == edges[-1], len(edges) - 2, bins)


def _grid(
    similarity: np.ndarray,
    metres: np.ndarray,
    turn: np.ndarray,
    heading_edges: Sequence[float],
) -> list[list[float]]:
    from scipy.stats import binned_statistic_2d

    known = ~np.isnan(turn)
    means = binned_statistic_2d(
        turn[known],
        metres[known],
        similarity[known],
        bins=[np.array(heading_edges), np.array(DISTANCE_EDGES_M, np.float64)],
    )
    return means.statistic.tolist()


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Returns Spearman's rank correlation; NaN when one side is constant."""
    from scipy.stats import spearmanr

    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(spearmanr(a, b).statistic)
