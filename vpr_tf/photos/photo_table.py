"""What is known of photos besides their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from vpr_tf.geo import Positions


@dataclass(frozen=True, eq=False)
class PhotoTable:
    """Metadata of photos, one entry a photo.

    Attributes:
        keys: Names, unique, UTF-8 bytes.
        positions: Where they were taken.
        heading_deg: Float32 degrees clockwise from north; -1 where unknown.
        timestamps: `YYYY[MM[DD[_hh[mm[ss]]]]]` as bytes; empty where unknown.
    """

    keys: np.ndarray
    positions: Positions
    heading_deg: np.ndarray
    timestamps: np.ndarray

    @classmethod
    def concatenate(cls, tables: Sequence[PhotoTable]) -> PhotoTable:
        """Returns the photos of several tables, one after the other."""
        positions = {
            field.name: np.concatenate(
                [getattr(table.positions, field.name) for table in tables]
            )
            for field in fields(Positions)
        }
        return cls(
            np.concatenate([table.keys for table in tables]),
            Positions(**positions),
            np.concatenate([table.heading_deg for table in tables]),
            np.concatenate([table.timestamps for table in tables]),
        )

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: np.ndarray) -> PhotoTable:
        """Returns some photos, in the order of `rows`, an array of row numbers."""
        return PhotoTable(
            self.keys[rows],
            self.positions.take(rows),
            self.heading_deg[rows],
            self.timestamps[rows],
        )
