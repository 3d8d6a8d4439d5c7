"""Whether a Milvus collection is of the descriptors, and its answers are right."""

from __future__ import annotations

import numpy as np

from vpr_tf.search.descriptors import MISSING_ID, Descriptors
from vpr_tf.search.errors import IndexMismatchError
from vpr_tf.search.milvus_collection import MilvusCollection

_SAMPLED_ROWS = 32
_TOLERANCE = 1e-3


def check_contents(collection: MilvusCollection, descriptors: Descriptors) -> None:
    """Compares the number of rows and a sample of them with the descriptors.

    Raises:
        IndexMismatchError: They differ.
    """
    num_images = len(descriptors)
    num_rows = collection.num_rows()
    if num_rows != num_images:
        raise collection_mismatch(f"has {num_rows} rows, not {num_images}")
    spread = np.linspace(0, num_images - 1, _SAMPLED_ROWS).astype(np.int64)
    sample = np.unique(spread)
    expected = np.asarray(descriptors[sample], np.float32)
    stored = collection.rows(sample.tolist())
    for row, values in zip(sample.tolist(), expected, strict=True):
        if row not in stored or not np.array_equal(stored[row], values):
            raise collection_mismatch(f"holds another row {row}")


def checked_answer(
    descriptors: Descriptors,
    queries: np.ndarray,
    ids: np.ndarray,
    told_distances: np.ndarray | None,
    *,
    complete: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Computes the distances of an answer anew, and sorts by them.

    Args:
        descriptors: The database.
        queries: Float32 `(num_queries, descriptor_dim)`.
        ids: Database rows `(num_queries, k)`; -1 where there is none.
        told_distances: Squared distances as Milvus told them; None: not compared.
        complete: Whether no row may be missing.

    Returns:
        Squared distances, float32, and rows, both `(num_queries, k)`.

    Raises:
        IndexMismatchError: A row that there is not, a row twice, a missing row or
            another distance.
    """
    _check_ids(ids, len(descriptors), complete)
    query, column = np.nonzero(ids != MISSING_ID)
    used, place = np.unique(ids[query, column], return_inverse=True)
    rows = np.asarray(descriptors[used], np.float64)[place]
    norms = np.einsum("nd,nd->n", rows, rows)
    norms += np.einsum("qd,qd->q", queries, queries, dtype=np.float64)[query]
    rows -= queries[query]
    computed = np.einsum("nd,nd->n", rows, rows)
    if told_distances is not None:
        told = told_distances[query, column]
        # NaN is wrong, too.
        wrong = np.flatnonzero(~(abs(told - computed) <= _TOLERANCE * norms))
        if len(wrong):
            first = wrong[0]
            raise collection_mismatch(
                f"gave {told[first]:.6g} as the squared distance of row "
                f"{ids[query, column][first]}, which is {computed[first]:.6g}"
            )
    distances = np.full(ids.shape, np.inf)
    distances[query, column] = computed
    order = np.lexsort((ids, distances), axis=1)
    return (
        np.take_along_axis(distances, order, axis=1).astype(np.float32),
        np.take_along_axis(ids, order, axis=1),
    )


def _check_ids(ids: np.ndarray, num_images: int, complete: bool) -> None:
    found = ids[ids != MISSING_ID]
    if len(found) and (found.min() < 0 or found.max() >= num_images):
        raise collection_mismatch(
            f"gave the rows {found.min()} to {found.max()} of {num_images}"
        )
    ordered = np.sort(ids, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != MISSING_ID)
    if twice.any():
        raise collection_mismatch(f"gave row {ordered[:, 1:][twice][0]} twice")
    if complete and len(found) < ids.size:
        raise collection_mismatch(f"gave {len(found)} rows where {ids.size} were due")


def collection_mismatch(reason: str) -> IndexMismatchError:
    """Returns the error of a collection that is not of the descriptors."""
    return IndexMismatchError(
        f"The Milvus collection is not of these descriptors: it {reason}. Build the "
        "index again."
    )
