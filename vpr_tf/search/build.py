"""Chooses and builds an index."""

from __future__ import annotations

from typing import Any

from vpr_tf.search.descriptors import Descriptors
from vpr_tf.search.exact_index import ExactIndex
from vpr_tf.search.milvus_index import MilvusIndex
from vpr_tf.search.scann_index import ScannIndex
from vpr_tf.search.search_index import SearchIndex

# Above, `auto` takes ScaNN. On 2 cores 1,000 queries of 512 values take 5 s for each
# 400,000 images exactly; to build ScaNN's tree for these takes 3 minutes. So an index
# that is searched once pays only far beyond the 2.8 million images of SF-XL's test set.
EXACT_SEARCH_MAX_IMAGES = 5_000_000
# An index that is kept is built once and asked for ever.
KEPT_EXACT_MAX_IMAGES = 20_000

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
    """Builds the index that the config asks for.

    Args:
        index: `exact`, `scann`, `milvus`, or `auto`: exact for small databases.
        descriptors: The database `(num_images, descriptor_dim)`.
        settings: See `SearchIndex.build`.
        exact_max_images: Rows up to which `auto` is exact; None for
            `EXACT_SEARCH_MAX_IMAGES`, which suits an index that is searched once.

    Raises:
        ValueError: No such index, or the descriptors cannot be searched.
    """
    kind = index_kind(index, len(descriptors), exact_max_images)
    return INDEX_KINDS[kind].build(descriptors, settings)


def index_kind(index: str, num_images: int, exact_max_images: int | None = None) -> str:
    """Returns the kind of index that `build_index` chooses.

    Raises:
        ValueError: No such index.
    """
    if index == "auto":
        if exact_max_images is None:
            exact_max_images = EXACT_SEARCH_MAX_IMAGES
        small = num_images <= exact_max_images
        return ExactIndex.kind if small else ScannIndex.kind
    if index not in INDEX_KINDS:
        raise ValueError(
            f"`index` must be auto, {', '.join(INDEX_KINDS)}. Received: {index!r}"
        )
    return index
