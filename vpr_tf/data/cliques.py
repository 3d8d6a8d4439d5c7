"""Cliques: classes that look alike and lie apart.

Reference:
    Izquierdo and Civera, Close, But Not There: Boosting Geographic Distance Sensitivity
    in Visual Place Recognition, ECCV 2024, arXiv:2407.02422. There the nodes are photos
    and their edges similarities; here they are classes.
"""

from __future__ import annotations

import numpy as np

_SEEDS_AT_ONCE = 256
_CANDIDATES_PER_MEMBER = 16


def find_cliques(
    descriptors: np.ndarray, points_m: np.ndarray, size: int, min_distance_m: float
) -> np.ndarray:
    """Divides items into cliques, greedily.

    The items are gone through in their order. One that is in no clique yet takes those
    that are most similar to it and to each other, of the free ones that are far enough
    from all of them. An item that does not find enough stays free.

    Args:
        descriptors: Of each item, float `(num_items, descriptor_dim)`.
        points_m: Where it is, float64 `(num_items, 2 or 3)`.
        size: Items in a clique.
        min_distance_m: Between any two of a clique.

    Returns:
        Items of each clique, int64 `(num_cliques, size)`.
    """
    unit = _unit(descriptors)
    is_free = np.ones(len(unit), bool)
    cliques = []
    for start in range(0, len(unit), _SEEDS_AT_ONCE):
        free = np.flatnonzero(is_free)
        seeds = free[np.searchsorted(free, start) :][:_SEEDS_AT_ONCE]
        seeds = seeds[seeds < start + _SEEDS_AT_ONCE]
        similarities = unit[seeds] @ unit[free].T
        for seed, similarity in zip(seeds.tolist(), similarities, strict=True):
            if not is_free[seed]:
                continue
            is_candidate = is_free[free]
            is_candidate &= _distances_m(points_m[free], points_m[seed]) >= (
                min_distance_m
            )
            is_candidate &= free != seed
            places = np.flatnonzero(is_candidate)
            most = _CANDIDATES_PER_MEMBER * size
            if len(places) > most:
                chosen = np.argpartition(-similarity[places], most - 1)[:most]
                places = places[np.sort(chosen)]
            others = _most_alike(
                unit[free[places]],
                points_m[free[places]],
                similarity[places],
                size - 1,
                min_distance_m,
            )
            if others is not None:
                clique = np.append(seed, free[places[others]])
                is_free[clique] = False
                cliques.append(clique)
    return np.array(cliques, np.int64).reshape(-1, size)


def similarity_in_cliques(
    descriptors: np.ndarray, cliques: np.ndarray
) -> tuple[float, float]:
    """Returns the mean similarity of two items of a clique, and of any two items."""
    unit = _unit(descriptors)
    members, size = unit[cliques], cliques.shape[1]
    inside = np.square(members.sum(axis=1)).sum(axis=1) - size
    everywhere = np.square(unit.sum(axis=0)).sum() - len(unit)
    return (
        float(inside.mean() / (size * (size - 1))),
        float(everywhere / (len(unit) * (len(unit) - 1))),
    )


def _most_alike(
    unit: np.ndarray,
    points_m: np.ndarray,
    similarity: np.ndarray,
    count: int,
    min_distance_m: float,
) -> list[int] | None:
    """Returns candidates that are alike and lie apart; None if there are too few.

    Args:
        unit: Descriptors of the candidates, of unit length.
        points_m: Where they are.
        similarity: To the item that looks for them.
        count: How many.
        min_distance_m: Between any two.
    """
    is_allowed = np.ones(len(unit), bool)
    total = similarity.astype(np.float64)
    chosen: list[int] = []
    while len(chosen) < count:
        if not is_allowed.any():
            return None
        best = int(np.where(is_allowed, total, -np.inf).argmax())
        chosen.append(best)
        is_allowed &= _distances_m(points_m, points_m[best]) >= min_distance_m
        is_allowed[best] = False
        total += unit @ unit[best]
    return chosen


def _unit(descriptors: np.ndarray) -> np.ndarray:
    values = np.asarray(descriptors, np.float32)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(lengths, 1e-12))


def _distances_m(points_m: np.ndarray, point_m: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(points_m - point_m, axis=1))
