"""All kinds of index, for tests that every one must pass."""

from dataclasses import dataclass, field

import numpy as np

from vpr_tf.search import INDEX_KINDS


@dataclass(frozen=True)
class IndexCase:
    """A kind of index with settings; `is_exact` says what its answers must equal."""

    name: str
    kind: str
    is_exact: bool
    settings: dict = field(default_factory=dict)
    holds_descriptors: bool = False  # a second time, in its files

    def build(self, descriptors):
        return INDEX_KINDS[self.kind].build(descriptors, dict(self.settings))

    def read(self, folder, descriptors, settings):
        return INDEX_KINDS[self.kind].read(folder, descriptors, settings)

    def __str__(self):
        return self.name


_TREE = {"num_leaves": 20, "leaves_to_search": 12, "training_iterations": 4}

# Another kind of index joins the tests by a line here.
INDEX_CASES = (
    IndexCase("exact", "exact", True),
    IndexCase("scann_brute_force", "scann", True, {"structure": "brute_force"}),
    IndexCase("scann_quantized", "scann", False, {"structure": "quantized"}),
    IndexCase("scann_tree", "scann", False, {**_TREE, "reorder": "float32"}),
    IndexCase("scann_one_leaf", "scann", False, {**_TREE, "soar_lambda": 0.0}),
    IndexCase("scann_bfloat16", "scann", False, {**_TREE, "reorder": "bfloat16"}),
    IndexCase("scann_int8", "scann", False, _TREE),
    IndexCase("scann_compact", "scann", False, {**_TREE, "reorder": "memory_mapped"}),
    IndexCase("milvus_flat", "milvus", True, {"index_type": "FLAT"}, True),
    IndexCase("milvus_hnsw", "milvus", False, {"index_type": "HNSW"}, True),
)


def nearest_by_sorting(queries, database, k):
    """Squared distances in float64, the lowest row first among equals."""
    differences = queries[:, None].astype(np.float64) - database[None]
    distances = (differences**2).sum(axis=2)
    rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, rows, axis=1), rows


def random_unit_vectors(rng, count, dim):
    vectors = rng.normal(size=(count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def clustered_unit_vectors(count, dim=32):
    """As descriptors of places with 20 photos each are."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(-(-count // 20), dim))
    rows = np.repeat(centres, 20, axis=0)[:count]
    rows += 0.3 * rng.normal(size=rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
