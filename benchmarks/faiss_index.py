"""Indexes of faiss behind the interface of this project's: for comparison alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from vpr_tf.search import Descriptors, SearchIndex, check_descriptors

_FILE = "index.faiss"
_ROWS_PER_BLOCK = 50_000
# Rows that faiss wants for each centre that it learns.
_ROWS_PER_CENTRE = 39
_MOST_CODE_BYTES = 64
_CODE_CENTRES = 256


class FaissIndex(SearchIndex):
    """What a factory string of faiss makes.

    Args:
        descriptors: The database.
        index: Of faiss, filled.
        settings: `factory`, and `search`, e.g. `nprobe=8`; empty for faiss's own.
    """

    kind = "faiss"

    def __init__(
        self, descriptors: Descriptors, index: Any, settings: dict[str, Any]
    ) -> None:
        import faiss

        self.descriptors = descriptors
        self._index = index
        self._settings = dict(settings)
        if settings["search"]:
            faiss.ParameterSpace().set_index_parameters(index, settings["search"])

    @classmethod
    def build(
        cls, descriptors: Descriptors, settings: dict[str, Any] | None = None
    ) -> Self:
        """See `SearchIndex.build`; learns from evenly spaced rows, then adds all."""
        import faiss

        check_descriptors(descriptors)
        told = {"factory": "Flat", "search": "", **(settings or {})}
        index = faiss.index_factory(descriptors.shape[1], told["factory"])
        if not index.is_trained:
            _train(index, descriptors)
        for start in range(0, len(descriptors), _ROWS_PER_BLOCK):
            block = descriptors[start : start + _ROWS_PER_BLOCK]
            index.add(np.ascontiguousarray(block, np.float32))
        return cls(descriptors, index, told)

    def with_search(self, search: str) -> FaissIndex:
        """Returns the same index with other search settings, such as `nprobe=8`."""
        import faiss

        settings = {**self._settings, "search": search}
        return FaissIndex(self.descriptors, faiss.clone_index(self._index), settings)

    @property
    def is_exact(self) -> bool:
        """Whether the factory string is that of flat search."""
        return bool(self._settings["factory"] == "Flat")

    @property
    def settings(self) -> dict[str, Any]:
        """See `SearchIndex.settings`."""
        return dict(self._settings)

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        distances, rows = self._index.search(queries, k)
        # faiss has the largest float where too few lists were read to find k.
        return np.where(rows < 0, np.inf, distances), rows

    def write(self, folder: Path) -> None:
        """See `SearchIndex.write`."""
        import faiss

        faiss.write_index(self._index, str(folder / _FILE))

    @classmethod
    def read(
        cls, folder: Path, descriptors: Descriptors, settings: dict[str, Any]
    ) -> Self:
        """See `SearchIndex.read`."""
        import faiss

        return cls(descriptors, faiss.read_index(str(folder / _FILE)), settings)


def _train(index: Any, descriptors: Descriptors) -> None:
    """Learns lists and codes from as many rows as faiss wants at least."""
    if hasattr(index, "pq"):
        # A row for each centre more than it wants costs minutes and finds no more.
        index.pq.cp.max_points_per_centroid = _ROWS_PER_CENTRE
        index.pq.cp.niter = 10  # as of the lists
        index.pq.cp.min_points_per_centroid = 1  # few rows are worth no 64 warnings
    wanted = _ROWS_PER_CENTRE * max(_CODE_CENTRES, index.nlist)
    step = max(1, len(descriptors) // wanted)
    index.train(np.ascontiguousarray(descriptors[::step], np.float32))


def hnsw_settings() -> dict[str, Any]:
    """Returns a graph with 32 links a photo, of which 64 candidates are kept."""
    return {"factory": "HNSW32", "search": "efSearch=64"}


def ivfpq_settings(num_images: int, dim: int, share: float) -> dict[str, Any]:
    """Returns inverted lists of codes of 64 bytes.

    Args:
        num_images: Rows of the database; as many lists as suit it, a power of 2.
        dim: Length of a descriptor.
        share: Of the lists that a query reads.
    """
    most = min(4 * num_images**0.5, num_images / _ROWS_PER_CENTRE)
    lists = 2 ** int(np.log2(max(1.0, most)))
    size = next(n for n in range(min(dim, _MOST_CODE_BYTES), 0, -1) if dim % n == 0)
    probed = max(1, round(share * lists))
    # np: without polysemous codes, whose training takes minutes and which no one asks
    return {"factory": f"IVF{lists},PQ{size}np", "search": f"nprobe={probed}"}
