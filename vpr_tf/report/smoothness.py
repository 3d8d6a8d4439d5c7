"""How the similarity of descriptors falls with distance and turning."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SimilarityBin:
    """Cosine similarities of pairs of photos in a range of distance or turning.

    Attributes:
        low: Lower end of the range, inclusive, in metres or degrees.
        high: Upper end, exclusive.
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
