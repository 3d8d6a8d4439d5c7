"""Where photos of an area are missing, old or few: a grid of square cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.geo import Positions, utm_to_lat_lon, wrap_degrees
from vpr_tf.photos.coverage_gaps import missing_cells
from vpr_tf.photos.distinct_rows import distinct_rows
from vpr_tf.photos.photo_table import PhotoTable

# Two photos within 25 m show one place, as the field counts: a photo in the cell, or
# in the next one, is what a query of an empty one would have to be found by.
DEFAULT_CELL_SIZE_M = 25.0
# With fewer, not even each of four directions has a photo.
DEFAULT_FEW = 4
# Newest year of all photos less this: shop fronts, works and trees have changed.
DEFAULT_OLD_YEARS = 5

_SECTORS = 8  # of headings, 45 degrees each


@dataclass(frozen=True, eq=False)
class Coverage:
    """Cells that hold photos, and empty ones between them, each `(num_cells,)`.

    Attributes:
        cell_size_m: Side of a cell.
        few_below: A cell with fewer photos has few.
        old_before: A cell whose newest photo is of an earlier year is old; 0 if no
            photo has a year.
        zone: Signed UTM zone.
        east: Number of the cell from the origin of its zone, int64.
        north: Likewise.
        count: Photos; 0 is a missing cell.
        newest_year: 0 where unknown.
        oldest_year: Likewise.
        heading_share: Of the eight sectors of 45 degrees that photos look into, 0 to
            1; NaN where no heading is known.
    """

    cell_size_m: float
    few_below: int
    old_before: int
    zone: np.ndarray
    east: np.ndarray
    north: np.ndarray
    count: np.ndarray
    newest_year: np.ndarray
    oldest_year: np.ndarray
    heading_share: np.ndarray

    @property
    def missing(self) -> np.ndarray:
        """Whether a cell is a gap in a line of photos; see `missing_cells`."""
        return self.count == 0

    @property
    def few(self) -> np.ndarray:
        """Whether a cell has photos, but few."""
        return (self.count > 0) & (self.count < self.few_below)

    @property
    def old(self) -> np.ndarray:
        """Whether all photos of a cell are old; not where none has a year."""
        return (self.newest_year > 0) & (self.newest_year < self.old_before)

    def corners_deg(self) -> np.ndarray:
        """Returns longitude and latitude of the corners, counter-clockwise.

        Returns:
            Float64 `(num_cells, 4, 2)`; the longitudes of a cell are beyond 180 rather
            than on both sides of the antimeridian.
        """
        steps = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
        cells = np.stack([self.east, self.north], axis=1)[:, None] + steps
        east_m, north_m = cells.reshape(-1, 2).T * self.cell_size_m
        latitude, longitude = utm_to_lat_lon(east_m, north_m, np.repeat(self.zone, 4))
        longitude = np.reshape(longitude, (-1, 4))
        longitude = longitude[:, :1] + wrap_degrees(longitude - longitude[:, :1])
        return np.stack([longitude, np.reshape(latitude, (-1, 4))], axis=-1)

    def summary(self) -> dict[str, Any]:
        """Returns numbers of cells, photos and years, for programs."""
        covered = ~self.missing
        years = self.newest_year[self.newest_year > 0]
        shares = self.heading_share[np.isfinite(self.heading_share)]
        return {
            "cell_size_m": self.cell_size_m,
            "few_below": self.few_below,
            "old_before": self.old_before or None,
            "num_photos": int(self.count.sum()),
            "num_covered": int(covered.sum()),
            "covered_km2": float(covered.sum() * self.cell_size_m**2 / 1e6),
            "median_photos": float(np.median(self.count[covered])),
            "num_missing": int(self.missing.sum()),
            "num_few": int(self.few.sum()),
            "num_old": int(self.old.sum()),
            "oldest_newest_year": int(years.min()) if len(years) else None,
            "newest_year": int(years.max()) if len(years) else None,
            "mean_heading_share": float(shares.mean()) if len(shares) else None,
        }

    def geojson(self) -> dict[str, Any]:
        """Returns a feature collection of the cells, as RFC 7946 has it."""
        features = []
        for row, corners in enumerate(np.round(self.corners_deg(), 7).tolist()):
            share = float(self.heading_share[row])
            properties = {
                "photos": int(self.count[row]),
                "newest_year": int(self.newest_year[row]) or None,
                "oldest_year": int(self.oldest_year[row]) or None,
                "heading_share": None if np.isnan(share) else round(share, 3),
                "missing": bool(self.missing[row]),
                "few": bool(self.few[row]),
                "old": bool(self.old[row]),
            }
            ring = [*corners, corners[0]]
            features.append(
                {
                    "type": "Feature",
                    "geometry": {"type": "Polygon", "coordinates": [ring]},
                    "properties": properties,
                }
            )
        return {"type": "FeatureCollection", "features": features}


def measure_coverage(
    photos: PhotoTable,
    *,
    cell_size_m: float = DEFAULT_CELL_SIZE_M,
    few_below: int = DEFAULT_FEW,
    old_before: int | None = None,
) -> Coverage:
    """Counts photos in the cells of a grid, and finds the gaps between them.

    Args:
        photos: Those of unknown position are left out.
        cell_size_m: Side of a cell, along the axes of its UTM zone.
        few_below: A cell with fewer photos has few.
        old_before: A cell without a photo of this year or later is old; None is five
            years before the newest of all photos.

    Raises:
        ValueError: No position is known, some are local coordinates, or the cells are
            smaller than a metre.
    """
    photos = _placed(photos, cell_size_m)
    covered, cell_of = covered_cells(photos.positions, cell_size_m)
    newest, oldest = _years(photos.timestamps, cell_of, len(covered))
    shares = _heading_shares(photos.heading_deg, cell_of, len(covered))
    missing = _missing(photos.positions, cell_size_m)
    columns = (
        np.append(values, np.full(len(missing), filling, values.dtype))
        for values, filling in (
            (np.bincount(cell_of), 0),
            (newest, 0),
            (oldest, 0),
            (shares, np.nan),
        )
    )
    if old_before is None:
        old_before = max(int(newest.max()) - DEFAULT_OLD_YEARS, 0)
    zone_east_north = np.concatenate([covered, missing]).T
    return Coverage(cell_size_m, few_below, old_before, *zone_east_north, *columns)


def covered_cells(
    positions: Positions, cell_size_m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the cells that hold photos.

    Args:
        positions: Known ones, on the earth.
        cell_size_m: Side of a cell.

    Returns:
        Zone, column and row of the cells, int64 `(num_cells, 3)`, in order, and the
        cell of each photo.
    """
    cells = np.empty((len(positions), 3), np.int64)
    cells[:, 0] = positions.utm_zone
    columns = (positions.utm_east_cm, positions.utm_north_cm)
    for place, column in enumerate(columns, 1):
        cells[:, place] = np.floor_divide(column / 100, cell_size_m)
    first, cell_of = distinct_rows(cells)
    return cells[first], cell_of


def _placed(photos: PhotoTable, cell_size_m: float) -> PhotoTable:
    """Returns the photos of known position.

    Raises:
        ValueError: See `measure_coverage`.
    """
    if not 1 <= cell_size_m <= 100_000:
        raise ValueError(
            "The side of a cell must be 1 m to 100 km. "
            f"Received: {cell_size_m:g} m. Choose e.g. {DEFAULT_CELL_SIZE_M:g}."
        )
    photos.positions.refuse_local("A coverage report")
    known = photos.positions.known
    if not known.any():
        raise ValueError("A coverage report needs photos with positions; none has one.")
    return photos if known.all() else photos.take(np.flatnonzero(known))


def _missing(positions: Positions, cell_size_m: float) -> np.ndarray:
    """Returns zone, column and row of the missing cells, int64 `(num_missing, 3)`."""
    found = [np.empty((0, 3), np.int64)]
    for zone in np.unique(positions.utm_zone).tolist():
        in_zone = positions.utm_zone == zone
        positions_m = np.stack(
            [
                column[in_zone] / 100
                for column in (positions.utm_east_cm, positions.utm_north_cm)
            ],
            axis=1,
        )
        cells = missing_cells(positions_m, cell_size_m)
        found.append(np.insert(cells, 0, zone, axis=1))
    return np.concatenate(found)


def _years(
    timestamps: np.ndarray, cell_of: np.ndarray, num_cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the newest and the oldest year of each cell; 0 where unknown."""
    known = timestamps != b""
    # Millions of texts are read as numbers sooner digit by digit.
    digits = timestamps.astype("S4").view(np.uint8).reshape(-1, 4)
    years = np.zeros(len(timestamps), np.int64)
    for digit in digits.T:
        years = years * 10 + digit
    years -= 1111 * ord("0")
    newest = np.zeros(num_cells, np.int64)
    oldest = np.full(num_cells, 9999)
    np.maximum.at(newest, cell_of[known], years[known])
    np.minimum.at(oldest, cell_of[known], years[known])
    return newest, np.where(newest > 0, oldest, 0)


def _heading_shares(
    heading_deg: np.ndarray, cell_of: np.ndarray, num_cells: int
) -> np.ndarray:
    known = heading_deg >= 0
    sectors = np.zeros((num_cells, _SECTORS), bool)
    sector = (heading_deg[known] * _SECTORS / 360).astype(np.int64) % _SECTORS
    sectors[cell_of[known], sector] = True
    shares = sectors.mean(axis=1)
    return np.where(shares > 0, shares, np.nan)
