"""Exact nearest neighbours over a database of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.search.descriptors import Descriptors, check_descriptors, finite_blocks
from vpr_tf.search.errors import IndexMismatchError
from vpr_tf.search.half_floats import as_float32
from vpr_tf.search.nearest_rows import NearestRows
from vpr_tf.search.search_index import SearchIndex

_NORMS_FILE = "squared_norms.npy"


class ExactIndex(SearchIndex):
    """Compares every query with every database descriptor, block by block.

    A matrix product finds the candidates; their distances are then computed from
    differences in float64. So identical descriptors have identical distances, and
    equal distances are ordered by the lowest row. The database is never held in
    memory as a whole.

    Args:
        descriptors: The database, e.g. memory-mapped.
        squared_norms: Float32, one a row.
    """

    kind = "exact"

    def __init__(self, descriptors: Descriptors, squared_norms: np.ndarray) -> None:
        self.descriptors = descriptors
        self._squared_norms = squared_norms

    @classmethod
    def build(
        cls, descriptors: Descriptors, settings: dict[str, Any] | None = None
    ) -> ExactIndex:
        """See `SearchIndex.build`; reads the database once, keeps a reference to it."""
        check_descriptors(descriptors)
        if settings:
            raise ValueError(
                f"An exact index has no settings. Received: {', '.join(settings)}"
            )
        norms = np.empty(len(descriptors), np.float32)
        for start, _, squared_norms in finite_blocks(descriptors):
            norms[start : start + len(squared_norms)] = squared_norms
        return cls(descriptors, norms)

    @property
    def is_exact(self) -> bool:
        """Always true."""
        return True

    @property
    def settings(self) -> dict[str, Any]:
        """None."""
        return {}

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        best = NearestRows(queries, k)
        step = best.rows_per_block
        for start in range(0, self.num_images, step):
            rows = as_float32(self.descriptors[start : start + step])
            best.update(start, rows, self._squared_norms[start : start + step])
        return best.distances.astype(np.float32), best.ids

    def write(self, folder: Path) -> None:
        """Keeps the norms, so that opening need not read the database."""
        np.save(folder / _NORMS_FILE, self._squared_norms, allow_pickle=False)

    @classmethod
    def read(
        cls, folder: Path, descriptors: Descriptors, settings: dict[str, Any]
    ) -> ExactIndex:
        """See `SearchIndex.read`."""
        norms = np.load(folder / _NORMS_FILE, allow_pickle=False)
        if norms.shape != (len(descriptors),) or norms.dtype != np.float32:
            raise IndexMismatchError(
                f"{folder / _NORMS_FILE} must hold {len(descriptors)} float32 values. "
                f"Received: {norms.dtype} of shape {norms.shape}. Build it again."
            )
        return cls(descriptors, norms)
