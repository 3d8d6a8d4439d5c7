"""Chooses, builds and loads an index."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vpr_tf.retrieval.exact_index import ExactIndex
from vpr_tf.retrieval.index import Index, IndexMismatchError, read_description
from vpr_tf.retrieval.scann_index import ScannIndex

# Above, `auto` takes ScaNN. On 2 cores 1,000 queries of 512 values take 5 s for each
# 400,000 images exactly; to build ScaNN's tree for these takes 3 minutes. So an index
# that is searched once pays only far beyond the 2.8 million images of SF-XL's test set.
EXACT_SEARCH_MAX_IMAGES = 5_000_000

_KINDS: dict[str, type[Index]] = {kind.kind: kind for kind in (ExactIndex, ScannIndex)}


def build_index(index: str, descriptors: np.ndarray) -> Index:
    """Builds the index that the config asks for.

    Args:
        index: `exact`, `scann`, or `auto`: exact up to
            `EXACT_SEARCH_MAX_IMAGES` rows.
        descriptors: Float32 database `(num_images, descriptor_dim)`.

    Raises:
        ValueError: No such index, or the descriptors cannot be searched.
    """
    return _KINDS[index_kind(index, len(descriptors))].build(descriptors)


def index_kind(index: str, num_images: int) -> str:
    """Returns the kind of index, `exact` or `scann`, that `build_index` chooses.

    Raises:
        ValueError: No such index.
    """
    if index == "auto":
        small = num_images <= EXACT_SEARCH_MAX_IMAGES
        return ExactIndex.kind if small else ScannIndex.kind
    if index not in _KINDS:
        raise ValueError(
            f"`index` must be auto, {' or '.join(_KINDS)}. Received: {index!r}"
        )
    return index


def load_index(folder: str | Path, encoder_fingerprint: str) -> Index:
    """Reads an index of any kind that `Index.save` wrote.

    Args:
        folder: The folder of the index.
        encoder_fingerprint: Identity of the encoder that will make the queries.

    Raises:
        IndexMismatchError: The folder is damaged, or another encoder made it.
    """
    kind = read_description(folder)["kind"]
    if kind not in _KINDS:
        raise IndexMismatchError(
            f"{folder} holds an index of the unknown kind {kind!r}; known are "
            f"{', '.join(_KINDS)}. Build the index again."
        )
    return _KINDS[kind].load(folder, encoder_fingerprint)
