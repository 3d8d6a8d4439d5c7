"""Exact, ScaNN or Milvus: every size that decides which is here."""

from __future__ import annotations

import importlib.util
import logging

_LOG = logging.getLogger("vpr_tf")
KINDS = ("exact", "scann", "milvus")

# Above, `auto` takes ScaNN. On 2 cores 1,000 queries of 512 values take 5 s for each
# 400,000 images exactly; to build ScaNN's tree for these takes 3 minutes. So an index
# that is searched once pays only far beyond the 2.8 million images of SF-XL's test set.
EXACT_SEARCH_MAX_IMAGES = 5_000_000
# An index that is kept is built once and searched for ever.
KEPT_EXACT_MAX_IMAGES = 20_000

# What a ScaNN index is inside, as its documentation advises.
SCANN_BRUTE_FORCE_BELOW = 20_000
SCANN_NO_TREE_BELOW = 100_000
# ScaNN finds 16 centres a block of dimensions.
MIN_QUANTIZED_IMAGES = 16

# Milvus compares with every row below, and builds a graph (HNSW) from here on.
MILVUS_FLAT_BELOW = 5_000


def index_kind(index: str, num_images: int, exact_max_images: int | None = None) -> str:
    """Returns the kind of index that suits a database.

    Args:
        index: `exact`, `scann`, `milvus`, or `auto`: exact for small databases, and
            where ScaNN is not installed, which is logged.
        num_images: Rows of the database.
        exact_max_images: Rows up to which `auto` is exact; None for
            `EXACT_SEARCH_MAX_IMAGES`, which suits an index that is searched once.

    Raises:
        ValueError: No such index.
    """
    if index == "auto":
        if exact_max_images is None:
            exact_max_images = EXACT_SEARCH_MAX_IMAGES
        if num_images <= exact_max_images:
            return "exact"
        if importlib.util.find_spec("scann") is not None:
            return "scann"
        _LOG.warning(
            "ScaNN is not installed, so the search is exact: slow for %s images. "
            "Install it by `pip install 'vpr_tf[scann]'`.",
            f"{num_images:,}",
        )
        return "exact"
    if index not in KINDS:
        raise ValueError(
            f"`index` must be auto, {', '.join(KINDS)}. Received: {index!r}"
        )
    return index


def scann_structure(num_images: int) -> str:
    """Returns the structure of a ScaNN index, see `ScannSettings`."""
    if num_images < SCANN_BRUTE_FORCE_BELOW:
        return "brute_force"
    return "quantized" if num_images < SCANN_NO_TREE_BELOW else "tree"


def milvus_index_type(num_images: int) -> str:
    """Returns the type of a Milvus index, see `MilvusSettings`."""
    return "FLAT" if num_images < MILVUS_FLAT_BELOW else "HNSW"
