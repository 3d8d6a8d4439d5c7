"""Focal points of cells, and the photos that look at them: the classes of EigenPlaces.

The panoramas of a cell lie along a street: the second axis of their positions crosses
it, and turned by 90 degrees it runs along it. The point some metres from their middle
in that direction is the focal point of the cell's lateral and of its frontal class. Of
a panorama that is cut into photos, a class holds the one that looks nearest to its
focal point, so that all photos of a class see the same thing from elsewhere.

Reference:
    Berton et al., EigenPlaces: Training Viewpoint Robust Models for Visual Place
    Recognition, ICCV 2023, arXiv:2308.10832.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.errors import DataPrepError
from data_prep.partition.assignment import ClassAssignment, ColumnReader
from data_prep.partition.grid import assign_grid_classes
from vpr_tf.config import EigenPlacesConfig
from vpr_tf.data.partition import NUM_FOCAL_VIEWS
from vpr_tf.data.records import NO_CLASS
from vpr_tf.geo import bearings_deg, heading_differences_deg


@dataclass(frozen=True)
class _Photos:
    """Photos whose heading is known.

    Attributes:
        rows: Row of each in the split, ascending.
        utm_cm: int64 `(num_photos, 2)`.
        zone: Signed UTM zone of each.
        heading_deg: Float64 of each.
        panorama: Number of the panorama of each: of its position.
        first: Of each panorama, the first photo; ascending.
    """

    rows: np.ndarray
    utm_cm: np.ndarray
    zone: np.ndarray
    heading_deg: np.ndarray
    panorama: np.ndarray
    first: np.ndarray


def assign_focal_classes(
    read_columns: ColumnReader, config: EigenPlacesConfig
) -> ClassAssignment:
    """Assigns photos to the lateral and the frontal classes of cells.

    Crops of one position are those of a panorama. Group 2 g + v holds view v, 0
    lateral and 1 frontal, of the cells of group g of the grid.

    Args:
        read_columns: Yields the columns of all rows in order.
        config: M, N, the minimum, and how photos look at focal points.

    Raises:
        DataPrepError: No row has a heading, or no class has enough images.
    """
    photos, num_rows = _read_photos(read_columns, config.photos == "panoramas")
    middles_cm, zone = photos.utm_cm[photos.first], photos.zone[photos.first]
    columns = (*middles_cm.T, zone, np.zeros(len(zone)))
    cells = assign_grid_classes(lambda: [columns], config)
    cell = cells.class_ids[photos.panorama]
    focal_points_m = find_focal_points(
        middles_cm[cells.record_ids] / 100,
        cells.class_offsets,
        config.focal_distance_m,
    )
    views = [_choose(photos, cell, points, config) for points in focal_points_m]
    return _joined(photos, cells, cell, views, focal_points_m, num_rows, config)


def find_focal_points(
    positions_m: np.ndarray, offsets: np.ndarray, distance_m: float
) -> np.ndarray:
    """Returns the focal point of each view of each cell.

    Args:
        positions_m: Positions, cell after cell, `(num_positions, 2)`.
        offsets: Those of cell c are `positions_m[offsets[c]:offsets[c + 1]]`.
        distance_m: From the mean of the positions.

    Returns:
        Float64 `(2, num_cells, 2)`: lateral, then frontal.
    """
    means = np.empty((len(offsets) - 1, 2))
    lateral = np.empty_like(means)
    counts = np.diff(offsets)
    for count in np.unique(counts):  # as one array, which is much faster
        chosen = np.flatnonzero(counts == count)
        points = positions_m[offsets[chosen][:, None] + np.arange(count)]
        means[chosen] = points.mean(axis=1)
        centred = (points - means[chosen][:, None]).swapaxes(1, 2)
        # One point has no axes: all of them, so that there is a second.
        left, _, _ = np.linalg.svd(centred, full_matrices=bool(count < 2))
        # A row, as in the official code. It is a column too but for the sign, which
        # says on which side of the street the point is.
        lateral[chosen] = left[:, 1]
    frontal = np.stack([-lateral[:, 1], lateral[:, 0]], axis=1)
    return means + distance_m * np.stack([lateral, frontal])


def _read_photos(
    read_columns: ColumnReader, are_panoramas: bool
) -> tuple[_Photos, int]:
    pieces = [np.concatenate(columns) for columns in zip(*read_columns(), strict=True)]
    east_cm, north_cm, zone, heading_deg = pieces or [np.empty(0)] * 4
    rows = np.flatnonzero(heading_deg >= 0)
    if not len(rows):
        raise DataPrepError(
            "No train image has a heading, so it is not known which look at a focal "
            "point. Choose another `build.partition.method`: divide_and_classify "
            "needs no headings."
        )
    utm_cm = np.stack([east_cm, north_cm], axis=1)[rows].astype(np.int64)
    panorama = first = np.arange(len(rows))
    if not are_panoramas:
        panorama, first = _numbered(utm_cm, zone[rows])
    headings = heading_deg[rows].astype(np.float64)
    return _Photos(rows, utm_cm, zone[rows], headings, panorama, first), len(zone)


def _numbered(utm_cm: np.ndarray, zone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers the positions in the order of their first rows.

    Returns:
        The number of every row, and the first row of every number.
    """
    order = np.lexsort((utm_cm[:, 1], utm_cm[:, 0], zone))  # stable
    ordered, ordered_zone = utm_cm[order], zone[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    is_new[1:] |= ordered_zone[1:] != ordered_zone[:-1]
    first = order[is_new]
    by_row = np.argsort(first)
    ranks = np.empty(len(first), np.int64)
    ranks[by_row] = np.arange(len(first))
    numbers = np.empty(len(order), np.int64)
    numbers[order] = ranks[np.cumsum(is_new) - 1]
    return numbers, first[by_row]


def _choose(
    photos: _Photos, cell: np.ndarray, points_m: np.ndarray, config: EigenPlacesConfig
) -> np.ndarray:
    """Returns of each panorama in a cell the photo that looks at the focal point.

    Args:
        photos: All photos.
        cell: Cell of each, -1 for none.
        points_m: Focal point of each cell.
        config: How far it may look past.

    Returns:
        Places in `photos`, ascending in each cell, cell after cell.
    """
    inside = np.flatnonzero(cell >= 0)
    bearings = bearings_deg(photos.utm_cm[inside] / 100, points_m[cell[inside]])
    turn_deg = heading_differences_deg(photos.heading_deg[inside], bearings)
    panorama = photos.panorama[inside]
    order = np.lexsort((turn_deg, panorama))  # stable: of two alike the first
    is_nearest = np.ones(len(order), bool)
    is_nearest[1:] = panorama[order][1:] != panorama[order][:-1]
    nearest = order[is_nearest]
    # A whole panorama shows the point, wherever it looks.
    most_deg = 180.0 if config.photos == "panoramas" else config.largest_turn_deg
    chosen = inside[nearest[turn_deg[nearest] <= most_deg]]
    return chosen[np.lexsort((chosen, cell[chosen]))]


def _joined(
    photos: _Photos,
    cells: ClassAssignment,
    cell: np.ndarray,
    views: list[np.ndarray],
    focal_points_m: np.ndarray,
    num_rows: int,
    config: EigenPlacesConfig,
) -> ClassAssignment:
    """Makes classes of the photos chosen for each view, sorted by group."""
    num_cells = len(cells.classes)
    counts = np.stack([np.bincount(cell[v], minlength=num_cells) for v in views])
    kept = counts >= config.min_images_per_class
    if not kept.any():
        raise DataPrepError(
            "No class has enough images: of the photos that look at a focal point the "
            f"largest has {counts.max()}, but `build.partition.min_images_per_class` "
            f"is {config.min_images_per_class}. Lower it, or enlarge the cells or "
            "`build.partition.largest_turn_deg`."
        )
    tables, order = _class_tables(cells.classes, counts)
    order = order[kept.ravel()[order]]
    new_ids = np.full(NUM_FOCAL_VIEWS * num_cells, NO_CLASS, np.int32)
    new_ids[order] = np.arange(len(order), dtype=np.int32)
    chosen = np.concatenate(views)
    class_id = np.concatenate(
        [new_ids[view * num_cells + cell[v]] for view, v in enumerate(views)]
    )
    in_class = class_id >= 0
    class_ids = np.full(num_rows, NO_CLASS, np.int32)
    # Backwards: a photo in two classes counts to the lateral one, in the first group.
    class_ids[photos.rows[chosen[in_class]][::-1]] = class_id[in_class][::-1]
    is_dropped = cell < 0
    is_dropped[chosen[~in_class]] = True
    in_none = class_ids[photos.rows] == NO_CLASS
    by_class = np.argsort(class_id[in_class], kind="stable")
    classes = tables[order]
    return ClassAssignment(
        classes=classes,
        class_offsets=np.concatenate([[0], np.cumsum(classes["num_images"])]),
        record_ids=photos.rows[chosen[in_class]][by_class],
        class_ids=class_ids,
        num_dropped_classes=NUM_FOCAL_VIEWS * cells.num_dropped_classes
        + int(np.count_nonzero(~kept)),
        num_dropped_images=int(np.count_nonzero(in_none & is_dropped)),
        num_without_heading=num_rows - len(photos.rows),
        num_not_kept=int(np.count_nonzero(in_none & ~is_dropped)),
        focal_points=focal_points_m.reshape(-1, 2)[order],
    )


def _class_tables(
    cells: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the classes of all views, one view after the other, and their order."""
    tables = np.tile(cells, NUM_FOCAL_VIEWS)
    view = np.repeat(np.arange(NUM_FOCAL_VIEWS, dtype=np.int32), len(cells))
    tables["group_id"] = NUM_FOCAL_VIEWS * tables["group_id"] + view
    tables["group_heading"] = view
    tables["num_images"] = counts.ravel()
    return tables, np.argsort(tables["group_id"], kind="stable")
