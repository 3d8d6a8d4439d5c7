"""Partitions of arrays and tables in memory, without a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from data_prep.partition.assignment import assign_classes, needed_columns
from vpr_tf.config import DEFAULT_READING, PARTITIONS, PartitionConfig
from vpr_tf.data.records import NO_CLASS
from vpr_tf.geo import (
    UNKNOWN_HEADING_DEG,
    Positions,
    contradictions,
    lat_lon_to_utm,
    normalized_headings,
    utm_to_lat_lon,
)
from vpr_tf.photos.schema import UNKNOWN_NUMBER


class PartitionedTable(NamedTuple):
    """Classes and groups of the rows of a table.

    Attributes:
        class_id: Int32, one a row; -1 for a row in no class.
        group_id: Likewise.
        classes: One row a class, of `CLASS_DTYPE`: group, cell, heading bin, centre,
            zone and number of images; the row number is the class id.
    """

    class_id: np.ndarray
    group_id: np.ndarray
    classes: np.ndarray


def partition_table(
    table: Mapping[str, npt.ArrayLike] | Any,
    config: PartitionConfig | None = None,
    **fields: Any,
) -> PartitionedTable:
    """Assigns every row of a table to a class and every class to a group.

    Args:
        table: A pandas DataFrame or a dict of arrays. `utm_east` and `utm_north` in
            metres with `utm_zone` (negative in the south), or `latitude` and
            `longitude` in degrees, or both; `heading_deg` where known, NaN or -1 where
            not; `place_id`, -1 where unknown, for the method place_ids.
        config: The method and its settings; by default CosPlace's.
        **fields: Fields of `build.partition` instead of `config`, e.g. `method`.

    Returns:
        The ids of the rows, and the classes.

    Raises:
        ValueError: A column is missing, of another length, or not finite.
        DataPrepError: No class has enough images, or the method cannot use the rows.

    Example:
        >>> import data_prep
        >>> table = {"utm_east": [5.0, 6.0, 15.0], "utm_north": [5.0, 5.0, 5.0],
        ...          "utm_zone": [10, 10, 10], "heading_deg": [10.0, 20.0, 10.0]}
        >>> found = data_prep.partition_table(table, min_images_per_class=1)
        >>> found.class_id.tolist()
        [0, 0, 1]
    """
    if config is not None and fields:
        raise ValueError("Pass `config` or fields of it, not both.")
    config = config or PARTITIONS.create(**fields)
    columns = _columns(table)
    needed = tuple(columns[name] for name in needed_columns(config))
    assignment = assign_classes(lambda: [needed], config)
    groups = np.append(assignment.classes["group_id"], np.int32(NO_CLASS))
    return PartitionedTable(
        assignment.class_ids, groups[assignment.class_ids], assignment.classes
    )


def _columns(table: Mapping[str, npt.ArrayLike]) -> dict[str, np.ndarray]:
    """Returns positions, both ways, and headings as a record index holds them."""
    has_utm = all(name in table for name in ("utm_east", "utm_north", "utm_zone"))
    has_degrees = all(name in table for name in ("latitude", "longitude"))
    if not has_utm and not has_degrees:
        raise ValueError(
            "`table` must have the columns utm_east, utm_north, utm_zone or latitude, "
            f"longitude. Received: {', '.join(map(str, table)) or 'no columns'}"
        )
    if has_degrees:
        latitude, longitude = _numbers(table, "latitude"), _numbers(table, "longitude")
    if has_utm:
        east_m, north_m = _numbers(table, "utm_east"), _numbers(table, "utm_north")
        zone = _numbers(table, "utm_zone").astype(np.int16)
    else:
        east_m, north_m, zone = lat_lon_to_utm(latitude, longitude)
    if has_utm and has_degrees:
        _check_agreement(Positions.from_utm(east_m, north_m, zone), latitude, longitude)
    if not has_degrees:
        latitude, longitude = utm_to_lat_lon(east_m, north_m, zone)
    columns: dict[str, np.ndarray] = {
        # Floored as in a build, but for what float64 lost of a decimal number.
        "utm_east_cm": np.floor(np.round(east_m * 100, 4)).astype(np.int64),
        "utm_north_cm": np.floor(np.round(north_m * 100, 4)).astype(np.int64),
        "utm_zone": zone,
        "latitude_e7": np.rint(latitude * 1e7).astype(np.int64),
        "longitude_e7": np.rint(longitude * 1e7).astype(np.int64),
        "heading_deg": _headings(table, len(zone)),
        "place_id": _place_ids(table, len(zone)),
    }
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"`table` must have columns of one length. Received: {lengths}"
        )
    return columns


def _check_agreement(
    utm: Positions, latitude: np.ndarray, longitude: np.ndarray
) -> None:
    if len(utm) != len(latitude) or len(utm) != len(longitude):
        return  # lengths are checked with those of all columns
    apart = contradictions(utm, latitude, longitude, DEFAULT_READING.max_disagreement_m)
    for row, problem in apart.items():
        raise ValueError(f"Row {row} of `table`: {problem}.")


def _headings(table: Mapping[str, npt.ArrayLike], num_rows: int) -> np.ndarray:
    """Returns float64 degrees from 0 to 360, `UNKNOWN_HEADING_DEG` where unknown."""
    if "heading_deg" not in table:
        return np.full(num_rows, UNKNOWN_HEADING_DEG)
    return normalized_headings(table["heading_deg"])


def _place_ids(table: Mapping[str, npt.ArrayLike], num_rows: int) -> np.ndarray:
    if "place_id" not in table:
        return np.full(num_rows, UNKNOWN_NUMBER, np.int64)
    given = np.asarray(table["place_id"])
    if given.ndim != 1 or given.dtype.kind not in "iu" or (given < -1).any():
        raise ValueError(
            "`place_id` must hold one whole number a row, 0 or more, or -1 where "
            f"unknown. Received: {given.dtype} of shape {given.shape}"
        )
    return given.astype(np.int64)


def _numbers(table: Mapping[str, npt.ArrayLike], name: str) -> np.ndarray:
    values = np.asarray(table[name], np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(
            f"`{name}` must hold one finite number a row. Received: shape "
            f"{values.shape}, {values[~np.isfinite(values)][:3].tolist()}"
        )
    return values
