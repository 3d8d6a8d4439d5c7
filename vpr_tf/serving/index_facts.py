"""What the service says of an index: facts, coverage and streets."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np

from vpr_tf.geo import Positions, extent_deg, wrap_degrees
from vpr_tf.localization import Calibration
from vpr_tf.photos import PhotoTable
from vpr_tf.photos.coverage import (
    DEFAULT_CELL_SIZE_M,
    Coverage,
    covered_cells,
    measure_coverage,
)
from vpr_tf.photos.distinct_rows import distinct_rows
from vpr_tf.place_index import IndexState
from vpr_tf.serving.answers import IndexAnswer

# A browser draws so many without delay.
_MAX_CELLS = 20_000
_MAX_POINTS = 20_000
_FINEST_CM = 500


class CoverageSizeError(ValueError):
    """A coverage has more cells than an answer holds."""


def index_answer(name: str, state: IndexState) -> IndexAnswer:
    """Returns what a service says of an index.

    Args:
        name: Of the index.
        state: Its newest.

    Raises:
        LocalizationError: Its calibration is damaged.
    """
    manifest, photos = state.manifest, state.alive_photos
    _, calibration = manifest.localization_settings
    recall = manifest.recall
    return IndexAnswer(
        name=name,
        num_photos=manifest.num_photos,
        generation=manifest.generation,
        model=manifest.encoder_description,
        descriptor_dim=manifest.descriptor_dim,
        search=manifest.kind,
        is_exact=state.is_exact,
        is_calibrated=calibration is not None,
        bounds=_bounds(photos),
        years=_photos_of_years(photos.timestamps),
        num_without_position=int(np.sum(~photos.positions.known)),
        recall_at_1=recall.recall_at_1 if recall else None,
        calibration=None if calibration is None else _calibration(calibration),
        attribution=manifest.attribution,
        licence=manifest.licence,
    )


def _calibration(calibration: Calibration) -> dict[str, Any]:
    """Returns the summary, and how confidences held on queries held out."""
    reliability = calibration.reliability
    return {
        **calibration.summary(),
        "outside_answered": calibration.outside_answered,
        "reliability": None if reliability is None else dataclasses.asdict(reliability),
    }


def _bounds(photos: PhotoTable) -> list[float] | None:
    """Returns west, south, east, north; west above east across the antimeridian."""
    positions = photos.positions
    on_earth = positions.known & ~positions.is_local
    if not on_earth.any():
        return None
    latitude = positions.latitude_deg[on_earth]
    west, east = extent_deg(positions.longitude_deg[on_earth])
    found = [west, latitude.min(), float(wrap_degrees(east)), latitude.max()]
    return [round(float(degrees), 7) for degrees in found]


def _photos_of_years(timestamps: np.ndarray) -> dict[str, int]:
    # As numbers, which are counted a hundred times as fast as texts.
    texts = np.ascontiguousarray(timestamps.astype("S4"))
    years, counts = np.unique(texts.view("<u4"), return_counts=True)
    found = dict(zip(years.view("S4").tolist(), counts.tolist(), strict=True))
    return {year.decode(): found[year] for year in sorted(found) if year}


def coverage_geojson(
    state: IndexState, cell_size_m: float | None, old_before: int | None
) -> bytes:
    """Returns where photos are missing, few or old, with numbers of all cells.

    Args:
        state: Of the index.
        cell_size_m: Side of a cell; None for the smallest of 25, 50, 100, ... m with
            which the answer is not too large.
        old_before: See `measure_coverage`.

    Returns:
        GeoJSON of `Coverage.geojson`, with `Coverage.summary` as the member `summary`.

    Raises:
        CoverageSizeError: There are more cells than an answer holds.
        ValueError: See `measure_coverage`.
    """
    photos = state.alive_photos
    size_m = cell_size_m or DEFAULT_CELL_SIZE_M
    while True:
        # Empty cells are found later, which takes longer.
        num_cells = _num_covered(photos.positions, size_m)
        if num_cells <= _MAX_CELLS:
            coverage = measure_coverage(
                photos, cell_size_m=size_m, old_before=old_before
            )
            num_cells = len(coverage.count)
        if num_cells <= _MAX_CELLS:
            break
        if cell_size_m is not None:
            raise CoverageSizeError(
                f"The photos lie in {num_cells:,} cells of {cell_size_m:g} m, and an "
                f"answer holds {_MAX_CELLS:,}. Pass a larger `cell_size_m`, or none."
            )
        size_m *= 2
    content = coverage.geojson()
    # One by one: what is written at once keeps other threads from running.
    features = b",".join(map(_json, content.pop("features")))
    rest = _json({**content, "summary": _summary(coverage)})
    return rest[:-1] + b',"features":[' + features + b"]}"


def _num_covered(positions: Positions, cell_size_m: float) -> int:
    placed = positions.take(np.flatnonzero(positions.known))
    return len(covered_cells(placed, cell_size_m)[0])


def _summary(coverage: Coverage) -> dict[str, Any]:
    return {
        name: None if value != value else value
        for name, value in coverage.summary().items()
    }


def streets(state: IndexState) -> bytes:
    """Returns where the photos of an index were taken, to draw the streets.

    They are thinned to the first photo of each cell of a grid, whose cells are the
    smallest of 5, 10, 20, ... m with which the points are few; the same photos always
    give the same points.

    Args:
        state: Of the index.

    Returns:
        JSON: `num_photos` and `bounds` of those on the map, `spacing_m` and `points`,
        each `[latitude, longitude, heading_deg or null, year or null]`.
    """
    photos = state.photos
    positions = photos.positions
    on_earth = positions.known & ~positions.is_local
    rows = state.alive_rows
    rows = rows[on_earth[rows]]
    shown, spacing_m = _thinned(positions.utm_cm, positions.utm_zone, rows)
    some = photos.take(shown)
    years = some.timestamps.astype("S4").tolist()
    points = [
        [
            round(latitude, 6),
            round(longitude, 6),
            round(heading, 1) if heading >= 0 else None,
            int(year) if year else None,
        ]
        for latitude, longitude, heading, year in zip(
            some.positions.latitude_deg.tolist(),
            some.positions.longitude_deg.tolist(),
            some.heading_deg.tolist(),
            years,
            strict=True,
        )
    ]
    return _json(
        {
            "generation": state.manifest.generation,
            "num_photos": len(rows),
            "bounds": _bounds(some),
            "spacing_m": spacing_m,
            "points": points,
        }
    )


def _thinned(
    utm_cm: np.ndarray, zones: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, float]:
    """Returns some of the rows, ascending, and the side of the cells, metres."""
    size_cm = _FINEST_CM
    while True:
        cells = np.floor_divide(utm_cm[rows], size_cm)
        cells = np.column_stack([zones[rows], cells])
        rows = rows[np.sort(distinct_rows(cells)[0])]
        if len(rows) <= _MAX_POINTS:
            return rows, size_cm / 100
        size_cm *= 2


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
