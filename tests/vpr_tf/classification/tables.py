"""Small partitions and classifiers."""

import dataclasses

import numpy as np

from data_prep.partition.assignment import assign_classes, needed_columns
from vpr_tf.classification import ClassTable
from vpr_tf.config import DivideAndClassifyConfig, PartitionConfig
from vpr_tf.data.partition import Partition
from vpr_tf.geo import Positions

EAST_M, NORTH_M, ZONE = 548_000.0, 4_173_000.0, 10
DIVIDE_AND_CLASSIFY = DivideAndClassifyConfig(
    name="dc",
    cell_size_m=20,
    cell_stride=2,
    min_images_per_class=1,
)


class Columns:
    """Stands in for a `SplitIndex` with these positions."""

    def __init__(self, positions: Positions, heading_deg=None) -> None:
        headings = np.zeros(len(positions)) if heading_deg is None else heading_deg
        self._columns = {
            "utm_east_cm": positions.utm_east_cm,
            "utm_north_cm": positions.utm_north_cm,
            "utm_zone": positions.utm_zone,
            "heading_deg": np.asarray(headings, np.float32),
            "latitude_e7": np.rint(positions.latitude_deg * 1e7).astype(np.int64),
            "longitude_e7": np.rint(positions.longitude_deg * 1e7).astype(np.int64),
        }
        self.utm_m = np.stack([positions.utm_east_cm, positions.utm_north_cm], 1) / 100

    def column(self, name):
        return self._columns[name]

    def __len__(self) -> int:
        return len(self.utm_m)


def places(local_m, zone=ZONE) -> Positions:
    """Positions at metres from the corner of the map."""
    local_m = np.asarray(local_m, np.float64).reshape(-1, 2)
    zones = np.broadcast_to(np.asarray(zone, np.int16), len(local_m)).copy()
    return Positions.from_utm(local_m[:, 0] + EAST_M, local_m[:, 1] + NORTH_M, zones)


def partition_of(columns: Columns, config: PartitionConfig) -> Partition:
    names = needed_columns(config)
    assigned = assign_classes(
        lambda: [tuple(columns.column(name) for name in names)], config
    )
    return Partition(
        config.name,
        config.parameters(),
        assigned.classes,
        assigned.class_offsets,
        assigned.record_ids,
        assigned.regions,
        assigned.focal_points,
    )


def grid_table(positions: Positions, **changes) -> ClassTable:
    config = dataclasses.replace(DIVIDE_AND_CLASSIFY, **changes)
    columns = Columns(positions)
    return ClassTable.from_partition(partition_of(columns, config), columns)
