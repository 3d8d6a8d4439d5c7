"""Attributes of queries that make them easy or hard to find.

Each is a property of the data alone, so that two encoders are judged on the same
strata.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vpr_tf.data.prepared_dataset import Partition
from vpr_tf.geo import Positions, heading_differences_deg
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

    A class is a cell of the ground and a range of headings (CosPlace,
    arXiv:2204.02287), or a union of S2 cells, of which the last group's count.

    Args:
        queries: The queries.
        partition: Classes of the train split.

    Returns:
        Float64 `(num_queries,)`; 0 when no class of the partition holds the query, NaN
        when its position is unknown, or its heading where classes have one.
    """
    if partition.regions is not None:
        return _region_sizes(queries.positions, partition, partition.regions)
    parameters = partition.parameters
    bin_deg = int(parameters["heading_bin_deg"])
    headings = queries.heading_deg.astype(np.float64)
    unknown = ~queries.positions.known
    if not partition.has_headings:
        bins = np.zeros(len(queries), np.int64)
    else:
        unknown |= headings < 0
        if parameters["heading_360"] == "zero":
            headings = np.where(headings == 360, 0, headings)
        bins = np.floor(headings / bin_deg).astype(np.int64) * bin_deg
    size_m = int(parameters["cell_size_m"])
    cells = [
        np.floor_divide(centimetres, 100 * size_m) * size_m
        for centimetres in queries.positions.utm_cm.T
    ]
    columns = ("utm_zone", "cell_east_m", "cell_north_m", "heading_bin_deg")
    names = zip(
        *(partition.classes[column].tolist() for column in columns), strict=True
    )
    sizes = dict(zip(names, partition.classes["num_images"].tolist(), strict=True))
    cells_and_bins = zip(
        queries.positions.utm_zone.tolist(),
        *(cell.tolist() for cell in cells),
        bins.tolist(),
        strict=True,
    )
    found = np.array([sizes.get(name, 0) for name in cells_and_bins], np.float64)
    return np.where(unknown, np.nan, found)


def _region_sizes(
    positions: Positions, partition: Partition, regions: np.ndarray
) -> np.ndarray:
    from vpr_tf.geo.s2_cells import leaf_cells

    first_class = partition.classes_of_group(partition.num_groups - 1).start
    regions = regions[regions["class_id"] >= first_class]
    known = np.flatnonzero(positions.known)
    leaves = leaf_cells(positions.latitude_deg[known], positions.longitude_deg[known])
    place = np.searchsorted(regions["first_leaf"], leaves, side="right") - 1
    inside = (place >= 0) & (leaves <= regions["last_leaf"][place])
    sizes = partition.classes["num_images"][regions["class_id"][place]]
    found = np.full(len(positions), np.nan)
    found[known] = np.where(inside, sizes, 0)
    return found


def _pairs(positives: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the query and the database row of every positive."""
    counts = [len(rows) for rows in positives]
    query = np.repeat(np.arange(len(positives)), counts)
    return query, np.concatenate([np.empty(0, np.int64), *positives])


def _smallest(query: np.ndarray, values: np.ndarray, num_queries: int) -> np.ndarray:
    smallest = np.full(num_queries, np.nan)
    np.fmin.at(smallest, query, values)
    return smallest
