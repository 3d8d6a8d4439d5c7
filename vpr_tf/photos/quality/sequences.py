"""Sequences of photos: what one camera took on one drive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.photos.clock import clock_seconds
from vpr_tf.photos.photo_table import PhotoTable


@dataclass(frozen=True, eq=False)
class Sequence:
    """Photos of one folder in the order of their times.

    Attributes:
        rows: Of the table.
        seconds: When each was taken, float64, from any start; NaN where the time of
            day is unknown to the minute. Photos without come first, by their names.
        resolution_s: How exact the times are: 1 or 60.
    """

    rows: np.ndarray
    seconds: np.ndarray
    resolution_s: np.ndarray


def sequences_of(photos: PhotoTable) -> list[Sequence]:
    """Divides photos into sequences: each folder is one.

    Mapping programs and car cameras write a drive into a folder. Whether the photos of
    a folder are one drive is for a rule to see.
    """
    seconds, resolution_s = clock_seconds(photos.timestamps)
    folders = np.array([key.rpartition(b"/")[0] for key in photos.keys.tolist()])
    _, folder_of = np.unique(folders, return_inverse=True)
    order = np.lexsort((photos.keys, np.nan_to_num(seconds, nan=-1.0), folder_of))
    ends = np.flatnonzero(np.diff(folder_of[order])) + 1
    return [
        Sequence(rows, seconds[rows], resolution_s[rows])
        for rows in np.split(order, ends)
        if len(rows)
    ]
