"""Search of database descriptors: exact or ScaNN, behind one interface."""

from vpr_tf.search.build import EXACT_SEARCH_MAX_IMAGES, build_index
from vpr_tf.search.errors import IndexMismatchError, RetrievalError
from vpr_tf.search.exact_index import ExactIndex
from vpr_tf.search.saved_index import load_saved_index, save_index
from vpr_tf.search.scann_index import ScannIndex
from vpr_tf.search.search_index import Descriptors, Index

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
