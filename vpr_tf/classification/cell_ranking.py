"""The best cells of a classifier."""

from __future__ import annotations

import functools

import numpy as np

from vpr_tf.classification.classifier import PlaceClassifier, best_columns
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.classification.prototype_search import PrototypeSearch
from vpr_tf.geo import Positions
from vpr_tf.search import MISSING_ID

# Places are looked for, some of which are of the same cell or of one without photos.
_PLACES_PER_CELL = 2
_SCORES_PER_BLOCK = 1 << 23  # float32: 32 MiB


class ClassifierCells:
    """Ranks cells by their best place, for `CellFilteredIndex`.

    Places that differ in their heading, or in their group, are one cell. Equal scores
    are ordered by the lowest cell.

    Args:
        classifier: Scores the places.
        search: Finds its best places without scoring all; None to score all.
    """

    def __init__(
        self, classifier: PlaceClassifier, search: PrototypeSearch | None = None
    ) -> None:
        self.classifier = classifier
        self.search = search

    @classmethod
    def from_heads(cls, heads: PlacePredictor) -> ClassifierCells:
        """Takes heads of classes.

        Raises:
            ClassificationError: The heads are a regression.
        """
        if isinstance(heads, PlaceClassifier):
            return cls(heads)
        raise ClassificationError(
            "Only heads of classes have cells that a search can be narrowed to. "
            f"Received: {type(heads).__name__}. Name a classifier by "
            "`classification.model`."
        )

    @property
    def descriptor_dim(self) -> int:
        """Length of the classifier's descriptors."""
        return self.classifier.descriptor_dim

    @property
    def num_cells(self) -> int:
        """Cells of the class table."""
        return self.classifier.table.num_cells

    def cells_of(self, positions: Positions) -> np.ndarray:
        """Returns the cell of each position, int64; -1 outside of all cells."""
        return self.classifier.table.cells.locate(positions)

    def best_cells(
        self, descriptors: np.ndarray, n: int, competing: np.ndarray
    ) -> np.ndarray:
        """See `CellRanking.best_cells`."""
        if self.search is None:
            return self._of_all(descriptors, n, competing)
        chosen = self._of_searched(descriptors, n, competing)
        lacking = np.flatnonzero((chosen < 0).any(axis=1))
        if len(lacking):
            chosen[lacking] = self._of_all(descriptors[lacking], n, competing)
        return chosen

    def _of_searched(
        self, descriptors: np.ndarray, n: int, competing: np.ndarray
    ) -> np.ndarray:
        """Returns -1 where too few of the best places are of competing cells."""
        shape = len(descriptors), min(n, int(competing.sum()))
        chosen = np.full(shape, MISSING_ID, np.int64)
        search, table = self.search, self.classifier.table
        if search is None:
            return chosen
        for query, places in enumerate(
            search.best_places(descriptors, _PLACES_PER_CELL * n)
        ):
            cells = table.cell[places[places >= 0]]
            cells = cells[competing[cells]]
            first = np.sort(np.unique(cells, return_index=True)[1])[: chosen.shape[1]]
            chosen[query, : len(first)] = cells[first]
        return chosen

    def _of_all(
        self, descriptors: np.ndarray, n: int, competing: np.ndarray
    ) -> np.ndarray:
        cells = np.flatnonzero(competing)
        chosen = np.empty((len(descriptors), min(n, len(cells))), np.int64)
        step = max(1, _SCORES_PER_BLOCK // max(1, len(self.classifier.table)))
        for start in range(0, len(descriptors), step):
            block = slice(start, start + step)
            scores = self._cell_scores(self.classifier.scores(descriptors[block]))
            chosen[block] = cells[best_columns(scores[:, cells], n)[0]]
        return chosen

    def _cell_scores(self, scores: np.ndarray) -> np.ndarray:
        """Returns the best score of each cell, `(num_queries, num_cells)`."""
        order, starts = self._places_by_cell
        if len(order) == len(starts):
            return scores[:, order]
        return np.maximum.reduceat(scores[:, order], starts, axis=1)

    @functools.cached_property
    def _places_by_cell(self) -> tuple[np.ndarray, np.ndarray]:
        cell = self.classifier.table.cell
        order = np.argsort(cell, kind="stable")
        return order, np.searchsorted(cell[order], np.arange(self.num_cells))
