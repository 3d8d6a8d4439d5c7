"""Nearest neighbours of descriptors, arrays in and arrays out: exact, ScaNN, Milvus.

`index_choice` says which kind suits which size. The libraries are imported when an
index of their kind is built or read.
"""

from vpr_tf.search.cell_filter import CellFilter, CellFilteredIndex, CellRanking
from vpr_tf.search.cell_rows import CellRows
from vpr_tf.search.cell_search import search_cells
from vpr_tf.search.descriptor_file import DamagedRowError, DescriptorFile
from vpr_tf.search.descriptors import (
    MISSING_ID,
    Descriptors,
    check_descriptors,
    check_k,
    checked_queries,
    no_neighbours,
    row_numbers,
)
from vpr_tf.search.distances import squared_distances
from vpr_tf.search.errors import IndexMismatchError, RetrievalError
from vpr_tf.search.index_choice import (
    EXACT_SEARCH_MAX_IMAGES,
    KEPT_EXACT_MAX_IMAGES,
    MIN_QUANTIZED_IMAGES,
    index_kind,
)
from vpr_tf.search.index_kinds import INDEX_KINDS, build_index
from vpr_tf.search.index_settings import REORDERS, MilvusSettings, ScannSettings
from vpr_tf.search.milvus_index import MilvusIndex
from vpr_tf.search.saved_index import load_saved_index, save_index
from vpr_tf.search.scann_index import ScannIndex
from vpr_tf.search.search_index import ExactIndex, SearchIndex

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
    "DamagedRowError",
    "DescriptorFile",
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
    "check_k",
    "checked_queries",
    "index_kind",
    "load_saved_index",
    "no_neighbours",
    "row_numbers",
    "save_index",
    "search_cells",
    "squared_distances",
]
