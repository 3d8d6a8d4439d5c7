"""Attributes of queries that make them easy or hard to find.

Each is a property of the data alone, so that two encoders are judged on the same
strata.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vpr_tf.classification.own_classes import own_classes
from vpr_tf.data.partition import Partition
from vpr_tf.geo import heading_differences_deg
from vpr_tf.photos import PhotoTable


def year_gaps(
    queries: PhotoTable, database: PhotoTable, positives: Sequence[np.ndarray]
) -> np.ndarray:
    """Returns the smallest difference of years between a query and its positives.

    Args:
        queries: The queries.
        database: The database.
        positives: Database rows of each query's positives.

    Returns:
        Whole years, float64 `(num_queries,)`; NaN without positives of known year.
    """
    query, row = _pairs(positives)
    gaps = np.abs(
        years_of(queries.timestamps)[query] - years_of(database.timestamps)[row]
    )
    return _smallest(query, gaps, len(queries))


def years_of(timestamps: np.ndarray) -> np.ndarray:
    """Returns years as float64; NaN where unknown."""
    text = np.asarray(timestamps).astype("S4")
    is_year = np.char.isdigit(text) & (np.char.str_len(text) == 4)
    return np.where(is_year, np.where(is_year, text, b"0").astype(np.int64), np.nan)


def heading_gaps(
    queries: PhotoTable, database: PhotoTable, positives: Sequence[np.ndarray]
) -> np.ndarray:
    """Returns how far a query is turned from the positive that looks most alike.

    Returns:
        Degrees from 0 to 180, float64 `(num_queries,)`; NaN without positives of
        known heading.
    """
    query, row = _pairs(positives)
    gaps = heading_differences_deg(
        queries.heading_deg[query], database.heading_deg[row]
    )
    return _smallest(query, gaps, len(queries))


def class_sizes(queries: PhotoTable, partition: Partition) -> np.ndarray:
    """Returns the number of training images in the class of each query.

    See `own_classes`; of a union of S2 cells those of the last group count.

    Args:
        queries: The queries.
        partition: Classes of the train split.

    Returns:
        Float64 `(num_queries,)`; 0 when no class of the partition holds the query, NaN
        when its position is unknown, or its heading where classes have one.
    """
    found = own_classes(partition, queries.positions, queries.heading_deg)
    class_ids = found.max(axis=1) if partition.regions is None else found[:, -1]
    sizes = np.where(class_ids >= 0, partition.classes["num_images"][class_ids], 0.0)
    unknown = ~queries.positions.known
    if partition.has_headings:
        unknown |= queries.heading_deg < 0
    return np.where(unknown, np.nan, sizes)


def _pairs(positives: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the query and the database row of every positive."""
    counts = [len(rows) for rows in positives]
    query = np.repeat(np.arange(len(positives)), counts)
    return query, np.concatenate([np.empty(0, np.int64), *positives])


def _smallest(query: np.ndarray, values: np.ndarray, num_queries: int) -> np.ndarray:
    smallest = np.full(num_queries, np.nan)
    np.fmin.at(smallest, query, values)
    return smallest
