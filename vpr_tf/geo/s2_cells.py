"""Cells of the S2 library: squares of the globe in a quadtree along a Hilbert curve.

A cell is a uint64 id. A leaf (level 30, about 1 cm) is a place; the leaves of a coarser
cell are a run of successive ids, so that sorted leaves are sorted by cell at every
level at once. Id 0 is no cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FINEST_LEVEL = 30
NUM_FACES = 6  # cells of level 0
NO_CELL = np.uint64(0)
_POSITIONS_AT_ONCE = 1 << 20


def leaf_cells(latitude_deg: npt.ArrayLike, longitude_deg: npt.ArrayLike) -> np.ndarray:
    """Returns the leaf at every position.

    Equal positions are looked up once: the library takes them one by one, about
    180,000 a second.

    Args:
        latitude_deg: Float `(num_positions,)`.
        longitude_deg: Float `(num_positions,)`.

    Returns:
        Uint64 `(num_positions,)`; `NO_CELL` where a coordinate is not finite.

    Raises:
        ImportError: The S2 library is not installed.
        ValueError: The shapes differ, or a latitude is beyond the poles.
    """
    latitude = np.asarray(latitude_deg, np.float64)
    longitude = np.asarray(longitude_deg, np.float64)
    if latitude.ndim != 1 or latitude.shape != longitude.shape:
        raise ValueError(
            "`latitude_deg` and `longitude_deg` must be vectors of one length. "
            f"Received: shapes {latitude.shape} and {longitude.shape}"
        )
    if np.any(np.abs(latitude) > 90):
        raise ValueError(
            "`latitude_deg` must lie between -90 and 90. Received: "
            f"{latitude[np.abs(latitude) > 90][:3].tolist()}"
        )
    leaves = np.empty(len(latitude), np.uint64)
    for start in range(0, len(latitude), _POSITIONS_AT_ONCE):
        piece = slice(start, start + _POSITIONS_AT_ONCE)
        leaves[piece] = _leaves_of_piece(latitude[piece], longitude[piece])
    return leaves


def _leaves_of_piece(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    library = _library()
    cell_id, of_degrees = library.S2CellId, library.S2LatLng.FromDegrees
    leaves = np.full(len(latitude), NO_CELL)
    finite = np.flatnonzero(np.isfinite(latitude) & np.isfinite(longitude))
    places, inverse = np.unique(
        latitude[finite] + 1j * longitude[finite], return_inverse=True
    )
    pairs = zip(places.real.tolist(), places.imag.tolist(), strict=True)
    ids = (cell_id(of_degrees(north, east).Normalized()).id() for north, east in pairs)
    leaves[finite] = np.fromiter(ids, np.uint64, len(places))[inverse]
    return leaves


def parent_cells(cells: np.ndarray, level: int) -> np.ndarray:
    """Returns the cell of a level that holds each cell, uint64.

    Args:
        cells: Uint64 ids of that level or finer ones.
        level: 0 (a sixth of the globe) to 30.
    """
    lowest = np.uint64(1 << 2 * (FINEST_LEVEL - level))
    return (cells & ~(lowest - np.uint64(1))) | lowest


def child_cells(cells: np.ndarray) -> np.ndarray:
    """Returns the four cells that each cell is made of, ascending.

    Args:
        cells: Uint64 `(num_cells,)`, none of them leaves.

    Returns:
        Uint64 `(num_cells, 4)`.
    """
    quarter = (_lowest_bits(cells) >> np.uint64(2))[:, None]
    odd = np.array([1, 3, 5, 7], np.uint64)
    return first_leaves(cells)[:, None] - np.uint64(1) + odd * quarter


def first_leaves(cells: np.ndarray) -> np.ndarray:
    """Returns the first leaf of each cell, uint64."""
    return cells - (_lowest_bits(cells) - np.uint64(1))


def last_leaves(cells: np.ndarray) -> np.ndarray:
    """Returns the last leaf of each cell, uint64."""
    return cells + (_lowest_bits(cells) - np.uint64(1))


def _lowest_bits(cells: np.ndarray) -> np.ndarray:
    """The bit that tells a cell's level."""
    return cells & (~cells + np.uint64(1))


def edge_neighbours(cells: np.ndarray) -> np.ndarray:
    """Returns the four cells of the same level that share an edge with each cell.

    Args:
        cells: Uint64 `(num_cells,)`.

    Returns:
        Uint64 `(num_cells, 4)`.
    """
    library = _library()
    found = [
        [cell.id() for cell in library.S2CellId(number).GetEdgeNeighbors()]
        for number in cells.tolist()
    ]
    return np.array(found, np.uint64).reshape(-1, 4)


def cell_corners(cells: np.ndarray) -> np.ndarray:
    """Returns latitude and longitude of the corners, float64 `(num_cells, 4, 2)`.

    Args:
        cells: Uint64 `(num_cells,)`.
    """
    library = _library()
    corners = []
    for number in cells.tolist():
        cell = library.S2Cell(library.S2CellId(number))
        for i in range(4):
            place = library.S2LatLng(cell.GetVertex(i))
            corners.append((place.lat().degrees(), place.lng().degrees()))
    return np.array(corners, np.float64).reshape(-1, 4, 2)


def _library() -> Any:
    try:
        import s2geometry
    except ImportError as error:
        raise ImportError(
            "Cells of S2 need the package s2geometry, which is not installed. Run "
            "`pip install -r requirements.txt`."
        ) from error
    return s2geometry
