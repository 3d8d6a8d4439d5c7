"""Approximate nearest neighbours by ScaNN."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.retrieval.errors import IndexMismatchError
from vpr_tf.retrieval.index import MISSING_ID, Descriptors, Index, check_descriptors

# Sizes and settings as ScaNN's documentation advises.
_BRUTE_FORCE_BELOW = 20_000
_NO_TREE_BELOW = 100_000
_TRAINING_SAMPLE = 100_000
_DIMENSIONS_PER_BLOCK = 2
_ANISOTROPIC_THRESHOLD = 0.2
_SEARCHED_LEAVES_FRACTION = 0.1
_REORDERED_NEIGHBORS = 200
_MIN_AH_TRAINING_POINTS = 16


class ScannIndex(Index):
    """ScaNN: brute force, quantised, or tree and quantised, by database size.

    ScaNN holds the whole database in memory. It pads short results with row 0 and
    distance NaN; here they are row -1 and distance inf.

    Args:
        searcher: A `ScannSearcher` of ScaNN's pybind interface.
        descriptors: The database.
        brute_force: Whether the searcher compares with every row.

    Reference:
        Guo et al., "Accelerating Large-Scale Inference with Anisotropic Vector
        Quantization", arXiv:1908.10396.
    """

    kind = "scann"

    def __init__(
        self, searcher: Any, descriptors: Descriptors, brute_force: bool
    ) -> None:
        self._searcher = searcher
        self._brute_force = brute_force
        self.descriptors = descriptors

    @classmethod
    def build(
        cls, descriptors: Descriptors, settings: dict[str, Any] | None = None
    ) -> ScannIndex:
        """See `Index.build`; copies the database into memory."""
        check_descriptors(descriptors)
        sizes = {
            "brute_force_below": _BRUTE_FORCE_BELOW,
            "no_tree_below": _NO_TREE_BELOW,
            **(settings or {}),
        }
        brute_force_below = sizes["brute_force_below"]
        no_tree_below = sizes["no_tree_below"]
        if brute_force_below < _MIN_AH_TRAINING_POINTS:
            raise ValueError(
                f"`brute_force_below` must be {_MIN_AH_TRAINING_POINTS} or more. "
                f"Received: {brute_force_below}"
            )
        rows = np.ascontiguousarray(descriptors[:], np.float32)
        if not np.isfinite(rows).all():
            raise ValueError(
                "`descriptors` must be finite. Received: NaN or infinity. Check the "
                "encoder's weights."
            )
        num_images = len(rows)
        builder = _scann().builder(rows, 10, "squared_l2")
        if num_images < brute_force_below:
            builder = builder.score_brute_force()
            return cls(builder.build(), descriptors, brute_force=True)
        if num_images >= no_tree_below:
            num_leaves = math.isqrt(num_images)
            builder = builder.tree(
                num_leaves=num_leaves,
                num_leaves_to_search=math.ceil(num_leaves * _SEARCHED_LEAVES_FRACTION),
                training_sample_size=_TRAINING_SAMPLE,
            )
        builder = builder.score_ah(
            _DIMENSIONS_PER_BLOCK,
            anisotropic_quantization_threshold=_ANISOTROPIC_THRESHOLD,
            training_sample_size=_TRAINING_SAMPLE,
        ).reorder(_REORDERED_NEIGHBORS)
        return cls(builder.build(), descriptors, brute_force=False)

    @property
    def is_exact(self) -> bool:
        """Whether the database is small enough for brute force."""
        return self._brute_force

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        reordered = None if self._brute_force else max(_REORDERED_NEIGHBORS, 10 * k)
        ids, distances = self._searcher.search_batched_parallel(
            np.ascontiguousarray(queries),
            final_num_neighbors=k,
            pre_reorder_num_neighbors=reordered,
        )
        short = k - ids.shape[1]
        distances = np.pad(distances, ((0, 0), (0, short)), constant_values=np.nan)
        ids = np.pad(ids.astype(np.int64), ((0, 0), (0, short)))
        missing = np.isnan(distances)
        distances = np.where(missing, np.inf, np.maximum(distances, 0.0))
        return distances, np.where(missing, MISSING_ID, ids)

    @property
    def settings(self) -> dict[str, Any]:
        """Not yet told."""
        return {}

    def write(self, folder: Path) -> None:
        """See `Index.write`."""
        # No document ids are given to ScaNN: it would store them as a pickle.
        self._searcher.serialize(str(folder), relative_path=True)

    @classmethod
    def read(
        cls, folder: Path, descriptors: Descriptors, settings: dict[str, Any]
    ) -> ScannIndex:
        """See `Index.read`."""
        if (folder / "scann_docids.pkl").exists():
            raise IndexMismatchError(
                f"{folder} holds a pickle (scann_docids.pkl), which this program "
                "never writes and does not open. Build the index again."
            )
        searcher = _scann().load_searcher(str(folder), assets_backcompat_shim=False)
        brute_force = not (folder / "ah_codebook.pb").exists()
        return cls(searcher, descriptors, brute_force)


def _scann() -> Any:
    try:
        from scann import scann_ops_pybind
    except ImportError as error:
        raise ImportError(
            f"ScaNN cannot be imported ({error}). Install `scann[tf]==1.4.2` (Linux, "
            "x86 with AVX or ARM), or use evaluation.index=exact."
        ) from error
    return scann_ops_pybind
