"""The places that a classifier can name."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.classification.cells import Cells, GridCells, RegionCells, cells_of_arrays
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.groups import spread_m
from vpr_tf.classification.stored_arrays import StoredArrays
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.geo import LOCAL_ZONE, UNKNOWN_HEADING_DEG, Positions, ecef
from vpr_tf.localization import Candidates
from vpr_tf.search import MISSING_ID

# The score of a place is that of its own group's class, or the product of the
# probabilities that all groups give to the classes it lies in.
OWN_GROUP, PRODUCT = _COMBINATIONS = ("own_group", "product")
# As files have named the fields of `Positions` from the first.
_STORED_POSITIONS = {
    "east_cm": "utm_east_cm",
    "north_cm": "utm_north_cm",
    "utm_zone": "utm_zone",
    "latitude_deg": "latitude_deg",
    "longitude_deg": "longitude_deg",
}
_COMBINE = {"hierarchical": PRODUCT, "combinatorial": PRODUCT}


@dataclass(frozen=True, eq=False)
class ClassTable:
    """Candidate places; it travels with the heads, so that no training set is needed.

    Attributes:
        positions: Centre of each place.
        heading_deg: Middle of its heading bin, float64; -1 where headings do not
            matter.
        members: The place's class in each group, int32 `(num_places, num_groups)`; -1
            in groups that do not know it.
        cell: The cell of each place, int64; places that differ in their heading only
            share one.
        cells: Finds the cell of a position.
        combine: `own_group`, every place has one class; or `product`, it has one in
            every group.
    """

    positions: Positions
    heading_deg: np.ndarray
    members: np.ndarray
    cell: np.ndarray
    cells: Cells
    combine: str

    def __len__(self) -> int:
        return len(self.cell)

    @property
    def num_groups(self) -> int:
        """Number of heads."""
        return int(self.members.shape[1])

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return int(self.cell.max()) + 1 if len(self) else 0

    @functools.cached_property
    def points(self) -> np.ndarray:
        """Centres, metres from the earth's centre, `(num_places, 3)`."""
        return ecef.from_degrees(self.positions)

    def candidates(
        self, rows: np.ndarray, scores: np.ndarray, group_rows: np.ndarray | None
    ) -> Candidates:
        """Returns places as candidates of queries.

        Args:
            rows: See `Candidates`.
            scores: Same.
            group_rows: Same; None where groups share their places.
        """
        spread = np.full(len(rows), np.nan)
        if group_rows is not None:
            spread = spread_m(self.points, group_rows)
        return Candidates(
            self.positions,
            self.points,
            self.heading_deg,
            rows,
            scores,
            spread,
            group_rows,
        )

    @functools.cached_property
    def places_of_groups(self) -> tuple[np.ndarray, ...]:
        """The place of each class of each group, int64; of `own_group` only.

        Raises:
            ClassificationError: Places have classes in several groups.
        """
        if self.combine != OWN_GROUP:
            raise ClassificationError(
                "Only places of one group each belong to a class. Received: "
                f"combine={self.combine!r}"
            )
        found = []
        for of_group in self.members.T:
            rows = np.flatnonzero(of_group != MISSING_ID)
            found.append(rows[np.argsort(of_group[rows], kind="stable")])
        return tuple(found)

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns all that the table is made of, a slash making parts."""
        arrays = {
            f"place/{name}": getattr(self.positions, field)
            for name, field in _STORED_POSITIONS.items()
        }
        for name in ("heading_deg", "members", "cell"):
            arrays[f"place/{name}"] = getattr(self, name)
        cells = self.cells.arrays().items()
        return arrays | {f"cells/{name}": value for name, value in cells}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], combine: str) -> ClassTable:
        """Makes the table that `arrays` described.

        Raises:
            ClassificationError: An array is missing, of another type or shape, or
                contradicts the others.
        """
        place = StoredArrays(part(arrays, "place/"), "place/")
        rows = place.length("cell")
        positions = (
            place.take(
                name, "f" if name.endswith("_deg") else "i", (rows,), finite=False
            )
            for name in _STORED_POSITIONS
        )
        table = cls(
            Positions(*positions),
            place.take("heading_deg", "fiu", (rows,)),
            place.take("members", "i", (rows, None)),
            place.take("cell", "iu", (rows,)),
            cells_of_arrays(part(arrays, "cells/")),
            combine,
        )
        table.check_stored()
        return table

    def check_stored(self) -> None:
        """Checks what was stored.

        Raises:
            ClassificationError: Places, cells and classes contradict each other.
        """
        zones = self.positions.utm_zone.astype(np.int64)
        latitude, longitude = self.positions.latitude_deg, self.positions.longitude_deg
        on_earth = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)
        local = (zones == LOCAL_ZONE) & np.isnan(latitude) & np.isnan(longitude)
        groups = 1 if self.combine == OWN_GROUP else self.num_groups
        num_members = (self.members != MISSING_ID).sum(axis=1)
        rules = {
            f"`combine` is {OWN_GROUP} or {PRODUCT}": self.combine in _COMBINATIONS,
            "zones are 1 to 60, north or south": np.abs(zones) <= 60,
            "places lie on the earth": on_earth & (zones != LOCAL_ZONE) | local,
            "cells are known": (self.cell >= 0) & (self.cell < len(self.cells)),
            "each place has its classes": num_members == groups,
            "classes are numbered from 0": self.members >= MISSING_ID,
        }
        for rule, holds in rules.items():
            if not np.all(holds):
                raise ClassificationError(
                    f"The table of classes is damaged: not true is that {rule}."
                )

    @classmethod
    def from_partition(
        cls, partition: Partition, split: SplitIndex, num_groups: int | None = None
    ) -> ClassTable:
        """Lists the places of the classes that were trained.

        Args:
            partition: Classes and groups.
            split: The train split; the place of an intersection of classes is the
                mean position of its images.
            num_groups: The first groups, those that have a head; None for all.

        Raises:
            ClassificationError: Classes are no cells.
        """
        require_ground(partition, "A classifier")
        num_groups = partition.num_groups if num_groups is None else num_groups
        combine = _COMBINE.get(str(partition.parameters.get("method")), OWN_GROUP)
        if combine == PRODUCT:
            return _of_intersections(partition, split, num_groups)
        last = partition.classes_of_group(num_groups - 1).stop
        classes = partition.classes[:last]
        members = _own_members(classes, num_groups)
        if partition.regions is not None:
            cell = np.arange(last)
            cells: Cells = region_cells(partition, num_groups, members)
        else:
            cell, cells = _grid_cells(classes, partition.parameters)
        return cls(
            Positions.from_utm(
                classes["centre_east_m"],
                classes["centre_north_m"],
                classes["utm_zone"],
            ),
            _headings(partition, classes),
            members,
            cell,
            cells,
            OWN_GROUP,
        )


def require_ground(partition: Partition, reader: str) -> None:
    """Refuses classes of which nobody can say which one a position is in.

    Args:
        partition: Classes and groups.
        reader: What needs cells, for the message.

    Raises:
        ClassificationError: Classes are no cells.
    """
    if not partition.has_ground:
        raise ClassificationError(
            f"{reader} needs classes that are cells. Received: the partition "
            f"{partition.name!r} of {partition.parameters.get('method')}. Use another "
            "`dataset.partition`, or leave out what needs cells."
        )


def part(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Returns the arrays whose names begin with a prefix, named without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in arrays.items()
        if name.startswith(prefix)
    }


def _own_members(classes: np.ndarray, num_groups: int) -> np.ndarray:
    members = np.full((len(classes), num_groups), MISSING_ID, np.int32)
    groups = classes["group_id"]
    first = np.searchsorted(groups, groups)
    rows = np.arange(len(classes))
    members[rows, groups] = rows - first
    return members


def _grid_cells(
    classes: np.ndarray, parameters: dict[str, Any]
) -> tuple[np.ndarray, GridCells]:
    size_m = int(parameters["cell_size_m"])
    squares = np.stack(
        [
            classes["utm_zone"].astype(np.int64),
            classes["cell_east_m"] // size_m,
            classes["cell_north_m"] // size_m,
        ],
        axis=1,
    )
    found, cell = np.unique(squares, axis=0, return_inverse=True)
    zone, east, north = np.ascontiguousarray(found.T)
    return cell.ravel(), GridCells(size_m, zone, east, north)


def region_cells(
    partition: Partition, num_groups: int, members: np.ndarray
) -> RegionCells:
    """Returns the ground of the classes of the first groups; see `RegionCells`.

    Raises:
        ClassificationError: The partition is of an older form without regions.
    """
    regions = partition.regions
    if regions is None:
        raise ClassificationError(
            f"The partition {partition.name!r} needs regions.npy. Add it again by "
            "`vpr data partition`."
        )
    class_id = regions["class_id"]
    groups = partition.classes["group_id"]
    first = np.searchsorted(groups, np.arange(partition.num_groups))
    group = groups[class_id]
    kept = np.flatnonzero(group < num_groups)
    return RegionCells(
        regions["first_leaf"][kept],
        regions["last_leaf"][kept],
        group[kept].astype(np.int32),
        (class_id - first[group])[kept].astype(np.int32),
        members,
    )


def _of_intersections(
    partition: Partition, split: SplitIndex, num_groups: int
) -> ClassTable:
    """One place for each combination of classes that has train images."""
    of_images = np.full((len(split), num_groups), MISSING_ID, np.int32)
    for group in range(num_groups):
        classes = partition.classes_of_group(group)
        offsets = partition.class_offsets[classes.start : classes.stop + 1]
        images = partition.record_ids[offsets[0] : offsets[-1]]
        of_images[images, group] = np.repeat(np.arange(len(classes)), np.diff(offsets))
    images = np.flatnonzero((of_images != MISSING_ID).all(axis=1))
    zone = np.asarray(split.column("utm_zone"))[images]
    keys = np.column_stack([of_images[images], zone])
    found, place, counts = np.unique(
        keys, axis=0, return_inverse=True, return_counts=True
    )
    east_m, north_m = (
        np.bincount(place.ravel(), values) / counts for values in split.utm_m[images].T
    )
    members = np.ascontiguousarray(found[:, :-1], np.int32)
    return ClassTable(
        Positions.from_utm(east_m, north_m, found[:, -1]),
        np.full(len(found), UNKNOWN_HEADING_DEG),
        members,
        np.arange(len(found)),
        region_cells(partition, num_groups, members),
        PRODUCT,
    )


def _headings(partition: Partition, classes: np.ndarray) -> np.ndarray:
    if not partition.has_headings:
        return np.full(len(classes), UNKNOWN_HEADING_DEG)
    middle = classes["heading_bin_deg"] + partition.parameters["heading_bin_deg"] / 2
    return np.asarray(middle % 360, np.float64)
