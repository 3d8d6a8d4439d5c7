"""Classes that are numbered places: those whose photos a table puts together.

Reference:
    Ali-bey et al., GSV-Cities: Toward Appropriate Supervised Visual Place Recognition,
    Neurocomputing 2022, arXiv:2210.10239.
"""

from __future__ import annotations

import numpy as np

from data_prep.errors import DataPrepError
from data_prep.partition.assignment import (
    ClassAssignment,
    ColumnReader,
    rows_by_class,
)
from data_prep.partition.class_boxes import boxes_of_classes
from vpr_tf.config import PlaceIdsConfig
from vpr_tf.data.records import NO_CLASS
from vpr_tf.geo import Positions
from vpr_tf.photos.schema import UNKNOWN_NUMBER, table_columns


def assign_place_classes(
    read_columns: ColumnReader, config: PlaceIdsConfig
) -> ClassAssignment:
    """Makes a class of each place, in the order of their numbers; one group.

    Args:
        read_columns: Yields the columns of all rows in order.
        config: The minimum.

    Raises:
        DataPrepError: No row has the number of a place, or no place has enough images.
    """
    pieces = [np.concatenate(columns) for columns in zip(*read_columns(), strict=True)]
    east, north, zone, latitude, longitude, place_id = pieces or [np.empty(0)] * 6
    is_numbered = place_id != UNKNOWN_NUMBER
    if not is_numbered.any():
        raise DataPrepError(
            "No train image has a place_id. Give one in the column place_id of the "
            "CSV file of `build.train` (`build.reading.columns` if it has another "
            "name), or choose another `build.partition.method`."
        )
    _, numbered, counts = np.unique(
        place_id[is_numbered], return_inverse=True, return_counts=True
    )
    is_kept = counts >= config.min_images_per_class
    if not is_kept.any():
        raise DataPrepError(
            f"No place has enough images: the largest has {counts.max()}, but "
            f"`build.partition.min_images_per_class` is {config.min_images_per_class}. "
            "Lower it."
        )
    new_ids = np.where(is_kept, np.cumsum(is_kept) - 1, NO_CLASS).astype(np.int32)
    class_ids = np.full(len(place_id), NO_CLASS, np.int32)
    class_ids[is_numbered] = new_ids[numbered.ravel()]
    sizes = counts[is_kept]
    rows = rows_by_class(class_ids, int(sizes.sum()))
    degrees = table_columns({"latitude_e7": latitude, "longitude_e7": longitude})
    positions = Positions(east, north, zone, *degrees.values())
    try:
        classes = boxes_of_classes(positions, rows, sizes, group_id=0)
    except ValueError as error:
        raise DataPrepError(f"Photos of one place_id: {error}") from error
    return ClassAssignment(
        classes=classes,
        class_offsets=np.concatenate([[0], np.cumsum(sizes)]),
        record_ids=rows,
        class_ids=class_ids,
        num_dropped_classes=int(np.count_nonzero(~is_kept)),
        num_dropped_images=int(counts[~is_kept].sum()),
        num_without_heading=0,
        num_without_place=int(np.count_nonzero(~is_numbered)),
    )
