"""Nearest neighbours of descriptors, arrays in and arrays out: exact, ScaNN, Milvus.

`index_choice` says which kind suits which size. The libraries are imported when an
index of their kind is built or read.
"""

from vpr_tf.search.build import (
    EXACT_SEARCH_MAX_IMAGES,
    INDEX_KINDS,
    KEPT_EXACT_MAX_IMAGES,
    build_index,
    index_kind,
)
from vpr_tf.search.cell_filtered_index import (
    CellFilter,
    CellFilteredIndex,
    CellRanking,
    covers_all,
)
from vpr_tf.search.cell_rows import CellRows
from vpr_tf.search.cell_search import search_cells
from vpr_tf.search.errors import IndexMismatchError, RetrievalError
from vpr_tf.search.exact_index import ExactIndex
from vpr_tf.search.milvus_index import MilvusIndex
from vpr_tf.search.milvus_settings import MilvusSettings
from vpr_tf.search.saved_index import load_saved_index, save_index
from vpr_tf.search.scann_index import ScannIndex
from vpr_tf.search.scann_settings import (
    MIN_QUANTIZED_IMAGES,
    REORDERS,
    ScannSettings,
)
from vpr_tf.search.search_index import (
    MISSING_ID,
    Descriptors,
    SearchIndex,
    check_descriptors,
    check_finite,
)

__all__ = [
    "EXACT_SEARCH_MAX_IMAGES",
    "INDEX_KINDS",
    "KEPT_EXACT_MAX_IMAGES",
    "MIN_QUANTIZED_IMAGES",
    "MISSING_ID",
    "REORDERS",
    "CellFilter",
    "CellFilteredIndex",
    "CellRanking",
    "CellRows",
    "Descriptors",
    "ExactIndex",
    "IndexMismatchError",
    "MilvusIndex",
    "MilvusSettings",
    "RetrievalError",
    "ScannIndex",
    "ScannSettings",
    "SearchIndex",
    "build_index",
    "check_descriptors",
    "check_finite",
    "covers_all",
    "index_kind",
    "load_saved_index",
    "save_index",
    "search_cells",
]
