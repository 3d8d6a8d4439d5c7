"""How the table of methods searches a whole database: exactly, or by an index."""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass

from vpr_tf.search import Descriptors, SearchIndex, build_index

# Fewer descriptors do not fill the leaves of a tree.
_LEAST_IMAGES = 2000
# Shares of the inverted lists that a query reads. The paper has a fast and a slow
# IVFPQ, 8 ms and 141 ms, and does not say how many lists either reads.
_FEW, _MANY = 1 / 64, 1 / 4
_LOG = logging.getLogger("benchmarks")


@dataclass(frozen=True)
class Engine:
    """A way to search.

    Attributes:
        name: In labels and results; empty for exact search.
        build: Makes the index of a database.
    """

    name: str
    build: Callable[[Descriptors], SearchIndex]


EXACT = Engine("", functools.partial(build_index, "exact"))


def approximate_engines(database: Descriptors) -> list[Engine]:
    """Returns what may search a database approximately; nothing for a small one.

    HNSW and IVFPQ are those of faiss, as in Divide&Classify. Without faiss they are
    left out, which is logged.
    """
    num_images, dim = database.shape
    if num_images < _LEAST_IMAGES:
        return []
    tree = functools.partial(build_index, "scann", settings={"structure": "tree"})
    engines = [Engine("ScaNN", tree)]
    if importlib.util.find_spec("faiss") is None:
        _LOG.warning("HNSW and IVFPQ are left out: `pip install faiss-cpu`")
        return engines
    from benchmarks.faiss_index import FaissIndex, hnsw_settings, ivfpq_settings

    hnsw = functools.partial(FaissIndex.build, settings=hnsw_settings())
    few, many = (ivfpq_settings(num_images, dim, share) for share in (_FEW, _MANY))
    built: list[FaissIndex] = []

    def ivfpq(search: str, descriptors: Descriptors) -> SearchIndex:
        """Builds once what both search, since learning the codes takes long."""
        if not built:
            built.append(FaissIndex.build(descriptors, few))
        return built[0].with_search(search)

    return [
        *engines,
        Engine("HNSW", hnsw),
        Engine("IVFPQ, few lists", functools.partial(ivfpq, few["search"])),
        Engine("IVFPQ, many lists", functools.partial(ivfpq, many["search"])),
    ]
