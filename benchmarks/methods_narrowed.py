"""Measures searches that the best cells of a classifier narrow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np

from benchmarks.methods_engines import EXACT
from benchmarks.methods_measure import Measured, Method, found_first
from benchmarks.methods_timing import held_bytes, median_ms, resident_growth
from vpr_tf.classification import PlaceClassifier
from vpr_tf.classification.cell_ranking import ClassifierCells
from vpr_tf.search import CellFilteredIndex, CellRows


def measure_narrowed(
    searched: Method,
    classifier: Method,
    label: str,
    num_cells: Sequence[int],
    extract_ms: tuple[float, float],
) -> Iterator[Measured]:
    """Measures a search of the best cells for each number of cells, and for all.

    Args:
        searched: Whose descriptors are searched.
        classifier: Whose heads choose the cells.
        label: Name of the combination.
        num_cells: Numbers of cells (K), ascending; those that would be all are left
            out.
        extract_ms: Times of the encoders of both.
    """
    shares = searched.fingerprint == classifier.fingerprint
    both_ms = extract_ms[0] + (0.0 if shares else extract_ms[1])
    queries = np.asarray(searched.queries())
    ranked = None if shares else np.asarray(classifier.queries())
    held = _cell_rows(searched, _ranking(classifier)).num_held
    for cells in [*(k for k in num_cells if k < held), None]:
        with resident_growth() as grown:
            ranking = _ranking(classifier)
            cell_rows = _cell_rows(searched, ranking)
            whole = EXACT.build(searched.database())
            index = CellFilteredIndex(whole, cell_rows, ranking, cells)
            search_ms = _search_ms(searched, index, queries, ranked)
            classify_ms = _classify_ms(classifier, ranking, cells, cell_rows.is_held)
        distances, predictions = index.search(queries, searched.num_predictions, ranked)
        result = searched.judged(predictions, distances, index.is_exact)
        yield Measured(
            f"{label}, K = {'all' if cells is None else cells}",
            "narrowed",
            result.recalls,
            found_first(result),
            extract_ms[0] if cells is None else both_ms,
            classify_ms,
            # The index chooses the cells itself.
            max(0.0, search_ms - (0.0 if cells is None else classify_ms)),
            held_bytes(index),
            grown.bytes,
            f"{searched.run}, {classifier.run}",
            cells or held,
            pca_dim=searched.pca_dim,
        )


def _ranking(classifier: Method) -> ClassifierCells:
    return ClassifierCells(cast(PlaceClassifier, classifier.heads()))


def _cell_rows(searched: Method, ranking: ClassifierCells) -> CellRows:
    split = searched.opened.dataset.split(searched.evaluation_set.database)
    cells = ranking.cells_of(split.positions())
    return CellRows.from_cells(cells, ranking.num_cells)


def _search_ms(
    searched: Method,
    index: CellFilteredIndex,
    queries: np.ndarray,
    ranked: np.ndarray | None,
) -> float:
    n = searched.num_predictions

    def search(row: np.ndarray) -> object:
        return index.search(queries[row], n, None if ranked is None else ranked[row])

    return median_ms(search, [np.array([row]) for row in searched.timed])


def _classify_ms(
    classifier: Method,
    ranking: ClassifierCells,
    num_cells: int | None,
    competing: np.ndarray,
) -> float:
    """Times the choice of the cells; where all are searched, none are chosen."""
    if num_cells is None:
        return math.nan
    return median_ms(
        lambda query: ranking.best_cells(query, num_cells, competing),
        classifier.single_queries(),
    )
