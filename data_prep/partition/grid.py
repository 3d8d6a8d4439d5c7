"""Grids over millions of rows: the partitions of CosPlace and Divide&Classify.

Images in the same cell of M metres and heading bin of alpha degrees form a class; the
classes whose cells are N apart and bins L apart form a group. UTM zones never share a
class. In a group, classes are in the order (zone, east, north, heading bin).
Divide&Classify has one bin for all headings, so N*N groups.

References:
    Berton et al., Rethinking Visual Geo-localization for Large-Scale Applications,
    CVPR 2022, arXiv:2204.02287. Trivigno et al., Divide&Classify: Fine-Grained
    Classification for City-Wide Visual Place Recognition, ICCV 2023, arXiv:2307.08417.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from data_prep.errors import DataPrepError
from data_prep.partition.assignment import (
    ClassAssignment,
    ColumnReader,
    rows_by_class,
)
from data_prep.partition.cells import (
    Box,
    ClassKeys,
    cells_of,
    class_table,
    find_boxes,
    heading_bins_of,
    num_heading_bins,
)
from vpr_tf.config import GridConfig
from vpr_tf.data.records import NO_CLASS

# Up to this many possible classes, counting into a table beats sorting.
DENSE_KEYS = 1 << 27
_NO_KEY = -1
_ROWS_AT_ONCE = 1 << 19


def assign_grid_classes(
    read_columns: ColumnReader, config: GridConfig
) -> ClassAssignment:
    """Assigns every row to a class and every class to a group.

    Args:
        read_columns: Called twice; yields the columns of all rows in order.
        config: M, alpha, N, L, the minimum and the policies.

    Raises:
        DataPrepError: No row has a heading, no class has enough images, or the
            positions span more cells than int64 can number.
    """
    class_keys = ClassKeys(_find_boxes(read_columns, config), num_heading_bins(config))
    keys = _pack_all(read_columns, class_keys, config)
    num_without_heading = int(np.count_nonzero(keys == _NO_KEY))
    if num_without_heading == len(keys):
        raise DataPrepError(
            "No train image has a heading, so there are no classes. Set "
            "`build.partition.missing_heading: ignore` to use one heading bin for all."
        )
    found, counts, rank_rows = _count(keys, class_keys.num_keys)
    kept = counts >= config.min_images_per_class
    if not kept.any():
        raise DataPrepError(
            f"No class has enough images: the largest has {counts.max()}, but "
            f"`build.partition.min_images_per_class` is {config.min_images_per_class}. "
            "Lower it or enlarge the cells."
        )
    classes, order = class_table(found[kept], counts[kept], class_keys, config)
    new_ids = np.full(len(found), NO_CLASS, np.int32)
    new_ids[np.flatnonzero(kept)[order]] = np.arange(len(order), dtype=np.int32)
    class_ids = rank_rows(new_ids)
    offsets = np.concatenate([[0], np.cumsum(classes["num_images"])])
    assignment = ClassAssignment(
        classes=classes,
        class_offsets=offsets,
        record_ids=rows_by_class(class_ids, int(offsets[-1])),
        class_ids=class_ids,
        num_dropped_classes=int(np.count_nonzero(~kept)),
        num_dropped_images=int(counts[~kept].sum()),
        num_without_heading=num_without_heading,
    )
    if config.images_kept_per_class is not None:
        assignment = _kept_evenly(assignment, config.images_kept_per_class)
    if config.group_order == "first_seen":
        return _in_first_seen_order(assignment)
    return assignment


def _kept_evenly(assignment: ClassAssignment, most: int) -> ClassAssignment:
    """Leaves at most so many images in each class, evenly spaced, the first included.

    Photos lie in the order of their names, so the first ones alone would be of one
    corner of the cell.
    """
    counts = np.diff(assignment.class_offsets)
    places = np.arange(len(assignment.record_ids))
    places -= np.repeat(assignment.class_offsets[:-1], counts)
    is_kept = (places * most) % np.repeat(counts, counts) < most
    class_ids = assignment.class_ids.copy()
    class_ids[assignment.record_ids[~is_kept]] = NO_CLASS
    classes = assignment.classes.copy()
    classes["num_images"] = np.minimum(counts, most)
    return replace(
        assignment,
        classes=classes,
        class_offsets=np.concatenate([[0], np.cumsum(classes["num_images"])]),
        record_ids=assignment.record_ids[is_kept],
        class_ids=class_ids,
        num_not_kept=int(np.count_nonzero(~is_kept)),
    )


def _find_boxes(read_columns: ColumnReader, config: GridConfig) -> list[Box]:
    """Returns the box of cells of every zone."""
    extents: dict[int, tuple[int, int, int, int]] = {}
    for east_cm, north_cm, zones, _ in read_columns():
        if not len(zones):
            continue
        uniform = zones.min() == zones.max()
        for zone in [int(zones[0])] if uniform else np.unique(zones).tolist():
            rows = slice(None) if uniform else zones == zone
            east = cells_of(_extremes(east_cm[rows]), config.cell_size_m).tolist()
            north = cells_of(_extremes(north_cm[rows]), config.cell_size_m).tolist()
            known = extents.get(zone, (east[0], east[1], north[0], north[1]))
            extents[zone] = (
                min(known[0], east[0]),
                max(known[1], east[1]),
                min(known[2], north[0]),
                max(known[3], north[1]),
            )
    return find_boxes(extents, num_heading_bins(config))


def _extremes(values: np.ndarray) -> np.ndarray:
    return np.array([values.min(), values.max()])


def _pack_all(
    read_columns: ColumnReader, class_keys: ClassKeys, config: GridConfig
) -> np.ndarray:
    """Returns the class key of every row, `_NO_KEY` without a heading."""
    pieces = []
    for east_cm, north_cm, zones, headings in read_columns():
        bins = heading_bins_of(headings, config)
        keys = class_keys.pack(
            cells_of(east_cm, config.cell_size_m),
            cells_of(north_cm, config.cell_size_m),
            zones,
            bins,
        )
        keys[bins < 0] = _NO_KEY
        pieces.append(keys)
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


def _count(
    keys: np.ndarray, num_keys: int
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Counts the rows of every key.

    Returns:
        The keys that occur, ascending; their counts; and a function that takes an
        int32 id for each of them and returns the id of every row, -1 for `_NO_KEY`.
    """
    if num_keys <= max(DENSE_KEYS, 2 * len(keys)):
        return _count_in_table(keys)
    return _count_by_sorting(keys)


def _count_in_table(
    keys: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    all_counts = np.bincount(keys[keys >= 0] if (keys < 0).any() else keys)
    found = np.flatnonzero(all_counts)
    counts = all_counts[found]
    table_size = len(all_counts) + 1  # the last is for `_NO_KEY`

    def rank_rows(ids: np.ndarray) -> np.ndarray:
        table = np.full(table_size, NO_CLASS, np.int32)
        table[found] = ids
        return _take(table, keys)

    return found, counts, rank_rows


def _count_by_sorting(
    keys: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    order = np.argsort(keys)
    ordered = keys[order]
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    is_first &= ordered >= 0
    first = np.flatnonzero(is_first)
    ranks = np.cumsum(is_first, dtype=np.int32) - 1  # -1 before the first key

    def rank_rows(ids: np.ndarray) -> np.ndarray:
        row_ids = np.empty(len(keys), np.int32)
        row_ids[order] = np.append(ids, np.int32(NO_CLASS))[ranks]
        return row_ids

    return ordered[first], np.diff(np.append(first, len(ordered))), rank_rows


def _take(table: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """`table[positions]`, a piece at a time; -1 takes the last entry."""
    taken = np.empty(len(positions), table.dtype)
    for start in range(0, len(positions), _ROWS_AT_ONCE):
        piece = slice(start, start + _ROWS_AT_ONCE)
        taken[piece] = table[positions[piece]]
    return taken


def _in_first_seen_order(assignment: ClassAssignment) -> ClassAssignment:
    """Renumbers groups by their first row, the order of the official code."""
    groups = assignment.classes["group_id"]
    starts = np.searchsorted(groups, np.arange(groups[-1] + 2))
    first_rows = assignment.record_ids[assignment.class_offsets[:-1]]
    group_order = np.argsort(np.minimum.reduceat(first_rows, starts[:-1]))
    blocks = [np.arange(starts[group], starts[group + 1]) for group in group_order]
    class_order = np.concatenate(blocks)
    classes = assignment.classes[class_order]
    sizes = [len(block) for block in blocks]
    classes["group_id"] = np.repeat(np.arange(len(blocks), dtype=np.int32), sizes)
    row_starts = assignment.class_offsets[starts]
    record_ids = np.concatenate(
        [
            assignment.record_ids[row_starts[group] : row_starts[group + 1]]
            for group in group_order
        ]
    )
    new_ids = np.full(len(classes) + 1, NO_CLASS, np.int32)
    new_ids[class_order] = np.arange(len(classes), dtype=np.int32)
    return replace(
        assignment,
        class_ids=_take(new_ids, assignment.class_ids),
        classes=classes,
        class_offsets=np.concatenate([[0], np.cumsum(classes["num_images"])]),
        record_ids=record_ids,
    )
