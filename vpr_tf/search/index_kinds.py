"""Builds an index of any kind."""

from __future__ import annotations

from typing import Any

from vpr_tf.search.descriptors import Descriptors
from vpr_tf.search.index_choice import index_kind
from vpr_tf.search.milvus_index import MilvusIndex
from vpr_tf.search.scann_index import ScannIndex
from vpr_tf.search.search_index import ExactIndex, SearchIndex

INDEX_KINDS: dict[str, type[SearchIndex]] = {
    kind.kind: kind for kind in (ExactIndex, ScannIndex, MilvusIndex)
}


def build_index(
    index: str,
    descriptors: Descriptors,
    settings: dict[str, Any] | None = None,
    *,
    exact_max_images: int | None = None,
) -> SearchIndex:
    """Builds the index that the config names.

    Args:
        index: See `index_kind`.
        descriptors: The database `(num_images, descriptor_dim)`.
        settings: See `SearchIndex.build`.
        exact_max_images: See `index_kind`.

    Raises:
        ValueError: No such index, or the descriptors cannot be searched.
    """
    kind = index_kind(index, len(descriptors), exact_max_images)
    return INDEX_KINDS[kind].build(descriptors, settings)
