"""Search of database descriptors: exact or ScaNN, behind one interface."""

from vpr_tf.retrieval.build import EXACT_SEARCH_MAX_IMAGES, build_index
from vpr_tf.retrieval.errors import IndexMismatchError, RetrievalError
from vpr_tf.retrieval.exact_index import ExactIndex
from vpr_tf.retrieval.index import Descriptors, Index
from vpr_tf.retrieval.saved_index import load_saved_index, save_index
from vpr_tf.retrieval.scann_index import ScannIndex

__all__ = [
    "EXACT_SEARCH_MAX_IMAGES",
    "Descriptors",
    "ExactIndex",
    "Index",
    "IndexMismatchError",
    "RetrievalError",
    "ScannIndex",
    "build_index",
    "load_saved_index",
    "save_index",
]
