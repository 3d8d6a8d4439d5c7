"""Approximate nearest neighbours by ScaNN."""

from __future__ import annotations

import copy
import dataclasses
import functools
import logging
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import scratch_folder
from vpr_tf.search.descriptor_file import float32_file, unmapped
from vpr_tf.search.descriptors import (
    MISSING_ID,
    Descriptors,
    check_descriptors,
    finite_blocks,
)
from vpr_tf.search.distances import nearest_of
from vpr_tf.search.index_settings import ScannSettings
from vpr_tf.search.scann_files import checked_assets, dataset_asset, searcher_config
from vpr_tf.search.scann_library import CONFIG_FILE, scann_library
from vpr_tf.search.scann_pieces import comes_in_pieces, searcher_of_pieces
from vpr_tf.search.search_index import ExactIndex, SearchIndex

_LOG = logging.getLogger("vpr_tf")
_FLOAT32_FILE = "dataset.npy"
_QUERIES_PER_PART = 256
# Descriptors in fewer bits tell the last of k and the first after them apart poorly.
_LEAST_MORE = 5
_UNIT_TOLERANCE = 2e-3  # float16 rounds a descriptor to this at the most


class ScannIndex(SearchIndex):
    """ScaNN: quantised, or tree and quantised; by brute force a small database.

    ScaNN finds candidates; their distances are then computed from the descriptors. It
    pads short results with row 0 and distance NaN; here they are row -1 and inf.

    Args:
        searcher: A `ScannSearcher`; an `ExactIndex` for brute force.
        descriptors: The database.
        settings: What the searcher was built with.

    Reference:
        Guo et al., "Accelerating Large-Scale Inference with Anisotropic Vector
        Quantization", arXiv:1908.10396.
    """

    kind = "scann"

    def __init__(
        self, searcher: Any, descriptors: Descriptors, settings: ScannSettings
    ) -> None:
        self._searcher = searcher
        self._settings = settings
        self._rows = unmapped(descriptors)
        self.descriptors = descriptors

    @classmethod
    def build(
        cls, descriptors: Descriptors, settings: dict[str, Any] | None = None
    ) -> ScannIndex:
        """See `SearchIndex.build`; `settings` are those of `ScannSettings`.

        ScaNN holds the float32 descriptors in memory while it builds, and reads them
        from their file where they are one; others are first copied to a temporary one.
        Codes alone (`reorder` is `memory_mapped`) are made of a million at a time.
        """
        check_descriptors(descriptors)
        chosen = ScannSettings.from_dict(settings or {}, *descriptors.shape)
        if chosen.structure == "brute_force":
            return cls(ExactIndex.build(descriptors), descriptors, chosen)
        measure = "dot_product"
        if not _are_unit(unmapped(descriptors)):
            measure, chosen = "squared_l2", _without_soar(settings, descriptors)
        library = scann_library()
        message = searcher_config(library, descriptors.shape[1], measure, chosen)
        config = message.SerializeToString()
        if comes_in_pieces(descriptors, chosen):
            searcher = searcher_of_pieces(descriptors, config, chosen, library)
            return cls(searcher, descriptors, chosen)
        with (
            float32_file(descriptors) as path,
            scratch_folder("scann") as folder,
        ):
            (folder / CONFIG_FILE).write_bytes(config)
            searcher = library.open_searcher(folder, dataset_asset(path))
        return cls(searcher, descriptors, chosen)

    @property
    def is_exact(self) -> bool:
        """Whether every query is compared with every descriptor."""
        return self._settings.structure == "brute_force"

    @property
    def settings(self) -> dict[str, Any]:
        """All of `ScannSettings`."""
        return self._settings.to_dict()

    def with_search_settings(
        self,
        leaves_to_search: int | None = None,
        reordered_neighbors: int | None = None,
    ) -> ScannIndex:
        """Returns the same index, searched more or less thoroughly.

        Args:
            leaves_to_search: See `ScannSettings`; None for as before.
            reordered_neighbors: Likewise.

        Raises:
            ValueError: A setting cannot be.
        """
        known = self._settings
        if leaves_to_search is None:
            leaves_to_search = known.leaves_to_search
        if reordered_neighbors is None:
            reordered_neighbors = known.reordered_neighbors
        changed = copy.copy(self)
        changed._settings = dataclasses.replace(
            known,
            leaves_to_search=leaves_to_search,
            reordered_neighbors=reordered_neighbors,
        )
        return changed

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        if self.is_exact:
            return self._searcher.search(queries, k)
        cores = len(os.sched_getaffinity(0))
        num_parts = math.ceil(len(queries) / _QUERIES_PER_PART)
        if len(queries) > 1:
            num_parts = max(cores, num_parts)
        parts = np.array_split(queries, min(num_parts, len(queries)))
        if len(parts) == 1:
            return self._nearest(queries, k)
        # ScaNN's own threads would stand still while the distances are computed.
        with ThreadPoolExecutor(cores) as pool:
            found = pool.map(functools.partial(self._nearest, k=k), parts)
            distances, ids = zip(*found, strict=True)
        return np.concatenate(distances), np.concatenate(ids)

    def _nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Searches on one thread."""
        reordered = min(max(self._settings.reordered_neighbors, k), self.num_images)
        more = _LEAST_MORE + k // 10
        by_code = self._settings.reorder == "memory_mapped"
        kept = reordered if by_code else min(k + more, reordered)
        leaves = self._settings.leaves_to_search or None
        ids, scores = self._searcher.search_batched(
            np.ascontiguousarray(queries), kept, reordered, leaves
        )
        ids = np.where(np.isnan(scores), MISSING_ID, ids.astype(np.int64))
        return nearest_of(self._rows, queries, ids, k)

    def write(self, folder: Path) -> None:
        """See `SearchIndex.write`."""
        if self.is_exact:
            self._searcher.write(folder)
            return
        copied = folder / _FLOAT32_FILE
        # ScaNN would write the float32 descriptors a second time.
        copied.symlink_to(os.devnull)
        # No document ids are given to ScaNN: it would store them as a pickle.
        self._searcher.serialize(str(folder), relative_path=True)
        copied.unlink()

    @classmethod
    def read(
        cls, folder: Path, descriptors: Descriptors, settings: dict[str, Any]
    ) -> ScannIndex:
        """See `SearchIndex.read`."""
        chosen = ScannSettings.from_dict(settings, *descriptors.shape)
        if chosen.structure == "brute_force":
            return cls(ExactIndex.read(folder, descriptors, {}), descriptors, chosen)
        library = scann_library()
        assets = checked_assets(folder, descriptors.shape, chosen, library)
        if chosen.reorder != "float32":
            searcher = library.open_searcher(folder, assets)
        else:
            with float32_file(descriptors) as path:
                assets = f"{assets}\n{dataset_asset(path)}"
                searcher = library.open_searcher(folder, assets)
        return cls(searcher, descriptors, chosen)


def _without_soar(
    settings: dict[str, Any] | None, descriptors: Descriptors
) -> ScannSettings:
    """Returns the settings for descriptors of other lengths than 1."""
    given = settings or {}
    if given.get("soar_lambda"):
        _LOG.warning(
            "`soar_lambda` is of descriptors of length 1; these are not, so each is "
            "stored in one leaf."
        )
    without = {**given, "soar_lambda": 0.0}
    return ScannSettings.from_dict(without, *descriptors.shape)


def _are_unit(descriptors: Descriptors) -> bool:
    """Returns whether all have the length 1, after checking that all are finite.

    The nearest of these have the largest product, which ScaNN searches twice as fast.
    """
    are_unit = True
    for _, _, squared_norms in finite_blocks(descriptors):
        off = np.abs(squared_norms - 1)
        are_unit = are_unit and bool((off < _UNIT_TOLERANCE).all())
    return are_unit
