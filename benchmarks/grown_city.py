"""A city that grows by copies of itself, told by descriptors alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from vpr_tf.classification import ClassTable, GridCells, PlaceClassifier
from vpr_tf.classification.class_table import OWN_GROUP
from vpr_tf.geo import Positions
from vpr_tf.search import MISSING_ID

# Cells between a district and the next copy: far beyond any threshold.
_CELLS_APART = 1000


@dataclass(frozen=True, eq=False)
class City:
    """What is searched, and heads that know it.

    Attributes:
        database: Unit descriptors, float32 `(num_images, dim)`.
        positions: Of the database.
        classifier: Of all its cells, without hidden layers.
    """

    database: np.ndarray
    positions: Positions
    classifier: PlaceClassifier


def grown_city(city: City, num_copies: int, seed: int = 0) -> City:
    """Adds districts that are as hard as the first, and other places.

    Descriptors and prototypes of a copy are those of the city, reflected: along the
    city's principal directions, of which all but the first, that of the mean, have a
    random sign. So within a copy all similarities are those of the city, and all
    together have its second moments: places of two districts are as alike as places
    of one whose descriptors have nothing to do with each other.

    Args:
        city: The first district; its rows stay the first.
        num_copies: Districts in all, 1 or more.
        seed: Of the signs.

    Raises:
        ValueError: The classifier has hidden layers, or no grid of one class a cell.
    """
    table, size_m = city.classifier.table, _cell_size_m(city.classifier)
    rng = np.random.default_rng(seed)
    directions = np.linalg.svd(city.database, full_matrices=False)[2].astype(np.float32)
    reflections = [
        _reflection(directions, rng.choice([-1.0, 1.0], len(directions)))
        for _ in range(num_copies - 1)
    ]
    shifts_m = size_m * _CELLS_APART * np.arange(num_copies)
    return City(
        np.concatenate(
            [city.database, *(_turned(city.database, of) for of in reflections)]
        ),
        _moved(city.positions, shifts_m),
        dataclasses.replace(
            city.classifier,
            table=_grown_table(table, shifts_m),
            heads=tuple(
                dataclasses.replace(
                    head,
                    kernel=np.concatenate(
                        [
                            head.kernel,
                            *(_turned(head.kernel.T, of).T for of in reflections),
                        ],
                        axis=1,
                    ),
                )
                for head in city.classifier.heads
            ),
        ),
    )


def _cell_size_m(classifier: PlaceClassifier) -> int:
    cells = classifier.table.cells
    is_linear = all(not h.hidden and h.bias is None for h in classifier.heads)
    if not isinstance(cells, GridCells) or classifier.table.combine != OWN_GROUP:
        raise ValueError(
            "A city grows by cells of a grid, as those of Divide&Classify."
        )
    if not is_linear:
        raise ValueError(
            "Prototypes are turned with the descriptors, so heads must be cosine or "
            "angular margins without hidden layers, as in "
            "configs/dense/dc_images.yaml."
        )
    return int(cells.cell_size_m)


def _reflection(directions: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Returns I - 2 P, where P projects on the directions whose sign is negative."""
    turned = directions[1:][signs[1:] < 0]
    return np.asarray(
        np.eye(directions.shape[1]) - 2 * turned.T @ turned, dtype=np.float32
    )


def _turned(rows: np.ndarray, reflection: np.ndarray) -> np.ndarray:
    return np.asarray(rows @ reflection, np.float32)


def _moved(positions: Positions, shifts_m: np.ndarray) -> Positions:
    north_m = positions.utm_north_cm / 100 + shifts_m[:, None]
    copies = len(shifts_m)
    return Positions.from_utm(
        np.tile(positions.utm_east_cm / 100, copies),
        north_m.ravel(),
        np.tile(positions.utm_zone, copies),
    )


def _grown_table(table: ClassTable, shifts_m: np.ndarray) -> ClassTable:
    copies, cells = len(shifts_m), table.cells
    if not isinstance(cells, GridCells):
        raise TypeError(f"Cells of a grid are moved. Received: {type(cells).__name__}")
    num_classes = table.members.max(axis=0) + 1
    members = np.concatenate(
        [
            np.where(table.members < 0, MISSING_ID, table.members + copy * num_classes)
            for copy in range(copies)
        ]
    )
    more_north = shifts_m // cells.cell_size_m
    first_cell = len(cells) * np.arange(copies)
    return ClassTable(
        _moved(table.positions, shifts_m),
        np.tile(table.heading_deg, copies),
        members.astype(np.int32),
        (table.cell + first_cell[:, None]).ravel(),
        GridCells(
            cells.cell_size_m,
            np.tile(cells.zone, copies),
            np.tile(cells.east, copies),
            (cells.north + more_north[:, None]).ravel(),
        ),
        table.combine,
    )
