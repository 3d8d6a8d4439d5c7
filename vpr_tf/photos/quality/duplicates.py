"""Photos that are there more than once: equal pixels, or nearly equal pictures.

The best of equal photos is not flagged: one with a position, then with the fewest other
flags, then the largest, then the first of the table. Nearly equal ones are found
without comparing all with all: two hashes of 64 bits that differ in at most k bits are
equal in at least one of k + 1 bands of their bits, so that only hashes that share a
band are compared. Descriptors, where there are any, confirm them, and find copies whose
hashes differ more, such as cropped ones, among photos of the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from vpr_tf.config import QualityConfig
from vpr_tf.geo import ecef
from vpr_tf.photos.quality.rules import Finding, MeasuredPhotos, Rule

_HASH_BITS = 64
_PAIRS_AT_ONCE = 1 << 22
_SAME_PLACE_M = 5.0  # copies keep their position
_BITS_WITH_DESCRIPTORS = 2  # times as many as without


def _duplicates(photos: MeasuredPhotos, config: QualityConfig) -> Finding:
    return _finding(photos, _best_equal(photos))


def _best_first(photos: MeasuredPhotos) -> np.ndarray:
    """Returns the rows in the order in which copies are kept, see above."""
    shorter = np.minimum(photos.files.heights, photos.files.widths)
    flags = np.zeros(len(photos), np.uint32) if photos.flags is None else photos.flags
    is_placed = photos.files.photos.positions.known
    return np.lexsort((-shorter, np.bitwise_count(flags), ~is_placed))


def _best_equal(photos: MeasuredPhotos) -> np.ndarray:
    """Returns for every photo the row of the best of those with equal pixels."""
    best_first = _best_first(photos)
    best = np.empty(len(photos), np.int64)
    hashes = photos.measures["pixel_hash"][best_first]
    best[best_first] = best_first[first_equal(hashes)]
    return best


def _near_duplicates(photos: MeasuredPhotos, config: QualityConfig) -> Finding:
    measures = photos.measures
    # Pictures of nothing are alike, and flagged as uniform; equal ones are duplicates.
    is_best = _best_equal(photos) == np.arange(len(photos))
    is_compared = is_best & (measures["contrast"] >= config.min_contrast)
    best_first = _best_first(photos)
    rows = best_first[is_compared[best_first]]
    confirm = None
    if photos.descriptors is not None:
        confirm = _by_descriptors(photos, photos.descriptors, rows, config)
    kept = first_similar(
        measures["perceptual_hash"][rows], config.max_duplicate_bits, confirm
    )
    original = np.arange(len(photos))
    original[rows] = rows[kept]
    return _finding(photos, original)


def _by_descriptors(
    photos: MeasuredPhotos,
    descriptors: np.ndarray,
    rows: np.ndarray,
    config: QualityConfig,
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Returns what `first_similar` confirms its pairs by.

    Args:
        photos: The photos.
        descriptors: Of each.
        rows: Of the photos whose hashes it gets.
        config: The thresholds.
    """
    points = ecef.from_positions(photos.files.photos.positions)
    hashes = photos.measures["perceptual_hash"]
    max_bits = _BITS_WITH_DESCRIPTORS * config.max_duplicate_bits

    def confirm(chosen: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        photo = rows[chosen]
        near = _similar_within(points[photo], hashes[photo], _SAME_PLACE_M, max_bits)
        both = np.unique(np.concatenate([pairs, near]), axis=0)
        one, other = descriptors[photo[both[:, 0]]], descriptors[photo[both[:, 1]]]
        similarity = np.einsum("nd,nd->n", one, other)
        return both[similarity >= config.min_duplicate_similarity]

    return confirm


def _similar_within(
    points: np.ndarray, hashes: np.ndarray, radius_m: float, max_bits: int
) -> np.ndarray:
    """Returns `(n, 2)` pairs of rows, the earlier first; none of unknown position.

    Of a place with many photos nearly all pairs have other hashes, so near pairs are
    made a block at a time.
    """
    from scipy.spatial import cKDTree

    found = [np.empty((0, 2), np.int64)]
    placed = np.flatnonzero(np.isfinite(points).all(axis=1))
    tree = cKDTree(points[placed])
    num_near = tree.query_ball_point(points[placed], radius_m, return_length=True)
    breaks = np.flatnonzero(np.diff(np.cumsum(num_near) // _PAIRS_AT_ONCE)) + 1
    for block in np.split(placed, breaks):
        near = cKDTree(points[block]).sparse_distance_matrix(
            tree, radius_m, output_type="ndarray"
        )
        one, other = block[near["i"]], placed[near["j"]]
        is_similar = np.bitwise_count(hashes[one] ^ hashes[other]) <= max_bits
        is_similar &= one < other
        found.append(np.stack([one[is_similar], other[is_similar]], 1))
    return np.concatenate(found)


DUPLICATE_RULES = (
    Rule("duplicate", "duplicate_of", "", _duplicates),
    Rule("near_duplicate", "near_duplicate_of", "max_duplicate_bits", _near_duplicates),
)


def _finding(photos: MeasuredPhotos, original: np.ndarray) -> Finding:
    flagged = original != np.arange(len(photos))
    keys = photos.files.photos.keys
    return Finding(flagged, np.where(flagged, keys[original], b""))


def first_equal(hashes: np.ndarray) -> np.ndarray:
    """Returns for every hash the row of the first that is equal."""
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    return first[inverse]


def first_similar(
    hashes: np.ndarray,
    max_bits: int,
    confirm: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Returns for every hash the row of a kept one that is similar.

    Hashes are kept in order, unless an earlier kept one differs in at most `max_bits`
    bits: so every other hash is near a kept one, and a chain of small changes, as of a
    driving car, is not one group.

    Args:
        hashes: uint64.
        max_bits: Bits in which similar ones may differ.
        confirm: Of rows with different hashes and pairs of places among them
            `(n, 2)`, the earlier first, returns those pairs that are to count.
    """
    result = first_equal(hashes)
    rows = np.flatnonzero(result == np.arange(len(hashes)))  # each hash once
    pairs = _similar_pairs(hashes[rows], max_bits)
    if confirm is not None:
        pairs = confirm(rows, pairs)
    pairs = pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]
    kept = np.arange(len(rows))
    for earlier, later in pairs.tolist():
        if kept[earlier] == earlier and kept[later] == later:
            kept[later] = earlier
    by_row = np.arange(len(hashes))
    by_row[rows] = rows[kept]
    return by_row[result]


def _similar_pairs(hashes: np.ndarray, max_bits: int) -> np.ndarray:
    """Returns `(n, 2)` pairs of rows, the earlier first."""
    found = [np.empty((0, 2), np.int64)]
    for rows in _rows_with_equal_bands(hashes, max_bits + 1):
        found.extend(_pairs_of(hashes, rows, max_bits))
    return np.unique(np.concatenate(found), axis=0)


def _rows_with_equal_bands(hashes: np.ndarray, num_bands: int) -> Iterator[np.ndarray]:
    """Yields the rows, ascending, of all hashes that are equal in one band."""
    edges = np.linspace(0, _HASH_BITS, num_bands + 1).astype(int)
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        mask = np.uint64((1 << (end - start)) - 1)
        bands = (hashes >> np.uint64(start)) & mask
        order = np.argsort(bands, kind="stable")
        breaks = np.flatnonzero(np.diff(bands[order])) + 1
        for rows in np.split(order, breaks):
            if len(rows) > 1:
                yield rows


def _pairs_of(
    hashes: np.ndarray, rows: np.ndarray, max_bits: int
) -> Iterator[np.ndarray]:
    """Yields the similar pairs among some rows, a block of comparisons at a time."""
    step = max(_PAIRS_AT_ONCE // len(rows), 1)
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        differing = np.bitwise_count(hashes[block][:, np.newaxis] ^ hashes[rows])
        one, other = np.nonzero(differing <= max_bits)
        pairs = np.stack([block[one], rows[other]], 1)
        yield pairs[pairs[:, 0] < pairs[:, 1]]
