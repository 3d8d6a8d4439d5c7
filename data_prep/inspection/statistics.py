"""Counts over the record index of a dataset, a piece at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vpr_tf.data import SplitIndex

HEADING_BINS = 36
_ROWS_AT_ONCE = 1 << 20
_TURN_DEG = 360


@dataclass
class SplitStatistics:
    """Counts of one split.

    Attributes:
        num_images: Records.
        sizes: Smallest and largest height and width.
        images_per_year: By year; 0 is unknown.
        images_per_heading: In bins of ten degrees from north.
        num_without_heading: Images whose heading is missing.
        num_rotated: Images whose EXIF orientation is not upright.
    """

    num_images: int = 0
    sizes: tuple[int, int, int, int] = (0, 0, 0, 0)
    images_per_year: dict[int, int] = field(default_factory=dict)
    images_per_heading: np.ndarray = field(
        default_factory=lambda: np.zeros(HEADING_BINS, np.int64)
    )
    num_without_heading: int = 0
    num_rotated: int = 0


def count_split(index: SplitIndex) -> SplitStatistics:
    """Counts sizes, years and headings of a split."""
    result = SplitStatistics(num_images=len(index))
    heights, widths = index.column("height"), index.column("width")
    if len(index):
        extremes = (heights.min(), heights.max(), widths.min(), widths.max())
        result.sizes = tuple(int(value) for value in extremes)  # type: ignore[assignment]
    for start in range(0, len(index), _ROWS_AT_ONCE):
        piece = slice(start, start + _ROWS_AT_ONCE)
        _count_years(result, np.asarray(index.column("timestamp")[piece]))
        _count_headings(result, np.asarray(index.column("heading_deg")[piece]))
        orientations = index.column("exif_orientation")[piece]
        result.num_rotated += int(np.count_nonzero(orientations > 1))
    return result


def _count_years(result: SplitStatistics, timestamps: np.ndarray) -> None:
    texts, counts = np.unique(timestamps.astype("S4"), return_counts=True)
    for text, count in zip(texts.tolist(), counts.tolist(), strict=True):
        year = int(text) if text else 0
        result.images_per_year[year] = result.images_per_year.get(year, 0) + count


def _count_headings(result: SplitStatistics, headings: np.ndarray) -> None:
    known = headings[headings >= 0]
    bins = (known % _TURN_DEG / (_TURN_DEG / HEADING_BINS)).astype(np.int64)
    result.images_per_heading += np.bincount(bins, minlength=HEADING_BINS)
    result.num_without_heading += len(headings) - len(known)
