"""Search of database descriptors: exact or ScaNN, behind one interface."""

from vpr_tf.retrieval.build import EXACT_SEARCH_MAX_IMAGES, build_index, load_index
from vpr_tf.retrieval.exact_index import ExactIndex
from vpr_tf.retrieval.index import Index, IndexMismatchError
from vpr_tf.retrieval.scann_index import ScannIndex

__all__ = [
    "EXACT_SEARCH_MAX_IMAGES",
    "ExactIndex",
    "Index",
    "IndexMismatchError",
    "ScannIndex",
    "build_index",
    "load_index",
]
