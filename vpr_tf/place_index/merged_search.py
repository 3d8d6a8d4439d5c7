"""Neighbours of a query from parts of a database."""

from __future__ import annotations

import numpy as np

from vpr_tf.search import MISSING_ID, SearchIndex, no_neighbours

_SPARE_NEIGHBOURS = 8


def nearest(
    distances: np.ndarray, ids: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the k nearest columns; of equal ones the first, the lowest row."""
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return (
        np.take_along_axis(distances, order, axis=1),
        np.take_along_axis(ids, order, axis=1),
    )


def search_without(
    index: SearchIndex, queries: np.ndarray, k: int, removed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Searches an index as if some of its rows were not there.

    More neighbours than wanted are fetched, and more again for the queries that lost
    too many: what remains is what an index without these rows finds.

    Args:
        index: The index.
        queries: Descriptors.
        k: Neighbours a query.
        removed: Rows, ascending.

    Returns:
        See `SearchIndex.search`.
    """
    if not len(removed):
        return index.search(queries, k)
    distances, ids = no_neighbours(len(queries), k)
    num_alive = index.num_images - len(removed)
    if not num_alive:
        return distances, ids
    fetched = k * index.num_images // num_alive + _SPARE_NEIGHBOURS
    waiting = np.arange(len(queries))
    while len(waiting):
        fetched = min(fetched, index.num_images)
        found, rows = index.search(queries[waiting], fetched)
        is_all = (rows[:, -1] < 0) | (fetched == index.num_images)
        gone = np.isin(rows, removed)
        found[gone], rows[gone] = np.inf, MISSING_ID
        done = is_all | ((rows >= 0).sum(axis=1) >= k)
        found, rows = nearest(found[done], rows[done], k)
        width = found.shape[1]
        distances[waiting[done], :width], ids[waiting[done], :width] = found, rows
        waiting = waiting[~done]
        fetched *= 4
    return distances, ids
